"""Trees become symbols and trees again; whatever a model writes, every word has its place."""

from collections import Counter

import pytest
from hypothesis import given
from hypothesis import strategies as st

from heedful.text.linear_trees import REPAIRS, linearised, rebuilt
from heedful.text.trees import DEEPEST, Tree, bracketed, read_trees
from tests.text.growing import trees

SENTENCE = ["It", "rained", "."]
SYMBOLS = st.sampled_from(
    ["(S", ")S", "(NP", ")NP", "(VP", ")VP", "NN", "VBD", ".", "(", ")", "-", "(S(NP", "N)", "\0"]
)


@given(tree=trees)
def test_there_and_back(tree: Tree) -> None:
    symbols = linearised(tree)
    assert rebuilt(symbols, tree.words) == (tree, Counter())
    assert not {"(", ")"} & set(symbols.split())


@given(symbols=st.lists(SYMBOLS, max_size=30), words=st.integers(1, 6))
def test_every_word_stands_in_the_tree_once(symbols: list[str], words: int) -> None:
    """Its words are the sentence's, and what was repaired needs no repair any more."""
    sentence = [f"w{number}" for number in range(words)]
    tree, repairs = rebuilt(" ".join(symbols), sentence)
    assert tree.words == sentence
    assert set(repairs) <= set(REPAIRS)
    assert all(count > 0 for count in repairs.values())
    again, left = rebuilt(linearised(tree), sentence)
    assert (again, left) == (tree, Counter())
    assert [one for _, one in read_trees([(1, bracketed(tree))])] == [tree]
    assert bool(repairs) == (linearised(tree) != " ".join(symbols))


@pytest.mark.parametrize(
    ("symbols", "tree", "repairs"),
    [
        (
            "(S (NP PRP )NP (VP VBD )VP . )S",
            "(S (NP (PRP It)) (VP (VBD rained)) (. .))",
            {},
        ),
        (
            "(S (NP PRP )NP (VP VBD . )S",
            "(S (NP (PRP It)) (VP (VBD rained) (. .)))",
            {"unclosed": 1},
        ),
        ("(S PRP VBD .", "(S (PRP It) (VBD rained) (. .))", {"unclosed": 1}),
        ("(S PRP )NP VBD . )S", "(S (PRP It) (VBD rained) (. .))", {"unopened": 1}),
        ("(S (NP )NP PRP VBD . )S", "(S (PRP It) (VBD rained) (. .))", {"empty": 1}),
        ("(S PRP VBD . NN NN )S", "(S (PRP It) (VBD rained) (. .))", {"extra words": 2}),
        ("(S (NP PRP )NP )S", "(S (NP (PRP It)) (XX rained) (XX .))", {"missing words": 2}),
        (
            "(S (NP PRP )NP (VP VBD",
            "(S (NP (PRP It)) (VP (VBD rained) (XX .)))",
            {"unclosed": 2, "missing words": 1},
        ),
        ("(S ( PR) VBD\0 . ) )S", "(S (XX It) (XX rained) (. .))", {"no symbol": 4}),
        ("", "(S (XX It) (XX rained) (XX .))", {"missing words": 3}),
        ("PRP", "(PRP It) (S (XX rained) (XX .))", {"missing words": 2}),
    ],
)
def test_each_repair(symbols: str, tree: str, repairs: dict[str, int]) -> None:
    found, counted = rebuilt(symbols, SENTENCE)
    assert bracketed(found) == f"(TOP {tree})"
    assert counted == repairs


def test_too_deep_a_tree_is_made_shallow() -> None:
    deep = DEEPEST + 40
    tree, repairs = rebuilt(" ".join(["(NP"] * deep + ["NN"] + [")NP"] * deep), ["a"])
    assert tree.words == ["a"]
    assert repairs["too deep"] == deep - (DEEPEST - 2)  # the root and the word are brackets, too
    [(_, again)] = read_trees([(1, bracketed(tree))])
    assert again == tree
