"""What the demo prints: headings, lines and tables; colours on a terminal, plain text in a pipe.

Everything goes to standard output; the training's own progress goes to standard error as always.
"""

__all__ = ["Screen"]

import sys
from collections.abc import Sequence
from typing import TextIO

from rich import box
from rich.console import Console
from rich.table import Table
from rich.text import Text

PIPE_WIDTH = 100
"""Columns of a table in a pipe, where nobody says how wide the paper is."""


class Screen:
    """Prints the demo's text on one stream."""

    def __init__(self, stream: TextIO | None = None) -> None:
        stream = sys.stdout if stream is None else stream
        width = None if stream.isatty() else PIPE_WIDTH
        self.console = Console(file=stream, width=width, highlight=False)

    def heading(self, text: str) -> None:
        """Begin a new part."""
        self.console.print()
        self.console.print(Text(text, style="bold cyan"))
        self.console.file.flush()

    def say(self, text: str = "", style: str = "") -> None:
        """Print one line as it is, without wrapping."""
        self.console.print(Text(text, style=style), soft_wrap=True)
        self.console.file.flush()

    def table(
        self, head: Sequence[str], rows: Sequence[Sequence[str | Text]], right: int = 0
    ) -> None:
        """Print rows below a head; the last `right` columns stand to the right."""
        terminal = self.console.is_terminal
        table = Table(
            box=box.SIMPLE_HEAD if terminal else None, pad_edge=True, show_edge=False, expand=False
        )
        for column, name in enumerate(head):
            side = "right" if column >= len(head) - right else "left"
            table.add_column(name, justify=side)  # type: ignore[arg-type]
        for row in rows:
            table.add_row(*(cell if isinstance(cell, Text) else Text(cell) for cell in row))
        if terminal:
            self.console.print(table)
            return
        with self.console.capture() as printed:
            self.console.print(table)
        for line in printed.get().rstrip("\n").split("\n"):
            self.say(line.rstrip())
