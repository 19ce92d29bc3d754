"""Gated convolutions over sequences (Gehring et al. 2017), weights normed, as one product a layer.

States [B T D] come in and go out. The inputs of each position stand side by side, so that a
convolution is a matrix product: of 64 sentences of 16 pieces, 256 wide, 3 inputs each, forward and
back took 50 ms so, and 88 by PyTorch's convolution (one core, float32).
"""

__all__ = ["GatedConvolution", "NormedLinear"]

import math

import torch
from torch import nn

from heedful.nn.dropout import Dropout
from heedful.nn.linear import linear
from heedful.shapes import Float, Tensor


class NormedLinear(nn.Module):
    """`W x + b`, with the rows of W made of direction and length (Salimans and Kingma 2016).

    W begins as N(0, gain / n_in), which keeps a variance of 1 / gain (Gehring et al., section 3.5).
    """

    def __init__(self, n_in: int, n_out: int, gain: float) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.empty(n_out, n_in))
        self.length = nn.Parameter(torch.empty(n_out, 1))
        self.bias = nn.Parameter(torch.empty(n_out))
        nn.init.normal_(self.weight, std=math.sqrt(gain / n_in))
        nn.init.zeros_(self.bias)
        if not self.weight.is_meta:
            with torch.no_grad():
                self.length.copy_(self.weight.norm(dim=1, keepdim=True))

    def forward(self, inputs: Float[Tensor, "*rows E"]) -> Float[Tensor, "*rows D"]:
        """Return the product."""
        return linear(inputs, torch._weight_norm(self.weight, self.length, 0), self.bias)


class GatedConvolution(nn.Module):
    """`A * sigmoid(B)`, with A and B convolutions of the inputs (Dauphin et al. 2016).

    Position t is made of `size` inputs, `dilation` apart: the last of them is t itself if the layer
    is `causal`, the middle one otherwise.
    """

    def __init__(
        self, width: int, size: int, dropout: float, *, causal: bool, dilation: int = 1
    ) -> None:
        super().__init__()
        self.size, self.dilation, self.causal = size, dilation, causal
        self.dropout = Dropout(dropout)
        # a gate lets a quarter of the variance through, dropout lets its share come in
        self.inputs_proj = NormedLinear(size * width, 2 * width, gain=4 * (1 - dropout))

    @property
    def reach(self) -> int:
        """Return how many positions the first input of a position stands from the last."""
        return (self.size - 1) * self.dilation

    def forward(
        self, states: Float[Tensor, "B T D"], before: Float[Tensor, "B P D"] | None = None
    ) -> Float[Tensor, "B T D"]:
        """Return the gated sums; a causal layer may be given the `reach` inputs before the first.

        Where nothing stands, before the first and after the last, are zeros.
        """
        length, dropped = states.shape[1], self.dropout(states)
        if before is not None:
            wide = torch.cat([before.to(dropped.dtype), dropped], 1)
        else:
            left = self.reach if self.causal else self.reach // 2
            wide = nn.functional.pad(dropped, (0, 0, left, self.reach - left))
        starts = range(0, self.reach + 1, self.dilation)
        inputs = torch.cat([wide[:, start : start + length] for start in starts], -1)
        return nn.functional.glu(self.inputs_proj(inputs), dim=-1)
