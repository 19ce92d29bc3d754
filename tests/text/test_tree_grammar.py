"""The pieces that may come next are those behind which a line can still become a sound tree."""

import random
from itertools import product

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from heedful.text.linear_trees import linearised, rebuilt
from heedful.text.tokenizer import BPE, Tokenizer
from heedful.text.tree_grammar import Symbols, TreeGrammar
from heedful.text.trees import DEEPEST, Tree
from tests.parsers import learnt
from tests.text.growing import trees

PAIRS = [(" ".join(tree.words), linearised(tree)) for tree in learnt()] * 2


@pytest.fixture(scope="module")
def tokenizer() -> Tokenizer:
    settings = BPE(vocabulary_size=400, exact=False, shared=False, words="spaces")
    return Tokenizer.train(lambda: iter(PAIRS), settings)


@pytest.fixture(scope="module")
def symbols(tokenizer: Tokenizer) -> Symbols:
    return Symbols.of(tokenizer)


def test_the_symbols_are_those_of_the_trees(tokenizer: Tokenizer, symbols: Symbols) -> None:
    """Pieces that a symbol is merged of may be among them: no tree has them."""
    pieces = tokenizer.target_pieces(range(tokenizer.target_size))
    opens = {pieces[number] for number in np.flatnonzero(symbols.opens)}
    tags = {pieces[number] for number in np.flatnonzero(symbols.tags)}
    written = {f"▁{symbol}" for _, line in PAIRS for symbol in line.split(" ")}
    known = {symbol for symbol in written if len(tokenizer.encode_target([symbol[1:]])[0]) == 2}
    assert {one for one in known if one.startswith("▁(")} <= opens
    assert {one for one in known if one[1] not in "()"} <= tags
    assert all(pieces[b] == pieces[a].replace("(", ")") for a, b in symbols.closed_by.items())
    assert not any(one.startswith(("▁(", "▁)")) or one == "▁" for one in tags)


def made(*pieces: str) -> tuple[Symbols, list[str]]:
    """Return the symbols of a vocabulary, `</s>` first."""
    names = ["</s>", *pieces]
    opens = np.array([name.startswith("(") for name in names])
    tags = np.array([name[0] not in "(<)" for name in names])
    closed = {n: names.index(")" + one[1:]) for n, one in enumerate(names) if one[0] == "("}
    return Symbols(0, tags, opens, closed), names


@pytest.mark.parametrize("words", [1, 2, 3])
@pytest.mark.parametrize("most", [4, 6])
def test_every_beginning_against_all_lines_there_are(words: int, most: int) -> None:
    """What no repair is made of is a tree: lines of two labels and a tag, each looked at."""
    symbols, names = made("(A", ")A", "(B", ")B", "t")
    sentence = ["w"] * words
    beginnings: dict[tuple[int, ...], set[int]] = {}
    for size in range(most):
        for line in product(range(1, len(names)), repeat=size):
            if not rebuilt(" ".join(names[piece] for piece in line), sentence)[1]:
                whole = (*line, 0)
                for at, piece in enumerate(whole):
                    beginnings.setdefault(whole[:at], set()).add(piece)
    grammar = TreeGrammar(symbols, words, most)
    assert beginnings
    for beginning, following in beginnings.items():
        assert set(np.flatnonzero(grammar.allowed(beginning)).tolist()) == following, beginning


@given(tree=trees)
def test_every_tree_may_be_written(tree: Tree) -> None:
    line = linearised(tree).split(" ")
    names = sorted({one for one in line if one[0] not in "()"})
    labels = {one[1:] for one in line if one[0] in "()"}
    symbols, names = made(*names, *(bracket + label for label in labels for bracket in "()"))
    grammar = TreeGrammar(symbols, len(tree.words), len(line) + 1)
    whole = [*(names.index(one) for one in line), 0]
    for at, piece in enumerate(whole):
        assert grammar.allowed(whole[:at])[piece]
        assert grammar.whole(whole[:at]) == (piece == 0)
    assert set(whole[:-1]) <= grammar.pieces
    assert len(grammar._now) + len(grammar._before) <= 2, "no more than a beam needs is kept"


@given(seed=st.integers(0, 1000), words=st.integers(1, 12), room=st.integers(0, 40))
def test_whatever_is_allowed_ends_as_a_tree(
    seed: int, words: int, room: int, tokenizer: Tokenizer, symbols: Symbols
) -> None:
    draw, tokens = random.Random(seed), list[int]()
    grammar = TreeGrammar(symbols, words, words + 1 + room)
    while tokens[-1:] != [tokenizer.end_id]:
        tokens.append(draw.choice(np.flatnonzero(grammar.allowed(tokens)).tolist()))
        assert len(tokens) <= grammar.most
    [line] = tokenizer.decode_target([tokens[:-1]])
    _, repairs = rebuilt(line, ["w"] * words)
    assert not repairs


def test_no_tree_becomes_too_deep(symbols: Symbols) -> None:
    grammar = TreeGrammar(symbols, 1, 1000)
    tokens = list[int]()
    while (grammar.allowed(tokens) & symbols.opens).any():
        tokens.append(int(symbols.opens.argmax()))
    assert len(tokens) == DEEPEST - 2
