"""A text becomes the segments a model can take: whole, its sentences, or parts of a sentence.

A text and a measure of length come in; segments, what follows each, and flags that tell what was
done go out. Joined they are the text again. The translator calls it on every text.
"""

__all__ = ["INSIDE", "SPLIT", "Segments", "segment", "split_inside"]

import re
import unicodedata
from bisect import bisect_left
from collections.abc import Callable, Sequence
from typing import NamedTuple

from heedful.text.sentences import split_sentences

SPLIT = "split"
"""Flag: the text was translated sentence by sentence."""
INSIDE = "split-inside"
"""Flag: a sentence was too long for the model and was cut inside."""

# Commas and the like before a space, full-width ones anywhere; then any white space.
_CLAUSE = re.compile(r"(?<=[,;:)\]–—،؛])\s|(?<=[，；：、،؛])")
_SPACE = re.compile(r"\s")
_JOINERS = "\u200d\ufe0e\ufe0f"


class Segments(NamedTuple):
    """A text in parts; `"".join(part + separator for ...)` is the text."""

    parts: tuple[tuple[str, str], ...]
    """Each segment with what follows it untranslated; an empty segment is not to be translated."""
    flags: tuple[str, ...]
    """`split` and `split-inside`, where that was done."""


Places = Sequence[tuple[int, int]]
"""Where in a text something begins and ends, from left to right."""


def nothing(text: str) -> Places:
    """Return that all of a text may be cut."""
    return ()


def segment(
    text: str,
    size: Callable[[str], int],
    *,
    split_above: int,
    longest: int,
    kept: Callable[[str], Places] = nothing,
) -> Segments:
    """Cut a text only as far as needed.

    Line breaks and outer white space are never part of a segment. A line of several sentences is
    cut at their ends if its size is above `split_above`, a sentence inside if above `longest`. What
    `kept` finds in a line stays whole, as long as it is not too long by itself.

    >>> segment(" One. Two. ", len, split_above=99, longest=99)
    Segments(parts=(('', ' '), ('One. Two.', ' ')), flags=())
    >>> segment("One. Two.", len, split_above=5, longest=99)
    Segments(parts=(('One.', ' '), ('Two.', '')), flags=('split',))
    """
    parts: list[tuple[str, str]] = []
    flags: set[str] = set()
    for line, gap in _lines(text):
        if not line or size(line) <= min(split_above, longest):
            parts.append((line, gap))
            continue
        sentences = _joined_over(split_sentences(line), kept(line))
        flags.update([SPLIT] if len(sentences) > 1 else [])
        for sentence, space in sentences:
            inside = split_inside(sentence, lambda part: size(part) <= longest, kept)
            flags.update([INSIDE] if len(inside) > 1 else [])
            parts += [*inside[:-1], (inside[-1][0], inside[-1][1] + space)]
        parts[-1] = (parts[-1][0], parts[-1][1] + gap)
    return Segments(tuple(parts), tuple(sorted(flags)))


def _lines(text: str) -> list[tuple[str, str]]:
    """Return each line without its outer white space, and the white space after it.

    >>> _lines(" a b \\n\\n c")
    [('', ' '), ('a b', ' \\n\\n '), ('c', '')]
    """
    body = text.strip()
    if not body:
        return [("", text)]
    start = len(text) - len(text.lstrip())
    found = [("", text[:start])] if start else []
    at = 0
    for gap in re.finditer(r"\s+", body):
        if "\n" in gap[0]:
            found.append((body[at : gap.start()], gap[0]))
            at = gap.end()
    return [*found, (body[at:], text[start + len(body) :])]


def _joined_over(sentences: list[tuple[str, str]], kept: Places) -> list[tuple[str, str]]:
    """Return sentences, those in one where something stands that is kept.

    >>> _joined_over([('<img alt="A.', " "), ('B."> C.', " "), ("D.", "")], [(0, 16)])
    [('<img alt="A. B."> C.', ' '), ('D.', '')]
    """
    found = list[tuple[str, str]]()
    at = 0
    for sentence, space in sentences:
        start, at = at, at + len(sentence) + len(space)
        if found and _around(kept, start):
            before, gap = found.pop()
            sentence = before + gap + sentence
        found.append((sentence, space))
    return found


def _around(kept: Places, at: int) -> tuple[int, int] | None:
    """Return what begins before a place and ends behind it."""
    number = bisect_left(kept, (at, at)) - 1
    return kept[number] if number >= 0 and at < kept[number][1] else None


def split_inside(
    text: str, fits: Callable[[str], bool], kept: Callable[[str], Places] = nothing
) -> list[tuple[str, str]]:
    """Halve a sentence until every part fits: near the middle, after a comma or at a space.

    Where the middle third has neither, between two characters. A single character always stays.
    What `kept` finds is cut if all else is gone.

    >>> split_inside("one two, three four", lambda part: len(part) <= 10)
    [('one two,', ' '), ('three four', '')]
    """
    if len(text) < 2 or fits(text):
        return [(text, "")]
    end, start = _cut(text, kept(text))
    left = split_inside(text[:end], fits, kept)
    right = split_inside(text[start:], fits, kept)
    return [*left[:-1], (left[-1][0], left[-1][1] + text[end:start]), *right]


def _cut(text: str, kept: Places) -> tuple[int, int]:
    """Return where the first part ends and where the second begins; white space lies between."""
    middle, third = len(text) // 2, len(text) // 3
    for pattern in (_CLAUSE, _SPACE):
        found = pattern.finditer(text, max(1, third), len(text) - third)
        places = [match.start() for match in found if not _around(kept, match.start())]
        if places:
            best = min(places, key=lambda place: abs(place - middle))
            return len(text[:best].rstrip()), len(text) - len(text[best:].lstrip())
    at = middle
    if (whole := _around(kept, middle)) is not None:
        at = whole[1] if whole[1] < len(text) else whole[0] or middle
    while at < len(text) - 1 and (unicodedata.combining(text[at]) or _joined(text, at)):
        at += 1
    return at, at


def _joined(text: str, at: int) -> bool:
    return text[at] in _JOINERS or text[at - 1] == _JOINERS[0]
