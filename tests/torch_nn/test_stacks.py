"""Layers, stacks and the whole Transformer against torch's, over all their arguments."""

from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from typing import Any

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor, nn

from heedful import torch_nn
from tests.torch_nn.cases import (
    ACTIVATIONS,
    MASKS,
    PADDINGS,
    Shape,
    attention_mask,
    close,
    covers,
    padding_mask,
    pair,
    same_gradients,
    shapes,
    states,
    with_squares,
)

pytestmark = [
    pytest.mark.filterwarnings("ignore:enable_nested_tensor is True:UserWarning"),
    pytest.mark.filterwarnings("ignore:Support for mismatched:UserWarning"),
    pytest.mark.filterwarnings("ignore:The PyTorch API of nested tensors:UserWarning"),
]

layers = st.fixed_dictionaries(
    {
        "dim_feedforward": st.sampled_from([5, 16]),
        "activation": st.sampled_from(ACTIVATIONS),
        "layer_norm_eps": st.sampled_from([1e-5, 0.1]),
        "norm_first": st.booleans(),
        "bias": st.booleans(),
        "device": st.sampled_from([None, "cpu"]),
    }
)
masked = st.sampled_from(MASKS)
padded = st.sampled_from(PADDINGS)
hints = st.sampled_from([None, False, True])
modes = st.sampled_from(["training", "evaluation", "inference"])


def arguments(shape: Shape, made: dict[str, Any], mode: str) -> dict[str, Any]:
    """Return the arguments of a layer of this shape; draws in training cannot be compared."""
    return made | {
        "dropout": 0.0 if mode == "training" else 0.3,
        "d_model": 4 * shape.heads,
        "nhead": shape.heads,
        "batch_first": shape.batch_first,
        "dtype": shape.dtype,
    }


def compared(
    modules: tuple[nn.Module, nn.Module],
    inputs: list[Tensor],
    masks: dict[str, Any],
    mode: str,
    real: Tensor | None = None,
) -> tuple[Tensor, Tensor]:
    """Run both and assert that results and gradients agree, at real positions if any are said."""
    covers(modules[0].forward, *inputs, **masks)
    for module in modules:
        module.train(mode == "training")
    with torch.inference_mode(mode == "inference"), fast_path(masks.values()):
        whole = [module(*inputs, **masks) for module in modules]
        found = whole if real is None else [output[real] for output in whole]
    close(found[0], found[1])
    if mode != "inference":
        same_gradients(modules, (found[0], found[1]), inputs)
    return whole[0], whole[1]


@contextmanager
def fast_path(masks: Iterable[Any]) -> Iterator[None]:
    """Keep torch off its fast path where a mask adds something: there it gives NaN."""
    floats = [mask for mask in masks if isinstance(mask, Tensor) and mask.is_floating_point()]
    before = torch.backends.mha.get_fastpath_enabled()
    torch.backends.mha.set_fastpath_enabled(
        all(bool((m * 0 != 0).eq(m != 0).all()) for m in floats)
    )
    try:
        yield
    finally:
        torch.backends.mha.set_fastpath_enabled(before)


def one(shape: Shape, alone: bool) -> Shape:
    """Return the shape without a batch dimension, if so."""
    return replace(shape, batch=1, alone=True) if alone else shape


def hint(mask: Tensor | None, kind: str, given: bool | None) -> bool | None:
    """Return a hint that is true, torch believes any; None if none is given."""
    return given and mask is not None and kind.startswith("causal")


@settings(max_examples=80)
@given(shapes, layers, masked, padded, modes, st.booleans(), st.booleans())
def test_encoder_layer(
    shape: Shape,
    made: dict[str, Any],
    kind: str,
    padding: str,
    mode: str,
    alone: bool,
    causal: bool,
) -> None:
    torch.manual_seed(shape.seed)
    given = arguments(shape, made, mode)
    covers(nn.TransformerEncoderLayer, **given)
    modules = pair("TransformerEncoderLayer", **given)
    shape = one(shape, alone)
    src = states(shape, shape.source, 4 * shape.heads)
    mask = attention_mask(kind, shape, shape.source, shape.source)
    masks = {
        "src_mask": mask,
        "src_key_padding_mask": padding_mask(padding, shape, shape.source),
        "is_causal": hint(mask, kind, causal),
    }
    compared(modules, [src], masks, mode)


