"""Table 3 of the paper: its rows, what it measured, and each row in small by one stated rule.

The rule: d_model, d_ff, d_k and d_v are divided by one number (4), layers by another (2; in 4,000
batches of 1,000 pieces six layers come to 3.1 nats, three to 2.1: norms stand after them), heads,
dropout and label smoothing stay as they are; steps, batches and the warm-up are those of `Scale`.
The figures are the paper's: arXiv 1706.03762, Table 3, newstest2013, perplexity a piece and BLEU.
"""

__all__ = ["ROWS", "SCALES", "Row", "Scale", "millions", "narrow", "plain", "settings"]

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import torch
from torch import nn

from heedful.config import RunConfig, merged
from heedful.models.transformer import Transformer, TransformerConfig
from heedful.nn.attention import KeyValue, MultiHeadAttention
from heedful.nn.linear import Linear
from heedful.nn.position import Place
from heedful.recipes import paper_base
from heedful.search import Beam, Greedy, SearchConfig
from heedful.shapes import Float, Tensor


@dataclass(frozen=True)
class Row:
    """One row of the table: what differs from the base model, and what the paper measured."""

    name: str
    perplexity: float
    bleu: float
    millions: float | None
    """Parameters, where the paper says them."""
    n_layers: int = 6
    d_model: int = 512
    d_ff: int = 2048
    n_heads: int = 8
    d_k: int = 64
    d_v: int = 64
    dropout: float = 0.1
    label_smoothing: float = 0.1
    thousand_steps: int = 100
    learned_positions: bool = False


ROWS = (
    Row("base", 4.92, 25.8, 65),
    Row("A: h=1", 5.29, 24.9, None, n_heads=1, d_k=512, d_v=512),
    Row("A: h=4", 5.00, 25.5, None, n_heads=4, d_k=128, d_v=128),
    Row("A: h=16", 4.91, 25.8, None, n_heads=16, d_k=32, d_v=32),
    Row("A: h=32", 5.01, 25.4, None, n_heads=32, d_k=16, d_v=16),
    Row("B: d_k=16", 5.16, 25.1, 58, d_k=16),
    Row("B: d_k=32", 5.01, 25.4, 60, d_k=32),
    Row("C: N=2", 6.11, 23.7, 36, n_layers=2),
    Row("C: N=4", 5.19, 25.3, 50, n_layers=4),
    Row("C: N=8", 4.88, 25.5, 80, n_layers=8),
    Row("C: d_model=256", 5.75, 24.5, 28, d_model=256, d_k=32, d_v=32),
    Row("C: d_model=1024", 4.66, 26.0, 168, d_model=1024, d_k=128, d_v=128),
    Row("C: d_ff=1024", 5.12, 25.4, 53, d_ff=1024),
    Row("C: d_ff=4096", 4.75, 26.2, 90, d_ff=4096),
    Row("D: dropout 0.0", 5.77, 24.6, None, dropout=0.0),
    Row("D: dropout 0.2", 4.95, 25.5, None, dropout=0.2),
    Row("D: smoothing 0.0", 4.67, 25.3, None, label_smoothing=0.0),
    Row("D: smoothing 0.2", 5.47, 25.7, None, label_smoothing=0.2),
    Row("E: learned positions", 4.92, 25.7, None, learned_positions=True),
    Row(
        "big",
        4.33,
        26.4,
        213,
        d_model=1024,
        d_ff=4096,
        n_heads=16,
        dropout=0.3,
        thousand_steps=300,
    ),
)


@dataclass(frozen=True)
class Scale:
    """How far down the table is taken."""

    divisor: int
    """Of d_model, d_ff, d_k and d_v."""
    layers: int
    """Divides N."""
    steps: int
    """For the paper's 100,000."""
    warmup_steps: int
    rate: float
    """Times the paper's learning rate."""
    batch_tokens: int
    vocabulary: int
    longest: int
    """Pieces of a sentence at most."""
    search: SearchConfig


SCALES = {
    "quick": Scale(8, 2, 60, 30, 0.3, 1500, 2000, 100, Greedy()),
    "scaled": Scale(4, 2, 3000, 1000, 0.8, 1000, 6000, 100, Beam()),
    "paper": Scale(1, 1, 100_000, 4000, 1.0, 25_000, 37_000, 256, Beam()),
}


