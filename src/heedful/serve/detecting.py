"""Which language a text is in, among those that the server translates.

A text comes in, languages with their probabilities go out; py3langid, a naive Bayes classifier of
byte sequences, decides. `/v1/detect`, `/detect` and `source: auto` ask.
"""

__all__ = ["Detector", "Guess"]

from collections.abc import Sequence
from copy import copy
from functools import cache
from typing import NamedTuple

from py3langid.langid import MODEL_FILE, LanguageIdentifier

LONGEST = 2_000
"""Characters, at most, that are looked at."""


class Guess(NamedTuple):
    """A language that a text may be in."""

    language: str
    probability: float
    """From 0 to 1."""


class Detector:
    """Tells languages apart. One that the classifier does not know is never told."""

    def __init__(self, languages: Sequence[str]) -> None:
        self._identifier = copy(_classifier())
        known = [one for one in languages if one in self._identifier.labels]
        self.languages = tuple(dict.fromkeys(known))
        if self.languages:
            self._identifier.set_languages(list(self.languages))

    def __call__(self, text: str) -> list[Guess]:
        """Return all languages, the likeliest first; all alike for a text without words."""
        if not self.languages:
            return []
        return [Guess(*one) for one in self._identifier.rank(text[:LONGEST])]


@cache
def _classifier() -> LanguageIdentifier:
    """Return it for all languages; to read it takes a second. Nobody may change it."""
    return LanguageIdentifier.from_model_file(MODEL_FILE, norm_probs=True)
