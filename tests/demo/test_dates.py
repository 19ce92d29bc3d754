"""The date task: every written form means the date it claims, read back by another program."""

import re
from collections import Counter
from datetime import date

import pytest
from hypothesis import given
from hypothesis import strategies as st

from heedful.demo.dates import FIRST, FORMS, HELD_OUT_FORMS, LAST, Form, generate, write

BEGINNINGS = """jan 1  ene 1  feb 2  fév 2  mar 3  mär 3  apr 4  avr 4  abr 4  may 5  mai 5  jun 6
    juin 6  jul 7  juil 7  aug 8  aoû 8  ago 8  sep 9  oct 10  okt 10  nov 11  dec 12  dez 12
    déc 12  dic 12"""
MONTH = {word: int(number) for word, number in re.findall(r"(\w+) (\d+)", BEGINNINGS)}
"""By the beginning of the word, in any language; longer beginnings win."""
CHINESE = {c: n for n, c in enumerate("一二三四五六七八九十", start=1)} | {"十一": 11, "十二": 12}
WEEKDAY = [
    "monday mon montag mo lundi lunes 星期一 (月) 월요일",
    "tuesday tue dienstag di mardi martes 星期二 (火) 화요일",
    "wednesday wed mittwoch mi mercredi miércoles 星期三 (水) 수요일",
    "thursday thu donnerstag do jeudi jueves 星期四 (木) 목요일",
    "friday fri freitag fr vendredi viernes 星期五 (金) 금요일",
    "saturday sat samstag sa samedi sábado 星期六 (土) 토요일",
    "sunday sun sonntag so dimanche domingo 星期日 (日) 일요일",
]


def take_weekday(text: str) -> tuple[int | None, str]:
    """Return the weekday that a text names and the text without it."""
    for number, names in enumerate(WEEKDAY):
        for name in names.split():
            ends = ("", "") if not name.isascii() else (r"\b", r"\b")
            found = re.search(ends[0] + re.escape(name) + ends[1], text)
            if found:
                return number, text[: found.start()] + " " + text[found.end() :]
    return None, text


def take_month(text: str) -> tuple[int | None, str]:
    """Return the month that a text names by a word and the text without it."""
    found = re.search("([一二三四五六七八九十]+)月", text)
    if found:
        return CHINESE[found[1]], text[: found.start()] + " " + text[found.end() :]
    for found in re.finditer(r"[^\W\d]+", text):
        for length in (4, 3):
            if (beginning := found[0][:length]) in MONTH:
                return MONTH[beginning], text[: found.start()] + " " + text[found.end() :]
    return None, text


def read(text: str) -> tuple[date, int | None]:
    """Read a date back by rules of its own: words name month and weekday, place tells the rest."""
    weekday, rest = take_weekday(text.lower())
    month, rest = take_month(rest)
    numbers = re.findall(r"\d+", rest)
    if len(numbers) == 1 and len(numbers[0]) == 8:
        numbers = [numbers[0][:4], numbers[0][4:6], numbers[0][6:]]
    year_first = len(numbers[0]) == 4 or "年" in rest or "년" in rest
    if not year_first:
        numbers.reverse()
    if month is None:
        month = int(numbers.pop(1))
    year, day = (int(number) for number in numbers)
    if year < 100:
        year += 1900 if year >= 69 else 2000
    return date(year, month, day), weekday


@pytest.mark.parametrize("form", FORMS + HELD_OUT_FORMS, ids=str)
@given(day=st.dates(FIRST, LAST))
def test_every_form_says_its_date(form: Form, day: date) -> None:
    understood, weekday = read(write(day, form))
    assert understood == day
    names_weekday = "{day}" in form.pattern or "{weekday}" in form.pattern
    assert weekday == (day.weekday() if names_weekday else None)


def test_forms_as_people_write_them() -> None:
    day = date(2024, 5, 22)
    written = {write(day, form) for form in FORMS + HELD_OUT_FORMS}
    assert {
        "22 May 2024",
        "May 22nd, 2024",
        "Wed 22 May 24",
        "22. Mai 2024",
        "22.05.2024",
        "Mi, 22.05.24",
        "mercredi 22 mai 2024",
        "22 de mayo de 2024",
        "2024年5月22日",
        "2024年5月22日(水)",
        "2024년 5월 22일",
        "20240522",
    } <= written
    assert {"22nd May 2024", "星期三，2024年五月22日"} <= written


def test_no_two_forms_are_one() -> None:
    day = date(1998, 11, 23)
    texts = [(form.language, write(day, form)) for form in FORMS + HELD_OUT_FORMS]
    assert len(set(texts)) == len(texts)


def test_tests_hold_nothing_of_the_training() -> None:
    task = generate(3, n_train=4000, n_test=400)
    assert [len(x) for x in (task.train, task.dev, task.unseen_dates)] == [4000, 400, 400]
    assert len(task.unseen_forms) == 400
    trained, watched = ({pair.iso for pair in pairs} for pairs in (task.train, task.dev))
    asked = {pair.iso for pair in task.unseen_dates + task.unseen_forms}
    assert trained.isdisjoint(watched | asked)
    assert watched.isdisjoint(asked)
    assert {pair.form for pair in task.train} == set(FORMS)
    assert {pair.form for pair in task.unseen_dates} == set(FORMS)
    assert {pair.form for pair in task.unseen_forms} == set(HELD_OUT_FORMS)
    assert set(FORMS).isdisjoint(HELD_OUT_FORMS)
    often = Counter(pair.form for pair in task.unseen_forms).values()
    assert max(often) - min(often) <= 1


def test_no_text_of_unseen_forms_is_trained_on() -> None:
    task = generate(4, n_train=4000, n_test=400)
    assert {p.text for p in task.train}.isdisjoint(p.text for p in task.unseen_forms)


def test_every_held_out_form_is_made_of_known_fields() -> None:
    def fields(forms: tuple[Form, ...], language: str) -> set[str]:
        return {
            field
            for form in forms
            if form.language == language
            for field in re.findall(r"{(\w+)}", form.pattern)
        }

    for form in HELD_OUT_FORMS:
        assert fields((form,), form.language) <= fields(FORMS, form.language)


def test_a_seed_is_a_task() -> None:
    assert generate(1, 50, 9) == generate(1, 50, 9)
    assert generate(1, 50, 9) != generate(2, 50, 9)
