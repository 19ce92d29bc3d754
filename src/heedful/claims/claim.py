"""What a claim is: an experiment in cases, and what their figures say.

A claim's `cases` come out, each is handed to `run` with a place to work in, and the figures of all
go into `report`. The runner, the result files and the page know claims by this alone.
"""

__all__ = [
    "Case",
    "Claim",
    "Figures",
    "Line",
    "Measured",
    "Place",
    "Plot",
    "Point",
    "Report",
    "Size",
    "Table",
]

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal, NamedTuple

import torch

from heedful.progress import Progress

Size = Literal["quick", "full"]
"""A look in minutes, of which nothing is published, or the measurement itself."""

Case = dict[str, Any]
"""What is measured at one go, of what JSON can hold: a training with one seed, a point in time.

`seed`, if there, is given to torch before the case is run. `device`, cpu or cuda, is where alone it
can be run; a case without one is run anywhere, and its figures do not tell of speed."""

Figures = dict[str, Any]
"""What was measured, of what JSON can hold."""


class Measured(NamedTuple):
    """A case and its figures."""

    case: Case
    figures: Figures


@dataclass(frozen=True)
class Place:
    """Where and for whom a case is run."""

    device: torch.device
    progress: Progress
    folder: Path
    """An empty folder for files of this case alone; it is removed afterwards."""
    data: Path | None = None
    """The folder with the corpora, if there is one."""


class Table(NamedTuple):
    """Figures for reading; cells are text, made for this table."""

    title: str
    columns: Sequence[str]
    rows: Sequence[Sequence[str]]


class Point(NamedTuple):
    """A point of a line, and how far up and down its interval goes, if it has one."""

    x: float
    y: float
    low: float | None = None
    high: float | None = None


class Line(NamedTuple):
    """The points of one of the things compared."""

    label: str
    points: Sequence[Point]


class Plot(NamedTuple):
    """Lines to be drawn; the file is named after the claim and this name."""

    name: str
    title: str
    x: str
    y: str
    lines: Sequence[Line]
    log_x: bool = False
    log_y: bool = False
    joined: bool = True
    """Points follow one another; else they stand apart."""


class Report(NamedTuple):
    """What the figures of a claim say."""

    sentences: Sequence[str]
    """In words, with figures computed from those measured."""
    tables: Sequence[Table]
    plots: Sequence[Plot] = ()


def _nothing_missing(data: Path | None, size: Size) -> str | None:
    return None


@dataclass(frozen=True)
class Claim:
    """An experiment on something that the paper, or everyone, says."""

    name: str
    """What the command line and its files call it."""
    title: str
    said: str
    """What is said, in our own words, and by whom."""
    how: str
    """What is measured, and how: a few sentences."""
    cases: Callable[[Size], list[Case]]
    """All cases of a size, in the order they are run in."""
    run: Callable[[Case, Place], Figures]
    report: Callable[[Sequence[Measured]], Report]
    """Of one case or more, not always of all: an interrupted measurement is shown, too."""
    missing: Callable[[Path | None, Size], str | None] = field(default=_nothing_missing)
    """Given the folder with the corpora and a size: what else it needs to run here, or None."""
