"""Whoever leaves is in no step after the next one, harms nobody, and is never begun with."""

import random
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
import torch

from heedful.decode import engine
from heedful.decode.engine import Engine
from heedful.decode.fused import FusedStepper
from heedful.decode.packed import pack
from heedful.decode.products import Workspace
from heedful.decode.quantize import Precision
from heedful.decode.steppers import ModelStepper
from heedful.kernels.warm import ready
from heedful.models.transformer import Transformer, TransformerConfig
from heedful.search import (
    Beam,
    Client,
    DiverseBeam,
    Greedy,
    Hypothesis,
    Limits,
    Sample,
    SearchConfig,
)
from heedful.search.stride import BeamBooks, Books
from heedful.shapes import Array

ENTRIES, COUNT = 40, 16
LIMITS = Limits(1, 2, forbidden=(0, 1, 3), max_length=64, vocabulary_size=ENTRIES)
SEARCHES: list[SearchConfig] = [
    Greedy(max_extra=5),
    Beam(max_extra=5),
    Beam(beam_size=3, n_best=3, max_extra=5, no_repeat_ngram=3),
    DiverseBeam(max_extra=5),
    Sample(count=3, max_extra=5),
]
NAMES = ["greedy", "beam", "n-best", "diverse", "sample"]
Found = list[list[Hypothesis]]


@pytest.fixture(scope="module")
def model() -> Transformer:
    torch.manual_seed(5)
    config = TransformerConfig(
        d_model=16, d_ff=32, n_heads=2, encoder_layers=1, decoder_layers=2, max_length=64
    )
    return config.build(ENTRIES, ENTRIES).eval()


@pytest.fixture(scope="module")
def sources() -> list[list[int]]:
    """Return one source of each length, so that a step tells whose rows are in it."""
    draw = random.Random(3)
    lengths = draw.sample(range(1, COUNT + 1), COUNT)
    return [[*draw.choices(range(4, ENTRIES), k=length - 1), 2] for length in lengths]


