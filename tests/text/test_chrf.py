"""Every score is sacreBLEU's, of whatever texts; the expected utility is a plain mean of them."""

import numpy as np
import pytest
import sacrebleu
from hypothesis import given, settings
from hypothesis import strategies as st

from heedful.text import chrf
from heedful.text.chrf import chrf_matrix, expected_utility

METRIC = sacrebleu.CHRF()
likely = st.text(
    st.sampled_from([*"aabc", " ", "\u00a0", "猫", "狗", "😀", "e", "\u0301", "\n"]), max_size=16
)
texts = st.lists(likely | st.text(max_size=12), max_size=5)


def by_sacrebleu(candidates: list[str], references: list[str]) -> np.ndarray:
    rows = [
        [METRIC.sentence_score(one, [other]).score for other in references] for one in candidates
    ]
    return np.array(rows).reshape(len(candidates), len(references))


@settings(max_examples=300)
@given(candidates=texts, references=texts)
def test_every_score_is_that_of_sacrebleu(candidates: list[str], references: list[str]) -> None:
    found = chrf_matrix(candidates, references)
    np.testing.assert_allclose(found, by_sacrebleu(candidates, references), rtol=0, atol=1e-9)


@pytest.mark.parametrize(
    "candidates",
    [
        ["", " ", "a", "aaaaaaaa", "aaaa", "a" * 300],
        ["我爱你。", "我爱她", "爱", "我 爱 你"],
        ["😀👍🏽", "👍🏽", "👩‍👩‍👧", "e\u0301", "é"],
        ["Ein Mann schläft.", "Ein Mann schläft .", "Eine Frau schläft.", "ein mann SCHLÄFT"],
        ["\ud800 half", "half"],
    ],
)
def test_texts_that_are_likely_to_go_wrong(candidates: list[str]) -> None:
    found = chrf_matrix(candidates, candidates)
    np.testing.assert_allclose(found, by_sacrebleu(candidates, candidates), rtol=0, atol=1e-9)


def test_more_n_grams_than_are_multiplied_at_a_time(monkeypatch: pytest.MonkeyPatch) -> None:
    candidates = ["the cat sat on the mat", "the cat sat on a mat", "that cat", "on the mat it sat"]
    monkeypatch.setattr(chrf, "_AT_ONCE", 3)
    found = chrf_matrix(candidates, candidates[::-1])
    expected = by_sacrebleu(candidates, candidates[::-1])
    np.testing.assert_allclose(found, expected, rtol=0, atol=1e-9)


@given(
    st.lists(
        st.tuples(st.sampled_from(["", "a cat", "the cat", "the dog", "猫"]), st.integers(1, 5)),
        min_size=1,
        max_size=8,
    )
)
def test_the_expected_utility_is_the_mean_over_all_samples(drawn: list[tuple[str, int]]) -> None:
    samples = [text for text, times in drawn for _ in range(times)]
    expected = by_sacrebleu([text for text, _ in drawn], samples).mean(1)
    found = expected_utility([text for text, _ in drawn], [float(times) for _, times in drawn])
    np.testing.assert_allclose(found, expected, rtol=0, atol=1e-9)
    as_drawn = expected_utility(samples)
    np.testing.assert_allclose(as_drawn, by_sacrebleu(samples, samples).mean(1), rtol=0, atol=1e-9)


def test_probabilities_need_no_sum_of_one() -> None:
    candidates = ["a cat", "the cat", "a dog"]
    found = expected_utility(candidates, [0.2, 0.1, 0.1])
    np.testing.assert_allclose(found, expected_utility(candidates, [0.5, 0.25, 0.25]))


def test_no_candidates() -> None:
    assert chrf_matrix([], []).shape == (0, 0)
    assert chrf_matrix(["a"], []).shape == (1, 0)
    assert expected_utility([]).shape == (0,)


@pytest.mark.parametrize("weights", [[1.0], [1.0, -1.0], [0.0, 0.0], [1.0, float("nan")]])
def test_weights_that_are_none(weights: list[float]) -> None:
    with pytest.raises(ValueError, match="weights"):
        expected_utility(["a", "b"], weights)
