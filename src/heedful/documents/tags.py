"""Tags of HTML: which are inside of sentences, which hold what is never translated.

Tags come in as they are spelled; their names, partners and translatable attributes go out. The
readers of HTML, Markdown and subtitles call it.
"""

__all__ = [
    "CLOSED",
    "ENDED_BY",
    "INLINE",
    "KEPT",
    "LINED",
    "TRANSLATED",
    "VOID",
    "Tag",
    "attributes",
    "refuses",
    "tag_of",
]

import re
from collections.abc import Iterator
from html import unescape
from typing import NamedTuple

INLINE = frozenset(
    (
        *("a", "abbr", "acronym", "b", "bdi", "bdo", "big", "cite", "code", "data", "del", "dfn"),
        *("em", "font", "i", "img", "input", "ins", "kbd", "mark", "math", "nobr", "q", "ruby"),
        *("s", "samp", "small", "span", "strike", "strong", "sub", "sup", "svg", "time", "tt"),
        *("u", "var", "wbr"),
    )
)
"""Tags that stand inside of sentences; all others are their borders."""

VOID = frozenset(
    (
        *("area", "base", "br", "col", "embed", "hr", "img", "input", "keygen", "link", "meta"),
        *("param", "source", "track", "wbr"),
    )
)
"""Tags that are never closed."""

KEPT = frozenset(
    ("code", "kbd", "math", "pre", "samp", "script", "style", "svg", "textarea", "var", "xmp")
)
"""Tags whose content is kept as it is."""

_CELLS = frozenset(("td", "th", "tr", "tbody", "tfoot"))
_BLOCKS = frozenset(
    (
        *("address", "article", "aside", "blockquote", "center", "details", "dialog", "dir", "div"),
        *("dl", "fieldset", "figcaption", "figure", "footer", "form", "h1", "h2", "h3", "h4", "h5"),
        *("h6", "header", "hgroup", "hr", "main", "menu", "nav", "ol", "p", "pre", "search"),
        *("section", "table", "ul"),
    )
)
ENDED_BY = {
    "li": frozenset(("li",)),
    "p": _BLOCKS,
    **dict.fromkeys(("dt", "dd"), frozenset(("dt", "dd"))),
    **dict.fromkeys(("td", "th"), _CELLS),
    "tr": _CELLS - {"td", "th"},
    **dict.fromkeys(("thead", "tbody", "tfoot"), frozenset(("tbody", "tfoot"))),
    "option": frozenset(("option", "optgroup")),
    "optgroup": frozenset(("optgroup",)),
}
"""Tags that need not be closed, each with those before which it has ended."""

TRANSLATED = frozenset(("alt", "title", "placeholder", "aria-label"))
"""Attributes with text in them."""

LINED = frozenset(("title", "placeholder"))
"""Those of them that are shown in the lines that they have."""

CLOSED = re.compile(r"</?([A-Za-z][^\s/>]*+)")
_ATTRIBUTE = re.compile(
    r"(?<=[\s/\"'])([^\s/>=\"']++)(?:\s*+=\s*+(?:\"([^\"]*+)\"|'([^']*+)'|([^\s>\"']++)))?"
)


class Tag(NamedTuple):
    """What a tag is."""

    name: str
    """In small letters."""
    opens: bool
    """Whether something that it opens is still to be closed."""
    closes: bool
    kept: bool
    """Whether it opens something that is never translated."""


class Attribute(NamedTuple):
    """An attribute of a tag: `raw[start:end]` is how its value is spelled, without quotes."""

    name: str
    value: str
    start: int
    end: int


def tag_of(raw: str) -> Tag:
    """Read a tag.

    >>> tag_of("<Br/>"), tag_of('<p translate="no">').kept
    (Tag(name='br', opens=False, closes=False, kept=False), True)
    """
    found = CLOSED.match(raw)
    name = "" if found is None else found[1].lower()
    closes = raw.startswith("</")
    opens = not closes and name not in VOID and not (raw.endswith("/>") and name in _FOREIGN)
    kept = opens and (name in KEPT or refuses(raw))
    return Tag(name, opens, closes, kept)


_FOREIGN = frozenset(("svg", "math"))
"""Tags for which `/>` closes; HTML passes over it elsewhere."""


def refuses(raw: str) -> bool:
    """Tell whether a tag says that it is not to be translated.

    >>> refuses('<img translate="no">'), refuses('<img class="a notranslate">'), refuses("<img>")
    (True, True, False)
    """
    found = {one.name: one.value for one in attributes(raw)}
    return (
        found.get("translate", "").lower() == "no"
        or "notranslate" in found.get("class", "").split()
    )


def attributes(raw: str) -> Iterator[Attribute]:
    """Yield the attributes of a tag that have a value.

    >>> [one[:2] for one in attributes('<a href=x title="R&amp;D" hidden>')]
    [('href', 'x'), ('title', 'R&D')]
    """
    begun = CLOSED.match(raw)
    for found in _ATTRIBUTE.finditer(raw, 0 if begun is None else begun.end()):
        for group in (2, 3, 4):
            if found[group] is not None:
                start, end = found.span(group)
                yield Attribute(found[1].lower(), unescape(found[group]), start, end)
