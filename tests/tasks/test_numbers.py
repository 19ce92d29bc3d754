"""Numbers in words, against a reader of words that was written apart from the writer."""

from decimal import Decimal

from hypothesis import given
from hypothesis import strategies as st

from heedful.tasks.numbers import plain, said, ways

SMALL = (
    "zero one two three four five six seven eight nine ten eleven twelve thirteen fourteen "
    "fifteen sixteen seventeen eighteen nineteen"
)
ONES = {word: number for number, word in enumerate(SMALL.split())}
TENS = {"twenty": 20, "thirty": 30, "forty": 40, "fifty": 50}
TENS |= {"sixty": 60, "seventy": 70, "eighty": 80, "ninety": 90}
SCALES = {"thousand": 10**3, "million": 10**6, "billion": 10**9}


def heard(text: str) -> int:
    """Return the number that English words say, read from left to right."""
    total = group = 0
    for word in text.replace("-", " ").split():
        if word == "hundred":
            group *= 100
        elif word in SCALES:
            total, group = total + group * SCALES[word], 0
        elif word != "and":
            group += ONES.get(word, TENS.get(word, 0))
    return total + group


@given(st.integers(0, 10**12 - 1))
def test_what_is_said_is_heard(number: int) -> None:
    assert heard(said(number)) == heard(said(number, us=True)) == number
    assert "and" not in said(number, us=True).split()


@given(st.integers(0, 10**9), st.sampled_from(["0", "0.5", "0.25", "0.75", "0.07", "0.4"]))
def test_every_way_is_of_the_number(whole: int, tail: str) -> None:
    number = whole + Decimal(tail)
    found = ways(number)
    assert Decimal(found["digits"]) == Decimal(found["grouped"].replace(",", "")) == number
    if "scaled" in found:
        many, scale = found["scaled"].split()
        assert Decimal(many) * SCALES[scale] == number
    if "point" in found:
        before, _, after = found["point"].partition(" point ")
        digits = "".join(str(ONES[word]) for word in after.split())
        assert Decimal(f"{heard(before)}.{digits}") == number


def test_the_normal_form_has_no_idle_sign() -> None:
    assert [plain(Decimal(text)) for text in ("-0", "1E+3", "0.50")] == ["0", "1000", "0.5"]
