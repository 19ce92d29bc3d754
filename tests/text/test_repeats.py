"""Loops are found wherever brute force finds them, and in no sentence that people wrote."""

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from heedful.text.repeats import _runs, loop, repeated_share
from heedful.text.scripts import words

few_letters = st.text("ab", max_size=24) | st.text("abc", max_size=30)


def most_times(text: str, least: int) -> float:
    """Try every start and period; return how often a phrase stands in a row, 0 below `least`."""
    best = 0.0
    for start in range(len(text)):
        for period in range(1, len(text)):
            end = start + period
            while end < len(text) and text[end] == text[end - period]:
                end += 1
            best = max(best, (end - start) / period)
    return best if best >= least else 0.0


@pytest.mark.parametrize("least", [2, 3, 4])
@given(text=few_letters)
def test_as_brute_force(text: str, least: int) -> None:
    runs = list(_runs(text, least))
    assert max((run.times for run in runs), default=0.0) == most_times(text, least)
    for run in runs:
        part = text[run.start : run.start + run.length]
        assert part[run.period :] == part[: -run.period]


@given(text=few_letters.map(" ".join), n=st.integers(1, 5))
def test_share_is_counted_rightly(text: str, n: int) -> None:
    found = text.split()
    grams = [tuple(found[start : start + n]) for start in range(len(found) - n + 1)]
    again = sum(gram in grams[:place] for place, gram in enumerate(grams))
    assert repeated_share(text, n) == pytest.approx(again / max(1, len(grams)))


@pytest.mark.parametrize(
    ("text", "phrase"),
    [
        ("the the the", "the"),
        ("The end, the end, the end.", "The end"),
        ("a b c d a b c d a b c d", "a b c d"),
        ("Er lacht: ha, ha, ha!", "ha"),
        ("我们我们我们", "我们"),
        ("好好好好", "好"),
        ("Wasserserserserser", "ser"),
        ("x " + "der Mann mit dem Hut und " * 3, "der Mann mit dem Hut und"),
        ("really-really-really-really-really", "really-"),
    ],
)
def test_loops(text: str, phrase: str) -> None:
    assert loop(text) == loop(text, "The end.") == phrase
    assert loop(text, text) is None
    assert loop(f"{phrase}, " * 12, text) is not None


CALM = [
    "no, no",
    "very very good",
    "hahaha",
    "哈哈哈",
    "1.000.000.000.000",
    "......................",
]
CALM += ["", "-" * 40, " " * 40, "great-great-great-grandmother", "The man and the dog and the cat"]


@pytest.mark.parametrize("text", CALM)
def test_no_loops(text: str) -> None:
    assert loop(text) is None


@given(st.text())
def test_words_are_parts_in_order(text: str) -> None:
    end = 0
    for word, start, stop in words(text):
        assert end <= start < stop
        assert text[start:stop] == word
        end = stop
    covered = {place for _, start, stop in words(text) for place in range(start, stop)}
    assert covered >= {place for place, letter in enumerate(text) if letter.isalnum()}


@pytest.mark.parametrize("unit", ["a", "ab ", "a b c ", "no ", "好", "12", "."])
def test_no_text_takes_long(unit: str) -> None:
    """With quadratic time a text of 40,000 characters would not be done in a minute."""
    text = (unit * 40_000)[:40_000]
    assert loop(text, text) is None


def test_no_false_alarm(data_folder: Path) -> None:
    """No sentence of the references is a loop, in either direction."""
    rows = (data_folder / "tatoeba_en_de" / "dev.tsv").read_text("utf-8").split("\n")
    pairs = [tuple(row.split("\t")[:2]) for row in rows if row]
    sides = [
        (data_folder / "multi30k" / f"val.{side}").read_text("utf-8").split("\n")
        for side in ("en", "de")
    ]
    pairs += zip(*sides, strict=True)
    assert len(pairs) > 2000
    for one, two in pairs:
        assert loop(one, two) is loop(two, one) is None
