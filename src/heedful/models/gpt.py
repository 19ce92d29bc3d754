"""The decoder alone: GPT-2, Llama and what lies between, from the layers of the Transformer.

Token ids come in, states and logits go out; it knows no files, no vocabulary and no batches.
`GPTConfig` is the model's own settings; below it are the shapes that have names.

    text ─ embed + position ─▶ [masked self-attention ─ feed-forward] x N ─▶ logits
"""

__all__ = [
    "GPT",
    "GPTConfig",
    "gpt2_large",
    "gpt2_medium",
    "gpt2_small",
    "gpt2_xl",
    "llama_like",
]

from typing import Literal

from pydantic import Field, model_validator
from torch import nn

from heedful.models.seq2seq import Cache
from heedful.nn.attention import Attention, GroupedQuery, MultiHead
from heedful.nn.cache import RaggedCache
from heedful.nn.dropout import Dropout
from heedful.nn.embedding import decoder_tables
from heedful.nn.feedforward import FeedForward, GELUTanh, SwiGLU
from heedful.nn.norm import LayerNorm, Norm, PreNorm, Residual, ResidualBlock, RMSNorm
from heedful.nn.position import AttentionPosition, Learned, Place, Position, Rotary
from heedful.settings import Settings
from heedful.shapes import Bool, Float, Int, Tensor

_DRAWN = 0.02
"""Standard deviation of fresh weights (Radford et al. 2018, section 4.1)."""


class GPTConfig(Settings):
    """The shape of a decoder; the defaults are GPT-2's, the smallest (Radford et al. 2019)."""

    kind: Literal["gpt"] = "gpt"
    d_model: int = Field(768, ge=2, le=65_536)
    """Width of every state."""
    d_ff: int = Field(3072, ge=1, le=1_048_576)
    """Inner width of the feed-forward networks."""
    n_heads: int = Field(12, ge=1, le=1024)
    """Attention heads."""
    d_k: int | None = Field(None, ge=1, le=65_536)
    """Width of a head; d_model / n_heads if not given."""
    n_layers: int = Field(12, ge=1, le=1024)
    """Layers."""
    dropout: float = Field(0.1, ge=0, lt=1)
    """On every sublayer's output and on the embedded input."""
    max_length: int = Field(1024, ge=8, le=1_048_576)
    """The longest text, in pieces: the context."""
    attention: Attention = MultiHead()
    """Multi-head or grouped-query attention."""
    position: Position = Learned()
    """How order is told."""
    feed_forward: FeedForward = GELUTanh()
    """The network after attention."""
    norm: Norm = LayerNorm()
    """The normalisation."""
    residual: Residual = PreNorm()
    """Where the normalisation stands."""
    tied_output: bool = True
    """Whether the embedding is the output matrix too."""

    @model_validator(mode="after")
    def _fits(self) -> "GPTConfig":
        if self.d_k is None and self.d_model % self.n_heads:
            raise ValueError(f"d_model {self.d_model} is not divisible by n_heads {self.n_heads}")
        if self.n_heads % self.n_kv_heads:
            kv_heads = self.n_kv_heads
            raise ValueError(f"n_heads {self.n_heads} is not divisible by n_kv_heads {kv_heads}")
        if isinstance(self.position, Rotary) and self.head_width % 2:
            raise ValueError("rotary positions need heads of an even width")
        return self

    @property
    def head_width(self) -> int:
        """Return d_k, given or not."""
        return self.d_model // self.n_heads if self.d_k is None else self.d_k

    @property
    def n_kv_heads(self) -> int:
        """Return how many heads have keys and values of their own."""
        if isinstance(self.attention, GroupedQuery):
            return self.attention.n_kv_heads
        return self.n_heads

    def build(self, vocabulary_size: int) -> "GPT":
        """Return the model, freshly initialised."""
        return GPT(self, vocabulary_size)

    def residual_block(self) -> ResidualBlock:
        """Return the wiring around one sublayer."""
        return self.residual.build(self.norm.build(self.d_model), self.dropout)


class GPTLayer(nn.Module):
    """Masked self-attention, then feed-forward, each with its residual connection."""

    def __init__(self, config: GPTConfig, position: AttentionPosition) -> None:
        super().__init__()
        shape = (config.d_model, config.n_heads)
        self.attention = config.attention.build(*shape, position, config.head_width)
        self.attention_block = config.residual_block()
        self.feed_forward = config.feed_forward.build(config.d_model, config.d_ff)
        self.feed_forward_block = config.residual_block()

    def forward(
        self,
        states: Float[Tensor, "R T D"],
        number: int,
        mask: Bool[Tensor, "R 1 T M"] | None,
        cache: RaggedCache | None,
    ) -> Float[Tensor, "R T D"]:
        """Return the next layer's states; the cache's layer `number` is read and extended.

        Without a mask it is the causal one.
        """
        start: Place = 0 if cache is None else cache.length

        def look_back(x: Tensor) -> Tensor:
            new = self.attention.keys_values(x, start)
            known = new if cache is None else cache.append(number, new)
            queries = self.attention.queries(x, start)
            first = None if mask is None else start
            attended: Tensor = self.attention(queries, known, mask, mask is None, first)
            return attended

        states = self.attention_block(states, look_back)
        result: Tensor = self.feed_forward_block(states, self.feed_forward)
        return result


