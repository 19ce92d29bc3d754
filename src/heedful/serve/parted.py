"""A text of a request in parts that are translated: its lines, or the words of its HTML.

A text comes in; its parts go out, and with their translations the whole. `libretranslate` asks.
"""

__all__ = ["Html", "Lines", "Parted", "Said"]

from collections.abc import Sequence
from typing import NamedTuple, Protocol

from heedful.documents import read
from heedful.translation import Translation


class Said(NamedTuple):
    """One text translated."""

    text: str
    alternatives: list[str]
    """Others, the best first."""


class Parted(Protocol):
    """A text in parts."""

    texts: list[str]
    """What is translated."""

    def said(self, found: Sequence[Translation]) -> Said:
        """Return the whole, with the translation of every part."""
        ...


class Lines:
    """A text whose lines stay lines, as clients of LibreTranslate expect."""

    def __init__(self, text: str, alternatives: int = 0) -> None:
        self._lines, self._alternatives = text.split("\n"), alternatives
        self.texts = [line for line in self._lines if line.strip()]

    def said(self, found: Sequence[Translation]) -> Said:
        """Return all lines; the second best of one goes with the second best of the others."""
        several = ["\n".join(self._ranked(found, rank)) for rank in range(self._alternatives + 1)]
        first, *others = dict.fromkeys(several)
        return Said(first, others)

    def _ranked(self, found: Sequence[Translation], rank: int) -> list[str]:
        translations = iter(found)
        lines = []
        for line in self._lines:
            if line.strip():
                hypotheses = next(translations).hypotheses
                line = hypotheses[min(rank, len(hypotheses) - 1)].text
            lines.append(line)
        return lines


class Html:
    """A piece of HTML: its words are translated, never its tags.

    The translations need links between words; what cannot be placed stays as it is.
    """

    def __init__(self, html: str) -> None:
        self._document = read(html, "html")
        self.texts = self._document.texts()

    def said(self, found: Sequence[Translation]) -> Said:
        """Return the HTML with its words translated."""
        rebuilt, _ = self._document.rebuilt(dict(zip(self.texts, found, strict=True)))
        return Said(rebuilt, [])
