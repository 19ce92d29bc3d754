"""Greedy and beam search against exhaustive search over every sequence of a tiny vocabulary."""

import itertools
import math
from collections.abc import Sequence
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from pydantic import TypeAdapter, ValidationError
from torch import Tensor

from heedful.errors import ModelError
from heedful.search import Asked, Beam, Greedy, Hypothesis, Limits, SearchConfig, best
from heedful.search.best import best_pieces
from heedful.search.scoring import length_penalty
from heedful.shapes import Array
from tests.search.tables import (
    BEAMS,
    END,
    LIMITS,
    PAD,
    SEARCHES,
    START,
    Prefix,
    Table,
    TableStepper,
    asked,
    run,
    wished,
)

seeds = st.integers(0, 10_000)
alphas = st.sampled_from([0.0, 0.6, 1.0, 2.0])


def every_hypothesis(table: Table, sentence: int, length: int, alpha: float) -> list[Hypothesis]:
    """Score every sequence there is: all that end within `length`, and all cut off there."""
    found = []
    words = [piece for piece in range(table.entries) if piece not in (PAD, START, END)]
    for size in range(length + 1):
        for tokens in itertools.product(words, repeat=size):
            whole = (*tokens, END) if size < length else tokens
            log_prob = sum(
                table.log_probs(sentence, whole[:at])[piece] for at, piece in enumerate(whole)
            )
            score = log_prob / ((5 + len(whole)) / 6) ** alpha
            found.append(Hypothesis(tokens, log_prob, score, finished=size < length))
    return sorted(found, key=lambda x: (not x.finished, -x.score))


@settings(max_examples=40, deadline=None)
@given(seed=seeds, alpha=alphas, length=st.integers(1, 4), n_best=st.sampled_from([1, 3, 31]))
def test_beam_wide_enough_equals_exhaustive_search(
    seed: int, alpha: float, length: int, n_best: int
) -> None:
    table = Table(seed, entries=5)
    config = Beam(beam_size=31, length_penalty=alpha, n_best=n_best, max_extra=1)
    [found] = run(config, table, [7], length)
    best = every_hypothesis(table, 7, length, alpha)[:n_best]
    assert [x.finished for x in found] == [x.finished for x in best]
    assert [x.score for x in found] == pytest.approx([x.score for x in best], abs=1e-4)
    by_tokens = {(x.tokens, x.finished): x for x in every_hypothesis(table, 7, length, alpha)}
    for hypothesis in found:
        truth = by_tokens[hypothesis.tokens, hypothesis.finished]
        assert hypothesis.score == pytest.approx(truth.score, abs=1e-4)
        assert hypothesis.log_prob == pytest.approx(truth.log_prob, abs=1e-4)


@settings(max_examples=40, deadline=None)
@given(seed=seeds, alpha=alphas, levels=st.sampled_from([None, 2, 3]))
def test_beam_of_one_equals_greedy(seed: int, alpha: float, levels: int | None) -> None:
    table = Table(seed, entries=7, levels=levels)
    sentences = [1, 2, 3, 4]
    greedy = run(Greedy(max_extra=2), table, sentences, 9)
    beam = run(Beam(beam_size=1, length_penalty=alpha, max_extra=2), table, sentences, 9)
    assert [[(x.tokens, x.finished) for x in row] for row in greedy] == [
        [(x.tokens, x.finished) for x in row] for row in beam
    ]
    for [one], [other] in zip(greedy, beam, strict=True):
        assert one.log_prob == pytest.approx(other.log_prob, abs=1e-5)


def wishing(config: SearchConfig, name: int) -> Asked:
    """Return what is asked of a sentence, a wish among it."""
    return Asked((name,) * (1 + name), wished(name, must=config in BEAMS))


@settings(max_examples=15, deadline=None)
@given(
    seed=seeds,
    config=st.sampled_from(SEARCHES),
    levels=st.sampled_from([None, 2]),
    order=st.permutations(range(6)),
    size=st.sampled_from([2, 3, 6]),
)
def test_a_sentence_is_translated_alike_in_any_batch(
    seed: int, config: SearchConfig, levels: int | None, order: list[int], size: int
) -> None:
    table = Table(seed, entries=9, levels=levels)
    search = config.build()

    def together(names: list[int]) -> dict[int, list[Hypothesis]]:
        stepper = TableStepper(table, names, search.rows_per_sentence)
        wanted = [wishing(config, name) for name in names]
        return dict(zip(names, search.run(stepper, wanted, LIMITS), strict=True))

    alone = {name: together([name])[name] for name in order}
    for at in range(0, len(order), size):
        for name, found in together(order[at : at + size]).items():
            assert found == alone[name]


