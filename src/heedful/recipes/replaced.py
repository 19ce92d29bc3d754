"""Recipes of the models that the Transformer replaced, of the size of `small`."""

__all__ = ["conv_s2s", "gnmt", "gru_attention", "lstm", "lstm_attention"]

from typing import Any

from heedful.config import RunConfig
from heedful.models.convolutional import ConvolutionalConfig
from heedful.models.recurrent import RecurrentConfig
from heedful.models.wiring import GNMT, Bahdanau, Luong, NoAttention
from heedful.nn.recurrent import GRU
from heedful.recipes.translation import small


def lstm() -> RunConfig:
    """small with LSTMs of its size, 3 + 3 layers of 320, no attention, sources from their end."""
    shape = {"attention": NoAttention(), "direction": "backward"}
    return _before("lstm", {"d_model": 320, "encoder_layers": 3, "decoder_layers": 3, **shape})


def lstm_attention() -> RunConfig:
    """small with LSTMs of its size, 3 + 2 layers of 352, and Luong's attention at all steps."""
    shape = {"attention": Luong(input_feeding=False)}
    return _before(
        "lstm-attention", {"d_model": 352, "encoder_layers": 3, "decoder_layers": 2, **shape}
    )


def gru_attention() -> RunConfig:
    """small with GRUs of its size, 2 + 2 layers of 384, and Bahdanau's attention step by step."""
    shape = {"attention": Bahdanau(), "cell": GRU()}
    return _before(
        "gru-attention", {"d_model": 384, "encoder_layers": 2, "decoder_layers": 2, **shape}
    )


def gnmt() -> RunConfig:
    """small with LSTMs of its size, 2 + 4 layers of 288, residual, attention of the first."""
    shape = {"attention": GNMT(), "direction": "first_both", "residual": True}
    return _before("gnmt", {"d_model": 288, "encoder_layers": 2, "decoder_layers": 4, **shape})


def conv_s2s() -> RunConfig:
    """small with convolutions of its size: 6 + 5 gated layers of 256, attention in each."""
    base = small()
    model = ConvolutionalConfig(
        d_model=256, encoder_layers=6, decoder_layers=5, max_length=base.model.max_length
    )
    return base.model_copy(update={"recipe": "conv-s2s", "model": model})


def _before(name: str, shape: dict[str, Any]) -> RunConfig:
    """Return the recipe small with a recurrent model in its Transformer's place."""
    base = small()
    known = {"max_length": base.model.max_length, **shape}
    model = RecurrentConfig.model_validate(known)
    return base.model_copy(update={"recipe": name, "model": model})
