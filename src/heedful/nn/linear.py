"""A product with weights, its bias and ReLU, as one oneDNN call where that trains faster.

In float32 `F.linear` takes MKL's product, which on AMD processors is the slower one, and adds bias
and ReLU in passes of their own: on one Zen 4 core oneDNN made 99 GFLOP/s against 85 (2,043 x 256 x
256), a step of training became 1.1 to 1.18 times as fast. In bf16, where PyTorch takes oneDNN by
itself, nothing was gained. Only training in float32 on CPU goes this way; the rest is `F.linear`.
"""

__all__ = ["Linear", "linear"]

from typing import Any, Literal

import torch
from torch import nn

from heedful.nn.tracing import plain
from heedful.shapes import Float, Tensor

_LAID_STRAIGHT = range(512, 8_000)
"""Widths of a layer, the larger of its two, for which oneDNN finds the weights' gradient faster."""


def linear(
    states: Float[Tensor, "*rows D"],
    weight: Float[Tensor, "N D"],
    bias: Float[Tensor, " N"] | None = None,
    relu: bool = False,
) -> Float[Tensor, "*rows N"]:
    """Return `states W^T + bias`, negative numbers made zero if `relu`."""
    if _fusible(states, weight):
        fused = _FusedLinear.apply  # torch leaves it untyped
        result: Tensor = fused(states, weight, bias, relu)  # type: ignore[no-untyped-call]
        return result
    product = nn.functional.linear(states, weight, bias)
    return product.relu() if relu else product


def _fusible(states: Tensor, weight: Tensor) -> bool:
    """Return whether this is a step of training that oneDNN computes faster."""
    in_full = states.dtype == torch.float32
    return in_full and torch.is_grad_enabled() and has_product(states, weight)


def has_product(states: Tensor, weight: Tensor) -> bool:
    """Return whether oneDNN can be asked: plain tensors on CPU, in a format that it has."""
    return (
        plain(states, weight)
        and states.device.type == weight.device.type == "cpu"
        and states.dtype == weight.dtype
        and states.dtype in (torch.float32, torch.bfloat16)
        and not torch.is_autocast_enabled("cpu")
        and states.numel() > 0
        and bool(torch.backends.mkldnn.enabled)
        and hasattr(torch.ops.mkldnn, "_linear_pointwise")
        and (states.dtype == torch.float32 or torch.ops.mkldnn._is_mkldnn_bf16_supported())
    )


def product(
    states: Float[Tensor, "*rows D"],
    weight: Float[Tensor, "N D"],
    bias: Float[Tensor, " N"] | None,
    after: Literal["none", "relu", "gelu"] = "none",
) -> Float[Tensor, "*rows N"]:
    """Return `after(states W^T + bias)`, by oneDNN; no gradient goes through it."""
    exact = "none"  # the way to compute GELU
    result: Tensor = torch.ops.mkldnn._linear_pointwise(states, weight, bias, after, [], exact)
    return result


def _weight_gradient(gradient: Tensor, rows: Tensor) -> Tensor:
    """Return `gradient^T rows`.

    oneDNN is slow while its first factor lies across, so the narrower one is laid straight first.
    MKL takes both as they lie, which is as fast for few weights, and faster for the many of a
    vocabulary. With 2 x 2,048 rows the whole gradient of the base model took 0.91 of the time
    that it takes with MKL alone, that of 3 + 3 layers of 256 took 0.96.
    """
    n_out, n_in = gradient.shape[1], rows.shape[1]
    if max(n_out, n_in) not in _LAID_STRAIGHT:
        return gradient.t() @ rows
    if n_out <= n_in:
        return product(gradient.t().contiguous(), rows.t(), None, "none")
    return product(rows.t().contiguous(), gradient.t(), None, "none").t().contiguous()


class _FusedLinear(torch.autograd.Function):
    """The product, bias and ReLU forward; the two products of the way back."""

    @staticmethod
    def forward(
        ctx: Any, states: Tensor, weight: Tensor, bias: Tensor | None, relu: bool
    ) -> Tensor:
        rows = states.reshape(-1, states.shape[-1])
        result = product(rows, weight, bias, "relu" if relu else "none")
        ctx.save_for_backward(states, weight, result if relu else None)
        return result.view(*states.shape[:-1], -1)

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> tuple[Tensor | None, ...]:
        states, weight, result = ctx.saved_tensors
        gradient = gradients[0].reshape(-1, weight.shape[0])
        rows = states.reshape(-1, states.shape[-1])
        if result is not None:
            gradient = torch.ops.aten.threshold_backward(gradient, result, 0)
        to_states, to_weight, to_bias = ctx.needs_input_grad[:3]
        if torch.is_grad_enabled():  # the gradient itself is to be differentiated
            found = (gradient @ weight if to_states else None, gradient.t() @ rows)
        else:
            back = product(gradient, weight.t(), None) if to_states else None
            found = (back, _weight_gradient(gradient, rows) if to_weight else None)
        return (
            found[0].view_as(states) if found[0] is not None else None,
            found[1] if to_weight else None,
            gradient.sum(0) if to_bias else None,
            None,
        )


class Linear(nn.Linear):
    """`nn.Linear`, followed by a ReLU if `relu`."""

    def __init__(self, n_in: int, n_out: int, bias: bool = True, *, relu: bool = False) -> None:
        super().__init__(n_in, n_out, bias)
        self.relu = relu

    def forward(self, states: Float[Tensor, "*rows D"]) -> Float[Tensor, "*rows N"]:
        """Return the product."""
        return linear(states, self.weight, self.bias, self.relu)
