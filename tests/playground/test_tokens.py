"""Pieces of a text with their places, bytes and words."""

from typing import Any

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from heedful.inspect.sides import source_side
from heedful.playground.tokens import tokens
from heedful.text.spans import piece_edges
from tests.playground.playing import CAT, bundled


def cut(text: str) -> dict[str, Any]:
    return tokens(bundled(), text, "de")


def test_pieces_of_a_sentence() -> None:
    found = cut(f" {CAT}\n")
    assert (found["text"], found["normalised"], found["to"]) == (f" {CAT}\n", CAT, "de")
    side = source_side(bundled().tokenizer, CAT, "de")
    pieces = found["pieces"]
    assert [one["s"] for one in pieces] == list(side.tokens)
    assert [one["id"] for one in pieces] == list(side.ids)
    assert found["words"] == side.words
    assert [one["special"] for one in pieces] == [True, *[False] * (len(pieces) - 2), True]
    for one in pieces[1:-1]:
        assert one["s"].lstrip("▁") == CAT[one["start"] : one["end"]].strip()
        assert one["bytes"] is None
        assert not one["unknown"]
    assert (pieces[0]["start"], pieces[0]["end"]) == (0, 0)
    assert (pieces[-1]["start"], pieces[-1]["end"]) == (len(CAT), len(CAT))
    cat = pieces[2]
    assert (cat["s"], cat["word"], cat["shares"]) == ("▁cat", 1, [[1, 1.0]])


def test_bytes_of_a_character() -> None:
    found = cut("a ꙮ!")
    lone = [one for one in found["pieces"] if one["bytes"]]
    assert bytes.fromhex(" ".join(one["bytes"] for one in lone)).decode().strip() == "ꙮ"
    for one in lone:
        assert one["end"] == 3
        assert one["start"] in (1, 2)
        assert one["word"] == 1


def test_nothing() -> None:
    found = cut("  ")
    assert found["normalised"] == ""
    assert found["words"] == []
    assert [one["special"] for one in found["pieces"]] == [True, True]


@settings(max_examples=200, deadline=None)
@given(st.text(max_size=30))
@example("👩‍👩‍👧 ꙮ")
@example("<script>alert(1)</script>")
@example("\u202eabc\u202c")
@example("<0xE7><0x8C>▁")
@example("</s> <s> >>de<<")
@example("a\u0000b\u2028c")
@example("\r\n\t\x85\xa0")
def test_places_cover_the_text(text: str) -> None:
    """Each piece begins where the one before ends, or in the character that it shares with it."""
    found = cut(text)
    read, pieces = found["normalised"], found["pieces"][1:-1]
    assert read == text.strip()
    place = 0
    for one in pieces:
        assert 0 <= one["start"] <= one["end"] <= len(read)
        assert place - 1 <= one["start"] <= place
        place = one["end"]
    assert place == (len(read) if pieces else 0)


def test_edges() -> None:
    assert piece_edges([], "") == [0]
    assert piece_edges(["▁a", "<0xE7><0x8C>", "<0xAB>"], "a猫") == [0, 2, 4, 5]


def test_a_model_of_one_direction() -> None:
    from tests.inspect.test_importance import pair

    found = tokens(pair("the paper's").translator, "the cat", None)
    assert [one["special"] for one in found["pieces"]][-1] is True
    assert found["pieces"][0]["special"] is False


def test_a_long_text_is_cut_at_once() -> None:
    found = cut("the cat " * 600)
    assert len(found["words"]) == 1200


@pytest.mark.parametrize("text", ["<unk>", "<pad>"])
def test_names_of_controls_are_text(text: str) -> None:
    assert not any(one["special"] for one in cut(text)["pieces"][1:-1])
