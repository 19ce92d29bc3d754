"""SubRip subtitles: numbers and times stay, what is said is translated.

The text of a file comes in, parts of a document go out; `heedful.documents` calls it.
"""

__all__ = ["read"]

import re
from collections.abc import Iterator, Sequence

from heedful.documents.pieces import Atom, Framed, Mark, Part, Piece, Text, Unit, parts_of, spelled
from heedful.documents.plain import framed
from heedful.documents.tags import VOID, tag_of
from heedful.documents.wrapping import balanced, fragments_of
from heedful.errors import DataError

_LINE = re.compile(r"([^\r\n]*)(\r\n|\r|\n|\Z)")
_MOMENT = r"\d{1,3}:[0-5]?\d:[0-5]?\d[,.]\d{1,3}"
_TIMES = re.compile(rf"\s*({_MOMENT})[ \t]*-->[ \t]*({_MOMENT})(?:[ \t]+.*)?\s*", re.ASCII)
_MARKUP = re.compile(r"\{\\[^{}]*\}|\{/?[a-zA-Z](?::[^{}]*)?\}|</?[A-Za-z][^<>]*>")
_SPEAKER = re.compile(r"\s*(?:<[^<>]*>\s*)*[-–—‐]\s*\S")
_DASH = re.compile(r"\s*[-–—‐]\s*(?!\d)")
_LINE_END = re.compile(r"((?<![ \t])[ \t]*+\n[ \t]*+)")


def read(text: str, name: str) -> list[Part]:
    """Return the parts of a file of subtitles; `name` is what it is called in errors.

    A cue is one text, or one for each line where every line begins with the dash of a speaker. Its
    translation has as many lines at most, about equally long. Raises DataError, with the line, for
    a number or a time that is none.
    """
    lines = [(found[1], found[2]) for found in _LINE.finditer(text) if found[0]]
    parts: list[Part] = []
    at = 0
    while at < len(lines):
        if not lines[at][0].strip():
            parts.append("".join(lines[at]))
            at += 1
            continue
        begin = _check(lines, at, name)
        end = begin
        while end < len(lines) and lines[end][0].strip():
            end += 1
        parts += ["".join(line + eol for line, eol in lines[at:begin])]
        parts += _cue(lines[begin:end])
        at = end
    return [part for part in parts if part != ""]


def _check(lines: Sequence[tuple[str, str]], at: int, name: str) -> int:
    """Return where the words of a cue begin, that begins at a line."""
    number = lines[at][0].strip()
    where = f"{name}:{at + 1}"
    if not re.fullmatch(r"\d{1,9}", number, re.ASCII):
        problem = f'"{number:.40}" is not the number of a cue'
        missing = _TIMES.fullmatch(number) is not None
        fix = "write its number in a line before it" if missing else _AFTER_BLANK
        raise DataError(problem, where=where, fix=fix)
    if at + 1 == len(lines) or not lines[at + 1][0].strip():
        raise DataError(f"cue {number} has no times", where=where, fix=_AS)
    times = lines[at + 1][0]
    if not _TIMES.fullmatch(times):
        problem = f'"{times.strip():.60}" are not the times of a cue'
        raise DataError(problem, where=f"{name}:{at + 2}", fix=_AS)
    return at + 2


_AS = "write them as 00:01:02,345 --> 00:01:04,000"
_AFTER_BLANK = (
    "after a blank line a cue begins: leave the blank line out, or write number and times"
)


def _cue(lines: Sequence[tuple[str, str]]) -> Iterator[Part]:
    """Yield the parts of what is said."""
    if not lines:
        return
    if len(lines) > 1 and all(_SPEAKER.match(line) for line, _ in lines):
        for line, end in lines:
            yield from _said(line)
            yield end
        return
    text = "\n".join(line for line, _ in lines)
    ends = [end for _, end in lines]
    yield Framed(tuple(_said(text)), lambda text: framed(text, ends[:-1]))
    yield ends[-1]


def _said(text: str) -> list[Part]:
    """Return the parts of a text, whose lines will not be more; a dash before it stays."""
    dash = _DASH.match(text)
    before = "" if dash is None else dash[0]

    def write(unit: Unit, placed: Sequence[Piece]) -> str:
        most = spelled(unit.raw).count("\n") + 1
        return "\n".join(balanced(list(fragments_of(placed, str, markup=False)), most))

    return [before, *parts_of(_pieces(text[len(before) :]), write)]


def _pieces(text: str) -> Iterator[Piece]:
    """Yield words and markup.

    >>> [piece.raw for piece in _pieces("<i>No</i>\\nway")]
    [('<i>',), 'No', ('</i>',), '\\n', 'way']
    """
    at = 0
    for found in [*_MARKUP.finditer(text), None]:
        until = len(text) if found is None else found.start()
        for words in filter(None, _LINE_END.split(text[at:until])):
            yield Text(" ", words) if "\n" in words else Text(words, words)
        if found is None:
            return
        raw, at = found[0], found.end()
        tag = tag_of(raw)
        if not tag.name or tag.name in VOID:
            yield Atom((raw,), silent=True)
        else:
            yield Mark((raw,), tag.name, not tag.closes)
