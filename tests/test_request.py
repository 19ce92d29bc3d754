"""Words that are asked for become wishes, or are refused in a sentence."""

from functools import cache

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from heedful.errors import SettingError
from heedful.request import Request, Wishes
from heedful.search import Wish
from heedful.text.tokenizer import BPE, Tokenizer

WORDS = ["der", "Hund", "Hunde", "Hündin", "Katze", "猫", "3,5", "mp3", "«nein»", "a-b", "…"]
texts = st.lists(st.sampled_from(WORDS), min_size=1, max_size=5).map(" ".join)


@cache
def tokenizer() -> Tokenizer:
    pairs = [("the dog and the cat", "der Hund und die Katze"), ("dogs", "Hunde")] * 4
    return Tokenizer.train(lambda: pairs, BPE(vocabulary_size=280))


@cache
def wishes() -> Wishes:
    return Wishes(tokenizer())


def pieces(text: str) -> list[int]:
    return tokenizer().encode_target([text])[0][:-1]


def test_nothing_asked_is_nothing_wished() -> None:
    assert wishes().of(Request("The dog")) == Wish()
    assert wishes().of(Request("The dog", prefix=" \t ", never=())).opening is None


@settings(max_examples=80)
@given(text=texts, must=st.sampled_from(WORDS), never=st.sampled_from(WORDS))
def test_a_wish_is_granted_where_whole_words_stand(text: str, must: str, never: str) -> None:
    """Between spaces these words are whole; signs and Chinese stand anywhere."""
    if must == never:
        return
    wish = wishes().of(Request("x", must=((must,),), never=(never,)))
    words = text.split(" ")
    assert wish.granted(pieces(text)) == (must in words and never not in words)
    assert wishes().of(Request("x", must=((must, never),))).granted(pieces(text)) == bool(
        {must, never} & set(words)
    )


@settings(max_examples=80)
@given(text=texts, cut=st.integers(0, 9), gaps=st.sampled_from([" ", "  ", "\t", " \n "]))
def test_an_opening_is_passed_by_what_begins_so(text: str, cut: int, gaps: str) -> None:
    """Its last word may be unfinished unless a space follows it."""
    begun = text[: len(text) - cut].rstrip() or text
    opening = wishes().opening(begun)
    assert opening.passed(pieces(text))
    assert not opening.passed(pieces(text)[: max(0, len(opening.fixed) - 1)])
    closed = wishes().opening(text + gaps)
    assert closed.closed
    assert closed.passed(pieces(text))
    allowed = closed.allowed(pieces(text))
    ending = tokenizer().end_id
    assert allowed is None or allowed[ending]


@settings(max_examples=80)
@given(prefix=texts, never=st.sampled_from(WORDS), form=st.sampled_from(WORDS))
def test_contradictions_are_refused(prefix: str, never: str, form: str) -> None:
    said = f'is asked for and holds "{never}", which must not appear'
    for asked in (
        Request("x", prefix=prefix, never=(never,)),
        Request("x", must=((prefix,),), never=("x-ray", never)),
    ):
        if never in prefix.split(" "):
            with pytest.raises(SettingError, match=said):
                wishes().of(asked)
        else:
            wishes().of(asked)
    either = Request("x", must=((never, form),), never=(never,))
    if form == never:
        with pytest.raises(SettingError, match=f'"{never} or {form}" {said}'):
            wishes().of(either)
    else:
        assert not wishes().of(either).granted(pieces(never))


@pytest.mark.parametrize(
    "request_",
    [
        Request("x", must=(("",),)),
        Request("x", must=(("Hund", " "),)),
        Request("x", never=("\t",)),
        Request("x", prefix="Der", never=("Hund", "")),
    ],
)
def test_empty_words_are_refused(request_: Request) -> None:
    with pytest.raises(SettingError, match="a word that must or must not appear is empty"):
        wishes().of(request_)


def test_automata_are_made_once_and_spaces_do_not_count() -> None:
    one = wishes().follow(["der  Hund"])
    assert wishes().follow([" der Hund "]) is one
    assert wishes().follow(["der", "Hund"]) is not one
