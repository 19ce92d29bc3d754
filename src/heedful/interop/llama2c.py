"""A llama2.c file of version 0 becomes a `GPT`: a header, then float32 weights one after another.

The format has no name of its own at its beginning, no checksum and no vocabulary. Its size must be
what the header says, to the byte, before anything is allocated, and the table of rotations that it
holds must be the one that a Llama has. Pairs that are rotated together lie side by side there
(2i, 2i + 1) and half a head apart with us (i, i + d_k/2): rows of queries and keys are put in our
order. Ids come in and go out: such a file has no tokenizer.
"""

__all__ = ["halves", "load_model"]

import math
import struct
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import numpy as np
import torch
from pydantic import ValidationError

from heedful.errors import ModelError
from heedful.model_folder import Unfilled
from heedful.models.gpt import GPT, GPTConfig
from heedful.nn.attention import GroupedQuery, MultiHead
from heedful.nn.feedforward import SwiGLU
from heedful.nn.norm import RMSNorm
from heedful.nn.position import Rotary
from heedful.shapes import Float, Tensor

_HEADER = 7
"""32-bit numbers at the beginning."""
_WIDTH = 4
"""Bytes of a number."""
_FIX = "fetch the file again"


class _Part(NamedTuple):
    """Weights of one kind, of all layers if `layered`."""

    name: str
    """Ours, behind `layers.N.` if layered; empty for what is no weight."""
    shape: tuple[int, ...]
    layered: bool = False
    rotated: bool = False
    """Whether its rows are turned in pairs that lie side by side."""


def load_model(path: Path) -> GPT:
    """Return the model in a file.

    Raises ModelError for a file that is none, or not whole.
    """
    try:
        size = path.stat().st_size
        with path.open("rb") as file:
            header = file.read(_HEADER * _WIDTH)
    except OSError as error:
        reason = (error.strerror or str(error)).lower()
        raise ModelError(f"cannot be read: {reason}", where=str(path)) from error
    config, vocabulary_size = _described(path, header)
    parts = _parts(config, vocabulary_size)
    expected = _WIDTH * (_HEADER + sum(_count(part, config.n_layers) for part in parts))
    if size != expected:
        problem = f"the file has {size:,} bytes where its header needs {expected:,}"
        raise ModelError(problem, where=str(path), fix=_FIX)
    with Unfilled():
        model = config.build(vocabulary_size)
    weights = dict(model.named_parameters())
    for name, values in _values(path, parts, config):
        if not name:
            _check_rotations(path, values, config)
            continue
        if not bool(torch.isfinite(values).all()):
            raise ModelError(f"the weights {name} hold NaN or infinity", where=str(path), fix=_FIX)
        with torch.no_grad():
            weights.pop(name).copy_(values)
    assert not weights
    return model.eval()


def _described(path: Path, header: bytes) -> tuple[GPTConfig, int]:
    """Return the settings and the size of the vocabulary."""
    if len(header) < _HEADER * _WIDTH:
        raise ModelError("the file ends within its header", where=str(path), fix=_FIX)
    numbers = struct.unpack(f"<{_HEADER}i", header)
    d_model, d_ff, n_layers, n_heads, groups, pieces, longest = numbers
    if min(d_model, d_ff, n_layers, n_heads, groups, abs(pieces), longest) < 1:
        raise ModelError("its header holds a size below 1: no llama2.c file", where=str(path))
    try:
        alone = groups == n_heads
        attention = MultiHead(bias=False) if alone else GroupedQuery(n_kv_heads=groups, bias=False)
        config = GPTConfig(
            d_model=d_model,
            d_ff=d_ff,
            n_heads=n_heads,
            n_layers=n_layers,
            dropout=0.0,
            max_length=longest,
            attention=attention,
            position=Rotary(),
            feed_forward=SwiGLU(),
            norm=RMSNorm(eps=1e-5),
            tied_output=pieces > 0,
        )
    except ValidationError as error:
        first = error.errors()[0]
        said = ".".join(map(str, first["loc"])), first["msg"].removeprefix("Value error, ")
        problem = f"its header is no llama2.c model's ({': '.join(filter(None, said))})"
        raise ModelError(problem, where=str(path)) from error
    return config, abs(pieces)


