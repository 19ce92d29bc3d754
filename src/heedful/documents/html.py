"""HTML: the words between tags are translated, and four attributes; all else stays as it is.

The text of a page, or of a piece of one, comes in, parts of a document go out; `heedful.documents`
and the reader of Markdown call it. Nothing is repaired: what is no tag is text.
"""

__all__ = ["read"]

import re
from collections.abc import Callable, Iterator, Sequence
from html import unescape

from heedful.documents.pieces import Atom, Break, Mark, Part, Piece, Text, Unit, parts_of, spelled
from heedful.documents.tags import (
    CLOSED,
    ENDED_BY,
    INLINE,
    KEPT,
    LINED,
    TRANSLATED,
    VOID,
    Tag,
    attributes,
    refuses,
    tag_of,
)
from heedful.documents.wrapping import fragments_of, wrapped

_MARKUP = re.compile(
    r"<!--(?:>|->|.*?(?:--!?>|\Z))"
    r"|<\?(?:php\b|=).*?(?:\?>|\Z)|<[!?](?:\[CDATA\[.*?(?:\]\]>|\Z)|[^>]*+(?:>|\Z))"
    r"|</?[A-Za-z](?:[^>\"']|\"[^\"]*\"|'[^']*')*+>"
    r"|</?[A-Za-z][^>]*+(?:>|\Z)",
    re.DOTALL,
)
"""Comments, declarations and tags; of a tag whose quotes are not closed, up to the first `>`."""

_RUNS = re.compile(
    r"[ \t\r\n\f]++|&(?:\#[0-9]{1,7}|\#[xX][0-9a-fA-F]{1,6}|[A-Za-z][A-Za-z0-9]{1,31});"
    r"|[^ \t\r\n\f&]++|&"
)
_RAW = ("script", "style", "textarea", "xmp")
"""Tags in which nothing is a tag until they are closed."""
_CHARSET = re.compile(r"<meta\b[^>]*?\bcharset\s*=\s*[\"']?\s*([\w-]+)", re.IGNORECASE)
_BEGINNING = 4096
"""Characters in which a page says what it is."""
_HEAD = re.compile(r"<(?:!doctype|html|head)\b", re.IGNORECASE)


def read(text: str, language: str = "") -> list[Part]:
    """Return the parts of a page; its `lang` becomes `language`, if that is not empty.

    Kept are the contents of script, style, pre, code, kbd, samp, var, textarea, svg and math, what
    has translate="no" or the class notranslate, and attributes but for alt, title, placeholder and
    aria-label. A page that does not say that it is in UTF-8 gets letters beyond ASCII as
    references.
    """
    declared = _CHARSET.search(text, 0, _BEGINNING)
    if declared is not None:
        unknown = declared[1].lower() not in ("utf-8", "utf8")
    else:
        unknown = _HEAD.search(text, 0, _BEGINNING) is not None
    return _Reader(text, language, ascii_alone=unknown and text.isascii()).parts()


class _Reader:
    """Walks through the markup of a page."""

    def __init__(self, text: str, language: str, *, ascii_alone: bool) -> None:
        self._text, self._language, self._ascii = text, language, ascii_alone
        self._parts: list[Part] = []
        self._pieces: list[Piece] = []

    def parts(self) -> list[Part]:
        """Return the parts of the whole."""
        at = 0
        while found := _MARKUP.search(self._text, at):
            self._pieces += _texts(self._text[at : found.start()])
            at = found.end()
            if CLOSED.match(found[0]) is None:
                self._pieces.append(Atom((found[0],), silent=True))
            else:
                at = self._tag(found[0], at)
        self._pieces += _texts(self._text[at:])
        self._end()
        return self._parts

    def _end(self) -> None:
        """Make a text of what has come since the last border."""
        self._parts += parts_of(self._pieces, self._write)
        self._pieces = []

    def _tag(self, raw: str, at: int) -> int:
        """Take a tag that ends at a place; return where to go on."""
        tag = tag_of(raw)
        if tag.kept:
            end = _end_of(self._text, tag, at)
            opening = self._spelled(raw) if tag.name in KEPT else (raw,)
            kept = (*opening, self._text[at:end])
            if tag.name in INLINE and _is_inline(self._text[at:end]):
                self._pieces.append(Atom(kept))
            else:
                self._end()
                self._parts += kept
            return end
        if tag.name == "br":
            self._pieces.append(Break((raw,)))
        elif tag.name not in INLINE:
            self._end()
            self._parts += self._spelled(raw)
        elif tag.name in VOID:
            self._pieces.append(Atom(self._spelled(raw), silent=True))
        else:
            self._pieces.append(Mark(self._spelled(raw), tag.name, tag.opens))
        return at

    def _spelled(self, raw: str) -> tuple[Part, ...]:
        """Return a tag with its translatable attributes as units, and the language changed."""
        if refuses(raw):
            return (raw,)
        parts: list[Part] = []
        at = 0
        found = CLOSED.match(raw)
        page = found is not None and found[0].lower() == "<html"
        for one in attributes(raw):
            value = raw[one.start : one.end]
            if page and one.name in ("lang", "xml:lang") and self._language:
                parts += [raw[at : one.start], self._language]
            elif one.name in TRANSLATED and raw[one.start - 1] in "\"'":
                quote = raw[one.start - 1]
                write = self._attribute(quote)
                parts += [raw[at : one.start], *parts_of(_valued(one.name, value), write)]
            else:
                continue
            at = one.end
        return (*parts, raw[at:])

    def _attribute(self, quote: str) -> Callable[[Unit, Sequence[Piece]], str]:
        """Return how the value of an attribute is spelled between such quotes."""

        def write(unit: Unit, placed: Sequence[Piece]) -> str:
            text = self._lines(unit, placed)
            return text.replace(quote, "&quot;" if quote == '"' else "&#39;")

        return write

    def _write(self, unit: Unit, placed: Sequence[Piece]) -> str:
        return self._lines(unit, placed)

    def _lines(self, unit: Unit, placed: Sequence[Piece]) -> str:
        """Spell a text, in lines of the width and indent that the source had, if it had some."""
        fragments = list(fragments_of(placed, self._escaped, markup=True))
        breaks = [piece.raw for piece in unit.pieces if isinstance(piece, Text) and _ends(piece)]
        if not breaks:
            return "\n".join(wrapped(fragments, _ENDLESS))
        longest = max(len(line.strip()) for line in spelled(unit.raw).splitlines())
        width = max(longest, _NARROWEST)
        last = breaks[0].rindex("\n")
        joint = breaks[0][last - breaks[0].endswith("\r", 0, last) :]
        return joint.join(wrapped(fragments, width))

    def _escaped(self, text: str) -> str:
        text = text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")
        return text.encode("ascii", "xmlcharrefreplace").decode() if self._ascii else text


