"""The fused way against the eager model: every variant, every step, whatever a search selects."""

import random
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor

from heedful.decode.engine import Engine
from heedful.decode.fused import FusedStepper, fusible
from heedful.decode.packed import Format, PackedTransformer, has_kernels, pack
from heedful.decode.products import Workspace
from heedful.decode.quantize import as_int8, pick_precision
from heedful.decode.steppers import ModelStepper
from heedful.models.transformer import Transformer, TransformerConfig
from heedful.nn.attention import GroupedQuery
from heedful.nn.norm import PreNorm
from heedful.nn.position import Rotary
from heedful.search import Greedy, Limits
from tests.contract.test_families import MODEL_FAMILIES, label, variants

ENTRIES, STEPS, WIDTH = 40, 7, 3
SIZES = {"d_model": 16, "d_ff": 24, "n_heads": 4, "encoder_layers": 2, "decoder_layers": 2}
MODERN = {"residual": PreNorm(), "position": Rotary(), "attention": GroupedQuery(n_kv_heads=2)}


def changes() -> Iterator[Any]:
    """Yield every variant alone, and each once more in a model of today's habits."""
    for name, family in MODEL_FAMILIES.items():
        for settings in variants(family):
            if not has_kernels(model_of({name: settings})):
                continue  # it goes the eager way: below
            yield pytest.param({name: settings}, id=label(settings))
            yield pytest.param(MODERN | {name: settings}, id=f"modern-{label(settings)}")


def fused(
    packed: PackedTransformer, sources: list[list[int]], width: int, space: Workspace | None = None
) -> FusedStepper:
    """Return a stepper that has read the sources; its caches must grow on the way."""
    stepper = FusedStepper(packed, width, len(sources), 3, space or Workspace())
    stepper.admit(sources)
    return stepper


def model_of(changed: dict[str, Any]) -> Transformer:
    torch.manual_seed(11)
    model = TransformerConfig(max_length=32, **SIZES, **changed).build(ENTRIES, ENTRIES).eval()
    with torch.no_grad():  # biases and norms that a fresh model has at 0 and 1
        for weight in model.parameters():
            weight += 0.1 * torch.randn_like(weight)
    return model


def sources_of(count: int) -> list[list[int]]:
    draw = random.Random(count)
    return [
        [*(draw.randrange(4, ENTRIES) for _ in range(draw.randrange(12))), 2] for _ in range(count)
    ]


def eager(
    model: Transformer, sources: list[list[int]], width: int, room: int, *, attentive: bool = False
) -> ModelStepper:
    longest = max(map(len, sources))
    padded = torch.tensor([source + [0] * (longest - len(source)) for source in sources])
    memory = model.encode(padded, padded != 0)
    return ModelStepper(model, memory, width, room, attentive=attentive)


@torch.inference_mode()
def walk(one: Any, other: Any, count: int, width: int) -> Iterator[tuple[Tensor, Tensor]]:
    """Drive two steppers as a beam search might: rows change places, sentences end."""
    draw = np.random.default_rng(5)
    sentences = count
    tokens = np.ones(count * width, np.int64)
    for number in range(STEPS):
        yield one.step(tokens).clone(), other.step(tokens).clone()
        going = np.arange(sentences)
        if number in (2, 4) and sentences > 1:
            going = going[draw.permutation(sentences) != 0]
        parents = draw.integers(width, size=(len(going), width))
        rows = (going[:, None] * width + parents).ravel()
        for stepper in (one, other):
            stepper.select(rows, None if len(going) == sentences else going)
        sentences = len(going)
        tokens = draw.integers(4, ENTRIES, len(rows))


@pytest.mark.parametrize("changed", list(changes()))
def test_as_the_eager_model(changed: dict[str, Any]) -> None:
    model, sources = model_of(changed), sources_of(5)
    stepper = fused(pack(model), sources, WIDTH)
    for found, expected in walk(stepper, eager(model, sources, WIDTH, STEPS), 5, WIDTH):
        torch.testing.assert_close(found, expected, atol=2e-5, rtol=1e-4)


