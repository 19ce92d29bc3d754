"""Attention (section 3.2): the equation as a pure function, and the module that owns the weights.

`attend` and `attention_weights` are the definition, easy to read and to test. The module uses
PyTorch's scaled-dot-product kernel, which is the same function without the weights.
"""

__all__ = [
    "Attention",
    "GroupedQuery",
    "KeyValue",
    "MultiHead",
    "MultiHeadAttention",
    "attend",
    "attention_scores",
    "attention_weights",
    "check_heads",
]

import math
from typing import Annotated, Literal, NamedTuple

import torch
from pydantic import Field
from torch import nn
from torch.nn import functional as F

from heedful.nn.linear import Linear
from heedful.nn.mask import causal_mask
from heedful.nn.position import AttentionPosition, Place, Position, Rotary
from heedful.settings import Settings
from heedful.shapes import Bool, Float, Tensor

_SHORT = 128 * 128
"""Largest score matrix for which plain products are taken in training on CPU."""


def attention_scores(
    query: Float[Tensor, "B H Q K"],
    key: Float[Tensor, "B H M K"],
    mask: Bool[Tensor, "#B #H #Q M"] | None = None,
    bias: Float[Tensor, "#B #H #Q M"] | None = None,
) -> Float[Tensor, "B H Q M"]:
    """Return `Q K^T / sqrt(d_k) + bias`, the lowest number there is where the mask is False."""
    scores = torch.einsum("bhqk,bhmk->bhqm", query, key) / math.sqrt(query.shape[-1])
    if bias is not None:
        scores = scores + bias
    return scores if mask is None else scores.masked_fill(~mask, torch.finfo(scores.dtype).min)


def attention_weights(
    query: Float[Tensor, "B H Q K"],
    key: Float[Tensor, "B H M K"],
    mask: Bool[Tensor, "#B #H #Q M"] | None = None,
    bias: Float[Tensor, "#B #H #Q M"] | None = None,
) -> Float[Tensor, "B H Q M"]:
    """Return `softmax(Q K^T / sqrt(d_k) + bias)`; a query with nothing to attend gets zeros."""
    weights = attention_scores(query, key, mask, bias).softmax(dim=-1)
    return weights if mask is None else weights.masked_fill(~mask, 0.0)


def attend(
    query: Float[Tensor, "B H Q K"],
    key: Float[Tensor, "B H M K"],
    value: Float[Tensor, "B H M V"],
    mask: Bool[Tensor, "#B #H #Q M"] | None = None,
    bias: Float[Tensor, "#B #H #Q M"] | None = None,
) -> Float[Tensor, "B H Q V"]:
    """Return `Attention(Q, K, V) = softmax(Q K^T / sqrt(d_k)) V` (equation 1).

    `mask` is True where a query may look; `bias` is added to the scaled scores (ALiBi, Shaw).
    """
    weights = attention_weights(query, key, mask, bias)
    return torch.einsum("bhqm,bhmv->bhqv", weights, value)


def fused_attend(
    query: Float[Tensor, "B H Q K"],
    key: Float[Tensor, "B G M K"],
    value: Float[Tensor, "B G M V"],
    mask: Bool[Tensor, "#B #H #Q M"] | None = None,
    bias: Float[Tensor, "#B #H #Q M"] | None = None,
    causal: bool = False,
) -> Float[Tensor, "B H Q V"]:
    """Return the same as `attend`, from PyTorch's kernel where that is faster.

    G key heads may serve H = n G heads. `causal` is the mask of section 3.2.3, which the flash
    kernel of a GPU knows without being given it. On CPU the kernel's backward pass on short
    sentences costs 1.5 times the plain products (bf16, 3 + 3 layers of 256), so training takes
    those.
    """
    repeats = query.shape[1] // key.shape[1]
    plain = not query.is_cuda and not torch.compiler.is_compiling() and torch.is_grad_enabled()
    plain = plain and query.shape[2] * key.shape[2] <= _SHORT
    if plain:
        if repeats > 1:
            key, value = (x.repeat_interleave(repeats, dim=1) for x in (key, value))
        if causal:
            return _attend_before(query, key, value, bias)
        return attend(query, key, value, mask, bias)
    if causal and bias is not None:
        mask = causal_mask(query.shape[2], key.shape[2], query.device)[None, None]
        causal = False
    allowed: Tensor | None = mask
    if bias is not None:
        allowed = bias if mask is None else bias.masked_fill(~mask, float("-inf"))
    grouped = {"enable_gqa": True} if repeats > 1 else {}  # a symbolic bool breaks torch.compile
    return F.scaled_dot_product_attention(
        query, key, value, attn_mask=allowed, is_causal=causal, **grouped
    )