class GPT(nn.Module):
    """The decoder alone; satisfies `heedful.models.seq2seq.DecoderOnly`."""

    def __init__(self, config: GPTConfig, vocabulary_size: int) -> None:
        super().__init__()
        self.config = config
        self.tables = decoder_tables(vocabulary_size, config.d_model, tied=config.tied_output)
        self.position = config.position.on_input(config.d_model, config.max_length)
        shape = (config.n_layers, config.n_heads, config.head_width)
        positions = config.position.on_stack(*shape, causal=True)
        self.layers = nn.ModuleList(GPTLayer(config, position) for position in positions)
        final = config.norm.build(config.d_model)
        self.norm = final if config.residual.final_norm else nn.Identity()
        self.dropout = Dropout(config.dropout)
        self._initialise()

    def _initialise(self) -> None:
        """Draw all matrices from N(0, 0.02^2), those that end a sublayer narrower; biases are 0.

        A sum of 2 N sublayers keeps its variance (Radford et al. 2019, section 2.3).
        """
        narrow = _DRAWN / (2 * self.config.n_layers) ** 0.5
        for name, weight in self.named_parameters():
            if name.endswith(".bias"):
                nn.init.zeros_(weight)
            elif name.endswith(("output_proj.weight", "outer.weight")):
                nn.init.normal_(weight, std=narrow)
            elif weight.dim() > 1:
                nn.init.normal_(weight, std=_DRAWN)

    def compile_layers(self) -> None:
        """Compile each layer by `torch.compile`, once for all lengths and all layers."""
        for layer in self.layers:
            layer.compile(dynamic=True)

    def every_layer(self) -> list[nn.Module]:
        """Return the layers."""
        return list(self.layers)

    @property
    def vocabulary_size(self) -> int:
        """Pieces that the model knows: the ids are 0 to this minus 1."""
        return self.tables.target.num_embeddings

    def new_cache(self, rows: int, max_length: int) -> RaggedCache:
        """Return an empty cache for at most `max_length` positions of so many texts."""
        device = self.tables.target.weight.device
        return RaggedCache(len(self.layers), rows, max_length, device)

    def hidden(
        self,
        target_in: Int[Tensor, "R T"],
        cache: Cache | None = None,
        counts: Int[Tensor, " R"] | None = None,
    ) -> Float[Tensor, "R T D"]:
        """Return the states of all pieces; with a cache, of those that follow what it holds.

        `counts` are how many pieces of each row are real; the others, at its end, are forgotten.
        """
        assert cache is None or isinstance(cache, RaggedCache)
        length = target_in.shape[1]
        mask = None if cache is None else cache.mask(length)
        start: Place = 0 if cache is None or mask is None else cache.length
        states = self.dropout(self.position(self.tables.embed_target(target_in), start))
        for number, layer in enumerate(self.layers):
            states = layer(states, number, mask, cache)
        if cache is not None:
            cache.advance(length, counts)
        result: Tensor = self.norm(states)
        return result

    def project(
        self, hidden: Float[Tensor, "*rows D"], entries: Int[Tensor, " N"] | None = None
    ) -> Float[Tensor, "*rows N"]:
        """Return logits over the vocabulary, or over the `entries` of it."""
        return self.tables.project(hidden, entries)


def gpt2_small() -> GPTConfig:
    """GPT-2 with 124 million parameters (Radford et al. 2019, Table 2), for 50,257 pieces."""
    return GPTConfig()


def gpt2_medium() -> GPTConfig:
    """GPT-2 with 355 million parameters."""
    return GPTConfig(d_model=1024, d_ff=4096, n_heads=16, n_layers=24)


def gpt2_large() -> GPTConfig:
    """GPT-2 with 774 million parameters."""
    return GPTConfig(d_model=1280, d_ff=5120, n_heads=20, n_layers=36)


def gpt2_xl() -> GPTConfig:
    """GPT-2 with 1,558 million parameters."""
    return GPTConfig(d_model=1600, d_ff=6400, n_heads=25, n_layers=48)


def llama_like() -> GPTConfig:
    """Llama's habits in small (Touvron et al. 2023): 8 layers of 512, no biases, no dropout."""
    return GPTConfig(
        d_model=512,
        d_ff=1408,
        n_heads=8,
        n_layers=8,
        dropout=0.0,
        max_length=2048,
        attention=GroupedQuery(n_kv_heads=4, bias=False),
        position=Rotary(),
        feed_forward=SwiGLU(),
        norm=RMSNorm(eps=1e-5),
        tied_output=False,
    )
