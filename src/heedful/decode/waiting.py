"""Sources that wait to be translated, the longest first: which go together, and who takes them."""

__all__ = ["LEAST", "Begun", "Waiting", "batches", "places"]

import threading
from collections.abc import Sequence
from dataclasses import dataclass

LEAST = 16
"""Pieces that a source counts at least: a row costs a projection onto the vocabulary, too."""

FREE = 4
"""A quarter of the places must be free before they are given away: sources are read together."""


def places(length: int, rows: int, batch_tokens: int) -> int:
    """Return how many sources of this length, with so many rows each, are decoded together.

    sources * rows * length <= batch_tokens, but never fewer than one; see `LEAST`.
    """
    return max(1, batch_tokens // (rows * max(length, LEAST)))


def batches(lengths: Sequence[int], rows: int, batch_tokens: int) -> list[list[int]]:
    """Return which sources go together: like lengths, the longest first, ties in their order.

    sources * rows * longest <= batch_tokens, but never fewer than one source; a source counts
    at least `LEAST` pieces.

    >>> batches([20, 40, 30, 20], rows=2, batch_tokens=120)
    [[1], [2, 0], [3]]
    """
    order = sorted(range(len(lengths)), key=lambda index: -lengths[index])
    result: list[list[int]] = []
    room = 0
    for index in order:
        if not room:
            result.append([])
            room = places(lengths[index], rows, batch_tokens)
        result[-1].append(index)
        room -= 1
    return result


@dataclass(frozen=True)
class Begun:
    """What a thread has begun with: a place for each source and for those that follow it."""

    rows: list[int]
    """Numbers of the first sources."""
    places: int


class Waiting:
    """Sources that several threads take from; `rows` and `batch_tokens` as in `places`."""

    def __init__(
        self,
        order: Sequence[int],
        lengths: Sequence[int],
        threads: int,
        rows: int,
        batch_tokens: int,
    ) -> None:
        self._left = list(order)
        self._lengths = lengths
        self._threads = threads
        self._rows, self._batch_tokens = rows, batch_tokens
        self._share = -(-len(self._left) // threads)
        self._lock = threading.Lock()

    def begin(self) -> Begun | None:
        """Take the first sources of a thread; None when nothing is left."""
        with self._lock:
            if not self._left:
                return None
            count = self._fitting()
            return Begun(self._take(count), count)

    def more(self, begun: Begun, under_way: int) -> list[int]:
        """Take sources for the places that are free, if they are many.

        None are given to a thread whose sources have become so short that it had better begin anew,
        with twice the places.
        """
        free = begun.places - under_way
        if free * FREE < begun.places:
            return []
        with self._lock:
            if not self._left:
                return []
            return [] if self._fitting() >= 2 * begun.places else self._take(free)

    def give_up(self) -> None:
        """Leave the rest untranslated: another thread has failed."""
        with self._lock:
            self._left.clear()

    def _fitting(self) -> int:
        """Return how many sources a thread may begin with: no more than its share of all."""
        longest = self._lengths[self._left[0]]
        return min(places(longest, self._rows, self._batch_tokens), self._share)

    def _take(self, count: int) -> list[int]:
        """Take from the head, where the longest are; every other one if two threads share few."""
        few = len(self._left) <= self._threads * count
        stride = max(1, len(self._left) // max(count, 1)) if few else 1
        taken = self._left[::stride][:count]
        del self._left[: len(taken) * stride : stride]
        return taken
