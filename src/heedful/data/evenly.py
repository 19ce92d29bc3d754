"""Some of many rows, spread over them: what is measured, shown or learnt where all are too many."""

__all__ = ["evenly", "scattered"]

from random import Random


def evenly(count: int, most: int) -> list[int]:
    """Return the places of at most so many of `count` rows, rising, the first among them.

    >>> evenly(7, 3), evenly(2, 3)
    ([0, 2, 4], [0, 1])
    """
    some = min(count, most)
    return [at * count // some for at in range(some)]


def scattered(count: int, most: int) -> list[int]:
    """Return the places of at most so many of `count` rows, rising: of each stretch one, by lot.

    Of rows that take turns, such as those of two directions, equal steps would find one kind alone.

    >>> scattered(2, 3), [place // 10 for place in scattered(50, 5)]
    ([0, 1], [0, 1, 2, 3, 4])
    """
    some, lots = min(count, most), Random(count)
    return [lots.randrange(at * count // some, (at + 1) * count // some) for at in range(some)]
