"""Piece embeddings, scaled by sqrt(d_model), and which of the three matrices are one (section 3.4).

Models that were trained elsewhere may have them unscaled, and a bias on the output.

The three are: the source embedding, the target embedding and the projection before the softmax. A
model without an encoder has the last two, unscaled (`decoder_tables`).
"""

__all__ = ["Embedding", "Tables", "ThreeWay", "TwoWay", "Untied", "decoder_tables"]

import math
from typing import Annotated, Literal

import torch
from pydantic import Field
from torch import nn

from heedful.errors import SettingError
from heedful.nn.linear import linear
from heedful.settings import Settings
from heedful.shapes import Float, Int, Tensor


class Tables(nn.Module):
    """The source, target and output matrices; tied ones are the same parameter.

    The embeddings are multiplied by `scale`, which is sqrt(d_model) if not given; `output_bias`
    adds a learned number to every logit, 0 at first.
    """

    def __init__(
        self,
        source: nn.Embedding,
        target: nn.Embedding,
        output: nn.Embedding,
        scale: float | None = None,
        *,
        output_bias: bool = False,
    ) -> None:
        super().__init__()
        self.source = source
        self.target = target
        self.output = output
        self.scale = math.sqrt(source.embedding_dim) if scale is None else scale
        self.bias: nn.Parameter | None = None
        if output_bias:
            self.bias = nn.Parameter(torch.zeros(output.num_embeddings))

    def embed_source(self, tokens: Int[Tensor, "B S"]) -> Float[Tensor, "B S D"]:
        """Return `scale * E[tokens]`."""
        states: Tensor = self.source(tokens)
        return states * self.scale

    def embed_target(self, tokens: Int[Tensor, "B T"]) -> Float[Tensor, "B T D"]:
        """Return `scale * E[tokens]`."""
        states: Tensor = self.target(tokens)
        return states * self.scale

    def project(
        self, hidden: Float[Tensor, "*rows D"], entries: Int[Tensor, " N"] | None
    ) -> Float[Tensor, "*rows N"]:
        """Return `hidden E^T`, with the bias if there is one, over all entries or some of them."""
        weight: Tensor = self.output.weight
        bias: Tensor | None = self.bias
        if entries is not None:
            weight, bias = weight[entries], None if bias is None else bias[entries]
        return linear(hidden, weight, bias)


def _table(size: int, d_model: int) -> nn.Embedding:
    """Return a table drawn from N(0, 1/d_model), so that scaled embeddings have variance 1."""
    table = nn.Embedding(size, d_model)
    nn.init.normal_(table.weight, std=d_model**-0.5)
    return table


def decoder_tables(size: int, d_model: int, *, tied: bool) -> Tables:
    """Return the matrices of a model without an encoder, whose embeddings are not scaled."""
    table = _table(size, d_model)
    return Tables(table, table, table if tied else _table(size, d_model), scale=1.0)


class _Ends(Settings):
    """What every kind can be told."""

    scaled: bool = True
    """Multiply embeddings by sqrt(d_model), as the paper does."""
    output_bias: bool = False
    """Add a learned number to every logit; the paper does not."""

    def _tables(self, source: nn.Embedding, target: nn.Embedding, output: nn.Embedding) -> Tables:
        scale = None if self.scaled else 1.0
        return Tables(source, target, output, scale, output_bias=self.output_bias)


class ThreeWay(_Ends):
    """The paper's: one matrix for all three; needs a shared vocabulary."""

    kind: Literal["three_way"] = "three_way"

    def build(self, source_size: int, target_size: int, d_model: int) -> Tables:
        """Return the tables; raises SettingError for two vocabularies."""
        if source_size != target_size:
            raise SettingError(
                f"three_way makes one matrix of vocabularies of {source_size:,} and "
                f"{target_size:,} pieces",
                where="--model.embedding.kind",
                fix="use two_way or untied",
            )
        table = _table(target_size, d_model)
        return self._tables(table, table, table)


class TwoWay(_Ends):
    """The target embedding is the output matrix; the source has its own (Press and Wolf 2016)."""

    kind: Literal["two_way"] = "two_way"

    def build(self, source_size: int, target_size: int, d_model: int) -> Tables:
        """Return the tables."""
        target = _table(target_size, d_model)
        return self._tables(_table(source_size, d_model), target, target)


class Untied(_Ends):
    """Three matrices."""

    kind: Literal["untied"] = "untied"

    def build(self, source_size: int, target_size: int, d_model: int) -> Tables:
        """Return the tables."""
        sizes = (source_size, target_size, target_size)
        source, target, output = (_table(size, d_model) for size in sizes)
        return self._tables(source, target, output)


Embedding = Annotated[ThreeWay | TwoWay | Untied, Field(discriminator="kind")]
