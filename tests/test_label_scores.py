"""Scores of labels and numbers: as scikit-learn and brute force have them."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from heedful.label_scores import label_scores, number_scores


@pytest.mark.filterwarnings("ignore:A single label")
@settings(max_examples=40)
@given(st.integers(2, 4), st.lists(st.tuples(st.integers(0, 3), st.integers(0, 3)), min_size=2))
def test_they_are_those_of_scikit_learn(labels: int, pairs: list[tuple[int, int]]) -> None:
    metrics = pytest.importorskip("sklearn.metrics", reason="needs scikit-learn")
    said, right = (np.array(side) % labels for side in zip(*pairs, strict=True))
    found = dict(label_scores(said, right, labels))
    assert found["accuracy"] == pytest.approx(metrics.accuracy_score(right, said))
    assert found["Matthews"] == pytest.approx(metrics.matthews_corrcoef(right, said))
    how = {"average": "binary"} if labels == 2 else {"average": "macro"}
    expected = metrics.f1_score(right, said, labels=range(labels), zero_division=0, **how)
    if labels == 2:
        expected = metrics.f1_score(right, said, zero_division=0)
    assert found["F1"] == pytest.approx(expected)


def test_by_hand() -> None:
    said, right = np.array([1, 1, 1, 0, 0]), np.array([1, 1, 0, 0, 1])
    found = dict(label_scores(said, right, 2))  # 2 hits, 1 false, 1 missed, 1 rightly not
    assert found["accuracy"] == pytest.approx(0.6)
    assert found["F1"] == pytest.approx(2 / 3)
    assert found["Matthews"] == pytest.approx((2 * 1 - 1 * 1) / (3 * 3 * 2 * 2) ** 0.5)
    assert dict(label_scores(np.ones(4, int), right[:4], 2))["Matthews"] == 0.0


def test_of_numbers() -> None:
    said, right = np.array([1.0, 2.0, 3.5]), np.array([2.0, 3.0, 5.0])
    found = dict(number_scores(said, right))
    assert found["Pearson"] == pytest.approx(np.corrcoef(said, right)[0, 1])
    assert found["squared error"] == pytest.approx((1 + 1 + 2.25) / 3)
    assert dict(number_scores(np.ones(3), right))["Pearson"] == 0.0
