"""LoRA: matrices stay as they are, and small additions to them are learnt.

A model comes in and gets additions B A of low rank to the matrices of its layers, all else frozen;
`merged` makes plain matrices of them again. Hu et al. 2021 (arXiv 2106.09685). `heedful.run` calls
it for a training that begins with another model.
"""

__all__ = ["add", "begin_with", "merged", "plain_name"]

import math

import torch
from torch import nn
from torch.nn.utils import parametrize

from heedful.shapes import Float, Tensor

SCALE = 2.0
"""What an addition is multiplied by: alpha over rank, with the usual alpha of twice the rank."""

_ORIGINAL = ".parametrizations.weight.original"


class _Addition(nn.Module):
    """A matrix [N K] becomes itself and `SCALE` B A; B is 0 at first."""

    def __init__(self, weight: Float[Tensor, "N K"], rank: int) -> None:
        super().__init__()
        self.b = nn.Parameter(weight.new_zeros(weight.shape[0], rank))
        self.a = nn.Parameter(weight.new_empty(rank, weight.shape[1]))
        nn.init.kaiming_uniform_(self.a, a=math.sqrt(5))

    def forward(self, weight: Float[Tensor, "N K"]) -> Float[Tensor, "N K"]:
        """Return the matrix that is computed with."""
        return weight + SCALE * (self.b @ self.a)


def add(model: nn.Module, rank: int) -> None:
    """Freeze all weights, and give every linear layer an addition of this rank."""
    for weight in model.parameters():
        weight.requires_grad_(False)
    for layer in [part for part in model.modules() if isinstance(part, nn.Linear)]:
        addition = _Addition(layer.weight, min(rank, *layer.weight.shape))
        parametrize.register_parametrization(layer, "weight", addition)


@torch.no_grad()
def begin_with(model: nn.Module, first: nn.Module) -> None:
    """Give a model the weights of another of its shape; additions, if it has any, stay."""
    found = dict(first.named_parameters())
    for name, weight in model.named_parameters():
        if (plain := plain_name(name)) in found:
            weight.copy_(found[plain])


def merged(model: nn.Module) -> None:
    """Make plain matrices of matrices and additions; without any, leave the model as it is."""
    for layer in [part for part in model.modules() if parametrize.is_parametrized(part, "weight")]:
        parametrize.remove_parametrizations(layer, "weight", leave_parametrized=True)
    for weight in model.parameters():
        weight.requires_grad_(True)


def plain_name(name: str) -> str:
    """Return what a weight is called in the model without additions.

    >>> plain_name("encoder.0.inner.parametrizations.weight.original")
    'encoder.0.inner.weight'
    """
    return name.replace(_ORIGINAL, ".weight")
