"""Several processes on this machine, watched by torchrun's agent: `heed train --nproc N`.

The agent starts `heed train` once for each process; when one dies it ends the others and starts
all again from the newest checkpoint. Nothing listens outside this machine: the processes meet in a
file, and gloo talks over the loopback interface. Several machines are torchrun's own business.
"""

__all__ = ["launch"]

import logging
import os
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import torch
from torch.distributed import HashStore  # type: ignore[attr-defined]
from torch.distributed.elastic.agent.server.api import RunResult, WorkerGroup, WorkerSpec
from torch.distributed.elastic.agent.server.local_elastic_agent import LocalElasticAgent
from torch.distributed.elastic.multiprocessing import DefaultLogsSpecs, SignalException
from torch.distributed.elastic.rendezvous import (
    RendezvousHandler,
    RendezvousInfo,
    RendezvousStoreInfo,
)

from heedful.train.processes import MEETING_PLACE

_LOOPBACK = "127.0.0.1"
_FINAL = (2, 130)
"""Exit codes that starting again would not change: the user's mistake, and an interruption."""
_SAVING_SECONDS = 600
"""How long an interrupted process has for its step and its checkpoint."""
_STOPPING_SECONDS = 30
"""How long one has that is to be started again."""


class _OneMachine(RendezvousHandler):
    """Brings this agent together with itself: no port is opened for it."""

    def __init__(self) -> None:
        self._store = HashStore()
        self._closed = False

    def get_backend(self) -> str:
        return "heedful"

    def next_rendezvous(self) -> RendezvousInfo:
        where = RendezvousStoreInfo(master_addr=_LOOPBACK, master_port=0)
        return RendezvousInfo(self._store, 0, 1, where)

    def is_closed(self) -> bool:
        return self._closed

    def set_closed(self) -> None:
        self._closed = True

    def num_nodes_waiting(self) -> int:
        return 0

    def get_run_id(self) -> str:
        return "heedful"

    def shutdown(self) -> bool:
        self._closed = True
        return True


class _Agent(LocalElasticAgent):
    """torchrun's agent; gives every start its own meeting place, and knows what is final."""

    def __init__(self, spec: WorkerSpec, meeting: Path) -> None:
        super().__init__(
            spec, DefaultLogsSpecs(), start_method="spawn", shutdown_timeout=_SAVING_SECONDS
        )
        self._meeting = meeting
        self.final: int | None = None

    def _start_workers(self, worker_group: WorkerGroup) -> dict[int, Any]:
        os.environ[MEETING_PLACE] = str(self._meeting / f"start-{self._remaining_restarts}")
        started: dict[int, Any] = super()._start_workers(worker_group)
        return started

    def _stop_workers(self, worker_group: WorkerGroup) -> None:
        self._shutdown(timeout=_STOPPING_SECONDS)

    def _monitor_workers(self, worker_group: WorkerGroup) -> RunResult:
        result: RunResult = super()._monitor_workers(worker_group)
        if result.is_failed():
            codes = {failure.exitcode for failure in result.failures.values()}
            if codes & set(_FINAL):
                self.final = min(codes & set(_FINAL))
                self._remaining_restarts = 0
            else:
                first = min(result.failures, key=lambda rank: result.failures[rank].timestamp)
                code, left = result.failures[first].exitcode, self._remaining_restarts
                how = f"by signal {-code}" if code < 0 else f"with exit code {code}"
                then = f"starting all again, {left} left" if left else "no start is left"
                print(f"heed: process {first} ended {how}; {then}", file=sys.stderr)
        return result


def launch(words: Sequence[str], processes: int, restarts: int) -> int:
    """Run `heed train` with these words in so many processes; return the exit code.

    Whatever kills a process, all are started again from the newest checkpoint, at most `restarts`
    times.
    """
    logging.disable(logging.CRITICAL)  # the agent's own reports: what matters is said here
    threads = max(1, torch.get_num_threads() // processes)
    os.environ.setdefault("OMP_NUM_THREADS", str(threads))
    os.environ.setdefault("GLOO_SOCKET_IFNAME", "lo" if sys.platform == "linux" else "lo0")
    with tempfile.TemporaryDirectory(prefix="heedful-") as meeting:
        spec = WorkerSpec(
            role="heedful",
            local_world_size=processes,
            rdzv_handler=_OneMachine(),
            entrypoint=sys.executable,
            args=("-m", "heedful", "train", *words),
            max_restarts=restarts,
            local_addr=_LOOPBACK,
        )
        agent = _Agent(spec, Path(meeting))
        try:
            result = agent.run()
        except SignalException:
            return 130
    if not result.is_failed():
        return 0
    return 1 if agent.final is None else agent.final
