"""Spearman's rho against its own definition for ranks without ties, and by hand with them."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from heedful.claims.ranks import spearman


@given(st.permutations(range(7)))
def test_it_is_the_textbook_formula_where_no_values_are_alike(order: list[int]) -> None:
    squares = sum((place - value) ** 2 for place, value in enumerate(order))
    assert spearman(range(7), order) == pytest.approx(1 - 6 * squares / (7 * 48))


def test_equal_values_share_a_rank() -> None:
    # ranks 1, 2.5, 2.5, 4 and 1, 2, 3, 4: covariance 4.5, variances 4.5 and 5
    assert spearman([1, 2, 2, 3], [10, 20, 30, 40]) == pytest.approx(4.5 / (4.5 * 5) ** 0.5)


@pytest.mark.parametrize(("some", "others"), [([1, 2], [1]), ([1], [1]), ([1, 1], [1, 2])])
def test_what_has_no_order_is_refused(some: list[float], others: list[float]) -> None:
    with pytest.raises(ValueError, match=r"order|same"):
        spearman(some, others)
