"""Dates, times, numbers, measures and money in many written forms, each with its normal form.

Chance comes in, pairs go out. A kind of expression draws a value, knows its normal form and the
fields of every form that suits it; a form is a pattern over fields. `heedful.tasks.normalise`
draws from them.
"""

__all__ = ["FORMS", "HELD_OUT_FORMS", "KINDS", "Kind", "write"]

import random
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import date, timedelta
from decimal import Decimal
from typing import Any

from heedful.demo.dates import FIRST, LAST, NAMES
from heedful.tasks.numbers import plain, said, ways, year_said

Fields = Mapping[str, str]


@dataclass(frozen=True)
class Kind:
    """One kind of expression."""

    draw: Callable[[random.Random], Any]
    normal: Callable[[Any], str]
    """What is to be written."""
    fields: Callable[[Any], Fields]
    """What its forms are made of; a field that does not suit a value is not there."""


def write(pattern: str, fields: Fields) -> str | None:
    """Return the pattern with its fields filled in; None where one does not suit the value.

    >>> write("the {nth} of {month}", {"nth": "3rd", "month": "March"})
    'the 3rd of March'
    """
    if not _NAMED.search(pattern):
        return pattern
    return pattern.format_map(fields) if set(_NAMED.findall(pattern)) <= set(fields) else None


_NAMED = re.compile(r"{(\w+)}")

_DAYS = (
    "first second third fourth fifth sixth seventh eighth ninth tenth eleventh twelfth thirteenth "
    "fourteenth fifteenth sixteenth seventeenth eighteenth nineteenth twentieth twenty-first "
    "twenty-second twenty-third twenty-fourth twenty-fifth twenty-sixth twenty-seventh "
    "twenty-eighth twenty-ninth thirtieth thirty-first"
)
_ORDINALS = tuple(_DAYS.split())


def _a_date(chance: random.Random) -> date:
    return FIRST + timedelta(chance.randrange((LAST - FIRST).days + 1))


def _of_date(day: date) -> Fields:
    names = NAMES["English"]
    ends = {1: "st", 2: "nd", 3: "rd", 21: "st", 22: "nd", 23: "rd", 31: "st"}
    return {
        "d": f"{day.day}",
        "dd": f"{day.day:02}",
        "nth": f"{day.day}{ends.get(day.day, 'th')}",
        "nth_said": _ORDINALS[day.day - 1],
        "m": f"{day.month}",
        "mm": f"{day.month:02}",
        "month": names.months[day.month - 1],
        "mon": names.short_months[day.month - 1],
        "y": f"{day.year}",
        "yy": f"{day.year % 100:02}",
        "year_said": year_said(day.year),
        "weekday": names.weekdays[day.weekday()],
        "day": names.short_weekdays[day.weekday()],
    }


def _a_time(chance: random.Random) -> int:
    """Draw minutes since midnight, full and half hours and quarters more often than others."""
    minute = chance.choice((0, 15, 30, 45, chance.randrange(0, 60, 5), chance.randrange(60)))
    return 60 * chance.randrange(24) + minute


def _of_time(time: int) -> Fields:
    hour, minute = divmod(time, 60)
    clock, following = (hour - 1) % 12 + 1, hour % 12 + 1
    found = {"H": f"{hour}", "HH": f"{hour:02}", "MM": f"{minute:02}", "h": f"{clock}"}
    found |= {"ap": "am" if hour < 12 else "pm", "dotted": "a.m." if hour < 12 else "p.m."}
    of_day = {"hour": said(clock), "next": said(following)}
    found |= {f"{name}_by_day": word for name, word in of_day.items()}
    found["part"] = _part_of_day(hour)
    if 1 <= hour < 13:
        found |= of_day  # without a word for the part of the day: before one in the afternoon
    found |= {0: {"full": "o'clock"}, 15: {"quarter": "a quarter past"}}.get(minute, {})
    found |= {30: {"half": "half past"}, 45: {"to_quarter": "a quarter to"}}.get(minute, {})
    if minute and minute % 15:
        side, many = ("past", minute) if minute < 30 else ("to", 60 - minute)
        found[f"minutes_{side}"] = said(many)
    if minute:
        found["minute_said"] = ("oh " if minute < 10 else "") + said(minute)
    if time % 720 == 0:
        found["named"] = "midnight" if hour == 0 else "noon"
    return found


def _part_of_day(hour: int) -> str:
    if hour < 12:
        return "in the morning"
    return "in the afternoon" if hour < 18 else "in the evening"


