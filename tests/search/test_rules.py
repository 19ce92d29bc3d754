"""Every rule of a search against all sequences of a tiny vocabulary, scored one by one."""

import itertools
import math
from collections import Counter
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import ValidationError
from transformers import (
    MinPLogitsWarper,
    NoRepeatNGramLogitsProcessor,
    RepetitionPenaltyLogitsProcessor,
    TemperatureLogitsWarper,
    TopKLogitsWarper,
    TopPLogitsWarper,
    TypicalLogitsWarper,
)

from heedful.errors import ModelError, SettingError
from heedful.search import (
    Alternatives,
    Asked,
    Automaton,
    Beam,
    DiverseBeam,
    Greedy,
    Hypothesis,
    Opening,
    Sample,
    SearchConfig,
    Spelling,
    Wish,
)
from heedful.search.driver import Limits
from heedful.search.rules import Rows, Rules
from heedful.search.sample import draw, kept
from heedful.search.scoring import length_penalty
from heedful.search.shaping import Shaping
from heedful.shapes import Array
from tests.search.tables import END, LIMITS, PAD, PIECES, SPELLING, START, Table, TableStepper

ENTRIES = 6  # PAD, START, END, "a", "b", " "
SMALL = Spelling(PIECES[:ENTRIES])
LENGTH = 4
seeds = st.integers(0, 10_000)


def search(
    config: SearchConfig, table: Table, wish: Wish, limits: Limits = LIMITS, source: int = 2
) -> list[Hypothesis]:
    """Search for the translations of one sentence of 1 + `source` pieces."""
    runner = config.build()
    stepper = TableStepper(table, [source], runner.rows_per_sentence)
    [found] = runner.run(stepper, [Asked((source,) * (1 + source), wish)], limits)
    return found


def text_of(tokens: tuple[int, ...]) -> str:
    return b"".join(PIECES[piece] for piece in tokens).decode()


def stands(text: str, phrase: str) -> bool:
    """Return whether a phrase of letters stands in the text as whole words."""
    return f" {phrase} " in f" {text} "


class Scored(NamedTuple):
    tokens: tuple[int, ...]
    score: float


def opens(tokens: tuple[int, ...], opening: Opening | None) -> bool:
    """Return whether a translation begins as it must; in one that is closed the word ends there."""
    if opening is None:
        return True
    fixed = len(opening.fixed)
    rest = b"".join(PIECES[piece] for piece in tokens[fixed:])
    ends = {
        len(b"".join(PIECES[x] for x in tokens[fixed:at])) for at in range(fixed, len(tokens) + 1)
    }
    return (
        tokens[:fixed] == opening.fixed
        and rest.startswith(opening.word)
        and (not opening.closed or len(opening.word) in ends)
        and (not opening.closed or not opening.word or not rest[len(opening.word) :][:1].isalpha())
    )


def allowed(config: Beam, wish: Wish, words: tuple[str, str], whole: tuple[int, ...]) -> bool:
    """Return whether a whole sequence, `</s>` at its end, obeys all rules."""
    must, never = words
    n = config.no_repeat_ngram
    grams = [whole[at : at + n] for at in range(len(whole) - n + 1)] if n else []
    text = text_of(whole[:-1])
    return (
        len(whole) >= config.min_length
        and len(grams) == len(set(grams))
        and opens(whole[:-1], wish.opening)
        and (not must or stands(text, must))
        and not (never and stands(text, never))
    )


def score(config: Beam, stepper: TableStepper, whole: tuple[int, ...], source: int) -> float:
    """Return the score of a whole sequence, written from the definitions."""
    total, looks = 0.0, np.zeros(1 + source)
    for at, piece in enumerate(whole):
        before = whole[:at]
        value = stepper.table.log_probs(source, before)[piece]
        total += value * (config.repetition_penalty if piece in before else 1)
        looks += stepper.attention_of(source, before)
    coverage = sum(math.log(min(max(x, 1e-6), 1)) for x in looks) * config.coverage_penalty
    return total / length_penalty(len(whole), config.length_penalty) + coverage


