"""LSTM and GRU encoder-decoders, with and without attention, behind the seam.

Token ids and boolean masks come in, decoder states and logits go out, as of a Transformer. How the
decoder uses the source is one setting, `attention`; see `heedful.models.wiring`.

    source ─ embed ─▶ [recurrent layer, both ways] x N ─▶ memory, and what each layer remembers
    target ─ embed ─▶ [recurrent layer] x N, with attention to the memory ─▶ states
"""

__all__ = ["Recurrent", "RecurrentCache", "RecurrentConfig"]

from typing import Any, Literal

import torch
from pydantic import Field, model_validator
from torch import nn

from heedful.models.seq2seq import Cache, Memory
from heedful.models.wiring import GNMT, Decoded, Luong, Past, SourceUse
from heedful.nn.attention import KeyValue
from heedful.nn.dropout import Dropout
from heedful.nn.embedding import Embedding, ThreeWay
from heedful.nn.linear import Linear
from heedful.nn.mask import unless_full
from heedful.nn.recurrent import LSTM, Cell, RecurrentLayer, Stack
from heedful.settings import Settings
from heedful.shapes import Bool, Float, Int, Tensor


class RecurrentConfig(Settings):
    """The shape of a recurrent encoder-decoder; the defaults are Luong et al. 2015 in small."""

    kind: Literal["recurrent"] = "recurrent"
    d_model: int = Field(512, ge=2, le=65_536)
    """Width of every state."""
    encoder_layers: int = Field(2, ge=1, le=1024)
    """Layers that read the source."""
    decoder_layers: int = Field(2, ge=1, le=1024)
    """Layers that write the target."""
    dropout: float = Field(0.2, ge=0, lt=1)
    """On the input of every layer and on the last one's output."""
    max_length: int = Field(1024, ge=8, le=65_536)
    """The longest source or target, in pieces; no weight depends on it."""
    cell: Cell = LSTM()
    """What a layer computes at each step."""
    attention: SourceUse = Luong()
    """How the decoder uses the source."""
    direction: Literal["forward", "backward", "both", "first_both"] = "both"
    """Which way the encoder reads: backward, so that both beginnings are near (Sutskever), both
    ways, half as wide each, or so in the first layer and forward in those above (GNMT)."""
    residual: bool = False
    """Whether layers add to what the layer below has made, from the second on (GNMT)."""
    embedding: Embedding = ThreeWay()
    """Which embedding matrices are one."""
    alignment_layer: Literal[0] | None = None
    """0 where attention has learnt to look at the source piece that is being translated
    (`objective.guided_alignment`); None: it has not."""

    @model_validator(mode="after")
    def _fits(self) -> "RecurrentConfig":
        if self.direction.endswith("both") and self.d_model % 2:
            raise ValueError(
                f"d_model {self.d_model} has no halves for two ways: take an even one or "
                "direction forward"
            )
        if isinstance(self.attention, GNMT) and self.decoder_layers < 2:
            raise ValueError(
                "attention gnmt hands what the first decoder layer finds to those above it: take "
                "decoder_layers 2 or more"
            )
        if self.residual and max(self.encoder_layers, self.decoder_layers) < 2:
            raise ValueError(
                "residual adds what one layer makes to another's: take encoder_layers or "
                "decoder_layers 2 or more"
            )
        if self.alignment_layer is not None and not self.attention.looks:
            raise ValueError("alignment_layer needs attention of another kind than none")
        return self

    @property
    def source_looks(self) -> int:
        """Return how many layers of attention look at the source."""
        return int(self.attention.looks)

    @property
    def n_heads(self) -> int:
        """Return how many heads each of them has."""
        return 1

    def build(self, source_size: int, target_size: int) -> "Recurrent":
        """Return the model, freshly initialised, for vocabularies of these sizes."""
        return Recurrent(self, source_size, target_size)

    def encoder_stack(self) -> Stack:
        """Return the encoder's layers."""
        width = self.d_model
        both = [
            self.direction == "both" or (self.direction == "first_both" and number == 0)
            for number in range(self.encoder_layers)
        ]
        layers = [RecurrentLayer(width, width, self.cell, both_ways=one) for one in both]
        return Stack(layers, self.dropout, residual=self.residual)

    def decoder_stack(self) -> Stack:
        """Return the decoder's layers."""
        width = self.d_model
        beside = [self.attention.beside(number) for number in range(self.decoder_layers)]
        layers = [RecurrentLayer(width + width * more, width, self.cell) for more in beside]
        return Stack(layers, self.dropout, residual=self.residual)


