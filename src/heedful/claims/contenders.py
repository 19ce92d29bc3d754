"""The models that are compared, each made as large as the Transformer it stands beside."""

__all__ = ["MODELS", "TOLERANCE", "solved", "weights_of"]

from collections.abc import Mapping
from typing import Any

import torch

from heedful.config import RunConfig, merged
from heedful.errors import SettingError

TOLERANCE = 0.05
"""Share by which the number of weights may differ."""

MODELS: dict[str, dict[str, Any]] = {
    "Transformer": {"kind": "transformer"},
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


def weights_of(config: RunConfig, vocabulary: int) -> int:
    """Return how many weights the settings' model has, without making them."""
    with torch.device("meta"):
        model = config.model.build(vocabulary, vocabulary)
    return sum(weight.numel() for weight in model.parameters())


def solved(model: Mapping[str, Any], like: RunConfig, vocabulary: int) -> RunConfig:
    """Return the settings `like`, with a model in the Transformer's place that is as large.

    Its width is the one, of even numbers, whose number of weights is nearest. Raises SettingError
    where that is not within TOLERANCE.
    """
    if model["kind"] == like.model.kind:
        return like
    wanted = weights_of(like, vocabulary)
    alike = {"dropout": like.model.dropout, "max_length": like.model.max_length}

    def of_width(width: int) -> RunConfig:
        return merged(like, {"model": {**model, **alike, "d_model": width}})

    low, high = 2, 2
    while weights_of(of_width(high), vocabulary) < wanted:
        low, high = high, 2 * high
    while high - low > 2:
        middle = (low + high) // 4 * 2
        if weights_of(of_width(middle), vocabulary) < wanted:
            low = middle
        else:
            high = middle
    found = min(
        (of_width(low), of_width(high)), key=lambda one: abs(weights_of(one, vocabulary) - wanted)
    )
    off = abs(weights_of(found, vocabulary) / wanted - 1)
    if off > TOLERANCE:
        raise SettingError(
            f"no width makes this model as large as the Transformer: it is {100 * off:.0f} % off",
            where=str(model["kind"]),
        )
    return found
