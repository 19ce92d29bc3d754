"""The weights of a Transformer, laid out as `heedful.decode.fused` multiplies by them.

What is multiplied with the same rows is one matrix (queries, keys and values; the keys and values
of the memory for all layers of the decoder).
"""

__all__ = [
    "NO_NORM",
    "Format",
    "Layer",
    "Norm",
    "PackedTransformer",
    "Stack",
    "Stacked",
    "activation_number",
    "has_kernels",
    "pack",
    "packed_norm",
]

import math
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any, Literal, cast

import numpy as np
import torch
from torch import nn

from heedful.decode.products import Float32Product, Int8Product, Product, floats
from heedful.models.gpt import GPT
from heedful.models.int8 import to_int8
from heedful.models.layers import DecoderLayer, EncoderLayer
from heedful.models.transformer import Transformer, TransformerConfig
from heedful.nn.attention import MultiHead, MultiHeadAttention
from heedful.nn.feedforward import SwiGLU, Swish
from heedful.nn.mapped import let_go
from heedful.nn.norm import LayerNorm, PreNorm
from heedful.nn.position import ALiBi, Bucketed, Rotary
from heedful.shapes import Array, Float, Tensor

Format = Literal["float32", "int8"]


@dataclass(frozen=True)
class Norm:
    """A norm of rows; without weights it leaves them as they are."""

    weight: Array
    shift: Array
    eps: float
    centred: bool


NO_NORM = Norm(np.zeros(0, np.float32), np.zeros(0, np.float32), 0.0, False)


@dataclass(frozen=True)
class Layer:
    """The products of a layer; `across` is the query of a decoder's attention to the memory."""

    joint: Product
    output: Product
    inner: Product
    outer: Product
    relative: Array
    """Shaw's table of the self-attention, [2 max_distance + 1, d_k]; empty without."""
    across: Product | None = None
    across_output: Product | None = None

    @property
    def products(self) -> tuple[Product, ...]:
        """All, in the order of the sublayers."""
        every = (self.joint, self.output, self.across, self.across_output, self.inner, self.outer)
        return tuple(product for product in every if product is not None)


@dataclass(frozen=True)
class Stacked:
    """A stack's products and norms, layer upon layer, for all layers in one call."""

    weights: tuple[Array, ...]
    scales: tuple[Array, ...]
    biases: tuple[Array, ...]
    norms: tuple[Array, Array]
    kinds: tuple[float, bool, bool, int, int, int]
    """Epsilon, centred, post, activation, heads, groups."""
    positions: tuple[Array, Array, Array, Array]
    widths: tuple[int, int, int]
    """Outputs of the joint product, of those as wide as the model, and of the inner product."""


@dataclass(frozen=True)
class Stack:
    """The layers of an encoder or a decoder, and the norms between their sublayers.

    `first` is applied to the input of the first sublayer, after[i] to the sum behind the i-th,
    `last` to the result.
    """

    layers: list[Layer]
    first: Norm
    after: list[Norm]
    last: Norm
    stacked: Stacked | None = None
    """The same of int8 in one piece; none of float32."""


@dataclass(frozen=True)
class PackedTransformer:
    """A Transformer's weights in one format; made by `pack`."""

    format: Format
    model: Transformer
    """Owns the embedding tables and the positions that are added to them."""
    encoder: Stack
    decoder: Stack
    memory: Product
    """Keys and values of the memory, layer by layer."""
    project: Product
    heads: int
    groups: int
    activation: int
    post: bool
    cosines: Array
    sines: Array
    slopes: Array

    @cached_property
    def table(self) -> Array:
        """The weights of `project`, a row for each piece: float32, or int8 as its format is.

        They are made when a list of pieces asks for them, since they are twice in memory then.
        """
        table = self.model.tables.output.weight.detach().float()
        return (to_int8(table)[0] if self.format == "int8" else table).numpy()


