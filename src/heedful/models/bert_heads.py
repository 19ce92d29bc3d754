"""What stands on an encoder and answers: masked words, labels, a number, a label a piece, a span.

Settings come in with the model's own and travel with it, modules go out; states become answers,
and answers a loss. `heedful.models.bert` puts one on, `heedful.objectives` trains it.
"""

__all__ = [
    "Head",
    "Labels",
    "MaskedWords",
    "MaskedWordsModule",
    "NoHead",
    "Span",
    "TokenLabels",
    "Value",
    "best_span",
]

from collections.abc import Callable
from typing import Annotated, ClassVar, Literal, Protocol, runtime_checkable

import torch
from pydantic import Field, field_validator
from torch import nn
from torch.nn.functional import cross_entropy, mse_loss

from heedful.nn.dropout import Dropout
from heedful.nn.linear import Linear, linear
from heedful.nn.norm import Norm
from heedful.settings import Settings
from heedful.shapes import Float, Int, Shaped, Tensor

UNASKED = -1
"""The label of a piece that nothing is asked of: padding, control pieces, ends of words."""


@runtime_checkable
class Body(Protocol):
    """What a head needs to know of the model that it stands on."""

    @property
    def d_model(self) -> int:
        """Width of every state."""
        ...

    @property
    def dropout(self) -> float:
        """Chance of an element to be left out in training."""
        ...

    @property
    def norm(self) -> Norm:
        """The normalisation."""
        ...


class MaskedWordsModule(nn.Module):
    """`E norm(gelu(W h + b)) + c`: the embedding matrix E is the model's own."""

    def __init__(self, body: Body, vocabulary_size: int) -> None:
        super().__init__()
        self.dense = Linear(body.d_model, body.d_model)
        self.norm = body.norm.build(body.d_model)
        self.bias = nn.Parameter(torch.zeros(vocabulary_size))

    def project(
        self,
        states: Float[Tensor, "*rows D"],
        table: Float[Tensor, "N D"],
        activation: Callable[[Tensor], Tensor],
        entries: Int[Tensor, " E"] | None,
    ) -> Float[Tensor, "*rows _"]:
        """Return logits over the vocabulary, or over the `entries` of it."""
        turned = self.norm(activation(self.dense(states)))
        if entries is None:
            return linear(turned, table, self.bias)
        return linear(turned, table[entries], self.bias[entries])


class _Answer(nn.Module):
    """`W dropout(h) + b`."""

    def __init__(self, d_model: int, n_answers: int, dropout: float) -> None:
        super().__init__()
        self.dropout = Dropout(dropout)
        self.dense = Linear(d_model, n_answers)

    def forward(self, states: Float[Tensor, "*rows D"]) -> Float[Tensor, "*rows L"]:
        """Return the answers for each state."""
        result: Tensor = self.dense(self.dropout(states))
        return result


class NoHead(Settings):
    """Nothing: states are all that the model gives."""

    pooled: ClassVar[bool] = False
    kind: Literal["none"] = "none"


class MaskedWords(Settings):
    """Says which piece stood where `[MASK]` stands (Devlin et al. 2019, section 3.1, task 1)."""

    pooled: ClassVar[bool] = False
    kind: Literal["masked_words"] = "masked_words"

    def build(self, body: Body, vocabulary_size: int) -> MaskedWordsModule:
        """Return the module."""
        return MaskedWordsModule(body, vocabulary_size)


class _OnStates(Settings):
    """What answers with a linear layer; `pooled`: on the pooled state of a text, else on each."""

    pooled: ClassVar[bool]

    @property
    def n_answers(self) -> int:
        """Numbers that it gives."""
        raise NotImplementedError

    def build(self, body: Body, vocabulary_size: int) -> _Answer:
        """Return the module."""
        return _Answer(body.d_model, self.n_answers, body.dropout)


def _named(names: tuple[str, ...]) -> tuple[str, ...]:
    if len(names) < 2:
        raise ValueError("there must be two labels at least")
    if len(set(names)) < len(names):
        raise ValueError("two labels have the same name")
    return names


