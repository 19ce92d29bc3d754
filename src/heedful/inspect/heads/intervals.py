"""Means with 95 % bootstrap intervals, of values that come in groups.

Values and groups come in, estimates go out. Whole groups are drawn: the sentences of one pair of
nouns are no independent witnesses.
"""

__all__ = ["Estimate", "RESAMPLES", "estimate", "estimates"]

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from heedful.shapes import Array, Shaped

RESAMPLES = 1000
_SEED = 12345


class Estimate(NamedTuple):
    """A mean, and where 95 % of the means of resamples lie."""

    value: float
    low: float
    high: float


def estimates(values: Shaped[Array, "rows columns"], groups: Sequence[int]) -> list[Estimate]:
    """Return the mean of each column, by percentiles of 1,000 resamples of the groups.

    The draws are the same for all columns and at every call. Of no rows nothing is known: NaN.

    >>> estimates(np.array([[1.0], [0.0], [1.0], [0.0]]), [0, 0, 1, 1])
    [Estimate(value=0.5, low=0.5, high=0.5)]
    """
    if not len(values):
        return [Estimate(np.nan, np.nan, np.nan)] * values.shape[1]
    _, place = np.unique(np.asarray(groups), return_inverse=True)
    count = int(place.max()) + 1
    sums = np.zeros((count, values.shape[1]))
    np.add.at(sums, place, values.astype(float))
    sizes = np.bincount(place, minlength=count).astype(float)
    drawn = np.random.default_rng(_SEED).multinomial(count, [1 / count] * count, RESAMPLES)
    means = drawn @ sums / (drawn @ sizes)[:, None]
    low, high = np.percentile(means, (2.5, 97.5), axis=0)
    whole = sums.sum(0) / sizes.sum()
    return [
        Estimate(float(value), float(least), float(most))
        for value, least, most in zip(whole, low, high, strict=True)
    ]


def estimate(values: Shaped[Array, " rows"], groups: Sequence[int]) -> Estimate:
    """Return the mean of one column."""
    [found] = estimates(np.asarray(values, dtype=float)[:, None], groups)
    return found
