"""The demo's task: dates as people write them, in seven languages, become ISO 8601.

A seed comes in, a `DateTask` goes out: training pairs, and two tests that ask different things,
dates never seen (in forms that were) and forms never seen (of dates that were not either).
`heedful.demo.training` trains on it before the user's eyes.
"""

__all__ = ["FORMS", "HELD_OUT_FORMS", "DateTask", "Form", "Written", "generate", "write"]

import random
from dataclasses import dataclass
from datetime import date, timedelta

FIRST, LAST = date(1969, 1, 1), date(2068, 12, 31)
"""A hundred years, so that two digits name one year (POSIX: 69 to 99 are 19xx, 00 to 68 20xx)."""


@dataclass(frozen=True)
class Form:
    """One way to write a date: a language and a pattern over the fields of `write`."""

    language: str
    pattern: str

    def __str__(self) -> str:
        return f"{self.language}: {write(date(1998, 3, 3), self)}"


@dataclass(frozen=True)
class Written:
    """A date in one form, and the answer."""

    text: str
    iso: str
    form: Form


@dataclass(frozen=True)
class DateTask:
    """What is learned and what is asked; no date of `dev` or of a test is in `train`."""

    train: tuple[Written, ...]
    dev: tuple[Written, ...]
    """New dates in the forms of the training, to watch the training by."""
    unseen_dates: tuple[Written, ...]
    """New dates in the forms of the training."""
    unseen_forms: tuple[Written, ...]
    """New dates in forms of which the training has not one example."""


@dataclass(frozen=True)
class _Names:
    months: tuple[str, ...]
    weekdays: tuple[str, ...]
    """From Monday on."""
    short_months: tuple[str, ...] = ()
    short_weekdays: tuple[str, ...] = ()


def _names(months: str, weekdays: str, short_months: str = "", short_weekdays: str = "") -> _Names:
    texts = (months, weekdays, short_months, short_weekdays)
    return _Names(*(tuple(text.split()) for text in texts))


NAMES = {
    "English": _names(
        "January February March April May June July August September October November December",
        "Monday Tuesday Wednesday Thursday Friday Saturday Sunday",
        "Jan Feb Mar Apr May Jun Jul Aug Sep Oct Nov Dec",
        "Mon Tue Wed Thu Fri Sat Sun",
    ),
    "German": _names(
        "Januar Februar März April Mai Juni Juli August September Oktober November Dezember",
        "Montag Dienstag Mittwoch Donnerstag Freitag Samstag Sonntag",
        "Jan. Feb. März Apr. Mai Juni Juli Aug. Sept. Okt. Nov. Dez.",
        "Mo Di Mi Do Fr Sa So",
    ),
    "French": _names(
        "janvier février mars avril mai juin juillet août septembre octobre novembre décembre",
        "lundi mardi mercredi jeudi vendredi samedi dimanche",
    ),
    "Spanish": _names(
        "enero febrero marzo abril mayo junio julio agosto septiembre octubre noviembre diciembre",
        "lunes martes miércoles jueves viernes sábado domingo",
    ),
    "Chinese": _names(
        "一月 二月 三月 四月 五月 六月 七月 八月 九月 十月 十一月 十二月",
        "星期一 星期二 星期三 星期四 星期五 星期六 星期日",
    ),
    "Japanese": _names(
        "1月 2月 3月 4月 5月 6月 7月 8月 9月 10月 11月 12月",
        "月 火 水 木 金 土 日",
    ),
    "Korean": _names(
        "1월 2월 3월 4월 5월 6월 7월 8월 9월 10월 11월 12월",
        "월요일 화요일 수요일 목요일 금요일 토요일 일요일",
    ),
}

