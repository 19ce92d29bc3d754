"""Edits against the table of dynamic programming, and what makes an answer right."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from heedful.exactness import compare_exact, edits, score_exact
from heedful.resampling import TRIALS


def by_table(a: str, b: str) -> int:
    """Levenshtein's distance cell by cell (Wagner and Fischer 1974)."""
    above = list(range(len(b) + 1))
    for number, one in enumerate(a, start=1):
        row = [number]
        for place, other in enumerate(b):
            row.append(min(above[place] + (one != other), above[place + 1] + 1, row[-1] + 1))
        above = row
    return above[-1]


@given(st.text("abc", max_size=80), st.text("abcd", max_size=80))
def test_edits_are_those_of_the_table(a: str, b: str) -> None:
    assert edits(a, b) == edits(list(a), list(b)) == by_table(a, b)


def test_the_nearest_of_several_right_answers_counts() -> None:
    """Worked by hand: read is right, cat has one wrong phone of 3, a is said to be nothing."""
    sources = ["read", "read", "cat", "a"]
    outputs = [" R EH D", "R EH D", "K AH T", ""]
    references = ["R IY D", "R EH D ", "K AE T", "AH"]
    found = score_exact(sources, outputs, references, resamples=10)
    assert (found.questions, found.answers) == (3, 4)
    assert found.exact.value == pytest.approx(100 / 3)
    assert found.token_errors.value == pytest.approx(100 * 2 / 7)
    assert found.character_errors.value == pytest.approx(100 * 3 / 14)
    assert "metric:exact" in found.exact.signature


def test_rates_pass_a_hundred_and_spaces_matter() -> None:
    found = score_exact(["x"], ["1 2 3 4"], ["5"], resamples=10)
    assert (found.exact.value, found.token_errors.value, found.character_errors.value) == (
        *(0, 400),
        700,
    )
    spaced = score_exact(["x"], ["12.5km"], ["12.5 km"], resamples=10)
    assert spaced.exact.value == 0
    assert spaced.character_errors.value == pytest.approx(100 / 7)


def test_fewer_errors_are_better() -> None:
    """B mends 3 of 5 wrong answers: a swap changes a row's sign, so p is that of 2 in 2 ** 3."""
    sources = [str(number) for number in range(40)]
    wrong = ["x" if number < 5 else one for number, one in enumerate(sources)]
    better = ["x" if number < 2 else one for number, one in enumerate(sources)]
    exact, tokens, _ = compare_exact(sources, sources, wrong, better)
    assert exact.difference == pytest.approx(7.5)
    assert tokens.difference == pytest.approx(-7.5)
    assert exact.p_randomisation == pytest.approx(0.25, abs=5 * (0.25 * 0.75 / TRIALS) ** 0.5)
