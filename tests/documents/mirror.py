"""A translator without a model, for tests of documents: words in reverse order, and changed."""

from collections.abc import Callable, Mapping

from heedful.decode.alignment import Link
from heedful.documents import Document
from heedful.documents.pieces import HOLDER
from heedful.text.spans import words
from heedful.translation import Candidate, Translation, blank

SIGNS = (
    *("*", "**", "_x_", "#", "1.", "-", "+", "|", "`", "<b>", "&amp;", "[a]", "](x)", "$x$", "~~"),
    *("***", "---", "===", ">", "\\", "![", "<!--", "```", ":", "a|b", "[^1]", "http://x.y", "猫"),
)
"""What could be read as markup."""


def mirrored(text: str, change: Callable[[str], str]) -> Translation:
    """Return a translation whose words look at those of the source from the other end."""
    found = [word if HOLDER.search(word) else change(word) for word in reversed(text.split())]
    new = " ".join(found)
    n_source, n_target = len(words(text)), len(words(new))
    links = tuple(
        Link(max(n_source - 1 - at * n_source // n_target, 0), at) for at in range(n_target)
    )
    return Translation(text, new, (Candidate(new, 0.0, 0.0),), links=links)


def unchanged(document: Document) -> str:
    """Return a document whose texts are translated by themselves."""
    return document.rebuilt({text: blank(text) for text in document.texts()})[0]


def changed(document: Document, change: Callable[[str], str]) -> str:
    """Return a document whose words are changed, in reverse order."""
    return document.rebuilt({text: mirrored(text, change) for text in document.texts()})[0]


def said(found: Mapping[str, str]) -> dict[str, Translation]:
    """Return translations without links."""
    return {
        text: Translation(text, new, (Candidate(new, 0.0, 0.0),)) for text, new in found.items()
    }
