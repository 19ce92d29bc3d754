"""Which letters make words: scripts with spaces between words, and those without.

Python's `re` has no classes for scripts. Called by `heedful.text.repeats` and the glossary.
"""

__all__ = ["UNSPACED", "WORD", "words"]

import re

UNSPACED = (
    "\u0e00-\u0eff\u0f00-\u0fff\u1000-\u109f\u1780-\u17ff"  # Thai, Lao, Tibetan, Burmese, Khmer
    "\u2e80-\u2fdf\u3005-\u3007\u3021-\u3029\u3031-\u3035\u3038-\u303b\u3041-\u3096\u309d-\u30fa"
    "\u30fc-\u30ff\u3400-\u4dbf\u4e00-\u9fff\uf900-\ufaff\uff66-\uff9f\U00020000-\U0003ffff"
)
"""Inside of [...]: letters of the scripts that part no words, each of which counts as a word."""
_MARKS = "\u0300-\u036f\u0483-\u0487\u0591-\u05c7\u0610-\u061a\u064b-\u065f\u0900-\u0dff"
WORD = rf"(?:[^\W{UNSPACED}]|[{_MARKS}])"
"""A letter, digit or mark of a script that parts its words."""

_RUN = rf"(?:[^\W{UNSPACED}]++|[{_MARKS}]++)++"
_WORDS = re.compile(rf"[{UNSPACED}]|{_RUN}(?:[-.,:'’]{_RUN})*+")


def words(text: str) -> list[tuple[str, int, int]]:
    """Return the words and where each begins and ends; without spaces, the characters.

    A hyphen, a dot, a comma, a colon or an apostrophe inside a word or number is a part of it.

    >>> words("It's 1,000, 好的!")
    [("It's", 0, 4), ('1,000', 5, 10), ('好', 12, 13), ('的', 13, 14)]
    """
    return [(match[0], *match.span()) for match in _WORDS.finditer(text)]
