"""The next batch is made ready while the step before it is computed."""

__all__ = ["ahead"]

from collections.abc import Generator, Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import TypeVar

Item = TypeVar("Item")


def ahead(items: Iterator[Item]) -> Generator[Item, None, None]:
    """Yield the same items; each is made in a second thread while the one before it is used.

    What the making raises is raised here, in its turn.

    >>> list(ahead(iter("abc")))
    ['a', 'b', 'c']
    """
    with ThreadPoolExecutor(1, "ahead") as pool:
        coming = pool.submit(_next, items)
        while found := coming.result():
            coming = pool.submit(_next, items)
            yield found[0]


def _next(items: Iterator[Item]) -> tuple[Item] | None:
    """Return the next item in a tuple, None at the end: a StopIteration cannot pass a future."""
    for item in items:
        return (item,)
    return None
