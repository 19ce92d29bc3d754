"""Rows spelled with merges left out: the same text, the right distribution, the same again."""

import json
import random
from collections import Counter
from itertools import pairwise
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tokenizers import Tokenizer as Backend

from heedful.data.bpe_dropout import BPEDropout
from heedful.data.store import Rows
from heedful.errors import SettingError
from heedful.text.pieces import CONTROL, PAD
from heedful.text.subword_pieces import SubwordPieces
from heedful.text.tokenizer import BPE, Tokenizer

WORDS = ["the", "cat", "sees", "lower", "newest", "widest", "houses", "lowest", "new", "1984"]
WORDS += ["it's", "don't", "...", "Straße", "猫吃鱼"]


@pytest.fixture(scope="module")
def tokenizer() -> Tokenizer:
    draw = random.Random(1)
    lines = [" ".join(draw.choices(WORDS, k=8)) for _ in range(300)]
    config = BPE(vocabulary_size=340, exact=False)
    return Tokenizer.train(lambda: zip(lines, lines, strict=True), config, ["de"])


def spelled(
    dropout: BPEDropout, ids: list[int], row: int = 0, epoch: int = 0, side: int = 0
) -> list[int]:
    padded, lengths = np.array([ids], np.int64), np.array([len(ids)])
    found, [count] = dropout(padded, lengths, side, rows(row), epoch)
    assert (found[0, count:] == PAD).all()
    new: list[int] = found[0, :count].tolist()
    return new


def rows(*numbers: int) -> Rows:
    return np.array(numbers, np.int64)


@pytest.mark.parametrize("merges", [(), None])
def test_pieces_of_other_toolkits_are_refused(merges: Any) -> None:
    """A model of fairseq or NLLB has a BPE, too, and no merges of bytes."""
    foreign = SubwordPieces([*CONTROL, "a", "b"], merges)
    with pytest.raises(
        SettingError, match=r"--training\.bpe-dropout: .* of another toolkit; give 0"
    ):
        BPEDropout(Tokenizer(foreign, foreign), 0.1, seed=1, most=9)


texts = st.lists(st.sampled_from(WORDS) | st.text(max_size=5), max_size=12).map(" ".join)


@settings(max_examples=40)
@given(text=texts, chance=st.sampled_from([0.1, 0.5, 0.99]), row=st.integers(0, 9))
def test_the_text_stays(tokenizer: Tokenizer, text: str, chance: float, row: int) -> None:
    """Of a tag, and of `</s>`, nothing is changed."""
    [ids] = tokenizer.encode_source([text], "de")
    found = spelled(BPEDropout(tokenizer, chance, 1, 1000), ids, row)
    assert (found[0], found[-1]) == (ids[0], ids[-1])
    assert tokenizer.decode_target([found]) == [text]
    assert len(found) >= len(ids) or "  " in text


@given(st.lists(st.sampled_from(WORDS), max_size=12).map(" ".join))
def test_with_no_merge_left_out_it_is_the_usual_spelling(tokenizer: Tokenizer, text: str) -> None:
    [ids] = tokenizer.encode_source([text], "de")
    assert spelled(BPEDropout(tokenizer, 0.0, 1, 1000), ids) == ids


def in_plain_python(letters: list[str], ranks: dict[Any, int], chance: float, draw: Any) -> str:
    """Algorithm 1 of Provilkov et al. 2020."""
    word = list(letters)
    while True:
        pairs = [(ranks[p], at) for at, p in enumerate(pairwise(word)) if p in ranks]
        pairs = [pair for pair in pairs if draw.random() >= chance]
        if not pairs:
            return " ".join(word)
        _, at = min(pairs)
        word[at : at + 2] = ["".join(word[at : at + 2])]


@pytest.mark.parametrize("by", ["plain Python", "the library"])
def test_spellings_come_as_often_as_they_should(tokenizer: Tokenizer, by: str) -> None:
    """All of a word, in 20,000 drawings each."""
    chance, count = 0.3, 20_000
    source, _ = tokenizer.models()
    word = "Ġlowest"
    if by == "the library":
        whole = json.loads(tokenizer._source.to_str())
        whole["model"]["dropout"] = chance
        library = Backend.from_str(json.dumps(whole))
        wanted = Counter(
            " ".join(library.encode("lowest", add_special_tokens=False).tokens)
            for _ in range(count)
        )
    else:
        draw = random.Random(2)
        ranks = {(left, right): rank for rank, (left, right) in enumerate(source["merges"])}
        wanted = Counter(in_plain_python(list(word), ranks, chance, draw) for _ in range(count))
    [ids] = tokenizer.encode_source(["lowest"], "de")
    dropout = BPEDropout(tokenizer, chance, 1, 100)
    vocabulary, _ = tokenizer.vocabularies()
    found = Counter(
        " ".join(vocabulary[number] for number in spelled(dropout, ids, row)[1:-1])
        for row in range(count)
    )
    assert len(wanted) > 5
    for spelling in wanted | found:
        one, other = wanted[spelling] / count, found[spelling] / count
        assert abs(one - other) < 5 * (max(one, other) / count) ** 0.5 + 5 / count, spelling


def test_the_same_again_and_another_in_the_next_epoch(tokenizer: Tokenizer) -> None:
    ids = tokenizer.encode_source(["the lowest newest houses"] * 2, "de")[0]
    dropout = BPEDropout(tokenizer, 0.5, 1, 100)
    first = spelled(dropout, ids, row=3, epoch=1)
    assert spelled(BPEDropout(tokenizer, 0.5, 1, 100), ids, row=3, epoch=1) == first
    others = [
        spelled(dropout, ids, row=3, epoch=2),
        spelled(dropout, ids, row=4, epoch=1),
        spelled(BPEDropout(tokenizer, 0.5, 2, 100), ids, row=3, epoch=1),
        spelled(dropout, ids, row=3, epoch=1, side=1),
    ]
    assert all(other != first for other in others)


def test_rows_are_spelled_by_themselves(tokenizer: Tokenizer) -> None:
    """Whatever stands beside them in a batch, and wherever."""
    lines = ["the lowest newest houses", "猫吃鱼", "", "it's 1984 ..."]
    ids = tokenizer.encode_source(lines, "de")
    lengths = np.array([len(row) for row in ids])
    padded = np.full((4, lengths.max() + 3), PAD, np.int64)
    for place, of_row in enumerate(ids):
        padded[place, : len(of_row)] = of_row
    dropout = BPEDropout(tokenizer, 0.5, 1, 20)
    found, counts = dropout(padded, lengths, 0, rows(7, 3, 2**31 + 5, 0), 4)
    for place, row in enumerate((7, 3, 2**31 + 5, 0)):
        assert found[place, : counts[place]].tolist() == spelled(dropout, ids[place], row, 4)
        assert (found[place, counts[place] :] == PAD).all()


def test_what_would_be_too_long_stays(tokenizer: Tokenizer) -> None:
    [ids] = tokenizer.encode_source(["the lowest newest houses"], "de")
    assert spelled(BPEDropout(tokenizer, 0.99, 1, len(ids)), ids) == ids
    assert len(spelled(BPEDropout(tokenizer, 0.99, 1, 100), ids)) > len(ids)
