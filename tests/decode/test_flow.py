"""Sources let in while others are translated: the same hypotheses, each as soon as it is done."""

import random
from collections.abc import Sequence
from dataclasses import dataclass, field

import pytest
import torch

from heedful.decode import engine as decoding
from heedful.decode import flow
from heedful.decode.engine import Engine
from heedful.decode.quantize import Precision
from heedful.errors import ModelError
from heedful.kernels.warm import ready
from heedful.models.transformer import Transformer, TransformerConfig
from heedful.search import (
    Asked,
    Beam,
    Client,
    DiverseBeam,
    Greedy,
    Hypothesis,
    Limits,
    SearchConfig,
)
from heedful.shapes import Array

ENTRIES, COUNT = 40, 60
LIMITS = Limits(1, 2, forbidden=(0, 1, 3), max_length=90, vocabulary_size=ENTRIES)
SEARCHES: list[SearchConfig] = [
    Greedy(max_extra=9),
    Greedy(max_extra=9, no_repeat_ngram=2),
    Beam(max_extra=9),
    Beam(beam_size=3, n_best=3, max_extra=9, coverage_penalty=0.2),
    DiverseBeam(max_extra=9, n_best=2),
]
NAMES = ["greedy", "greedy, no repetition", "beam", "coverage", "diverse"]


@pytest.fixture(scope="module")
def model() -> Transformer:
    torch.manual_seed(5)
    config = TransformerConfig(
        d_model=16, d_ff=32, n_heads=2, encoder_layers=1, decoder_layers=2, max_length=90
    )
    return config.build(ENTRIES, ENTRIES).eval()


@pytest.fixture(scope="module")
def sources() -> list[list[int]]:
    """Return sources, a few of them longer than the columns that a run begins with."""
    draw = random.Random(3)
    lengths = [draw.choice([*range(1, 30), 80]) for _ in range(COUNT)]
    return [[*draw.choices(range(4, ENTRIES), k=length - 1), 2] for length in lengths]


def engine_of(
    model: Transformer, precision: Precision, patched: pytest.MonkeyPatch, **given: object
) -> Engine:
    """Return an engine that goes the fused way."""
    assert ready(wait=True)
    patched.setattr(decoding, "SMALL", 0)
    one = Engine(model, "cpu", precision=precision, **given)  # type: ignore[arg-type]
    one.decode([[4, 2]], Greedy(), LIMITS)
    assert one.flows
    return one


@dataclass
class Coming:
    """Sources that come as they like, at most so many under way."""

    sources: Sequence[Sequence[int]]
    draw: random.Random
    most: int = 99
    clients: Sequence[Client] = ()
    leaving: float = 0.0
    """How likely it is, each time, that one of the clients leaves."""
    found: dict[int, list[Hypothesis]] = field(default_factory=dict)
    order: list[int] = field(default_factory=list)
    come: int = 0

    def more(self, free: int) -> list[Asked]:
        if self.clients and self.draw.random() < self.leaving:
            self.draw.choice(self.clients).leave()
        under_way = self.come - len(self.found)
        least = 0 if under_way else 1
        count = min(free, max(least, self.draw.randint(0, self.most - under_way)))
        some = range(self.come, min(self.come + count, len(self.sources)))
        self.come += len(some)
        return [self._asked(number) for number in some]

    def _asked(self, number: int) -> Asked:
        if not self.clients:
            return Asked(self.sources[number])
        return Asked(self.sources[number], client=self.clients[number])

    def ended(self, number: int, found: list[Hypothesis]) -> None:
        assert number not in self.found
        self.found[number] = found
        self.order.append(number)


@pytest.mark.parametrize("search", SEARCHES, ids=NAMES)
@pytest.mark.parametrize("precision", ["int8", "float32"])
@pytest.mark.parametrize("listed", [False, True])
def test_the_same_hypotheses_whoever_comes_when(
    precision: Precision,
    search: SearchConfig,
    listed: bool,
    model: Transformer,
    sources: list[list[int]],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def candidates(source: Sequence[int]) -> Array:
        return torch.tensor(sorted({2, *source, 5, 9, 30})).int().numpy()

    given = {"candidates": candidates} if listed else {}
    one = engine_of(model, precision, monkeypatch, **given)
    expected = one.decode(sources, search, LIMITS)
    for seed, most in ((1, 1), (2, 3), (3, 99)):
        coming = Coming(sources, random.Random(seed), most)
        one.flow(coming, search, LIMITS)
        assert len(coming.found) == COUNT
        for number, hypotheses in enumerate(expected):
            found = coming.found[number]
            assert [x.tokens for x in found] == [x.tokens for x in hypotheses]
            assert [x.finished for x in found] == [x.finished for x in hypotheses]
            scores = [x.score for x in hypotheses]
            if precision == "int8" and not search.attentive:
                assert [x.score for x in found] == scores
            assert [x.score for x in found] == pytest.approx(scores, abs=1e-4)
        assert (coming.order == sorted(coming.order)) == (most == 1), "the short ones do not wait"


def test_no_more_than_there_are_places_for(
    model: Transformer, sources: list[list[int]], monkeypatch: pytest.MonkeyPatch
) -> None:
    class Greedily(Coming):
        def more(self, free: int) -> list[Asked]:
            seen.append(free + self.come - len(self.found))
            return super().more(free)

    seen: list[int] = []
    one = engine_of(model, "int8", monkeypatch)
    for width, search in ((1, Greedy(max_extra=9)), (4, Beam(max_extra=9))):
        seen.clear()
        one.flow(Greedily(sources, random.Random(1)), search, LIMITS)
        assert set(seen) == {flow.ROWS // width}


def test_who_leaves_is_told_of_and_harms_nobody(
    model: Transformer, sources: list[list[int]], monkeypatch: pytest.MonkeyPatch
) -> None:
    one = engine_of(model, "int8", monkeypatch)
    for search in (Greedy(max_extra=9), Beam(max_extra=9)):
        expected = one.decode(sources, search, LIMITS)
        clients = [Client() for _ in sources]
        coming = Coming(sources, random.Random(1), 9, clients, leaving=0.5)
        one.flow(coming, search, LIMITS)
        assert sorted(coming.found) == list(range(COUNT))
        assert 0 < sum(one.gone for one in clients) < COUNT
        for number, hypotheses in enumerate(expected):
            if not clients[number].gone:
                assert coming.found[number] == hypotheses


def test_nothing_comes(model: Transformer, monkeypatch: pytest.MonkeyPatch) -> None:
    coming = Coming([], random.Random(1))
    engine_of(model, "int8", monkeypatch).flow(coming, Beam(), LIMITS)
    assert coming.found == {}


def test_what_the_model_cannot_read_is_refused(
    model: Transformer, monkeypatch: pytest.MonkeyPatch
) -> None:
    one, threads = engine_of(model, "int8", monkeypatch), torch.get_num_threads()
    with pytest.raises(ModelError, match="a piece beyond"):
        one.flow(Coming([[4, 2], [400, 2]], random.Random(1)), Greedy(), LIMITS)
    assert torch.get_num_threads() == threads


def test_another_way_has_no_flow(model: Transformer, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(decoding, "fusible", lambda *_: False)
    one = Engine(model)
    one.decode([[4, 2]], Greedy(), LIMITS)
    assert not one.flows
