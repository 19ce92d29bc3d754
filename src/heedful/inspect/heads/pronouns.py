"""Sentences in which an adjective decides what "it" stands for, in minimal pairs.

A language comes in, sentences with known words go out: "The cat ate the fish because it was hungry"
beside "... tasty", with both nouns in both orders. A frame, with all its nouns, is in one half
only: a head that is chosen on one half is reported on sentences of another build.
"""

__all__ = ["MARKS", "PAIRS", "Example", "Sentence", "example", "examples", "tour"]

from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from typing import NamedTuple

import numpy as np

from heedful.data.evenly import evenly
from heedful.inspect.heads.nouns import (
    CHINESE,
    ENGLISH,
    FUNCTION_WORDS,
    NOUNS,
    Frame,
    Gender,
    Half,
    Noun,
)
from heedful.shapes import Array, Bool
from heedful.text.spans import Span

PAIRS = {"en": 15, "zh": 12}
"""Pairs of nouns taken of each frame, at most."""

_FRAMES = {"en": ENGLISH, "zh": CHINESE}
_IT = {"en": "it", "zh": "它"}
MARKS = frozenset(".,。，")
"""The punctuation of the templates."""


@dataclass(frozen=True)
class Sentence:
    """A sentence that is cut into words already."""

    language: str
    words: tuple[str, ...]

    @cached_property
    def text(self) -> str:
        """Return it as it is written.

        >>> Sentence("en", ("The", "cat", "slept", ".")).text
        'The cat slept.'
        """
        return "".join(self._gap(place) + word for place, word in enumerate(self.words))

    @cached_property
    def spans(self) -> tuple[Span, ...]:
        """Return the words with the bytes of the text that each covers.

        >>> Sentence("zh", ("猫", "吃", "老鼠")).spans[2]
        Span(word='老鼠', start=6, end=12)
        """
        found, end = [], 0
        for place, word in enumerate(self.words):
            start = end + len(self._gap(place))
            end = start + len(word.encode())
            found.append(Span(word, start, end))
        return tuple(found)

    @cached_property
    def content(self) -> Bool[Array, " words"]:
        """Return which are content words: no marks, articles, auxiliaries and the like."""
        empty = FUNCTION_WORDS[self.language] | MARKS
        return np.array([word.lower() not in empty for word in self.words])

    def _gap(self, place: int) -> str:
        spaced = self.language != "zh" and place > 0 and self.words[place] not in MARKS
        return " " * spaced


@dataclass(frozen=True)
class Example(Sentence):
    """A sentence with a pronoun, the noun it stands for, and the other one; words by number."""

    frame: str
    half: Half
    unit: int
    """Number of the pair of nouns: all that is made of it stands or falls together."""
    pair: int
    """Number of the minimal pair: its two members differ in the deciding word."""
    pronoun: int
    antecedent: int
    distractor: int
    agent: int
    """Which of both nouns acts, or is to: the subject of the active, "by ..." of the passive."""
    right: Gender | None
    """The German pronoun; None where the language of the sentence is not English."""
    wrong: Gender | None
    """The pronoun if it stood for the other noun."""
    german: str
    """How the German translation begins, up to the pronoun."""
    named: tuple[Noun, ...]
    """Both nouns in German, the antecedent first."""


class _Choice(NamedTuple):
    """What a sentence is made of."""

    a: str
    b: str
    said: str
    of_first: bool
    """Whether what is said is said of `a`."""
    order: int
    """Which skeleton."""


def examples(language: str) -> list[Example]:
    """Return every sentence of a language that there are templates of, both halves.

    The two members of a minimal pair follow each other; of English there are four for each pair of
    nouns, whose German genders differ.
    """
    found: list[Example] = []
    unit = pair = 0
    for frame in _FRAMES[language]:
        chosen = _pairs(frame, language)
        for number, (a, b) in enumerate(chosen):
            deciding = frame.deciding[number % len(frame.deciding)]
            for order in range(len(frame.skeletons)):
                for of_first, said in zip((True, False), deciding, strict=True):
                    choice = _Choice(a, b, said, of_first, order)
                    found.append(_made(frame, language, choice, (unit, pair)))
                pair += 1
            unit += 1
    return found


