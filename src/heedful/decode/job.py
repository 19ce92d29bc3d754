"""What one call of the engine is about: the sources, what is asked of them, how is searched."""

__all__ = ["Job", "portions", "watching"]

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from heedful.search import Asked, Limits, SearchConfig, Watch


@dataclass(frozen=True)
class Job:
    """All that one call of `decode` is about."""

    asked: Sequence[Asked]
    search: SearchConfig
    limits: Limits
    watch: Watch | None

    @property
    def width(self) -> int:
        """W: rows of a sentence."""
        return self.search.build().rows_per_sentence

    def columns(self, row: int) -> int:
        """Return how many positions a translation of this source will hardly need more than."""
        asked = self.asked[row]
        [room] = self.search.rooms([asked], self.limits.max_length)
        return min(room, len(asked.source) + len(asked.source) // 4 + 8)

    def wanted(self, rows: list[int]) -> list[int]:
        """Return those of the sources that somebody waits for."""
        return [row for row in rows if not self.asked[row].client.gone]

    def portions(self, rows: list[int], most: float) -> Iterator[list[int]]:
        """Yield those that somebody still waits for by then, so many pieces at a time."""
        for some in portions([self.asked[row] for row in rows], most):
            yield self.wanted(rows[some])

    def watching(self, rows: Sequence[int]) -> Watch | None:
        """Return whom a run must tell that knows the sources by their places in `rows`."""
        return watching(self.watch, rows)


def watching(watch: Watch | None, rows: Sequence[int]) -> Watch | None:
    """Return whom a run must tell that knows the rows by their places among these."""
    return None if watch is None else lambda place, pieces: watch(rows[place], pieces)


def portions(asked: Sequence[Asked], most: float) -> Iterator[slice]:
    """Yield which of them go together, in order, so many pieces of sources at a time."""
    begin = pieces = 0
    for end, one in enumerate(asked):
        size = len(one.source)
        if pieces and pieces + size > most:
            yield slice(begin, end)
            begin, pieces = end, 0
        pieces += size
    yield slice(begin, len(asked))
