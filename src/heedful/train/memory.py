"""What fits in memory: errors that say something did not, and the largest batch that does.

`heedful.run` asks for the batch where `batch_tokens` is `auto`. A CPU's memory is not tried out,
as a system out of memory kills programs at random: what a trial batch keeps for its backward pass
is counted, and a share of the free memory allowed. A GPU's memory is tried, by doubling.
"""

__all__ = ["is_out_of_memory", "largest_batch"]

import os
from collections.abc import Callable
from pathlib import Path
from typing import Protocol

import torch

from heedful.data.batches import Batch
from heedful.errors import lacks_memory
from heedful.shapes import Tensor
from heedful.text.pieces import END, START

_CPU_MOST = 25_000
"""The paper's batch: more has no use on a CPU."""
_PEAK = 4
"""Bytes of memory a step takes for each byte it keeps: gradients, gaps between blocks."""
_SAFE = 0.9
"""Share of the largest batch tried that is taken: other batches have other shapes."""
_CONTAINER = Path("/sys/fs/cgroup")
"""Where the system says how much memory a container may have, and has."""

_WORDS = (
    "can't allocate memory",
    "out of memory",
    "CUBLAS_STATUS_ALLOC_FAILED",
    "std::bad_alloc",
)
"""What other errors without a type of their own say when memory ran out."""


class Trial(Protocol):
    """What makes a step for a trial; `heedful.train.gradient.Gradients` does."""

    def fits(self, batch: Batch) -> bool:
        """Return whether the batch goes forward and backward in one piece."""
        ...


def is_out_of_memory(error: BaseException) -> bool:
    """Return whether an error says that memory ran out, of a GPU or of the machine."""
    said = str(error) if isinstance(error, RuntimeError) else ""
    return lacks_memory(error) or any(words in said for words in _WORDS)


def largest_batch(trial: Trial, longest: int, pieces: int, device: torch.device) -> int:
    """Return how many pieces a batch can have: what fits, and 100 batches an epoch if possible.

    `longest` is the longest sentence and `pieces` the corpus; the answer is at least `longest`.
    """
    most = max(longest, pieces // 100)
    if device.type == "cpu":
        fitting = _fitting_by_count(trial, longest, min(most, max(_CPU_MOST, longest)))
    else:
        fitting = _fitting_by_trial(lambda n: trial.fits(_sentences(n, longest)), longest, most)
    return max(longest, fitting)


def _sentences(tokens: int, longest: int) -> Batch:
    """Return a batch of the longest sentences, with nothing in them."""
    rows = max(1, tokens // longest)
    pieces = torch.full((rows, longest), END)
    starts = pieces.clone()
    starts[:, 0] = START
    return Batch(pieces, starts, pieces, pieces.numel(), pieces.numel())


def _fitting_by_count(trial: Trial, longest: int, most: int) -> int:
    small, large = (_sentences(n * longest, longest) for n in (1, 3))
    more = _kept(trial, large) - _kept(trial, small)
    each = _PEAK * more / (large.source.numel() - small.source.numel())
    return min(most, int(_free_memory() / 2 / each))


def _kept(trial: Trial, batch: Batch) -> int:
    """Return the bytes that a forward pass keeps for the backward pass."""
    kept: dict[int, int] = {}

    def note(tensor: Tensor) -> Tensor:
        storage = tensor.untyped_storage()
        kept[storage.data_ptr()] = storage.nbytes()
        return tensor

    with torch.autograd.graph.saved_tensors_hooks(note, lambda tensor: tensor):
        trial.fits(batch)
    return sum(kept.values())


def _fitting_by_trial(fits: Callable[[int], bool], least: int, most: int) -> int:
    """Return nine tenths of the largest number that fits, found to a tenth; `most` if it fits.

    >>> _fitting_by_trial(lambda n: n <= 1000, least=100, most=10_000)
    900
    >>> _fitting_by_trial(lambda n: n <= 1000, least=100, most=700)
    700
    """
    if fits(most):
        return most
    good, bad = 0, most
    while bad - good > max(1, good // 10):
        tried = min(max(2 * good, least), (good + bad) // 2)
        if fits(tried):
            good = tried
        else:
            bad = tried
    return int(_SAFE * good)


def _free_memory() -> int:
    """Return the bytes a program can still have: of the machine, or of its container."""
    free = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") // 2
    meminfo = Path("/proc/meminfo")
    if meminfo.exists():
        lines = dict(line.split(":", 1) for line in meminfo.read_text().splitlines())
        free = int(lines["MemAvailable"].split()[0]) * 1024
    limit, used = _CONTAINER / "memory.max", _CONTAINER / "memory.current"
    if limit.exists() and used.exists() and (most := limit.read_text().strip()) != "max":
        free = min(free, int(most) - int(used.read_text()) + _files_kept())
    return max(free, 0)


def _files_kept() -> int:
    """Return the bytes of files that a container has in memory while nothing else needs it."""
    told = _CONTAINER / "memory.stat"
    kinds = dict(line.split() for line in told.read_text().splitlines()) if told.exists() else {}
    return sum(int(kinds.get(name, 0)) for name in ("inactive_file", "active_file"))
