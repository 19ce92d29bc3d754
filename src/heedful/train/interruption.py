"""Ctrl-C and SIGTERM, kept for the loop to act on when a step is done."""

__all__ = ["interruption"]

import signal
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType
from typing import Any


@contextmanager
def interruption(*, patient: bool) -> Iterator[list[int]]:
    """Collect the first SIGINT or SIGTERM, so that the loop can save; a second one acts at once.

    If `patient` it does not: torchrun may send each process another one after the first.
    """
    caught: list[int] = []
    previous: dict[signal.Signals, Any] = {}

    def note(number: int, frame: FrameType | None) -> None:
        caught.append(number)
        for signum, handler in () if patient else previous.items():
            signal.signal(signum, handler)

    try:
        for signum in (signal.SIGINT, signal.SIGTERM):
            previous[signum] = signal.signal(signum, note)
    except ValueError:  # not the main thread: signals go elsewhere
        pass
    try:
        yield caught
    finally:
        for signum, handler in previous.items():
            signal.signal(signum, handler)