def encoders(
    shape: Shape, made: dict[str, Any], norm: bool, nested: bool, check: bool = True
) -> Any:
    """Return torch's encoder and ours."""
    found = []
    for library in (nn, torch_nn):
        layer = library.TransformerEncoderLayer(**made)
        last = nn.LayerNorm(4 * shape.heads, dtype=shape.dtype) if norm else None
        covers(library.TransformerEncoder, layer, 2, last, nested, check)
        found.append(library.TransformerEncoder(layer, 2, last, nested, check))
    with torch.no_grad():
        for parameter in found[0].parameters():
            parameter.copy_(torch.randn_like(parameter) * 0.4)
    found[1].load_state_dict(found[0].state_dict())
    return tuple(found)


@settings(max_examples=80)
@given(
    shapes, layers, masked, padded, modes, st.booleans(), hints, st.booleans(), st.booleans(),
    st.booleans(),
)  # fmt: skip
def test_encoder(
    shape: Shape,
    made: dict[str, Any],
    kind: str,
    padding: str,
    mode: str,
    alone: bool,
    causal: bool | None,
    norm: bool,
    nested: bool,
    check: bool,
) -> None:
    """Where padding is left out, all real positions agree, and the others are the norm of zeros."""
    torch.manual_seed(shape.seed)
    modules = encoders(shape, arguments(shape, made, mode), norm, nested, check)
    modules[0].mask_check |= padding == "scattered"  # torch, unless it looks, takes it as lengths
    shape = one(shape, alone)
    src = states(shape, shape.source, 4 * shape.heads)
    mask = attention_mask(kind, shape, shape.source, shape.source)
    blocked = padding_mask(padding, shape, shape.source)
    masks = {
        "mask": mask,
        "src_key_padding_mask": blocked,
        "is_causal": hint(mask, kind, causal),
    }
    skipped = nested and not alone and blocked is not None and blocked.dtype == torch.bool
    real = None
    if skipped:
        real = ~blocked if shape.batch_first else ~blocked.t()
    if mode == "inference" and not skipped:  # torch's fast path leaves out what it takes so
        modules[0].use_nested_tensor = False
    _, ours = compared(modules, [src], masks, mode, real)
    if real is not None:
        blank = torch.zeros(4 * shape.heads, dtype=shape.dtype)
        expected = blank if modules[1].norm is None else modules[1].norm(blank)
        close(ours[~real], expected.expand(int((~real).sum()), -1))


@settings(max_examples=25)
@given(shapes, st.booleans(), st.sampled_from(["relu", "gelu"]))
def test_the_fast_path_of_evaluation(shape: Shape, norm: bool, activation: str) -> None:
    """Where torch leaves padding out, every position is torch's, padding included."""
    torch.manual_seed(shape.seed)
    shape = replace(shape, batch_first=True, heads=2)
    made = arguments(shape, {"dim_feedforward": 9, "activation": activation}, "inference")
    modules = encoders(shape, made, norm, True)
    assert modules[0].use_nested_tensor
    src = states(shape, shape.source, 8).detach()
    padding = padding_mask("bool", shape, shape.source)
    masks = {"mask": None, "src_key_padding_mask": padding, "is_causal": None}
    compared(modules, [src], masks, "inference")


@settings(max_examples=80)
@given(
    with_squares, layers, masked, masked, padded, padded, modes, st.booleans(), hints,
    st.booleans(), st.sampled_from([0, 2]),
)  # fmt: skip
def test_decoder_layer_and_decoder(
    shape: Shape,
    made: dict[str, Any],
    own: str,
    across: str,
    padding: str,
    of_memory: str,
    mode: str,
    alone: bool,
    causal: bool | None,
    causal_memory: bool,
    stacked: int,
) -> None:
    torch.manual_seed(shape.seed)
    given = arguments(shape, made, mode)
    covers(nn.TransformerDecoderLayer, **given)
    modules = pair("TransformerDecoderLayer", **given)
    if stacked:
        modules = tuple(
            library.TransformerDecoder(
                layer, stacked, nn.LayerNorm(4 * shape.heads).to(shape.dtype)
            )
            for library, layer in zip((nn, torch_nn), modules, strict=True)
        )
    shape = one(shape, alone)
    inputs = [states(shape, length, 4 * shape.heads) for length in (shape.target, shape.source)]
    mask = attention_mask(own, shape, shape.target, shape.target)
    memory_mask = attention_mask(across, shape, shape.target, shape.source)
    masks = {
        "tgt_mask": mask,
        "memory_mask": memory_mask,
        "tgt_key_padding_mask": padding_mask(padding, shape, shape.target),
        "memory_key_padding_mask": padding_mask(of_memory, shape, shape.source),
        "tgt_is_causal": hint(mask, own, causal if stacked else bool(causal)),
        "memory_is_causal": hint(memory_mask, across, causal_memory),
    }
    compared(modules, inputs, masks, mode)


