"""Products, dropout and the feed-forward block, with modules that are torch's own.

A layer keeps `torch.nn.Linear` and `torch.nn.Dropout`, so that a model can be quantised, adapted
or hooked as before. A bare one is computed the fast way; one that carries hooks, or that somebody
has replaced or compiled, is called.
"""

__all__ = ["bare", "dropped", "fed", "projected", "times"]

from collections.abc import Callable
from typing import Literal

import torch
from torch import nn
from torch.nn import functional as F
from torch.nn.modules.linear import NonDynamicallyQuantizableLinear

from heedful.nn.dropout import dropout
from heedful.nn.linear import has_product, linear, product
from heedful.shapes import Float, Tensor

Activation = Callable[[Tensor], Tensor]
After = Literal["none", "relu", "gelu"]

_LINEAR = (nn.Linear, NonDynamicallyQuantizableLinear)


def bare(module: nn.Module, *kinds: type[nn.Module]) -> bool:
    """Return whether a module is just one of these kinds: no subclass, hooked or compiled."""
    return type(module) in kinds and not (
        module._forward_hooks
        or module._forward_pre_hooks
        or module._backward_hooks
        or module._backward_pre_hooks
        or module._compiled_call_impl is not None
        or "forward" in vars(module)
        or nn.modules.module._has_any_global_hook()  # type: ignore[no-untyped-call]
    )


def times(
    states: Float[Tensor, "*rows D"],
    weight: Float[Tensor, "N D"],
    bias: Float[Tensor, " N"] | None,
    after: After = "none",
) -> Float[Tensor, "*rows N"]:
    """Return `after(states W^T + bias)`, on CPU by oneDNN, training or not."""
    if not torch.is_grad_enabled() and has_product(states, weight):
        return product(states, weight, bias, after)
    result = linear(states, weight, bias, after == "relu")
    return F.gelu(result) if after == "gelu" else result


def projected(module: nn.Module, states: Float[Tensor, "*rows D"]) -> Float[Tensor, "*rows N"]:
    """Return a `torch.nn.Linear` of the states, or whatever stands in its place."""
    if bare(module, *_LINEAR):
        return times(states, module.weight, module.bias)  # type: ignore[arg-type]
    result: Tensor = module(states)
    return result


def dropped(
    module: nn.Module, states: Float[Tensor, "*rows D"], onto: Float[Tensor, "*rows D"] | None
) -> Float[Tensor, "*rows D"]:
    """Return a `torch.nn.Dropout` of the states, added to `onto`, in one pass where it can be."""
    if not bare(module, nn.Dropout) or module.p >= 1:  # type: ignore[operator]
        states = module(states)
    elif module.training:
        return dropout(states, module.p, onto)  # type: ignore[arg-type]
    return states if onto is None else onto + states


def _after(activation: Activation) -> After | None:
    """Return the name of an activation that a product brings along, None for others."""
    if activation is F.relu or activation is torch.relu:
        return "relu"
    if activation is F.gelu:
        return "gelu"
    if isinstance(activation, nn.Module) and bare(activation, nn.ReLU, nn.GELU):
        exact = getattr(activation, "approximate", "none") == "none"
        return ("relu" if type(activation) is nn.ReLU else "gelu") if exact else None
    return None


def fed(
    layer: nn.TransformerEncoderLayer | nn.TransformerDecoderLayer,
    states: Float[Tensor, "*rows D"],
    last: nn.Module,
    onto: Float[Tensor, "*rows D"],
) -> Float[Tensor, "*rows D"]:
    """Return `onto + last(W_2 dropout(activation(W_1 states)))` (equation 2 of the paper)."""
    first, after = layer.linear1, _after(layer.activation)
    if after is not None and bare(first, *_LINEAR):
        hidden = times(states, first.weight, first.bias, after)
    else:
        hidden = layer.activation(projected(first, states))
    hidden = dropped(layer.dropout, hidden, None)
    return dropped(last, projected(layer.linear2, hidden), onto)
