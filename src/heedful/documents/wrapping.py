"""Lines of a given width, or of a given number: how translated paragraphs and subtitles are broken.

Fragments come in, text and markup whose width is known; lines go out. The writers of this package
call it.
"""

__all__ = ["Fragment", "balanced", "first_word", "fragments_of", "width_of", "wrapped"]

import re
import unicodedata
from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import NamedTuple

from heedful.documents.pieces import Atom, Piece, Text


class Fragment(NamedTuple):
    """A bit of a paragraph that is not broken."""

    raw: str
    width: int
    """Columns that it takes; markup that is not seen takes none."""
    spaced: bool
    """Whether white space stands before it, at which a line may end."""
    loose: bool = False
    """Whether a line may end before it, without a space."""


_WIDE = re.compile(
    r"[\u2018\u201c\u3008\u300a\u300c\u300e\u3010\u3014\uff08]*"
    r"[\u2e80-\u2fff\u3005-\u3007\u3040-\u30ff\u3400-\u9fff\uf900-\ufaff\uff66-\uff9d]"
)
"""Letters of Chinese and Japanese, with what opens before them: a line may end before each."""
_RUNS = re.compile(rf"[ \n]+|{_WIDE.pattern}|(?:(?!{_WIDE.pattern})[^ \n])+")


def fragments_of(
    pieces: Iterable[Piece], spell: Callable[[str], str], *, markup: bool
) -> Iterator[Fragment]:
    """Yield the fragments of pieces whose text is spelled so; `markup`: it takes columns.

    >>> pieces = [Text("a b", "a b"), Atom(("<br>",))]
    >>> [one.raw for one in fragments_of(pieces, str, markup=True)]
    ['a', 'b', '<br>']
    """
    spaced = False
    for piece in pieces:
        if not isinstance(piece, Text):
            raw = "".join(part for part in piece.raw if isinstance(part, str))
            seen = markup or (isinstance(piece, Atom) and not piece.silent)
            yield Fragment(raw, width_of(raw) if seen else 0, spaced)
            spaced = False
            continue
        for run in _RUNS.findall(spell(piece.shown)):
            if not run.strip(" \n"):
                spaced = True
                continue
            yield Fragment(run, width_of(run), spaced, _WIDE.match(run) is not None)
            spaced = False


def first_word(text: str) -> Fragment:
    """Return what a text begins with that is not broken: of Chinese a letter and its marks.

    >>> first_word("one two").raw, first_word("猫，狗")
    ('one', Fragment(raw='猫，', width=4, spaced=False, loose=True))
    """
    fragments = fragments_of([Text(text, text)], str, markup=True)
    word = next(_words(fragments, loose=True))
    whole = "".join(one.raw for one in word)
    return word[0]._replace(raw=whole, width=width_of(whole))


def width_of(text: str) -> int:
    """Return the columns of a text: two for a Chinese letter.

    >>> width_of("猫 is"), width_of("é")
    (5, 1)
    """
    if text.isascii():
        return len(text)
    wide = sum(unicodedata.east_asian_width(letter) in "WF" for letter in text)
    return len(text) + wide - sum(map(bool, map(unicodedata.combining, text)))


def wrapped(
    fragments: Sequence[Fragment],
    width: int,
    *,
    first: int = 0,
    loose: bool = False,
    may_begin: Callable[[str], bool] = bool,
) -> list[str]:
    """Return lines of at most so many columns, as far as words allow.

    `first` columns of the first line are taken. `loose` lets lines end between letters of Chinese.
    `may_begin` tells whether a line may begin with a word.

    >>> wrapped([Fragment(w, 3, True) for w in ("one", "two", "six")], 7)
    ['one two', 'six']
    """
    lines = [""]
    column = first
    for group in _words(fragments, loose=loose):
        raw = "".join(one.raw for one in group)
        size = sum(one.width for one in group)
        space = " " if group[0].spaced and lines[-1] else ""
        over = column + len(space) + size > width
        if over and lines[-1] and (space or group[0].loose) and may_begin(raw):
            lines.append(raw)
            column = size
        else:
            lines[-1] += space + raw
            column += len(space) + size
    return lines


def _words(fragments: Iterable[Fragment], *, loose: bool) -> Iterator[list[Fragment]]:
    """Yield the fragments between two places where a line may end."""
    word: list[Fragment] = []
    for one in fragments:
        if word and (one.spaced or (loose and one.loose)):
            yield word
            word = []
        word.append(one)
    if word:
        yield word


def balanced(fragments: Sequence[Fragment], most: int) -> list[str]:
    """Return at most so many lines, the longest as short as can be.

    >>> balanced([Fragment(w, 3, True) for w in ("one", "two", "six")], 2)
    ['one two', 'six']
    """
    whole = sum(one.width + one.spaced for one in fragments)
    low, high = max(whole // max(most, 1) - 1, 1), whole
    while low < high:
        middle = (low + high) // 2
        if len(wrapped(fragments, middle, loose=True)) <= most:
            high = middle
        else:
            low = middle + 1
    return wrapped(fragments, low, loose=True)
