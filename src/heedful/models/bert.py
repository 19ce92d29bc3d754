"""The encoder alone: BERT and its relatives, from the layers of the Transformer.

Token ids, masks and the numbers of two texts come in, states go out, and what a head makes of
them; it knows no files, no vocabulary and no batches. `BERTConfig` is the model's own settings.

    text ─ norm(embed + position + segment) ─▶ [self-attention ─ feed-forward] x N ─▶ states ─ head
"""

__all__ = ["BERT", "BERTConfig", "bert_base", "bert_large", "bert_mini", "bert_tiny", "minilm"]

from typing import Literal

import torch
from pydantic import Field, model_validator
from torch import nn

from heedful.errors import ModelError
from heedful.models.bert_heads import Head, MaskedWords, MaskedWordsModule, NoHead
from heedful.models.layers import EncoderLayer, lowered
from heedful.models.seq2seq import Memory
from heedful.nn.attention import Attention, MultiHead, MultiHeadAttention, check_heads
from heedful.nn.dropout import Dropout
from heedful.nn.feedforward import GELU, FeedForward, activation_of
from heedful.nn.linear import Linear
from heedful.nn.mask import unless_full
from heedful.nn.norm import LayerNorm, Norm, PostNorm, Residual, ResidualBlock
from heedful.nn.position import AttentionPosition, Learned, Position
from heedful.settings import Settings
from heedful.shapes import Bool, Float, Int, Tensor

_DRAWN = 0.02
"""Standard deviation of fresh weights (Devlin et al. 2019, their code)."""


class BERTConfig(Settings):
    """The shape of an encoder; the defaults are BERT's, the smaller one (Devlin et al. 2019)."""

    kind: Literal["bert"] = "bert"
    d_model: int = Field(768, ge=2, le=65_536)
    """Width of every state."""
    d_ff: int = Field(3072, ge=1, le=1_048_576)
    """Inner width of the feed-forward networks."""
    n_heads: int = Field(12, ge=1, le=1024)
    """Attention heads; must divide d_model."""
    n_layers: int = Field(12, ge=1, le=1024)
    """Layers."""
    dropout: float = Field(0.1, ge=0, lt=1)
    """On every sublayer's output, on the embedded input and before a head."""
    max_length: int = Field(512, ge=8, le=1_048_576)
    """The longest text, or pair of texts, in pieces: control pieces are counted."""
    n_segments: int = Field(2, ge=1, le=64)
    """Texts that may stand in one row, each marked by a vector of its own."""
    attention: Attention = MultiHead()
    """Multi-head or grouped-query attention."""
    position: Position = Learned()
    """How order is told."""
    feed_forward: FeedForward = GELU()
    """The network after attention; its activation is that of masked words too."""
    norm: Norm = LayerNorm(eps=1e-12)
    """The normalisation, of the embedded input too."""
    residual: Residual = PostNorm()
    """Where the normalisation stands."""
    pooler: bool = True
    """Whether the first state goes through a layer with tanh before a head of whole texts."""
    head: Head = NoHead()
    """What answers."""

    @model_validator(mode="after")
    def _fits(self) -> "BERTConfig":
        check_heads(self.d_model, self.n_heads, self.attention, self.position)
        if self.head.pooled and not self.pooler:
            raise ValueError(f"a head of the kind {self.head.kind} needs pooler true")
        return self

    def build(self, vocabulary_size: int) -> "BERT":
        """Return the model, freshly initialised."""
        return BERT(self, vocabulary_size)

    def attention_module(self, position: AttentionPosition) -> MultiHeadAttention:
        """Return one attention sublayer."""
        return self.attention.build(self.d_model, self.n_heads, position)

    def residual_block(self) -> ResidualBlock:
        """Return the wiring around one sublayer."""
        return self.residual.build(self.norm.build(self.d_model), self.dropout)


