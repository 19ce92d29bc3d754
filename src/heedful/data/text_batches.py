"""Windows of a stream become batches: a text is learnt as it runs, whole windows at a time.

A stream, the length of a window, how many make a batch and a seed come in; lists of places, an
epoch at a time, and tensors go out. (seed, epoch) alone decide the places. Nothing is padded.
"""

__all__ = ["UNASKED", "TextBatch", "WindowPlan", "every_window"]

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from heedful.data.stream import Stream
from heedful.errors import DataError
from heedful.shapes import Int, Tensor
from heedful.text.pieces import UNKNOWN

UNASKED = -1
"""Stands where nothing is to be predicted; no piece has that number."""

Places = NDArray[np.int64]
"""Where windows begin in the stream."""


@dataclass(frozen=True)
class TextBatch:
    """Texts as a decoder reads and predicts them: `target_out` is `target_in`, one piece on.

    Where `target_out` is UNASKED nothing is to be predicted: that is what a loss leaves out.
    """

    target_in: Int[Tensor, "B T"]
    target_out: Int[Tensor, "B T"]
    n_target: int
    """Pieces to be predicted: what a loss is averaged over."""

    @property
    def rows(self) -> int:
        """Texts."""
        return self.target_in.shape[0]

    @property
    def longest(self) -> int:
        """Pieces of the longest text."""
        return self.target_in.shape[1]

    def split(self, parts: int) -> list["TextBatch"]:
        """Divide the rows into `parts` batches of as many rows, in their order."""
        if parts == 1:
            return [self]
        sides = (self.target_in.tensor_split(parts), self.target_out.tensor_split(parts))
        return [TextBatch(one, other, _count(other)) for one, other in zip(*sides, strict=True)]

    def pinned(self) -> "TextBatch":
        """Return the batch in memory that a GPU can fetch by itself."""
        return self._each(Tensor.pin_memory)

    def to(self, device: torch.device | str) -> "TextBatch":
        """Return the batch on another device."""
        return self._each(lambda tensor: tensor.to(device, non_blocking=True))

    def _each(self, change: Callable[[Tensor], Tensor]) -> "TextBatch":
        return TextBatch(change(self.target_in), change(self.target_out), self.n_target)


class WindowPlan:
    """Cuts a stream into windows of one length, anew for each epoch, and deals them out.

    An epoch begins at a place drawn from the first window and goes on window by window, so that
    each piece behind it is predicted once but those at the very end, fewer than a window; the
    windows are mixed, and what is left of them behind the last whole batch waits for the next
    epoch. Raises DataError when the stream is shorter than a window and the piece after it.
    """

    def __init__(self, stream: Stream, window: int, windows: int, seed: int) -> None:
        if len(stream) <= window:
            raise DataError(
                f"the text to learn from has {len(stream):,} pieces, and a window of {window:,} "
                "needs one more than that",
                fix=f"give a longer text, or --model.max-length {max(8, len(stream) - 1)} or less",
            )
        self.stream = stream
        self.window = window
        self.windows = windows
        self.seed = seed

    def epoch(self, number: int) -> list[Places]:
        """Return where the windows of each batch of an epoch begin; the same in every process."""
        random = np.random.default_rng([self.seed, number])
        first = int(random.integers(min(self.window, len(self.stream) - self.window)))
        places = random.permutation(every_window(len(self.stream), self.window, first))
        full = max(1, len(places) // self.windows)
        return [places[at * self.windows : (at + 1) * self.windows] for at in range(full)]

    def batch(self, places: Places | Sequence[int], epoch: int = 0) -> TextBatch:
        """Return the windows that begin there; an `<unk>` is read and not predicted."""
        starts = np.asarray(places, np.int64)[:, None]
        ids = self.stream.ids[starts + np.arange(self.window + 1)].astype(np.int64)
        after = np.ascontiguousarray(ids[:, 1:])
        if self.stream.unknown:
            after[after == UNKNOWN] = UNASKED
        answers = torch.from_numpy(after)
        return TextBatch(torch.from_numpy(ids[:, :-1].copy()), answers, _count(answers))


def every_window(pieces: int, window: int, first: int = 0) -> Places:
    """Return where windows begin that stand one behind the other, each with a piece after it.

    >>> every_window(10, 3).tolist(), every_window(9, 3, first=1).tolist()
    ([0, 3, 6], [1, 4])
    """
    return np.arange(first, pieces - window, window, dtype=np.int64)


def _count(answers: Any) -> int:
    return int((answers >= 0).sum())
