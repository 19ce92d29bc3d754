"""The Transformer of "Attention Is All You Need", encoder and decoder, behind the seam.

Token ids and boolean masks come in, decoder states and logits go out; it knows no files, no
vocabulary and no batches. `TransformerConfig` is the model's own settings and travels with it.

    source ─ embed + position ─▶ [self-attention ─ feed-forward] x N ─▶ memory
    target ─ embed + position ─▶ [masked self-attention ─ attention to memory ─ feed-forward] x N
"""

__all__ = [
    "Transformer",
    "TransformerCache",
    "TransformerConfig",
]

from typing import Any, Literal, cast

import torch
from pydantic import Field, model_validator
from torch import nn

from heedful.models.layers import DecoderLayer, EncoderLayer, lowered
from heedful.models.opening import Opening
from heedful.models.seq2seq import Cache, Memory, check_alignment
from heedful.nn.attention import (
    Attention,
    KeyValue,
    MultiHead,
    MultiHeadAttention,
    check_heads,
)
from heedful.nn.cache import LayerCache, SelfCache
from heedful.nn.dropout import Dropout
from heedful.nn.embedding import Embedding, ThreeWay
from heedful.nn.feedforward import FeedForward, ReLU
from heedful.nn.mask import causal_mask, unless_full
from heedful.nn.norm import LayerNorm, Norm, PostNorm, Residual, ResidualBlock
from heedful.nn.position import AttentionPosition, InputPosition, Place, Position, Sinusoidal
from heedful.settings import Settings
from heedful.shapes import Bool, Float, Int, Tensor


class TransformerConfig(Settings):
    """The shape of a Transformer; the defaults are the paper's base model (Table 3)."""

    kind: Literal["transformer"] = "transformer"
    d_model: int = Field(512, ge=2, le=65_536)
    """Width of every state."""
    d_ff: int = Field(2048, ge=1, le=1_048_576)
    """Inner width of the feed-forward networks."""
    n_heads: int = Field(8, ge=1, le=1024)
    """Attention heads; must divide d_model if d_k is not given."""
    d_k: int | None = Field(None, ge=1, le=65_536)
    """Width of a head; d_model / n_heads if not given."""
    encoder_layers: int = Field(6, ge=1, le=1024)
    """Layers that read the source."""
    decoder_layers: int = Field(6, ge=1, le=1024)
    """Layers that write the target."""
    dropout: float = Field(0.1, ge=0, lt=1)
    """P_drop of section 5.4: on every sublayer's output and on the embedded input."""
    max_length: int = Field(1024, ge=8, le=65_536)
    """The longest source or target, in pieces."""
    attention: Attention = MultiHead()
    """Multi-head or grouped-query attention."""
    position: Position = Sinusoidal()
    """How order is told."""
    feed_forward: FeedForward = ReLU()
    """The network after attention."""
    norm: Norm = LayerNorm()
    """The normalisation."""
    residual: Residual = PostNorm()
    """Where the normalisation stands."""
    embedding: Embedding = ThreeWay()
    """Which embedding matrices are one."""
    embedding_norm: bool = False
    """Whether embedded pieces are normalised before the first layer, as in BART; the paper's are
    not."""
    opening: Opening = Opening()
    """What the decoder reads before the first piece of a target."""
    alignment_layer: int | None = Field(None, ge=0)
    """Decoder layer, from 0, whose first head has learnt to look at the source piece that is being
    translated (`objective.guided_alignment`); None: there is none."""

    @model_validator(mode="after")
    def _fits(self) -> "TransformerConfig":
        check_heads(self.d_model, self.n_heads, self.attention, self.position, self.d_k)
        check_alignment(self.alignment_layer, self.decoder_layers)
        return self

    @property
    def source_looks(self) -> int:
        """Return how many layers of attention look at the source."""
        return self.decoder_layers

    @property
    def plain_ends(self) -> bool:
        """Whether pieces go into the layers as in the paper, so that kernels can embed them."""
        return not self.embedding_norm and self.opening == Opening()

    def build(self, source_size: int, target_size: int) -> "Transformer":
        """Return the model, freshly initialised, for vocabularies of these sizes."""
        return Transformer(self, source_size, target_size)

    def attention_module(self, position: AttentionPosition) -> MultiHeadAttention:
        """Return one attention sublayer."""
        return self.attention.build(self.d_model, self.n_heads, position, self.d_k)

    @property
    def head_width(self) -> int:
        """Return d_k, given or not."""
        return self.d_model // self.n_heads if self.d_k is None else self.d_k

    def residual_block(self) -> ResidualBlock:
        """Return the wiring around one sublayer."""
        return self.residual.build(self.norm.build(self.d_model), self.dropout)

    def final_norm(self) -> nn.Module:
        """Return what ends a stack of layers."""
        return self.norm.build(self.d_model) if self.residual.final_norm else nn.Identity()

    def input_norm(self) -> nn.Module:
        """Return what follows the embedding."""
        return self.norm.build(self.d_model) if self.embedding_norm else nn.Identity()

    def input_position(self) -> InputPosition:
        """Return what is added to the embeddings of one side."""
        return self.position.on_input(self.d_model, self.max_length + len(self.opening.before))


