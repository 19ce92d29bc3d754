"""Does a translation say the same again and again, as models do that have lost their way?

A text comes in; the share of what it repeats, or the phrase it is caught in, goes out. Called by
the translator and the checks of `heed evaluate`.
"""

__all__ = ["loop", "repeated_share"]

import re
from collections.abc import Iterator, Sequence
from typing import NamedTuple

from heedful.text.scripts import words

_TIMES = 3
"""How often in a row a phrase of words is a loop; one of a single character, once more."""
_FEWEST_CHARACTERS = 12
"""Characters that a loop inside a word has at least: hahaha is none, nor are three dots."""
_SLACK = 1.5
"""A translation may repeat this many times as often as its source."""
_LONGEST = 100
"""Words or characters of the longest phrase looked for, so that the time is linear."""


_LETTER = re.compile(r"[^\W\d_]")


class _Run(NamedTuple):
    """A phrase repeated: `sequence[start : start + length]` has the period `period`."""

    start: int
    period: int
    length: int

    @property
    def times(self) -> float:
        """How often the phrase stands there; the last one may be cut off."""
        return self.length / self.period


def repeated_share(text: str, n: int = 4) -> float:
    """Return the share of a text's n-grams of words that it has had before, from 0 to 1.

    Without spaces between words the characters count as words; capitals do not count (Welleck et
    al. 2020 call it seq-rep-n).

    >>> repeated_share("a b c a b c a b", n=3), repeated_share("a b c")
    (0.5, 0.0)
    """
    found = [word.lower() for word, _, _ in words(text)]
    grams = list(zip(*(found[start:] for start in range(n)), strict=False))
    return 1 - len(set(grams)) / len(grams) if grams else 0.0


def loop(text: str, source: str = "") -> str | None:
    """Return the phrase that a text says three times in a row or more, but not its source.

    The phrase is of whole words or, where it stands four times and fills twelve characters, of any
    characters. A single character of a script without spaces must stand four times. A source that
    repeats as well allows half as many more.

    >>> loop("The dog and the dog and the dog and the"), loop("Nein, nein, nein!", "No, no, no!")
    ('The dog and', None)
    >>> loop("Wasserserserserser", "water")
    'ser'
    """
    found = words(text)
    allowed = None
    for run in _of_words(found, _TIMES):
        allowed = allowed or _SLACK * _times(source)
        if run.times > allowed:
            return text[found[run.start][1] : found[run.start + run.period - 1][2]]
    for run in _of_characters(text):
        allowed = allowed or _SLACK * _times(source)
        if run.times > allowed:
            return text[run.start : run.start + run.period].strip()
    return None


def _times(text: str) -> float:
    """Return how often in a row a text says anything."""
    runs = [*_of_words(words(text), 2), *_of_characters(text)]
    return max((run.times for run in runs), default=1.0)


def _of_words(found: list[tuple[str, int, int]], least: int) -> Iterator[_Run]:
    """Yield the phrases of words that stand `least` times in a row."""
    for run in _runs([word.lower() for word, _, _ in found], least):
        word, _, _ = found[run.start]
        more = run.period == 1 and len(word) == 1 and not word.isascii()
        if run.times >= least + more:
            yield run


def _of_characters(text: str) -> Iterator[_Run]:
    """Yield the phrases of characters, with a letter among them, that are loops."""
    trigrams = len(set(zip(text, text[1:], text[2:], strict=False)))
    if len(text) - 2 - trigrams < _FEWEST_CHARACTERS - 5:
        return  # the loops of 12 characters have periods up to 3, and so 7 trigrams again
    for run in _runs(text, _TIMES + 1):
        phrase = text[run.start : run.start + run.period]
        if run.length >= _FEWEST_CHARACTERS and _LETTER.search(phrase):
            yield run


def _runs(sequence: Sequence[str], least: int) -> Iterator[_Run]:
    """Yield the maximal stretches of each period that hold it `least` times, shortest period first.

    What lies in the longest stretch found before and has a multiple of its period is passed over.
    A stretch of two periods holds two places that are multiples of the period, equal and one period
    apart, so that only those are looked at (Main and Lorentz 1984).
    """
    n = len(sequence)
    if len(set(sequence)) > n - least + 1:
        return
    longest = _Run(0, 1, 0)
    for period in range(1, min(n // least, _LONGEST) + 1):
        end = 0
        for place in range(0, n - period, period):
            if place < end or sequence[place] != sequence[place + period]:
                continue
            if longest.start <= place < longest.start + longest.length - period and (
                period % longest.period == 0
            ):
                end = longest.start + longest.length - period
                continue
            start, end = place, place + 1
            while start and sequence[start - 1] == sequence[start - 1 + period]:
                start -= 1
            while end < n - period and sequence[end] == sequence[end + period]:
                end += 1
            if end - start + period >= least * period:
                run = _Run(start, period, end - start + period)
                longest = max(longest, run, key=lambda one: one.length)
                yield run
