"""Words by dictionary give the ids that the library's pipeline gives, for every text."""

import pickle
from collections.abc import Sequence

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tokenizers import Tokenizer as Backend

from heedful.text import words as words_module
from heedful.text.pieces import control_pieces
from heedful.text.train_tokenizer import BPE, Unigram, train_backend
from heedful.text.words import Words

LINES = [
    f"The {n} cats' tails don't weigh {n * n} grams; Käse für Größe, кот {n}!" for n in range(40)
]


@pytest.fixture(
    scope="module",
    params=[
        BPE(vocabulary_size=330, exact=False),
        Unigram(vocabulary_size=330, exact=False),
        BPE(vocabulary_size=330, exact=False, words="spaces"),
    ],
    ids=["bpe", "unigram", "bpe-at-spaces"],
)
def backend(request: pytest.FixtureRequest) -> Backend:
    return train_backend(LINES, request.param, control_pieces())


def by_library(backend: Backend, texts: Sequence[str]) -> list[list[int]]:
    coded = backend.encode_batch_fast(list(texts), add_special_tokens=False)
    return [one.ids for one in coded]


SPACES = " \t\n\x0b\x0c\r\x1c\x1f\x85\xa0\u1680\u2003\u2028\u3000"
odd = st.text(st.sampled_from("aZéжωß１٣²½_-.'’, 9" + SPACES + "\u0301\u200d猫👩"), max_size=20)
likely = st.text(st.characters(max_codepoint=0x5FF, exclude_categories=["Cs"]), max_size=20)
contracted = st.lists(
    st.sampled_from(["'s", "'t", "'re", "'ve", "'m", "'ll", "'d", "'", "don", " ", "X", "</s>"])
).map("".join)


@given(texts=st.lists(odd | likely | contracted | st.text(max_size=8), max_size=5))
def test_as_the_library(backend: Backend, texts: list[str]) -> None:
    assert Words(backend).encode(texts) == by_library(backend, texts)


def test_every_character_in_every_company(backend: Backend) -> None:
    """Each code of the fast way, among letters, digits, marks and spaces."""
    codes = [chr(code) for code in range(0x540)]
    texts = [text for c in codes for text in (c, f"a{c}a", f"1{c} 1", f" {c}{c}", f"{c} .{c}\t")]
    assert Words(backend).encode(texts) == by_library(backend, texts)


def test_real_sentences(backend: Backend) -> None:
    assert Words(backend).encode(LINES) == by_library(backend, LINES)


def test_a_full_dictionary_is_emptied(backend: Backend, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(words_module, "_KEPT", 3)
    words = Words(backend)
    assert words.encode(LINES) == by_library(backend, LINES)
    assert len(words._known) <= 3


def test_another_process_can_have_it(backend: Backend) -> None:
    words = Words(backend)
    words.encode(LINES)
    again = pickle.loads(pickle.dumps(words))
    assert not again._known
    assert again.encode(LINES) == words.encode(LINES)