@pytest.mark.parametrize("changed", list(changes()))
def test_looks_at_the_source_as_the_eager_model(changed: dict[str, Any]) -> None:
    """What the penalty of coverage asks for; behind the end of a source stands nothing."""
    model, sources = model_of(changed), sources_of(5)
    stepper = FusedStepper(pack(model), WIDTH, 5, 3, Workspace(), attentive=True)
    stepper.admit(sources)
    twin = eager(model, sources, WIDTH, STEPS, attentive=True)
    for found, expected in walk(stepper, twin, 5, WIDTH):
        torch.testing.assert_close(found, expected, atol=2e-5, rtol=1e-4)
        assert stepper.attention is not None
        assert twin.attention is not None
        assert stepper.attention.sum(axis=1) == pytest.approx(1, abs=1e-5)
        columns = stepper.attention.shape[1]
        assert twin.attention[:, :columns] == pytest.approx(stepper.attention, abs=1e-5)
        assert not twin.attention[:, columns:].any()


@pytest.mark.parametrize("changed", list(changes()))
def test_in_int8_as_its_eager_twin(changed: dict[str, Any]) -> None:
    """Nearly: a state that is rounded the other way is off by a 127th of its row's largest."""
    model, sources = model_of(changed), sources_of(5)
    stepper = fused(pack(model, "int8"), sources, WIDTH)
    for found, expected in walk(stepper, eager(as_int8(model), sources, WIDTH, STEPS), 5, WIDTH):
        assert (found - expected).abs().max() < 0.04 * expected.abs().max()


@pytest.mark.parametrize("changed", list(changes()))
def test_in_one_call_as_layer_by_layer(changed: dict[str, Any]) -> None:
    """To the bit, as where the attention is wanted too and the layers are called one by one."""
    model, sources = model_of(changed), sources_of(5)
    packed = pack(model, "int8")
    at_once = fused(packed, sources, WIDTH)
    stacks = [replace(stack, stacked=None) for stack in (packed.encoder, packed.decoder)]
    apart = fused(replace(packed, encoder=stacks[0], decoder=stacks[1]), sources, WIDTH)
    for found, expected in walk(apart, at_once, 5, WIDTH):
        assert torch.equal(found, expected)


@pytest.mark.parametrize("format", ["float32", "int8"])
@pytest.mark.parametrize("changed", [{}, MODERN], ids=["paper", "modern"])
def test_rows_of_different_ages(changed: dict[str, Any], format: Format) -> None:
    """Sentences join others at any time, the caches grow and go around, rows leave."""
    packed, sources = pack(model_of(changed), format), sources_of(6)
    together = FusedStepper(packed, 1, len(sources), 3, Workspace())
    together.admit(sources[:2])
    rows, coming = [0, 1], [2, 3, 4, 5]
    alone = [fused(packed, [source], 1) for source in sources]
    draw = np.random.default_rng(7)
    with torch.inference_mode():
        for number in range(14):
            if number in (1, 2, 5, 9):
                rows.append(coming.pop(0))
                together.admit([sources[rows[-1]]])
            tokens = draw.integers(4, ENTRIES, len(rows))
            found = together.step(tokens).clone()
            for at, row in enumerate(rows):
                expected = alone[row].step(tokens[at : at + 1])[0]
                torch.testing.assert_close(found[at], expected, atol=2e-5, rtol=1e-4)
            if number in (4, 7):
                together.select(np.arange(1, len(rows)))
                rows = rows[1:]


def test_memory_is_taken_once_and_used_again() -> None:
    """What an earlier batch left behind, larger or smaller, has no influence."""
    model, space = model_of({}), Workspace()
    packed = pack(model)
    for count in (4, 1, 6, 2):
        sources = sources_of(count)
        again, alone = fused(packed, sources, 1, space), fused(packed, sources, 1)
        for found, expected in walk(again, alone, count, 1):
            assert torch.equal(found, expected)


