"""What the attention of a model is called: `encoder.5.6` is layer 5, head 6, from 0.

Names come in from users, places in a model go out; a name that the model has not is refused with
those that it has. A model without an encoder has the decoder's attention to itself alone.
"""

__all__ = [
    "KINDS",
    "TITLES",
    "Head",
    "Kind",
    "Model",
    "check",
    "every_head",
    "kinds_of",
    "modules",
    "n_layers",
    "parse",
]

from collections.abc import Iterator
from typing import Literal, NamedTuple, get_args

from heedful.errors import SettingError, did_you_mean
from heedful.models.gpt import GPT, GPTLayer
from heedful.models.transformer import DecoderLayer, EncoderLayer, Transformer
from heedful.nn.attention import MultiHeadAttention

Model = Transformer | GPT
"""What can be looked into."""

Kind = Literal["encoder", "decoder", "cross"]
"""The encoder's self-attention, the decoder's masked one, and the decoder's to the source."""

KINDS: tuple[Kind, ...] = get_args(Kind)

TITLES: dict[Kind, str] = {
    "encoder": "encoder",
    "decoder": "decoder, to itself",
    "cross": "decoder, to the source",
}
"""What a kind is called over a picture."""


class Head(NamedTuple):
    """One head of one attention layer; layer and head are counted from 0.

    >>> str(Head("encoder", 5, 6))
    'encoder.5.6'
    """

    kind: Kind
    layer: int
    head: int

    def __str__(self) -> str:
        return f"{self.kind}.{self.layer}.{self.head}"


def kinds_of(model: Model) -> tuple[Kind, ...]:
    """Return the kinds of attention that a model has."""
    return ("decoder",) if isinstance(model, GPT) else KINDS


def n_layers(model: Model, kind: Kind) -> int:
    """Return how many layers have this kind of attention."""
    if isinstance(model, GPT):
        return model.config.n_layers if kind == "decoder" else 0
    return model.config.encoder_layers if kind == "encoder" else model.config.decoder_layers


def modules(model: Model) -> Iterator[tuple[Kind, int, MultiHeadAttention]]:
    """Yield every attention of the model, the encoder's first."""
    if isinstance(model, GPT):
        for number, layer in enumerate(model.layers):
            assert isinstance(layer, GPTLayer)
            yield "decoder", number, layer.attention
        return
    for number, layer in enumerate(model.encoder):
        assert isinstance(layer, EncoderLayer)
        yield "encoder", number, layer.attention
    for number, layer in enumerate(model.decoder):
        assert isinstance(layer, DecoderLayer)
        yield "decoder", number, layer.attention
        yield "cross", number, layer.cross_attention


def every_head(model: Model, kind: Kind | None = None) -> list[Head]:
    """Return the heads of the model, or of one kind of its attention."""
    return [
        Head(found, layer, head)
        for found, layer, module in modules(model)
        for head in range(module.n_heads)
        if kind in (None, found)
    ]


def check(model: Model, kind: str, layer: int | None, head: int | None = None) -> None:
    """Raise SettingError, with what there is, unless the model has this layer and head."""
    known = {str(one): one for one in kinds_of(model)}
    if kind not in known:
        raise SettingError(
            f'there is no attention "{kind}"', where="kind", fix=did_you_mean(kind, known)
        )
    counted = (
        ("layer", layer, n_layers(model, known[kind])),
        ("head", head, model.config.n_heads),
    )
    for name, asked, there in counted:
        if asked is not None and not 0 <= asked < there:
            raise SettingError(
                f"there is no {name} {asked}",
                where=kind,
                fix=f"its {name}s are 0 to {there - 1}" if there > 1 else f"its only {name} is 0",
            )


def parse(model: Model, name: str | Head) -> list[Head]:
    """Return the heads that a name stands for: of `encoder.5.6` one, of `encoder.5` a layer's.

    Raises SettingError for a name of another form or of what the model has not.
    """
    kind, *numbers = str(name).split(".")
    if not 1 <= len(numbers) <= 2 or not all(number.isdecimal() for number in numbers):
        raise SettingError(
            f'"{name}" names no head',
            where="head",
            fix=f"write kind.layer.head, such as {kinds_of(model)[0]}.5.6, or kind.layer for a "
            "whole layer",
        )
    layer, head = int(numbers[0]), int(numbers[1]) if len(numbers) == 2 else None
    check(model, kind, layer, head)
    return [
        found
        for found in every_head(model)
        if found[:2] == (kind, layer) and head in (None, found.head)
    ]
