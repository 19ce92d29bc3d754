"""A text is cut at the ends of its sentences, so that each part fits a model.

A text comes in, sentences and what stands between them go out, and joined they are the text
again; the translator calls it on input too long for one piece of work.
"""

__all__ = ["gap_after", "split_sentences"]

import re

# Marks that end a sentence wherever they stand: Chinese and Japanese, Hindi, Arabic, Urdu,
# Armenian, Ethiopic, Burmese, Khmer.
HARD = "。！？｡।॥؟۔։።။។"
# Marks that end one only before a space: a dot may stand in a number, an address or "z.B.".
SOFT = ".!?…"
CLOSING = "\"'”’“‘»›«)]}」』）】》〉"
OPENING = "\"'“„‘‚«‹»([{¿¡「『（【《〈–—-"

# Each match begins at a mark or a space and takes the whole run, so that the time is linear.
_CANDIDATE = re.compile(
    rf"(?P<marks>[{HARD}{SOFT}]+)[{re.escape(CLOSING)}]*(?P<gap>\s*)|(?P<space>\s+)"
)
_OPENING = re.compile(rf"[{re.escape(OPENING)}]*")
_LAST_WORD = re.compile(r"[^\W_]+(?:\.[^\W_]+)*\Z")
_LONGEST_WORD = 20

# Abbreviations that go on with a capital letter. Those that often end a sentence (etc., usw.,
# Inc.) are not among them, nor those that are also words, except where a number follows.
_BEFORE_A_NAME = re.compile(
    r"dr|mr|mrs|ms|prof|st|rev|capt|sgt|lt|gov|pres|vs|cf|approx|dept|univ|ca|hr|fr|frl|bzw|bspw"
    r"|vgl|evtl|ggf|inkl|exkl|bzgl|zzgl|mio|mrd|geb|gest|sog|dipl|ing|insb|ehem|mme|mlle|sra|srta",
    re.IGNORECASE,
)
_BEFORE_A_NUMBER = re.compile(
    r"no|nos|nr|fig|figs|vol|pp|eq|sec|ch|art|abs|abb|tab|bd|tel|min|max|núm|pág|jan|feb|mar|apr"
    r"|jun|jul|aug|sept?|oct|nov|dec",
    re.IGNORECASE,
)


# Scripts that put no spaces between sentences, with their marks: Thai to Lao, Burmese, Khmer,
# Chinese, Japanese and full-width forms.
_UNSPACED = re.compile(
    r"[\u0e00-\u0eff\u1000-\u109f\u1780-\u17ff\u3000-\u30ff\u3400-\u9fff\uf900-\ufaff\uff01-\uff65]"
)


def gap_after(source: str, gap: str, translation: str) -> str:
    """Return what goes between a sentence's translation and the next: its own gap, mostly.

    Where the source needs no space and the translation does, it is one.

    >>> gap_after("你好。", "", "Hello."), gap_after("你好。", "", "こんにちは。")
    (' ', '')
    """
    read, written = source.rstrip(CLOSING)[-1:], translation.rstrip(CLOSING)[-1:]
    if gap or not read or not written or _UNSPACED.match(written):
        return gap
    return " " if read in HARD or _UNSPACED.match(read) else gap


def split_sentences(text: str) -> list[tuple[str, str]]:
    """Return each sentence with the white space after it; joined, all are exactly the text.

    A line break always ends a sentence. No sentence begins or ends with white space, and only
    the first may be empty: it stands before white space at the start of the text.

    >>> split_sentences("Dr. Who paid 3.5 pounds. Why? 好。走吧")
    [('Dr. Who paid 3.5 pounds.', ' '), ('Why?', ' '), ('好。', ''), ('走吧', '')]
    """
    found = []
    start = 0
    for candidate in _CANDIDATE.finditer(text):
        if _ends_sentence(text, candidate):
            gap = candidate["gap"] if candidate["space"] is None else candidate["space"]
            end = candidate.end() - len(gap)
            found.append((text[start:end], gap))
            start = candidate.end()
    if start < len(text):
        found.append((text[start:], ""))
    return found


def _ends_sentence(text: str, candidate: re.Match[str]) -> bool:
    """Tell whether a run of marks or of white space is the end of a sentence."""
    start, end = candidate.span()
    if end == len(text):
        return True
    if candidate["space"] is not None:
        return start == 0 or "\n" in candidate["space"]
    if "\n" in candidate["gap"] or any(mark in HARD for mark in candidate["marks"]):
        return True
    if not candidate["gap"]:
        return False
    after = _OPENING.match(text, end)
    following = text[after.end() : after.end() + 1] if after else ""
    if following.islower():
        return False
    return candidate["marks"] != "." or not _is_abbreviated(text, start, following)


def _is_abbreviated(text: str, dot: int, following: str) -> bool:
    """Tell whether the dot at this place belongs to its word: "Dr.", "z.B.", "J.", "3. Mai"."""
    found = _LAST_WORD.search(text[max(0, dot - _LONGEST_WORD) : dot])
    if found is None:
        return False
    word = found[0]
    if word.isdigit():
        return len(word) <= 2
    letters = word.split(".")
    if all(len(letter) == 1 and (letter.islower() or letter.isupper()) for letter in letters):
        return True
    if following.isdigit() and _BEFORE_A_NUMBER.fullmatch(word):
        return True
    return _BEFORE_A_NAME.fullmatch(word) is not None
