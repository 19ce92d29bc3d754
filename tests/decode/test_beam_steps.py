"""Many steps of beam search in one call, against the same beams step by step: to the last bit."""

import random
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from heedful.decode.engine import Engine
from heedful.decode.fused import FusedStepper
from heedful.decode.packed import pack
from heedful.decode.products import Int8Product
from heedful.errors import ModelError
from heedful.kernels.warm import ready
from heedful.models.int8 import to_int8
from heedful.models.transformer import Transformer
from heedful.search import Beam, Client, DiverseBeam, Hypothesis, Limits, SearchConfig, Wish
from heedful.search.phrases import Automaton, Spelling
from heedful.search.stride import BeamBooks
from heedful.shapes import Array
from tests.decode.test_fused import ENTRIES, MODERN, changes, model_of, sources_of

END = 2
LIMITS = Limits(1, END, forbidden=(0, 1, 3), max_length=32, vocabulary_size=ENTRIES)
SOURCES = sources_of(23)
WIDE = Beam(beam_size=5, n_best=5, length_penalty=1.0, max_extra=20)

NEVER = Automaton(["b"], Spelling([*[b""] * 4, b" ", b"b", *[b"c"] * (ENTRIES - 6)]))

Found = list[list[Hypothesis]]


class Taken:
    """Counts how many steps were taken, and how: in strides, or one by one."""

    def __init__(self) -> None:
        self.strides = self.many = self.single = 0


@pytest.fixture(scope="module")
def taken() -> Iterator[Taken]:
    assert ready(wait=True)
    counted, stride, step = Taken(), FusedStepper.stride_beams, FusedStepper.step

    def stride_beams(self: FusedStepper, books: BeamBooks) -> int | None:
        before = books.length.copy()
        ended = stride(self, books)
        steps = int((books.length - before).max())
        assert (ended is None) == (steps == 0)
        counted.strides += ended is not None
        counted.many += steps
        return ended

    def one_step(self: FusedStepper, *given: Any) -> Any:
        counted.single += 1
        return step(self, *given)

    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(FusedStepper, "stride_beams", stride_beams)
        patched.setattr(FusedStepper, "step", one_step)
        yield counted


@pytest.fixture(autouse=True, scope="module")
def one_thread() -> Iterator[None]:
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


def engine_of(model: Transformer, lists: Any = None, *, ties: bool = False) -> Engine:
    """Return an engine whose translations are of many pieces.

    The output's table is another, and embeddings are large: else a model that is not trained says
    its last piece again. `ties`: pieces are alike in threes, and so are rows that have taken them.
    """
    model.tables.target.weight.detach().mul_(12)
    table = torch.randn(ENTRIES, 16, generator=torch.Generator().manual_seed(3)) * 0.2
    if ties:
        for some in (table, model.tables.target.weight.detach()):
            for first in range(4, ENTRIES - 2, 3):
                some[first + 1 : first + 3] = some[first]
    product = Int8Product(table, torch.zeros(ENTRIES), torch.ones(ENTRIES))
    packed = replace(pack(model, "int8"), project=product)
    vars(packed)["table"] = to_int8(table)[0].numpy()
    engine = Engine(model, "cpu", 0, "int8", lists)
    engine._packed = [packed]
    return engine


def candidates(source: Sequence[int]) -> Array:
    draw = random.Random(str(source))
    return np.array(sorted({END, *draw.sample(range(4, ENTRIES), draw.randint(1, 30))}), np.int32)


ENGINES = [
    f"{kind}{ties}{lists}"
    for kind in ("paper", "modern")
    for ties in ("", " ties")
    for lists in ("", " lists")
]


@pytest.fixture(scope="module")
def engines() -> dict[str, Engine]:
    return {
        name: engine_of(
            model_of(MODERN if "modern" in name else {}),
            candidates if "lists" in name else None,
            ties="ties" in name,
        )
        for name in ENGINES
    }