class RecurrentCache:
    """What every decoder layer remembers, and the source's keys and values, computed once."""

    def __init__(self, past: Past, max_length: int) -> None:
        self.past = past
        self.max_length = max_length
        self.length = 0

    def advance(self, steps: int) -> None:
        """Count further positions; raises ValueError for more than the cache was made for."""
        if self.length + steps > self.max_length:
            raise ValueError(f"this cache was made for {self.max_length} positions, no more")
        self.length += steps

    def select(self, rows: Int[Tensor, " R"], sentences: Int[Tensor, " C"] | None = None) -> None:
        """Make row i a copy of the old row `rows[i]`; keep only `sentences`, if given."""
        past = self.past
        past.states = [tuple(part[rows] for part in state) for state in past.states]
        if past.fed is not None:
            past.fed = past.fed[rows]
        if sentences is None:
            return
        if past.memory is not None:
            past.memory = KeyValue(*(side[sentences] for side in past.memory))
        if past.mask is not None:
            past.mask = past.mask[sentences]


class Recurrent(nn.Module):
    """The models before the Transformer; satisfies `heedful.models.seq2seq.Seq2Seq`."""

    def __init__(self, config: RecurrentConfig, source_size: int, target_size: int) -> None:
        super().__init__()
        self.config = config
        self.tables = config.embedding.build(source_size, target_size, config.d_model)
        self.encoder = config.encoder_stack()
        self.decoder = config.decoder_stack()
        self.wiring = config.attention.build(config.d_model, config.dropout)
        self.dropout = Dropout(config.dropout)
        for module in self.wiring.modules():
            if isinstance(module, Linear):
                nn.init.xavier_uniform_(module.weight)
                if module.bias is not None:
                    nn.init.zeros_(module.bias)

    def compile_layers(self, **options: Any) -> None:
        """Leave the layers: a kernel of the device's own takes a whole sequence."""

    def encode(self, source: Int[Tensor, "B S"], source_mask: Bool[Tensor, "B S"]) -> Memory:
        """Read the source; `Memory.handed` is what each layer remembers at its end."""
        embedded = self.tables.embed_source(source)
        order = None
        if self.config.direction == "backward":
            order = _turned(source_mask)[..., None].expand_as(embedded)
            embedded = embedded.gather(1, order)
        full = unless_full(source_mask) is None
        states, ends = self.encoder(embedded, None, None if full else source_mask)
        if order is not None:
            states = states.gather(1, order)
        return Memory(states, source_mask, tuple(part for end in ends for part in end))

    def new_cache(self, memory: Memory, rows_per_sentence: int, max_length: int) -> Cache:
        """Return a cache for at most `max_length` positions of every row.

        A decoder layer begins with what the encoder layer beside it remembers, the last beside the
        last; where there are more of them, the lowest begin alike.
        """
        parts = self.config.cell.parts
        handed = [part.repeat_interleave(rows_per_sentence, 0) for part in memory.handed]
        layers = [tuple(handed[n : n + parts]) for n in range(0, len(handed), parts)]
        missing = self.config.decoder_layers - len(layers)
        states = layers[:1] * missing + layers if missing > 0 else layers[-missing or None :]
        known = None
        if self.wiring.attention is not None:
            known = self.wiring.attention.memory(memory.states)
        return RecurrentCache(Past(states, known, unless_full(memory.mask)), max_length)

    def hidden(
        self,
        target_in: Int[Tensor, "R T"],
        memory: Memory,
        cache: Cache | None = None,
    ) -> Float[Tensor, "R T D"]:
        """Return the decoder's states; with a cache, of the positions that follow it."""
        return self._decoded(target_in, memory, cache, scored=False).states

    def hidden_and_scores(
        self,
        target_in: Int[Tensor, "R T"],
        memory: Memory,
        layer: int,
        heads: int,
        cache: Cache | None = None,
    ) -> tuple[Float[Tensor, "R T D"], Float[Tensor, "R A T S"]]:
        """Return `hidden`, and the scores of the one head that looks at the source."""
        states, scores = self._decoded(target_in, memory, cache, scored=True)
        assert scores is not None
        return states, scores

    def _decoded(
        self, target_in: Int[Tensor, "R T"], memory: Memory, cache: Cache | None, scored: bool
    ) -> Decoded:
        rows, length = target_in.shape
        if cache is None:
            cache = self.new_cache(memory, rows // memory.states.shape[0], length)
        assert isinstance(cache, RecurrentCache)
        cache.advance(length)
        embedded = self.tables.embed_target(target_in)
        found: Decoded = self.wiring(self.decoder, embedded, cache.past, scored)
        return Decoded(self.tables.ready(self.dropout(found.states)), found.scores)

    def project(
        self, hidden: Float[Tensor, "*rows D"], entries: Int[Tensor, " N"] | None = None
    ) -> Float[Tensor, "*rows N"]:
        """Return logits over the target vocabulary, or over the `entries` of it."""
        return self.tables.project(hidden, entries)


def _turned(mask: Bool[Tensor, "B S"]) -> Int[Tensor, "B S"]:
    """Return which piece stands at each place when the real ones are turned around.

    >>> _turned(torch.tensor([[True, True, True], [True, True, False]])).tolist()
    [[2, 1, 0], [1, 0, 2]]
    """
    places = torch.arange(mask.shape[1], device=mask.device)
    lengths = mask.sum(1, keepdim=True)
    return torch.where(places < lengths, lengths - 1 - places, places)
