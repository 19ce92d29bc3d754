"""A text in segments is the text again, and no segment is longer than the model can take."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from heedful.text.protect import places, spans
from heedful.text.segments import INSIDE, SPLIT, segment, split_inside

letters = st.sampled_from([*"abcABC.,;!?…\"'()-", " ", "\n", "\t", "\r", "\u00a0", "。", "猫", "é"])
texts = st.text(letters, max_size=80) | st.text(max_size=60)


@settings(max_examples=300, deadline=None)
@given(text=texts, split_above=st.integers(1, 40), longest=st.integers(1, 40))
def test_the_parts_joined_are_the_text(text: str, split_above: int, longest: int) -> None:
    found = segment(text, len, split_above=split_above, longest=longest)
    assert "".join(part + gap for part, gap in found.parts) == text
    for part, gap in found.parts:
        assert len(part) <= longest
        assert part == part.strip()
        assert "\n" not in part
        assert part or not gap.strip()
    lines = [line.strip() for line in text.split("\n")]
    whole = [line for line in lines if line]
    fits = all(len(line) <= min(split_above, longest) for line in whole)
    if fits:
        assert [part for part, _ in found.parts if part] == whole
        assert found.flags == ()
    assert (INSIDE in found.flags) <= any(len(line) > longest for line in whole)
    assert (SPLIT in found.flags) <= (not fits)


def test_a_long_sentence_is_cut_after_a_comma_near_its_middle() -> None:
    found = segment("When it rained, we stayed inside, all day.", len, split_above=9, longest=30)
    assert found.parts == (("When it rained,", " "), ("we stayed inside, all day.", ""))
    assert found.flags == (INSIDE,)


def test_where_there_is_no_space_it_is_cut_between_characters() -> None:
    assert split_inside("x" * 10, lambda part: len(part) <= 3) == [
        ("xx", ""), ("xxx", ""), ("xx", ""), ("xxx", "")
    ]  # fmt: skip
    accents = "e\u0301" * 8
    for part, _ in split_inside(accents, lambda part: len(part) <= 4):
        assert part[0] == "e", "an accent stays with its letter"


def test_several_lines_keep_their_breaks_and_blank_ones() -> None:
    found = segment("One.\n\n  Two. Three.\r\n", len, split_above=50, longest=50)
    assert found.parts == (("One.", "\n\n  "), ("Two. Three.", "\r\n"))
    assert found.flags == ()


@pytest.mark.parametrize("blank", ["", " ", "\t \u3000\n "])
def test_a_blank_text_has_nothing_to_translate(blank: str) -> None:
    assert segment(blank, len, split_above=1, longest=1).parts == (("", blank),)


def test_a_megabyte_takes_linear_work() -> None:
    measured = 0

    def fits(part: str) -> bool:
        nonlocal measured
        measured += len(part)
        return len(part) <= 500

    for text in ("word, " * 170_000, "x" * 1_000_000, "a" + " " * 1_000_000 + "b"):
        measured = 0
        parts = segment(text.strip(), lambda part: 501 - fits(part), split_above=1, longest=500)
        assert "".join(part + gap for part, gap in parts.parts) == text.strip()
        assert measured < 20 * 1_000_000


@pytest.mark.parametrize("longest", [99, 20, 12, 5])
def test_what_is_kept_is_cut_only_where_it_is_too_long_by_itself(longest: int) -> None:
    text = 'A dog sees <img alt="A. B, c"> here. The cat, <b>, and 1,234 mice sleep.'
    found = segment(text, len, split_above=9, longest=longest, kept=places)
    assert "".join(part + gap for part, gap in found.parts) == text
    assert all(len(part) <= longest for part, _ in found.parts)
    whole = [span.text for part, _ in found.parts for span in spans(part)]
    for span in spans(text):
        assert span.text in whole or len(span.text) > longest


@given(text=texts.map(lambda one: f"{one}<a b='c. d'>{one}%s"), longest=st.integers(1, 40))
def test_joined_they_are_the_text_whatever_is_kept(text: str, longest: int) -> None:
    found = segment(text, len, split_above=9, longest=longest, kept=places)
    assert "".join(part + gap for part, gap in found.parts) == text
    assert all(len(part) <= longest for part, _ in found.parts)