def both(
    taken: Taken,
    engine: Engine,
    search: SearchConfig,
    limits: Limits = LIMITS,
    batch_tokens: int = 4096,
    sources: list[list[int]] = SOURCES,
) -> Found:
    """Decode in strides and, since somebody watches, step by step; return what both have found."""
    vars(taken).update(strides=0, many=0, single=0)
    found = engine.decode(sources, search, limits, batch_tokens)
    assert taken.strides
    assert not taken.single, "all steps were taken in strides"
    steps = taken.many
    assert found == engine.decode(sources, search, limits, batch_tokens, watch=lambda *_: None)
    assert taken.many == steps
    assert taken.single
    return found


def ending(engine: Engine, rank: int) -> Limits:
    """Return limits for which what ends a translation is a piece that often comes in the middle."""
    found = engine.decode(SOURCES, WIDE, LIMITS)
    common = Counter(piece for each in found for one in each for piece in one.tokens[rank:])
    return replace(LIMITS, end_id=common.most_common()[rank % len(common)][0])


@pytest.mark.parametrize("changed", list(changes()))
def test_every_variant_of_a_model(changed: dict[str, Any], taken: Taken) -> None:
    """Of what is found, some has ended, at different lengths, and some has not."""
    engine, lengths = engine_of(model_of(changed)), dict[bool, set[int]]()
    assert engine._packed is not None
    if engine._packed[0].decoder.stacked is None:  # without a norm behind the layers
        single_steps(taken, engine, WIDE)
        return
    for search in (Beam(max_extra=20), WIDE):
        for rank in range(5):
            found = both(taken, engine, search, ending(engine, rank), batch_tokens=700)
            for one in (one for each in found for one in each):
                lengths.setdefault(one.finished, set()).add(len(one.tokens))
    assert len(lengths[True]) > 2
    assert len(lengths[False]) > 2


@pytest.mark.parametrize("name", ENGINES)
@given(
    beam=st.integers(1, 8),
    share=st.floats(0, 1),
    alpha=st.sampled_from([0.0, 0.6, 1.0, 3.0]),
    max_extra=st.integers(1, 40),
    max_length=st.sampled_from([None, 1, 2, 3, 9]),
    end=st.integers(0, ENTRIES - 1),
    forbidden=st.sets(st.integers(0, ENTRIES - 1), max_size=ENTRIES - 8),
    batch_tokens=st.sampled_from([1, 200, 900, 4096]),
    count=st.integers(1, 23),
)
@settings(max_examples=25, deadline=None)
def test_every_beam(
    name: str,
    taken: Taken,
    engines: dict[str, Engine],
    beam: int,
    share: float,
    alpha: float,
    max_extra: int,
    max_length: int | None,
    end: int,
    forbidden: set[int],
    batch_tokens: int,
    count: int,
) -> None:
    """Whatever its settings, in whatever company; places are given to the next ones."""
    search = Beam(
        beam_size=beam,
        n_best=1 + round(share * (beam - 1)),
        length_penalty=alpha,
        max_extra=max_extra,
        max_length=max_length,
    )
    limits = replace(LIMITS, end_id=end, forbidden=tuple(forbidden - {end}))
    both(taken, engines[name], search, limits, batch_tokens, SOURCES[:count])


def test_ties_are_there(taken: Taken, engines: dict[str, Engine]) -> None:
    """Among what is kept, equal scores of different translations: their order is decided."""
    for name in ("paper ties", "modern ties"):
        found = both(taken, engines[name], WIDE)
        tied = [len({one.score for one in each}) < len(each) for each in found]
        assert sum(tied) > len(tied) // 2


def test_a_beam_wider_than_the_vocabulary(taken: Taken, engines: dict[str, Engine]) -> None:
    both(taken, engines["paper"], Beam(beam_size=60, n_best=60, max_extra=9))


def test_one_sentence_takes_one_call(taken: Taken, engines: dict[str, Engine]) -> None:
    both(taken, engines["paper"], Beam(max_extra=3), sources=[SOURCES[0]])
    assert taken.strides == 1


def test_a_sentence_is_done_as_soon(taken: Taken, engines: dict[str, Engine]) -> None:
    """What still grows cannot reach the best that has ended: no step is taken in vain."""
    for name in ENGINES:
        limits, early = ending(engines[name], 3), 0
        for source in SOURCES[:9]:
            search = Beam(beam_size=5, n_best=2, max_extra=20)
            found = both(taken, engines[name], search, limits, sources=[source])
            assert taken.many == taken.single
            early += found[0][0].finished and taken.many < 20
        assert early


