"""How a recurrent decoder and attention are joined: after Sutskever, Bahdanau, Luong and GNMT.

A stack of layers, embedded pieces and what is known from before come in, states go out. Where
attention asks with the states of a whole sequence, a layer computes the sequence at once; where a
step needs what the step before has found, steps follow each other.
"""

__all__ = ["GNMT", "Bahdanau", "Decoded", "Luong", "NoAttention", "Past", "SourceUse"]

from dataclasses import dataclass
from typing import Annotated, ClassVar, Literal, NamedTuple

import torch
from pydantic import Field
from torch import nn

from heedful.nn.attention import KeyValue
from heedful.nn.dropout import Dropout
from heedful.nn.linear import Linear
from heedful.nn.recurrent import Stack, State
from heedful.nn.source_attention import Additive, General, Looked, Score, SourceAttention
from heedful.settings import Settings
from heedful.shapes import Bool, Float, Tensor


@dataclass
class Past:
    """What a decoder goes on from."""

    states: list[State]
    """What each layer remembers."""
    memory: KeyValue | None
    """Keys and values of the source; None without attention."""
    mask: Bool[Tensor, "B 1 1 S"] | None
    """Which of them are real; None: all."""
    fed: Float[Tensor, "R 1 D"] | None = None
    """With input feeding, the step before; None before the first."""


class Decoded(NamedTuple):
    """What a decoder gives."""

    states: Float[Tensor, "R T D"]
    scores: Float[Tensor, "R 1 T S"] | None
    """What the softmax over the source is taken of, if asked for."""


class Unattended(nn.Module):
    """The layers alone: all that is known of the source is what they begin with."""

    attention = None

    def forward(
        self, stack: Stack, embedded: Float[Tensor, "R T D"], past: Past, scored: bool
    ) -> Decoded:
        """Return the states of the last layer."""
        states, past.states = stack(embedded, past.states)
        return Decoded(states, None)


class FromBefore(nn.Module):
    """The first layer asks before each step, with its state after the step before.

    What it finds goes into the layer with the piece, and into the output: tanh(W [s; c; y]), where
    Bahdanau et al. (appendix A.2.2) have a maxout. The layers above take all steps at once.
    """

    def __init__(self, d_model: int, dropout: float, score: Score) -> None:
        super().__init__()
        self.attention = SourceAttention(d_model, score)
        self.output_proj = Linear(3 * d_model, d_model)
        self.dropout = Dropout(dropout)

    def forward(
        self, stack: Stack, embedded: Float[Tensor, "R T D"], past: Past, scored: bool
    ) -> Decoded:
        """Return the states; `past` is read and extended."""
        assert past.memory is not None
        given = stack.dropout(embedded)
        found: list[Looked] = []
        bottom, state = [], past.states[0]
        for piece in torch.split(given, 1, dim=1):
            found.append(self.attention(state[0][:, None], past.memory, past.mask, scored))
            inputs = torch.cat([piece, found[-1].context.to(piece.dtype)], -1)
            hidden, state = stack.layers[0](inputs, state)
            bottom.append(hidden)
        states, ends = stack(torch.cat(bottom, 1), past.states[1:], first=1)
        past.states = [state, *ends]
        context = torch.cat([one.context for one in found], 1).to(states.dtype)
        joined = torch.cat([states, context, given.to(states.dtype)], -1)
        return Decoded(self.output_proj(self.dropout(joined)).tanh(), _joined(found))


class FromTop(nn.Module):
    """The last layer asks after each step: h~ = tanh(W [c; h]) is the output.

    With input feeding h~ goes into the next step with the piece, which then must wait for it;
    without, all steps are computed at once.
    """

    def __init__(self, d_model: int, dropout: float, score: Score, *, input_feeding: bool) -> None:
        super().__init__()
        self.attention = SourceAttention(d_model, score)
        self.output_proj = Linear(2 * d_model, d_model)
        self.dropout = Dropout(dropout)
        self.input_feeding = input_feeding

    def forward(
        self, stack: Stack, embedded: Float[Tensor, "R T D"], past: Past, scored: bool
    ) -> Decoded:
        """Return h~; `past` is read and extended."""
        if not self.input_feeding:
            states, past.states = stack(embedded, past.states)
            return self._attended(states, past, scored)
        fed = torch.zeros_like(embedded[:, :1]) if past.fed is None else past.fed
        steps: list[Decoded] = []
        for piece in torch.split(embedded, 1, dim=1):
            inputs = torch.cat([piece, fed.to(piece.dtype)], -1)
            hidden, past.states = stack(inputs, past.states)
            steps.append(self._attended(hidden, past, scored))
            fed = steps[-1].states
        past.fed = fed
        return Decoded(torch.cat([step.states for step in steps], 1), _joined(steps))

    def _attended(self, states: Float[Tensor, "R T D"], past: Past, scored: bool) -> Decoded:
        assert past.memory is not None
        asked = self.dropout(states)
        found: Looked = self.attention(asked, past.memory, past.mask, scored)
        joined = torch.cat([found.context.to(asked.dtype), asked], -1)
        return Decoded(self.output_proj(joined).tanh(), found.scores)


