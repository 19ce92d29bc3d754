"""Steps on memory that never moves, as a GPU records them, against the eager model.

What is recorded is run unrecorded here: the same code without the recording. The tests marked `gpu`
record it.
"""

import copy
import random
from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from heedful.decode import engine as engine_module
from heedful.decode.engine import Engine
from heedful.decode.graphs import GraphStepper, Stages, recordable, roomy
from heedful.errors import ModelError
from heedful.models.transformer import Transformer
from heedful.nn.embedding import Untied
from heedful.search import (
    Alternatives,
    Automaton,
    Beam,
    DiverseBeam,
    Greedy,
    Hypothesis,
    Limits,
    Sample,
    SearchConfig,
    Spelling,
    Wish,
)
from tests.decode.test_fused import STEPS, WIDTH, changes, eager, model_of, sources_of, walk

LIMITS = Limits(start_id=1, end_id=2, forbidden=(0, 1), vocabulary_size=40)
SEARCHES = [
    Greedy(max_extra=6),
    Greedy(max_extra=6, repetition_penalty=1.3),
    Beam(max_extra=6),
    Beam(max_extra=6, beam_size=3, n_best=3, no_repeat_ngram=2),
    DiverseBeam(max_extra=4, beam_size=4, groups=2, n_best=4),
    Alternatives(max_extra=4),
    Sample(max_extra=6, seed=3),
]


def stepper_of(
    model: Transformer, sources: list[list[int]], width: int, columns: int = 3
) -> GraphStepper:
    """Return a stepper that has read the sources."""
    stages = Stages(model, LIMITS.forbidden, 0)
    stepper = GraphStepper(stages, width, len(sources), columns, max(map(len, sources)))
    with torch.inference_mode():
        stepper.admit(sources)
    return stepper


@pytest.mark.parametrize("changed", list(changes()))
def test_as_the_eager_model(changed: dict[str, Any]) -> None:
    model, sources = model_of(changed), sources_of(5)
    stepper = stepper_of(model, sources, WIDTH)
    for found, expected in walk(stepper, eager(model, sources, WIDTH, STEPS), 5, WIDTH):
        torch.testing.assert_close(found, expected, atol=2e-5, rtol=1e-4)


def test_rooms_grow_by_a_third_or_a_half() -> None:
    assert [roomy(count) for count in (1, 2, 3, 4, 5, 7, 9, 13)] == [1, 2, 3, 4, 6, 8, 12, 16]
    assert [roomy(count, 16) for count in (1, 16, 17, 25, 33, 49)] == [16, 16, 24, 32, 48, 64]


@given(st.integers(1, 100_000))
def test_rooms_are_large_enough_and_waste_little(count: int) -> None:
    assert count <= roomy(count) <= 1.5 * count


@pytest.fixture
def model() -> Transformer:
    """Its answers differ, and many end long before they must."""
    model = model_of({"embedding": Untied()})
    with torch.no_grad():
        model.tables.source.weight *= 2
        model.tables.target.weight *= 2
    return model


@pytest.fixture
def everywhere(monkeypatch: pytest.MonkeyPatch) -> Iterator[list[GraphStepper]]:
    """Let the engine take this way on a CPU, too; the steppers that it makes are told."""
    made: list[GraphStepper] = []
    original = GraphStepper.__init__

    def noted(self: GraphStepper, *given: Any) -> None:
        original(self, *given)
        made.append(self)

    monkeypatch.setattr(GraphStepper, "__init__", noted)
    monkeypatch.setattr(engine_module, "recordable", lambda model, device: True)
    return made


def told(found: list[list[Hypothesis]]) -> list[list[tuple[Any, ...]]]:
    return [
        [(one.tokens, one.finished, pytest.approx(one.score, abs=1e-4)) for one in some]
        for some in found
    ]


def both(
    model: Any,
    sources: list[list[int]],
    search: SearchConfig,
    monkeypatch: pytest.MonkeyPatch,
    **more: Any,
) -> tuple[Any, Any]:
    """Return what the recorded way finds, and what the eager way does."""
    recorded = told(Engine(model).decode(sources, search, LIMITS, 64, **more))
    with monkeypatch.context() as patched:
        patched.setattr(engine_module, "recordable", lambda model, device: False)
        patched.setattr(Engine, "_ready", lambda self: False)
        return recorded, told(Engine(model).decode(sources, search, LIMITS, **more))


