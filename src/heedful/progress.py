"""Progress of long work on standard error: a bar on a terminal, plain lines in a pipe.

Every long loop of the package reports through this one class; results never pass here.
"""

__all__ = ["Progress", "line_end"]

import shutil
import sys
import time
from collections.abc import Callable, Iterable, Iterator
from typing import TextIO, TypeVar

Item = TypeVar("Item")


class Progress:
    """Counts work done and shows it; `quiet` shows nothing but warnings.

    In a pipe a line is written at most every `interval` seconds, so that a log stays short.
    """

    def __init__(
        self,
        *,
        quiet: bool = False,
        stream: TextIO | None = None,
        interval: float = 10.0,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self.quiet = quiet
        self.stream = stream if stream is not None else sys.stderr
        self.interval = interval
        self.clock = clock
        self.live = not quiet and self.stream.isatty()

    def say(self, line: str) -> None:
        """Write one line, unless quiet."""
        if not self.quiet:
            print(line, file=self.stream, flush=True)

    def warn(self, line: str) -> None:
        """Write one line, even when quiet: something is not as it was left."""
        print(line, file=self.stream, flush=True)

    def track(self, items: Iterable[Item], what: str, total: int | None = None) -> Iterator[Item]:
        """Yield the items while showing how many of `total` have passed."""
        if self.quiet:
            yield from items
        elif self.live:
            yield from self._bar(items, what, total)
        else:
            yield from self._lines(items, what, total)

    def _bar(self, items: Iterable[Item], what: str, total: int | None) -> Iterator[Item]:
        from rich import progress
        from rich.console import Console

        columns = (
            progress.TextColumn("{task.description}", markup=False),  # names may have brackets
            progress.BarColumn(),
            progress.TaskProgressColumn(show_speed=True),
            progress.TimeRemainingColumn(),
        )
        with progress.Progress(*columns, console=Console(file=self.stream), transient=True) as bar:
            yield from bar.track(items, total, description=what)

    def _lines(self, items: Iterable[Item], what: str, total: int | None) -> Iterator[Item]:
        last = self.clock()
        of_total = f" of {total:,}" if total else ""
        for done, item in enumerate(items, start=1):
            yield item
            if self.clock() - last >= self.interval:
                last = self.clock()
                self.say(f"{what}: {done:,}{of_total}")


def line_end(text: str) -> str:
    """Return as much of the end of a text as a line of the terminal holds."""
    from rich.cells import cell_len

    width = max(shutil.get_terminal_size().columns - 1, 1)
    tail = text[-width:]
    while cell_len(tail) > width:
        tail = tail[1:]
    return tail
