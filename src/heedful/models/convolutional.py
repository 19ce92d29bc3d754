"""ConvS2S (Gehring et al. 2017, arXiv 1705.03122), and its encoder dilated, behind the seam.

Token ids and boolean masks come in, decoder states and logits go out, as of a Transformer.

    source ─ embed + position ─▶ [gated convolution] x N ─▶ memory
    target ─ embed + position ─▶ [causal gated convolution ─ attention to the memory] x N
"""

__all__ = ["Convolutional", "ConvolutionalCache", "ConvolutionalConfig"]

import math
from typing import Any, Literal

import torch
from pydantic import Field, field_validator, model_validator
from torch import nn

from heedful.models.seq2seq import Cache, Memory, check_alignment
from heedful.models.wiring import Decoded
from heedful.nn.attention import KeyValue
from heedful.nn.convolution import GatedConvolution, NormedLinear
from heedful.nn.dropout import Dropout
from heedful.nn.embedding import Embedding, ThreeWay
from heedful.nn.mask import unless_full
from heedful.nn.position import Learned
from heedful.nn.source_attention import Dot, Looked, SourceAttention
from heedful.settings import Settings
from heedful.shapes import Bool, Float, Int, Tensor

_HALF = math.sqrt(0.5)
"""What a sum of two is multiplied by, to keep its variance (section 3.2)."""


class ConvolutionalConfig(Settings):
    """The shape of a convolutional encoder-decoder; the defaults are a small ConvS2S."""

    kind: Literal["convolutional"] = "convolutional"
    d_model: int = Field(256, ge=2, le=65_536)
    """Width of every state."""
    encoder_layers: int = Field(4, ge=1, le=1024)
    """Layers that read the source."""
    decoder_layers: int = Field(3, ge=1, le=1024)
    """Layers that write the target, each with attention of its own."""
    kernel_size: int = Field(3, ge=2, le=63)
    """Inputs of a position in each layer; odd, so that the encoder sees as far both ways."""
    max_dilation: int = Field(1, ge=1, le=4096)
    """The inputs of encoder layers stand 1, 2, 4 and so on apart, up to this, then 1 again; 1: side
    by side, as in ConvS2S; 16 is ByteNet's (Kalchbrenner et al. 2016, arXiv 1610.10099)."""
    dropout: float = Field(0.2, ge=0, lt=1)
    """On embeddings, on the input of every convolution, and on the output."""
    max_length: int = Field(1024, ge=8, le=65_536)
    """The longest source or target, in pieces: places are learnt."""
    embedding: Embedding = ThreeWay(scaled=False)
    """Which embedding matrices are one; of every kind they are scaled only where that is asked."""
    alignment_layer: int | None = Field(None, ge=0)
    """Decoder layer, from 0, that has learnt to look at the source piece that is being translated
    (`objective.guided_alignment`); None: there is none."""

    @field_validator("embedding")
    @classmethod
    def _unscaled(cls, embedding: Embedding) -> Embedding:
        """Scale only where asked: attention's scores, not divided by anything, begin small so."""
        asked = "scaled" in embedding.model_fields_set
        return embedding if asked else embedding.model_copy(update={"scaled": False})

    @model_validator(mode="after")
    def _fits(self) -> "ConvolutionalConfig":
        if not self.kernel_size % 2:
            raise ValueError(f"kernel_size {self.kernel_size} has no middle: take an odd one")
        if self.max_dilation & (self.max_dilation - 1):
            raise ValueError(f"max_dilation {self.max_dilation} is no power of 2")
        check_alignment(self.alignment_layer, self.decoder_layers)
        return self

    @property
    def source_looks(self) -> int:
        """Return how many layers of attention look at the source."""
        return self.decoder_layers

    @property
    def n_heads(self) -> int:
        """Return how many heads each of them has."""
        return 1

    def build(self, source_size: int, target_size: int) -> "Convolutional":
        """Return the model, freshly initialised, for vocabularies of these sizes."""
        return Convolutional(self, source_size, target_size)

    def encoder_layer(self, number: int) -> GatedConvolution:
        """Return one of the encoder's layers."""
        dilation = 2 ** (number % self.max_dilation.bit_length())
        shape = (self.d_model, self.kernel_size, self.dropout)
        return GatedConvolution(*shape, causal=False, dilation=dilation)


