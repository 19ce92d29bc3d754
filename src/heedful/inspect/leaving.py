"""Whoever waits for an inspection may leave: it is given up before the model runs once more.

A `heedful.search.Client` stands for them while a block runs; every pass of the model asks here.
"""

__all__ = ["LeftError", "still_wanted", "waited_for", "waiting"]

from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar

from heedful.search import Client
from heedful.search.leaving import ANYONE

_CLIENT: ContextVar[Client] = ContextVar("client", default=ANYONE)


class LeftError(Exception):
    """Whoever waited has left, and what was begun has been given up."""


@contextmanager
def waited_for(client: Client) -> Iterator[None]:
    """Compute for a client while the block runs: LeftError is raised once it has left."""
    before = _CLIENT.set(client)
    try:
        yield
    finally:
        _CLIENT.reset(before)


def waiting() -> Client:
    """Return who waits; searches take it along, and give up between two steps."""
    return _CLIENT.get()


def still_wanted() -> None:
    """Raise LeftError if nobody waits any more."""
    if waiting().gone:
        raise LeftError
