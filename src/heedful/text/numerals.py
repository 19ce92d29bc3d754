"""How numbers are written, and how the same number is written in another language.

Digits only: no number words, no units of ten thousand. Called by `heedful.text.protect`.
"""

__all__ = ["FREE_NUMBER", "forms", "numbers"]

import re
from collections.abc import Iterator
from itertools import product

_LETTER = r"A-Za-z_\u00c0-\u00d6\u00d8-\u00f6\u00f8-\u02af\u0370-\u052f"
"""Letters that make a word of the digits they touch: mp3, 3D; those of Chinese do not."""
_DIGIT = r"[0-9\u0660-\u0669\u06f0-\u06f9\u0966-\u096f\uff10-\uff19]"
_NUMBER = (
    rf"(?:{_DIGIT}{{4}}-{_DIGIT}{{1,2}}-{_DIGIT}{{1,2}}(?!{_DIGIT})"  # 2024-05-01
    rf"|{_DIGIT}{{1,2}}/{_DIGIT}{{1,2}}/{_DIGIT}{{2,4}}(?!{_DIGIT})"  # 5/1/2024
    # 1 000 000,5: groups of three
    rf"|{_DIGIT}{{1,3}}(?:[ \u00a0\u2009\u202f'’]{_DIGIT}{{3}}(?!{_DIGIT}))++(?:[.,]{_DIGIT}++)?"
    rf"|{_DIGIT}++(?:[.,:\u066b\u066c]{_DIGIT}++)*+)"  # 7 12:30 1.2.3 1,000.5
)
FREE_NUMBER = rf"(?<![{_LETTER}0-9])(?<![0-9][.,:]){_NUMBER}(?![{_LETTER}])"
"""Pattern of a number that is no part of a word."""
_ANY_NUMBER = re.compile(rf"(?<!{_DIGIT}){_NUMBER}")

_POINT = re.compile("bn|en|he|hi|ja|ko|ms|sw|ta|te|th|tl|ur|zh")
"""Languages that write 1,000.5; most others write 1.000,5 or 1 000,5."""
_WIDE = "\u00a0\u202f \u2009'’"
_TIME = re.compile(r"(\d{1,2}):(\d\d)((?::\d\d)?)")
_DATE = re.compile(r"(\d+)([-/.])(\d{1,2})\2(\d+)")
_AS_ASCII = {
    start + digit: str(digit) for start in (0x660, 0x6F0, 0x966, 0xFF10) for digit in range(10)
} | {0x66B: ".", 0x66C: ","}
_LONGEST = 30
"""Characters; what is longer is kept as it is or lost."""


def numbers(text: str) -> list[str]:
    """Return all numbers, also those in words, in ASCII digits.

    >>> numbers("30mm, 1.5 and \u0663")
    ['30', '1.5', '3']
    """
    return [number.translate(_AS_ASCII) for number in _ANY_NUMBER.findall(text)]


def forms(number: str, language: str = "") -> tuple[str, ...]:
    """Return the spellings under which a number counts as kept in a language, its own first.

    `language` is the target's code; with an unknown one, every language's spellings. Times may
    have a dot and count to 24, dates any order of their parts; what is neither a whole number, a
    decimal, a time nor a date (a version, a list) has one spelling only.

    >>> forms("1,000.5", "de")[:3], forms("12:30", "de"), forms("1.2.3", "de")
    (('1,000.5', '1000,5', '1.000,5'), ('12:30', '12.30'), ('1.2.3',))
    """
    plain = number.translate(_AS_ASCII)
    found = [number, plain]
    if len(plain) <= _LONGEST:
        if time := _TIME.fullmatch(plain):
            found += _times(*time.groups())
        elif (date := _DATE.fullmatch(plain)) and _is_date(date):
            found += _dates([date[1], date[3], date[4]])
        else:
            for whole, fraction in _readings(plain):
                found += _spelled(whole, fraction, language)
    return tuple(dict.fromkeys(found))


def _times(hour: str, minute: str, second: str) -> Iterator[str]:
    """Yield the time with a colon and a dot, of the first half of the day and of the second."""
    hours = [hour, hour.lstrip("0") or "0", hour.zfill(2)]
    hours += [str(int(hour) + 12)] if 1 <= int(hour) <= 11 else []
    hours += [str(int(hour) - 12)] if 13 <= int(hour) <= 23 else []
    for one, mark in product(hours, ":."):
        yield one + mark + minute + second.replace(":", mark)


def _is_date(match: re.Match[str]) -> bool:
    """Tell a date from a version: 1.2.3 has no year."""
    return match[2] != "." or len(match[4]) == 4


def _dates(parts: list[str]) -> Iterator[str]:
    """Yield the parts of a date in the orders in use, with and without leading zeros."""
    if len(parts[0]) == 4:
        parts = [parts[2], parts[1], parts[0]]
    one, two, year = parts
    for day, month in ((one, two), (two, one)):
        for width in (2, 1):
            short = [part.lstrip("0").zfill(width) for part in (day, month)]
            for mark in "./-":
                yield mark.join([*short, year])
            yield "-".join([year, *reversed(short)])


def _readings(number: str) -> Iterator[tuple[str, str]]:
    """Yield the whole digits and the decimals that a number may mean.

    >>> list(_readings("1,000")), list(_readings("1.000,5")), list(_readings("1.2.3"))
    ([('1000', ''), ('1', '000')], [('1000', '5')], [])
    """
    *whole, last = re.split(r"\D", number)
    marks = re.sub(r"\d", "", number)
    if not marks:
        yield number, ""
        return
    if ":" in marks or "/" in marks or "-" in marks:
        return
    if len(set(marks)) == 1 and _grouped([*whole, last]):
        yield "".join([*whole, last]), ""
    decimal = marks[-1] in ".," and marks.count(marks[-1]) == 1
    if decimal and len(set(marks[:-1])) <= 1 and (len(whole) == 1 or _grouped(whole)):
        yield "".join(whole), last


def _grouped(groups: list[str]) -> bool:
    first, *others = groups
    return 1 <= len(first) <= 3 and first != "0" and all(len(group) == 3 for group in others)


def _spelled(whole: str, fraction: str, language: str) -> Iterator[str]:
    """Yield the number with the marks of a language; without one, with those of all."""
    code = language.lower().replace("_", "-").split("-")[0]
    marks = [("", ".", ","), ("", ",", ".")]
    chosen = marks if not code else marks[:1] if _POINT.fullmatch(code) else marks[1:]
    for _, point, comma in chosen:
        tail = point + fraction if fraction else ""
        yield whole + tail
        if len(whole) > 3 and whole[0] != "0":
            for mark in comma + _WIDE:
                yield f"{int(whole):,}".replace(",", mark) + tail
