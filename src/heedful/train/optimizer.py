"""Optimizers: settings in, a PyTorch optimizer out, whose state has parameter names.

Beside its moments a weight's state may hold its moving average (`follow`).
"""

__all__ = [
    "Adam",
    "AdamW",
    "Muon",
    "Optimizer",
    "averages",
    "follow",
    "load_state",
    "state_tensors",
]

from typing import Annotated, Literal

import torch
from pydantic import Field
from torch import nn

from heedful.errors import ModelError
from heedful.settings import Settings
from heedful.train import muon
from heedful.train.sharding import own, put

AVERAGE = "average"
"""The name of a moving average in a weight's state."""


class Adam(Settings):
    """Adam (Kingma and Ba 2014) with the paper's constants (section 5.3)."""

    kind: Literal["adam"] = "adam"
    beta1: float = Field(0.9, ge=0, lt=1)
    """Decay of the mean gradient."""
    beta2: float = Field(0.98, ge=0, lt=1)
    """Decay of the mean squared gradient."""
    eps: float = Field(1e-9, gt=0)
    """Added to the denominator."""

    def build(self, model: nn.Module) -> torch.optim.Optimizer:
        """Return the optimizer; the learning rate is set before every step."""
        betas = (self.beta1, self.beta2)
        return torch.optim.Adam(model.parameters(), lr=0.0, betas=betas, eps=self.eps, fused=True)


class AdamW(Settings):
    """Adam with decoupled weight decay on matrices (Loshchilov and Hutter 2017)."""

    kind: Literal["adamw"] = "adamw"
    beta1: float = Field(0.9, ge=0, lt=1)
    """Decay of the mean gradient."""
    beta2: float = Field(0.98, ge=0, lt=1)
    """Decay of the mean squared gradient."""
    eps: float = Field(1e-9, gt=0)
    """Added to the denominator."""
    weight_decay: float = Field(0.01, ge=0)
    """Share of a matrix taken off at each step, times the learning rate."""

    def build(self, model: nn.Module) -> torch.optim.Optimizer:
        """Return the optimizer; biases and norms are not decayed."""
        weights = list(model.parameters())
        groups = [
            {"params": [w for w in weights if w.ndim > 1], "weight_decay": self.weight_decay},
            {"params": [w for w in weights if w.ndim <= 1], "weight_decay": 0.0},
        ]
        betas = (self.beta1, self.beta2)
        return torch.optim.AdamW(groups, lr=0.0, betas=betas, eps=self.eps, fused=True)


class Muon(Settings):
    """Orthogonal steps for the matrices of the layers (Jordan et al. 2024), AdamW for the rest.

    Embeddings, biases and norms are the rest. One learning rate serves both (Liu et al. 2025).
    """

    kind: Literal["muon"] = "muon"
    momentum: float = Field(0.95, ge=0, lt=1)
    """Decay of a matrix's mean gradient."""
    beta1: float = Field(0.9, ge=0, lt=1)
    """Decay of the mean gradient of the rest."""
    beta2: float = Field(0.98, ge=0, lt=1)
    """Decay of its mean squared gradient."""
    eps: float = Field(1e-9, gt=0)
    """Added to the denominator."""
    weight_decay: float = Field(0.01, ge=0)
    """Share of a matrix, embeddings too, taken off at each step, times the learning rate."""

    def build(self, model: nn.Module) -> torch.optim.Optimizer:
        """Return the optimizer; biases and norms are not decayed."""
        linear = [part.weight for part in model.modules() if isinstance(part, nn.Linear)]
        known = {id(weight) for weight in linear}
        rest = [weight for weight in model.parameters() if id(weight) not in known]
        decayed = [weight for weight in rest if weight.ndim > 1]
        groups = [
            {"params": decayed, "weight_decay": self.weight_decay},
            {"params": [weight for weight in rest if weight.ndim <= 1], "weight_decay": 0.0},
        ]
        return muon.Muon(
            linear,
            [group for group in groups if group["params"]],
            momentum=self.momentum,
            weight_decay=self.weight_decay,
            betas=(self.beta1, self.beta2),
            eps=self.eps,
        )


Optimizer = Annotated[Adam | AdamW | Muon, Field(discriminator="kind")]


@torch.no_grad()
def follow(optimizer: torch.optim.Optimizer, model: nn.Module, decay: float) -> None:
    """Move the average of every weight that is learnt towards it, after a step of the optimizer."""
    averages, weights = list[torch.Tensor](), list[torch.Tensor]()
    for weight in model.parameters():
        if not weight.requires_grad:
            continue
        state = optimizer.state[weight]
        if AVERAGE not in state:
            state[AVERAGE] = weight.detach().clone()
        averages.append(own(state[AVERAGE]).rows)
        weights.append(own(weight).rows)
    torch._foreach_lerp_(averages, weights, 1 - decay)


def averages(tensors: dict[str, torch.Tensor]) -> dict[str, torch.Tensor]:
    """Return the moving averages among what `state_tensors` returned, by the weights' names."""
    ending = f"/{AVERAGE}"
    return {
        name.removesuffix(ending): value for name, value in tensors.items() if name.endswith(ending)
    }


def state_tensors(optimizer: torch.optim.Optimizer, model: nn.Module) -> dict[str, torch.Tensor]:
    """Return the optimizer's state as tensors named `weight name / moment`."""
    return {
        f"{name}/{moment}": value
        for name, weight in model.named_parameters()
        for moment, value in optimizer.state[weight].items()
    }


def load_state(
    optimizer: torch.optim.Optimizer, model: nn.Module, tensors: dict[str, torch.Tensor]
) -> None:
    """Put back what `state_tensors` returned; raises ModelError where a moment is missing."""
    orthogonal = optimizer.param_groups[0]["params"] if isinstance(optimizer, muon.Muon) else []
    matrices = {id(weight) for weight in orthogonal}
    for name, weight in model.named_parameters():
        if not weight.requires_grad:
            continue
        moments = (muon.MOMENTUM,) if id(weight) in matrices else ("step", "exp_avg", "exp_avg_sq")
        for moment in (*moments, AVERAGE):
            value = tensors.get(f"{name}/{moment}")
            if value is None:
                if moment == AVERAGE:
                    continue
                problem = f'the checkpoint has no optimizer state "{name}/{moment}"'
                fix = "go on with the --optimizer.kind that it was made with"
                raise ModelError(problem, fix=fix)
            if moment == "step":
                optimizer.state[weight][moment] = value.to(weight.device)
            else:
                optimizer.state[weight][moment] = torch.zeros_like(weight.detach())
                put(value, optimizer.state[weight][moment])
