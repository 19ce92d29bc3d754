"""Decoding with a real, tiny, untrained Transformer: no batch, order or cache changes a token."""

import copy
import gc
import random
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import replace
from functools import partial
from typing import Any, cast

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import Tensor

from heedful.decode import engine
from heedful.decode.collecting import nothing_collected
from heedful.decode.engine import Engine
from heedful.decode.products import Float32Product, Int8Product
from heedful.decode.quantize import Precision, as_int8, pick_precision
from heedful.decode.steppers import ModelStepper
from heedful.decode.waiting import LEAST, batches
from heedful.errors import ModelError, SettingError
from heedful.kernels.warm import ready
from heedful.models.seq2seq import Memory, Seq2Seq
from heedful.models.seq2seq import decode as all_logits
from heedful.models.transformer import Transformer, TransformerConfig
from heedful.nn.embedding import ThreeWay
from heedful.search import Asked, Beam, Greedy, Hypothesis, Limits
from tests.decode.uncached import UncachedStepper

ENTRIES = 40
LIMITS = Limits(1, 2, forbidden=(0, 1, 3), max_length=32)
SEARCHES = [Greedy(max_extra=4), Beam(max_extra=4), Beam(beam_size=3, n_best=3, max_extra=4)]


@pytest.fixture(
    scope="module",
    params=["eager float32", "eager int8", "fused float32", "fused int8"],
    autouse=True,
)
def way(request: pytest.FixtureRequest) -> Iterator[str]:
    """Go one way and the other, in each precision, whatever the size of the job."""
    way, precision = request.param.split()
    with pytest.MonkeyPatch.context() as patched:
        if way == "fused":
            assert ready(wait=True)
            patched.setattr(engine, "SMALL", 0)
        else:
            patched.setattr(engine, "fusible", lambda *_: False)
        patched.setattr(engine, "decode", partial(_decode, precision))
        yield request.param


def _decode(
    precision: Precision,
    model: Seq2Seq,
    sources: list[list[int]],
    search: Greedy | Beam,
    *,
    limits: Limits,
    batch_tokens: int = engine.BATCH_TOKENS,
) -> list[list[Hypothesis]]:
    return Engine(model, precision=precision).decode(sources, search, limits, batch_tokens)


def decode(*given: Any, **named: Any) -> list[list[Hypothesis]]:
    """Decode in the way and the precision of the moment."""
    return engine.decode(*given, **named)


@pytest.fixture(scope="module")
def model() -> Transformer:
    torch.manual_seed(5)
    config = TransformerConfig(
        d_model=16, d_ff=32, n_heads=2, encoder_layers=1, decoder_layers=1, max_length=32
    )
    return config.build(ENTRIES, ENTRIES).eval()


@pytest.fixture(scope="module")
def sources() -> list[list[int]]:
    draw = random.Random(3)
    return [
        [*(draw.randrange(4, ENTRIES) for _ in range(draw.randrange(0, 8))), 2] for _ in range(70)
    ]


def same(one: list[list[Hypothesis]], other: list[list[Hypothesis]]) -> None:
    """Check the tokens exactly and the numbers within rounding."""
    assert len(one) == len(other)
    for left, right in zip(one, other, strict=True):
        assert [(x.tokens, x.finished) for x in left] == [(x.tokens, x.finished) for x in right]
        assert [x.log_prob for x in left] == pytest.approx([x.log_prob for x in right], abs=1e-4)
        assert [x.score for x in left] == pytest.approx([x.score for x in right], abs=1e-4)


def test_the_way_is_gone(
    way: str, model: Transformer, sources: list[list[int]], monkeypatch: pytest.MonkeyPatch
) -> None:
    """What these tests say of the fused way is said of it."""
    gone = {"_eager": 0, "_run_fused": 0}
    for name in gone:
        taken = getattr(Engine, name)

        def counted(*given: Any, name: str = name, taken: Any = taken) -> Any:
            gone[name] += 1
            return taken(*given)

        monkeypatch.setattr(Engine, name, counted)
    products = Counter[str]()
    for kind in (Float32Product, Int8Product):
        multiply = kind.multiply

        def multiplied(*given: Any, kind: Any = kind, multiply: Any = multiply) -> Any:
            products[kind.__name__] += 1
            return multiply(*given)

        monkeypatch.setattr(kind, "multiply", multiplied)
    decode(model, sources, Greedy(), limits=LIMITS)
    kind, precision = way.split()
    if kind == "eager":
        assert gone["_eager"]
        assert not gone["_run_fused"]
        assert not products
    else:
        assert gone["_run_fused"]
        assert not gone["_eager"]
        assert list(products) == [{"float32": "Float32Product", "int8": "Int8Product"}[precision]]


