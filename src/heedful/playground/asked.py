"""What the page may ask: the fields of every request, checked before anything is computed.

A dictionary comes in, a checked request goes out, or a sentence that says what is wrong with it.
"""

__all__ = [
    "AttributeAsked",
    "DependenceAsked",
    "EmbeddingAsked",
    "EvidenceAsked",
    "ExactAsked",
    "ExportAsked",
    "ImportanceAsked",
    "RankAsked",
    "RowAsked",
    "TokensAsked",
    "TraceAsked",
    "WhatIfAsked",
    "checked",
]

from typing import Annotated, Any, Literal, TypeVar

from pydantic import AfterValidator, BaseModel, Field, ValidationError

from heedful.inspect.ablate import How
from heedful.inspect.attribute import Method
from heedful.inspect.names import Kind
from heedful.inspect.prompted import MOST
from heedful.inspect.stages import LONGEST
from heedful.serve.refusal import misshapen
from heedful.serve.schemas import Shape, Text, whole

EDITS = 64
"""Heads or layers, and words, that one question may change."""


Word = Annotated[str, Field(max_length=400), AfterValidator(whole)]
Name = Annotated[str, Field(max_length=200)]
Count = Annotated[int, Field(ge=0, le=1 << 30)]


class TokensAsked(Shape):
    """A text to be cut into pieces."""

    text: Text
    to: Name | None = None
    from_: Name | None = Field(None, alias="from")
    model: Name | None = None


class DependenceAsked(TokensAsked):
    """A text whose translation is to be told word by word what it hangs on."""


class TraceAsked(TokensAsked):
    """A text to be translated, or gone on with, and looked into."""

    target: Text | None = None
    beam: int | None = Field(None, ge=1)
    length_penalty: float = Field(0.6, ge=0, le=10)
    most: int = Field(MOST, ge=1, le=LONGEST)
    """Pieces that a model without an encoder writes, at most."""
    temperature: float | None = Field(None, ge=0.01, le=100)
    """Pieces are drawn; None: the likeliest are taken, unless there is a seed."""
    seed: int | None = Field(None, ge=0, lt=1 << 53)


class _OfTrace(Shape):
    id: Name


class RowAsked(_OfTrace):
    """What one head looks at from one piece."""

    kind: Kind
    layer: Count
    head: Count
    query: Count
    key: Count | None = None
    """Tell the scores, too, and the query and this key, of which they are products."""


class AttributeAsked(_OfTrace):
    """What a prediction rests on."""

    step: Count
    method: Method = "grad_x_input"
    against: Word | None = None


class WhatIfAsked(_OfTrace):
    """What would be otherwise."""

    ablate: list[Name] = Field([], max_length=EDITS)
    how: How = "mean"
    replace: dict[Word, Word] = Field({}, max_length=EDITS)
    prefix: Word | None = None


class ImportanceAsked(_OfTrace):
    """How much each head matters, by its gate."""

    step: Count | None = None


class ExactAsked(ImportanceAsked):
    """How much each head matters, one by one."""

    how: How = "mean"


class EvidenceAsked(_OfTrace):
    """What bears on a pair."""

    kind: Kind
    row: Count
    column: Count
    words: bool = False
    step: Count | None = None


class EmbeddingAsked(Shape):
    """What a piece is before anything is looked at."""

    side: Literal["source", "target"] = "source"
    id: Count
    place: Count = 0
    model: Name | None = None


class RankAsked(_OfTrace):
    """How likely a piece was at a step."""

    step: Count
    piece: Word


class ExportAsked(_OfTrace):
    """A trace as a page of its own."""


Asked = TypeVar("Asked", bound=BaseModel)


def checked(shape: type[Asked], request: Any) -> Asked:
    """Return a request as its shape; raises RefusalError, which repeats no value, for another."""
    try:
        return shape.model_validate(request)
    except ValidationError as error:
        first = error.errors()[0]
    known = {field.alias or name for name, field in shape.model_fields.items()}
    raise misshapen(first["loc"], str(first["msg"]), known)
