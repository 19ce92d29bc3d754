"""The position-wise feed-forward network (section 3.3) and its successors."""

__all__ = ["GEGLU", "GELU", "FeedForward", "GELUTanh", "ReLU", "SwiGLU", "Swish", "activation_of"]

from collections.abc import Callable
from functools import partial
from typing import Annotated, Literal

from pydantic import Field
from torch import nn
from torch.nn import functional as F

from heedful.nn.linear import Linear
from heedful.settings import Settings
from heedful.shapes import Float, Tensor


class _TwoLinear(nn.Module):
    def __init__(
        self,
        d_model: int,
        d_ff: int,
        bias: bool,
        activation: Callable[[Tensor], Tensor] | None = None,
    ) -> None:
        super().__init__()
        self.inner = Linear(d_model, d_ff, bias, relu=activation is None)
        self.outer = Linear(d_ff, d_model, bias)
        self.activation = activation

    def forward(self, states: Float[Tensor, "B T D"]) -> Float[Tensor, "B T D"]:
        """Return `activation(x W1 + b1) W2 + b2` (equation 2); without an activation, ReLU."""
        hidden = self.inner(states)
        result: Tensor = self.outer(self.activation(hidden) if self.activation else hidden)
        return result


class _Gated(nn.Module):
    def __init__(
        self, d_model: int, d_ff: int, activation: Callable[[Tensor], Tensor] = F.silu
    ) -> None:
        super().__init__()
        self.activation = activation
        self.gate = Linear(d_model, d_ff, bias=False)
        self.inner = Linear(d_model, d_ff, bias=False)
        self.outer = Linear(d_ff, d_model, bias=False)

    def forward(self, states: Float[Tensor, "B T D"]) -> Float[Tensor, "B T D"]:
        """Return `(activation(x Wg) * (x W1)) W2`."""
        result: Tensor = self.outer(self.activation(self.gate(states)) * self.inner(states))
        return result


class ReLU(Settings):
    """The paper's: `max(0, x W1 + b1) W2 + b2`."""

    kind: Literal["relu"] = "relu"
    bias: bool = True
    """Whether the two products have biases."""

    def build(self, d_model: int, d_ff: int) -> nn.Module:
        """Return the module."""
        return _TwoLinear(d_model, d_ff, self.bias)


class GELU(Settings):
    """GELU in ReLU's place (Hendrycks and Gimpel 2016, arXiv 1606.08415), as in BERT."""

    kind: Literal["gelu"] = "gelu"
    bias: bool = True
    """Whether the two products have biases."""

    def build(self, d_model: int, d_ff: int) -> nn.Module:
        """Return the module."""
        return _TwoLinear(d_model, d_ff, self.bias, F.gelu)


class GELUTanh(Settings):
    """GELU by its approximation, `x/2 (1 + tanh(sqrt(2/pi) (x + 0.044715 x^3)))`, as in GPT-2.

    Section 2 of Hendrycks and Gimpel; it differs from GELU by 0.0005 at most.
    """

    kind: Literal["gelu_tanh"] = "gelu_tanh"
    bias: bool = True
    """Whether the two products have biases."""

    def build(self, d_model: int, d_ff: int) -> nn.Module:
        """Return the module."""
        return _TwoLinear(d_model, d_ff, self.bias, partial(F.gelu, approximate="tanh"))


class Swish(Settings):
    """`x sigmoid(x)` in ReLU's place (Ramachandran et al. 2017, arXiv 1710.05941), as in Marian."""

    kind: Literal["swish"] = "swish"
    bias: bool = True
    """Whether both products add a bias."""

    def build(self, d_model: int, d_ff: int) -> nn.Module:
        """Return the module."""
        return _TwoLinear(d_model, d_ff, self.bias, F.silu)


class SwiGLU(Settings):
    """A gated unit without biases (Shazeer 2020, arXiv 2002.05202); three matrices of d_ff."""

    kind: Literal["swiglu"] = "swiglu"

    def build(self, d_model: int, d_ff: int) -> nn.Module:
        """Return the module."""
        return _Gated(d_model, d_ff)


class GEGLU(Settings):
    """The same with GELU, by its approximation, on the gate (Shazeer 2020), as in T5 v1.1."""

    kind: Literal["geglu"] = "geglu"

    def build(self, d_model: int, d_ff: int) -> nn.Module:
        """Return the module."""
        return _Gated(d_model, d_ff, partial(F.gelu, approximate="tanh"))


FeedForward = Annotated[
    ReLU | GELU | GELUTanh | Swish | SwiGLU | GEGLU, Field(discriminator="kind")
]


def activation_of(settings: FeedForward) -> Callable[[Tensor], Tensor]:
    """Return the function between the two matrices, or before the product of a gated unit."""
    return _ACTIVATIONS[settings.kind]


_ACTIVATIONS: dict[str, Callable[[Tensor], Tensor]] = {
    "relu": F.relu,
    "gelu": F.gelu,
    "gelu_tanh": partial(F.gelu, approximate="tanh"),
    "geglu": partial(F.gelu, approximate="tanh"),
    "swiglu": F.silu,
    "swish": F.silu,
}