def _parts(config: GPTConfig, pieces: int) -> list[_Part]:
    """Return what the file holds, in its order."""
    d_model, d_ff, wide = config.d_model, config.d_ff, config.d_model
    narrow = config.n_kv_heads * config.head_width
    rotations = _Part("", (config.max_length, config.head_width // 2))
    return [
        _Part("tables.source.weight", (pieces, d_model)),
        _Part("attention_block.norm.weight", (d_model,), layered=True),
        _Part("attention.query_proj.weight", (wide, d_model), layered=True, rotated=True),
        _Part("attention.key_proj.weight", (narrow, d_model), layered=True, rotated=True),
        _Part("attention.value_proj.weight", (narrow, d_model), layered=True),
        _Part("attention.output_proj.weight", (d_model, wide), layered=True),
        _Part("feed_forward_block.norm.weight", (d_model,), layered=True),
        _Part("feed_forward.gate.weight", (d_ff, d_model), layered=True),
        _Part("feed_forward.outer.weight", (d_model, d_ff), layered=True),
        _Part("feed_forward.inner.weight", (d_ff, d_model), layered=True),
        _Part("norm.weight", (d_model,)),
        rotations,
        rotations,
        *([] if config.tied_output else [_Part("tables.output.weight", (pieces, d_model))]),
    ]


def _count(part: _Part, layers: int) -> int:
    return math.prod(part.shape) * (layers if part.layered else 1)


def _values(
    path: Path, parts: list[_Part], config: GPTConfig
) -> Iterator[tuple[str, Float[Tensor, "..."]]]:
    """Yield the weights, layer by layer; both tables of rotations together, without a name."""
    tables: list[Tensor] = []
    with path.open("rb") as file:
        file.seek(_HEADER * _WIDTH)
        for part in parts:
            for layer in range(config.n_layers if part.layered else 1):
                raw = np.fromfile(file, "<f4", math.prod(part.shape))
                if len(raw) < math.prod(part.shape):
                    raise ModelError("the file became shorter", where=str(path), fix=_FIX)
                values = torch.from_numpy(raw.astype(np.float32, copy=False)).view(part.shape)
                if part.rotated:
                    values = halves(values, config.head_width)
                if part.name:
                    yield (f"layers.{layer}." if part.layered else "") + part.name, values
                    continue
                tables.append(values)
                if len(tables) == 2:
                    yield "", torch.stack(tables)


def halves(weight: Float[Tensor, "N D"], d_k: int) -> Float[Tensor, "N D"]:
    """Return the rows of each head with the first of all pairs before the second of all pairs.

    >>> halves(torch.arange(8.0)[:, None], 4)[:, 0].tolist()
    [0.0, 2.0, 1.0, 3.0, 4.0, 6.0, 5.0, 7.0]
    """
    pairs = weight.view(-1, d_k // 2, 2, weight.shape[1])
    return pairs.transpose(1, 2).reshape(weight.shape)


def _check_rotations(path: Path, tables: Float[Tensor, "2 T K"], config: GPTConfig) -> None:
    """Raise ModelError unless the cosines and sines are those that our positions have."""
    assert isinstance(config.position, Rotary)
    d_k = config.head_width
    rate = config.position.theta ** (-torch.arange(0, d_k, 2).double() / d_k)
    angle = torch.arange(config.max_length).double()[:, None] * rate
    ours = torch.stack([angle.cos(), angle.sin()]).float()
    if not bool(((tables - ours).abs() < 1e-2).all()):
        problem = "it rotates otherwise than Llama does, or is no llama2.c file"
        raise ModelError(problem, where=str(path))