def _attend_before(
    query: Float[Tensor, "B H Q K"],
    key: Float[Tensor, "B H M K"],
    value: Float[Tensor, "B H M V"],
    bias: Float[Tensor, "#B #H Q M"] | None,
) -> Float[Tensor, "B H Q V"]:
    """Return `attend` with the causal mask, in half the time on CPU.

    Every query may look at itself, so that one sum with -inf above the diagonal is all the mask.
    """
    length, n_keys = query.shape[2], key.shape[2]
    later = query.new_full((length, n_keys), float("-inf")).triu(n_keys - length + 1)
    scores = (query / math.sqrt(query.shape[-1])) @ key.transpose(-1, -2)
    scores = scores + (later if bias is None else bias + later)
    return scores.softmax(dim=-1) @ value


class KeyValue(NamedTuple):
    """Keys and values of one attention layer, split into heads."""

    key: Float[Tensor, "B G M K"]
    value: Float[Tensor, "B G M K"]


class MultiHeadAttention(nn.Module):
    """`Concat(head_1, ..., head_h) W^O` (section 3.2.2); queries may share key-value heads.

    The projections carry biases, which the paper's equation does not show and most later
    implementations have, unless `bias` is False. `d_k` is d_model / n_heads if not given. Without
    `scaled` the scores are not divided by sqrt(d_k).
    """

    def __init__(
        self,
        d_model: int,
        n_heads: int,
        n_kv_heads: int,
        position: AttentionPosition,
        *,
        bias: bool = True,
        d_k: int | None = None,
        scaled: bool = True,
    ) -> None:
        super().__init__()
        self.n_heads = n_heads
        self.d_k = d_model // n_heads if d_k is None else d_k
        self.scaled = scaled
        self.query_proj = Linear(d_model, n_heads * self.d_k, bias)
        self.key_proj = Linear(d_model, n_kv_heads * self.d_k, bias)
        self.value_proj = Linear(d_model, n_kv_heads * self.d_k, bias)
        self.output_proj = Linear(n_heads * self.d_k, d_model, bias)
        self.position = position

    def _split(self, states: Float[Tensor, "B T E"]) -> Float[Tensor, "B H T K"]:
        batch, length, width = states.shape
        return states.view(batch, length, width // self.d_k, self.d_k).transpose(1, 2)

    def queries(self, states: Float[Tensor, "B Q D"], start: Place = 0) -> Float[Tensor, "B H Q K"]:
        """Return the queries of pieces at positions `start`, `start`+1, ..."""
        heads = self._split(self.query_proj(states))
        if not self.scaled:  # all that looks divides by sqrt(d_k)
            heads = heads * math.sqrt(self.d_k)
        return self.position.turn(heads, start)

    def keys_values(self, states: Float[Tensor, "B M D"], start: Place = 0) -> KeyValue:
        """Return the keys and values of pieces at positions `start`, `start`+1, ..."""
        key = self.position.turn(self._split(self.key_proj(states)), start)
        return KeyValue(key, self._split(self.value_proj(states)))

    def look(
        self,
        query: Float[Tensor, "B H Q K"],
        memory: KeyValue,
        mask: Bool[Tensor, "#B #H #Q M"] | None,
        bias: Float[Tensor, "#B #H Q M"] | None,
        causal: bool,
    ) -> Float[Tensor, "B H Q K"]:
        """Return what each head mixes of the values: the step that `heedful.inspect` looks into."""
        return fused_attend(query, memory.key, memory.value, mask, bias, causal)

    def forward(
        self,
        query: Float[Tensor, "R H Q K"],
        memory: KeyValue,
        mask: Bool[Tensor, "#B #H #Q M"] | None = None,
        causal: bool = False,
        start: Place | None = None,
    ) -> Float[Tensor, "R Q D"]:
        """Return the mixed values for each query; `causal` stands for that mask, in place of one.

        R rows may be a multiple W of the B sentences of `memory`: the W rows of a sentence then
        look at the same keys, which are not copied. The queries are the last of the keys, unless
        `start` says where the first of them stands.
        """
        rows, heads, length, d_k = query.shape
        sentences = memory.key.shape[0]
        together = query
        if rows != sentences:
            together = query.view(sentences, -1, heads, length, d_k).transpose(1, 2).flatten(2, 3)
        bias = self.position.bias(together, memory.key.shape[2], start)
        context = self.look(together, memory, mask, bias, causal)
        if rows != sentences:
            apart = context.reshape(sentences, heads, -1, length, d_k)
            context = apart.transpose(1, 2).flatten(0, 1)
        return self.joined(context)

    def joined(self, context: Float[Tensor, "R H Q K"]) -> Float[Tensor, "R Q D"]:
        """Return what the heads have mixed, side by side, through W^O."""
        result: Tensor = self.output_proj(context.transpose(1, 2).flatten(2))
        return result


class MultiHead(Settings):
    """The paper's: every head has queries, keys and values of its own (section 3.2.2)."""

    kind: Literal["multi_head"] = "multi_head"
    bias: bool = True
    """Whether the four projections have biases."""
    scaled: bool = True
    """Divide the scores by sqrt(d_k), as the paper does; T5 does not."""

    def build(
        self, d_model: int, n_heads: int, position: AttentionPosition, d_k: int | None = None
    ) -> MultiHeadAttention:
        """Return the module; heads are d_model / n_heads wide if `d_k` is not given."""
        options = {"bias": self.bias, "scaled": self.scaled}
        return MultiHeadAttention(d_model, n_heads, n_heads, position, d_k=d_k, **options)


class GroupedQuery(Settings):
    """Groups of heads share keys and values (Ainslie et al. 2023, arXiv 2305.13245)."""

    kind: Literal["grouped_query"] = "grouped_query"
    n_kv_heads: int = Field(2, ge=1)
    """Key-value heads; must divide the number of heads. 1 is multi-query attention."""
    bias: bool = True
    """Whether the four projections have biases."""

    def build(
        self, d_model: int, n_heads: int, position: AttentionPosition, d_k: int | None = None
    ) -> MultiHeadAttention:
        """Return the module; heads are d_model / n_heads wide if `d_k` is not given."""
        shape = (d_model, n_heads, self.n_kv_heads)
        return MultiHeadAttention(*shape, position, bias=self.bias, d_k=d_k)


Attention = Annotated[MultiHead | GroupedQuery, Field(discriminator="kind")]


def check_heads(
    d_model: int, n_heads: int, attention: Attention, position: Position, d_k: int | None = None
) -> None:
    """Raise ValueError unless heads can be made, as wide as `d_k` or d_model / n_heads."""
    if d_k is None and d_model % n_heads:
        raise ValueError(f"d_model {d_model} is not divisible by n_heads {n_heads}")
    if isinstance(attention, GroupedQuery) and n_heads % attention.n_kv_heads:
        kv_heads = attention.n_kv_heads
        raise ValueError(f"n_heads {n_heads} is not divisible by n_kv_heads {kv_heads}")
    if isinstance(position, Rotary) and (d_model // n_heads if d_k is None else d_k) % 2:
        named = "d_model / n_heads" if d_k is None else "d_k"
        raise ValueError(f"rotary positions need an even {named}")
