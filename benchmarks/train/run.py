"""Starts workers: a task comes in, its result goes out, from a fresh process (or several, DDP).

A peer that is not installed gives {"absent": reason}, one that breaks {"failed": reason}.
"""

__all__ = ["measured_peak", "run"]

import json
import os
import resource
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

from train.spec import Task

BENCHMARKS = Path(__file__).resolve().parent.parent
KEEP_MEMORY = {
    "MALLOC_MMAP_MAX_": "0",
    "MALLOC_TRIM_THRESHOLD_": str(2**31 - 1),
    "MALLOC_TOP_PAD_": str(64 << 20),
}
TICKS = os.sysconf("SC_CLK_TCK")


def run(task: Task) -> dict[str, Any]:
    """Run a task; with its numbers comes how many cores other programs used meanwhile."""
    settings = task.settings
    before, started = _cpu_seconds(), time.monotonic()
    with tempfile.TemporaryDirectory() as folder:
        extra = {"RENDEZVOUS": f"{folder}/rendezvous"}
        extra |= KEEP_MEMORY if settings.keep_memory else {}
        words = ["train.worker", json.dumps(task.to_json())]
        answers = _start(words, settings.threads, settings.processes, extra)
    after, wall = _cpu_seconds(), time.monotonic() - started
    first = answers[0]
    result = first.get("result")
    if result is None:
        return first
    others = [answer["result"] for answer in answers[1:]]
    result["peak_rss_mb"] += sum(other["peak_rss_mb"] for other in others)
    own, whole = (late - early for early, late in zip(before, after, strict=True))
    result["foreign_cores"] = max(0.0, whole - own) / wall
    return result


def measured_peak(precision: str, device: str, cores: int) -> dict[str, Any]:
    """Return the best rate of matrix products: one process of all threads, or one a core."""
    ways = {"one process": (1, cores)} | ({"a process a core": (cores, 1)} if cores > 1 else {})
    if device == "cuda":
        ways = {"one process": (1, cores)}
    found = {}
    for name, (processes, threads) in ways.items():
        start = time.time() + 6  # all of them have imported torch by then
        words = ["train.peak", precision, device, str(threads), str(start)]
        answers = _start(words, threads, processes, {})
        if any("failed" in answer for answer in answers):
            raise RuntimeError(f"the peak could not be measured: {answers}")
        found[name] = {shape: sum(answer[shape] for answer in answers) for shape in answers[0]}
    best = max(rate for shapes in found.values() for rate in shapes.values())
    return {"flops_per_second": best, "shapes": found}


def _start(
    words: list[str], threads: int, processes: int, extra: dict[str, str]
) -> list[dict[str, Any]]:
    """Run `python -m WORDS` in each of the processes and return what they answer."""
    path = [str(BENCHMARKS), os.environ.get("PYTHONPATH", "")]
    environment = os.environ | extra
    environment |= {
        "PYTHONPATH": os.pathsep.join(filter(None, path)),
        "OMP_NUM_THREADS": str(threads),
        "MKL_NUM_THREADS": str(threads),
        "HF_HUB_OFFLINE": "1",
    }
    started = [
        subprocess.Popen(
            [sys.executable, "-m", *words],
            env=environment | {"RANK": str(rank)},
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        for rank in range(processes)
    ]
    try:
        return [_answer(process) for process in started]
    finally:
        for process in started:
            process.kill()


def _answer(process: "subprocess.Popen[str]") -> dict[str, Any]:
    """Return the JSON of the last line, or why there is none."""
    out, errors = process.communicate()
    if process.returncode == 0:
        answer: dict[str, Any] = json.loads(out.strip().split("\n")[-1])
        return answer
    last = (errors.strip().split("\n") or [""])[-1]
    return {"failed": f"exit code {process.returncode}: {last}"}


def _cpu_seconds() -> tuple[float, float]:
    """Return the CPU time of finished child processes and of the whole machine."""
    spent = resource.getrusage(resource.RUSAGE_CHILDREN)
    own = spent.ru_utime + spent.ru_stime
    stat = Path("/proc/stat")
    if not stat.exists():
        return own, own
    user, nice, system, _, _, *rest = map(int, stat.read_text().split("\n")[0].split()[1:])
    return own, (user + nice + system + sum(rest[:2])) / TICKS
