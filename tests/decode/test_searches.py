"""Every search with every kind of wish, by a real, tiny Transformer, in every way there is.

No batch, order or number of threads changes a token; the fused way finds what the eager one finds,
both what a stepper finds that computes everything anew; so do ensembles and shortlists.
"""

import random
from collections.abc import Iterator, Sequence
from functools import cache
from itertools import pairwise
from typing import Any, cast

import numpy as np
import pytest
import torch

from heedful.decode import engine
from heedful.decode.engine import Engine
from heedful.decode.quantize import Precision
from heedful.decode.waiting import LEAST
from heedful.kernels.warm import ready
from heedful.models.transformer import Transformer, TransformerConfig
from heedful.nn.attention import GroupedQuery
from heedful.nn.norm import PreNorm
from heedful.nn.position import Rotary
from heedful.search import (
    Alternatives,
    Asked,
    Automaton,
    Beam,
    DiverseBeam,
    Greedy,
    Hypothesis,
    Limits,
    MinimumBayesRisk,
    Opening,
    Sample,
    SearchConfig,
    Spelling,
    Wish,
)
from tests.decode.uncached import UncachedStepper

LETTERS = "abcdefgh"
PIECES = (
    *(b"", b"", b"", b"", b" "),
    *(letter.encode() for letter in LETTERS),
    *(f" {letter}".encode() for letter in LETTERS),
    *(f"{one}{other}".encode() for one in "abcd" for other in "aceg"),
    *(b" ab", b" cd", b"."),
)
ENTRIES = len(PIECES)
SPELLING = Spelling(PIECES)
LIMITS = Limits(1, 2, forbidden=(0, 1, 3), max_length=40, vocabulary_size=ENTRIES)

BEAMS: list[SearchConfig] = [
    Beam(max_extra=3),
    Beam(n_best=3, max_extra=3, coverage_penalty=0.7),
    Beam(n_best=2, max_extra=3, no_repeat_ngram=2, repetition_penalty=1.3, min_length=4),
    DiverseBeam(beam_size=6, groups=3, n_best=4, max_extra=3, coverage_penalty=0.2),
]
SEARCHES: list[SearchConfig] = [
    Greedy(max_extra=3),
    Greedy(max_extra=3, no_repeat_ngram=1, min_length=3),
    *BEAMS,
    Sample(count=3, max_extra=3, seed=7),
    Sample(temperature=0.7, top_k=9, top_p=0.9, min_p=0.01, typical_p=0.95, max_extra=3),
    MinimumBayesRisk(count=6, max_extra=3),
    Alternatives(count=4, max_extra=3),
]
WAYS = ["eager float32", "eager int8", "fused float32", "fused int8"]
MODERN = {"residual": PreNorm(), "position": Rotary(), "attention": GroupedQuery(n_kv_heads=1)}


def label(search: SearchConfig) -> str:
    changed = search.model_dump(exclude_defaults=True, exclude={"max_extra", "n_best", "count"})
    return "-".join([search.kind, *changed])


one_of_a_kind = pytest.mark.parametrize(
    "search", [SEARCHES[1], *BEAMS[1::2], SEARCHES[6], SEARCHES[9]], ids=label
)
one_and_many = pytest.mark.parametrize("search", [SEARCHES[0], BEAMS[1]], ids=label)