@settings(max_examples=15, deadline=None)
@given(
    seed=seeds,
    search=st.sampled_from(SEARCHES),
    portions=st.lists(st.integers(0, 3), min_size=1, max_size=6),
)
def test_sentences_that_come_later_are_translated_as_alone(
    seed: int, search: SearchConfig, portions: list[int]
) -> None:
    """They take places that are free while others are under way, at any moment."""
    table, runner = Table(seed, entries=9), search.build()
    names = iter(range(sum(portions)))
    coming = [[next(names) for _ in range(size)] for size in portions]
    stepper = TableStepper(table, coming[0], runner.rows_per_sentence)
    later, under_way = coming[1:], []

    def more(count: int) -> list[Asked]:
        under_way.append(count)
        fresh = later.pop(0) if later else []
        while not fresh and not count and later:
            fresh = later.pop(0)
        stepper.admit(fresh)
        return [wishing(search, name) for name in fresh]

    found = runner.run(stepper, [wishing(search, name) for name in coming[0]], LIMITS, more)
    assert len(found) == sum(portions)
    assert under_way[-1] == 0
    for name, hypotheses in enumerate(found):
        alone = TableStepper(table, [name], runner.rows_per_sentence)
        assert [hypotheses] == runner.run(alone, [wishing(search, name)], LIMITS)