def pack(model: Transformer, format: Format = "float32") -> PackedTransformer:
    """Copy the weights of a model on CPU; what they become later is not noticed."""
    config = model.config
    d_k = config.d_model // config.n_heads
    decoder: list[Any] = list(model.decoder)
    layers: list[Any] = [*model.encoder, *decoder]
    crosses: list[Any] = [layer.cross_attention for layer in decoder]
    both = [proj for cross in crosses for proj in (cross.key_proj, cross.value_proj)]
    rotary = isinstance(config.position, Rotary)
    turning = layers[0].attention.position if rotary else None
    angle = torch.zeros(0, d_k // 2)
    if turning is not None:
        angle = torch.outer(torch.arange(config.max_length).float(), turning.rate.float())
    linear = isinstance(config.position, ALiBi)
    table = model.tables.output.weight
    size = len(table)
    bias = torch.zeros(size) if model.tables.bias is None else model.tables.bias.detach().float()
    project = _made(table.detach().float(), bias, torch.ones(size), format)
    let_go(table)
    slopes = layers[0].attention.position.slope if linear else torch.zeros(config.n_heads)
    activation, post = activation_number(model), not isinstance(config.residual, PreNorm)
    groups = crosses[0].key_proj.out_features // d_k
    stacks = [
        _stack(model, model.encoder, model.encoder_norm, format),
        _stack(model, model.decoder, model.decoder_norm, format),
    ]
    positions = (floats(angle.cos()), floats(angle.sin()), floats(slopes))
    kinds = (post, activation, config.n_heads, groups)
    if format == "int8":
        stacks = [replace(one, stacked=_stacked(one, kinds, positions)) for one in stacks]
    return PackedTransformer(
        format=format,
        model=model,
        encoder=stacks[0],
        decoder=stacks[1],
        memory=_product(both, format),
        project=project,
        heads=config.n_heads,
        groups=groups,
        activation=activation,
        post=post,
        cosines=positions[0],
        sines=positions[1],
        slopes=positions[2],
    )


def _stacked(
    stack: Stack, kinds: tuple[bool, int, int, int], positions: tuple[Array, Array, Array]
) -> Stacked | None:
    """Return a stack's arrays, layer upon layer; its products become parts of them.

    None where one of its norms is none at all, and so of no length.
    """
    after = stack.after
    if not all(len(norm.weight) for norm in after):
        return None
    layer = stack.layers[0]
    together = list(zip(*(layer.products for layer in stack.layers), strict=True))
    weights = []
    for products in together:
        some = cast(tuple[Int8Product, ...], products)
        weights.append(np.stack([one.arranged for one in some]))
        for one, kept in zip(some, weights[-1], strict=True):
            one.arranged = kept
    return Stacked(
        tuple(weights),
        tuple(np.stack([one.column_scales for one in products]) for products in together),
        tuple(np.stack([one.bias for one in products]) for products in together),
        (np.stack([norm.weight for norm in after]), np.stack([norm.shift for norm in after])),
        (after[0].eps, after[0].centred, *kinds),
        (*positions, np.stack([layer.relative for layer in stack.layers])),
        (layer.joint.n_out, layer.output.n_out, layer.inner.n_out),
    )


_ACTIVATIONS = {"relu": "RELU", "gelu": "GELU", "swiglu": "SWIGLU", "swish": "SWIGLU"}
"""What the kernels call the feed-forward networks that they know; Swish is SwiGLU times 1."""


def has_kernels(model: Transformer | GPT) -> bool:
    """Return whether the kernels know all that a model is made of."""
    config = model.config
    known = config.feed_forward.kind in _ACTIVATIONS and not isinstance(config.position, Bucketed)
    known &= not isinstance(config.attention, MultiHead) or config.attention.scaled
    if isinstance(config, TransformerConfig):
        known &= config.plain_ends and config.d_k is None and not config.embedding.scaled_output
    return known


def activation_number(model: Transformer | GPT) -> int:
    """Return the number by which kernels know a model's activation."""
    from heedful.kernels import layout  # may load numba, a second

    number: int = getattr(layout, _ACTIVATIONS[model.config.feed_forward.kind])
    return number


def _stack(model: Transformer, layers: Any, final: nn.Module, format: Format) -> Stack:
    config = model.config
    norms: list[Norm] = []
    for layer in layers:
        blocks = [layer.attention_block, layer.feed_forward_block]
        if isinstance(layer, DecoderLayer):
            blocks.insert(1, layer.cross_attention_block)
        norms += [packed_norm(block.norm, config.norm) for block in blocks]
    last = NO_NORM if isinstance(final, nn.Identity) else packed_norm(final, config.norm)
    packed = [_layer(layer, config.feed_forward, format) for layer in layers]
    if isinstance(config.residual, PreNorm):
        return Stack(packed, norms[0], [*norms[1:], last], NO_NORM)
    return Stack(packed, NO_NORM, norms, last)


def packed_norm(norm: Any, settings: Any) -> Norm:
    """Return a norm's weights; `settings` are those it was built of."""
    weight = floats(norm.weight)
    centred = isinstance(settings, LayerNorm)
    biased = centred and norm.bias is not None
    shift = floats(norm.bias) if biased else np.zeros_like(weight)
    return Norm(weight, shift, settings.eps, centred)


def _layer(layer: EncoderLayer | DecoderLayer, feed_forward: Any, format: Format) -> Layer:
    network: Any = layer.feed_forward
    position: Any = layer.attention.position
    relative = getattr(position, "key_table", torch.zeros(0, layer.attention.d_k))
    across: dict[str, Product] = {}
    if isinstance(layer, DecoderLayer):
        cross = layer.cross_attention
        across["across"] = _product([cross.query_proj], format, _factors(cross, 1))
        across["across_output"] = _product([cross.output_proj], format)
    look = layer.attention
    return Layer(
        joint=_product(
            [look.query_proj, look.key_proj, look.value_proj], format, _factors(look, 3)
        ),
        output=_product([look.output_proj], format),
        inner=_product(_inner(network, feed_forward), format),
        outer=_product([network.outer], format),
        relative=floats(relative),
        **across,
    )


def _inner(network: Any, feed_forward: Any) -> list[nn.Linear]:
    """Return the projections before the activation."""
    if isinstance(feed_forward, SwiGLU):
        return [network.gate, network.inner]
    if isinstance(feed_forward, Swish):
        n_out, n_in = network.inner.weight.shape
        one = nn.Linear(n_in, n_out)
        nn.init.zeros_(one.weight)
        nn.init.ones_(one.bias)
        return [network.inner, one]
    return [network.inner]


def _factors(attention: MultiHeadAttention, parts: int) -> list[float]:
    """Return what each projection is multiplied by: queries carry 1/sqrt(d_k)."""
    return [1 / math.sqrt(attention.d_k), *[1.0] * (parts - 1)]


def _product(projections: list[Any], format: Format, factors: list[float] | None = None) -> Product:
    """Return several projections of the same rows as one product."""
    rows, biases, shares = [], [], []
    for number, projection in enumerate(projections):
        factor = factors[number] if factors else 1.0
        weight, bias = projection.weight, projection.bias
        rows.append(weight.detach().float())
        biases.append(torch.zeros(len(weight)) if bias is None else bias.detach().float() * factor)
        shares.append(torch.full((len(weight),), factor))
    made = _made(torch.cat(rows), torch.cat(biases), torch.cat(shares), format)
    for projection in projections:
        let_go(projection.weight)
    return made


def _made(
    weight: Float[Tensor, "N K"],
    bias: Float[Tensor, " N"],
    factors: Float[Tensor, " N"],
    format: Format,
) -> Product:
    if format == "float32":
        return Float32Product(weight * factors[:, None], bias)
    return Int8Product(weight, bias, factors)
