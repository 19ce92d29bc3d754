"""Prose with markup becomes units: texts to translate, in which a sign stands for what is kept.

Pieces of a paragraph come in, as each format's reader finds them; parts of a document go out, text
that stays and units. The readers of this package call it.
"""

__all__ = [
    "HOLDER",
    "Atom",
    "Break",
    "Framed",
    "Mark",
    "Part",
    "Piece",
    "Text",
    "Unit",
    "Unread",
    "parts_of",
    "raw_of",
    "spelled",
]

import re
from bisect import bisect_left
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from itertools import accumulate
from typing import NamedTuple, Union

from heedful.text.protect import spans
from heedful.text.spans import words

HOLDER = re.compile(r"<x(\d{1,6})/>", re.ASCII)
"""What stands for an atom, by its number from 1. Of the spellings tried (`{0}`, `%s`, `<b>`,
brackets) the bundled model loses an empty tag least."""

_WORD = re.compile(r"(?<![\w~&./-])(?:\.{0,2}/)?[\w~&]++(?:[./-]++[\w~&]++)*+")
_ENDING = re.compile(r"[\w/]\w\.[a-z][a-z0-9]{0,4}\Z", re.ASCII)

Part = Union[str, "Unit", "Framed", "Unread"]
"""A part of a document: text that stays, a unit, or parts with a frame."""


class Text(NamedTuple):
    """Words to translate, and how they are spelled in the document (`&` as `&amp;`)."""

    shown: str
    raw: str


class Atom(NamedTuple):
    """Something that is kept whole: code, an image, an address."""

    raw: tuple[Part, ...]
    shown: str = ""
    """What of it a reader would see as plain text, if it is no markup."""
    silent: bool = False
    """Whether it is not read as a word: a comment, an image. At the edges it is left out."""


class Mark(NamedTuple):
    """One end of something around words: `**`, `<a href="x">`, `](url)`."""

    raw: tuple[Part, ...]
    name: str
    """The same at both ends."""
    opens: bool
    renamed: str = ""
    """How it must be spelled around a translation, if not as it was: `][text]` for the link
    `[text]`."""


class Break(NamedTuple):
    """A line break that must stay: what is before and after it are texts of their own."""

    raw: tuple[Part, ...]


Piece = Text | Atom | Mark | Break
Write = Callable[["Unit", Sequence[Piece]], str | None]
"""Spells placed pieces in a format; None where their markup would not be read as it was."""


@dataclass(frozen=True, eq=False)
class Unit:
    """A text to translate, with what stands in and around its words."""

    pieces: tuple[Text | Atom | Mark, ...]
    write: Write

    @cached_property
    def shown(self) -> str:
        """The text as it is translated: atoms by their signs, marks left out."""
        shown, number = "", 0
        for piece in self.pieces:
            if isinstance(piece, Atom):
                number += 1
                shown += f"<x{number}/>"
            elif isinstance(piece, Text):
                shown += piece.shown
        return shown

    @property
    def raw(self) -> tuple[Part, ...]:
        """The unit as it was, but for units within it."""
        return _raw(self.pieces)

    @property
    def n_words(self) -> int:
        """How many words it has, what is kept left out; a Chinese letter is one."""
        return sum(_readable(word.word) for word in words(HOLDER.sub(" ", self.shown)))


@dataclass(frozen=True, eq=False)
class Framed:
    """Parts that are one block: their text gets something around its lines."""

    parts: tuple[Part, ...]
    put: Callable[[str], str] = str
    """Puts, for example, `> ` before each line."""


class Unread(NamedTuple):
    """Prose that could not be taken apart, and stays as it is."""

    raw: str


def parts_of(pieces: Iterable[Piece], write: Write) -> list[Part]:
    """Return text that stays and units; joined, they are the pieces' raw text again.

    A mark without a partner is kept as an atom. A pair without a letter or digit inside is one
    atom. What is around the whole text, a pair or something silent, stays out of the unit.
    """
    return _divided(_paired(_with_names(pieces)), write)