def _end(start: Place, length: int) -> int:
    """Return the position after the last of so many; several at once follow one start alone."""
    assert isinstance(start, int)
    return start + length


class TransformerCache:
    """The past of every decoder layer and the memory's keys and values, computed once."""

    def __init__(self, layers: list[LayerCache], tags: Int[Tensor, " R"] | None = None) -> None:
        self.layers = layers
        self.tags = tags
        """What each row is opened with, where that is told by the source."""

    @property
    def length(self) -> Place:
        """Positions decoded so far."""
        return self.layers[0].past.length

    def select(self, rows: Int[Tensor, " R"], sentences: Int[Tensor, " C"] | None = None) -> None:
        """Make row i a copy of the old row `rows[i]`; keep only `sentences`, if given."""
        for layer in self.layers:
            layer.select(rows, sentences)
        if self.tags is not None:
            self.tags = self.tags[rows]


class Transformer(nn.Module):
    """The model of the paper; satisfies `heedful.models.seq2seq.Seq2Seq`."""

    def __init__(self, config: TransformerConfig, source_size: int, target_size: int) -> None:
        super().__init__()
        self.config = config
        self.tables = config.embedding.build(source_size, target_size, config.d_model)
        heads, scheme = (config.n_heads, config.head_width), config.position
        reading = scheme.on_stack(config.encoder_layers, *heads, causal=False)
        writing = scheme.on_stack(config.decoder_layers, *heads, causal=True)
        self.encoder = nn.ModuleList(EncoderLayer(config, position) for position in reading)
        self.decoder = nn.ModuleList(DecoderLayer(config, position) for position in writing)
        self.encoder_norm = config.final_norm()
        self.decoder_norm = config.final_norm()
        self.source_position = config.input_position()
        self.target_position = config.input_position()
        self.source_norm = config.input_norm()
        self.target_norm = config.input_norm()
        self.dropout = Dropout(config.dropout)
        self._initialise()

    def _initialise(self) -> None:
        """Xavier-uniform matrices, zero biases; embeddings are drawn in `heedful.nn.embedding`."""
        for module in self.modules():
            if isinstance(module, nn.Linear):
                nn.init.xavier_uniform_(module.weight)
                if module.bias is not None:
                    nn.init.zeros_(module.bias)

    def compile_layers(self, **options: Any) -> None:
        """Compile each layer by `torch.compile`, once for all lengths and all layers of a stack.

        `options` go to torch.compile. Whole models take minutes longer and gain little.
        """
        # Sides that are as long in the first batch need not be so in the next.
        torch.fx.experimental._config.use_duck_shape = False
        for layer in self.every_layer():
            layer.compile(dynamic=True, **options)

    def every_layer(self) -> list[nn.Module]:
        """Return the layers of both stacks."""
        return [*self.encoder, *self.decoder]

    def encode(self, source: Int[Tensor, "B S"], source_mask: Bool[Tensor, "B S"]) -> Memory:
        """Read the source; padding (mask False) is attended by nobody."""
        embedded = self.tables.embed_source(source)
        handed: tuple[Tensor, ...] = ()
        if self.config.opening.tag:  # its row stays, so that states are those of the pieces
            handed, source_mask = (source[:, 0],), source_mask.clone()
            source_mask[:, 0] = False
            placed = self.source_position(embedded[:, 1:], 0)
            states = torch.cat([embedded[:, :1], placed], dim=1)
        else:
            states = self.source_position(embedded, 0)
        states = lowered(self.dropout(self.source_norm(states)))
        mask = unless_full(source_mask)
        for layer in self.encoder:
            states = layer(states, mask)
        return Memory(self.encoder_norm(states), source_mask, handed)

    def _memory_keys(self, memory: Memory) -> list[KeyValue]:
        layers = cast("list[DecoderLayer]", list(self.decoder))
        return [layer.cross_attention.keys_values(memory.states) for layer in layers]

    def new_cache(self, memory: Memory, rows_per_sentence: int, max_length: int) -> Cache:
        """Return an empty cache for at most `max_length` positions of every row."""
        rows, before = memory.states.shape[0] * rows_per_sentence, self.config.opening.before
        most = max_length + len(before)
        cache = TransformerCache(
            [LayerCache(SelfCache(rows, most), keys) for keys in self._memory_keys(memory)],
            self._tags(memory, rows),
        )
        if before:
            read = torch.tensor(before, device=memory.states.device)
            self._decoded(read.expand(rows, -1), memory, cache)
        return cache

    def _tags(self, memory: Memory, rows: int) -> Int[Tensor, " R"] | None:
        """Return what each row is opened with; None where the source does not tell."""
        if not self.config.opening.tag:
            return None
        return memory.handed[0].repeat_interleave(rows // len(memory.handed[0]))

    def hidden(
        self,
        target_in: Int[Tensor, "R T"],
        memory: Memory,
        cache: Cache | None = None,
    ) -> Float[Tensor, "R T D"]:
        """Return the decoder's states; with a cache, of the positions that follow it."""
        return self._decoded(target_in, memory, cache)[0]

    def hidden_and_scores(
        self,
        target_in: Int[Tensor, "R T"],
        memory: Memory,
        layer: int,
        heads: int,
        cache: Cache | None = None,
    ) -> tuple[Float[Tensor, "R T D"], Float[Tensor, "R A T S"]]:
        """Return `hidden`, and the scores by which the first heads of a layer look at the source.

        Row t of the T is where piece t of `target_in` is read and the piece after it written.
        """
        states, scores = self._decoded(target_in, memory, cache, scored=(layer, heads))
        assert scores is not None
        return states, scores

    def _decoded(
        self,
        target_in: Int[Tensor, "R T"],
        memory: Memory,
        cache: Cache | None = None,
        scored: tuple[int, int] | None = None,
    ) -> tuple[Float[Tensor, "R T D"], Float[Tensor, "R A T S"] | None]:
        """Return the decoder's states; of the layer `scored` the scores of so many heads."""
        assert cache is None or isinstance(cache, TransformerCache)
        scores: Tensor | None = None
        start = cache.length if cache is not None else 0
        opening = self.config.opening
        tags = self._tags(memory, len(target_in)) if cache is None else cache.tags
        if tags is not None and (cache is None or start == len(opening.before)):
            target_in = opening.named(target_in, tags)
        if cache is None and opening.before:
            target_in = opening.begun(target_in)
        length = target_in.shape[1]
        states = self.target_position(self.tables.embed_target(target_in), start)
        states = lowered(self.dropout(self.target_norm(states)))
        known_mask = cache is None and states.is_cuda  # the flash kernel needs no mask for it
        shown = length > 1 and not known_mask
        mask = causal_mask(length, _end(start, length), states.device) if shown else None
        memory_mask = unless_full(memory.mask)
        for number, layer in enumerate(self.decoder):
            known = memory.states if cache is None else cache.layers[number].memory
            past = None if cache is None else cache.layers[number].past
            if scored is not None and number == scored[0]:
                states, scores = layer(states, mask, known, memory_mask, past, scored[1])
            else:
                states = layer(states, mask, known, memory_mask, past).states
        states = self.tables.ready(self.decoder_norm(states))
        if cache is None and opening.before:
            first = len(opening.before)
            return states[:, first:], None if scores is None else scores[:, :, first:]
        return states, scores

    def project(
        self, hidden: Float[Tensor, "*rows D"], entries: Int[Tensor, " N"] | None = None
    ) -> Float[Tensor, "*rows N"]:
        """Return logits over the target vocabulary, or over the `entries` of it."""
        return self.tables.project(hidden, entries)
