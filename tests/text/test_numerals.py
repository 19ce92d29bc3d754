"""Numbers are rewritten as Python's own formatting and other libraries would write them."""

import datetime

from hypothesis import given
from hypothesis import strategies as st

from heedful.text.numerals import forms, numbers

MARKS = {"en": (",", "."), "de": (".", ","), "fr": ("\u202f", ","), "": (".", ",")}


@given(st.integers(0, 10**12), st.integers(0, 5), st.sampled_from(sorted(MARKS)))
def test_the_same_number_in_every_language(whole: int, decimals: int, language: str) -> None:
    """As Python writes it, with the marks of the language."""
    english = f"{whole / 10**decimals:,.{decimals}f}"
    comma, point = MARKS[language]
    swapped = english.translate({ord(","): comma, ord("."): point})
    plain = english.replace(",", "")
    assert swapped in forms(english, language)
    assert swapped in forms(plain, language)
    assert english in forms(swapped, "en")


@given(st.dates(min_value=datetime.date(1000, 1, 1)))
def test_dates(day: datetime.date) -> None:
    written = [day.isoformat(), f"{day:%d.%m.%Y}", f"{day.day}.{day.month}.{day.year}"]
    written += [f"{day:%m/%d/%Y}", f"{day:%d/%m/%Y}"]
    for one in written:
        assert set(written) <= set(forms(one))


@given(st.times())
def test_times(time: datetime.time) -> None:
    found = forms(f"{time:%H:%M}", "de")
    assert f"{time:%H.%M}" in found
    assert f"{time.hour}:{time:%M}" in found
    assert f"{time:%I:%M}".lstrip("0") in found or time.hour == 0


@given(st.text())
def test_the_own_spelling_comes_first(text: str) -> None:
    for number in numbers(text):
        assert forms(number)[0] == number
        assert len(set(forms(number))) == len(forms(number))


def test_other_digits_count_as_ascii_ones() -> None:
    assert numbers("٣٫٥ ３０ १२") == ["3.5", "30", "12"]
    assert "3,5" in forms("٣٫٥", "de")


def test_what_has_one_spelling() -> None:
    for number in ("1.2.3", "3:1", "1,2,3,4", "7", "1" * 40 + ",5"):
        assert forms(number, "de") == (number,)
