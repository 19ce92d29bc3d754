"""Normalisation, and where it stands around a sublayer.

`Norm` settings build the normalisation itself, `Residual` settings the wiring: the paper's
post-norm or pre-norm. Used by the layers of `heedful.models`.
"""

__all__ = ["LayerNorm", "Norm", "PostNorm", "PreNorm", "Residual", "ResidualBlock", "RMSNorm"]

from collections.abc import Callable
from typing import Annotated, Literal

from pydantic import Field
from torch import nn

from heedful.nn.dropout import Dropout
from heedful.settings import Settings
from heedful.shapes import Float, Tensor

Sublayer = Callable[[Tensor], Tensor]


class LayerNorm(Settings):
    """Layer normalisation (Ba et al. 2016, arXiv 1607.06450), the paper's."""

    kind: Literal["layer_norm"] = "layer_norm"
    eps: float = Field(1e-5, gt=0)
    """Added to the variance."""
    bias: bool = True
    """Whether there is a bias beside the gain."""

    def build(self, d_model: int) -> nn.Module:
        """Return the module."""
        return nn.LayerNorm(d_model, eps=self.eps, bias=self.bias)


class _RMSNorm(nn.RMSNorm):
    def forward(self, states: Float[Tensor, "*rows D"]) -> Float[Tensor, "*rows D"]:
        """Return the normalised states, in their own number format: PyTorch wants one for both."""
        weight = self.weight.to(states.dtype)
        return nn.functional.rms_norm(states, self.normalized_shape, weight, self.eps)


class RMSNorm(Settings):
    """Root-mean-square normalisation (Zhang and Sennrich 2019, arXiv 1910.07467)."""

    kind: Literal["rms_norm"] = "rms_norm"
    eps: float = Field(1e-6, gt=0)
    """Added to the mean square."""

    def build(self, d_model: int) -> nn.Module:
        """Return the module."""
        return _RMSNorm(d_model, eps=self.eps)


Norm = Annotated[LayerNorm | RMSNorm, Field(discriminator="kind")]


class _PostNormBlock(nn.Module):
    def __init__(self, norm: nn.Module, dropout: float) -> None:
        super().__init__()
        self.norm = norm
        self.dropout = Dropout(dropout)

    def forward(self, states: Float[Tensor, "B T D"], sublayer: Sublayer) -> Float[Tensor, "B T D"]:
        """Return `norm(x + dropout(sublayer(x)))` (section 3.1), in the format of x."""
        result: Tensor = self.norm(self.dropout(sublayer(states), onto=states))
        return result.to(states.dtype)  # autocast's norm gives float32 on a GPU


class _PreNormBlock(_PostNormBlock):
    def forward(self, states: Float[Tensor, "B T D"], sublayer: Sublayer) -> Float[Tensor, "B T D"]:
        """Return `x + dropout(sublayer(norm(x)))`."""
        result: Tensor = self.dropout(sublayer(self.norm(states)), onto=states)
        return result


ResidualBlock = _PostNormBlock | _PreNormBlock


class PostNorm(Settings):
    """The paper's wiring: normalise after adding, `norm(x + dropout(sublayer(x)))`."""

    kind: Literal["post_norm"] = "post_norm"
    final_norm: bool = False
    """Normalise once more at the end of a stack (torch.nn.Transformer does; the paper does not)."""

    def build(self, norm: nn.Module, dropout: float) -> ResidualBlock:
        """Return the wiring around one sublayer."""
        return _PostNormBlock(norm, dropout)


class PreNorm(Settings):
    """Normalise before the sublayer, `x + dropout(sublayer(norm(x)))` (arXiv 2002.04745)."""

    kind: Literal["pre_norm"] = "pre_norm"
    final_norm: bool = True
    """Normalise at the end of a stack, since nothing else bounds the sum."""

    def build(self, norm: nn.Module, dropout: float) -> ResidualBlock:
        """Return the wiring around one sublayer."""
        return _PreNormBlock(norm, dropout)


Residual = Annotated[PostNorm | PreNorm, Field(discriminator="kind")]