def raw_of(piece: Piece) -> tuple[Part, ...]:
    """Return how a piece is spelled."""
    return (piece.raw,) if isinstance(piece, Text) else piece.raw


def spelled(parts: Iterable[Part]) -> str:
    """Return parts as they were in the document, but for frames."""
    return "".join(
        part
        if isinstance(part, str)
        else part.raw
        if isinstance(part, Unread)
        else spelled(part.parts if isinstance(part, Framed) else part.raw)
        for part in parts
    )


def _raw(pieces: Iterable[Piece]) -> tuple[Part, ...]:
    return tuple(part for piece in pieces for part in raw_of(piece))


def _with_names(pieces: Iterable[Piece]) -> Iterator[Piece]:
    """Make atoms of addresses, placeholders and names with signs in them."""
    run: list[Text] = []
    for piece in pieces:
        if isinstance(piece, Text):
            run.append(piece)
            continue
        yield from _named(run)
        run = []
        yield piece
    yield from _named(run)


def _named(run: Sequence[Text]) -> Iterator[Piece]:
    starts = [0, *accumulate(len(text.shown) for text in run)]
    at = 0
    for start, end in _names("".join(text.shown for text in run)):
        yield from _slice(run, starts, at, start)
        whole = list(_slice(run, starts, start, end))
        yield Atom(_raw(whole), "".join(text.shown for text in whole))
        at = end
    yield from _slice(run, starts, at, starts[-1] + 1)


def _names(text: str) -> list[tuple[int, int]]:
    """Return where what is kept begins and ends, in order and without overlaps.

    >>> [text := "See file_name at x@y.org, 5 & 6", [text[a:b] for a, b in _names(text)]][1]
    ['file_name', 'x@y.org']
    """
    kept = [(span.start, span.end) for span in spans(text) if span.kind != "number"]
    kept += [found.span() for found in _WORD.finditer(text) if _is_name(found[0])]
    apart: list[tuple[int, int]] = []
    for start, end in sorted(kept):
        if apart and start < apart[-1][1]:
            apart[-1] = (apart[-1][0], max(end, apart[-1][1]))
        else:
            apart.append((start, end))
    return apart


def _is_name(word: str) -> bool:
    """Tell whether a word is a name of a file or in a program: what has a sign or an ending.

    In a label the translator would take such a sign for the mark of a keyboard shortcut.

    >>> [word for word in ("file_name", "AT&T", "a/b.md", "and/or", "e.g") if _is_name(word)]
    ['file_name', 'AT&T', 'a/b.md']
    """
    signed = any(sign in word for sign in "_~&") and any(map(str.isalnum, word))
    return signed or _ENDING.search(word) is not None


def _slice(run: Sequence[Text], starts: Sequence[int], start: int, end: int) -> Iterator[Text]:
    """Yield the texts from one character shown to another; what is spelled otherwise stays whole.

    `starts` has where each text begins, and the end of the last. A text that shows nothing belongs
    to the character behind it.

    >>> list(_slice([Text("a & b", "a & b"), Text("<", "&lt;")], [0, 5, 6], 2, 6))
    [Text(shown='& b', raw='& b'), Text(shown='<', raw='&lt;')]
    """
    number = bisect_left(starts, start)
    number -= starts[number] > start
    while number < len(run) and starts[number] < end:
        text, at = run[number], starts[number]
        part = text.shown[max(start - at, 0) : end - at]
        if text.shown == text.raw:
            yield Text(part, part)
        elif at >= start:
            yield text
        number += 1


def _paired(pieces: Iterable[Piece]) -> list[Piece]:
    """Make atoms of marks without a partner, and of pairs with nothing to read inside."""
    found: list[Piece] = []
    opened: list[tuple[int, str, int]] = []
    names: Counter[str] = Counter()
    read = 0

    def alone() -> None:
        at, name, _ = opened.pop()
        names[name] -= 1
        found[at] = Atom(raw_of(found[at]), silent=True)

    for piece in pieces:
        if not isinstance(piece, Mark):
            read += isinstance(piece, Text) and _readable(piece.shown)
            found.append(piece)
        elif piece.opens:
            opened.append((len(found), piece.name, read))
            names[piece.name] += 1
            found.append(piece)
        elif not names[piece.name]:
            found.append(Atom(piece.raw, silent=True))
        else:
            while opened[-1][1] != piece.name:
                alone()
            at, name, before = opened.pop()
            names[name] -= 1
            found.append(piece)
            if read == before:
                found[at:] = [_atom(found[at:])]
    while opened:
        alone()
    return found


