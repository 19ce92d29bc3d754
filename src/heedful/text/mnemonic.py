"""The mark of a keyboard shortcut in a label: `_File`, `~File`, `&File`.

It is taken off before translating and put back before the first letter of the translation, so that
the word is translated and the label keeps a shortcut. Called by the translator.
"""

__all__ = ["returned", "taken"]

import re

from heedful.text.protect import spans

_SIGN = re.compile("[~&_]")
# "(_F)", as East Asian labels end, is none.
_BEFORE_WORD = re.compile(r"(?<!\S)[~&_](?=[^\W\d_])")
# Also "E~xit" and "Page si_ze", but not AT&T; in labels alone, since file_name looks the same: few
# words, the first with a capital. Of LibreOffice's labels a third are so; of 34,000 descriptions of
# Debian's, which have no marks, 9 are taken for such.
_IN_WORD = re.compile(r"(?<=[^\W\d_])[~&_](?=[a-zß-ÿ])")
_LABEL = re.compile(r"[A-ZÀ-Þ](?:\S*\s+){0,4}\S*(?:[^\s.!?]|\.\.\.)")
_SENTENCE = re.compile(r"(?<!\.\.)\.$|(?<!^\d)[.!?]\s+[A-ZÀ-Þ]")
_LETTER = re.compile(r"[^\W\d_]")


def taken(text: str) -> tuple[str, str | None]:
    """Return the text without its mark, and the mark; the text and None if it has not just one.

    >>> taken("_Password:"), taken("E~xit"), taken("snake_case"), taken("_a and _b")
    (('Password:', '_'), ('Exit', '~'), ('snake_case', None), ('_a and _b', None))
    >>> taken("We met at noon. It took ~half an hour.")[1] is None
    True
    """
    if len(_SIGN.findall(text)) != 1:
        return text, None
    found = _BEFORE_WORD.search(text)
    if found is not None and found.start() and _SENTENCE.search(text):
        return text, None  # "It took ~half an hour."
    if found is None and _LABEL.fullmatch(text):
        found = _IN_WORD.search(text)
    if found is None or any(span.start <= found.start() < span.end for span in spans(text)):
        return text, None
    return text[: found.start()] + text[found.end() :], found[0]


def returned(translation: str, mark: str) -> str:
    """Put the mark before the first letter outside of what is protected; without one, nowhere.

    >>> returned("%s: Kennwort", "_"), returned("3 %", "_")
    ('%s: _Kennwort', '3 %')
    """
    at, whole = 0, len(translation)
    for start, end in [*((span.start, span.end) for span in spans(translation)), (whole, whole)]:
        letter = _LETTER.search(translation, at, start)
        if letter is not None:
            return translation[: letter.start()] + mark + translation[letter.start() :]
        at = end
    return translation
