"""Some of many rows, evenly spread over them: what is measured or shown where all are too many."""

__all__ = ["evenly"]


def evenly(count: int, most: int) -> list[int]:
    """Return the places of at most so many of `count` rows, rising, the first among them.

    >>> evenly(7, 3), evenly(2, 3)
    ([0, 2, 4], [0, 1])
    """
    some = min(count, most)
    return [at * count // some for at in range(some)]
