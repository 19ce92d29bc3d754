"""The inside of a Markdown paragraph: which characters are words, and which are markup.

The content of a block comes in, pieces go out that joined are that content; markdown-it-py says
what there is, and where it stands is found by walking along. `heedful.documents.markdown` calls it.
"""

__all__ = ["UnreadableError", "pieces_of", "seen"]

import re
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence

from markdown_it.token import Token

from heedful.documents.markdown_parser import BLOCKS, Environment
from heedful.documents.pieces import Atom, Break, Mark, Part, Piece, Text, raw_of
from heedful.documents.tags import VOID, tag_of

_REFERENCE = re.compile(r"\[(?:\\.|[^\[\]\\])*+\]", re.DOTALL)
_LINE_END = re.compile(r"(?:\\|[ \t]*)\n[ \t]*")
_AUTOLINK = re.compile(r"<[^>]*>")
_SPACE = re.compile(r"[ \t\n]*")


class UnreadableError(Exception):
    """The walk has lost its way: the block is kept as it is."""


def seen(tokens: Iterable[Token]) -> tuple[Counter[tuple[str, str]], str]:
    """Return the markup among the tokens of a paragraph, and its words without white space.

    Two texts with the same markup have the same links, code and images, as often.

    >>> seen(BLOCKS.parseInline("an *old* `x`")[0].children)
    (Counter({('em_open', ''): 1, ('code_inline', 'x'): 1}), 'anold')
    """
    markup: Counter[tuple[str, str]] = Counter()
    words = ""
    for token in tokens:
        if token.type in ("text", "text_special"):
            words += token.content
        elif token.type != "softbreak" and not token.type.endswith("_close"):
            target = "\n".join(str(token.attrs[key]) for key in _ATTRIBUTES if key in token.attrs)
            content = "" if token.type == "image" else " ".join(token.content.split())
            markup[token.type, target + content] += 1
    return markup, "".join(words.split())


_ATTRIBUTES = ("href", "src", "title")


def pieces_of(
    content: str, known: Environment, alt: Callable[[str], Sequence[Part]]
) -> list[Piece]:
    """Return the pieces of a paragraph's content, joined the content.

    `alt` makes parts of the text of an image. Raises UnreadableError where what the parser has
    found is not found here.
    """
    [token] = BLOCKS.parseInline(content, known)
    walk = _Walk(content, alt)
    found = walk.along(token.children or [])
    rest = walk.rest()
    if rest.strip():
        raise UnreadableError
    return [*_without_kept(found), Text(rest, rest)]


