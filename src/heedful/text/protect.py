"""What must survive a translation as it is: placeholders, tags, addresses, numbers.

A text comes in, spans of it go out; two texts come in, and what one lacks of the other's spans
goes out. The spellings of placeholders are those met in the catalogues of LibreOffice, Django and
Debian. Called by the translator and by the checks of `heed evaluate`.
"""

__all__ = ["KINDS", "Span", "added", "free_text", "lost", "parts", "places", "spans"]

import re
from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Iterator
from typing import NamedTuple

from heedful.text.numerals import FREE_NUMBER, forms, numbers

KINDS = ("placeholder", "tag", "url", "email", "number")


Available = Counter[tuple[str, str]]
"""How often each kind and spelling is there."""


class Span(NamedTuple):
    """A part of a text: `text == whole[start:end]`."""

    text: str
    start: int
    end: int
    kind: str
    """One of `KINDS`."""


# No pattern may go back over more than a bounded number of characters, so that the time is linear:
# what repeats is possessive (`*+`), bounded, or cannot contain the character that it begins with.
_PLACEHOLDERS = {  # by the character they begin with
    r"%": (
        r"%",
        r"\([^()\s]{1,100}\)[-+#0 ]?\d{0,9}(?:\.\d{1,9})?[diouxXeEfFgGcrsa](?![a-z])",  # %(name)s
        r"\{[^{}\n]{1,100}\}",  # %{name}: Ruby, LibreOffice
        # %s %1$s %5.2f %-10s %ld; no flag " " (100 % of) and no bare "-" (5 %-ige)
        r"(?:\d{1,2}\$)?[+#]?(?:-?\d{1,9}|\*)?(?:\.(?:\d{1,9}|\*))?(?:hh?|ll?|[Lqjzt])?"
        r"[diouxXeEfFgGcCsSaAp@n](?![A-Za-z_])",
        r"[A-Z][A-Z0-9_]++(?:%(?![A-Za-z0-9%({]))?",  # %PRODUCTNAME %NAME%
        r"L?\d{1,2}(?!\d)",  # %1: Qt, LibreOffice
        r"(?<!\d[ \u00a0\u202f]%)[A-Za-z_]\w*+",  # %name
    ),
    r"\$": (
        r"\([A-Za-z_]\w{0,99}\)",  # $(ARG1)
        r"\{[^{}\n]{1,100}\}",  # ${name}
        r"(?<![A-Za-z0-9]\$)[A-Za-z_]\w*+(?:\$(?![\w({]))?",  # $name $name$; $5 is a price
    ),
    r"\#": (r"[A-Za-z_]\w{0,99}\#",),  # #name#: LibreOffice
    r"<": (r"%[^%\n]{1,200}%>",),  # <%= name %>
    r"\{": (
        r"\{[^{}\n]{1,100}\}\}",  # {{ name }}
        r"%[^%\n]{1,200}%\}",  # {% tag %}
        r"[\w.]{0,100}(?:\[\w{1,50}\])?(?:![rsa])?(?::[^{}\n]{0,50})?\}",  # {} {0} {x!r:>10}
        r"\s{0,9}\w{1,99}\s{0,9},\s{0,9}(?:number|date|time)\b[^{}\n]{0,99}\}",  # ICU {n, number}
        # ICU {n, plural, one {...} other {...}}: all but the words between the inner braces
        r"\s{0,9}\w{1,99}\s{0,9},\s{0,9}(?:plural|select|selectordinal)\s{0,9},\s{0,9}"
        r"(?:offset:\d{1,9}\s{0,9})?(?:=\d{1,9}|\w{1,99})\s{0,9}\{",
    ),
    r"\}": (r"\s{0,9}(?:\}|(?:=\d{1,9}|\w{1,99})\s{0,9}\{)",),
}
_PLACEHOLDER = "|".join(
    f"{first}(?:{'|'.join(alternatives)})" for first, alternatives in _PLACEHOLDERS.items()
)
_TAG = (
    r"<(?P<close>/)?(?P<name>[A-Za-z][\w:.-]*+)(?P<attributes>\s[^<>]*+)?(?P<empty>(?<=/)|/)?>"
    r"|<!--[^<>]{0,500}-->|&(?:[A-Za-z]\w{1,31}|\#\d{1,7}|\#[xX][0-9A-Fa-f]{1,6});"
)
# RFC 3986 and letters of Europe and the Near East: Chinese may follow an address without a space.
_IN_URL = r"[A-Za-z0-9._~:/?\#\[\]@!$&'()*+,;=%{}|\u00c0-\u0dff-]"
_URL = (
    r"(?<![A-Za-z0-9])(?:(?i:https?|ftps?|sftp|file)://|(?i:www)\.(?=[A-Za-z0-9]))"
    rf"{_IN_URL}++"
)
_IN_LOCAL = r"[A-Za-z0-9._+-]"
_EMAIL = rf"(?<!{_IN_LOCAL}){_IN_LOCAL}++@(?:[A-Za-z0-9-]{{1,63}}\.){{1,9}}[A-Za-z]{{2,63}}"