def settings(row: Row, scale: Scale, data: Mapping[str, Any], device: str = "auto") -> RunConfig:
    """Return the settings of a row at a scale; its d_k is made by `narrow`."""
    steps = scale.steps * row.thousand_steps // 100
    every = max(1, steps // 8)
    position = {"kind": "learned"} if row.learned_positions else {"kind": "sinusoidal"}
    return merged(
        paper_base(),
        {
            "data": dict(data),
            "device": device,
            "tokenizer": {"vocabulary_size": scale.vocabulary, "exact": False},
            "model": {
                "d_model": row.d_model // scale.divisor,
                "d_ff": row.d_ff // scale.divisor,
                "n_heads": row.n_heads,
                "encoder_layers": row.n_layers // scale.layers,
                "decoder_layers": row.n_layers // scale.layers,
                "dropout": row.dropout,
                "max_length": scale.longest,
                "position": position,
            },
            "objective": {"label_smoothing": row.label_smoothing},
            "schedule": {"warmup_steps": scale.warmup_steps, "scale": scale.rate},
            "training": {
                "max_steps": steps,
                "batch_tokens": scale.batch_tokens,
                "max_pieces": scale.longest,
                "validate_every": every,
                "save_every": max(1, every // 5),
                "log_every": every,
                "average_last": 1,
                "bleu_sentences": 0,
                "compile": scale.divisor == 1,
            },
        },
    )


def narrow(config: TransformerConfig, d_k: int) -> TransformerConfig:
    """Return the shape with queries and keys of d_k where values are d_model / n_heads wide."""
    return config if d_k == config.head_width else _Narrow(**dict(config), narrow=d_k)


class _Narrow(TransformerConfig):
    """A Transformer's shape whose queries and keys are narrower than its values (row B)."""

    narrow: int

    def attention_module(self, position: Any) -> MultiHeadAttention:
        """Return one attention sublayer."""
        return _NarrowAttention(self.d_model, self.n_heads, position, self.narrow)


class _NarrowAttention(MultiHeadAttention):
    """Attention whose queries and keys are narrower than its values.

    They are filled up with zeros, and queries multiplied so that scores are divided by
    sqrt(d_k) all the same: the products are those of the narrow ones.
    """

    def __init__(self, d_model: int, n_heads: int, position: Any, narrow: int) -> None:
        super().__init__(d_model, n_heads, n_heads, position)
        self.narrow = narrow
        self.query_proj = Linear(d_model, n_heads * narrow, True)
        self.key_proj = Linear(d_model, n_heads * narrow, True)

    def _wide(self, states: Float[Tensor, "B T E"]) -> Float[Tensor, "B H T K"]:
        batch, length, _ = states.shape
        heads = states.view(batch, length, self.n_heads, self.narrow).transpose(1, 2)
        wide: Tensor = nn.functional.pad(heads, (0, self.d_k - self.narrow))
        return wide

    def queries(self, states: Float[Tensor, "B Q D"], start: Place = 0) -> Float[Tensor, "B H Q K"]:
        """Return the queries."""
        factor: float = (self.d_k / self.narrow) ** 0.5
        return self._wide(self.query_proj(states)) * factor

    def keys_values(self, states: Float[Tensor, "B M D"], start: Place = 0) -> KeyValue:
        """Return the keys and values."""
        return KeyValue(self._wide(self.key_proj(states)), self._split(self.value_proj(states)))


def plain(model: Transformer) -> Transformer:
    """Return an ordinary Transformer that computes the same: narrow matrices filled up by zeros.

    Every search and kernel knows that one.
    """
    config = model.config
    if not isinstance(config, _Narrow):
        return model
    tables = model.tables
    known = {name: value for name, value in config if name != "narrow"}
    sizes = (tables.source.num_embeddings, tables.target.num_embeddings)
    made = TransformerConfig(**known).build(*sizes)
    wide, heads = config.head_width, config.n_heads
    weights = dict(model.state_dict())
    for name, weight in weights.items():
        if name.rpartition(".")[0].endswith(("query_proj", "key_proj")):
            filled = weight.new_zeros(heads, wide, *weight.shape[1:])
            filled[:, : config.narrow] = weight.view(heads, config.narrow, *weight.shape[1:])
            factor = (wide / config.narrow) ** 0.5 if "query_proj" in name else 1.0
            weights[name] = filled.flatten(0, 1) * factor
    made.load_state_dict(weights)
    return made.to(next(model.parameters()).device).eval()


def millions(row: Row) -> float:
    """Return the parameters of a row at the paper's size, in millions, counted by building it."""
    config = settings(row, SCALES["paper"], {})
    shape = config.model
    assert isinstance(shape, TransformerConfig)
    with torch.device("meta"):
        model = narrow(shape, row.d_k).build(37_000, 37_000)
    return sum(weight.numel() for weight in model.parameters()) / 1e6
