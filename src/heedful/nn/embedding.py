"""Piece embeddings, scaled by sqrt(d_model), and which of the three matrices are one (section 3.4).

Models that were trained elsewhere may have them unscaled, a bias on the output, or other scales.

The three are: the source embedding, the target embedding and the projection before the softmax. A
model without an encoder has the last two, unscaled (`decoder_tables`).
"""

__all__ = ["Embedding", "OneInput", "Tables", "ThreeWay", "TwoWay", "Untied", "decoder_tables"]

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
    adds a learned number to every logit, 0 at first. `output_scale` is for the states that are
    projected, and applied by the model that makes them.
    """

    def __init__(
        self,
        source: nn.Embedding,
        target: nn.Embedding,
        output: nn.Embedding,
        scale: float | None = None,
        *,
        output_bias: bool = False,
        output_scale: float = 1.0,
    ) -> None:
        super().__init__()
        self.source = source
        self.target = target
        self.output = output
        self.scale = math.sqrt(source.embedding_dim) if scale is None else scale
        self.output_scale = output_scale
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

    def ready(self, states: Float[Tensor, "*rows D"]) -> Float[Tensor, "*rows D"]:
        """Return the decoder's last states as they are to be projected."""
        return states if self.output_scale == 1.0 else states * self.output_scale

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


def _check_shared(kind: str, source_size: int, target_size: int) -> None:
    """Raise SettingError for two vocabularies where one matrix is for both."""
    if source_size != target_size:
        raise SettingError(
            f"{kind} makes one matrix of vocabularies of {source_size:,} and "
            f"{target_size:,} pieces",
            where="--model.embedding.kind",
            fix="use two_way or untied",
        )


class _Ends(Settings):
    """What every kind can be told."""

    scaled: bool = True
    """Multiply embeddings by sqrt(d_model), as the paper does."""
    output_bias: bool = False
    """Add a learned number to every logit; the paper does not."""
    scaled_output: bool = False
    """Divide the states before the output matrix by sqrt(d_model), as T5 does where it is tied."""

    def _tables(self, source: nn.Embedding, target: nn.Embedding, output: nn.Embedding) -> Tables:
        scale = None if self.scaled else 1.0
        output_scale = output.embedding_dim**-0.5 if self.scaled_output else 1.0
        return Tables(
            source, target, output, scale, output_bias=self.output_bias, output_scale=output_scale
        )


class ThreeWay(_Ends):
    """The paper's: one matrix for all three; needs a shared vocabulary."""

    kind: Literal["three_way"] = "three_way"

    def build(self, source_size: int, target_size: int, d_model: int) -> Tables:
        """Return the tables; raises SettingError for two vocabularies."""
        _check_shared(self.kind, source_size, target_size)
        table = _table(target_size, d_model)
        return self._tables(table, table, table)


class TwoWay(_Ends):
    """The target embedding is the output matrix; the source has its own (Press and Wolf 2016)."""

    kind: Literal["two_way"] = "two_way"

    def build(self, source_size: int, target_size: int, d_model: int) -> Tables:
        """Return the tables."""
        target = _table(target_size, d_model)
        return self._tables(_table(source_size, d_model), target, target)


class OneInput(_Ends):
    """Source and target share an embedding, the output matrix is another (T5 v1.1)."""

    kind: Literal["one_input"] = "one_input"

    def build(self, source_size: int, target_size: int, d_model: int) -> Tables:
        """Return the tables; raises SettingError for two vocabularies."""
        _check_shared(self.kind, source_size, target_size)
        table = _table(target_size, d_model)
        return self._tables(table, table, _table(target_size, d_model))


class Untied(_Ends):
    """Three matrices."""

    kind: Literal["untied"] = "untied"

    def build(self, source_size: int, target_size: int, d_model: int) -> Tables:
        """Return the tables."""
        sizes = (source_size, target_size, target_size)
        source, target, output = (_table(size, d_model) for size in sizes)
        return self._tables(source, target, output)


Embedding = Annotated[ThreeWay | TwoWay | OneInput | Untied, Field(discriminator="kind")]
