"""How far apart two predictions of the same pieces are, chunk by chunk of their rows.

States of two passes come in, a sum goes out; `heedful.objectives` makes R-Drop of it. Logits are
computed once more on the way back, so that those of a whole batch never exist.
"""

__all__ = ["symmetric_divergence"]

from collections.abc import Callable

import torch
from torch.utils.checkpoint import checkpoint

from heedful.shapes import Float, Tensor

_ROWS, _ROWS_ON_GPU = 1024, 8192
"""Rows whose logits exist at a time."""


def symmetric_divergence(
    first: Float[Tensor, "T D"],
    second: Float[Tensor, "T D"],
    project: Callable[[Tensor], Tensor],
) -> Float[Tensor, ""]:
    """Return the sum over rows of (KL(p || q) + KL(q || p)) / 2, in nats.

    p and q are the softmax of what `project` makes of a row of the first and of the second.
    """

    def of(one: Tensor, other: Tensor) -> Tensor:
        p, q = (project(states).float().log_softmax(-1) for states in (one, other))
        return ((p.exp() - q.exp()) * (p - q)).sum() / 2

    at_once = _ROWS_ON_GPU if first.is_cuda else _ROWS
    rows = zip(torch.split(first, at_once), torch.split(second, at_once), strict=True)
    parts = [
        checkpoint(of, one, other, use_reentrant=False, preserve_rng_state=False)
        for one, other in rows
    ]
    return torch.stack(parts).sum()
