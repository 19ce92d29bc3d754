"""Words are found where they stand, and every piece's bytes are shared among them."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from heedful.text.spans import Span, piece_shares, spaced_words, words
from heedful.text.tokenizer import BPE, Tokenizer

texts = st.text(st.characters(exclude_categories=["Cs"]), max_size=20)


@pytest.fixture(scope="module")
def tokenizer() -> Tokenizer:
    pairs = [("The cat's mouse sleeps, too.", "Auch die Maus der Katze schläft."), ("猫", "猫")] * 5
    return Tokenizer.train(lambda: pairs, BPE(vocabulary_size=300))


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("Don't go, Tom!", ["Don't", "go", ",", "Tom", "!"]),
        ("  well-known  3.5 ", ["well-known", "3", ".", "5"]),
        ("我爱 you。", ["我", "爱", "you", "。"]),
        ("снег идёт…", ["снег", "идёт", "…"]),
        ("", []),
    ],
)
def test_words(text: str, expected: list[str]) -> None:
    assert [span.word for span in words(text)] == expected


@given(st.text())
def test_words_cover_all_but_space(text: str) -> None:
    spans = words(text)
    raw = text.encode("utf-8", "surrogatepass")
    for span in spans:
        assert raw[span.start : span.end].decode("utf-8", "surrogatepass") == span.word
    assert "".join(span.word for span in spans) == "".join(text.split())


@given(texts)
def test_spaced_words_are_those_of_split(text: str) -> None:
    spans = spaced_words(text)
    assert [span.word for span in spans] == text.split()
    assert all(text.encode()[start:end].decode() == word for word, start, end in spans)


def by_bytes(text: str, ends: list[int], spans: list[Span]) -> np.ndarray:
    """Return the shares, counted byte by byte; a byte of space belongs to the word behind it."""
    shares = np.zeros((len(ends), len(spans)))
    start = 0
    for row, end in enumerate(ends):
        for byte in range(start, end):
            # the text stands behind one space
            behind = [column for column, span in enumerate(spans) if byte < span.end + 1]
            if behind:
                shares[row, behind[0]] += 1
        start = end
    return shares / np.maximum(shares.sum(1, keepdims=True), 1)


@given(texts)
def test_shares_are_counted_in_bytes(tokenizer: Tokenizer, text: str) -> None:
    (ids,) = tokenizer.encode_target([text])
    raw = tokenizer.vocabularies()[1]
    # a stored piece has one letter for each byte
    ends = np.cumsum([len(raw[number]) for number in ids[:-1]]).tolist()
    for spans in (words(text), spaced_words(text)):
        found = piece_shares(tokenizer.target_pieces(ids), text, spans)
        np.testing.assert_allclose(found[:-1], by_bytes(text, ends, spans))
        assert not found[-1].any()


def test_nothing_need_stand_behind_the_pieces() -> None:
    assert piece_shares(["▁The", "▁cat"], "The cat", words("The cat"), 0, 0).tolist() == [
        [1.0, 0.0],
        [0.0, 1.0],
    ]


@pytest.mark.parametrize(
    ("pieces", "text"),
    [
        (["tran@@", "s@@", "lation", "works"], "translation works"),
        (["a@@", "b", "c"], "ab c"),
        (["<unk>", "tran@@", "s"], "猫 trans"),
    ],
)
def test_pieces_of_subword_nmt_belong_to_their_words(pieces: list[str], text: str) -> None:
    found = piece_shares([*pieces, "</s>"], text, words(text))
    word, expected = 0, []
    for piece in pieces:
        expected.append([float(number == word) for number in range(len(words(text)))])
        word += not piece.endswith("@@")
    assert found[:-1].tolist() == expected