_ENDLESS = 10**9
_NARROWEST = 72
"""Columns, at least, at which a text of several lines is broken."""


def _ends(text: Text) -> bool:
    """Tell whether a text is the end of a line."""
    return "\n" in text.raw and text.shown == " "


def _texts(text: str) -> Iterator[Text]:
    """Yield words and references; white space is one space.

    >>> list(_texts("R&amp;D\\n is"))[1:-1]
    [Text(shown='&', raw='&amp;'), Text(shown='D', raw='D'), Text(shown=' ', raw='\\n ')]
    """
    for run in _RUNS.findall(text):
        if run[0] in " \t\r\n\f":
            yield Text(" ", run)
        elif run[0] == "&" and len(run) > 1:
            yield Text(unescape(run), run)
        else:
            yield Text(run, run)


def _valued(name: str, value: str) -> Iterator[Piece]:
    """Yield what is in the value of an attribute; the ends of lines that are shown stay."""
    for text in _texts(value):
        seen = text.shown + (text.raw if name in LINED else "")
        yield Break((text.raw,)) if "\n" in seen or "\r" in seen else text


def _is_inline(text: str) -> bool:
    """Tell whether there is no tag in a text but those of sentences; it may be moved."""
    names = (CLOSED.match(found[0]) for found in _MARKUP.finditer(text))
    return all(name is None or name[1].lower() in INLINE for name in names)


def _end_of(text: str, tag: Tag, at: int) -> int:
    """Return where what a tag has opened at a place is closed; the end, if it is not.

    >>> _end_of("<b>x<b>y</b></b>z", tag_of("<b>"), 3)
    16
    """
    if tag.name in ENDED_BY:
        return _end_of_open(text, tag.name, at)
    depth = 1
    inside = r"(?=[\s/>])(?:[^>\"']|\"[^\"]*\"|'[^']*')*+>"
    pattern = re.compile(rf"<(/?){re.escape(tag.name)}{inside}", re.IGNORECASE)
    for found in pattern.finditer(text, at):
        if not found[1] and (tag.name in _RAW or not tag_of(found[0]).opens):
            continue
        depth += -1 if found[1] else 1
        if depth == 0:
            return found.end()
    return len(text)


def _end_of_open(text: str, name: str, at: int) -> int:
    """Return where a tag that need not be closed has ended: before its next, or with its parent.

    >>> _end_of_open("<li>x<ul><li>y</ul><li>z", "li", 4)
    19
    """
    opened: list[str] = []
    while found := _MARKUP.search(text, at):
        inner, at = tag_of(found[0]), found.end()
        if inner.name in INLINE:
            continue
        if inner.closes and inner.name in opened:
            while opened.pop() != inner.name:
                pass
        elif inner.closes:
            return found.end() if inner.name == name else found.start()
        elif inner.opens and inner.name in _RAW:
            at = _end_of(text, inner, at)
        elif inner.name in ENDED_BY[name] and all(one in ENDED_BY for one in opened):
            return found.start()
        elif inner.opens:
            opened.append(inner.name)
    return len(text)