@settings(max_examples=60)
@given(
    with_squares, layers, st.lists(masked, min_size=3, max_size=3),
    st.lists(padded, min_size=3, max_size=3), modes, st.booleans(), st.booleans(),
    st.tuples(hints, hints, st.booleans()),
)  # fmt: skip
def test_transformer(
    shape: Shape,
    made: dict[str, Any],
    kinds: list[str],
    paddings: list[str],
    mode: str,
    alone: bool,
    covered: bool,
    causal: tuple[bool | None, bool | None, bool],
) -> None:
    """Every output is torch's, whether the memory's padding is told or forgotten."""
    torch.manual_seed(shape.seed)
    given = arguments(shape, made, mode) | {"num_encoder_layers": 2, "num_decoder_layers": 1}
    covers(nn.Transformer, **given, left=("custom_encoder", "custom_decoder"))
    modules = pair("Transformer", **given)
    modules[0].encoder.use_nested_tensor = False  # where it is True torch disagrees with itself
    shape = one(shape, alone)
    width, source, target = 4 * shape.heads, shape.source, shape.target
    sides = ((source, source), (target, target), (target, source))
    looks = [attention_mask(kind, shape, *n) for kind, n in zip(kinds, sides, strict=True)]
    hinted = map(hint, looks, kinds, causal)
    padding = padding_mask(paddings[0], shape, source)
    masks = {
        "src_mask": looks[0],
        "tgt_mask": looks[1],
        "memory_mask": looks[2],
        "src_key_padding_mask": padding,
        "tgt_key_padding_mask": padding_mask(paddings[1], shape, target),
        "memory_key_padding_mask": padding if covered else padding_mask(paddings[2], shape, source),
        **dict(zip(("src_is_causal", "tgt_is_causal", "memory_is_causal"), hinted, strict=True)),
    }
    compared(modules, [states(shape, n, width) for n in (source, target)], masks, mode)


def test_custom_stacks() -> None:
    torch.manual_seed(0)
    layer = torch_nn.TransformerEncoderLayer(8, 2, 12, dropout=0.0)
    encoder = torch_nn.TransformerEncoder(layer, 2, enable_nested_tensor=False)
    decoder = nn.TransformerDecoder(nn.TransformerDecoderLayer(8, 2, 12, dropout=0.0), 1)
    ours = torch_nn.Transformer(8, 2, custom_encoder=encoder, custom_decoder=decoder)
    theirs = nn.Transformer(
        8,
        2,
        custom_encoder=nn.TransformerEncoder(nn.TransformerEncoderLayer(8, 2, 12, dropout=0.0), 2),
        custom_decoder=decoder,
    )
    theirs.load_state_dict(ours.state_dict())
    src, tgt = torch.randn(5, 3, 8), torch.randn(4, 3, 8)
    close(ours(src, tgt), theirs(src, tgt))


def test_dropout_in_training_has_the_mean_of_no_dropout() -> None:
    torch.manual_seed(0)
    layer = torch_nn.TransformerEncoderLayer(8, 2, 12, dropout=0.2, norm_first=True)
    src = torch.randn(5, 400, 8)
    drawn = torch.stack([layer(src) for _ in range(60)])
    expected = layer.eval()(src)
    assert (drawn.std(0) > 0.01).float().mean() > 0.9
    assert (drawn.mean(0) - expected).mean().abs() < 0.01
    torch.manual_seed(1)
    again = layer.train()(src)
    torch.manual_seed(1)
    assert torch.equal(again, layer(src))
