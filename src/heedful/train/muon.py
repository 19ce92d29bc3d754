"""Muon: the matrices of the layers move by orthogonal steps, everything else by AdamW's.

Jordan et al. 2024 ("Muon: an optimizer for hidden layers"), with the scale of Liu et al. 2025
(arXiv 2502.16982, section 2.2), under which a matrix moves as far as AdamW would move it, so that
one learning rate serves both. PyTorch's own computes in bf16 alone, which most CPUs only imitate.
"""

__all__ = ["MOMENTUM", "Muon", "orthogonal"]

from collections import defaultdict
from collections.abc import Sequence
from typing import Any

import torch

from heedful.shapes import Float, Tensor

MOMENTUM = "momentum_buffer"
"""What a matrix has of state."""

_STEPS = 5
_A, _B, _C = 3.4445, -4.7750, 2.0315
"""Jordan et al.: the polynomial a x + b x^3 + c x^5 brings singular values near 1 in five steps."""


class Muon(torch.optim.AdamW):
    """The first group holds the matrices; the others are AdamW's."""

    def __init__(
        self,
        matrices: Sequence[Tensor],
        others: Sequence[dict[str, Any]],
        *,
        momentum: float,
        weight_decay: float,
        betas: tuple[float, float],
        eps: float,
    ) -> None:
        group = {"params": list(matrices), "weight_decay": weight_decay}
        super().__init__([group, *others], lr=0.0, betas=betas, eps=eps, fused=True)
        self.momentum = momentum

    @torch.no_grad()
    def step(self, closure: Any = None) -> None:  # type: ignore[override]
        """Move every weight that has a gradient."""
        groups = self.param_groups
        self._move(groups[0])
        try:
            self.param_groups = groups[1:]
            super().step(closure)
        finally:
            self.param_groups = groups

    def _move(self, group: dict[str, Any]) -> None:
        """Take a step with the matrices, those of one shape together."""
        alike = defaultdict[torch.Size, list[Tensor]](list)
        for weight in group["params"]:
            if weight.grad is not None:
                alike[weight.shape].append(weight)
        for shape, weights in alike.items():
            steps = orthogonal(torch.stack([self._gathered(weight) for weight in weights]))
            rate = group["lr"] * 0.2 * max(shape) ** 0.5
            for weight, one in zip(weights, steps, strict=True):
                weight.mul_(1 - group["lr"] * group["weight_decay"])
                weight.add_(one, alpha=-rate)

    def _gathered(self, weight: Tensor) -> Tensor:
        """Add a gradient to the momentum; return Nesterov's look ahead."""
        state, gradient = self.state[weight], weight.grad
        assert gradient is not None
        if MOMENTUM not in state:
            state[MOMENTUM] = torch.zeros_like(gradient)
        state[MOMENTUM].lerp_(gradient, 1 - self.momentum)
        return gradient.lerp(state[MOMENTUM], self.momentum)


def orthogonal(matrices: Float[Tensor, "B N K"]) -> Float[Tensor, "B N K"]:
    """Return about U V^T for each matrix U S V^T, by five steps of Newton and Schulz.

    Singular values come between 0.7 and 1.2. On a GPU it is computed in bf16.
    """
    wide = matrices.shape[1] > matrices.shape[2]
    x = matrices.mT if wide else matrices
    x = x.bfloat16() if x.device.type == "cuda" else x.float()
    x = x / x.norm(dim=(1, 2), keepdim=True).clamp(min=1e-7)
    for _ in range(_STEPS):
        gram = x @ x.mT
        x = _A * x + (_B * gram + _C * gram @ gram) @ x
    found: Tensor = (x.mT if wide else x).to(matrices.dtype)
    return found