def _a_number(chance: random.Random) -> Decimal:
    """Draw a number of a size first, then its digits; often round, and often with a fraction."""
    size = chance.choice((10, 100, 100, 1000, 10_000, 10**6, 10**9, 10**11))
    drawn = chance.randrange(size)
    if size > 1000 and chance.random() < 0.7:
        drawn = _rounded(drawn, chance)
    if size > 10_000 or chance.random() < 0.5:
        return Decimal(drawn)
    tail = chance.choice(("0.5", "0.5", "0.25", "0.75", f"0.{chance.randrange(10)}"))
    tail = chance.choice((tail, f"0.{chance.randrange(100):02}"))
    return (drawn + Decimal(tail)).normalize()


def _rounded(number: int, chance: random.Random) -> int:
    """Return a number near it with three digits at most, then zeros; or millions and a half."""
    if chance.random() < 0.2:
        scale = chance.choice((10**6, 10**9))
        return chance.randrange(1, 40) * scale + scale // 2
    unit: int = 10 ** max(0, len(str(number)) - chance.choice((1, 2, 3)))
    return number // unit * unit


def _a_signed_number(chance: random.Random) -> Decimal:
    return _a_number(chance) * (-1 if chance.random() < 0.15 else 1)


def _of_number(number: Decimal) -> Fields:
    found = ways(abs(number))
    return found if number >= 0 else {f"minus_{name}": text for name, text in found.items()}


UNITS = {
    "km": ("kilometre", "kilometres"),
    "m": ("metre", "metres"),
    "cm": ("centimetre", "centimetres"),
    "mm": ("millimetre", "millimetres"),
    "mi": ("mile", "miles"),
    "ft": ("foot", "feet"),
    "in": ("inch", "inches"),
    "kg": ("kilogram", "kilograms"),
    "g": ("gram", "grams"),
    "mg": ("milligram", "milligrams"),
    "t": ("tonne", "tonnes"),
    "oz": ("ounce", "ounces"),
    "l": ("litre", "litres"),
    "ml": ("millilitre", "millilitres"),
    "h": ("hour", "hours"),
    "min": ("minute", "minutes"),
    "s": ("second", "seconds"),
    "km/h": ("kilometre per hour", "kilometres per hour"),
    "°C": ("degree Celsius", "degrees Celsius"),
    "kW": ("kilowatt", "kilowatts"),
    "GB": ("gigabyte", "gigabytes"),
    "%": ("per cent", "per cent"),
}
CURRENCIES = {
    "USD": ("$", "dollar", "dollars"),
    "EUR": ("€", "euro", "euros"),
    "GBP": ("£", "pound", "pounds"),
    "JPY": ("¥", "yen", "yen"),
    "INR": ("₹", "rupee", "rupees"),
}
CENTS = {"USD": "cents", "EUR": "cents", "GBP": "pence", "INR": "paise"}


def _a_measure(chance: random.Random) -> tuple[Decimal, str]:
    unit = chance.choice(tuple(UNITS))
    cold = unit == "°C" and chance.random() < 0.4
    return _a_number(chance) * (-1 if cold else 1), unit


def _of_measure(measure: tuple[Decimal, str]) -> Fields:
    number, unit = measure
    one, many = UNITS[unit]
    name = one if abs(number) == 1 else many
    american = name.replace("metre", "meter").replace("litre", "liter").replace("per c", "perc")
    found = dict(_of_number(number)) | {"unit": unit, "name": name, "american": american}
    if number == 1:
        return found
    article = "an" if one[0] in "aeiou" or one == "hour" else "a"
    return found | {"a_one": f"{article} {one}"}


def _money(chance: random.Random) -> tuple[Decimal, str]:
    return round(_a_number(chance), 2), chance.choice(tuple(CURRENCIES))


def _of_money(money: tuple[Decimal, str]) -> Fields:
    number, code = money
    sign, one, many = CURRENCIES[code]
    found = dict(ways(number)) | {"code": code, "sign": sign, "name": one if number == 1 else many}
    cents = int(number % 1 * 100)
    if cents > 1 and number > 2 and code in CENTS:
        found |= {"whole": f"{int(number):,}", "whole_said": said(int(number))}
        found |= {"cents": f"{cents}", "cents_said": said(cents), "cent_name": CENTS[code]}
    return found


def _with_unit(value: tuple[Decimal, str]) -> str:
    return f"{plain(value[0])} {value[1]}"


KINDS = {
    "date": Kind(_a_date, date.isoformat, _of_date),
    "time": Kind(_a_time, lambda time: f"{time // 60:02}:{time % 60:02}", _of_time),
    "number": Kind(_a_signed_number, plain, _of_number),
    "measure": Kind(_a_measure, _with_unit, _of_measure),
    "money": Kind(_money, _with_unit, _of_money),
}

