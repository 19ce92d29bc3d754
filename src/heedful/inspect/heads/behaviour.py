"""Which pronoun a model writes: in German it tells which noun it took "it" to stand for.

Templates and their translations come in; how often both members of a minimal pair come out right,
and how often the model says er, sie or es at all, go out.
"""

__all__ = ["Behaviour", "Said", "behaviour", "said"]

import re
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np

from heedful.inspect.heads.intervals import Estimate, estimate
from heedful.inspect.heads.nouns import PRONOUNS, Gender
from heedful.inspect.heads.pronouns import Example
from heedful.text.spans import words

_REASON = re.compile(r"\b(?:weil|da|denn)\b")
_PRONOUN = re.compile(r"\b(?:er|sie|es)\b")

CHANCE = 0.25
"""Of pairs whose members are guessed independently, both are right so often."""


class Said(NamedTuple):
    """The pronoun in a German translation."""

    text: str
    pronoun: Gender | None
    """None: it says none of er, sie and es where the reason is given."""
    start: int
    """The character where the pronoun begins; 0 where there is none."""
    named: bool
    """Whether both nouns stand in the translation, as the templates have them."""

    @property
    def before(self) -> str:
        """Return what stands before the pronoun."""
        return self.text[: self.start].rstrip()


@dataclass(frozen=True)
class Behaviour:
    """What the translations of all templates say; the pairs are minimal, chance is 25 %."""

    pairs: int
    both_right: Estimate
    right: Estimate
    """Share of single sentences."""
    counts: dict[str, int]
    """How many sentences say er, sie, es, and none of them."""
    always: dict[str, float]
    """What a model that always picks one gets of single sentences; of pairs it gets none."""
    named: float
    """Share of sentences with both nouns in the expected translation."""
    both_right_named: Estimate
    """Of the pairs in which all of them are."""
    likelier: Estimate
    """Share of pairs where both times the right pronoun is likelier than the wrong one, whatever
    the model says."""

    @property
    def resolves(self) -> bool:
        """Return whether pairs come out right more often than by guessing, beyond doubt."""
        return self.both_right.low > CHANCE


def said(example: Example, translation: str) -> Said:
    """Find the pronoun: the first er, sie or es after weil, da or denn, else the last of all.

    >>> from heedful.inspect.heads.pronouns import example
    >>> cat = example("en", "cat", "fish", "hungry")
    >>> said(cat, "Die Katze aß den Fisch, weil sie hungrig war.")[1:]
    ('sie', 29, True)
    """
    reason = _REASON.search(translation)
    found = list(_PRONOUN.finditer(translation, reason.end() if reason else 0))
    there = {span.word for span in words(translation)}
    named = all(
        there
        & {form + ending for form in (noun.german, *noun.others) for ending in ("", "s", "es")}
        for noun in example.named
    )
    if not found:
        return Said(translation, None, 0, named)
    chosen = found[0] if reason else found[-1]
    pronoun: Gender = next(known for known in PRONOUNS if known == chosen[0])
    return Said(translation, pronoun, chosen.start(), named)


def behaviour(
    examples: Sequence[Example], translations: Sequence[Said], differences: Sequence[float]
) -> Behaviour:
    """Count; `differences` are log p(right) - log p(wrong) of each sentence."""
    right = [
        one.pronoun == example.right for example, one in zip(examples, translations, strict=True)
    ]
    pairs: dict[int, list[int]] = {}
    for place, example in enumerate(examples):
        pairs.setdefault(example.pair, []).append(place)
    groups = [examples[members[0]].unit for members in pairs.values()]
    both = [all(right[place] for place in members) for members in pairs.values()]
    likelier = [all(differences[place] > 0 for place in members) for members in pairs.values()]
    clear = [all(translations[place].named for place in members) for members in pairs.values()]
    kept = [place for place, whole in enumerate(clear) if whole]
    counts: Counter[str] = Counter(one.pronoun or "none" for one in translations)
    wanted = Counter(example.right for example in examples)
    return Behaviour(
        len(pairs),
        estimate(np.array(both), groups),
        estimate(np.array(right), [example.unit for example in examples]),
        {name: counts[name] for name in (*PRONOUNS, "none")},
        {name: wanted[name] / len(examples) for name in PRONOUNS},
        sum(one.named for one in translations) / len(examples),
        estimate(np.array([both[place] for place in kept]), [groups[place] for place in kept]),
        estimate(np.array(likelier), groups),
    )
