"""Phrases are found in a text however it is cut into pieces: against plain search in the text."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from heedful.errors import SettingError
from heedful.search import Automaton, Spelling

LETTERS = "ab -ä猫"
JOINED = ("ab", "aab", " a", "ba", "- ", "猫a", "a猫", " ä")
SPELLING = Spelling([b"", *(bytes([byte]) for byte in range(256)), *(x.encode() for x in JOINED)])

texts = st.text(alphabet=LETTERS, max_size=14)
phrases = st.text(alphabet=LETTERS, min_size=1, max_size=4).map(str.strip).filter(bool)


def is_letter(character: str) -> bool:
    """Return whether it is part of a word that spaces part from others."""
    return character in "abä"


def occurrences(text: str, phrase: str) -> int:
    """Count the places, from left to right, where the phrase stands as whole words."""
    found = at = 0
    while (at := text.find(phrase, at)) >= 0:
        end = at + len(phrase)
        begins = not is_letter(phrase[0]) or at == 0 or not is_letter(text[at - 1])
        ends = not is_letter(phrase[-1]) or end == len(text) or not is_letter(text[end])
        found += begins and ends
        at = end if begins and ends else at + 1
    return found


@settings(max_examples=50, deadline=None)
@given(text=texts, phrase=phrases, times=st.integers(1, 3), data=st.data())
def test_a_phrase_is_seen_where_it_stands(
    text: str, phrase: str, times: int, data: st.DataObject
) -> None:
    followed, rest, state = Automaton([phrase] * times, SPELLING), text.encode(), 0
    while rest:
        fit = [n for n, piece in enumerate(SPELLING.pieces) if piece and rest.startswith(piece)]
        piece = data.draw(st.sampled_from(fit))
        after = followed.advance(state, piece)
        assert followed.completing(state)[piece] == followed.ends_well(after)
        state, rest = after, rest[len(SPELLING.pieces[piece]) :]
    assert followed.ends_well(state) == (occurrences(text, phrase) >= times)


@settings(max_examples=50, deadline=None)
@given(text=texts, chain=st.lists(phrases, min_size=1, max_size=3))
def test_what_is_left_leads_to_the_end(text: str, chain: list[str]) -> None:
    """Following the first way takes no more pieces than were said to be left."""
    followed, state = Automaton(chain, SPELLING), 0
    for piece in SPELLING.spell(text.encode()):
        state = followed.advance(state, piece)
    while not followed.ends_well(state):
        before = followed.left(state)
        state = followed.advance(state, followed.ways(state)[0][0])
        assert followed.left(state) < before
    assert followed.left(state) == 0


@pytest.mark.parametrize(
    ("phrase", "text", "seen"),
    [
        ("Bank", "Die Bank.", True),
        ("Bank", "Bankkonto", False),
        ("Bank", "Datenbank", False),
        ("Maß", "das Maß", True),
        ("Maß", "Maßstab", False),
        ("%s", "100%s!", True),
        ("猫", "一只猫吃鱼", True),
        ("แมว", "เจ้าแมวดำ", True),
        ("naïve Kunst", "die naïve Kunst", True),
        ("дом", "домой", False),
    ],
)
def test_words_are_whole_where_spaces_part_them(phrase: str, text: str, seen: bool) -> None:
    followed, state = Automaton([phrase], SPELLING), 0
    for piece in SPELLING.spell(text.encode()):
        state = followed.advance(state, piece)
    assert followed.ends_well(state) == seen


def test_a_phrase_that_cannot_be_spelled_is_refused() -> None:
    with pytest.raises(SettingError, match='cannot spell "ab"'):
        Automaton(["ab"], Spelling([b"", b"a", b" "]))
