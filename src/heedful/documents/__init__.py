"""Whole documents: their structure stays, their prose is translated.

The text of a file comes in, and goes out in another language; one file a format. `heed translate
notes.md -o notes.de.md` calls it through `heedful.document_job`.
"""

__all__ = ["ENDINGS", "NAMES", "TYPES", "Document", "Kind", "Report", "read", "translated"]

from typing import Literal

from heedful.documents import html, markdown, plain, srt
from heedful.documents.document import Document, Report, translated

Kind = Literal["markdown", "html", "srt", "plain"]

ENDINGS: dict[str, Kind] = {
    ".md": "markdown",
    ".markdown": "markdown",
    ".html": "html",
    ".htm": "html",
    ".srt": "srt",
    ".txt": "plain",
}
"""The formats by the ends of file names."""

NAMES: dict[Kind, str] = {
    "markdown": "Markdown",
    "html": "HTML",
    "srt": "subtitles",
    "plain": "plain text",
}
"""What the formats are called."""

TYPES: dict[Kind, str] = {
    "markdown": "text/markdown",
    "html": "text/html",
    "srt": "application/x-subrip",
    "plain": "text/plain",
}
"""Their media types, by which a server is asked."""

_MARK = "\ufeff"


def read(text: str, kind: Kind, *, name: str = "the text", language: str = "") -> Document:
    """Return a document, divided into what stays and what is translated.

    `name` is what it is called in errors; `language` becomes that of a page of HTML. Raises
    DataError for subtitles with a number or a time that is none.

    >>> read("# Good *morning*!\\n", "markdown").texts()
    ['Good morning!']
    """
    before = _MARK if text.startswith(_MARK) else ""
    body = text[len(before) :]
    if kind == "markdown":
        known = markdown.structure(body)
        return Document(
            (before, *markdown.read(body)),
            lambda other: markdown.structure(other.removeprefix(before)) == known,
        )
    if kind == "html":
        return Document((before, *html.read(body, language)))
    return Document((before, *(srt.read(body, name) if kind == "srt" else plain.read(body))))
