"""Optimizers: settings in, a fused PyTorch optimizer out, whose state has parameter names."""

__all__ = ["Adam", "AdamW", "Optimizer", "load_state", "state_tensors"]

from typing import Annotated, Literal

import torch
from pydantic import Field
from torch import nn

from heedful.errors import ModelError
from heedful.settings import Settings
from heedful.train.sharding import put


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


Optimizer = Annotated[Adam | AdamW, Field(discriminator="kind")]


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
    """Put back what `state_tensors` returned; raises ModelError where a tensor is missing."""
    for name, weight in model.named_parameters():
        for moment in ("step", "exp_avg", "exp_avg_sq"):
            value = tensors.get(f"{name}/{moment}")
            if value is None:
                raise ModelError(f'the checkpoint has no optimizer state "{name}/{moment}"')
            if moment == "step":
                optimizer.state[weight][moment] = value.to(weight.device)
            else:
                optimizer.state[weight][moment] = torch.zeros_like(weight.detach())
                put(value, optimizer.state[weight][moment])
