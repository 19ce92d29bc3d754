"""Which scripts a text is written in and which of its characters look wrong.

Takes the counts of characters that `heedful.data.survey` gathers; the report shows the outcome.
"""

__all__ = ["OddCharacter", "describe_odd", "script_of", "scripts"]

import unicodedata
from collections import Counter
from dataclasses import dataclass

_KINDS = {"L": "other letters", "M": "marks", "N": "digits", "P": "punctuation", "S": "symbols"}
_KINDS |= {"Z": "spaces", "C": "control"}

_LETTERED = {"CJK": "Han", "IDEOGRAPHIC": "Han", "FULLWIDTH": "Latin", "HALFWIDTH": "Katakana"}
_INVISIBLE = {"Cc", "Cf", "Co", "Cn", "Cs", "Zl", "Zp"}


@dataclass(frozen=True)
class OddCharacter:
    """A character that seldom belongs in a sentence, and how often it was met."""

    code: str
    """Such as `U+200B`."""
    name: str
    count: int


def script_of(character: str) -> str:
    """Name the script of a letter by the first word of its Unicode name, else its general kind.

    The name stands in for Unicode's Script property, which Python's `unicodedata` lacks.

    >>> [script_of(c) for c in "aжß猫か1!"]
    ['Latin', 'Cyrillic', 'Latin', 'Han', 'Hiragana', 'digits', 'punctuation']
    """
    category = unicodedata.category(character)
    if category[0] != "L":
        return "spaces" if character in "\t\n" else _KINDS[category[0]]
    word = unicodedata.name(character, "").split(" ")[0]
    if not word or word in ("MODIFIER", "FEMININE", "MASCULINE", "MICRO"):
        return "other letters"
    return _LETTERED.get(word, word.capitalize())


def scripts(counts: Counter[str]) -> dict[str, int]:
    """Count the characters of each script or kind, the most frequent first."""
    found: Counter[str] = Counter()
    for character, count in counts.items():
        found[script_of(character)] += count
    return dict(found.most_common())


def describe_odd(counts: Counter[str], most: int = 12) -> tuple[OddCharacter, ...]:
    """List the control, invisible, private and replacement characters, most frequent first."""
    odd = {
        character: count
        for character, count in counts.items()
        if character == "\ufffd"
        or (unicodedata.category(character) in _INVISIBLE and character not in "\t\n")
    }
    return tuple(
        OddCharacter(f"U+{ord(character):04X}", _name(character), count)
        for character, count in Counter(odd).most_common(most)
    )


def _name(character: str) -> str:
    plain = {"\r": "CARRIAGE RETURN", "\x0b": "LINE TABULATION", "\x0c": "FORM FEED"}
    plain |= {"\x85": "NEXT LINE", "\x00": "NULL"}
    kinds = {"Co": "private use", "Cn": "not assigned"}
    kind = kinds.get(unicodedata.category(character), "control character")
    return plain.get(character, unicodedata.name(character, kind)).lower()
