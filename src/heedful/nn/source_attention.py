"""Attention with one head, as it was before the Transformer: additive, dot, general.

A decoder's states ask, an encoder's states answer. The scores differ in how a query and a key are
compared; all else is equation 1 of the paper with one head, and looked into as that is.
"""

__all__ = ["Additive", "Dot", "General", "Looked", "Score", "SourceAttention"]

import math
from typing import Annotated, Literal, NamedTuple

from pydantic import Field
from torch import nn

from heedful.nn.attention import KeyValue, attention_scores, fused_attend
from heedful.nn.linear import Linear
from heedful.settings import Settings
from heedful.shapes import Bool, Float, Tensor


class Compared(NamedTuple):
    """Queries and keys whose scores are `Q K^T / sqrt(d_k) + bias`."""

    query: Float[Tensor, "B 1 Q K"]
    key: Float[Tensor, "B 1 S K"]
    bias: Float[Tensor, "B 1 Q S"] | None


class DotScore(nn.Module):
    """`q . W k`, or without the matrix W `q . k`."""

    def __init__(self, d_model: int, *, general: bool) -> None:
        super().__init__()
        self.key_proj = Linear(d_model, d_model, False) if general else nn.Identity()

    def keys(self, states: Float[Tensor, "B S D"]) -> Float[Tensor, "B S K"]:
        """Return what queries are compared with."""
        found: Tensor = self.key_proj(states)
        return found

    def compared(self, query: Float[Tensor, "B 1 Q D"], key: Float[Tensor, "B 1 S K"]) -> Compared:
        """Return queries that are not divided by sqrt(d_k) after all."""
        return Compared(query * math.sqrt(query.shape[-1]), key, None)


class AdditiveScore(nn.Module):
    """`v . tanh(W q + U k)` (Bahdanau et al. 2015, appendix A.1.2)."""

    def __init__(self, d_model: int) -> None:
        super().__init__()
        self.query_proj = Linear(d_model, d_model)
        self.key_proj = Linear(d_model, d_model, False)
        self.score_proj = Linear(d_model, 1, False)

    def keys(self, states: Float[Tensor, "B S D"]) -> Float[Tensor, "B S K"]:
        """Return `U k`."""
        found: Tensor = self.key_proj(states)
        return found

    def compared(self, query: Float[Tensor, "B 1 Q D"], key: Float[Tensor, "B 1 S K"]) -> Compared:
        """Return the scores, which are no products, as what is added to products of zeros."""
        both = (self.query_proj(query)[:, :, :, None] + key[:, :, None]).tanh()
        scores = self.score_proj(both).squeeze(-1)
        return Compared(query[..., :1] * 0, key[..., :1] * 0, scores)


class Dot(Settings):
    """`q . k` (Luong et al. 2015, equation 8); the paper's without its 1 / sqrt(d_k)."""

    kind: Literal["dot"] = "dot"

    def build(self, d_model: int) -> DotScore:
        """Return the module."""
        return DotScore(d_model, general=False)


class General(Settings):
    """`q . W k` (Luong et al. 2015, equation 8)."""

    kind: Literal["general"] = "general"

    def build(self, d_model: int) -> DotScore:
        """Return the module."""
        return DotScore(d_model, general=True)


class Additive(Settings):
    """`v . tanh(W q + U k)` (Bahdanau et al. 2015): d_model times the work of a product."""

    kind: Literal["additive"] = "additive"

    def build(self, d_model: int) -> AdditiveScore:
        """Return the module."""
        return AdditiveScore(d_model)


Score = Annotated[Dot | General | Additive, Field(discriminator="kind")]


class Looked(NamedTuple):
    """What was found in the source."""

    context: Float[Tensor, "R T D"]
    scores: Float[Tensor, "R 1 T S"] | None
    """What the softmax is taken of, if asked for."""


class SourceAttention(nn.Module):
    """Softmax over the source of one head's scores, and the values mixed by it."""

    n_heads = 1

    def __init__(self, d_model: int, score: Score) -> None:
        super().__init__()
        self.score = score.build(d_model)

    def memory(
        self, states: Float[Tensor, "B S D"], values: Float[Tensor, "B S D"] | None = None
    ) -> KeyValue:
        """Return keys and values of a source, made once; the values are the states if not given."""
        keys = self.score.keys(states)
        return KeyValue(keys[:, None], (states if values is None else values)[:, None])

    def look(
        self,
        query: Float[Tensor, "B 1 Q K"],
        memory: KeyValue,
        mask: Bool[Tensor, "#B #H #Q M"] | None,
        bias: Float[Tensor, "#B #H Q M"] | None,
        causal: bool,
    ) -> Float[Tensor, "B 1 Q V"]:
        """Return what is mixed of the values: the step that `heedful.inspect` looks into."""
        return fused_attend(query, memory.key, memory.value, mask, bias, causal)

    def forward(
        self,
        query: Float[Tensor, "R T D"],
        memory: KeyValue,
        mask: Bool[Tensor, "B 1 1 S"] | None,
        scored: bool = False,
    ) -> Looked:
        """Return the mixed values for each query.

        R rows may be a multiple W of the B sentences of the memory, which is not copied.
        """
        sentences = memory.key.shape[0]
        together = query.reshape(sentences, 1, -1, query.shape[-1])
        asked, key, bias = self.score.compared(together, memory.key)
        known = KeyValue(key, memory.value.to(asked.dtype))
        context = self.look(asked, known, mask, bias, False)
        scores = None
        if scored:
            scores = attention_scores(asked, key, mask, bias)
            scores = scores.reshape(*query.shape[:1], 1, query.shape[1], -1)
        return Looked(context.reshape(*query.shape[:2], -1), scores)