@settings(max_examples=60, deadline=None)
@given(
    seed=seeds,
    alpha=st.sampled_from([0.0, 1.0]),
    coverage=st.sampled_from([0.0, 0.7]),
    no_repeat=st.sampled_from([0, 1, 2]),
    punished=st.sampled_from([1.0, 1.5]),
    shortest=st.integers(0, LENGTH),
    opening=st.sampled_from(
        [
            None,
            Opening((3,), b"", SMALL),
            Opening((3, 5), b"", SMALL),
            Opening((), b"a", SMALL),
            Opening((3,), b" b", SMALL, closed=True),
        ]
    ),
    words=st.sampled_from([("", ""), ("a", ""), ("", "b"), ("b", "a"), ("", "a b")]),
)
def test_a_wide_beam_equals_exhaustive_search_under_every_rule(
    seed: int,
    alpha: float,
    coverage: float,
    no_repeat: int,
    punished: float,
    shortest: int,
    opening: Opening | None,
    words: tuple[str, str],
) -> None:
    config = Beam(
        beam_size=300,
        n_best=300,
        length_penalty=alpha,
        coverage_penalty=coverage,
        no_repeat_ngram=no_repeat,
        repetition_penalty=punished,
        min_length=shortest,
        max_length=LENGTH,
    )
    must, never = words
    wish = Wish(
        opening,
        ((Automaton([must], SMALL),),) if must else (),
        (Automaton([never], SMALL),) if never else (),
    )
    limits = Limits(START, END, forbidden=(PAD, START))
    table = Table(seed, ENTRIES)
    found = search(config, table, wish, limits)
    stepper = TableStepper(table, [2], 1)
    sequences = (
        (*tokens, END)
        for size in range(LENGTH)
        for tokens in itertools.product((3, 4, 5), repeat=size)
    )
    best = sorted(
        (
            Scored(whole[:-1], score(config, stepper, whole, 2))
            for whole in sequences
            if allowed(config, wish, words, whole) and not _passes_through(wish.never, whole[:-1])
        ),
        key=lambda one: -one.score,
    )
    finished = [one for one in found if one.finished]
    assert [x.score for x in finished] == pytest.approx([x.score for x in best], abs=1e-4)
    assert {x.tokens for x in finished} == {x.tokens for x in best}


class Turns:
    """A language in which no piece follows itself, of an even number of pieces."""

    def allowed(self, tokens: Sequence[int]) -> Array:
        mask = np.ones(ENTRIES, np.bool_)
        mask[list(tokens[-1:])] = False
        mask[END] = self.whole(tokens)
        return mask

    def whole(self, tokens: Sequence[int]) -> bool:
        return len(tokens) % 2 == 0

    @property
    def pieces(self) -> frozenset[int]:
        return frozenset([3, 4, 5])


@settings(max_examples=30, deadline=None)
@given(seed=seeds, opening=st.sampled_from([None, Opening((3,), b"", SMALL)]), never=st.booleans())
def test_a_wide_beam_equals_exhaustive_search_under_a_grammar(
    seed: int, opening: Opening | None, never: bool
) -> None:
    """Beside an opening and words that must not appear; `granted` says the same of each line."""
    wish = Wish(opening, (), (Automaton(["b"], SMALL),) if never else (), Turns())
    table = Table(seed, ENTRIES)
    config = Beam(beam_size=300, n_best=300, max_length=LENGTH + 1)
    found = search(config, table, wish, Limits(START, END, forbidden=(PAD, START)))
    pairs = [one for one in found if one.finished]
    every = [
        tokens
        for size in range(LENGTH + 1)
        for tokens in itertools.product((3, 4, 5), repeat=size)
        if opens(tokens, opening)
        and not (never and stands(text_of(tokens), "b"))
        and not _passes_through(wish.never, tokens)
    ]
    expected = {
        tokens
        for tokens in every
        if len(tokens) % 2 == 0 and all(one != other for one, other in itertools.pairwise(tokens))
    }
    assert {one.tokens for one in pairs} == expected
    assert {tokens for tokens in every if wish.granted(tokens)} == expected
    assert wish.pieces >= {3, 4, 5}
    stepper = TableStepper(table, [2], 1)
    scores = [score(config, stepper, (*one.tokens, END), 2) for one in pairs]
    assert [one.score for one in pairs] == pytest.approx(scores, abs=1e-4)
    assert scores == sorted(scores, reverse=True)


