"""Means with intervals, and the exponents of growth.

Values come in, estimates go out: 95 % intervals after Student's t, for the few seeds there are.
"""

__all__ = ["Estimate", "exponent", "mean", "student_t"]

import math
from collections.abc import Sequence
from statistics import fmean, stdev
from typing import NamedTuple


class Estimate(NamedTuple):
    """A value, and its 95 % interval: from -inf to inf where too few values tell nothing."""

    value: float
    low: float
    high: float

    @property
    def alone(self) -> bool:
        """Whether too few values were there to tell an interval."""
        return math.isinf(self.high)

    @property
    def edges(self) -> tuple[float, float] | tuple[None, None]:
        """Low and high, as a plot's point has them: none where there is no interval."""
        return (None, None) if self.alone else (self.low, self.high)

    def said(self, form: str = ".1f", alone: str = "1 seed") -> str:
        """Return it as text; `alone` is what there was where there is no interval.

        >>> Estimate(0.5, 0.25, 0.75).said("+.2f"), Estimate(1.0, -math.inf, math.inf).said()
        ('+0.50 (+0.25 to +0.75)', '1.0 (1 seed)')
        """
        sign, rest = ("+", form[1:]) if form.startswith("+") else ("", form)
        value, low, high = (f"{one:{sign}z{rest}}" for one in self)
        return f"{value} ({alone})" if self.alone else f"{value} ({low} to {high})"

    def within(self, least: float, most: float) -> "Estimate":
        """Return it with an interval that ends where values do, such as percentages at 0 and 100.

        >>> Estimate(22.0, -28.0, 72.0).within(0, 100).said()
        '22.0 (0.0 to 72.0)'
        """
        if self.alone:
            return self
        return self._replace(low=max(self.low, least), high=min(self.high, most))


def mean(values: Sequence[float]) -> Estimate:
    """Return the mean of independent values, as of seeds, with its t-interval.

    >>> mean([1.0, 2.0, 3.0]).said(".3f")
    '2.000 (-0.484 to 4.484)'
    """
    value = fmean(values)
    if len(values) < 2:
        return Estimate(value, -math.inf, math.inf)
    half = student_t(len(values) - 1) * stdev(values) / math.sqrt(len(values))
    return Estimate(value, value - half, value + half)


def exponent(sizes: Sequence[float], amounts: Sequence[float]) -> Estimate:
    """Return b of `amount = a size^b`, by least squares on logarithms, with its t-interval.

    Two points give an exponent and no interval.
    """
    x, y = [math.log(size) for size in sizes], [math.log(amount) for amount in amounts]
    middle_x, middle_y = fmean(x), fmean(y)
    spread = sum((one - middle_x) ** 2 for one in x)
    pairs = list(zip(x, y, strict=True))
    slope = sum((a - middle_x) * (b - middle_y) for a, b in pairs) / spread
    free = len(x) - 2
    if free < 1:
        return Estimate(slope, -math.inf, math.inf)
    left = sum((b - middle_y - slope * (a - middle_x)) ** 2 for a, b in pairs)
    half = student_t(free) * math.sqrt(left / free / spread)
    return Estimate(slope, slope - half, slope + half)


def student_t(freedom: int) -> float:
    """Return t with 95 % of Student's distribution between -t and t, by bisection.

    >>> round(student_t(2), 4), round(student_t(30), 4)
    (4.3027, 2.0423)
    """
    low, high = 0.0, 20.0
    for _ in range(60):
        middle = (low + high) / 2
        low, high = (middle, high) if _inside(middle, freedom) < 0.95 else (low, middle)
    return high


def _inside(t: float, freedom: int) -> float:
    """Return the share between -t and t (Abramowitz and Stegun 1964, 26.7.3 and 26.7.4)."""
    angle = math.atan(t / math.sqrt(freedom))
    odd = freedom % 2
    term, total = (math.cos(angle), 0.0) if odd else (1.0, 0.0)
    for power in range(1 + odd, freedom, 2):
        total += term
        term *= math.cos(angle) ** 2 * power / (power + 1)
    if odd:
        return 2 / math.pi * (angle + math.sin(angle) * total)
    return math.sin(angle) * total
