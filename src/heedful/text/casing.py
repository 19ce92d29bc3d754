"""SHOUTED TEXT and Text In Title Case become sentences, and what was shouted is shouted again.

Models have read sentences; in capitals they know hardly a word. What `heedful.text.protect` calls
a span keeps its letters. Called by the translator.
"""

__all__ = ["is_shouted", "is_titled", "shouted", "unshouted", "untitled"]

import re
from collections.abc import Callable

from heedful.text.protect import free_text, parts, spans
from heedful.text.sentences import split_sentences

_WORD = re.compile(r"[^\W\d_]+(?:['’][^\W\d_]+)*")
_ENGLISH_I = re.compile(r"I(?:['’].*)?")
_LETTER_OR_DIGIT = re.compile(r"[^\W_]")
_SMALL = re.compile(
    "an?|and|as|at|but|by|for|from|in|into|nor|of|on|or|over|per|the|to|up|via|vs|with|without"
)
"""English words that titles leave small (APA, Chicago)."""
_FEWEST = 5


def is_shouted(text: str) -> bool:
    """Tell whether a text stands in capitals: no small letter (but ß) outside of spans.

    It needs five letters in two words, or a word of five letters. A shorter word or one such among
    digits may be an acronym (NASA, USB 3.0); UNESCO is taken for shouted, and does not suffer,
    since it comes back in capitals.

    >>> [is_shouted(text) for text in ("DO NOT ENTER %s", "USB 3.0", "STRAßE", "I", "猫")]
    [True, False, True, False, False]
    """
    free = free_text(text)
    if not free.replace("ß", "").isupper():
        return False
    words = [word for word in _WORD.findall(free) if len(word) > 1 and word.lower() != word]
    return sum(map(len, words)) >= _FEWEST and (len(words) > 1 or len(words[0]) >= _FEWEST)


def unshouted(text: str) -> str:
    """Return the text in small letters, but for spans, the first of each sentence and English I.

    A sentence that begins with a number or a placeholder begins small. The length stays. Names and
    acronyms lose their capitals: nothing tells them from words.

    >>> unshouted("I AM HERE. DO NOT DELETE %S OR http://X.org/!")
    'I am here. Do not delete %S or http://X.org/!'
    """
    letters = list(_outside(text, lambda part: _WORD.sub(_small, part)))
    plain = list(text)
    kept: set[int] = set()
    for span in spans(text):
        if span.kind == "tag":
            plain[span.start : span.end] = " " * len(span.text)
        else:
            kept.update(range(span.start, span.end))
    at = 0
    for sentence, gap in split_sentences(text):
        first = _LETTER_OR_DIGIT.search("".join(plain[at : at + len(sentence)]))
        if first is not None and at + first.start() not in kept:
            letters[at + first.start()] = _capital(letters[at + first.start()])
        at += len(sentence) + len(gap)
    return "".join(letters)


def shouted(text: str) -> str:
    """Return the text in capitals, but for spans; ß becomes ẞ, which German spelling allows.

    Letters whose capital is two letters (ŉ, ﬁ) stay, so that the length stays.

    >>> shouted("Die Straße zu %s")
    'DIE STRAẞE ZU %s'
    """
    return _outside(text, lambda part: "".join(map(_capital, part)))


def is_titled(text: str) -> bool:
    """Tell whether an English text of three words or more has capitals as a title has.

    All words but articles, conjunctions and short prepositions begin with a capital, three of them
    at least, five where a sentence ends ("Are Tom and Mary in Boston?" is none), two with small
    letters as well; and it is one sentence, or each would have a capital of its own. A name of
    three words (New York City) looks the same.

    >>> [is_titled(t) for t in ("Insert New Row at the End", "Insert new row", "John Smith")]
    [True, False, False]
    """
    words = [word for part, free in parts(text) if free for word in _WORD.findall(part)]
    if not words or not words[0][0].isupper():
        return False
    fewest = 5 if text.rstrip().endswith((".", "!", "?")) else 3
    large = [word for word in words if word[0].isupper()]
    small = [word for word in words if not word[0].isupper()]
    mixed = [word for word in large if not word.isupper()]
    titled = len(large) >= fewest and len(mixed) > 1 and all(map(_SMALL.fullmatch, small))
    return titled and len(split_sentences(text)) == 1


def untitled(text: str) -> str:
    """Return the text with small words, but for the first, those of a letter or more capitals.

    >>> untitled("Insert New SQL Query in LibreOffice")
    'Insert new SQL query in LibreOffice'
    """
    first = True

    def lowered(word: re.Match[str]) -> str:
        nonlocal first
        keep = first or len(word[0]) == 1 or any(map(str.isupper, word[0][1:]))
        first = False
        return word[0] if keep else _small(word)

    return _outside(text, lambda part: _WORD.sub(lowered, part))


def _outside(text: str, change: Callable[[str], str]) -> str:
    return "".join(change(part) if free else part for part, free in parts(text))


def _small(word: re.Match[str]) -> str:
    """Return a word in small letters; whole, since Greek has a letter for the end of words."""
    head = 1 if _ENGLISH_I.fullmatch(word[0]) else 0
    rest = word[0][head:]
    small = rest.lower()
    if len(small) != len(rest):
        small = "".join(c.lower() if len(c.lower()) == 1 else c for c in rest)
    return word[0][:head] + small


def _capital(letter: str) -> str:
    return "ẞ" if letter == "ß" else letter.upper() if len(letter.upper()) == 1 else letter