def _passes_through(never: tuple[Automaton, ...], tokens: tuple[int, ...]) -> bool:
    """Return whether a phrase is whole at the end of any beginning: that is never gone on with."""
    for automaton in never:
        state = 0
        for piece in tokens:
            state = automaton.advance(state, piece)
            if automaton.ends_well(state):
                return True
    return False


@settings(max_examples=60, deadline=None)
@given(
    seed=seeds,
    width=st.integers(1, 5),
    groups=st.booleans(),
    words=st.lists(st.sampled_from(["a", "b", "ab", "c", "a b", "c c"]), max_size=3, unique=True),
    extra=st.integers(1, 6),
)
def test_words_that_must_appear_do_in_every_hypothesis(
    seed: int, width: int, groups: bool, words: list[str], extra: int
) -> None:
    must = tuple((Automaton([word], SPELLING),) for word in words)
    config: SearchConfig = Beam(beam_size=width, n_best=width, max_extra=extra)
    if groups:
        config = DiverseBeam(beam_size=2 * width, groups=2, n_best=width, max_extra=extra)
    found = search(config, Table(seed, 9), Wish(must=must))
    assert found
    for hypothesis in found:
        padded = f" {text_of(hypothesis.tokens)} "
        assert all(f" {word} " in padded for word in words)


def test_what_does_not_fit_is_refused() -> None:
    wish = Wish(must=((Automaton(["ab ab ab ab"], SPELLING),),))
    with pytest.raises(ModelError, match="takes 8 pieces and 5 are allowed"):
        search(Beam(max_length=5), Table(1, 9), wish)
    with pytest.raises(ModelError, match="takes 4 pieces and 3 are allowed"):
        search(Greedy(max_length=3), Table(1, 9), Wish(Opening((3,) * 3, b"", SPELLING)))


@pytest.mark.parametrize("config", [Greedy(), Sample(), Alternatives()])
def test_words_that_must_appear_need_a_beam(config: SearchConfig) -> None:
    with pytest.raises(SettingError, match="by a beam alone"):
        search(config, Table(1, 9), Wish(must=((Automaton(["a"], SPELLING),),)))


def test_a_search_that_may_not_go_on_keeps_what_it_has() -> None:
    """Nothing but `a` can be said and it may not be repeated; the end is not allowed yet."""
    limits = Limits(START, END, forbidden=(PAD, START, *range(4, 9)))
    for config in (
        Greedy(min_length=6, no_repeat_ngram=1),
        Beam(min_length=6, no_repeat_ngram=1),
        Sample(min_length=6, no_repeat_ngram=1),
    ):
        [found] = search(config, Table(1, 9), Wish(), limits)
        assert (found.tokens, found.finished) == ((3,), False)


# Diverse beams and alternatives


def diverse(table: Table, config: DiverseBeam, source: int) -> set[tuple[int, ...]]:
    """Return the tokens of what a diverse beam finds, from its description: one list a group."""
    size = config.beam_size // config.groups
    beams = [[((), 0.0)] for _ in range(config.groups)]
    ended: list[list[tuple[int, ...]]] = [[] for _ in range(config.groups)]
    for _ in range(config.max_length or 0):
        taken: Counter[int] = Counter()
        for group in range(config.groups):
            grown = [
                ((*tokens, piece), total + table.log_probs(source, tokens)[piece])
                for tokens, total in beams[group]
                for piece in range(2, table.entries)
            ]
            grown.sort(key=lambda one: -(one[1] - config.diversity * taken[one[0][-1]]))
            best = grown[: size - len(ended[group])]
            taken.update(tokens[-1] for tokens, _ in best)
            ended[group] += [tokens[:-1] for tokens, _ in best if tokens[-1] == END]
            beams[group] = [one for one in best if one[0][-1] != END]
    left = [tokens for beam in beams for tokens, _ in beam]
    return {*(tokens for group in ended for tokens in group), *left}


