"""Sentences and what stands between them are the text again; known hard cases are cut rightly."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from heedful.text.sentences import HARD, gap_after, split_sentences

tricky = st.lists(
    st.sampled_from(
        [*".!?…。！？\"'”」) (\n\t 3.aAäÖ漢", "\u2028", "\u3000", " z.B. ", "Dr. ", " a"]
    )
).map("".join)


@given(st.text() | tricky)
def test_nothing_is_lost(text: str) -> None:
    parts = split_sentences(text)
    assert "".join(sentence + gap for sentence, gap in parts) == text
    for number, (sentence, gap) in enumerate(parts):
        assert sentence == sentence.strip()
        assert not gap.strip()
        assert sentence or number == 0
        assert "\n" not in sentence


@given(tricky, tricky)
def test_after_a_line_break_all_begins_anew(first: str, second: str) -> None:
    both = [s for s, _ in split_sentences(first) + split_sentences(second) if s]
    assert [s for s, _ in split_sentences(f"{first}\n{second}") if s] == both


ONE_SENTENCE = [
    "Dr. Smith met Mrs. Jones.",
    "It costs 3.5 million, No. 7 says.",
    "Fig. 3 and Sec. 2 show it.",
    "J. S. Bach was born in Eisenach.",
    "The U.S. Army, e.g. Unit 5, i.e. Them.",
    "Das ist z.B. Wien, d. h. Österreich.",
    "Am 3. Oktober kam bzw. Ging er.",
    '"Really?" he asked.',
    "Wait... what is it?",
    "See www.example.com/?q=A.B for more.",
    "Version 2.13.0 is out",
    "St. Pauli gewinnt!",
    "他说你好",
    "a",
]
SEVERAL = [
    ["One.", "Two.", "Three"],
    ["Why?", "Because!", "Oh…", "Well."],
    ["He said: “No.”", "She left."],
    ["(It was.)", "„Ja!“", "«Oui.»", "¿Qué?"],
    ["It was in 1999.", "Then it ended."],
    ["We met the U.N. envoy etc.", "They left."],
    ["Tell me.", "I know no.", "Yes."],
    ["The price is $512.", "3 people paid."],
    ["What?!", "No..."],
    ["Это конец.", "Начало."],
    ["यह घर है।", "वह जाता है।"],
]


@pytest.mark.parametrize("text", ONE_SENTENCE)
def test_one_sentence_stays_whole(text: str) -> None:
    assert split_sentences(text) == [(text, "")]


@pytest.mark.parametrize("sentences", SEVERAL, ids=" | ".join)
@pytest.mark.parametrize("gap", [" ", "  ", "\n", "\r\n\r\n", "\u00a0"])
def test_several_sentences_are_cut_apart(sentences: list[str], gap: str) -> None:
    expected = [*((sentence, gap) for sentence in sentences[:-1]), (sentences[-1], "")]
    assert split_sentences(gap.join(sentences)) == expected


@pytest.mark.parametrize("mark", HARD)
def test_a_hard_mark_needs_no_space(mark: str) -> None:
    assert split_sentences(f"走{mark}」好{mark}吗") == [
        (f"走{mark}」", ""),
        (f"好{mark}", ""),
        ("吗", ""),
    ]


def test_white_space_at_the_ends_is_kept_apart() -> None:
    assert split_sentences("  One. Two \n") == [("", "  "), ("One.", " "), ("Two", " \n")]
    assert split_sentences(" \n") == [("", " \n")]
    assert split_sentences("") == []


@pytest.mark.parametrize(
    ("source", "gap", "translation", "after"),
    [
        ("你好。", "", "Hello.", " "),
        ("「你好。」", "", "“Hello.”", " "),
        ("天气很好，", "", "the weather is fine,", " "),
        ("今天", "", "today", " "),
        ("नमस्ते।", "", "Hello.", " "),
        ("你好。", "", "こんにちは。", ""),
        ("你好。", "", "สวัสดี", ""),
        ("你好。", "", "", ""),
        ("你好。", "\n", "Hello.", "\n"),
        ("Hello.", " ", "你好。", " "),
        ("a long word, cut her", "", "ein langes Wo", ""),
        ("”", "", "Hello.", ""),
    ],
)
def test_a_space_comes_where_the_translation_needs_one(
    source: str, gap: str, translation: str, after: str
) -> None:
    assert gap_after(source, gap, translation) == after