class BERT(nn.Module):
    """The encoder alone; satisfies `heedful.models.seq2seq.EncoderOnly`."""

    def __init__(self, config: BERTConfig, vocabulary_size: int) -> None:
        super().__init__()
        self.config = config
        self.words = nn.Embedding(vocabulary_size, config.d_model)
        self.segments = nn.Embedding(config.n_segments, config.d_model)
        self.position = config.position.on_input(config.d_model, config.max_length)
        self.input_norm = config.norm.build(config.d_model)
        self.dropout = Dropout(config.dropout)
        shape = (config.n_layers, config.n_heads, config.d_model // config.n_heads)
        positions = config.position.on_stack(*shape, causal=False)
        self.layers = nn.ModuleList(EncoderLayer(config, position) for position in positions)
        final = config.norm.build(config.d_model)
        self.norm = final if config.residual.final_norm else nn.Identity()
        self.pooler = Linear(config.d_model, config.d_model) if config.pooler else None
        self.head = (
            None if isinstance(config.head, NoHead) else config.head.build(config, vocabulary_size)
        )
        self._initialise()

    def _initialise(self) -> None:
        """Draw all matrices from N(0, 0.02^2); biases are 0."""
        for name, weight in self.named_parameters():
            if name.endswith("bias"):
                nn.init.zeros_(weight)
            elif weight.dim() > 1:
                nn.init.normal_(weight, std=_DRAWN)

    @property
    def vocabulary_size(self) -> int:
        """Pieces that the model knows: the ids are 0 to this minus 1."""
        return self.words.num_embeddings

    def compile_layers(self) -> None:
        """Compile each layer by `torch.compile`, once for all lengths and all layers."""
        for layer in self.layers:
            layer.compile(dynamic=True)

    def every_layer(self) -> list[nn.Module]:
        """Return the layers."""
        return [*self.layers]

    def encode(
        self,
        source: Int[Tensor, "B S"],
        source_mask: Bool[Tensor, "B S"],
        segments: Int[Tensor, "B S"] | None = None,
    ) -> Memory:
        """Read the texts; padding (mask False) is attended by nobody.

        `segments` number the texts of a row from 0; None: there is one. Raises ModelError for a
        row that is longer than the table of positions.
        """
        which = self.segments.weight[0] if segments is None else self.segments(segments)
        states = self.position(self.words(source) + which, 0)
        states = lowered(self.dropout(self.input_norm(states)))
        mask = unless_full(source_mask)
        for layer in self.layers:
            states = layer(states, mask)
        return Memory(self.norm(states), source_mask)

    def pooled(self, memory: Memory) -> Float[Tensor, "B D"]:
        """Return `tanh(W h + b)` of each row's first state, that of `[CLS]`."""
        if self.pooler is None:
            raise ModelError("the model has no pooler")
        return torch.tanh(self.pooler(memory.states[:, 0]))

    def answer(self, memory: Memory) -> Float[Tensor, "B *pieces L"]:
        """Return what the head says: of a row [B L] or, where it is asked, of each piece [B S L].

        Raises ModelError for a model without such a head.
        """
        if self.head is None or isinstance(self.config.head, MaskedWords):
            raise ModelError("the model has no head that answers")
        states = self.pooled(memory) if self.config.head.pooled else memory.states
        result: Tensor = self.head(states)
        return result

    def project(
        self, hidden: Float[Tensor, "*rows D"], entries: Int[Tensor, " E"] | None = None
    ) -> Float[Tensor, "*rows _"]:
        """Return logits over the vocabulary, or over the `entries` of it, of masked pieces.

        Raises ModelError for a model that has no head for them.
        """
        if not isinstance(self.head, MaskedWordsModule):
            raise ModelError("the model has no head for masked words")
        activation = activation_of(self.config.feed_forward)
        return self.head.project(hidden, self.words.weight, activation, entries)


def bert_base(head: Head | None = None) -> BERTConfig:
    """BERT with 110 million parameters (Devlin et al. 2019, section 3), for 30,522 pieces."""
    return BERTConfig(head=head or NoHead())


def bert_large(head: Head | None = None) -> BERTConfig:
    """BERT with 335 million parameters."""
    return BERTConfig(d_model=1024, d_ff=4096, n_heads=16, n_layers=24, head=head or NoHead())


def minilm(head: Head | None = None) -> BERTConfig:
    """MiniLM's shape, 6 layers of 384: 23 million parameters (Wang et al. 2020, 2002.10957)."""
    return BERTConfig(d_model=384, d_ff=1536, n_heads=12, n_layers=6, head=head or NoHead())


def bert_mini(head: Head | None = None) -> BERTConfig:
    """4 layers of 256, 11 million parameters (Turc et al. 2019, arXiv 1908.08962)."""
    return BERTConfig(d_model=256, d_ff=1024, n_heads=4, n_layers=4, head=head or NoHead())


def bert_tiny(head: Head | None = None) -> BERTConfig:
    """2 layers of 128, 4.4 million parameters (Turc et al. 2019)."""
    return BERTConfig(d_model=128, d_ff=512, n_heads=2, n_layers=2, head=head or NoHead())