@pytest.mark.parametrize("search", SEARCHES, ids=["greedy", "beam", "n-best"])
def test_the_same_tokens_in_batches_of_1_8_and_64_and_in_any_order(
    model: Transformer, sources: list[list[int]], search: Greedy | Beam
) -> None:
    def in_batches(some: list[list[int]], size: int) -> list[list[Hypothesis]]:
        tokens = size * search.build().rows_per_sentence * LEAST
        return decode(model, some, search, limits=LIMITS, batch_tokens=tokens)

    by_64 = in_batches(sources, 64)
    assert any(len(x[0].tokens) > 3 for x in by_64)
    same(by_64, in_batches(sources, 8))
    same(by_64[::9], in_batches(sources[::9], 1))
    order = random.Random(0).sample(range(len(sources)), len(sources))
    same([by_64[row] for row in order], in_batches([sources[row] for row in order], 64))


@pytest.mark.parametrize("search", SEARCHES, ids=["greedy", "beam", "n-best"])
def test_the_same_on_any_number_of_cores(
    model: Transformer, sources: list[list[int]], search: Greedy | Beam
) -> None:
    """Batches that several threads compute come back in their order; the count is put back."""
    found = []
    before = torch.get_num_threads()
    try:
        for cores in (1, 3):
            torch.set_num_threads(cores)
            found.append(decode(model, sources, search, limits=LIMITS, batch_tokens=300))
            assert torch.get_num_threads() == cores
    finally:
        torch.set_num_threads(before)
    same(*found)


@pytest.mark.parametrize("kept", [False, True])
def test_when_the_kernels_are_asked_for(
    kept: bool, model: Transformer, sources: list[list[int]], monkeypatch: pytest.MonkeyPatch
) -> None:
    """They are waited for where the disk has them, and else compiled for much work alone."""
    monkeypatch.setattr(engine, "fusible", lambda *_: True)
    monkeypatch.setattr(engine, "SMALL", 3 * len(sources[0]))
    assert ready(wait=True)
    asked = []

    def there(*, compiling: bool = True, wait: bool = False) -> bool:
        assert wait is not compiling
        asked.append(compiling)
        return compiling or kept

    monkeypatch.setattr(engine, "ready", there)
    one = Engine(model)
    packed = []
    for _ in range(4):
        one.decode(sources[:1], Greedy(), LIMITS)
        packed.append(one._packed is not None)
    assert packed == [kept, kept, True, True]
    assert asked == ([False] if kept else [False, False, False, True])


@pytest.mark.parametrize("batch_tokens", [20, 300, 4096])
@pytest.mark.parametrize("listed", [False, True])
def test_many_steps_at_once_are_as_many_single_ones(
    way: str, model: Transformer, sources: list[list[int]], batch_tokens: int, listed: bool
) -> None:
    """To the bit; one who watches is told of every step. Some translations need longer caches."""

    def candidates(source: Sequence[int]) -> Any:
        draw = random.Random(str(source))
        return np.array(sorted({2, *draw.sample(range(4, ENTRIES), draw.randint(6, 30))}), np.int32)

    lists = candidates if listed else None
    one = Engine(model, precision=cast(Precision, way.split()[1]), candidates=lists)
    few = sources if batch_tokens > 20 else sources[:12]  # each is a batch, so that these take long
    given = (few, Greedy(max_extra=24), LIMITS, batch_tokens)
    single = one.decode(*given, watch=lambda *_: None)
    assert one.decode(*given) == single
    assert max(len(found[0].tokens) for found in single) > 20


def test_a_step_at_which_nothing_may_follow_is_left_to_the_search(
    way: str, model: Transformer, sources: list[list[int]]
) -> None:
    limits = replace(LIMITS, forbidden=tuple(range(ENTRIES)))
    one = Engine(model, precision=cast(Precision, way.split()[1]))
    given = (sources[:9], Greedy(), limits)
    found = one.decode(*given)
    assert found == one.decode(*given, watch=lambda *_: None)
    assert [(each[0].tokens, each[0].finished) for each in found] == [((), False)] * 9


@pytest.mark.parametrize("piece", [-1, ENTRIES, 10**9])
def test_a_piece_that_the_model_does_not_know(way: str, model: Transformer, piece: int) -> None:
    one = Engine(model, precision=cast(Precision, way.split()[1]))
    with pytest.raises(ModelError, match="source 2 has a piece beyond the 40 that the model knows"):
        one.decode([[5, 2], [5, piece, 2]], Greedy(), LIMITS)


