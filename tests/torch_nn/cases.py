"""Drawn cases: modules of torch and ours with the same weights, and inputs for both."""

import inspect
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

import torch
from hypothesis import strategies as st
from torch import Tensor, nn
from torch.nn import functional as F

from heedful import torch_nn

MASKS = ("none", "bool", "float", "added", "causal", "causal bool", "each", "each added")
PADDINGS = ("none", "bool", "scattered", "float", "added")


def squared(x: Tensor) -> Tensor:
    """An activation that neither side knows by name."""
    return x * x


ACTIVATIONS = ("relu", "gelu", F.relu, F.gelu, nn.GELU(approximate="tanh"), nn.ReLU(), squared)


@dataclass(frozen=True)
class Shape:
    """The sizes of a batch, its order and numbers."""

    batch: int
    heads: int
    source: int
    target: int
    batch_first: bool
    dtype: torch.dtype
    seed: int
    alone: bool = False
    """Whether the inputs have no batch dimension."""


shapes = st.builds(
    Shape,
    batch=st.integers(1, 3),
    heads=st.sampled_from([1, 2, 3, 4]),
    source=st.integers(1, 6),
    target=st.integers(1, 5),
    batch_first=st.booleans(),
    dtype=st.sampled_from([torch.float32, torch.float64]),
    seed=st.integers(0, 2**16),
)
with_squares = shapes | shapes.map(lambda shape: replace(shape, source=shape.target))
"""The same, of which half let a causal mask lie between target and source."""


def states(shape: Shape, length: int, width: int) -> Tensor:
    """Return random inputs that want gradients."""
    order = (shape.batch, length) if shape.batch_first else (length, shape.batch)
    sizes = (length, width) if shape.alone else (*order, width)
    return torch.randn(*sizes, dtype=shape.dtype, requires_grad=True)


def attention_mask(kind: str, shape: Shape, queries: int, keys: int) -> Tensor | None:
    """Return a mask of a kind; every query may see the first key."""
    if kind == "none":
        return None
    if kind.startswith("causal"):
        if queries != keys:
            return None
        mask = nn.Transformer.generate_square_subsequent_mask(keys, dtype=shape.dtype)
        return mask.isinf() if kind.endswith("bool") else mask
    sizes = (shape.batch * shape.heads,) if kind.startswith("each") else ()
    blocked = torch.rand(*sizes, queries, keys) < 0.4
    blocked[..., 0] = False
    if kind in ("bool", "each"):
        return blocked
    added = torch.zeros(blocked.shape, dtype=shape.dtype).masked_fill(blocked, float("-inf"))
    return added + torch.randn(added.shape, dtype=shape.dtype) if "added" in kind else added


def padding_mask(kind: str, shape: Shape, length: int) -> Tensor | None:
    """Return a padding mask of a kind; no sentence is without its first position."""
    if kind == "none":
        return None
    lengths = torch.randint(1, length + 1, (shape.batch, 1))
    padding = torch.arange(length)[None] >= lengths
    if kind == "scattered":
        padding = torch.rand(shape.batch, length) < 0.4
        padding[:, 0] = False
    if kind in ("float", "added"):
        added = torch.zeros(padding.shape, dtype=shape.dtype).masked_fill(padding, float("-inf"))
        padding = added + torch.randn(added.shape, dtype=shape.dtype) if kind == "added" else added
    return padding[0] if shape.alone else padding


def pair(name: str, *given: Any, **named: Any) -> tuple[nn.Module, nn.Module]:
    """Return torch's module and ours, with weights that no two parameters share."""
    theirs, ours = getattr(nn, name)(*given, **named), getattr(torch_nn, name)(*given, **named)
    with torch.no_grad():
        for parameter in theirs.parameters():
            parameter.copy_(torch.randn_like(parameter) * 0.4)
    ours.load_state_dict(theirs.state_dict())
    return theirs, ours


def covers(
    function: Callable[..., Any], *given: Any, left: tuple[str, ...] = (), **named: Any
) -> None:
    """Assert that a call gives every argument that torch's function takes, but for those `left`."""
    signature = inspect.signature(function)
    arguments = set(signature.bind(*given, **named).arguments)
    assert arguments == set(signature.parameters) - set(left)


def close(one: Tensor, other: Tensor) -> None:
    """Assert equality as near as the numbers allow."""
    wide = 1e-9 if one.dtype == torch.float64 else 2e-4
    torch.testing.assert_close(one, other, rtol=wide, atol=wide)


def same_gradients(
    pairs: tuple[nn.Module, nn.Module], outputs: tuple[Tensor, Tensor], inputs: list[Tensor]
) -> None:
    """Assert that both give every parameter and input the same gradient."""
    upstream = torch.randn_like(outputs[0])
    found = []
    for module, output in zip(pairs, outputs, strict=True):
        leaves = [*inputs, *module.parameters()]
        found.append(torch.autograd.grad(output, leaves, upstream, allow_unused=True))
    for one, other in zip(*found, strict=True):
        assert (one is None) == (other is None)
        if one is not None:
            close(one, other)
