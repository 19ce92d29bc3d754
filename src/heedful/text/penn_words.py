"""A sentence as people write it becomes words as the Penn treebank has them.

Text comes in, words go out; `heed parse` cuts its lines so. The rules are those of the treebank's
own script (tokenizer.sed, MacIntyre 1995) for English; a sentence is one line.
"""

__all__ = ["penn_words"]

import re

_BRACKETS = {"(": "-LRB-", ")": "-RRB-", "{": "-LCB-", "}": "-RCB-"}
_CURLED = str.maketrans({"\u2018": "'", "\u2019": "'", "\u201c": "``", "\u201d": "''"})
_OPENING = re.compile(r"(?<![^\W\d_])\u2018(?!\d)")
"""A curled quote that opens: no letter stands before and no year behind, as by an apostrophe."""
_RULES = [
    (re.compile(r'^"'), "`` "),
    (re.compile(r'(?<=[\s(\[{<])"'), " `` "),
    (re.compile(r'"'), " '' "),
    (re.compile(r"(``|'')"), r" \1 "),
    (re.compile(r"\.\.\.+|\u2026"), " ... "),
    (re.compile(r"[;@#$%&?!]"), r" \g<0> "),
    (re.compile(r"[,:](?!\d)|(?<!\d)[,:]"), r" \g<0> "),
    (re.compile(r"--+|\u2014|\u2013(?=\s)"), " -- "),
    (re.compile(r"[()\[\]{}<>]"), r" \g<0> "),
    (re.compile(r"(?<=[^.\s])\.(?=[\s'\"`)\]}>]*$)"), " . "),
    (re.compile(r"(?<=[^'])'(?=\s|$)"), " ' "),
    (re.compile(r"(?<=[^'\s])('(?:s|m|d|ll|re|ve)|n't)(?=\s|$)", re.IGNORECASE), r" \1"),
]
"""Each pattern and what stands for it, in this order."""
_JOINED = re.compile(
    r"\b(can)(not)\b|\b(gon|wan)(na)\b|\b(got)(ta)\b|\b(gim|lem)(me)\b|\b(d')(ye)\b"
    r"|\b(more)('n)\b|(?<!\S)('t)(is|was)\b",
    re.IGNORECASE,
)
"""Two words that are written as one."""


def penn_words(sentence: str) -> list[str]:
    r"""Return the words of an English sentence.

    Punctuation is parted from words, a full stop at the end alone (so that abbreviations keep
    theirs); do|n't, cat|'s and can|not are two words; double quotes become `` and '', round and
    curly brackets -LRB- and the like.

    >>> penn_words("She can't (won't?) pay \"Mr. Lee's\" $3,000.")[:9]
    ['She', 'ca', "n't", '-LRB-', 'wo', "n't", '?', '-RRB-', 'pay']
    """
    text = _OPENING.sub(" ` ", sentence).translate(_CURLED).strip()
    for pattern, written in _RULES:
        text = pattern.sub(written, text)
    text = _JOINED.sub(lambda found: " ".join(filter(None, found.groups())), text)
    return [_BRACKETS.get(word, word) for word in text.split()]