@pytest.fixture(params=WAYS)
def way(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> str:
    """Go this way, whatever the size of the job."""
    go(request.param, monkeypatch)
    return str(request.param)


def go(way: str, monkeypatch: pytest.MonkeyPatch) -> None:
    if way.startswith("fused"):
        assert ready(wait=True)
    monkeypatch.setattr(engine, "SMALL", 0 if way.startswith("fused") else 10**9)
    monkeypatch.setattr(engine, "fusible", lambda *_: way.startswith("fused"))


def engine_of(way: str, models: Sequence[Transformer], candidates: Any = None) -> Engine:
    return Engine(models, precision=cast(Precision, way.split()[1]), candidates=candidates)


def model_of(seed: int, **changed: Any) -> Transformer:
    torch.manual_seed(seed)
    sizes = {"d_model": 16, "d_ff": 24, "n_heads": 2, "encoder_layers": 1, "decoder_layers": 1}
    model = TransformerConfig(**(sizes | {"max_length": 40} | changed)).build(ENTRIES, ENTRIES)
    with torch.no_grad():
        for weight in model.parameters():
            weight += 0.15 * torch.randn_like(weight)
    return model.eval()


@pytest.fixture(scope="module")
def model() -> Transformer:
    return model_of(5)


@pytest.fixture(scope="module")
def sources() -> list[list[int]]:
    draw = random.Random(3)
    return [[*draw.choices(range(4, ENTRIES), k=draw.randrange(8)), 2] for _ in range(6)]


@cache
def follow(*phrases: str) -> Automaton:
    return Automaton(phrases, SPELLING)


@cache
def wish_of(number: int, *, must: bool) -> Wish:
    """Return one of many kinds of wish; every fourth has none, every fourth words that must be."""
    draw = random.Random(number)
    if number % 4 == 0:
        return Wish()
    openings = [
        None,
        Opening((), b" ab", SPELLING),
        Opening((13, 6), b" f", SPELLING, closed=True),
        Opening((14,), b"", SPELLING),
    ]
    words = ["a", "gh", "ab cd", "h"]
    forms = tuple(follow(word) for word in draw.sample(words, 2))
    return Wish(
        draw.choice(openings),
        (forms, (follow("h", "h"),))[: number % 8 // 4 + 1] if must and number % 4 == 3 else (),
        tuple(follow(word) for word in draw.sample(["c", "d", "e.", "b a"], 2)),
    )


def wishes_for(search: SearchConfig, sources: Sequence[Sequence[int]]) -> list[Wish]:
    must = isinstance(search, Beam | DiverseBeam)
    return [wish_of(number, must=must) for number in range(len(sources))]


Found = list[list[Hypothesis]]


def same(one: Found, other: Found, near: float = 1e-4) -> None:
    """Check the tokens exactly and the numbers within rounding."""
    assert len(one) == len(other)
    for left, right in zip(one, other, strict=True):
        assert [(x.tokens, x.finished) for x in left] == [(x.tokens, x.finished) for x in right]
        assert [x.log_prob for x in left] == pytest.approx([x.log_prob for x in right], abs=near)
        assert [x.score for x in left] == pytest.approx([x.score for x in right], abs=near)


@pytest.fixture
def cores() -> Iterator[None]:
    before = torch.get_num_threads()
    yield
    torch.set_num_threads(before)


# Independence


@one_of_a_kind
@pytest.mark.usefixtures("cores")
def test_no_batch_order_or_thread_changes_what_is_found(
    way: str, search: SearchConfig, model: Transformer, sources: list[list[int]]
) -> None:
    """In int8, fused, not even a bit of a score: whole numbers are added exactly.

    Sentences are given to threads in the fused way alone.
    """
    alike = _equal if way == "fused int8" else same
    threads = 2 if way.startswith("fused") else 1
    wishes = wishes_for(search, sources)
    one, rows = engine_of(way, [model]), search.build().rows_per_sentence

    def found(order: Sequence[int], together: int, threads: int = 1) -> Found:
        torch.set_num_threads(threads)
        return one.decode(
            [sources[number] for number in order],
            search,
            LIMITS,
            together * rows * LEAST,
            wishes=[wishes[number] for number in order],
        )

    every = range(len(sources))
    whole = found(every, 64)
    for wish, hypotheses in zip(wishes, whole, strict=True):
        assert hypotheses
        assert all(wish.granted(x.tokens) for x in hypotheses)
    alike(whole, found(every, 3, threads))
    alike(whole[::3], found(every[::3], 1))
    order = random.Random(1).sample(every, len(every))
    alike([whole[number] for number in order], found(order, 7))


def _equal(one: Found, other: Found) -> None:
    assert one == other


# Against what is computed anew


@pytest.mark.parametrize(
    ("search", "changed"),
    [*((search, {}) for search in SEARCHES), (SEARCHES[0], MODERN), (BEAMS[1], MODERN)],
    ids=[*map(label, SEARCHES), "modern-greedy", "modern-beam"],
)
def test_cached_and_fused_find_what_is_found_without_a_cache(
    search: SearchConfig,
    changed: dict[str, Any],
    sources: list[list[int]],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    model, wishes = model_of(5, **changed), wishes_for(search, sources)
    expected = uncached([model], sources, search, wishes)
    for way in ("eager float32", "fused float32"):
        go(way, monkeypatch)
        same(engine_of(way, [model]).decode(sources, search, LIMITS, wishes=wishes), expected)


@torch.inference_mode()
def uncached(
    models: Sequence[Transformer],
    sources: Sequence[Sequence[int]],
    search: SearchConfig,
    wishes: Sequence[Wish],
    listed: Any = None,
) -> Found:
    """Search with steppers that keep nothing."""
    runner = search.build()
    plain = UncachedStepper(models, sources, runner.rows_per_sentence, listed)
    return runner.run(plain, list(map(Asked, sources, wishes)), LIMITS)


# Ensembles


@one_and_many
def test_a_model_with_itself_is_the_model(
    way: str, search: SearchConfig, model: Transformer, sources: list[list[int]]
) -> None:
    wishes = wishes_for(search, sources)
    alone = engine_of(way, [model]).decode(sources, search, LIMITS, wishes=wishes)
    twice = engine_of(way, [model, model]).decode(sources, search, LIMITS, wishes=wishes)
    same(alone, twice)


@one_of_a_kind
def test_an_ensemble_is_the_mean_of_its_probabilities(
    search: SearchConfig, sources: list[list[int]], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Members may be of any size."""
    models = [model_of(5), model_of(6, d_model=24, n_heads=3, decoder_layers=1, **MODERN)]
    wishes = wishes_for(search, sources)
    expected = uncached(models, sources, search, wishes)
    for way in ("eager float32", "fused float32"):
        go(way, monkeypatch)
        together = engine_of(way, models)
        same(together.decode(sources, search, LIMITS, 400, wishes=wishes), expected)


# Watching


@one_and_many
def test_who_watches_sees_every_translation_grow(
    way: str, search: SearchConfig, model: Transformer, sources: list[list[int]]
) -> None:
    shown: list[list[tuple[int, ...]]] = [[] for _ in sources]
    wishes = wishes_for(search, sources)

    def watch(number: int, pieces: Sequence[int]) -> None:
        shown[number].append(tuple(pieces))

    one = engine_of(way, [model])
    found = one.decode(sources, search, LIMITS, 400, wishes=wishes, watch=watch)
    same(found, one.decode(sources, search, LIMITS, 400, wishes=wishes))
    for beginnings, hypotheses in zip(shown, found, strict=True):
        ends = [number - len(seen) for number, seen in enumerate(beginnings, 1)]
        assert set(ends) <= {0, 1}, "a step is a piece more, or `</s>`"
        if len(hypotheses) == 1 and search.build().rows_per_sentence == 1:
            assert beginnings[-1] == hypotheses[0].tokens
            for seen, later in pairwise(beginnings):
                assert later[: len(seen)] == seen


# Shortlists


@one_and_many
def test_of_a_shortlist_and_what_is_wished_for(
    way: str, search: SearchConfig, model: Transformer, sources: list[list[int]]
) -> None:
    """The pieces that are forced are in; it is as if the vocabulary had no others."""

    def candidates(source: Sequence[int]) -> Any:
        draw = random.Random(str(source))
        return np.array(sorted({2, *draw.sample(range(4, ENTRIES), draw.randint(4, 12))}), np.int32)

    wishes = wishes_for(search, sources)

    def listed(number: int) -> set[int]:
        return {*candidates(sources[number]).tolist(), *wishes[number].pieces}

    one = engine_of(way, [model], candidates)
    found = one.decode(sources, search, LIMITS, 500, wishes=wishes)
    near = 1e-4 if way != "eager int8" else 0.02
    same(found[::2], one.decode(sources[::2], search, LIMITS, 1, wishes=wishes[::2]), near)
    for number, hypotheses in enumerate(found):
        assert all(set(x.tokens) <= listed(number) for x in hypotheses)
        assert all(wishes[number].granted(x.tokens) for x in hypotheses)
    if "float32" in way:
        same(found, uncached([model], sources, search, wishes, listed))
