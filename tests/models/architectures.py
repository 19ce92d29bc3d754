"""Small models of every architecture that reads a source and writes a target.

Those that the Transformer replaced, in the combinations that differ in how they compute; the
Transformer's own are in `test_transformer.py`.
"""

__all__ = ["ATTENTIVE", "ENTRIES", "MODELS", "PAD", "SHAPES", "SOURCE", "TARGET", "build", "close"]

from typing import Any

import torch

from heedful.models.architecture import Model, ModelConfig
from heedful.models.convolutional import ConvolutionalConfig
from heedful.models.recurrent import RecurrentConfig
from heedful.models.transformer import TransformerConfig
from heedful.models.wiring import GNMT, Bahdanau, Luong, NoAttention
from heedful.nn.embedding import Untied
from heedful.nn.recurrent import GRU
from heedful.nn.source_attention import Additive, Dot, General

ENTRIES, PAD = 29, 0
SOURCE = torch.tensor([[5, 9, 21, 7, 8, 2], [17, 3, 2, 0, 0, 0], [4, 4, 4, 4, 2, 0]])
TARGET = torch.tensor([[1, 6, 6, 23, 11], [1, 8, 7, 4, 9], [1, 12, 13, 14, 3]])


def _recurrent(**shape: Any) -> RecurrentConfig:
    return RecurrentConfig(**{"d_model": 16, "max_length": 24, "dropout": 0.0, **shape})


def _convolutional(**shape: Any) -> ConvolutionalConfig:
    shape = {"encoder_layers": 3, "decoder_layers": 2, **shape}
    return ConvolutionalConfig(**{"d_model": 16, "max_length": 24, "dropout": 0.0, **shape})


SHAPES: dict[str, ModelConfig] = {
    "Transformer": TransformerConfig(
        d_model=16, d_ff=24, n_heads=2, encoder_layers=2, decoder_layers=2, max_length=24, dropout=0
    ),
    "Sutskever": _recurrent(attention=NoAttention(), direction="backward"),
    "GRU, both ways, no attention": _recurrent(attention=NoAttention(), cell=GRU()),
    "Bahdanau, GRU": _recurrent(attention=Bahdanau(), cell=GRU(), embedding=Untied()),
    "Bahdanau, LSTM, general": _recurrent(attention=Bahdanau(score=General()), decoder_layers=3),
    "Luong": _recurrent(direction="forward"),
    "Luong, GRU, additive": _recurrent(
        attention=Luong(score=Additive()), cell=GRU(), encoder_layers=1
    ),
    "Luong at once, dot": _recurrent(
        attention=Luong(score=Dot(), input_feeding=False), encoder_layers=3, decoder_layers=1
    ),
    "GNMT": _recurrent(attention=GNMT(), direction="first_both", residual=True, decoder_layers=3),
    "ConvS2S": _convolutional(),
    "ByteNet's encoder, wide kernel": _convolutional(kernel_size=5, max_dilation=4),
}

ATTENTIVE = [name for name, shape in SHAPES.items() if shape.source_looks]


def build(name: str, seed: int = 0) -> Model:
    torch.manual_seed(seed)
    return SHAPES[name].build(ENTRIES, ENTRIES).eval()


MODELS = {name: build(name) for name in SHAPES}
"""Never changed by a test."""


def close(actual: torch.Tensor, expected: torch.Tensor) -> None:
    torch.testing.assert_close(actual, expected, atol=1e-5, rtol=1e-5)
