"""Starts the workers of one engine, lets them begin together, and collects what they say."""

__all__ = ["run"]

import json
import os
import subprocess
import sys
import time
from dataclasses import asdict
from pathlib import Path
from typing import Any

from decode.spec import Engine, Task

BENCHMARKS = Path(__file__).resolve().parent.parent


def run(
    engine: Engine, beam: int, batch_tokens: int, files: dict[str, str], *, single: bool
) -> dict[str, Any]:
    """Return one run in fresh processes: seconds, answers, latencies, memory; or why there is none.

    With several processes each translates its share; the slowest counts.
    """
    workers = [
        _start(
            Task(
                module=engine.module,
                options=engine.options,
                threads=engine.threads,
                rank=rank,
                processes=engine.processes,
                beam=beam,
                batch_tokens=batch_tokens,
                started=time.time(),
                **files,
            )
        )
        for rank in range(engine.processes)
    ]
    try:
        startup = max(_hear(worker)["ready"] for worker in workers)
        for worker in workers:
            _say(worker, "all")
        shares = [_hear(worker) for worker in workers]
        result = {"startup": startup, "seconds": max(share["seconds"] for share in shares)}
        if single:
            _say(workers[0], "single")
            result |= _hear(workers[0])
        for worker in workers:
            _say(worker, "end")
        result["peak_rss_mb"] = sum(_hear(worker)["peak_rss_mb"] for worker in workers)
        answers: list[Any] = [None] * sum(len(share["answers"]) for share in shares)
        for rank, share in enumerate(shares):
            answers[rank :: engine.processes] = share["answers"]
        return result | {"answers": answers}
    except _DeadError as failure:
        return {"failed": str(failure)}
    finally:
        for worker in workers:
            worker.kill()
            worker.communicate()


class _DeadError(Exception):
    """A worker ended before its time."""


def _start(task: Task) -> "subprocess.Popen[str]":
    path = [str(BENCHMARKS), os.environ.get("PYTHONPATH", "")]
    environment = os.environ | {
        "PYTHONPATH": os.pathsep.join(filter(None, path)),
        "OMP_NUM_THREADS": str(task.threads),
        "MKL_NUM_THREADS": str(task.threads),
        "HF_HUB_OFFLINE": "1",
    }
    return subprocess.Popen(
        [sys.executable, "-m", "decode.worker", json.dumps(asdict(task))],
        env=environment,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def _say(worker: "subprocess.Popen[str]", word: str) -> None:
    assert worker.stdin is not None
    worker.stdin.write(f"{word}\n")
    worker.stdin.flush()


def _hear(worker: "subprocess.Popen[str]") -> dict[str, Any]:
    assert worker.stdout is not None
    assert worker.stderr is not None
    line = worker.stdout.readline()
    if not line:
        last = (worker.stderr.read().strip().split("\n") or [""])[-1]
        raise _DeadError(f"exit code {worker.wait()}: {last}")
    heard: dict[str, Any] = json.loads(line)
    return heard
