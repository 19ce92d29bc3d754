"""Do two lists of numbers put the same things in the same order? Spearman's rank correlation."""

__all__ = ["ranks", "spearman"]

from collections.abc import Sequence

import numpy as np


def ranks(values: Sequence[float]) -> list[float]:
    """Return the rank of each value, from 1; equal values share the mean of their ranks.

    >>> ranks([10, 30, 20, 30])
    [1.0, 3.5, 2.0, 3.5]
    """
    ordered = sorted(values)
    first = {value: place for place, value in reversed(list(enumerate(ordered, start=1)))}
    times = {value: ordered.count(value) for value in first}
    return [first[value] + (times[value] - 1) / 2 for value in values]


def spearman(some: Sequence[float], others: Sequence[float]) -> float:
    """Return Spearman's rho: the correlation of the ranks, 1 the same order, -1 the reverse.

    Raises ValueError for lists of other lengths, fewer than two values, or values all alike.

    >>> spearman([1, 2, 3], [10, 30, 20])
    0.5
    """
    if len(some) != len(others) or len(some) < 2:
        raise ValueError("ranks are compared of two lists of the same two or more things")
    if len(set(some)) == 1 or len(set(others)) == 1:
        raise ValueError("values that are all alike have no order")
    return float(round(np.corrcoef(ranks(some), ranks(others))[0, 1], 12))
