"""What is measured at pronouns, against counting by hand, and on heads made to look somewhere."""

import numpy as np
import pytest

from heedful.inspect.heads.coreference import Coreference, measured, untrained
from heedful.inspect.heads.pronouns import Example, examples
from heedful.inspect.names import Head
from tests.inspect.planted import tiny, tokenizer

EXAMPLES = examples("en")
LONGEST = max(len(one.words) for one in EXAMPLES)
HEADS = [Head("encoder", 0, head) for head in range(5)]


def looking(place: int, one: Example) -> int:
    """Return the word that a planted head looks at: 0 knows, 1 never, 2 and 3 go by place."""
    both = (one.antecedent, one.distractor)
    return (one.antecedent, one.distractor, max(both), one.agent)[place]


def rows() -> np.ndarray:
    found = np.random.default_rng(0).random((len(EXAMPLES), len(HEADS), LONGEST)) * 0.01
    for number, one in enumerate(EXAMPLES):
        for head in range(4):
            found[number, head, looking(head, one)] = 0.8
        found[number, :, len(one.words) :] = 0
        found[number, 3, one.pronoun] = 0.9
    return found


@pytest.fixture(scope="module")
def found() -> Coreference:
    return measured(HEADS, rows(), EXAMPLES)


def test_the_head_that_knows_is_chosen(found: Coreference) -> None:
    assert found.chosen == HEADS[0]
    assert found.chosen_dev == 1.0
    assert (found.dev, found.test) == (180, 240)
    assert [found.is_coreference(head) for head in HEADS] == [True, False, False, False, False]


def test_measures(found: Coreference) -> None:
    """By counting, sentence by sentence, on the half that no head was chosen on."""
    test = [(n, one) for n, one in enumerate(EXAMPLES) if one.half == "test"]
    all_rows = rows()
    for place, head in enumerate(HEADS):
        content, candidates, itself, mass, rank, margin = ([] for _ in range(6))
        for number, one in test:
            row = all_rows[number, place]
            words = [n for n in range(len(one.words)) if one.content[n]]
            order = sorted(words, key=lambda n: -row[n])
            content.append(order[0] == one.antecedent)
            candidates.append(row[one.antecedent] > row[one.distractor])
            itself.append(order[0] == one.antecedent and row[order[0]] > row[one.pronoun])
            mass.append(row[one.antecedent])
            rank.append(1 + order.index(one.antecedent))
            margin.append(row[one.antecedent] - max(row[n] for n in words if n != one.antecedent))
        got = found.of(head)
        for values, estimate in (
            (content, got.content),
            (candidates, got.candidates),
            (itself, got.with_self),
            (mass, got.mass),
            (rank, got.rank),
            (margin, got.margin),
        ):
            assert estimate.value == pytest.approx(np.mean(values))
            assert estimate.low <= estimate.value + 1e-9
            assert estimate.value <= estimate.high + 1e-9


def test_baselines(found: Coreference) -> None:
    test = [one for one in EXAMPLES if one.half == "test"]
    nearest = [
        abs(one.antecedent - one.pronoun) < abs(one.distractor - one.pronoun) for one in test
    ]
    assert found.baselines["nearest noun"].value == np.mean(nearest) == 0.5
    assert found.baselines["first noun"].value == 0.5
    assert found.baselines["who acts"].value == 0.5
    offsets = [one.antecedent - one.pronoun for one in test]
    best = max(set(offsets), key=offsets.count)
    share = offsets.count(best) / len(test)
    assert found.baselines[f"offset {best:+d} words"].value == pytest.approx(share)
    mean = rows().mean(1)
    hits = [
        mean[n, one.antecedent]
        > max(mean[n, w] for w in np.flatnonzero(one.content) if w != one.antecedent)
        for n, one in enumerate(EXAMPLES)
        if one.half == "test"
    ]
    assert found.baselines["mean of all heads"].value == pytest.approx(np.mean(hits))
    assert found.to_beat == ("nearest noun", 0.5)


def test_drawn_labels_are_worth_about_half(found: Coreference) -> None:
    """The head that always knows finds drawn labels by luck; the best of five a little more."""
    assert 0.5 < found.shuffled.value < 0.6
    assert found.shuffled.low >= 0.45


def test_a_model_that_has_learnt_nothing_is_always_the_same() -> None:
    loaded = tiny(tokenizer())
    first, second = (untrained(loaded.model, loaded.tokenizer) for _ in range(2))
    weights = zip(first.parameters(), second.parameters(), loaded.model.parameters(), strict=True)
    same = [(bool((a == b).all()), bool((a == c).all())) for a, b, c in weights if a.dim() > 1]
    assert all(alike for alike, _ in same)
    assert not any(learnt for _, learnt in same)