_SPAN = re.compile(
    f"(?P<url>{_URL})|(?P<tag>{_TAG})|(?P<email>{_EMAIL})"
    f"|(?P<placeholder>{_PLACEHOLDER})"
    # the sign of per cent right after a number begins no placeholder: 5%-ige
    f"|(?P<number>{FREE_NUMBER})(?:%(?!%))?",
    re.ASCII,
)
_SIGNS = re.compile(r"[%$#{}<&@\d]|://|[Ww]{3}\.")
"""A text without any of these has no span: most sentences, told ten times as fast."""

_CLOSED = re.compile(r"</([A-Za-z][\w:.-]*+)\s*+>", re.ASCII)
_AFTER_URL = ".,;:!?'*_~"
_BRACKETS = {")": "(", "]": "[", "}": "{"}
# Those that are no words of a language; `<header>` alone is translated, as in LibreOffice.
_HTML = re.compile(
    "a|abbr|b|big|br|code|dd|del|div|dl|dt|em|font|h[1-6]|hr|i|img|ins|kbd|li|ol|p|pre|q|s|samp"
    "|small|span|strong|sub|sup|td|th|tr|tt|u|ul|var",
    re.IGNORECASE,
)


def spans(text: str) -> list[Span]:
    """Return what must survive, in order and without overlaps; the time is linear.

    `<name>` is a tag if it is one of HTML, closes, is closed, ends in `/>`, has an attribute or an
    underscore; else it is a word in brackets (`<none>`), which is translated. `$1` is the number
    1: a price looks the same. Numbers stand free: `3D`, `mp3` and `2nd` are words. A mark for a
    keyboard shortcut (`_File`, `~File`, `&File`) is none: `heedful.text.mnemonic`.

    >>> [(span.text, span.kind) for span in spans("<b>%d</b> of 1,000.5 at www.x.org/a.")]
    ... # doctest: +NORMALIZE_WHITESPACE
    [('<b>', 'tag'), ('%d', 'placeholder'), ('</b>', 'tag'), ('1,000.5', 'number'),
     ('www.x.org/a', 'url')]
    """
    return list(_each(text)) if _SIGNS.search(text) else []


def places(text: str) -> list[tuple[int, int]]:
    """Return where each span begins and ends."""
    return [(span.start, span.end) for span in spans(text)]


def parts(text: str) -> list[tuple[str, bool]]:
    """Return the text in parts, and of each whether it is free, that is no span."""
    found = []
    at = 0
    for span in spans(text):
        found += [(text[at : span.start], True), (span.text, False)]
        at = span.end
    return [*found, (text[at:], True)]


