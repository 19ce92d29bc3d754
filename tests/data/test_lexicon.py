"""IBM Model 1 against the same in plain Python, written from the paper's formulas."""

from collections import defaultdict

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from heedful.data.lexicon import Lexicon, learn

SIZES = (6, 7)
Rows = list[tuple[list[int], list[int]]]

some_rows = st.lists(
    st.tuples(
        st.lists(st.integers(0, SIZES[0] - 1), min_size=1, max_size=5),
        st.lists(st.integers(0, SIZES[1] - 1), max_size=5),
    ),
    max_size=6,
)


def model_one(rows: Rows, iterations: int) -> dict[tuple[int, int], float]:
    """Return p(target | source) after so many steps of expectation maximisation."""
    chances = {(s, t): 1.0 for source, target in rows for s in source for t in target}
    for _ in range(iterations):
        counts: dict[tuple[int, int], float] = defaultdict(float)
        totals: dict[int, float] = defaultdict(float)
        for source, target in rows:
            for t in target:
                together = sum(chances[s, t] for s in source)
                for s in source:
                    counts[s, t] += chances[s, t] / together
                    totals[s] += chances[s, t] / together
        chances = {(s, t): counts[s, t] / totals[s] for s, t in chances}
    return chances


def as_dict(found: Lexicon) -> dict[tuple[int, int], float]:
    return {
        (s, int(t)): float(chance)
        for s in range(len(found.starts) - 1)
        for t, chance in zip(*found.of(s), strict=True)
    }


@given(rows=some_rows, iterations=st.integers(1, 5))
def test_it_is_model_one(rows: Rows, iterations: int) -> None:
    found = learn(rows, SIZES, iterations=iterations)
    assert as_dict(found) == pytest.approx(model_one(rows, iterations), abs=1e-5)
    for piece in range(SIZES[0]):
        targets, chances = found.of(piece)
        assert not len(targets) or float(chances.sum()) == pytest.approx(1, abs=1e-5)
        by_hand = sorted(zip(-chances, targets, strict=True))
        assert [t for _, t in by_hand] == targets.tolist()


@given(rows=some_rows, least=st.floats(0, 1))
def test_the_unlikely_are_left_out(rows: Rows, least: float) -> None:
    everything, found = as_dict(learn(rows, SIZES)), as_dict(learn(rows, SIZES, least=least))
    assert found == {key: chance for key, chance in everything.items() if chance >= least}


@given(rows=some_rows)
def test_what_is_frequent(rows: Rows) -> None:
    found = learn(rows, SIZES, frequent_with=range(SIZES[0]))
    for piece in range(SIZES[0]):
        counts = [0] * SIZES[1]
        for source, target in rows:
            for t in target if piece in source else ():
                counts[t] += 1
        by_hand = sorted((t for t in range(SIZES[1]) if counts[t]), key=lambda t: (-counts[t], t))
        assert found.frequent[piece].tolist() == by_hand


def test_it_finds_the_translations() -> None:
    """The example of the textbooks, with `</s>` (0) in the part of the empty word."""
    the, house, book, a, end = 1, 2, 3, 4, 0
    das, haus, buch, ein = 1, 2, 3, 4
    rows = [
        ([the, house, end], [das, haus]),
        ([the, book, end], [das, buch]),
        ([a, book, end], [ein, buch]),
    ]
    found = learn(rows, (5, 5), iterations=20)
    best = {s: int(found.of(s)[0][0]) for s in (the, house, book, a)}
    assert best == {the: das, house: haus, book: buch, a: ein}


def test_no_rows() -> None:
    found = learn([], SIZES, frequent_with=[2])
    assert as_dict(found) == {}
    assert found.frequent[2].dtype == np.int32
    assert len(found.frequent[2]) == 0
