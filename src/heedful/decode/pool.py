"""Rows that belong to sentences which come and go: keys and values of sources, lists of entries."""

__all__ = ["Pool"]

from typing import Any

import numpy as np

from heedful.decode.products import Workspace
from heedful.shapes import Array


class Pool:
    """One piece of memory for each layer, in it one sentence after another."""

    def __init__(self, space: Workspace, name: str, shape: tuple[int, int], kind: Any) -> None:
        self.space, self.name, self.kind = space, name, kind
        self.layers, self.width = shape
        self.used = 0
        self.rows = self._room(0)
        """[layers rows width]"""
        self.firsts, self.counts = np.zeros(0, np.int64), np.zeros(0, np.int64)
        """Where the rows of each decoded row's sentence begin, and how many they are."""

    def append(self, counts: Array, copies: int) -> int:
        """Return where there is room for so many rows of each of some sentences, till `used`.

        They are decoded `copies` wide. Where none is left, the rows of sentences that are still
        being translated move together.
        """
        count = int(counts.sum())
        if self.used + count > self.rows.shape[1]:
            self._tidy(count)
        starts = self.used + np.cumsum(counts) - counts
        self.firsts = np.append(self.firsts, np.repeat(starts, copies))
        self.counts = np.append(self.counts, np.repeat(counts, copies))
        self.used += count
        return self.used - count

    def select(self, rows: Array) -> None:
        """Let decoded row i be of the sentence of the old row `rows[i]`."""
        self.firsts, self.counts = self.firsts[rows], self.counts[rows]

    def _tidy(self, more: int) -> None:
        owners, chosen, back = np.unique(self.firsts, return_index=True, return_inverse=True)
        sizes = self.counts[chosen]
        kept = [
            self.rows[:, first : first + size] for first, size in zip(owners, sizes, strict=True)
        ]
        together = np.concatenate(kept, axis=1) if kept else self.rows[:, :0]
        self.used = together.shape[1]
        self.rows = self._room(3 * (self.used + more) // 2)
        self.rows[:, : self.used] = together
        self.firsts = (np.cumsum(sizes) - sizes)[back]

    def _room(self, rows: int) -> Array:
        return self.space.take(self.name, (self.layers, rows, self.width), self.kind)
