"""Numbers as English says and writes them: words, digits, fractions, millions.

A decimal number comes in, what it can be written as goes out, by the names that the forms of
`heedful.tasks.written` use.
"""

__all__ = ["FRACTIONS", "plain", "said", "ways", "year_said"]

from collections.abc import Mapping
from decimal import Decimal

_BELOW_TWENTY = (
    "zero one two three four five six seven eight nine ten eleven twelve thirteen fourteen fifteen "
    "sixteen seventeen eighteen nineteen"
)
_SMALL = tuple(_BELOW_TWENTY.split())
_TENS = ("", "", "twenty", "thirty", "forty", "fifty", "sixty", "seventy", "eighty", "ninety")
SCALES = (
    (Decimal(10**9), "billion", "bn"),
    (Decimal(10**6), "million", "m"),
    (Decimal(10**3), "thousand", "k"),
)
"""The short scale: a billion is a thousand millions."""

FRACTIONS = {
    Decimal("0.5"): ("a half", "half", "½"),
    Decimal("0.25"): ("a quarter", "a quarter of", "¼"),
    Decimal("0.75"): ("three quarters", "three quarters of", "¾"),
}
"""Behind `and`, before `a kilometre`, and as a character."""


def said(number: int, *, us: bool = False) -> str:
    """Return a whole number from 0 to 999,999,999,999 in words, with `and` or, `us`, without.

    >>> said(12_305), said(1_105, us=True), said(2_000_021)
    ('twelve thousand three hundred and five', 'one thousand one hundred five', 'two million and \
twenty-one')
    """
    if number < 20:
        return _SMALL[number]
    if number < 100:
        tens, ones = divmod(number, 10)
        return _TENS[tens] + (f"-{_SMALL[ones]}" if ones else "")
    joint = " " if us else " and "
    if number < 1000:
        hundreds, rest = divmod(number, 100)
        head = f"{_SMALL[hundreds]} hundred"
        return head + (joint + said(rest, us=us) if rest else "")
    for scale, name, _ in SCALES:
        if number >= scale:
            many, rest = divmod(number, int(scale))
            head = f"{said(many, us=us)} {name}"
            return head + ((joint if rest < 100 else " ") + said(rest, us=us) if rest else "")
    raise AssertionError(number)


def year_said(year: int) -> str:
    """Return a year of four digits in words.

    >>> [year_said(year) for year in (1999, 1905, 1900, 2005, 2021)]
    ['nineteen ninety-nine', 'nineteen oh five', 'nineteen hundred', 'two thousand and five', \
'twenty twenty-one']
    """
    if 2000 <= year < 2010:
        return said(year)
    head, rest = divmod(year, 100)
    if rest == 0:
        return f"{said(head)} hundred"
    return f"{said(head)} {'oh ' if rest < 10 else ''}{said(rest)}"


def plain(number: Decimal) -> str:
    """Return the normal form: digits, a point where there is a fraction, no idle zeros.

    >>> plain(Decimal("3.20E+9")), plain(Decimal("-12.50")), plain(Decimal("0"))
    ('3200000000', '-12.5', '0')
    """
    text = f"{number + 0:f}"  # zero has no sign
    return text.rstrip("0").rstrip(".") if "." in text else text


def ways(number: Decimal) -> Mapping[str, str]:
    """Return what a number from 0 on can be written as; what does not suit it is not there.

    >>> found = ways(Decimal("12.5"))
    >>> found["point"], found["half"], found["half_sign"]
    ('twelve point five', 'twelve and a half', '12½')
    """
    whole, fraction = int(number), number % 1
    grouped = f"{whole:,}"
    tail = plain(fraction)[1:] if fraction else ""
    found = {"digits": plain(number), "grouped": grouped + tail}
    if not fraction:
        found |= {"words": said(whole), "words_us": said(whole, us=True)}
    else:
        spelt = " ".join(_SMALL[int(digit)] for digit in tail[1:])
        found["point"] = f"{said(whole)} point {spelt}"
    if fraction in FRACTIONS:
        behind, before, sign = FRACTIONS[fraction]
        if whole:
            found |= {"half": f"{said(whole)} and {behind}", "half_sign": f"{whole}{sign}"}
        else:
            found["part_of"] = before
    return found | _scaled(number)


def _scaled(number: Decimal) -> dict[str, str]:
    """Return a number as so many thousands, millions or billions, with three digits at most."""
    for scale, name, short in SCALES:
        if number < scale:
            continue
        many = number / scale
        if len(plain(many).replace(".", "")) > 3:
            return {}
        own = ways(many)
        spelt = own.get("words", own.get("point", ""))
        found = {"scaled_short": f"{own['digits']}{short}", "scaled_said": f"{spelt} {name}"}
        if name != "thousand":
            found["scaled"] = f"{own['digits']} {name}"
        if "half" in own:
            found["scaled_half"] = f"{own['half']} {name}"
        return found
    return {}
