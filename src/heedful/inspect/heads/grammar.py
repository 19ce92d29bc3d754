"""Sentences of which the grammar is known without a parser: who does what to whom, how, how often.

A language comes in, sentences with their relations go out; the roles of heads are measured on them.
The relations are the templates' own, and the sentences are simple ones: a head that is syntactic
here need not be so in a newspaper.
"""

__all__ = ["RELATIONS", "Labelled", "labelled"]

from dataclasses import dataclass, field
from itertools import product

from heedful.data.evenly import evenly
from heedful.inspect.heads.nouns import CHINESE, ENGLISH
from heedful.inspect.heads.pronouns import Sentence

RELATIONS = (
    ("verb", "subject"),
    ("subject", "verb"),
    ("verb", "object"),
    ("object", "verb"),
    ("adjective", "noun"),
    ("determiner", "noun"),
    ("noun", "determiner"),
)
"""From which word to which. The adjective of a noun is the word before it, so that an offset finds
it always, and no head could be better: it is left out."""

SENTENCES = 200
"""Of each language, at most."""

_ADJECTIVES = {
    "en": ((), ("old",), ("small",), ("big", "brown")),
    "zh": ((), ("老",), ("小",), ("大", "黄")),
}
_ADVERBS = {"en": ("", "often", "almost never"), "zh": ("", "常常", "从来 不")}
_VERBS = {
    "en": {"eat": "ate", "drink": "drank", "cross": "crossed", "carry": "carried"},
    "zh": {"吃": "吃", "喝": "喝", "过": "过", "搬": "搬"},
}


@dataclass(frozen=True)
class Labelled(Sentence):
    """A sentence with its relations: pairs of words, from and to, by number."""

    edges: dict[tuple[str, str], tuple[tuple[int, int], ...]] = field(default_factory=dict)


def labelled(language: str) -> list[Labelled]:
    """Return sentences of subject, adverb, verb and object, each noun with up to two adjectives.

    How far apart the related words stand differs, so that no offset finds them all.
    """
    frames = {"en": ENGLISH, "zh": CHINESE}[language]
    verbs = _VERBS[language]
    every = [
        (a, b, verbs[frame.name], *rest)
        for frame in frames
        if frame.name in verbs
        for a, b in product(frame.first, frame.second)
        if a != b
        for rest in product(_ADJECTIVES[language], _ADVERBS[language], _ADJECTIVES[language])
    ]
    return [_made(language, *every[place]) for place in evenly(len(every), SENTENCES)]


def _made(
    language: str,
    a: str,
    b: str,
    verb: str,
    of_a: tuple[str, ...],
    adverb: str,
    of_b: tuple[str, ...],
) -> Labelled:
    determiner = ("the",) if language == "en" else ()
    words: list[str] = []
    edges: dict[tuple[str, str], list[tuple[int, int]]] = {name: [] for name in RELATIONS}

    def put_noun(noun: str, adjectives: tuple[str, ...]) -> int:
        start = len(words)
        words.extend((*determiner, *adjectives, noun))
        last = len(words) - 1
        described = range(start + len(determiner), last)
        edges["adjective", "noun"] += [(place, last) for place in described]
        edges["determiner", "noun"] += [(start, last)] * len(determiner)
        edges["noun", "determiner"] += [(last, start)] * len(determiner)
        return last

    subject = put_noun(a, of_a)
    words.extend([*adverb.split(), verb])
    middle = len(words) - 1
    object_ = put_noun(b, of_b)
    words.append("." if language == "en" else "。")
    edges["verb", "subject"] += [(middle, subject)]
    edges["subject", "verb"] += [(subject, middle)]
    edges["verb", "object"] += [(middle, object_)]
    edges["object", "verb"] += [(object_, middle)]
    if language == "en":
        words[0] = words[0].capitalize()
    return Labelled(language, tuple(words), {name: tuple(found) for name, found in edges.items()})