@pytest.fixture(params=["eager float32", "fused float32", "fused int8"])
def way(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> str:
    name: str = request.param
    if name.startswith("fused"):
        assert ready(wait=True)
        monkeypatch.setattr(engine, "SMALL", 0)
    else:
        monkeypatch.setattr(engine, "fusible", lambda *_: False)
    return name


class Steps:
    """Watches a decoder: which sources are in which step, by their lengths.

    `during` is called in every step, before anything is computed.
    """

    def __init__(self) -> None:
        self.seen: list[set[int]] = []
        self.during: Callable[[], None] = lambda: None

    def begin(self, lengths: Sequence[int], width: int) -> None:
        assert len(lengths) % width == 0
        self.seen.append(set(lengths[::width]))
        self.during()


@pytest.fixture
def steps(monkeypatch: pytest.MonkeyPatch) -> Steps:
    watched = Steps()
    eager, fused, stride = ModelStepper.step, FusedStepper.step, FusedStepper.stride
    stride_beams = FusedStepper.stride_beams

    def step_eager(self: ModelStepper, tokens: Array, rows: Array | None = None) -> Any:
        watched.begin(self.memory.mask.sum(dim=1).tolist(), 1)
        return eager(self, tokens, rows)

    def step_fused(self: FusedStepper, tokens: Array, rows: Array | None = None) -> Any:
        watched.begin(self.memory.counts.tolist(), self.width)
        return fused(self, tokens, rows)

    def stride_by_one(self: FusedStepper, books: Books) -> bool:
        """Let the kernel believe, after its first step, that somebody has left."""
        watched.begin(self.memory.counts.tolist(), 1)
        before = books.length.copy()
        known = int(before[0])
        took = stride(self, replace(books, left=books.length[:1], known=known))
        assert (books.length - before).tolist() == [int(took)] * len(before)
        if not took:
            watched.seen.pop()  # the search takes this step itself
        return took

    def stride_beams_by_one(self: FusedStepper, books: BeamBooks) -> int | None:
        watched.begin(self.memory.counts.tolist(), self.width)
        before = books.length.copy()
        known = int(before[0])
        ended = stride_beams(self, replace(books, left=books.length[:1], known=known))
        assert (books.length - before).tolist() == [int(ended is not None)] * len(before)
        if ended is None:
            watched.seen.pop()
        return ended

    monkeypatch.setattr(ModelStepper, "step", step_eager)
    monkeypatch.setattr(FusedStepper, "step", step_fused)
    monkeypatch.setattr(FusedStepper, "stride", stride_by_one)
    monkeypatch.setattr(FusedStepper, "stride_beams", stride_beams_by_one)
    return watched


@pytest.fixture(autouse=True)
def one_thread() -> Iterator[None]:
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


def decode(
    way: str,
    model: Transformer,
    sources: list[list[int]],
    search: SearchConfig,
    clients: list[Client] | None = None,
) -> Found:
    """Decode eight of the longest at a time, in one thread."""
    precision: Precision = "int8" if way.endswith("int8") else "float32"
    tokens = 8 * COUNT * search.build().rows_per_sentence
    one = Engine(model, "cpu", precision=precision)
    return one.decode(sources, search, LIMITS, tokens, clients=clients)


def alike(way: str, one: Found, other: Found) -> None:
    """Check that translations are the same; fused in int8, to the last bit of a score."""
    if way == "fused int8":
        assert one == other
    for left, right in zip(one, other, strict=True):
        assert [(x.tokens, x.finished) for x in left] == [(x.tokens, x.finished) for x in right]
        assert [x.score for x in left] == pytest.approx([x.score for x in right], abs=1e-4)


@pytest.mark.parametrize("search", SEARCHES, ids=NAMES)
def test_who_leaves_is_in_no_step_after_the_next_and_harms_nobody(
    way: str, search: SearchConfig, model: Transformer, sources: list[list[int]], steps: Steps
) -> None:
    """Whoever it is, and whenever."""
    expected = decode(way, model, sources, search)
    for seed in range(3):
        steps.seen.clear()
        draw, clients = random.Random(seed), [Client() for _ in sources]
        leaving = {n: draw.randrange(1, 25) for n in draw.sample(range(COUNT), 8)}
        """In which step each of some leaves."""

        def some_leave(clients: list[Client] = clients, leaving: dict[int, int] = leaving) -> None:
            for number, at in leaving.items():
                if at == len(steps.seen):
                    clients[number].leave()

        steps.during = some_leave
        found = decode(way, model, sources, search, clients)
        last = {len(sources[number]): at for number, at in leaving.items()}
        for number, lengths in enumerate(steps.seen, 1):
            assert not [length for length in lengths if last.get(length, number) < number]
        assert any(client.gone for client in clients)
        stayed = [number for number in range(COUNT) if not clients[number].gone]
        alike(way, [found[n] for n in stayed], [expected[n] for n in stayed])


@pytest.mark.parametrize("search", SEARCHES, ids=NAMES)
def test_when_all_leave_no_further_step_is_taken(
    way: str,
    search: SearchConfig,
    model: Transformer,
    sources: list[list[int]],
    steps: Steps,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    clients = [Client() for _ in sources]

    def all_leave() -> None:
        if len(steps.seen) == 4:
            for client in clients:
                client.leave()

    steps.during = all_leave
    found = decode(way, model, sources, search, clients)
    assert len(steps.seen) == 4
    assert [] in found
    for kind, reads in ((Transformer, "encode"), (FusedStepper, "admit")):
        monkeypatch.setattr(kind, reads, None)
    assert decode(way, model, sources, search, clients) == [[]] * COUNT, "none is begun with"


def test_places_of_those_who_leave_are_given_to_the_next(
    model: Transformer, sources: list[list[int]], steps: Steps
) -> None:
    assert ready(wait=True)
    clients = [Client() for _ in sources]

    def three_leave() -> None:
        for client, source in zip(clients, sources, strict=True):
            if len(steps.seen) == 2 and COUNT - 3 <= len(source) < COUNT:
                client.leave()

    steps.during = three_leave
    decode("fused int8", model, sources, Greedy(max_extra=5, min_length=9), clients)
    first, second, third = (set(range(COUNT - 7 - more, COUNT + 1)) for more in (0, 0, 3))
    assert steps.seen[:2] == [first, second]
    assert steps.seen[2] == third - {COUNT - 1, COUNT - 2, COUNT - 3}


def test_the_kernel_looks_between_two_steps(model: Transformer, sources: list[list[int]]) -> None:
    """What it looks at is here a number of its own, that it raises at every step."""
    assert ready(wait=True)

    def taken(left: str, known: int) -> list[int]:
        stepper = FusedStepper(pack(model, "int8"), 1, 3, 40, Workspace())
        stepper.admit(sources[:3])
        length = np.zeros(3, np.int64)
        books = Books(
            newest=np.ones(3, np.int64),
            tokens=np.zeros((3, 30), np.int64),
            length=length,
            log_prob=np.zeros(3, np.float32),
            room=np.full(3, 30),
            forbidden=np.array([0, 1, 2, 3]),
            end_id=2,
            left=length[:1] if left == "moves" else np.zeros(1, np.int64),
            known=known,
        )
        assert stepper.stride(books) == bool(length[0])
        return length.tolist()

    assert taken("stays", 0) == [30] * 3
    assert taken("moves", 0) == [1] * 3
    assert taken("moves", 1) == [0] * 3


def test_who_leaves_while_others_are_read_is_not_read(
    model: Transformer, sources: list[list[int]], monkeypatch: pytest.MonkeyPatch
) -> None:
    assert ready(wait=True)
    clients, admit, read = [Client() for _ in sources], FusedStepper.admit, list[int]()

    def one_leaves(self: FusedStepper, some: Sequence[Sequence[int]], lists: Any = None) -> None:
        admit(self, some, lists)
        read.extend(map(len, some))
        for client, source in zip(clients, sources, strict=True):
            if len(source) == COUNT - 3:
                client.leave()

    monkeypatch.setattr(FusedStepper, "admit", one_leaves)
    monkeypatch.setattr(engine, "AT_ONCE", 2 * COUNT)
    expected = decode("fused int8", model, sources, Beam(max_extra=5))
    assert read[:4] == [COUNT, COUNT - 1, COUNT - 2, COUNT - 3]
    read.clear()
    for client in clients:
        client.gone = False
    found = decode("fused int8", model, sources, Beam(max_extra=5), clients)
    assert sorted(read) == sorted({*range(1, COUNT + 1)} - {COUNT - 3})
    stayed = [number for number in range(COUNT) if not clients[number].gone]
    assert [found[n] for n in stayed] == [expected[n] for n in stayed]