def _readable(text: str) -> bool:
    return any(map(str.isalnum, text))


def _atom(pieces: Sequence[Piece]) -> Atom:
    shown = "".join(piece.shown for piece in pieces if isinstance(piece, Text | Atom))
    silent = all(piece.silent for piece in pieces if isinstance(piece, Atom))
    return Atom(_raw(pieces), shown, silent)


def _divided(pieces: Sequence[Piece], write: Write) -> list[Part]:
    low, high = _core(pieces)
    before, core, after = list(pieces[:low]), list(pieces[low:high]), list(pieces[high:])
    if core and isinstance(core[0], Text):
        space, core[0] = _cut(core[0], len(core[0].shown) - len(core[0].shown.lstrip()))
        before.append(space)
    if core and isinstance(core[-1], Text):
        core[-1], space = _cut(core[-1], len(core[-1].shown.rstrip()))
        after.insert(0, space)
    texts = _texts(core)
    if len(texts) > 1:
        middle = [part for text in texts for part in _divided_at(text, write)]
    else:
        kept = [Atom(piece.raw) if isinstance(piece, Break) else piece for piece in core]
        prose = any(isinstance(one, Text) and any(map(str.isalpha, one.shown)) for one in kept)
        middle = [Unit(tuple(kept), write)] if prose else [*_raw(kept)]
    return [part for part in (*_raw(before), *middle, *_raw(after)) if part != ""]


def _divided_at(text: Sequence[Piece], write: Write) -> list[Part]:
    """Divide what stands between breaks; a break stays."""
    return [*_raw(text)] if isinstance(text[0], Break) else _divided(text, write)


def _cut(text: Text, at: int) -> tuple[Text, Text]:
    """Cut a text; what is spelled otherwise than shown is blank and stays whole, or is not cut."""
    if text.shown == text.raw:
        return Text(text.shown[:at], text.raw[:at]), Text(text.shown[at:], text.raw[at:])
    nothing = Text("", "")
    return (nothing, text) if at == 0 else (text, nothing)


def _core(pieces: Sequence[Piece]) -> tuple[int, int]:
    """Return where the pieces begin and end that have something to read, without pairs around."""
    partner: dict[int, int] = {}
    opened: list[int] = []
    for number, piece in enumerate(pieces):
        if isinstance(piece, Mark) and piece.opens:
            opened.append(number)
        elif isinstance(piece, Mark):
            partner[opened.pop()] = number
    low, high = 0, len(pieces)
    while low < high:
        if _is_edge(pieces[low]):
            low += 1
        elif _is_edge(pieces[high - 1]):
            high -= 1
        elif partner.get(low) == high - 1 and not _renames(pieces[high - 1]):
            low, high = low + 1, high - 1
        else:
            break
    return low, high


def _is_edge(piece: Piece) -> bool:
    if isinstance(piece, Text):
        return not piece.shown.strip()
    return isinstance(piece, Break) or (isinstance(piece, Atom) and piece.silent)


def _renames(piece: Piece) -> bool:
    return isinstance(piece, Mark) and bool(piece.renamed)


def _texts(pieces: Sequence[Piece]) -> list[list[Piece]]:
    """Divide pieces at breaks that no pair is around; the breaks are lists of their own."""
    texts: list[list[Piece]] = [[]]
    depth = 0
    for piece in pieces:
        if isinstance(piece, Mark):
            depth += 1 if piece.opens else -1
        if isinstance(piece, Break) and depth == 0:
            texts += [[piece], []]
        else:
            texts[-1].append(piece)
    return [text for text in texts if text]