def test_python_collects_again_when_the_last_has_translated(
    way: str, model: Transformer, sources: list[list[int]]
) -> None:
    assert gc.isenabled()
    with nothing_collected(None), nothing_collected(None):
        assert not gc.isenabled()
        Engine(model, precision=cast(Precision, way.split()[1])).decode(sources, Greedy(), LIMITS)
        assert not gc.isenabled()
    assert gc.isenabled()
    with nothing_collected(lambda *_: None):
        assert gc.isenabled()
    gc.disable()
    try:
        with nothing_collected(None):
            pass
        assert not gc.isenabled()
    finally:
        gc.enable()


def test_what_fails_in_a_thread_is_raised(way: str, sources: list[list[int]]) -> None:
    config = TransformerConfig(d_model=16, d_ff=32, n_heads=2, max_length=32)
    broken = config.build(ENTRIES, ENTRIES).eval()
    with torch.no_grad():
        broken.decoder[0].feed_forward.outer.weight.fill_(float("nan"))
    with pytest.raises(ModelError, match="NaN"):
        decode(broken, sources, Greedy(), limits=LIMITS, batch_tokens=300)


@pytest.mark.parametrize("biased", [False, True])
@pytest.mark.parametrize("search", SEARCHES, ids=["greedy", "beam", "n-best"])
def test_only_candidates_of_a_source_are_in_its_translation(
    way: str, model: Transformer, sources: list[list[int]], search: Greedy | Beam, biased: bool
) -> None:
    """In any batch, and as if all other pieces had been forbidden to the sentence alone."""
    if biased:
        ends = ThreeWay(output_bias=True)
        model = model.config.model_copy(update={"embedding": ends}).build(ENTRIES, ENTRIES).eval()
        assert model.tables.bias is not None
        torch.nn.init.normal_(model.tables.bias)

    def candidates(source: Sequence[int]) -> Any:
        draw = random.Random(str(source))
        return np.array(sorted({2, *draw.sample(range(4, ENTRIES), draw.randint(6, 30))}), np.int32)

    one = Engine(model, precision=cast(Precision, way.split()[1]), candidates=candidates)
    sources = sources[:20]
    found = one.decode(sources, search, LIMITS, batch_tokens=400)
    for source, hypotheses in zip(sources, found, strict=True):
        listed = set(candidates(source).tolist())
        others = tuple(set(range(ENTRIES)) - listed)
        limits = Limits(1, 2, forbidden=others, max_length=32)
        assert all(set(x.tokens) <= listed for x in hypotheses)
        if isinstance(search, Greedy):
            [alone] = decode(model, [source], search, limits=limits)
            assert [x.tokens for x in alone] == [x.tokens for x in hypotheses]


@pytest.mark.parametrize("search", SEARCHES, ids=["greedy", "beam", "n-best"])
def test_cached_equals_uncached(
    model: Transformer, sources: list[list[int]], search: Greedy | Beam
) -> None:
    sources = sources[:24]
    lengths = [len(source) for source in sources]
    padded = torch.nn.utils.rnn.pad_sequence([torch.tensor(x) for x in sources], batch_first=True)
    mask = torch.arange(padded.shape[1]) < torch.tensor(lengths)[:, None]
    runner = search.build()
    with torch.inference_mode():
        memory = model.encode(padded, mask)
        cached = ModelStepper(model, memory, runner.rows_per_sentence, 32)
        plain = UncachedStepper([model], sources, runner.rows_per_sentence)
        asked = list(map(Asked, sources))
        same(runner.run(cached, asked, LIMITS), runner.run(plain, asked, LIMITS))


def test_scores_are_the_probabilities_that_the_model_gives(
    way: str, model: Transformer, sources: list[list[int]]
) -> None:
    same_kind, near = (model, 1e-4) if "float32" in way else (as_int8(model), 0.05)
    found = decode(model, sources[:12], Beam(n_best=4, max_extra=5), limits=LIMITS)
    for source, hypotheses in zip(sources, found, strict=False):
        for hypothesis in hypotheses:
            whole = [*hypothesis.tokens, 2] if hypothesis.finished else [*hypothesis.tokens]
            ids = torch.tensor([source])
            with torch.inference_mode():
                memory = same_kind.encode(ids, torch.ones_like(ids, dtype=torch.bool))
                logits = all_logits(same_kind, torch.tensor([[1, *whole[:-1]]]), memory)
            chosen = logits[0].log_softmax(-1)[range(len(whole)), whole]
            assert hypothesis.log_prob == pytest.approx(float(chosen.sum()), abs=near)