class FromBottom(nn.Module):
    """The first layer asks, and what it finds goes into all layers above, at once for all steps.

    As in NVIDIA's implementation of GNMT, the layer asks at the step itself; Wu et al. (2016,
    section 3) let it ask a step earlier, so that steps would have to follow each other.
    """

    def __init__(self, d_model: int, dropout: float, score: Score) -> None:
        super().__init__()
        self.attention = SourceAttention(d_model, score)
        self.dropout = Dropout(dropout)

    def forward(
        self, stack: Stack, embedded: Float[Tensor, "R T D"], past: Past, scored: bool
    ) -> Decoded:
        """Return the states of the last layer; `past` is read and extended."""
        assert past.memory is not None
        bottom, end = stack.layers[0](stack.dropout(embedded), past.states[0])
        found: Looked = self.attention(bottom, past.memory, past.mask, scored)
        context = self.dropout(found.context)
        states, ends = stack(bottom, past.states[1:], beside=context, first=1)
        past.states = [end, *ends]
        return Decoded(states, found.scores)


def _joined(steps: "list[Looked] | list[Decoded]") -> Float[Tensor, "R 1 T S"] | None:
    """Return the scores of all steps."""
    scores = [step.scores for step in steps if step.scores is not None]
    return torch.cat(scores, 2) if scores else None


class NoAttention(Settings):
    """None: the decoder begins with what the encoder remembers (Sutskever et al. 2014)."""

    looks: ClassVar[bool] = False
    kind: Literal["none"] = "none"

    def build(self, d_model: int, dropout: float) -> Unattended:
        """Return the module."""
        return Unattended()

    def beside(self, layer: int) -> bool:
        """Return whether something found, or found before, goes into a decoder layer, too."""
        return False


class Bahdanau(Settings):
    """The first decoder layer looks before each step (Bahdanau et al. 2015, arXiv 1409.0473)."""

    looks: ClassVar[bool] = True
    kind: Literal["bahdanau"] = "bahdanau"
    score: Score = Additive()
    """How a query and a key are compared."""

    def build(self, d_model: int, dropout: float) -> FromBefore:
        """Return the module."""
        return FromBefore(d_model, dropout, self.score)

    def beside(self, layer: int) -> bool:
        """Return whether something found, or found before, goes into a decoder layer, too."""
        return layer == 0


class Luong(Settings):
    """The last decoder layer looks after each step (Luong et al. 2015, arXiv 1508.04025)."""

    looks: ClassVar[bool] = True
    kind: Literal["luong"] = "luong"
    score: Score = General()
    """How a query and a key are compared."""
    input_feeding: bool = True
    """Whether what was found goes into the next step (section 3.3); false: the steps of a known
    target are computed at once."""

    def build(self, d_model: int, dropout: float) -> FromTop:
        """Return the module."""
        return FromTop(d_model, dropout, self.score, input_feeding=self.input_feeding)

    def beside(self, layer: int) -> bool:
        """Return whether something found, or found before, goes into a decoder layer, too."""
        return self.input_feeding and layer == 0


class GNMT(Settings):
    """The first decoder layer looks, for all above it (Wu et al. 2016, arXiv 1609.08144)."""

    looks: ClassVar[bool] = True
    kind: Literal["gnmt"] = "gnmt"
    score: Score = Additive()
    """How a query and a key are compared."""

    def build(self, d_model: int, dropout: float) -> FromBottom:
        """Return the module."""
        return FromBottom(d_model, dropout, self.score)

    def beside(self, layer: int) -> bool:
        """Return whether something found, or found before, goes into a decoder layer, too."""
        return layer > 0


SourceUse = Annotated[NoAttention | Bahdanau | Luong | GNMT, Field(discriminator="kind")]
