"""A document in parts, and how it comes back translated.

The parts that a format's reader found come in; texts to translate go out, and with their
translations the whole document. `heedful.document_job` calls `translated`.
"""

__all__ = ["Document", "Report", "translated"]

from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, NamedTuple, Unpack

from heedful.data.windows import LARGEST
from heedful.documents.pieces import Framed, Mark, Part, Piece, Text, Unit, Unread
from heedful.documents.placing import placed
from heedful.request import Request
from heedful.translation import Translation

if TYPE_CHECKING:
    from heedful.translator import Options, Translator


@dataclass(frozen=True)
class Document:
    """A text of one format, divided into what stays and what is translated."""

    parts: tuple[Part, ...]
    sound: Callable[[str], bool] | None = None
    """Tells whether a text has the structure that the document had, where that is not sure."""

    def texts(self) -> list[str]:
        """Return the texts to translate, in order, each once."""
        return list(dict.fromkeys(unit.shown for unit in _units(self.parts)))

    def rebuilt(self, found: Mapping[str, Translation]) -> "tuple[str, Report]":
        """Return the document with the translations of its texts, and what there is to say.

        A text whose translation is the text itself comes back as it was spelled.
        """
        chunks, n_kept = self._chunks(found)
        report = Report()
        line = 1
        for chunk, kept in zip(chunks, n_kept, strict=True):
            report.kept += [line] * kept
            line += chunk.count("\n")
        for unit in _units(self.parts):
            report.texts += 1
            report.words += unit.n_words
            report.flags.update(found[unit.shown].flags)
        return "".join(chunks), report

    def _chunks(self, found: Mapping[str, Translation]) -> tuple[list[str], list[int]]:
        """Return the text of each part, and how many texts in it are as they were."""
        made = [_Rebuilding(found).made(part) for part in self.parts]
        old = [_Rebuilding({}).made(part).text for part in self.parts]
        chosen = self._chosen(old, [one.text for one in made])
        n_kept = [
            one.n_kept if chunk == one.text else sum(1 for _ in _units((part,)))
            for chunk, one, part in zip(chosen, made, self.parts, strict=True)
        ]
        return chosen, n_kept

    def _chosen(self, old: list[str], new: list[str]) -> list[str]:
        """Return the new chunks, but old ones where new ones would change the structure.

        Those are looked for by halves.
        """
        if self.sound is None:
            return new
        chosen = list(old)
        waiting = [[at for at, chunk in enumerate(new) if chunk != old[at]]]
        while waiting:
            some = waiting.pop()
            tried = list(chosen)
            for at in some:
                tried[at] = new[at]
            if self.sound("".join(tried)):
                chosen = tried
            elif len(some) > 1:
                middle = len(some) // 2
                waiting += [some[middle:], some[:middle]]
        return chosen


@dataclass
class Report:
    """What was done to a document."""

    texts: int = 0
    """Texts that were translated: paragraphs, headings, cells, cues, attributes."""
    words: int = 0
    """Words of them."""
    flags: Counter[str] = field(default_factory=Counter)
    """How often each flag of `heedful.pipeline` was given; see `FLAGS` there."""
    kept: list[int] = field(default_factory=list)
    """Of each text that is as it was, since its markup could not be read or put into the
    translation, the line of the new document, from 1, at which its paragraph begins."""


def _units(parts: Iterable[Part]) -> Iterator[Unit]:
    """Yield all units, those within others after them."""
    for part in parts:
        if isinstance(part, Framed):
            yield from _units(part.parts)
        elif isinstance(part, Unit):
            yield part
            yield from _units(part.raw)


class _Made(NamedTuple):
    """The text of a part, and how many texts of it are as they were."""

    text: str
    n_kept: int


class _Rebuilding:
    """Spells parts with their translations."""

    def __init__(self, found: Mapping[str, Translation]) -> None:
        """Take the translations; a text without one stays as it is."""
        self._found = found
        self.n_kept = 0
        """Texts that had to stay as they were."""

    def made(self, part: Part) -> _Made:
        """Return a part's text, and how many texts in it had to stay as they were."""
        self.n_kept = 0
        return _Made(self.text((part,)), self.n_kept)

    def text(self, parts: Iterable[Part]) -> str:
        """Return the text of some parts."""
        return "".join(map(self._part, parts))

    def _part(self, part: Part) -> str:
        if isinstance(part, str):
            return part
        if isinstance(part, Framed):
            return part.put(self.text(part.parts))
        if isinstance(part, Unread):
            self.n_kept += 1
            return part.raw
        translation = self._found.get(part.shown)
        if translation is None or translation.text == part.shown:
            return self.text(part.raw)
        pieces = placed(part, translation.text, translation.links)
        written = None
        if pieces is not None:
            written = part.write(part, [self._settled(piece) for piece in pieces])
        if written is None:
            self.n_kept += 1
            return self.text(part.raw)
        return written

    def _settled(self, piece: Piece) -> Piece:
        """Return a piece with nothing but text in it, as it is spelled around a translation."""
        if isinstance(piece, Text):
            return piece
        if isinstance(piece, Mark) and piece.renamed:
            return piece._replace(raw=(piece.renamed,))
        return piece._replace(raw=(self.text(piece.raw),))


def translated(
    document: Document,
    translator: "Translator",
    to: str | None = None,
    *,
    from_: str | None = None,
    ask: Callable[[str], Request] = Request,
    watch: Callable[[Iterable[Translation], int], Iterable[Translation]] = lambda some, _: some,
    **options: "Unpack[Options]",
) -> tuple[str, Report]:
    """Return the document translated, and what was done; see `Translator.stream` for the options.

    `ask` makes a request of a text; `watch` is given the translations, as they come, and their
    number. Care should protect (`Care(protect=True)`): a text that has lost a sign of what is kept
    in it stays as it was. Equal texts are translated once.
    """
    texts = document.texts()
    asked = [ask(text) for text in texts]
    given: Options = {**options, "align": True}
    stream = translator.stream(asked, to, from_=from_, window=LARGEST, **given)
    found = dict(zip(texts, watch(stream, len(texts)), strict=True))
    return document.rebuilt(found)
