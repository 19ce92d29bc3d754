"""Markdown: paragraphs, headings and cells of tables are translated, the rest stays.

The text of a document comes in, its parts go out; `heedful.documents` calls it. Blocks are those
of CommonMark, with tables and front matter.
"""

__all__ = ["read", "structure"]

import re
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from itertools import pairwise
from typing import Literal, NamedTuple

from markdown_it.token import Token

from heedful.documents import html
from heedful.documents.markdown_inline import UnreadableError, pieces_of, seen
from heedful.documents.markdown_parser import BLOCKS, Environment
from heedful.documents.pieces import (
    Atom,
    Framed,
    Mark,
    Part,
    Piece,
    Text,
    Unit,
    Unread,
    parts_of,
    spelled,
)
from heedful.documents.plain import framed
from heedful.documents.wrapping import fragments_of, wrapped

Kind = Literal["paragraph", "heading", "cell", "alt"]
"""What a text is in, and so what must not begin it or stand in it; `alt`: the text of an image."""

_LINE = re.compile(r"([^\r\n]*)(\r\n|\r|\n|\Z)")
_END = r"[ \t]*(?:\r\n|\r|\n)"
_INSIDE = r"(?:[^\r\n]*+(?:\r\n|\r|\n))*?"
_FRONT = re.compile(
    rf"(?:---{_END}(?!{_END}){_INSIDE}(?:---|\.\.\.)|\+\+\+{_END}{_INSIDE}\+\+\+)"
    rf"(?:{_END}|[ \t]*\Z)"
)
"""What a document begins with between two lines of signs; behind a blank line, `---` is a rule."""
_LEAD = re.compile(r"\[!\w+\][ \t]*(?:\n|\Z)|\[\^[^\]\s]+\]:[ \t]*|\[[ xX]\][ \t]+")
"""What stands before the words: GitHub's [!NOTE], [^1]: of a footnote, a box to tick."""
_STARTS = re.compile(r"(?:[-+*=_]+|#{1,6}|\d{1,9}[.)])\Z|[>|<:]|~~~|```")
"""Words that may begin another block: no line is broken before them."""
_SPECIAL = re.compile(r"([\\`*_\[\]<>&$~|!#])")
_AT_START = re.compile(r"(?m)^([-+=:]|\d{1,9}(?=[.)]))")
_BORDER = re.compile(r"(?<!\\)\|")
_ENDLESS = 10**9
_WIDEST = 120
"""Characters at which lines are broken where those of the document are longer."""


def read(text: str) -> list[Part]:
    """Return the parts of a Markdown document.

    A paragraph is one text. One of several lines is broken at the width of the document's lines.
    Kept are code, HTML that is no prose, mathematics, addresses and titles of links, front matter,
    and names of references.
    """
    front = _FRONT.match(text)
    begin = 0 if front is None else front.end()
    lines = [(found[1], found[2]) for found in _LINE.finditer(text, begin) if found[0]]
    environment: Environment = {}
    tokens = BLOCKS.parse(text[begin:], environment)
    known = _Known(environment, _width(tokens))
    parts: list[Part] = [text[:begin]]
    at = 0
    for start, end, found in _blocks(tokens, lines, known):
        parts += [_raw(lines[at:start]), *found]
        at = end
    parts.append(_raw(lines[at:]))
    return [part for part in parts if part != ""]


_Lines = Sequence[tuple[str, str]]
"""Lines, and what ends each."""


class _Known(NamedTuple):
    """What is known of a document."""

    environment: Environment
    width: int
    """Characters of a line of a paragraph."""

    def parsed(self, text: str) -> list[Token]:
        """Return the tokens of a text that has the references of the document."""
        return BLOCKS.parse(text, {"references": dict(self.environment.get("references", {}))})

    def read(self, text: str, kind: Kind) -> Sequence[Token] | None:
        """Return what stands in a text as a block of a kind; None if it is another."""
        if kind in ("cell", "alt"):
            return BLOCKS.parseInline(text, self.environment)[0].children or []
        found = self.parsed(("# " if kind == "heading" else "") + text)
        if [token.type.rpartition("_")[0] for token in found] != [kind, "", kind]:
            return None
        return found[1].children or []