class Labels(_OnStates):
    """One label for a text or a pair of texts."""

    pooled: ClassVar[bool] = True
    kind: Literal["labels"] = "labels"
    labels: tuple[str, ...] = ("0", "1")
    """Their names, in the order of the logits."""

    _check = field_validator("labels")(_named)

    @property
    def n_answers(self) -> int:
        """Logits: one a label."""
        return len(self.labels)

    def loss(self, answers: Float[Tensor, "B L"], targets: Int[Tensor, " B"]) -> Float[Tensor, ""]:
        """Return the sum of `-log softmax(answers)` of the right labels, in nats."""
        return cross_entropy(answers.float(), targets, reduction="sum")


class Value(_OnStates):
    """One number for a text or a pair of texts, such as how alike the two are."""

    pooled: ClassVar[bool] = True
    kind: Literal["value"] = "value"

    @property
    def n_answers(self) -> int:
        """One."""
        return 1

    def loss(
        self, answers: Float[Tensor, "B 1"], targets: Float[Tensor, " B"]
    ) -> Float[Tensor, ""]:
        """Return the sum of the squared errors."""
        return mse_loss(answers[:, 0].float(), targets, reduction="sum")


class TokenLabels(_OnStates):
    """A label for each piece, such as the kind of name that it is part of."""

    pooled: ClassVar[bool] = False
    kind: Literal["token_labels"] = "token_labels"
    labels: tuple[str, ...] = ("0", "1")
    """Their names, in the order of the logits."""

    _check = field_validator("labels")(_named)

    @property
    def n_answers(self) -> int:
        """Logits: one a label."""
        return len(self.labels)

    def loss(
        self, answers: Float[Tensor, "B S L"], targets: Int[Tensor, "B S"]
    ) -> Float[Tensor, ""]:
        """Return the sum over all pieces of which a label is asked; -1: none is."""
        logits = answers.flatten(0, 1).float()
        return cross_entropy(logits, targets.flatten(), ignore_index=UNASKED, reduction="sum")


class Span(_OnStates):
    """The first and the last piece of the passage that answers a question (section 4.2)."""

    pooled: ClassVar[bool] = False
    kind: Literal["span"] = "span"

    @property
    def n_answers(self) -> int:
        """Two: how likely a piece is the first, and the last."""
        return 2

    def build(self, body: Body, vocabulary_size: int) -> _Answer:
        """Return the module; BERT's has no dropout."""
        return _Answer(body.d_model, self.n_answers, 0.0)

    def loss(
        self, answers: Float[Tensor, "B S 2"], targets: Int[Tensor, "B 2"]
    ) -> Float[Tensor, ""]:
        """Return the sum of the mean cross-entropies of first and last piece, in nats.

        A place beyond the text counts for nothing.
        """
        length = answers.shape[1]
        asked = targets.where(targets < length, torch.full_like(targets, UNASKED))
        logits = answers.float().transpose(1, 2).flatten(0, 1)
        found = cross_entropy(logits, asked.flatten(), ignore_index=UNASKED, reduction="sum")
        return found / 2


def best_span(
    answers: Shaped[Tensor, "S 2"], most: int, allowed: Shaped[Tensor, " S"]
) -> tuple[int, int, float]:
    """Return the first and the last piece of the likeliest passage, and the sum of its logits.

    It has at most `most` pieces, all of them `allowed`, and its end is not before its beginning.
    """
    shut = torch.finfo(answers.dtype).min
    first, last = answers.masked_fill(~allowed[:, None], shut).unbind(1)
    scores = first[:, None] + last[None, :]
    within = torch.ones_like(scores, dtype=torch.bool).triu().tril(most - 1)
    place = int(scores.masked_fill(~within, -torch.inf).argmax())
    begin, end = divmod(place, len(first))
    return begin, end, float(scores[begin, end])


Head = Annotated[
    NoHead | MaskedWords | Labels | Value | TokenLabels | Span, Field(discriminator="kind")
]
