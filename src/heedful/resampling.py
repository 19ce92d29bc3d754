"""Scores of a whole test set with intervals, and whether two of them differ by more than luck.

The counts of every sentence come in, one row each, with the formula that makes a score of summed
counts; resampling is done on all resamples at once, with sacreBLEU's random numbers. Called by
`heedful.evaluate` and `heedful.exactness`.
"""

__all__ = [
    "RESAMPLES",
    "ROUNDING",
    "SEED",
    "TRIALS",
    "Array",
    "Measure",
    "Paired",
    "Score",
    "measured",
    "paired",
]

from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

SEED = 12345
"""sacreBLEU's own default, so that its command line gives the same intervals."""

RESAMPLES = 1000
TRIALS = 10_000
DRAWS_AT_ONCE = 2**25
"""Random draws held in memory at once: 32 MB of booleans, 256 MB of row numbers."""

ROUNDING = 1e-9
"""Points of difference that may be an error of floating-point arithmetic."""

Array = NDArray[np.float64]


@dataclass(frozen=True)
class Score:
    """One metric's value for a whole test set, from 0 to 100, with its 95 % interval."""

    name: str
    value: float
    low: float | None
    """Lower end of the bootstrap interval; None when no resamples were asked for."""
    high: float | None
    signature: str
    """How it was computed, in sacreBLEU's notation: what a paper must quote."""


@dataclass(frozen=True)
class Paired:
    """Two systems measured by one metric on the same sentences."""

    a: Score
    b: Score
    low: float
    """Lower end of the 95 % bootstrap interval of the difference b - a."""
    high: float
    p_bootstrap: float
    """Paired bootstrap resampling (Koehn 2004): chance of so large a difference by luck."""
    p_randomisation: float
    """Paired approximate randomisation (Riezler and Maxwell 2005), two-sided."""

    @property
    def difference(self) -> float:
        """How many points b is better than a."""
        return self.b.value - self.a.value


class Measure(Protocol):
    """A metric as a formula over whole arrays of summed counts, a score for each row."""

    @property
    def name(self) -> str:
        """What tables call it."""

    @property
    def formula(self) -> Callable[[Array], Array]:
        """From rows of counts to the score of each."""

    def signature(self, **resampling: int) -> str:
        """Return how it is computed, with the resampling that was done."""


def measured(measure: Measure, counts: Array, resamples: int, seed: int) -> Score:
    """Return the score of a test set, with a bootstrap interval where there are resamples."""
    value = float(measure.formula(counts.sum(0)[None])[0])
    if not resamples:
        return Score(measure.name, value, None, None, measure.signature())
    low, high = _interval(measure.formula(_resampled(counts, resamples, seed)))
    return Score(measure.name, value, low, high, measure.signature(bs=resamples, seed=seed))


def paired(measure: Measure, a: Array, b: Array, how: tuple[int, int, int]) -> Paired:
    """Compare two systems by their counts; `how` is resamples, trials, seed."""
    resamples, trials, seed = how
    score_a, score_b = (measured(measure, counts, resamples, seed) for counts in (a, b))
    observed = abs(score_b.value - score_a.value)
    both = _resampled(np.hstack([a, b]), resamples, seed)
    differences = measure.formula(both[:, a.shape[1] :]) - measure.formula(both[:, : a.shape[1]])
    # the bootstrap's differences scatter about the observed one; the null hypothesis is that
    # they scatter about zero, so their mean is taken away
    by_luck = np.abs(differences) - np.abs(differences).mean()
    swapped = _swapped(a - b, trials, seed)
    exchanged = np.abs(measure.formula(b.sum(0) + swapped) - measure.formula(a.sum(0) - swapped))
    return Paired(
        score_a,
        score_b,
        *_interval(differences),
        p_bootstrap=_p_value(by_luck, observed),
        p_randomisation=_p_value(exchanged, observed),
    )


def _interval(samples: Array) -> tuple[float, float]:
    """Return the ends of the middle 95 % of the samples."""
    ordered = np.sort(samples)
    cut = len(ordered) // 40
    return float(ordered[cut]), float(ordered[-1 - cut])


def _p_value(by_luck: Array, observed: float) -> float:
    """Return (c + 1) / (n + 1), with c of n chance differences as large as the observed.

    sacreBLEU counts only larger ones, so that a system compared with itself comes out as
    surely different; with "as large" it comes out at p = 1 (Phipson and Smyth 2010).
    """
    as_large = int((by_luck >= observed - ROUNDING).sum())
    return (as_large + 1) / (len(by_luck) + 1)


def _resampled(counts: Array, resamples: int, seed: int) -> Array:
    """Sum the counts over sentences drawn with replacement: one row a resample."""
    random = np.random.default_rng(seed)
    n = len(counts)
    sums = []
    for size in _portions(resamples, n):
        drawn = random.choice(n, size=(size, n), replace=True)
        drawn += np.arange(size)[:, None] * n
        times = np.bincount(drawn.ravel(), minlength=size * n).reshape(size, n)
        sums.append(times.astype(np.float64) @ counts)
    return np.concatenate(sums)


def _swapped(difference: Array, trials: int, seed: int) -> Array:
    """Sum the differences over a random half of the sentences: one row a trial."""
    random = np.random.default_rng(seed)
    n = len(difference)
    return np.concatenate(
        [
            random.integers(2, size=(size, n), dtype=bool).astype(np.float64) @ difference
            for size in _portions(trials, n)
        ]
    )


def _portions(rows: int, width: int) -> list[int]:
    """Split `rows` so that a portion holds few enough draws.

    >>> _portions(5, DRAWS_AT_ONCE // 2)
    [2, 2, 1]
    """
    size = max(1, DRAWS_AT_ONCE // width)
    return [min(size, rows - start) for start in range(0, rows, size)]