def structure(text: str) -> tuple[list[tuple[str, ...]], Counter[tuple[str, str]]]:
    """Return the blocks of a document, without their words, and all the markup in them.

    >>> structure("# A *b*")[1]
    Counter({('em_open', ''): 1})
    """
    blocks: list[tuple[str, ...]] = []
    markup: Counter[tuple[str, str]] = Counter()
    for token in BLOCKS.parse(text):
        kept = token.info + token.content if token.type in ("fence", "code_block") else ""
        blocks.append((token.type, token.tag, kept))
        markup += seen(token.children or ())[0]
    return blocks, markup


def _width(tokens: Sequence[Token]) -> int:
    """Return the characters of the longest line that a paragraph of several lines has."""
    several = (token.content for token in tokens if "\n" in token.content and token.children)
    return min(
        max((len(line) for text in several for line in text.split("\n")), default=0), _WIDEST
    )


def _raw(lines: _Lines) -> str:
    return "".join(line + end for line, end in lines)


def _blocks(
    tokens: Sequence[Token], lines: _Lines, known: _Known
) -> Iterator[tuple[int, int, Sequence[Part]]]:
    """Yield the lines from, to, and the parts of each block with prose in it, in order."""
    for at, token in enumerate(tokens):
        if token.map is None or token.type not in _READ:
            continue
        start, end = token.map
        if token.type.endswith(("paragraph_open", "heading_open")):
            end = start + tokens[at + 1].content.count("\n") + 1
        elif token.type == "tr_open":
            end = start + 1
        inside = lines[start:end]
        try:
            yield start, end, _READ[token.type](tokens, at, inside, known)
        except UnreadableError:
            yield start, end, [Unread(_raw(inside))]


def _html(tokens: Sequence[Token], at: int, lines: _Lines, _: _Known) -> list[Part]:
    """Read a block of HTML."""
    content = tokens[at].content.removesuffix("\n")
    before, put, after = _around(lines, content)
    return [before, Framed(tuple(html.read(content)), put), after]


def _paragraph(tokens: Sequence[Token], at: int, lines: _Lines, known: _Known) -> list[Part]:
    """Read a paragraph, or a heading with a line under it."""
    content = tokens[at + 1].content
    lead = _LEAD.match(content)
    prose = _Prose(known, "paragraph", known.width if len(lines) > 1 else _ENDLESS)
    before, put, after = _around(lines, content)
    return [before, prose.block(content, "" if lead is None else lead[0], put), after]


def _around(lines: _Lines, content: str) -> tuple[str, Callable[[str], str], str]:
    """Return what stands before a block's content, between its lines, and after it.

    Raises UnreadableError where a line of the document does not end as one of the content.
    """
    texts = content.split("\n")
    starts = []
    for number, ((line, _), text) in enumerate(zip(lines, texts, strict=False), start=1):
        whole = line.rstrip() if number == len(lines) and not line.endswith(text) else line
        if len(texts) != len(lines) or not whole.endswith(text):
            raise UnreadableError
        starts.append(len(whole) - len(text))
    joints = [
        eol + following[:start]
        for (_, eol), (following, _), start in zip(lines, lines[1:], starts[1:], strict=False)
    ]
    last, eol = lines[-1]
    after = last[starts[-1] + len(texts[-1]) :] + eol
    return lines[0][0][: starts[0]], lambda text: framed(text, joints), after


def _heading(tokens: Sequence[Token], at: int, lines: _Lines, known: _Known) -> list[Part]:
    """Read a heading: one with signs before it, or one with a line under it."""
    marker, content = tokens[at].markup, tokens[at + 1].content
    if not marker.startswith("#"):
        return _paragraph(tokens, at, lines, known)
    line, eol = lines[0]
    begin = line.index("#") + len(marker)
    begin += len(line[begin:]) - len(line[begin:].lstrip())
    if not line.startswith(content, begin):
        raise UnreadableError
    inside = _Prose(known, "heading", _ENDLESS).block(content)
    return [line[:begin], inside, line[begin + len(content) :] + eol]


