"""A power law through measured losses, and how well it foretells.

Sizes and losses come in; `L = a N^-b` (Kaplan et al. 2020, arXiv 2001.08361, equation 1.1), or the
same with what no size can take away, `L = a N^-b + c` (Hoffmann et al. 2022, arXiv 2203.15556,
equation 10), goes out.
"""

__all__ = ["PowerLaw", "fit", "foretold"]

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

Numbers = NDArray[np.float64]

_FLOORS = 401
"""Values of c that are tried, from 0 to just under the lowest loss."""


class PowerLaw(NamedTuple):
    """`L(x) = a x^-b + c`."""

    a: float
    b: float
    c: float
    error: float
    """Root of the mean squared error of ln(L - c) in ln L's own units: 0.01 is one percent."""

    def __call__(self, x: float) -> float:
        """Return the loss of a size."""
        return float(self.a * x**-self.b + self.c)


def fit(sizes: Sequence[float], losses: Sequence[float], *, floor: bool = False) -> PowerLaw:
    """Return the power law with the least squared error of ln L.

    With `floor`, c is the best of a grid from 0 to the lowest loss; else it is 0. Raises ValueError
    for fewer than two sizes, with a floor three: the law would go through any losses.

    >>> law = fit([1, 4, 16], [2, 1, 0.5])
    >>> round(law.a, 6), round(law.b, 6)
    (2.0, 0.5)
    """
    x, y = np.asarray(sizes, float), np.asarray(losses, float)
    known, least = len(set(x.tolist())), 3 if floor else 2
    if known < least:
        raise ValueError(f"{known} sizes are too few for a power law, {least} are needed")
    if not floor:
        return _through(x, y, 0.0)
    floors = np.linspace(0.0, float(y.min()), _FLOORS)[:-1]
    return min((_through(x, y, float(c)) for c in floors), key=lambda law: law.error)


def _through(x: Numbers, y: Numbers, c: float) -> PowerLaw:
    """Return the least squares line through ln x and ln (y - c), and its error in ln y."""
    slope, height = np.polyfit(np.log(x), np.log(y - c), 1)
    law = PowerLaw(float(np.exp(height)), float(-slope), c, 0.0)
    found = law.a * x**-law.b + c
    return law._replace(error=float(np.sqrt(np.mean((np.log(found) - np.log(y)) ** 2))))


def foretold(sizes: Sequence[float], losses: Sequence[float]) -> tuple[float, float]:
    """Return what the law of all sizes but the largest says of it, and what was measured there.

    The second is the mean of what was measured at the largest size.
    """
    largest = max(sizes)
    pairs = list(zip(sizes, losses, strict=True))
    rest = [pair for pair in pairs if pair[0] != largest]
    law = fit([size for size, _ in rest], [loss for _, loss in rest])
    return law(largest), float(np.mean([loss for size, loss in pairs if size == largest]))
