"""The layers of a Transformer: one that reads, and one that writes with a look at a memory."""

__all__ = ["Decoded", "DecoderLayer", "EncoderLayer", "LayerShape", "lowered"]

from typing import NamedTuple, Protocol, runtime_checkable

import torch
from torch import nn

from heedful.nn.attention import (
    KeyValue,
    MultiHeadAttention,
    attention_scores,
)
from heedful.nn.cache import SelfCache
from heedful.nn.feedforward import FeedForward
from heedful.nn.norm import ResidualBlock
from heedful.nn.placed import PlacedCache, PlacedMemory
from heedful.nn.position import AttentionPosition
from heedful.shapes import Bool, Float, Tensor


def lowered(states: Float[Tensor, "B T D"]) -> Float[Tensor, "B T D"]:
    """Return the states in autocast's number format, where autocast is on.

    What follows stays in it: sums and norms read and write half the bytes, and no product has to
    convert its input. Norms and softmax compute in float32 inside.
    """
    kind = states.device.type
    if kind == "meta" or not torch.is_autocast_enabled(kind):
        return states
    return states.to(torch.get_autocast_dtype(kind))


@runtime_checkable
class LayerShape(Protocol):
    """What a layer that reads is built from: settings of the Transformer, or of BERT."""

    @property
    def d_model(self) -> int:
        """Width of every state."""
        ...

    @property
    def d_ff(self) -> int:
        """Inner width of the feed-forward network."""
        ...

    @property
    def feed_forward(self) -> FeedForward:
        """The network after attention."""
        ...

    def attention_module(self, position: AttentionPosition) -> MultiHeadAttention:
        """Return one attention sublayer."""
        ...

    def residual_block(self) -> ResidualBlock:
        """Return the wiring around one sublayer."""
        ...


class EncoderLayer(nn.Module):
    """Self-attention, then feed-forward, each with its residual connection (section 3.1)."""

    def __init__(self, config: LayerShape, position: AttentionPosition) -> None:
        super().__init__()
        self.attention = config.attention_module(position)
        self.attention_block = config.residual_block()
        self.feed_forward = config.feed_forward.build(config.d_model, config.d_ff)
        self.feed_forward_block = config.residual_block()

    def forward(
        self, states: Float[Tensor, "B S D"], mask: Bool[Tensor, "B #H #Q S"] | None
    ) -> Float[Tensor, "B S D"]:
        """Return the next layer's states."""

        def look(x: Tensor) -> Tensor:
            attended: Tensor = self.attention(
                self.attention.queries(x), self.attention.keys_values(x), mask
            )
            return attended

        states = self.attention_block(states, look)
        result: Tensor = self.feed_forward_block(states, self.feed_forward)
        return result


class Decoded(NamedTuple):
    """What a decoder layer gives."""

    states: Float[Tensor, "R T D"]
    scores: Float[Tensor, "R A T S"] | None
    """What the softmax of the first A heads that look at the source is taken of, if asked for."""


class DecoderLayer(nn.Module):
    """Masked self-attention, attention to the memory, feed-forward (section 3.1)."""

    def __init__(self, config: LayerShape, position: AttentionPosition) -> None:
        super().__init__()
        self.attention = config.attention_module(position)
        self.attention_block = config.residual_block()
        self.cross_attention = config.attention_module(AttentionPosition())
        self.cross_attention_block = config.residual_block()
        self.feed_forward = config.feed_forward.build(config.d_model, config.d_ff)
        self.feed_forward_block = config.residual_block()

    def forward(
        self,
        states: Float[Tensor, "R T D"],
        mask: Bool[Tensor, "#T M"] | None,
        memory: KeyValue | PlacedMemory | Float[Tensor, "B S D"],
        memory_mask: Bool[Tensor, "B 1 1 S"] | None,
        past: SelfCache | PlacedCache | None,
        scored_heads: int = 0,
    ) -> Decoded:
        """Return the next layer's states; `past` is read and extended.

        `memory` is the encoder's states, or the keys and values already made of them. Without a
        mask and a past, the mask is the causal one. The scores of the first `scored_heads` heads,
        which the fused kernel does not tell, are computed once more.
        """
        scores: Tensor | None = None

        def look_back(x: Tensor) -> Tensor:
            start = past.length if past is not None else 0
            keys = self.attention.keys_values(x, start)
            if isinstance(past, PlacedCache):
                queries = self.attention.queries(x, start)
                return self.attention.joined(past.attend(queries, keys, self.attention.position))
            known = past.append(keys) if past is not None else keys
            grid = None if mask is None else mask[None, None]
            causal = mask is None and past is None
            attended: Tensor = self.attention(self.attention.queries(x, start), known, grid, causal)
            return attended

        def look_across(x: Tensor) -> Tensor:
            nonlocal scores
            across = self.cross_attention
            if isinstance(memory, PlacedMemory):
                return across.joined(memory.attend(across.queries(x)))
            seen = across.keys_values(memory) if isinstance(memory, Tensor) else memory
            queries = across.queries(x)
            if scored_heads:
                served = queries.shape[1] // seen.key.shape[1]
                keys = seen.key.repeat_interleave(served, dim=1)[:, :scored_heads]
                scores = _scores(queries[:, :scored_heads], keys, memory_mask)
            attended: Tensor = across(queries, seen, memory_mask)
            return attended

        states = self.attention_block(states, look_back)
        states = self.cross_attention_block(states, look_across)
        return Decoded(self.feed_forward_block(states, self.feed_forward), scores)


def _scores(
    query: Float[Tensor, "R A T K"],
    key: Float[Tensor, "B A S K"],
    mask: Bool[Tensor, "B 1 1 S"] | None,
) -> Float[Tensor, "R A T S"]:
    """Return the scores of R rows, a multiple of the sentences."""
    copies = query.shape[0] // key.shape[0]
    mask = None if mask is None else mask.repeat_interleave(copies, dim=0)
    return attention_scores(query, key.repeat_interleave(copies, dim=0), mask)
