"""The translators that are compared, each made as large as the Transformer it stands beside."""

__all__ = ["FACTORS", "MODELS", "at_rate", "rate_of", "solved", "tuned"]

from typing import Any

from heedful.claims.contestants import fitted, parameters
from heedful.config import RunConfig, merged
from heedful.models.architecture import ModelConfig
from heedful.train.schedule import Linear

_MODELS: dict[str, dict[str, Any]] = {
    "LSTM": {
        "kind": "recurrent",
        "attention": {"kind": "none"},
        "direction": "backward",
        "encoder_layers": 2,
        "decoder_layers": 2,
    },
    "LSTM + attention": {
        "kind": "recurrent",
        "attention": {"kind": "luong", "input_feeding": False},
        "encoder_layers": 2,
        "decoder_layers": 2,
    },
    "GRU + attention": {
        "kind": "recurrent",
        "cell": {"kind": "gru"},
        "attention": {"kind": "bahdanau"},
        "encoder_layers": 2,
        "decoder_layers": 2,
    },
    "GNMT": {
        "kind": "recurrent",
        "attention": {"kind": "gnmt"},
        "direction": "first_both",
        "residual": True,
        "encoder_layers": 2,
        "decoder_layers": 3,
    },
    "ConvS2S": {"kind": "convolutional", "encoder_layers": 4, "decoder_layers": 3},
}
"""Settings of each, but for the width and what all have alike: dropout and the longest sentence."""

MODELS = ("Transformer", *_MODELS)
"""All that learn to translate."""

FACTORS = {
    "Transformer": 2.0,
    "LSTM": 8.0,
    "LSTM + attention": 8.0,
    "GRU + attention": 4.0,
    "GNMT": 4.0,
    "ConvS2S": 16.0,
}
"""Times the learning rate of the settings, for the full form on Multi30k: what `heed claims tuning`
found best."""


def solved(name: str, like: RunConfig, vocabulary: int) -> RunConfig:
    """Return the settings `like`, with this model in the Transformer's place, as large as that.

    Raises SettingError where no width makes it so, within 5 %.
    """
    if name == "Transformer":
        return like
    alike = {"dropout": like.model.dropout, "max_length": like.model.max_length}

    def make(width: int) -> ModelConfig:
        return merged(like, {"model": {**_MODELS[name], **alike, "d_model": width}}).model

    model = fitted(make, 2, parameters(like.model, vocabulary), vocabulary)
    return like.model_copy(update={"model": model})


def tuned(name: str, like: RunConfig, vocabulary: int) -> RunConfig:
    """Return that with the learning rate at which the model learns Multi30k best."""
    return at_rate(solved(name, like, vocabulary), FACTORS[name])


def at_rate(config: RunConfig, factor: float) -> RunConfig:
    """Return the settings with so many times their learning rate."""
    return merged(config, {"schedule": {"peak": factor * rate_of(config)}})


def rate_of(config: RunConfig) -> float:
    """Return the peak of the learning rate."""
    assert isinstance(config.schedule, Linear)  # as all material is learnt
    return config.schedule.peak