def _row(tokens: Sequence[Token], at: int, lines: _Lines, known: _Known) -> list[Part]:
    """Read a row of a table; raises UnreadableError where its cells are not found in its line."""
    texts = []
    for token in tokens[at + 1 :]:
        if token.type == "tr_close":
            break
        texts += [token.content] if token.type == "inline" else []
    line, eol = lines[0]
    borders = [0, *(found.start() + 1 for found in _BORDER.finditer(line)), len(line) + 1]
    cells = [line[start : end - 1] for start, end in pairwise(borders)]
    first = next((first for first in (1, 0) if _alike(cells[first:], texts)), None)
    if first is None:
        raise UnreadableError
    prose = _Prose(known, "cell", _ENDLESS)
    parts: list[Part] = []
    for number, text in enumerate(texts[: len(cells) - first], first):
        cell = cells[number]
        begin = len(cell.rstrip()) - len(_piped(text))
        parts += [cell[:begin], prose.block(text, put=_piped)]
        parts.append(cell[begin + len(_piped(text)) :] + line[borders[number + 1] - 1 :][:1])
    rest = borders[min(len(texts) + first, len(cells))]
    return [line[: borders[first]], Framed((*parts, line[rest:])), eol]


def _alike(cells: Sequence[str], texts: Sequence[str]) -> bool:
    """Tell whether cells as they are spelled have these texts; missing ones are empty.

    The first may have something before it, such as the signs of a list.
    """
    pairs = list(zip(cells, texts, strict=False))
    return bool(pairs) and all(
        cell.rstrip().endswith(_piped(text)) if number == 0 else cell.strip() == _piped(text)
        for number, (cell, text) in enumerate(pairs)
    )


def _piped(text: str) -> str:
    return text.replace("|", "\\|")


_READ = {
    "html_block": _html,
    "heading_open": _heading,
    "paragraph_open": _paragraph,
    "tr_open": _row,
}


class _Prose:
    """Takes the content of a block apart, and spells what comes back."""

    def __init__(self, known: _Known, kind: Kind, width: int) -> None:
        self._known, self._kind, self._width = known, kind, width

    def block(self, content: str, before: str = "", put: Callable[[str], str] = str) -> Framed:
        """Return the parts of a content; raises UnreadableError where it cannot be read.

        `before` is what of it stands before the words.
        """
        return Framed((before, *self._parts(content[len(before) :])), put)

    def _parts(self, content: str) -> list[Part]:
        return parts_of(pieces_of(content, self._known.environment, self._alt), self._write)

    def _alt(self, text: str) -> list[Part]:
        return _Prose(self._known, "alt", _ENDLESS)._parts(text)

    def _write(self, unit: Unit, placed: Sequence[Piece]) -> str | None:
        """Spell a text plainly, or if that would be read as other markup, with signs before all."""
        markup, _ = seen(self._known.read(spelled(unit.raw), "cell") or ())
        words = "".join(one.shown for one in placed if isinstance(one, Text | Atom))
        wanted = markup, "".join(words.split())
        for careful in (False, True) if self._kind != "alt" else (True,):
            pieces = [_starred(piece) if careful else piece for piece in placed]
            spell = _careful if careful else str
            fragments = list(fragments_of(pieces, spell, markup=True))
            text = "\n".join(wrapped(fragments, self._width, may_begin=_may_begin))
            if careful:
                text = _AT_START.sub(_signed, text)
            tokens = self._known.read(text, self._kind)
            if tokens is not None and seen(tokens) == wanted:
                return text
        return None


def _starred(piece: Piece) -> Piece:
    """Spell emphasis with stars: within a word _ is no mark."""
    if isinstance(piece, Mark) and piece.name in ("em", "strong"):
        return piece._replace(raw=(spelled(piece.raw).replace("_", "*"),))
    return piece


def _careful(text: str) -> str:
    return _SPECIAL.sub(r"\\\1", text)


def _signed(found: re.Match[str]) -> str:
    return f"{found[1]}\\" if found[1].isdigit() else f"\\{found[1]}"


def _may_begin(word: str) -> bool:
    return _STARTS.match(word) is None
