"""What encoder and decoder layers are made of, and how a stack calls them."""

__all__ = ["activation_of", "all_bare", "clones", "give_parts", "in_a_batch", "whole"]

import copy
from typing import Any

from torch import nn
from torch.nn import functional as F

from heedful.errors import SettingError, did_you_mean
from heedful.shapes import Tensor
from heedful.torch_nn.attention import MultiheadAttention
from heedful.torch_nn.checks import refuse_heads
from heedful.torch_nn.sublayers import Activation, bare

_BLOCKS = ("_sa_block", "_mha_block", "_ff_block")
"""What torch's layers call their parts by, which others may override."""

_ACTIVATIONS: dict[str, Activation] = {"relu": F.relu, "gelu": F.gelu}


def activation_of(given: str | Activation) -> Activation:
    """Return the activation that a name stands for; a callable is one already."""
    if not isinstance(given, str):
        return given
    if given not in _ACTIVATIONS:
        raise SettingError(
            f'there is no activation "{given}"', fix=did_you_mean(given, _ACTIVATIONS)
        )
    return _ACTIVATIONS[given]


def give_parts(
    layer: nn.Module,
    attentions: tuple[str, ...],
    d_model: int,
    nhead: int,
    dim_feedforward: int,
    dropout: float,
    activation: str | Activation,
    layer_norm_eps: float,
    batch_first: bool,
    norm_first: bool,
    bias: bool,
    device: Any,
    dtype: Any,
) -> None:
    """Give a layer torch's modules by torch's names, in torch's order: a seed draws the same.

    A norm and a dropout follow each of the attentions and the feed-forward block.
    """
    refuse_heads(d_model, nhead, ("d_model", "nhead"))
    factory: dict[str, Any] = {"device": device, "dtype": dtype}
    for name in attentions:
        attention = MultiheadAttention(
            d_model, nhead, dropout=dropout, bias=bias, batch_first=batch_first, **factory
        )
        layer.add_module(name, attention)
    layer.linear1 = nn.Linear(d_model, dim_feedforward, bias=bias, **factory)
    layer.dropout = nn.Dropout(dropout)
    layer.linear2 = nn.Linear(dim_feedforward, d_model, bias=bias, **factory)
    layer.norm_first = norm_first  # type: ignore[assignment]
    blocks = range(1, len(attentions) + 2)
    for i in blocks:
        norm = nn.LayerNorm(d_model, eps=layer_norm_eps, bias=bias, **factory)
        layer.add_module(f"norm{i}", norm)
    for i in blocks:
        layer.add_module(f"dropout{i}", nn.Dropout(dropout))
    layer.activation = activation_of(activation)  # type: ignore[assignment]


def clones(layer: nn.Module, count: int) -> nn.ModuleList:
    """Return copies of a layer, with its weights."""
    return nn.ModuleList(copy.deepcopy(layer) for _ in range(count))


def whole(layer: nn.Module, theirs: type[nn.Module], attentions: tuple[str, ...]) -> bool:
    """Return whether nobody has overridden a block of torch's layer or hooked an attention."""
    blocks = [name for name in _BLOCKS if hasattr(theirs, name)]
    return (
        all(getattr(type(layer), name) is getattr(theirs, name) for name in blocks)
        and not any(name in vars(layer) for name in blocks)
        and all(bare(getattr(layer, name), MultiheadAttention) for name in attentions)
    )


def all_bare(layers: nn.ModuleList, kind: type[nn.Module]) -> bool:
    """Return whether a stack can be computed as one: nobody has hooked or replaced a layer."""
    return all(bare(layer, kind) and layer.whole() for layer in layers)  # type: ignore[operator]


def in_a_batch(padding: Tensor | None) -> Tensor | None:
    """Return the padding mask of one sentence as that of a batch."""
    return padding[None] if padding is not None and padding.dim() == 1 else padding