class Shortlisted(TableStepper):
    """Gives logits of a few entries, fewer after some rows than after others."""

    def __init__(self, table: Table, sentences: Sequence[int], rows_per_sentence: int) -> None:
        super().__init__(table, sentences, rows_per_sentence)
        self.listed = {name: [END, *range(3 + name % 3, 9)] for name in sentences}

    def step(self, tokens: Array, rows: Array | None = None) -> Tensor:
        logits = super().step(tokens, rows)
        asked = range(len(self.prefixes)) if rows is None else rows.tolist()
        lists = [self.listed[self.sentences[row // self.width]] for row in asked]
        width = max(map(len, lists))
        self.entries = torch.tensor([[*some, *[0] * (width - len(some))] for some in lists])
        missing = torch.tensor([[False] * len(x) + [True] * (width - len(x)) for x in lists])
        return logits.gather(1, self.entries).masked_fill(missing, -math.inf)


@settings(max_examples=40, deadline=None)
@given(seed=seeds, search=st.sampled_from(SEARCHES))
def test_only_entries_of_the_list_are_chosen_and_ids_are_theirs(
    seed: int, search: SearchConfig
) -> None:
    """As if all others were impossible."""

    class Impossible(Table):
        def logits(self, sentence: int, prefix: Prefix) -> list[float]:
            listed = [END, *range(3 + sentence % 3, 9)]
            every = super().logits(sentence, prefix)
            return [x if piece in listed else -math.inf for piece, x in enumerate(every)]

    runner, names = search.build(), [0, 1, 2, 3, 4]
    wanted = [asked(1 + name) for name in names]
    some = Shortlisted(Table(seed, entries=9), names, runner.rows_per_sentence)
    every = TableStepper(Impossible(seed, entries=9), names, runner.rows_per_sentence)
    pairs = zip(runner.run(some, wanted, LIMITS), runner.run(every, wanted, LIMITS), strict=True)
    for found, expected in pairs:
        assert [x.tokens for x in found] == [x.tokens for x in expected]
        assert [x.score for x in found] == pytest.approx([x.score for x in expected], abs=1e-5)


@settings(max_examples=40, deadline=None)
@given(seed=seeds, alpha=alphas, levels=st.sampled_from([None, 2]), width=st.integers(1, 6))
def test_n_best_is_sorted_distinct_and_its_head_is_the_one_best(
    seed: int, alpha: float, levels: int | None, width: int
) -> None:
    table = Table(seed, entries=6, levels=levels)
    config = Beam(beam_size=width, length_penalty=alpha, n_best=width, max_extra=2)
    [found] = run(config, table, [0], 6)
    assert len(found) == width
    assert len({(x.tokens, x.finished) for x in found}) == width
    assert found == sorted(found, key=lambda x: (not x.finished, -x.score))
    for n_best in range(1, width + 1):
        fewer = config.model_copy(update={"n_best": n_best})
        assert run(fewer, table, [0], 6) == [found[:n_best]]


@settings(max_examples=40, deadline=None)
@given(seed=seeds, search=st.sampled_from([Greedy(max_extra=1), Beam(n_best=4, max_extra=1)]))
def test_forbidden_pieces_and_control_pieces_never_come(seed: int, search: Beam | Greedy) -> None:
    table = Table(seed, entries=8)
    limits = Limits(START, END, forbidden=(PAD, START, 3, 5), max_length=6)
    [found] = run(search, table, [0], 20, limits)
    for hypothesis in found:
        assert set(hypothesis.tokens) <= {4, 6, 7}
        assert len(hypothesis.tokens) + hypothesis.finished <= 6
        assert hypothesis.finished or len(hypothesis.tokens) == 6


class Scripted(TableStepper):
    """Gives the same logits at every step, whatever came before."""

    def __init__(self, logits: list[float], rows: int) -> None:
        super().__init__(Table(0, len(logits)), [0], rows)
        self.row = logits

    def step(self, tokens: Array, rows: Array | None = None) -> Tensor:
        return torch.tensor([self.row] * len(super().step(tokens, rows)))


def test_what_reaches_the_maximum_length_is_kept_and_marked() -> None:
    stepper = Scripted([-9.0, -9.0, -9.0, 5.0], rows=2)
    [found] = Beam(beam_size=2, max_extra=3).build().run(stepper, [asked(1)], LIMITS)
    assert [(x.tokens, x.finished) for x in found] == [((), True)], "ended ranks before cut off"
    stepper = Scripted([-9.0, -9.0, -60.0, 5.0, 4.0], rows=2)
    found = Beam(beam_size=2, n_best=2, max_extra=3).build().run(stepper, [asked(1)], LIMITS)[0]
    assert [(x.tokens, x.finished) for x in found] == [((3,) * 4, False), ((3, 3, 3, 4), False)]
    assert found[0].score == pytest.approx(found[0].log_prob / length_penalty(4, 0.6))


def test_search_stops_when_nothing_can_get_better() -> None:
    stepper = Scripted([-9.0, -9.0, 5.0, 0.0, 0.0], rows=4)
    [found] = Beam(max_extra=1000).build().run(stepper, [asked(1)], LIMITS)
    assert found[0].tokens == ()
    assert stepper.steps == 1


def test_equal_pieces_come_in_the_order_of_their_ids() -> None:
    logits = torch.zeros(3, 50)
    logits[1, 40:] = 1
    logits[2, 7] = logits[2, 49] = 2
    values, ids = best_pieces(logits, 4, np.array([0]))
    assert ids.tolist() == [[1, 2, 3, 4], [40, 41, 42, 43], [7, 49, 1, 2]]
    expected = logits.log_softmax(-1).numpy()
    assert (values == np.take_along_axis(expected, ids, axis=1)).all()


@pytest.fixture(params=["by torch", "by the kernel"])
def way(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    """Choose pieces as before the kernels are there, and as after."""
    monkeypatch.setattr(best, "are_ready", lambda: request.param == "by the kernel")


@pytest.mark.usefixtures("way")
@settings(max_examples=40, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    rows=st.lists(st.lists(st.integers(0, 3), min_size=6, max_size=6), min_size=1, max_size=4),
    count=st.integers(1, 8),
    forbidden=st.sets(st.integers(0, 5), max_size=4),
)
def test_best_pieces_equals_sorting(rows: list[list[int]], count: int, forbidden: set[int]) -> None:
    logits = torch.tensor(rows, dtype=torch.float32)
    values, ids = best_pieces(logits, count, np.array(sorted(forbidden), np.int64))
    for row, got_values, got_ids in zip(rows, values.tolist(), ids.tolist(), strict=True):
        worth = [-math.inf if x in forbidden else row[x] for x in range(6)]
        assert got_ids == sorted(range(6), key=lambda x: (-worth[x], x))[:count]
        total = math.log(sum(math.exp(x) for x in row))
        assert got_values == pytest.approx([worth[x] - total for x in got_ids], abs=1e-5)


@pytest.mark.usefixtures("way")
def test_a_model_that_computes_nan_is_an_error() -> None:
    with pytest.raises(ModelError, match="NaN"):
        Greedy().build().run(Scripted([0.0, math.nan, 0.0, 0.0], rows=1), [asked(3)], LIMITS)


def test_no_sentence_no_hypothesis() -> None:
    for config in (Greedy(), Beam()):
        search = config.build()
        assert search.run(TableStepper(Table(0, 5), [], search.rows_per_sentence), [], LIMITS) == []


@pytest.mark.parametrize("alpha", [0.0, 0.6, 3.0])
def test_length_penalty_is_the_published_one_and_never_falls(alpha: float) -> None:
    values = [length_penalty(length, alpha) for length in range(1, 200)]
    assert values == sorted(values)
    assert values[0] == 1.0
    assert length_penalty(55, alpha) == pytest.approx(10.0**alpha)


@pytest.mark.parametrize(
    "wrong",
    [
        {"kind": "beam", "beam_size": 0},
        {"kind": "beam", "beam_size": 2, "n_best": 3},
        {"kind": "beam", "length_penalty": -0.1},
        {"kind": "greedy", "beam_size": 4},
        {"kind": "depth-first"},
    ],
)
def test_impossible_settings_are_refused(wrong: dict[str, Any]) -> None:
    with pytest.raises(ValidationError):
        TypeAdapter(SearchConfig).validate_python(wrong)


def test_the_kind_chooses_the_search() -> None:
    read = TypeAdapter(SearchConfig).validate_python
    assert read({"kind": "greedy"}) == Greedy()
    assert read({"kind": "beam", "beam_size": 6}) == Beam(beam_size=6)
