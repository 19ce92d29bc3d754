"""Dropout (section 5.4) with cheap random numbers.

PyTorch draws one Bernoulli number an element, which took 17 to 23 % of a training step on CPU.
Here one 64-bit draw decides four elements, 16 bits each: fresh and independent for every element,
at a rate exact to 1 / 65,536.
"""

__all__ = ["Dropout", "dropout_seed"]

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import torch
from torch import nn

from heedful.shapes import Bool, Float, Tensor

_LEVELS = 1 << 16


_here = threading.local()


@contextmanager
def dropout_seed(seed: int) -> Iterator[None]:
    """Draw all masks of this thread from `seed`, so that threads side by side do not share.

    Elsewhere masks come from torch's default generator.
    """
    _here.generator = torch.Generator().manual_seed(seed)
    try:
        yield
    finally:
        del _here.generator


def keep_mask(like: Float[Tensor, "*shape"], n_dropped: int) -> Bool[Tensor, "*shape"]:
    """Return a mask that is False with probability `n_dropped` / 65,536."""
    count = like.numel()
    words = torch.empty((count + 3) // 4, dtype=torch.int64, device=like.device)
    words.random_(-(2**63), None, generator=getattr(_here, "generator", None))
    bits = words.view(torch.int16)[:count]
    return (bits >= n_dropped - _LEVELS // 2).view(like.shape)


class _DropoutFunction(torch.autograd.Function):
    """`x * keep * scale`; the backward pass is the same product on the gradient."""

    @staticmethod
    def forward(ctx: Any, states: Tensor, n_dropped: int) -> Tensor:
        keep = keep_mask(states, n_dropped)
        ctx.save_for_backward(keep)
        ctx.scale = _LEVELS / (_LEVELS - n_dropped)
        return torch.ops.aten.native_dropout_backward(  # type: ignore[no-any-return]
            states, keep, ctx.scale
        )

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> tuple[Tensor, None]:
        (keep,) = ctx.saved_tensors
        grad = torch.ops.aten.native_dropout_backward(gradients[0], keep, ctx.scale)
        return grad, None


class Dropout(nn.Module):
    """Zero each element with probability `rate` in training and scale the others by 1/(1-rate).

    The rate is rounded to a multiple of 1 / 65,536. On CUDA it is PyTorch's own dropout, which
    is fast there.
    """

    def __init__(self, rate: float) -> None:
        super().__init__()
        self.rate = rate
        self.n_dropped = min(round(rate * _LEVELS), _LEVELS - 1)

    def forward(
        self, states: Float[Tensor, "*shape"], onto: Float[Tensor, "*shape"] | None = None
    ) -> Float[Tensor, "*shape"]:
        """Return the states with some elements zeroed, added to `onto`; all of them untrained."""
        kept = self._dropped(states)
        return kept if onto is None else onto + kept

    def _dropped(self, states: Float[Tensor, "*shape"]) -> Float[Tensor, "*shape"]:
        if not self.training or self.n_dropped == 0:
            return states
        if states.is_cuda or torch.compiler.is_compiling():
            return nn.functional.dropout(states, self.rate)
        dropped = _DropoutFunction.apply  # torch leaves it untyped
        result: Tensor = dropped(states.contiguous(), self.n_dropped)  # type: ignore[no-untyped-call]
        return result

    def extra_repr(self) -> str:
        return f"rate={self.rate}"
