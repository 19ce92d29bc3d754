"""The models that are held side by side, made equal in parameters.

A name and a number of parameters come in, a model's settings come out; the widths are found by
counting, not by hand.
"""

__all__ = ["CONTESTANTS", "TOLERANCE", "contestant", "fitted", "parameters"]

from collections.abc import Callable, Mapping

import torch

from heedful.errors import SettingError
from heedful.models.architecture import ModelConfig
from heedful.models.convolutional import ConvolutionalConfig
from heedful.models.recurrent import RecurrentConfig
from heedful.models.transformer import TransformerConfig
from heedful.models.wiring import Bahdanau, Luong, NoAttention
from heedful.nn.norm import PreNorm
from heedful.nn.position import Position, Sinusoidal
from heedful.nn.recurrent import GRU, LSTM

Make = Callable[[int], ModelConfig]
"""From a width to a model."""

TOLERANCE = 0.05
"""By how much of the parameters contestants may differ from what is asked for."""


def _transformer(layers: int, max_length: int, position: Position) -> Make:
    def make(width: int) -> TransformerConfig:
        return TransformerConfig(
            d_model=width,
            d_ff=4 * width,
            n_heads=max(1, width // 32),
            encoder_layers=layers,
            decoder_layers=layers,
            dropout=0.0,
            max_length=max_length,
            position=position,
            residual=PreNorm(),
        )

    return make


def contestant(
    name: str, layers: int, max_length: int, position: Position | None = None
) -> tuple[Make, int]:
    """Return how a contestant of so many layers a side is made, and what divides its width.

    The recurrent ones without attention read from left to right: what stood first is farthest away.
    `position` is a Transformer's, sinusoidal if not given.
    """
    sides = {"encoder_layers": layers, "decoder_layers": layers}
    plain = {**sides, "dropout": 0.0, "max_length": max_length}
    recurrent: Mapping[str, RecurrentConfig] = {
        "LSTM": RecurrentConfig(cell=LSTM(), attention=NoAttention(), direction="forward"),
        "GRU": RecurrentConfig(cell=GRU(), attention=NoAttention(), direction="forward"),
        "LSTM + Luong": RecurrentConfig(cell=LSTM(), attention=Luong(input_feeding=False)),
        "LSTM + Bahdanau": RecurrentConfig(cell=LSTM(), attention=Bahdanau()),
    }
    if name == "Transformer":
        return _transformer(layers, max_length, position or Sinusoidal()), 32
    if name == "ConvS2S":
        return lambda width: ConvolutionalConfig(d_model=width, **plain), 2
    base = recurrent[name]
    return lambda width: base.model_copy(update={"d_model": width, **plain}), 2


CONTESTANTS = ("Transformer", "LSTM", "GRU", "LSTM + Luong", "LSTM + Bahdanau", "ConvS2S")
"""All names that `contestant` knows."""


def parameters(config: ModelConfig, pieces: int) -> int:
    """Return how many weights a model of so many pieces has; none of them is made.

    Tables of learnt positions are left out: they grow with the longest sentence alone.
    """
    with torch.device("meta"):
        model = config.build(pieces, pieces)
    weights = dict(model.named_parameters())
    return sum(weight.numel() for name, weight in weights.items() if "_position." not in name)


def fitted(make: Make, multiple: int, wanted: int, pieces: int) -> ModelConfig:
    """Return the model whose parameters are nearest to those wanted, its width found by halving.

    Raises SettingError where none comes within TOLERANCE.
    """
    low, high = 1, 1
    while parameters(make(high * multiple), pieces) < wanted:
        low, high = high, 2 * high
    while high - low > 1:
        middle = (low + high) // 2
        if parameters(make(middle * multiple), pieces) < wanted:
            low = middle
        else:
            high = middle
    near = min(
        (make(times * multiple) for times in (low, high)),
        key=lambda config: abs(parameters(config, pieces) - wanted),
    )
    found = parameters(near, pieces)
    if abs(found - wanted) > TOLERANCE * wanted:
        raise SettingError(
            f"no {near.kind} model has {wanted:,} parameters within {TOLERANCE:.0%}, the nearest "
            f"has {found:,}",
            fix="ask for more",
        )
    return near