@pytest.mark.parametrize("changed", [{}, MODERN], ids=["paper", "modern"])
def test_int8_is_near_and_depends_on_no_mate(changed: dict[str, Any]) -> None:
    """Whole numbers are added exactly: alone or in company, a row gets the same bits."""
    model, sources = model_of(changed), sources_of(5)
    packed = pack(model, "int8")
    together = fused(packed, sources, 1)
    alone = [fused(packed, [source], 1) for source in sources]
    exact = eager(model, sources, 1, STEPS)
    tokens = np.ones(5, np.int64)
    with torch.inference_mode():
        for number in range(STEPS):
            found = together.step(tokens).clone()
            for row, stepper in enumerate(alone):
                assert torch.equal(stepper.step(tokens[row : row + 1])[0], found[row])
            expected = exact.step(tokens)
            assert (found - expected).abs().max() < 0.08 * expected.abs().max()
            tokens = np.array([5, 9, 7, 20, 33]) + number


def test_nothing_is_compiled_after_the_kernels_are_ready() -> None:
    """Every call of the fused way has the types that `ready` has called it with."""
    code = (
        "import numpy as np\n"
        "import torch\n"
        "from heedful.kernels import called, warm\n"
        "called.kept = warm.kept = lambda: None  # numba's alone\n"
        "assert warm.ready(wait=True)\n"
        "from heedful.kernels import attention, beam_steps, decoder_step, encoder_pass\n"
        "from heedful.kernels import greedy_steps, listed, product, rows, whole\n"
        "files = (attention, beam_steps, decoder_step, encoder_pass, greedy_steps, listed)\n"
        "files += (product, rows, whole)\n"
        "kernels = [vars(m)[n] for m in files for n in m.__all__ if n.islower()]\n"
        "called_within = (whole.dot, whole.quantise_row, whole.quantise_finely)\n"
        "for other in (*called_within, attention.attend_text):\n"
        "    kernels.remove(other)  # no kernel; only kernels call them\n"
        "before = [kernel.signatures[:] for kernel in kernels]\n"
        "assert all(map(len, before))\n"
        "from tests.decode.test_fused import MODERN, model_of, sources_of\n"
        "from heedful.decode.engine import Engine\n"
        "from heedful.search import Beam, Greedy, Limits\n"
        "for changed in ({}, MODERN):\n"
        "    for search in (Greedy(), Beam(), Beam(beam_size=2, n_best=2)):\n"
        "        for precision in ('float32', 'int8'):\n"
        "            for lists in (None, lambda _: np.array([2, 7, 9], np.int32)):\n"
        "                engine = Engine(model_of(changed), 'cpu', 0, precision, lists)\n"
        "                engine.decode(sources_of(9), search, Limits(1, 2, (0, 1), 32))\n"
        "                assert engine._packed is not None\n"
        "after = [kernel.signatures for kernel in kernels]\n"
        "assert before == after, [a for a, b in zip(after, before) if a != b]"
    )
    subprocess.run([sys.executable, "-c", code], check=True, timeout=900)


def test_which_models_go_this_way() -> None:
    model = model_of({})
    assert fusible(model, "cpu")
    assert not fusible(model, "cuda")
    assert not fusible(torch.nn.Linear(2, 2), "cpu")


def test_what_no_kernel_knows_goes_the_eager_way() -> None:
    """Also in int8, whose eager twin is asked; `auto` then takes float32, which is faster there."""
    models = [
        model_of({name: settings})
        for name in ("feed_forward", "attention", "position", "embedding")
        for settings in variants(MODEL_FAMILIES[name])
    ]
    unknown = [model for model in models if not has_kernels(model)]
    assert {model.config.feed_forward.kind for model in unknown} == {"relu", "gelu_tanh", "geglu"}
    for model in unknown:
        assert not fusible(model, "cpu")
        assert pick_precision("auto", model, torch.device("cpu")) == "float32"
        for precision in ("float32", "int8"):
            engine = Engine(model, precision=precision)  # type: ignore[arg-type]
            engine.settle()
            found = engine.decode(sources_of(3), Greedy(), Limits(1, 2, (0, 1), 32))
            assert engine._packed is None
            assert all(row[0].tokens for row in found)
