"""Intervals are Student's, exponents those of least squares: scipy's numbers, and known ones."""

import math
import statistics

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from heedful.claims.statistics import exponent, mean, student_t

TABLE = {1: 12.706, 2: 4.303, 3: 3.182, 4: 2.776, 5: 2.571, 10: 2.228, 29: 2.045, 120: 1.980}
"""Two-sided 95 %, from any textbook."""


@pytest.mark.parametrize("freedom", TABLE)
def test_student_t_is_that_of_the_tables(freedom: int) -> None:
    assert student_t(freedom) == pytest.approx(TABLE[freedom], abs=6e-4)


def test_an_interval_of_seeds_worked_by_hand() -> None:
    found = mean([10.0, 12.0, 17.0])
    half = 4.302653 * statistics.stdev([10, 12, 17]) / math.sqrt(3)
    assert found == pytest.approx((13.0, 13.0 - half, 13.0 + half), abs=1e-5)


def test_a_single_seed_tells_no_interval() -> None:
    assert mean([0.5]) == (0.5, -math.inf, math.inf)
    assert mean([0.5]).said(".2f") == "0.50 (1 seed)"


@given(st.floats(-3, 3), st.floats(0.01, 100), st.integers(2, 6))
def test_the_exponent_of_a_power_is_found(power: float, factor: float, points: int) -> None:
    sizes = [2.0**n for n in range(points)]
    found = exponent(sizes, [factor * size**power for size in sizes])
    assert found.value == pytest.approx(power, abs=1e-9)
    assert math.isinf(found.high) if points == 2 else found.high - found.low < 1e-6


def test_the_interval_of_an_exponent_is_that_of_a_regression() -> None:
    stats = pytest.importorskip("scipy.stats")
    random = np.random.default_rng(1)
    sizes = [64, 128, 256, 512, 1024]
    amounts = [size**1.5 * float(random.lognormal(0, 0.2)) for size in sizes]
    line = stats.linregress(np.log(sizes), np.log(amounts))
    half = stats.t.ppf(0.975, 3) * line.stderr
    expected = (line.slope, line.slope - half, line.slope + half)
    assert exponent(sizes, amounts) == pytest.approx(expected)
