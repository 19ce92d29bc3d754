"""What the attention of a model is called: `encoder.5.6` is layer 5, head 6, from 0.

Names come in from users, places in a model go out; a name that the model has not is refused with
those that it has. A model without an encoder has the decoder's attention to itself alone.
"""

__all__ = [
    "KINDS",
    "TITLES",
    "Attention",
    "Head",
    "Inspected",
    "Kind",
    "check",
    "every_head",
    "kinds_of",
    "modules",
    "n_layers",
    "opened",
    "parse",
    "self_attentive",
    "stepwise",
]

from collections.abc import Iterator
from typing import Literal, NamedTuple, get_args

from heedful.errors import SettingError, did_you_mean
from heedful.models import convolutional
from heedful.models.architecture import Model, as_transformer
from heedful.models.gpt import GPT, GPTLayer
from heedful.models.layers import DecoderLayer, EncoderLayer
from heedful.models.recurrent import Recurrent
from heedful.models.transformer import Transformer
from heedful.models.wiring import Bahdanau, Luong
from heedful.nn.attention import MultiHeadAttention
from heedful.nn.source_attention import SourceAttention

Inspected = Model | GPT
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


Attention = MultiHeadAttention | SourceAttention
"""What looks: of a Transformer with several heads, of the models before it with one."""


def kinds_of(model: Inspected) -> tuple[Kind, ...]:
    """Return the kinds of attention that a model has, in the order of `KINDS`."""
    known = {kind for kind, _, _ in modules(model)}
    return tuple(kind for kind in KINDS if kind in known)


def n_layers(model: Inspected, kind: Kind) -> int:
    """Return how many layers have this kind of attention."""
    return sum(found == kind for found, _, _ in modules(model))


def modules(model: Inspected) -> Iterator[tuple[Kind, int, Attention]]:
    """Yield every attention of the model, the encoder's first."""
    if isinstance(model, GPT):
        for number, layer in enumerate(model.layers):
            assert isinstance(layer, GPTLayer)
            yield "decoder", number, layer.attention
        return
    if isinstance(model, Recurrent):
        if model.wiring.attention is not None:
            yield "cross", 0, model.wiring.attention
        return
    for number, layer in enumerate(model.encoder):
        if isinstance(layer, EncoderLayer):
            yield "encoder", number, layer.attention
    for number, layer in enumerate(model.decoder):
        if isinstance(layer, DecoderLayer):
            yield "decoder", number, layer.attention
            yield "cross", number, layer.cross_attention
        elif isinstance(layer, convolutional.DecoderLayer):
            yield "cross", number, layer.attention


def opened(model: Inspected) -> int:
    """Return how many pieces a decoder reads before those that a trace shows."""
    return len(model.config.opening.before) if isinstance(model, Transformer) else 0


def stepwise(model: Inspected) -> bool:
    """Return whether attention is asked once for each step of a known target, not for all."""
    if not isinstance(model, Recurrent):
        return False
    used = model.config.attention
    return isinstance(used, Bahdanau) or (isinstance(used, Luong) and used.input_feeding)


def self_attentive(model: Inspected, asked: str) -> Transformer | GPT:
    """Return a model whose layers attend to themselves; refuse others as `as_transformer` does."""
    return model if isinstance(model, GPT) else as_transformer(model, asked)


def every_head(model: Inspected, kind: Kind | None = None) -> list[Head]:
    """Return the heads of the model, or of one kind of its attention."""
    return [
        Head(found, layer, head)
        for found, layer, module in modules(model)
        for head in range(module.n_heads)
        if kind in (None, found)
    ]


def check(model: Inspected, kind: str, layer: int | None, head: int | None = None) -> None:
    """Raise SettingError, with what there is, unless the model has this layer and head."""
    if kind not in KINDS:
        raise SettingError(
            f'there is no attention "{kind}"', where="kind", fix=did_you_mean(kind, KINDS)
        )
    known = kinds_of(model)
    if kind not in known:
        raise SettingError(
            f"a model of the kind {model.config.kind} has no attention of that kind",
            where=kind,
            fix=f"it has {' and '.join(known)}" if known else "this one has no attention at all",
        )
    layers = sum(found == kind for found, _, _ in modules(model))
    for name, asked, there in (("layer", layer, layers), ("head", head, model.config.n_heads)):
        if asked is not None and not 0 <= asked < there:
            raise SettingError(
                f"there is no {name} {asked}",
                where=kind,
                fix=f"its {name}s are 0 to {there - 1}" if there > 1 else f"its only {name} is 0",
            )


def parse(model: Inspected, name: str | Head) -> list[Head]:
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