class DecoderLayer(nn.Module):
    """A causal gated convolution, then attention to the memory (section 3.3)."""

    def __init__(self, config: ConvolutionalConfig) -> None:
        super().__init__()
        width = config.d_model
        shape = (width, config.kernel_size, config.dropout)
        self.convolution = GatedConvolution(*shape, causal=True)
        self.attention = SourceAttention(width, Dot())
        self.query_proj = NormedLinear(width, width, gain=1.0)
        self.context_proj = NormedLinear(width, width, gain=1.0)

    def forward(
        self,
        states: Float[Tensor, "R T D"],
        embedded: Float[Tensor, "R T D"],
        before: Float[Tensor, "R P D"] | None,
        known: "_Known",
        scored: bool,
    ) -> Decoded:
        """Return the next layer's states: `c = sum_j a_j (z_j + e_j)`, a over `(W h + g) . z`.

        A context of so many values has a smaller variance: it is multiplied by the square root of
        their number (section 3.5).
        """
        hidden = self.convolution(states, before)
        asked = (self.query_proj(hidden) + embedded) * _HALF
        looked: Looked = self.attention(asked, known.memory, known.mask, scored)
        rows = len(states) // len(known.roots)
        roots = known.roots.to(looked.context.dtype).repeat_interleave(rows)
        context = looked.context * roots[:, None, None]
        hidden = (self.context_proj(context) + hidden) * _HALF
        return Decoded((hidden + states) * _HALF, looked.scores)


class _Known:
    """What all layers look at, made once of a source."""

    def __init__(self, memory: Memory) -> None:
        [values] = memory.handed
        self.memory = KeyValue(memory.states[:, None], values[:, None])
        self.mask = unless_full(memory.mask)
        self.roots: Float[Tensor, " B"] = memory.mask.sum(1).sqrt()
        """Square roots of the numbers of real pieces."""

    def keep(self, sentences: Int[Tensor, " C"]) -> None:
        """Keep these sentences, in this order."""
        self.memory = KeyValue(*(side[sentences] for side in self.memory))
        self.mask = None if self.mask is None else self.mask[sentences]
        self.roots = self.roots[sentences]


class ConvolutionalCache:
    """The last inputs of every decoder layer, as many as a convolution needs, and the source."""

    def __init__(self, known: _Known, before: list[Float[Tensor, "R P D"]], most: int) -> None:
        self.known, self.before, self.max_length = known, before, most
        self.length = 0

    def advance(self, steps: int) -> None:
        """Count further positions; raises ValueError for more than the cache was made for."""
        if self.length + steps > self.max_length:
            raise ValueError(f"this cache was made for {self.max_length} positions, no more")
        self.length += steps

    def keep(self, layer: int, states: Float[Tensor, "R T D"]) -> Float[Tensor, "R P D"]:
        """Return a layer's inputs before these, and keep the last of all."""
        before = self.before[layer]
        joined = torch.cat([before, states.to(before.dtype)], 1)
        self.before[layer] = joined[:, joined.shape[1] - before.shape[1] :]
        return before

    def select(self, rows: Int[Tensor, " R"], sentences: Int[Tensor, " C"] | None = None) -> None:
        """Make row i a copy of the old row `rows[i]`; keep only `sentences`, if given."""
        self.before = [states[rows] for states in self.before]
        if sentences is not None:
            self.known.keep(sentences)


