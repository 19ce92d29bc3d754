"""Pieces that come one by one make the text that they make together, cut where it ends."""

from functools import cache
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest
from hypothesis import given
from hypothesis import strategies as st

from heedful.text.unfolding import Unfolding
from heedful.text.vocabulary import Vocabulary
from tests.interop.folders import vocabulary

END = 0


@cache
def known() -> Vocabulary:
    with TemporaryDirectory() as folder:
        path = Path(folder) / "tokenizer.json"
        vocabulary().save(str(path))
        return Vocabulary.load(path, 280)


WORDS = ["the cat", " sat", "猫", "Zoë", "😀", "\n\n", " a b c d e f g h i j k l", "on the mat"]
TEXT = st.lists(st.sampled_from(WORDS)).map("".join)
IDS = st.one_of(
    st.lists(st.integers(1, 279), max_size=40), TEXT.map(lambda text: known().encode(text))
)


@given(st.lists(st.integers(1, 279), min_size=1, max_size=12), IDS)
def test_the_parts_are_the_whole(prompt: list[int], ids: list[int]) -> None:
    """Behind whole characters: where a prompt ends within one, nobody can say what it becomes."""
    unfolding = Unfolding(known(), prompt)
    said = "".join(map(unfolding.add, ids)) + unfolding.rest()
    whole = known().continuation(prompt, ids)
    assert said == unfolding.text
    if "\ufffd" not in known().continuation([], prompt):
        assert said == whole
    assert unfolding.pieces == unfolding.kept == len(unfolding.starts) == len(ids)


@given(TEXT, st.lists(st.sampled_from(["the", "t sat", "\n\n", "猫Z", "mat", "h i"]), max_size=3))
def test_a_text_ends_before_the_first_stop_and_nothing_of_it_is_shown(
    text: str, stop: list[str]
) -> None:
    unfolding = Unfolding(known(), [40], (END,), stop)
    said = ""
    for piece in known().encode(text):
        said += unfolding.add(piece)
        assert text.startswith(said)
        if unfolding.ended:
            break
    said += unfolding.rest()
    places = [at for one in stop if (at := text.find(one)) >= 0]
    assert said == text[: min(places, default=len(text))]
    assert unfolding.ended == ("stop" if places else None)


def test_an_end_ends_it_and_is_no_piece_of_it() -> None:
    unfolding = Unfolding(known(), [40], (END,), ["the dog"])
    ids = known().encode("the")
    assert [unfolding.add(piece) for piece in ids] == ["" for _ in ids], "a dog may follow"
    assert unfolding.add(END) == "the"
    assert (unfolding.ended, unfolding.pieces) == ("end", len(ids))


@pytest.mark.parametrize(("stop", "kept"), [("b", 1), ("bc", 1), ("c", 2)])
def test_the_pieces_of_a_stop_have_no_part_in_the_text(stop: str, kept: int) -> None:
    unfolding = Unfolding(known(), [40], stop=[stop])
    for piece in known().encode("abcd"):
        if not unfolding.ended:
            unfolding.add(piece)
    assert unfolding.kept == kept


def test_half_a_character_is_kept_back() -> None:
    unfolding = Unfolding(known(), [40])
    *most, last = known().encode("猫")
    assert most
    assert [unfolding.add(piece) for piece in most] == ["" for _ in most]
    assert unfolding.add(last) == "猫"