FORMS = {
    "date": (
        "{d} {month} {y}",
        "{month} {d}, {y}",
        "{month} {nth}, {y}",
        "{nth} {month} {y}",
        "the {nth} of {month}, {y}",
        "the {nth_said} of {month}, {year_said}",
        "{month} the {nth_said}, {year_said}",
        "on {month} {nth_said}, {y}",
        "{weekday}, {month} {d}, {y}",
        "on {weekday}, {d} {mon} {y}",
        "{day} {d} {mon} {yy}",
        "{mon} {d}, '{yy}",
        "{m}/{d}/{y}",
        "{mm}/{dd}/{yy}",
        "{d}.{m}.{y}",
        "{dd}.{mm}.{yy}",
        "{y}/{mm}/{dd}",
        "{y}-{mm}-{dd}",
    ),
    "time": (
        "{H}:{MM}",
        "{HH}:{MM} hours",
        "at {h}:{MM} {ap}",
        "{h}.{MM}{ap}",
        "{h}:{MM} {part}",
        "{h}:{MM} {dotted}",
        "{hour} {full}",
        "{hour_by_day} {full} {part}",
        "{h} {full} {ap}",
        "{quarter} {hour}",
        "{quarter} {hour_by_day} {part}",
        "at {half} {hour}",
        "{half} {hour_by_day} {part}",
        "{half} {h} {ap}",
        "{to_quarter} {next}",
        "{to_quarter} {next_by_day} {part}",
        "{minutes_past} past {hour}",
        "{minutes_past} minutes past {hour_by_day} {part}",
        "{minutes_to} to {next_by_day} {part}",
        "{minutes_to} minutes to {next}",
        "{hour} {minute_said}",
        "{hour_by_day} {minute_said} {ap}",
        "{named}",
    ),
    "number": (
        "{digits}",
        "{grouped}",
        "{words}",
        "{words_us}",
        "{point}",
        "{half}",
        "{half_sign}",
        "{scaled}",
        "{scaled_said}",
        "-{minus_digits}",
        "minus {minus_words}",
        "minus {minus_digits}",
        "minus {minus_half}",
    ),
    "measure": (
        "{digits} {unit}",
        "{digits}{unit}",
        "{grouped} {unit}",
        "{digits} {name}",
        "{words} {name}",
        "{words_us} {american}",
        "{point} {name}",
        "{half} {name}",
        "{half_sign} {unit}",
        "{half_sign} {american}",
        "{part_of} {a_one}",
        "{scaled} {name}",
        "{scaled_said} {name}",
        "minus {minus_digits} {unit}",
        "minus {minus_words} {name}",
        "-{minus_digits} {name}",
    ),
    "money": (
        "{sign}{digits}",
        "{sign}{grouped}",
        "{digits} {code}",
        "{code} {grouped}",
        "{grouped} {name}",
        "{words} {name}",
        "{words_us} {name}",
        "{half} {name}",
        "{sign}{scaled}",
        "{sign}{scaled_short}",
        "{scaled} {name}",
        "{scaled_said} {name}",
        "{code} {scaled}",
        "{whole_said} {name} and {cents_said} {cent_name}",
        "{whole_said} {name} {cents_said}",
    ),
}
"""The forms that are trained on, by kind. Ambiguous ones follow the rules of the documentation."""

HELD_OUT_FORMS = {
    "date": (
        "on the {nth_said} of {month}, {y}",
        "{weekday} the {nth} of {month}, {y}",
        "{month} {nth_said}, {year_said}",
        "{weekday}, {m}/{d}/{y}",
        "{day}, {month} {nth} '{yy}",
        "{d}-{mon}-{y}",
    ),
    "time": (
        "at {hour_by_day} {minute_said} {part}",
        "{minutes_past} past {hour_by_day} {part}",
        "{minutes_to} to {next}",
        "{quarter} {h} {ap}",
        "{half} {h} {part}",
        "{h}.{MM} {dotted}",
    ),
    "number": ("minus {minus_point}", "{scaled_half}", "minus {minus_grouped}"),
    "measure": (
        "{grouped} {name}",
        "{half_sign}{unit}",
        "{point} {american}",
        "{scaled_half} {american}",
        "minus {minus_half} {name}",
        "{words} {unit}",
    ),
    "money": (
        "{code} {scaled_short}",
        "{scaled_half} {name}",
        "{point} {name}",
        "{sign}{half_sign}",
        "{whole} {name} and {cents} {cent_name}",
    ),
}
"""Forms that training never shows: their parts are known, their arrangement is not."""
