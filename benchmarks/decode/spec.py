"""Which engines are measured, and in which layout: processes and threads of each."""

__all__ = ["OURS", "Engine", "Task", "engines"]

from dataclasses import dataclass, field
from typing import Any

OURS = "heedful"
SLOW = 250
"""Sentences that the slow engines translate."""
OURS_KINDS = {
    "float32": {"precision": "float32", "fast": False},
    "int8": {"precision": "int8", "fast": False},
    "int8 fast": {"precision": "int8", "fast": True},
}
"""Options of `decode/ours.py`."""


@dataclass(frozen=True)
class Engine:
    """One row of the table."""

    name: str
    module: str
    """`decode/MODULE.py`, whose `load` makes it."""
    processes: int
    threads: int
    options: dict[str, Any] = field(default_factory=dict)
    beams: tuple[int, ...] = (1, 4)
    part: int | None = None
    """So many of the sentences are enough to time it; None: all, and BLEU."""

    @property
    def label(self) -> str:
        """The engine with its layout; CTranslate2 calls its processes inter_threads."""
        inter = self.options.get("inter_threads", self.processes)
        return f"{self.name}, {inter} x {self.threads}"


@dataclass(frozen=True)
class Task:
    """What a worker is told."""

    module: str
    options: dict[str, Any]
    threads: int
    rank: int
    processes: int
    model: str
    exported: str
    """The folder with what the engines read in place of `model`."""
    inputs: str
    """A JSON file: ids of the sources, and what the search must know."""
    beam: int
    batch_tokens: int
    started: float
    """When the process was, on the clock `time.time`."""


def engines(cores: int) -> list[Engine]:
    """Return all of them in two layouts, a process a core and one process of all cores.

    The slow ones have the first alone, the faster one.
    """
    layouts = [(1, 1)] if cores == 1 else [(cores, 1), (1, cores)]
    found = []
    for processes, threads in layouts:
        found += [
            Engine(f"{OURS} {kind}", "ours", processes, threads, options)
            for kind, options in OURS_KINDS.items()
        ]
        found += [
            Engine(
                *(f"CTranslate2 {kept}", "ct2", 1, threads),
                {"quantization": kept, "inter_threads": processes},
            )
            for kept in ("float32", "int8")
        ]
    slow = (cores, 1)
    found.append(Engine("MarianMT generate", "marian", *slow, part=SLOW))
    found.append(Engine("PyTorch, a plain loop", "plain", *slow, beams=(1,), part=SLOW))
    return found
