"""Dropout (section 5.4) with cheap random numbers.

PyTorch draws one Bernoulli number an element, which took 17 to 23 % of a training step on CPU.
Here 64 bits decide four elements, 16 bits each: fresh and independent for every element, at a
rate exact to 1 / 65,536. On CPU the mask is a function of a drawn key and the element's place
(`heedful.kernels.dropout`), applied and added to the residual in one pass, and found again on the
way back; without numba it is drawn and kept.
"""

__all__ = ["Dropout", "dropout", "dropout_seed"]

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import torch
from torch import nn

from heedful.kernels import as_array, available
from heedful.nn.tracing import plain
from heedful.shapes import Bool, Float, Tensor

_LEVELS = 1 << 16


class _Draws(threading.local):
    """Where this thread's random numbers come from; None is torch's default generator."""

    generator: torch.Generator | None = None
    key: int | None = None


_here = _Draws()


@contextmanager
def dropout_seed(seed: int) -> Iterator[None]:
    """Draw all masks of this thread from `seed`, so that threads side by side do not share.

    Elsewhere masks come from torch's default generator.
    """
    _here.key = seed
    # torch's generator takes 32 bits of a seed
    _here.generator = torch.Generator().manual_seed((seed ^ seed >> 32) % 2**32)
    try:
        yield
    finally:
        _here.key = _here.generator = None


def _key() -> int:
    """Return 64 bits that no other mask of this seed has; as good as new ones for the kernel."""
    if _here.key is None:
        return int(torch.empty((), dtype=torch.int64).random_(-(2**63), None)) % 2**64
    _here.key = (_here.key + 1) % 2**64
    return _here.key


class _FusedDropout(torch.autograd.Function):
    """`onto + x * keep * scale` in one pass; masks are a function of a key and are not kept."""

    @staticmethod
    def forward(ctx: Any, states: Tensor, onto: Tensor | None, key: int, n_dropped: int) -> Tensor:
        ctx.key, ctx.n_dropped = key, n_dropped
        return _kept(states, onto, key, n_dropped)

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> tuple[Tensor, Tensor | None, None, None]:
        gradient = gradients[0].contiguous()
        onto = gradient if ctx.needs_input_grad[1] else None
        again = _FusedDropout.apply  # it is its own gradient's function too
        dropped = again(gradient, None, ctx.key, ctx.n_dropped)  # type: ignore[no-untyped-call]
        return dropped, onto, None, None


def _kept(states: Tensor, onto: Tensor | None, key: int, n_dropped: int) -> Tensor:
    from heedful.kernels.dropout import keep_scaled_add

    result = torch.empty_like(states)
    values = as_array(states).ravel()
    residual = values[:0] if onto is None else as_array(onto).ravel()
    keep_scaled_add(values, residual, as_array(result).ravel(), key, n_dropped)
    return result


def keep_mask(like: Float[Tensor, "*shape"], n_dropped: int) -> Bool[Tensor, "*shape"]:
    """Return a mask that is False with probability `n_dropped` / 65,536."""
    count = like.numel()
    words = torch.empty((count + 3) // 4, dtype=torch.int64, device=like.device)
    words.random_(-(2**63), None, generator=_here.generator)
    bits = words.view(torch.int16)[:count]
    return (bits >= n_dropped - _LEVELS // 2).view(like.shape)


class _DropoutFunction(torch.autograd.Function):
    """`x * keep * scale` where numba is not installed; the gradient goes through the same mask."""

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


def dropout(
    states: Float[Tensor, "*shape"], rate: float, onto: Float[Tensor, "*shape"] | None = None
) -> Float[Tensor, "*shape"]:
    """Return the states, each element zeroed with probability `rate` < 1, added to `onto`."""
    n_dropped = min(round(rate * _LEVELS), _LEVELS - 1)
    if n_dropped and _fusible(states, onto):
        fused = _FusedDropout.apply  # torch leaves it untyped
        aligned = None if onto is None else onto.contiguous()
        result: Tensor = fused(  # type: ignore[no-untyped-call]
            states.contiguous(), aligned, _key(), n_dropped
        )
        return result
    kept = _dropped(states, rate, n_dropped) if n_dropped else states
    return kept if onto is None else onto + kept


def _dropped(
    states: Float[Tensor, "*shape"], rate: float, n_dropped: int
) -> Float[Tensor, "*shape"]:
    if states.is_cuda or not plain(states):
        return nn.functional.dropout(states, rate)
    drop = _DropoutFunction.apply
    result: Tensor = drop(states.contiguous(), n_dropped)  # type: ignore[no-untyped-call]
    return result


def _fusible(states: Tensor, onto: Tensor | None) -> bool:
    """Return whether `heedful.kernels` has the whole sum for these numbers, on this machine."""
    return (
        plain(states)
        and states.device.type == "cpu"
        and states.dtype in (torch.float32, torch.bfloat16)
        and (onto is None or (onto.dtype == states.dtype and onto.shape == states.shape))
        and available()
    )


class Dropout(nn.Module):
    """Zero each element with probability `rate` in training and scale the others by 1/(1-rate).

    The rate is rounded to a multiple of 1 / 65,536. On CUDA it is PyTorch's own dropout, which
    is fast there.
    """

    def __init__(self, rate: float) -> None:
        super().__init__()
        self.rate = rate

    def forward(
        self, states: Float[Tensor, "*shape"], onto: Float[Tensor, "*shape"] | None = None
    ) -> Float[Tensor, "*shape"]:
        """Return the states with some elements zeroed, added to `onto`; outside training, all."""
        if self.training:
            return dropout(states, self.rate, onto)
        return states if onto is None else onto + states

    def extra_repr(self) -> str:
        return f"rate={self.rate}"