FORMS = tuple(
    Form(language, pattern)
    for language, patterns in {
        "English": (
            "{d} {month} {y}",
            "{month} {d}, {y}",
            "{month} {nth}, {y}",
            "{d} {mon} {y}",
            "{day} {d} {mon} {yy}",
            "{weekday}, {month} {d}, {y}",
            "{day}, {mon} {nth} {y}",
            "the {nth} of {month}, {y}",
        ),
        "German": (
            "{d}. {month} {y}",
            "{dd}.{mm}.{y}",
            "{d}.{m}.{yy}",
            "{d}. {mon} {yy}",
            "{weekday}, {d}. {month} {y}",
            "{day}, {dd}.{mm}.{yy}",
        ),
        "French": ("{d} {month} {y}", "{weekday} {d} {month} {y}", "le {d} {month} {yy}"),
        "Spanish": (
            "{d} de {month} de {y}",
            "{weekday}, {d} de {month} de {y}",
            "{d} {month} {y}",
        ),
        "Chinese": ("{y}年{m}月{d}日", "{y}年{m}月{d}日 {weekday}", "{yy}年{month}{d}日"),
        "Japanese": ("{y}年{month}{d}日({weekday})",),
        "Korean": ("{y}년 {month} {d}일", "{y}년 {month} {d}일 {weekday}"),
        "numbers": ("{y}/{mm}/{dd}", "{y}{mm}{dd}"),
    }.items()
    for pattern in patterns
)
"""The forms that are trained on. None is ambiguous: with dots the day stands first (German)."""

HELD_OUT_FORMS = (
    Form("English", "{nth} {month} {y}"),
    Form("English", "{weekday}, {d} {mon} {y}"),
    Form("German", "{weekday}, {dd}.{mm}.{y}"),
    Form("German", "{day}, {d}. {mon} {y}"),
    Form("French", "{weekday}, le {d} {month} {y}"),
    Form("Spanish", "{weekday} {d} de {month} de {y}"),
    Form("Chinese", "{weekday}，{y}年{month}{d}日"),
    Form("Korean", "{weekday}, {y}년 {month} {d}일"),
    Form("numbers", "{y} {mm} {dd}"),
)
"""Forms that training never shows: their parts are known, their arrangement is not."""


def write(day: date, form: Form) -> str:
    """Write a date in a form.

    >>> write(date(1998, 3, 3), Form("English", "{weekday}, {month} {nth}, {y}"))
    'Tuesday, March 3rd, 1998'
    """
    names = NAMES.get(form.language, NAMES["English"])
    fields = {
        "d": f"{day.day}",
        "dd": f"{day.day:02}",
        "nth": _ordinal(day.day),
        "m": f"{day.month}",
        "mm": f"{day.month:02}",
        "month": names.months[day.month - 1],
        "y": f"{day.year}",
        "yy": f"{day.year % 100:02}",
        "weekday": names.weekdays[day.weekday()],
    }
    if names.short_months:
        fields["mon"] = names.short_months[day.month - 1]
        fields["day"] = names.short_weekdays[day.weekday()]
    return form.pattern.format_map(fields)


def _ordinal(number: int) -> str:
    """Return the English ordinal.

    >>> [_ordinal(n) for n in (1, 2, 3, 4, 11, 12, 13, 21, 30)]
    ['1st', '2nd', '3rd', '4th', '11th', '12th', '13th', '21st', '30th']
    """
    if number // 10 % 10 == 1:
        return f"{number}th"
    return f"{number}{ {1: 'st', 2: 'nd', 3: 'rd'}.get(number % 10, 'th') }"


def generate(seed: int, n_train: int, n_test: int) -> DateTask:
    """Draw a task: of all dates, a twentieth is kept for `dev` and another for the tests.

    `dev` and both tests have `n_test` pairs each. Forms take turns, so that each is asked equally
    often.
    """
    chance = random.Random(seed)
    days = [FIRST + timedelta(n) for n in range((LAST - FIRST).days + 1)]
    chance.shuffle(days)
    share = len(days) // 20
    watched, asked, learned = days[:share], days[share : 2 * share], days[2 * share :]

    def draw(n: int, pool: list[date], forms: tuple[Form, ...]) -> tuple[Written, ...]:
        chosen = [(chance.choice(pool), forms[i % len(forms)]) for i in range(n)]
        chance.shuffle(chosen)
        return tuple(Written(write(day, form), day.isoformat(), form) for day, form in chosen)

    return DateTask(
        train=draw(n_train, learned, FORMS),
        dev=draw(n_test, watched, FORMS),
        unseen_dates=draw(n_test, asked, FORMS),
        unseen_forms=draw(n_test, asked, HELD_OUT_FORMS),
    )
