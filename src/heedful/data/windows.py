"""Texts in portions that are sorted and decoded together: few at first, then more.

Texts come in one by one, lists of them go out. The translator takes its work from here.
"""

__all__ = ["FIRST", "LARGEST", "LONGEST_WAIT", "windows"]

import time
from collections.abc import Callable, Iterable, Iterator
from itertools import islice
from typing import TypeVar

FIRST, LARGEST = 64, 4096
"""Texts of the first portion, few so that results come early, and of the later ones, at most."""

LONGEST_WAIT = 1.0
"""Seconds that a text waits for those that come slowly after it."""


Text = TypeVar("Text")


def windows(
    texts: Iterable[Text], size: int | None = None, ready: Callable[[], bool] | None = None
) -> Iterator[list[Text]]:
    """Yield the texts in portions of `size`; None: the first are small, each next twice as large.

    A portion is smaller where `ready`, asked after each text, tells that no other is there.

    >>> [len(portion) for portion in windows(["a"] * 1000)]
    [64, 128, 256, 512, 40]
    """
    source = iter(texts)
    most = size or FIRST
    while portion := list(_ready(islice(source, most), ready) if ready else islice(source, most)):
        yield portion
        if len(portion) == most:
            most = size or min(2 * most, LARGEST)


def _ready(texts: Iterable[Text], ready: Callable[[], bool]) -> Iterator[Text]:
    """Yield the first text, and more while they come without a pause and soon."""
    until = float("inf")
    for number, text in enumerate(texts):
        yield text
        if number == 0:
            until = time.monotonic() + LONGEST_WAIT
        if time.monotonic() > until or not ready():
            return