@settings(max_examples=40, deadline=None)
@given(seed=seeds, groups=st.sampled_from([1, 2, 3]), strength=st.sampled_from([0.0, 0.5, 5.0]))
def test_diverse_beams_are_as_described(seed: int, groups: int, strength: float) -> None:
    config = DiverseBeam(
        beam_size=6, groups=groups, diversity=strength, n_best=6, max_length=4, length_penalty=0
    )
    table = Table(seed, 9)
    found = search(config, table, Wish())
    assert {one.tokens for one in found} == diverse(table, config, 2)


def test_one_group_is_beam_search() -> None:
    for seed in range(20):
        beam = search(Beam(beam_size=3, n_best=3, max_extra=4), Table(seed, 9), Wish())
        alone = DiverseBeam(beam_size=3, groups=1, n_best=3, max_extra=4)
        assert search(alone, Table(seed, 9), Wish()) == beam


@settings(max_examples=40, deadline=None)
@given(seed=seeds, prefix=st.sampled_from([(), (3,), (4, 5)]), count=st.integers(1, 9))
def test_alternatives_differ_first_and_are_greedy_after(
    seed: int, prefix: tuple[int, ...], count: int
) -> None:
    table = Table(seed, 9)
    opening = Opening(prefix, b"", SPELLING)
    found = search(Alternatives(count=count, max_length=8), table, Wish(opening))
    following = table.log_probs(2, prefix)
    order = sorted(range(2, 9), key=lambda piece: -following[piece])[:count]
    firsts = [(*one.tokens, END)[len(prefix)] for one in found]
    assert firsts == order, "the likeliest first"
    for hypothesis in found:
        first = (*hypothesis.tokens, END)[len(prefix)]
        if first == END:
            assert hypothesis.tokens == prefix
            continue
        forced = (*prefix, first)
        [greedy] = search(Greedy(max_length=8), table, Wish(Opening(forced, b"", SPELLING)))
        assert hypothesis.tokens == greedy.tokens


# Sampling


WARPED = [
    (Sample(temperature=0.6), [TemperatureLogitsWarper(0.6)]),
    (Sample(top_k=3), [TopKLogitsWarper(3)]),
    (Sample(top_p=0.7), [TopPLogitsWarper(0.7)]),
    (Sample(min_p=0.2), [MinPLogitsWarper(0.2)]),
    (Sample(typical_p=0.6), [TypicalLogitsWarper(0.6)]),
    (
        Sample(temperature=1.7, top_k=9, top_p=0.8, min_p=0.05, typical_p=0.7),
        [
            TemperatureLogitsWarper(1.7),
            TopKLogitsWarper(9),
            TopPLogitsWarper(0.8),
            MinPLogitsWarper(0.05),
            TypicalLogitsWarper(0.7),
        ],
    ),
]


@pytest.mark.parametrize(("config", "warpers"), WARPED)
def test_what_is_drawn_from_is_what_transformers_draws_from(
    config: Sample, warpers: list[TemperatureLogitsWarper]
) -> None:
    torch.manual_seed(4)
    logits = (torch.randn(50, 12, dtype=torch.float64) * 2).log_softmax(-1)
    logits = logits.sort(dim=-1, descending=True).values
    expected = logits
    for warper in warpers:
        expected = warper(None, expected)
    likely = (logits / config.temperature).log_softmax(-1)
    found, cut = kept(likely.numpy().astype(np.float32), config)
    assert (cut == (found[:, -1] > 0)).all() or config.typical_p < 1
    assert found == pytest.approx(expected.softmax(-1).numpy(), abs=1e-6)


@pytest.mark.parametrize("entries", [5, 64, 65, 400])
@pytest.mark.parametrize("peak", [0.0, 3.0])
@pytest.mark.parametrize("config", [*(config for config, _ in WARPED[1:]), Sample(top_k=70)])
def test_putting_a_few_pieces_in_order_draws_what_putting_all_does(
    config: Sample, peak: float, entries: int
) -> None:
    """Also where pieces are equally likely, and where nothing is possible."""
    generator = torch.Generator().manual_seed(entries)
    log_probs = (peak * torch.randn(40, entries, generator=generator)).round().log_softmax(-1)
    log_probs[3] = -torch.inf
    log_probs[4, :3] = -torch.inf
    drawn = np.random.default_rng(1).random(40)
    found = draw(log_probs, config, drawn)
    assert (found < entries).all()
    scaled = (log_probs / config.temperature).log_softmax(-1).nan_to_num(-torch.inf)
    values, ids = scaled.sort(dim=1, descending=True, stable=True)
    shares, _ = kept(values.numpy(), config)
    for row in {*range(40)} - {3}:
        ends = shares[row].cumsum()
        assert found[row] == ids[row, int((ends <= drawn[row] * ends[-1]).sum())]