def test_as_many_strides_of_one_step_each(
    engines: dict[str, Engine], taken: Taken, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The kernel believes, after its first step, that somebody has left."""
    stride = FusedStepper.stride_beams
    monkeypatch.setattr(
        FusedStepper,
        "stride_beams",
        lambda self, books: stride(
            self, replace(books, left=books.length[:1], known=int(books.length[0]))
        ),
    )
    for name in ENGINES:
        both(taken, engines[name], WIDE, ending(engines[name], 3), batch_tokens=900)
        assert taken.strides == taken.many


@pytest.mark.parametrize("seed", range(4))
def test_clients_that_leave_meanwhile(
    seed: int, engines: dict[str, Engine], taken: Taken, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whoever stays gets what they would have got."""
    draw, clients = random.Random(seed), [Client() for _ in SOURCES]
    limits = ending(engines["modern"], seed)
    expected = engines["modern"].decode(SOURCES, WIDE, limits, 900)
    real = FusedStepper.stride_beams

    def stride_beams(self: FusedStepper, books: BeamBooks) -> int | None:
        if draw.random() < 0.1:
            draw.choice(clients).leave()  # the kernel sees it before its first step
            assert real(self, books) is None
            return None
        if draw.random() < 0.6:
            ended = real(self, replace(books, left=books.length[:1], known=int(books.length[0])))
            draw.choice(clients).leave()
            return ended
        return real(self, books)

    monkeypatch.setattr(FusedStepper, "stride_beams", stride_beams)
    found = engines["modern"].decode(SOURCES, WIDE, limits, 900, clients=clients)
    assert 0 < sum(client.gone for client in clients) < len(clients)
    for client, some, every in zip(clients, found, expected, strict=True):
        assert client.gone or some == every


def single_steps(
    taken: Taken, engine: Engine, search: SearchConfig, limits: Limits = LIMITS, **more: Any
) -> None:
    """Check that nothing is taken in strides, and what is found."""
    vars(taken).update(strides=0, many=0, single=0)
    found = engine.decode(SOURCES[:9], search, limits, **more)
    assert found == engine.decode(SOURCES[:9], search, limits, watch=lambda *_: None, **more)
    assert not taken.strides
    assert taken.single


def test_a_step_at_which_nothing_may_follow_is_left_to_the_search(
    engines: dict[str, Engine], taken: Taken
) -> None:
    limits = replace(LIMITS, forbidden=tuple(range(ENTRIES)))
    single_steps(taken, engines["paper"], WIDE, limits)


def test_what_cannot_go_in_strides(engines: dict[str, Engine], taken: Taken) -> None:
    one = engines["modern"]
    for search in (
        Beam(coverage_penalty=0.2),
        Beam(no_repeat_ngram=2),
        Beam(min_length=4),
        DiverseBeam(groups=1),
        DiverseBeam(),
    ):
        single_steps(taken, one, search)
    single_steps(taken, one, Beam(), wishes=[Wish(), Wish(never=(NEVER,)), *[Wish()] * 7])
    single_steps(taken, Engine(model_of({})), Beam())


@pytest.mark.parametrize("stride", [True, False])
def test_no_number(stride: bool, taken: Taken) -> None:
    """A piece that a translation comes to has no number: the steps before are taken."""
    vars(taken).update(strides=0, many=0, single=0)
    engine = engine_of(model_of(MODERN))
    [[best]] = engine.decode(SOURCES[:1], Beam(max_extra=20), LIMITS)
    piece = next(piece for piece in best.tokens[3:] if piece not in (*SOURCES[0], *best.tokens[:3]))
    assert engine._packed is not None
    with torch.no_grad():
        engine._packed[0].model.tables.target.weight[piece] = float("nan")
    watch = None if stride else lambda *_: None
    before = taken.single
    with pytest.raises(ModelError, match=r"the model's output is not a number \(NaN\)"):
        engine.decode(SOURCES[:1], Beam(max_extra=20), LIMITS, watch=watch)
    assert taken.single - before == 1 if stride else taken.single - before > 1