def example(language: str, a: str, b: str, said: str) -> Example:
    """Return the sentence of two nouns in the order of the first skeleton, for showing.

    Raises ValueError where no frame has these words.
    """
    for frame in _FRAMES[language]:
        for deciding in frame.deciding:
            if a in frame.first and b in frame.second and said in deciding:
                choice = _Choice(a, b, said, said == deciding[0], 0)
                return _made(frame, language, choice, (-1, -1))
    raise ValueError(f"no frame has {a}, {b} and {said}")


def tour(language: str) -> list[Example]:
    """Return the sentences that everyone is shown, written as everyone writes them."""
    chosen = {
        "en": (
            ("animal", "street", "tired"),
            ("animal", "street", "wide"),
            ("cat", "fish", "hungry"),
            ("cat", "fish", "tasty"),
        ),
        "zh": (("猫", "鱼", "饿 了"), ("猫", "鱼", "很 新鲜")),
    }
    found = [example(language, *words) for words in chosen[language]]
    commas = {"，": ","}
    return [replace(one, words=tuple(commas.get(w, w) for w in one.words)) for one in found]


def _pairs(frame: Frame, language: str) -> list[tuple[str, str]]:
    """Return pairs of nouns, of different German gender, spread over the frame's."""
    every = [
        (a, b)
        for a in frame.first
        for b in frame.second
        if a != b and (language != "en" or NOUNS[a].gender != NOUNS[b].gender)
    ]
    return [every[place] for place in evenly(len(every), PAIRS[language])]


def _made(frame: Frame, language: str, choice: _Choice, numbers: tuple[int, int]) -> Example:
    skeleton = frame.skeletons[choice.order].split()
    places = {name: skeleton.index(f"{{{name}}}") for name in ("a", "b")}
    filled = {"{a}": [choice.a], "{b}": [choice.b], "{said}": choice.said.split()}
    words = [word for slot in skeleton for word in filled.get(slot, [slot.removeprefix("*")])]
    if language == "en":
        words[0] = words[0].capitalize()
    own, other = ("a", "b") if choice.of_first else ("b", "a")
    nouns = [NOUNS.get(getattr(choice, name)) for name in (own, other)]
    german = tuple(noun for noun in nouns if noun is not None)
    begun = ""
    if frame.german:
        begun = _german(frame.german[choice.order], NOUNS[choice.a], NOUNS[choice.b])
    return Example(
        language,
        tuple(words),
        frame=frame.name,
        half=frame.half,
        unit=numbers[0],
        pair=numbers[1],
        pronoun=words.index(_IT[language]),
        antecedent=places[own],
        distractor=places[other],
        agent=places["a"],
        right=german[0].gender if german else None,
        wrong=german[1].gender if german else None,
        german=begun,
        named=german,
    )


_ARTICLES: dict[str, Sequence[str]] = {
    "er": ("der", "dem", "den"),
    "sie": ("die", "der", "die"),
    "es": ("das", "dem", "das"),
}
"""Nominative, dative, accusative."""


def _german(skeleton: str, a: Noun, b: Noun) -> str:
    """Return a German beginning with its nouns.

    >>> _german("{a1} aß {b4}, weil", NOUNS["bear"], NOUNS["fish"])
    'Der Bär aß den Fisch, weil'
    """
    forms = {}
    for letter, noun in (("a", a), ("b", b)):
        for case, article in zip("134", _ARTICLES[noun.gender], strict=True):
            form = noun.german if case == "1" else noun.oblique or noun.german
            forms[f"{letter}{case}"] = f"{article} {form}"
    text = skeleton.format(**forms)
    return text[0].upper() + text[1:]