@given(
    lengths=st.lists(st.integers(1, 60), max_size=40),
    rows=st.integers(1, 8),
    batch_tokens=st.integers(1, 2000),
)
def test_batches_hold_every_source_once_within_the_budget(
    lengths: list[int], rows: int, batch_tokens: int
) -> None:
    found = batches(lengths, rows, batch_tokens)
    assert sorted(index for batch in found for index in batch) == list(range(len(lengths)))
    for batch in found:
        longest = max(LEAST, *(lengths[index] for index in batch))
        assert len(batch) == 1 or len(batch) * rows * longest <= batch_tokens
    flat = [lengths[index] for batch in found for index in batch]
    assert flat == sorted(flat, reverse=True)


class Cramped:
    """The model on a GPU that holds only so many sentences."""

    def __init__(self, model: Transformer, holds: int) -> None:
        self.model = model
        self.holds = holds

    def __getattr__(self, name: str) -> object:
        return getattr(self.model, name)

    def encode(self, source: Tensor, mask: Tensor) -> Memory:
        if len(source) > self.holds:
            raise torch.OutOfMemoryError("CUDA out of memory")
        return self.model.encode(source, mask)


def test_a_batch_too_large_for_the_memory_is_halved(
    model: Transformer, sources: list[list[int]]
) -> None:
    sources, decode = sources[:12], partial(_decode, "float32")
    plain = decode(model, sources, SEARCHES[1], limits=LIMITS)
    same(plain, decode(Cramped(model, holds=3), sources, SEARCHES[1], limits=LIMITS))
    with pytest.raises(ModelError, match="does not fit into the memory"):
        decode(Cramped(model, holds=0), sources, SEARCHES[1], limits=LIMITS)


@pytest.mark.parametrize(("bf16", "taken"), [(True, "bf16"), (False, "float32")])
def test_auto_is_bf16_on_a_gpu_that_has_it(
    model: Transformer, monkeypatch: pytest.MonkeyPatch, bf16: bool, taken: str
) -> None:
    monkeypatch.setattr(torch.cuda, "is_bf16_supported", lambda including_emulation: bf16)
    assert pick_precision("auto", model, torch.device("cuda")) == taken
    assert pick_precision("auto", model, torch.device("cpu")) == "int8"
    assert pick_precision("float32", model, torch.device("cuda")) == "float32"


def test_a_precision_that_is_not_for_model_or_device_is_refused(model: Transformer) -> None:
    with pytest.raises(SettingError, match="bf16 is not for the device cpu; take int8 or float32"):
        Engine(model, "cpu", precision="bf16")
    with pytest.raises(SettingError, match="int8 is not for the device cuda; take bf16"):
        Engine(model, "cuda", precision="int8")
    with pytest.raises(SettingError, match="int8 is not for a model of the kind Cramped"):
        Engine(Cramped(model, holds=3), "cpu", precision="int8")


@pytest.mark.parametrize("bad", [[], [5] * 33], ids=["empty", "long"])
def test_what_the_model_cannot_read_is_refused(model: Transformer, bad: list[int]) -> None:
    with pytest.raises(ModelError, match="source 2 has"):
        decode(model, [[5, 2], bad], Greedy(), limits=LIMITS)


def test_the_longest_source_allowed_has_room_to_its_end(model: Transformer) -> None:
    [[found]] = decode(model, [[5] * 31 + [2]], Greedy(max_extra=50), limits=LIMITS)
    assert len(found.tokens) + found.finished <= 32


def test_nothing_in_nothing_out(model: Transformer) -> None:
    assert decode(model, [], Beam(), limits=LIMITS) == []


@pytest.mark.gpu
@pytest.mark.parametrize("search", SEARCHES, ids=["greedy", "beam", "n-best"])
def test_a_gpu_finds_what_the_cpu_finds(
    model: Transformer, sources: list[list[int]], search: Greedy | Beam
) -> None:
    on_cpu = decode(model, sources, search, limits=LIMITS)
    on_gpu = decode(copy.deepcopy(model).cuda(), sources, search, limits=LIMITS, device="cuda")
    for [cpu, *_], [gpu, *_] in zip(on_cpu, on_gpu, strict=True):
        assert cpu.score == pytest.approx(gpu.score, abs=1e-3)
