"""One run: warm up, decide how many batches to measure, measure them.

A runner (heedful's own loop, or the plain loop around a peer) and a task come in, plain numbers
go out. The batches are the plan's, in its order, so that what was trained on is known.
"""

__all__ = ["Runner", "measure"]

import resource
import sys
import time
from itertools import islice
from pathlib import Path
from typing import Any, Protocol

import numpy as np
import torch
from train.data import batches_from
from train.spec import SIZES, Task, useful_flops

from heedful.data.batches import BatchPlan


class Runner(Protocol):
    """Something that trains."""

    plan: BatchPlan
    weights: int
    target_tokens: int
    """Trained on so far."""

    def advance(self, steps: int) -> float:
        """Make that many more steps; return the seconds they took."""
        ...


def measure(runner: Runner, task: Task) -> dict[str, Any]:
    """Return the speed of a runner and what it is made of."""
    started = time.perf_counter()
    first = runner.advance(1)
    pace = runner.advance(task.warmup - 1) / (task.warmup - 1) if task.warmup > 1 else first
    warmed = time.perf_counter()
    measured = _batches(runner.plan, task, pace)
    before = runner.target_tokens
    seconds = runner.advance(len(measured))
    wall = time.perf_counter() - warmed
    source, target = (
        sum(int(lengths[rows].sum()) for rows in measured)
        for lengths in runner.plan.store.lengths()
    )
    if runner.target_tokens - before != target:
        raise RuntimeError(f"{task.implementation} was trained on other batches than planned")
    return {
        "target_tokens_per_second": target / seconds,
        "useful_flops_per_second": useful_flops(SIZES[task.size], source, target) / seconds,
        "steps": len(measured),
        "seconds": seconds,
        "wall_seconds": wall,
        "warmup_seconds": warmed - started,
        "source_tokens": source,
        "target_tokens": target,
        "fill": runner.plan.fill(measured),
        "weights": runner.weights,
        "peak_rss_mb": peak_rss_mb(),
        **_gpu_memory(),
    }


def _batches(plan: BatchPlan, task: Task, pace: float) -> list[np.ndarray]:
    """Return the rows of the batches to measure: those that follow the warm-up."""
    waiting = batches_from(plan, task.warmup)
    if task.target_tokens is None:
        return list(islice(waiting, max(task.min_steps, round(task.seconds / pace))))
    lengths = plan.store.lengths()[1]
    chosen: list[np.ndarray] = []
    tokens = 0
    while tokens < task.target_tokens or len(chosen) < task.min_steps:
        chosen.append(next(waiting))
        tokens += int(lengths[chosen[-1]].sum())
    return chosen


def peak_rss_mb() -> float:
    """Return the most memory that this process has held, in MB.

    On Linux not by getrusage, which counts what the starting process held before.
    """
    status = Path("/proc/self/status")
    if status.exists():
        lines = dict(line.split(":", 1) for line in status.read_text().strip().split("\n"))
        return int(lines["VmHWM"].split()[0]) * 1024 / 1e6
    unit = 1 if sys.platform == "darwin" else 1024
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * unit / 1e6


def _gpu_memory() -> dict[str, float]:
    if not torch.cuda.is_available():
        return {}
    return {"peak_gpu_mb": torch.cuda.max_memory_allocated() / 1e6}