def test_samples_come_as_often_as_they_are_likely() -> None:
    """Of 20,000 drawn sequences, each comes with its probability (chi-squared)."""
    table = Table(3, ENTRIES)
    runner = Sample(count=1000, max_length=2, seed=5).build()
    limits = Limits(START, END, forbidden=(PAD, START))
    counts: Counter[tuple[int, ...]] = Counter()
    for source in range(20):  # each with random numbers of its own
        same = TableStepper(table, [0], 1000)
        [found] = runner.run(same, [Asked((source,))], limits)
        counts.update((*x.tokens, END) if x.finished else x.tokens for x in found)
    pieces = range(2, ENTRIES)
    whole = [(END,), *((a, b) for a in pieces if a != END for b in pieces)]

    def share(before: tuple[int, ...], piece: int) -> float:
        """Return the probability of a piece among those that are not forbidden."""
        every = np.exp(table.log_probs(0, before))
        return float(every[piece] / every[list(pieces)].sum())

    shares = np.array([math.prod(share(x[:at], x[at]) for at in range(len(x))) for x in whole])
    assert set(counts) <= set(whole)
    assert shares.sum() == pytest.approx(1)
    observed = np.array([counts[one] for one in whole])
    likely = shares * observed.sum() >= 5
    seen = np.append(observed[likely], observed[~likely].sum())
    wanted = np.append(shares[likely], shares[~likely].sum()) * observed.sum()
    statistic = float(((seen - wanted) ** 2 / np.maximum(wanted, 1e-9)).sum())
    freedom = len(seen) - 1
    assert statistic < freedom + 4 * math.sqrt(2 * freedom), "one in ten thousand"


def test_a_seed_gives_the_same_samples_and_another_others() -> None:
    def drawn(seed: int) -> list[Hypothesis]:
        return search(Sample(count=5, seed=seed, max_extra=5), Table(8, 9), Wish())

    assert drawn(1) == drawn(1)
    assert drawn(1) != drawn(2)


# Repetition, against transformers' processors


@settings(max_examples=60, deadline=None)
@given(
    tokens=st.lists(st.integers(2, 8), min_size=1, max_size=9),
    n=st.integers(1, 4),
    penalty=st.sampled_from([1.0, 1.2, 2.0]),
    seed=seeds,
)
def test_repetition_is_treated_as_transformers_does(
    tokens: list[int], n: int, penalty: float, seed: int
) -> None:
    torch.manual_seed(seed)
    logits = torch.randn(1, 9)
    shaping = Shaping(no_repeat_ngram=n, repetition_penalty=penalty)
    rules = Rules(shaping, END, (), 9)
    rules.admit([Asked((4,))])
    row = np.array([[*tokens, 0, 0]])  # room for more
    states = np.zeros((1, 0), np.int64)
    found = rules.log_probs(logits, None, Rows(np.array([0]), row, np.array([len(tokens)]), states))
    given_ids, expected = torch.tensor([tokens]), logits.log_softmax(-1)
    if penalty != 1:
        expected = RepetitionPenaltyLogitsProcessor(penalty)(given_ids, expected)
    expected = NoRepeatNGramLogitsProcessor(n)(given_ids, expected)
    assert found == pytest.approx(expected.numpy(), abs=1e-5)


@pytest.mark.parametrize(
    ("settings_", "said"),
    [
        (lambda: Greedy(min_length=5, max_length=4), "min_length 5 is more than max_length 4"),
        (lambda: DiverseBeam(beam_size=4, groups=3), "not divisible by groups 3"),
        (lambda: Beam(beam_size=2, n_best=3), "n_best 3 is more than beam_size 2"),
        (lambda: Sample(top_p=0.0), "greater than 0"),
    ],
)
def test_impossible_settings_are_refused(settings_: object, said: str) -> None:
    with pytest.raises(ValidationError, match=said):
        settings_()  # type: ignore[operator]
