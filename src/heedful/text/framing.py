"""What stands around the pieces of a source: languages and marks, each where a model learnt it.

A direction comes in, the places of control pieces go out; `Tokenizer` asks it. Models that were
trained here name the target language in front. Multilingual ones from elsewhere name the source
language, too, so that they are asked for a direction, `en>de`, and not for a target alone.
"""

__all__ = ["Framing", "direction", "parted"]

from typing import Any, NamedTuple

from heedful.errors import ModelError

MARKS = ("from", "to", "<s>")
"""The source's language, the target's, and the piece that begins a text."""
_BETWEEN = ">"


class Framing(NamedTuple):
    """The marks of a source: `before` its pieces, and `behind` its `</s>`."""

    before: tuple[str, ...] = ()
    behind: tuple[str, ...] = ()
    ended: bool = True
    """Whether there is a `</s>`; models of OpenNMT-py read sources without it."""

    @property
    def marks(self) -> tuple[str, ...]:
        """All of them."""
        return (*self.before, *self.behind)

    @property
    def around(self) -> tuple[int, int]:
        """How many pieces stand before those of the text, and behind them."""
        return len(self.before), len(self.behind) + self.ended

    @property
    def directed(self) -> bool:
        """Whether the language of a source is told, too."""
        return "from" in self.marks

    @classmethod
    def read(cls, data: dict[str, Any], where: str) -> "Framing":
        """Return what a tokenizer.json says; raises ModelError for marks that are not known."""
        sides = [data.get(name) for name in ("before", "behind")]
        known = all(isinstance(side, list) and set(map(str, side)) <= {*MARKS} for side in sides)
        ended = data.get("ended", True)
        if not known or not isinstance(ended, bool):
            raise ModelError("its framing is damaged", where=where, fix="import the model again")
        before, behind = (tuple(map(str, side)) for side in sides if side is not None)
        return cls(before, behind, ended)


def direction(source: str, target: str) -> str:
    """Return what a model that is told both languages is asked for.

    >>> direction("en", "de")
    'en>de'
    """
    return f"{source}{_BETWEEN}{target}"


def parted(asked: str | None) -> tuple[str | None, str | None]:
    """Return the source's language, where it is told, and the target's.

    >>> parted("en>de"), parted("de"), parted(None)
    (('en', 'de'), (None, 'de'), (None, None))
    """
    if asked is None:
        return None, None
    source, between, target = asked.rpartition(_BETWEEN)
    return (source if between else None), target
