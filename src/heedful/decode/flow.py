"""A run that lets sources in while others are translated, in one thread, and gives each as it ends.

A batch is as slow as its longest source, and whoever comes meanwhile waits for all of it. Here the
places that become free are given to whatever has come by then. A server asks for it, through
`Engine.flow`; what is asked for at once goes together as `Engine.decode` does it.
"""

__all__ = ["COLUMNS", "Flow", "Inflow", "places"]

from collections.abc import Callable, Sequence
from typing import Protocol

from heedful.decode.job import portions
from heedful.decode.passing import AT_ONCE
from heedful.search import Asked, Hypothesis

ROWS = 32
"""Rows that are translated at once. Up to eight a step costs the same, and a few sources are read
for less than each alone; more would not be faster, and each of them later."""

COLUMNS = 64
"""Positions that there is room for at the beginning."""


class Inflow(Protocol):
    """Where sources come from, and where their hypotheses go; asked between two steps."""

    def more(self, free: int) -> Sequence[Asked]:
        """Return no more than so many sources; when none is left and none comes, the run ends."""
        ...

    def ended(self, number: int, found: list[Hypothesis]) -> None:
        """Take the hypotheses of a source, numbered as they came; fewer where its client left."""
        ...


def places(width: int) -> int:
    """Return how many sources, of so many rows each, are translated at once."""
    return max(1, ROWS // width)


class Flow:
    """Lets sources in; `read` is given each few of them before they are among those under way."""

    def __init__(
        self, inflow: Inflow, places: int, read: Callable[[Sequence[Asked]], None]
    ) -> None:
        self._inflow, self._places, self._read = inflow, places, read

    def more(self, under_way: int) -> list[Asked]:
        """Return what comes in, once it has been read."""
        free = self._places - under_way
        asked = list(self._inflow.more(free)) if free else []
        for some in portions(asked, AT_ONCE) if asked else ():
            self._read(asked[some])
        return asked
