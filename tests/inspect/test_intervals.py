"""Bootstrap intervals hold the truth about as often as they say, and know of groups."""

import math

import numpy as np
import pytest

from heedful.inspect.heads.intervals import estimate, estimates


def test_they_hold_the_truth() -> None:
    random = np.random.default_rng(1)
    inside = 0
    for _ in range(200):
        values = random.random(80) < 0.3
        found = estimate(values, range(80))
        inside += found.low <= 0.3 <= found.high
        assert found.value == values.mean()
    assert 0.88 <= inside / 200 <= 0.99


def test_they_hold_the_truth_of_groups() -> None:
    """Rows of a group are alike: intervals of rows alone would be far too narrow."""
    random = np.random.default_rng(2)
    inside = narrow = 0
    for _ in range(200):
        values = np.repeat(random.normal(size=40), 4)
        found = estimate(values, np.repeat(np.arange(40), 4).tolist())
        alone = estimate(values, range(160))
        inside += found.low <= 0 <= found.high
        narrow += alone.low <= 0 <= alone.high
    assert 0.88 <= inside / 200 <= 0.99
    assert narrow / 200 < 0.8


def test_columns_are_taken_one_by_one() -> None:
    random = np.random.default_rng(3)
    values, groups = random.random((30, 3)), [n // 3 for n in range(30)]
    together = estimates(values, groups)
    for got, column in zip(together, values.T, strict=True):
        assert got == pytest.approx(estimate(column, groups))


def test_what_is_not_known() -> None:
    assert all(math.isnan(part) for part in estimate(np.array([]), []))
    assert estimate(np.array([2.0, 2.0]), [0, 1]) == (2.0, 2.0, 2.0)