class Convolutional(nn.Module):
    """ConvS2S; satisfies `heedful.models.seq2seq.Seq2Seq`."""

    def __init__(self, config: ConvolutionalConfig, source_size: int, target_size: int) -> None:
        super().__init__()
        self.config = config
        self.tables = config.embedding.build(source_size, target_size, config.d_model)
        self.source_position = Learned().on_input(config.d_model, config.max_length)
        self.target_position = Learned().on_input(config.d_model, config.max_length)
        layers = range(config.encoder_layers)
        self.encoder = nn.ModuleList(config.encoder_layer(number) for number in layers)
        self.decoder = nn.ModuleList(DecoderLayer(config) for _ in range(config.decoder_layers))
        self.dropout = Dropout(config.dropout)

    def compile_layers(self, **options: Any) -> None:
        """Compile each layer by `torch.compile`, once for all lengths."""
        for layer in (*self.encoder, *self.decoder):
            layer.compile(dynamic=True, **options)

    def encode(self, source: Int[Tensor, "B S"], source_mask: Bool[Tensor, "B S"]) -> Memory:
        """Read the source; `Memory.handed` are the values, states with their embeddings.

        As each decoder layer sends a gradient back, the encoder's is divided by twice their number
        (section 3.5).
        """
        embedded = self.dropout(self.source_position(self.tables.embed_source(source), 0))
        real = source_mask[..., None].to(embedded.dtype)
        states = embedded * real
        for layer in self.encoder:
            states = (layer(states) + states) * _HALF * real
        share = 1 / (2 * self.config.decoder_layers)
        states = states.detach() + share * (states - states.detach())
        return Memory(states, source_mask, ((states + embedded) * _HALF,))

    def new_cache(self, memory: Memory, rows_per_sentence: int, max_length: int) -> Cache:
        """Return an empty cache for at most `max_length` positions of every row."""
        rows, width = memory.states.shape[0] * rows_per_sentence, self.config.d_model
        kept = (rows, self.config.kernel_size - 1, width)
        before = [memory.states.new_zeros(kept) for _ in self.decoder]
        return ConvolutionalCache(_Known(memory), before, max_length)

    def hidden(
        self,
        target_in: Int[Tensor, "R T"],
        memory: Memory,
        cache: Cache | None = None,
    ) -> Float[Tensor, "R T D"]:
        """Return the decoder's states; with a cache, of the positions that follow it."""
        return self._decoded(target_in, memory, cache, None)[0]

    def hidden_and_scores(
        self,
        target_in: Int[Tensor, "R T"],
        memory: Memory,
        layer: int,
        heads: int,
        cache: Cache | None = None,
    ) -> tuple[Float[Tensor, "R T D"], Float[Tensor, "R A T S"]]:
        """Return `hidden`, and the scores by which the one head of a layer looks at the source."""
        states, scores = self._decoded(target_in, memory, cache, layer)
        assert scores is not None
        return states, scores

    def _decoded(
        self,
        target_in: Int[Tensor, "R T"],
        memory: Memory,
        cache: Cache | None,
        scored: int | None,
    ) -> tuple[Float[Tensor, "R T D"], Float[Tensor, "R A T S"] | None]:
        """Return the decoder's states, and of the layer `scored` the scores."""
        assert cache is None or isinstance(cache, ConvolutionalCache)
        known = _Known(memory) if cache is None else cache.known
        start = 0 if cache is None else cache.length
        embedded = self.target_position(self.tables.embed_target(target_in), start)
        states = embedded = self.dropout(embedded)
        if cache is not None:
            cache.advance(target_in.shape[1])
        scores: Tensor | None = None
        for number, layer in enumerate(self.decoder):
            before = None if cache is None else cache.keep(number, states)
            states, found = layer(states, embedded, before, known, number == scored)
            scores = scores if found is None else found
        return self.tables.ready(self.dropout(states)), scores

    def project(
        self, hidden: Float[Tensor, "*rows D"], entries: Int[Tensor, " N"] | None = None
    ) -> Float[Tensor, "*rows N"]:
        """Return logits over the target vocabulary, or over the `entries` of it."""
        return self.tables.project(hidden, entries)