@pytest.mark.parametrize("search", SEARCHES, ids=lambda one: f"{one.kind}")
def test_every_search_finds_the_same(
    model: Transformer,
    search: SearchConfig,
    everywhere: list[GraphStepper],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Places are refilled, stages grow and shrink on the way."""
    recorded, plain = both(model, sources_of(24), search, monkeypatch)
    assert recorded == plain
    lengths = {len(some[0][0]) for some in plain}
    assert len(lengths) > 2
    assert everywhere


def test_wishes_and_several_models_together(
    model: Transformer, everywhere: list[GraphStepper], monkeypatch: pytest.MonkeyPatch
) -> None:
    other = model_of({"position": model.config.position})
    with torch.no_grad():
        for weight in other.parameters():
            weight += 0.2
    sources = sources_of(12)
    pieces = [b"", b"", b"", b" ", b"1", b"7", *(b"a%d" % piece for piece in range(34))]
    spelling = Spelling(pieces)
    wishes = [Wish(must=((Automaton(["17"], spelling),),))] * 12
    recorded, plain = both([model, other], sources, Beam(max_extra=6), monkeypatch, wishes=wishes)
    assert recorded == plain
    assert all({4, 5} <= set(some[0][0]) for some in plain)
    assert len(everywhere) % 2 == 0


def test_stages_are_kept_for_the_next_job(
    model: Transformer, everywhere: list[GraphStepper]
) -> None:
    engine, sources = Engine(model), sources_of(6)
    first = engine.decode(sources, Beam(), LIMITS)
    stage = everywhere[-1].stage
    again = engine.decode(sources, Beam(), LIMITS)
    assert everywhere[-1].stage is stage
    assert again == first
    assert engine.decode(sources, Greedy(), LIMITS) == engine.decode(sources, Greedy(), LIMITS)


def test_no_number_is_said(model: Transformer, everywhere: list[GraphStepper]) -> None:
    with torch.no_grad():
        model.tables.output.weight[5] = torch.nan
    for search in (Greedy(), Beam()):
        with pytest.raises(ModelError, match="not a number"):
            Engine(model).decode(sources_of(4), search, LIMITS)


def test_half_as_many_where_memory_is_short(
    model: Transformer, everywhere: list[GraphStepper], monkeypatch: pytest.MonkeyPatch
) -> None:
    sources = sources_of(30)
    plenty = Engine(model).decode(sources, Beam(max_extra=6), LIMITS)
    take, asked = Stages.take, []

    def short(self: Stages, sentences: int, *shape: int) -> Any:
        asked.append(sentences)
        if sentences > 5:
            raise torch.OutOfMemoryError
        return take(self, sentences, *shape)

    monkeypatch.setattr(Stages, "take", short)
    assert told(Engine(model).decode(sources, Beam(max_extra=6), LIMITS, 4096)) == told(plenty)
    assert max(asked) > 5 >= min(asked)


def test_one_source_too_large_is_said(
    model: Transformer, everywhere: list[GraphStepper], monkeypatch: pytest.MonkeyPatch
) -> None:
    def never(self: Stages, *shape: int) -> Any:
        raise torch.OutOfMemoryError

    monkeypatch.setattr(Stages, "take", never)
    with pytest.raises(ModelError, match="does not fit into the memory"):
        Engine(model).decode(sources_of(3), Beam(), LIMITS)


def test_the_longest_answer_has_columns_to_its_end(
    model: Transformer, everywhere: list[GraphStepper]
) -> None:
    for search in (Greedy(max_extra=50), Beam(max_extra=50)):
        [[found, *_]] = Engine(model).decode([[5] * 31 + [2]], search, LIMITS)
        assert len(found.tokens) + found.finished <= 32


def test_what_is_recorded() -> None:
    model = model_of({})
    assert recordable(model, torch.device("cuda"))
    assert not recordable(model, torch.device("cpu"))
    model.decoder[0].compile(backend="eager")
    assert not recordable(model, torch.device("cuda"))


@pytest.mark.gpu
@pytest.mark.parametrize("changed", list(changes()))
def test_a_recorded_step_is_the_eager_one(changed: dict[str, Any]) -> None:
    model = model_of(changed)
    sources = sources_of(60)
    for search in (Greedy(), Beam()):
        on_cpu = Engine(model).decode(sources, search, LIMITS)
        on_gpu = Engine(copy.deepcopy(model).cuda(), "cuda").decode(sources, search, LIMITS, 480)
        for [cpu, *_], [gpu, *_] in zip(on_cpu, on_gpu, strict=True):
            assert gpu.score == pytest.approx(cpu.score, abs=1e-3)
        same = sum(a[0].tokens == b[0].tokens for a, b in zip(on_cpu, on_gpu, strict=True))
        assert same >= 58


@pytest.mark.gpu
def test_bf16_finds_nearly_the_same() -> None:
    model, sources = model_of({}), sources_of(random.Random(1).randrange(30, 60))
    exact = Engine(model).decode(sources, Greedy(), LIMITS)
    lowered = Engine(copy.deepcopy(model).cuda(), "cuda", precision="bf16")
    found = lowered.decode(sources, Greedy(), LIMITS)
    apart = [abs(a[0].score - b[0].score) for a, b in zip(exact, found, strict=True)]
    assert np.median(apart) < 0.1