def free_text(text: str) -> str:
    """Return what of a text is no span.

    >>> free_text("Open %s now")
    'Open  now'
    """
    return "".join(part for part, is_free in parts(text) if is_free)


def _each(text: str) -> Iterator[Span]:
    closed: set[str] | None = None
    at = 0
    while match := _SPAN.search(text, at):
        kind = match.lastgroup or ""  # of nested groups the outer one
        start, end = match.span(kind)
        at = match.end()
        if kind == "url":
            at = end = start + _without_punctuation(match[0])
        elif kind == "tag" and match["name"] is not None:
            closed = set(_CLOSED.findall(text)) if closed is None else closed
            if not _is_tag(match, closed):
                at = start + 1  # <Sequence [%1]> holds a placeholder
                continue
        yield Span(text[start:end], start, end, kind)


def _is_tag(match: re.Match[str], closed: set[str]) -> bool:
    attributes = match["attributes"] or ""
    return (
        match["close"] is not None
        or match["empty"] is not None
        or "=" in attributes
        or match["name"] in closed
        or "_" in match["name"]
        or (_HTML.fullmatch(match["name"]) is not None and not attributes.strip())
    )


def _without_punctuation(url: str) -> int:
    """Return the length of an address without the marks of the sentence around it.

    >>> url = "http://x.org/a_(b)),"
    >>> url[:_without_punctuation(url)]
    'http://x.org/a_(b)'
    """
    end = len(url)
    spare = {mark: url.count(mark) - url.count(opening) for mark, opening in _BRACKETS.items()}
    while end:
        last = url[end - 1]
        if spare.get(last, 0) > 0:
            spare[last] -= 1
        elif last not in _AFTER_URL:
            break
        end -= 1
    return end


def lost(source: str, translation: str, language: str) -> list[Span]:
    """Return the spans of the source that the translation lacks, each as often as it lacks them.

    A number is there in any of its `forms` in the target language, also as a part of a word (`30`
    is in `30mm`); everything else must be spelled the same.

    >>> [span.text for span in lost("%s: 2.5 of 10", "%s: 2,5", "de")]
    ['10']
    """
    return _missing(spans(source), translation, lambda number, _: forms(number, language))


def added(source: str, translation: str, language: str) -> list[Span]:
    """Return the spans of the translation, in the target language, that the source lacks.

    >>> [span.text for span in added("2.5 pages", "%d Seiten, 2,5", "de")]
    ['%d']
    """
    origins: defaultdict[str, list[str]] = defaultdict(list)

    def may_come_from(number: str, there: Available) -> list[str]:
        if not origins:
            for kind, text in there:
                for form in forms(text, language) if kind == "number" else ():
                    origins[form].append(text)
        return origins.get(number, [])

    return _missing(spans(translation), source, may_come_from)


def _missing(
    wanted: list[Span], text: str, spellings: Callable[[str, Available], Iterable[str]]
) -> list[Span]:
    """Return the wanted spans that `text` does not have; what is spelled the same is found first.

    `spellings` names the numbers that may stand for one, given what is there.
    """
    if not wanted:
        return []
    there = _available(text)
    other = [span for span in wanted if not _take(there, span.kind, [span.text])]
    return [
        span
        for span in other
        if span.kind != "number" or not _take(there, span.kind, spellings(span.text, there))
    ]


def _take(there: Available, kind: str, spellings: Iterable[str]) -> bool:
    """Take away the first of the spellings that is still there; tell whether one was."""
    for spelling in spellings:
        if there[kind, spelling] > 0:
            there[kind, spelling] -= 1
            return True
    return False


def _available(text: str) -> Available:
    """Count the spans of a text by kind and spelling, and the numbers inside its words."""
    there: Available = Counter()
    at = 0
    between = []
    for span in spans(text):
        there[span.kind, span.text] += 1
        between.append(text[at : span.start])
        at = span.end
    for part in [*between, text[at:]]:
        there.update(("number", number) for number in numbers(part))
    return there
