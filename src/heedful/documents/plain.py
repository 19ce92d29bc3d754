"""Plain text: paragraphs are translated, what is between them stays.

A text comes in, parts of a document go out; `heedful.documents` calls it.
"""

__all__ = ["read"]

import re
from collections.abc import Iterator, Sequence

from heedful.documents.pieces import Framed, Part, Piece, Text, Unit, parts_of
from heedful.documents.wrapping import first_word, fragments_of, width_of, wrapped
from heedful.text.sentences import CLOSING, HARD

NARROWEST, WIDEST = 50, 100
"""Columns of the longest line of a text that is taken for broken at a width."""

_LINE = re.compile(r"([^\r\n]*)(\r\n|\r|\n|\Z)")
_ENDLESS = 10**9
_ITEM = re.compile(r"\s*(?:[-*+•·–]|\d{1,3}[.)]|\[\d+\])\s")


def read(text: str) -> list[Part]:
    """Return the parts of a plain text.

    A line is a text of its own, unless the text is broken at a width: its longest line has 50 to
    100 columns. Then a line goes on in the next if that one's first word, or letter of Chinese,
    would not have found room on it; the translation is broken at the same width.
    """
    lines = [(found[1], found[2]) for found in _LINE.finditer(text) if found[0]]
    widest = max((width_of(line.rstrip()) for line, _ in lines), default=0)
    width = widest if NARROWEST <= widest <= WIDEST else 0
    return [part for group in _groups(lines, width) for part in _paragraph(group, width)]


def _groups(lines: Sequence[tuple[str, str]], width: int) -> Iterator[Sequence[tuple[str, str]]]:
    """Yield the lines, those together that are one text."""
    begin = 0
    for at in range(1, len(lines) + 1):
        if at == len(lines) or not _goes_on(lines[at - 1][0], lines[at][0], width):
            yield lines[begin:at]
            begin = at


def _goes_on(line: str, following: str, width: int) -> bool:
    """Tell whether a line was broken at the width.

    >>> _goes_on("It is a long and", "winding road", 20), _goes_on("Yes.", "No.", 20)
    (True, False)
    """
    if not width or not line.strip() or not following.strip() or _ITEM.match(following):
        return False
    if line.rstrip().rstrip(CLOSING)[-1:] in HARD:
        return False
    word = first_word(following.split()[0])
    return word.width + (not word.loose) > width - width_of(line.rstrip())


def _paragraph(lines: Sequence[tuple[str, str]], width: int) -> Iterator[Part]:
    """Yield a paragraph's parts: its text, in the indents that its lines had."""
    texts = [line.strip() for line, _ in lines]
    indents = [line[: len(line) - len(line.lstrip())] for line, _ in lines]
    ends = [line[len(line.rstrip()) :] + end for line, end in lines]
    pieces: list[Piece] = []
    for text in texts:
        if pieces:
            pieces.append(Text("" if first_word(text).loose else " ", "\n"))
        pieces.append(Text(text, text))
    joints = [end + indent for end, indent in zip(ends, indents[1:], strict=False)]
    inner = width_of(indents[min(1, len(lines) - 1)])
    begun = width_of(indents[0]) - inner

    def write(unit: Unit, placed: Sequence[Piece]) -> str:
        fragments = list(fragments_of(placed, str, markup=True))
        columns = width - inner if len(lines) > 1 else _ENDLESS
        return "\n".join(wrapped(fragments, columns, first=begun, loose=True))

    if not texts[0]:
        yield "".join(line + end for line, end in lines)
        return
    yield indents[0]
    yield Framed(tuple(parts_of(pieces, write)), lambda text: framed(text, joints))
    yield ends[-1]


def framed(text: str, joints: Sequence[str]) -> str:
    """Put what stood between the first lines between those of a text, the last as often as needed.

    >>> framed("a\\nb\\nc", ["\\r\\n> "])
    'a\\r\\n> b\\r\\n> c'
    """
    first, *others = text.split("\n")
    for number, line in enumerate(others):
        first += (joints[min(number, len(joints) - 1)] if joints else "\n") + line
    return first