class _Walk:
    """Goes along a content, token by token."""

    def __init__(self, content: str, alt: Callable[[str], Sequence[Part]]) -> None:
        self._content, self._alt, self._at = content, alt, 0

    def rest(self) -> str:
        """Return what has not been passed."""
        return self._content[self._at :]

    def along(self, tokens: Sequence[Token]) -> list[Piece]:
        """Return the pieces of all tokens."""
        found: list[Piece] = []
        starts: list[int] = []
        labels: list[bool] = []
        auto = False
        for token in tokens:
            if token.markup == "autolink":
                auto = token.type == "link_open"
            elif auto:
                found.append(Atom((self._match(_AUTOLINK),), token.content))
            elif token.type == "link_open":
                starts.append(self._at)
                labels.append("label" in token.meta)
                found.append(Mark((self._take("["),), "link", True))
            elif token.type == "link_close":
                label = self._content[starts.pop() : self._at] + "]"
                raw = self._end(reference=labels.pop())
                named = f"]{label}" if raw in ("]", "][]") else ""
                found.append(Mark((raw,), "link", False, named))
            else:
                found += self._piece(token)
        return found

    def _piece(self, token: Token) -> Iterator[Piece]:
        kind = token.type
        if kind in ("text", "text_special"):
            raw = self._take(token.content if kind == "text" else token.markup)
            if raw:
                yield Text(token.content, raw)
        elif kind == "softbreak":
            yield Text(" ", self._match(_LINE_END))
        elif kind == "hardbreak":
            yield Break((self._match(_LINE_END),))
        elif kind == "code_inline":
            fence = token.markup
            closed = re.compile(rf"{fence}.*?(?<!`){fence}(?!`)", re.DOTALL)
            yield Atom((self._match(closed),))
        elif kind == "kept":
            yield Atom((self._take(token.content),))
        elif kind == "html_inline":
            yield _tag(self._take(token.content))
        elif kind == "image":
            yield self._image(token)
        elif kind.endswith(("_open", "_close")):
            yield Mark((self._take(token.markup),), kind.rpartition("_")[0], token.nesting == 1)
        else:
            raise UnreadableError

    def _take(self, text: str) -> str:
        if not self._content.startswith(text, self._at):
            raise UnreadableError
        self._at += len(text)
        return text

    def _match(self, pattern: re.Pattern[str]) -> str:
        found = pattern.match(self._content, self._at)
        if found is None:
            raise UnreadableError
        return self._take(found[0])

    def _image(self, token: Token) -> Atom:
        """Take an image; its text is not translated where it is the name of a reference."""
        opening = self._take("![")
        begin = self._at
        self.along(token.children or [])
        text = self._content[begin : self._at]
        end = self._end(reference="label" in token.meta)
        parts = (text,) if end in ("]", "][]") else self._alt(text)
        return Atom((opening, *parts, end), silent=True)

    def _end(self, *, reference: bool) -> str:
        """Take what is behind the text of a link or an image."""
        begin = self._at
        self._take("]")
        if not reference:
            self._target()
        elif (found := _REFERENCE.match(self._content, self._at)) is not None:
            self._take(found[0])
        return self._content[begin : self._at]

    def _target(self) -> None:
        """Take `(address "title")`."""
        helpers, text, most = BLOCKS.helpers, self._content, len(self._content)
        self._take("(")
        self._match(_SPACE)
        target = helpers.parseLinkDestination(text, self._at, most)
        if target.ok:
            self._at = target.pos
        if self._match(_SPACE):
            title = helpers.parseLinkTitle(text, self._at, most)
            if title.ok:
                self._at = title.pos
                self._match(_SPACE)
        self._take(")")


def _tag(raw: str) -> Piece:
    """Return the piece that a tag within a paragraph is."""
    tag = tag_of(raw)
    if tag.name == "br":
        return Break((raw,))
    if not tag.name or tag.name in VOID:
        return Atom((raw,), silent=True)
    return Mark((raw,), f"{_KEPT_TAG if tag.kept else ''}<{tag.name}>", not tag.closes)


_KEPT_TAG = "kept "


def _without_kept(pieces: Sequence[Piece]) -> list[Piece]:
    """Make atoms of tags such as code, with what is in them."""
    found: list[Piece] = []
    at = 0
    while at < len(pieces):
        piece = pieces[at]
        end = at + 1
        if isinstance(piece, Mark) and piece.name.startswith(_KEPT_TAG):
            end = _closing(pieces, at, piece.name.removeprefix(_KEPT_TAG)) + 1
            inside = pieces[at:end]
            raw = tuple(part for one in inside for part in raw_of(one))
            words = "".join(one.shown for one in inside if isinstance(one, Text | Atom))
            piece = Atom(raw, words)
        found.append(piece)
        at = end
    return found


def _closing(pieces: Sequence[Piece], at: int, name: str) -> int:
    """Return where a tag is closed, the last place if nowhere."""
    depth = 0
    for place in range(at, len(pieces)):
        piece = pieces[place]
        if isinstance(piece, Mark) and piece.name.removeprefix(_KEPT_TAG) == name:
            depth += 1 if piece.opens else -1
            if depth == 0:
                return place
    return len(pieces) - 1
