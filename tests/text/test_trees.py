"""Trees are read from any layout of brackets, cleaned by the usual rules, and written back."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from heedful.text.trees import DEEPEST, Tree, TreeError, bracketed, cleaned, read_trees
from tests.text.growing import trees

PENN = """
( (S
    (NP-SBJ-1 (DT The) (NN cat) )
    (VP (VBD was)
      (VP (VBN seen)
        (NP (-NONE- *-1) )
        (PP=2 (IN by) (NP-LGS (PRP us) ))))
    (. .) ))
( (FRAG (NP (NN Rain))) )
"""


def read(text: str) -> list[tuple[int, Tree | TreeError]]:
    return list(read_trees(enumerate(text.split("\n"), start=1)))


def one(text: str) -> Tree:
    [(_, tree)] = read(text)
    assert isinstance(tree, Tree), tree
    return tree


def clean(text: str) -> str | None:
    tree = cleaned(one(text))
    return None if tree is None else bracketed(tree)


def test_the_layout_of_the_penn_treebank() -> None:
    (first, tree), (second, _) = read(PENN)
    assert (first, second) == (2, 9)
    assert isinstance(tree, Tree)
    assert tree.words == ["The", "cat", "was", "seen", "*-1", "by", "us", "."]
    whole = cleaned(tree)
    assert whole is not None
    assert bracketed(whole) == (
        "(TOP (S (NP (DT The) (NN cat)) (VP (VBD was) (VP (VBN seen) "
        "(PP (IN by) (NP (PRP us))))) (. .)))"
    )


@pytest.mark.parametrize(
    ("raw", "expected"),
    [
        ("(S (NP (NN a)))", "(TOP (S (NP (NN a))))"),
        ("(ROOT (S (NN a)))", "(TOP (S (NN a)))"),
        ("( (S (NN a)) (NP (NN b)))", "(TOP (S (NN a)) (NP (NN b)))"),
        ("(TOP (ADVP|PRT (RB|RP up)))", "(TOP (ADVP (RB up)))"),
        ("(TOP (PRN (-LRB- -LRB-) (NN-x a) (: --)))", "(TOP (PRN (-LRB- -LRB-) (NN-x a) (: --)))"),
        ("(TOP (S (NP-SBJ (-NONE- *)) (SBAR (-NONE- 0) (S (-NONE- *T*)))))", None),
        ("(NN a)", "(TOP (NN a))"),
    ],
)
def test_cleaning(raw: str, expected: str | None) -> None:
    """Root, function, number, trace, what only held traces, and tags that look like functions."""
    assert clean(raw) == expected


@given(tree=trees, gaps=st.lists(st.sampled_from(["\n ", "  ", "\t", "\n\n   "]), min_size=1))
def test_what_is_written_is_read(tree: Tree, gaps: list[str]) -> None:
    """On one line, and however the lines are broken; a clean tree stays as it is."""
    text = bracketed(tree)
    broken = "".join(
        gaps[number % len(gaps)] if letter == " " else letter for number, letter in enumerate(text)
    )
    assert one(text) == one(broken) == cleaned(tree) == tree


@pytest.mark.parametrize(
    ("text", "line", "problem"),
    [
        ("(S (NN a)", 1, "not closed at the end of the file: 1 closing bracket too few"),
        ("(S (NN a)\n(S (NN b))", 1, "not closed before the next one, in line 2"),
        ("(S (NN a)))", 1, "closes nothing"),
        ("(S (NN a))\n (NN b))", 2, "closes nothing"),
        ("(S\n (NN a b))", 2, '"b" follows a word'),
        ("(S (NN a) b)", 1, '"b" follows a word or a phrase'),
        ("(S (NN a (NN b)))", 1, '"a" stands beside a phrase'),
        ("(S (NP))", 1, "(NP) holds neither word nor phrase"),
        ("()", 1, "() holds neither"),
        ("(S ((NN a)))", 1, "has no label"),
        ("\nword", 2, '"word" stands outside of all brackets'),
        ("(X " * (DEEPEST + 1), 1, f"more than {DEEPEST} brackets"),
    ],
)
def test_what_cannot_be_read(text: str, line: int, problem: str) -> None:
    found = [(number, one) for number, one in read(text) if isinstance(one, TreeError)]
    number, error = found[0]
    assert (number, error.line) == (line, line)
    assert problem in error.problem


def test_a_bad_tree_spoils_no_other() -> None:
    text = "(S (NN a))\n(S (NN b)\n(S (NN c) d)\n  (NN e))\n(S (NN f))"
    found = [one.words if isinstance(one, Tree) else number for number, one in read(text)]
    assert found == [["a"], 2, 3, ["f"]]


def test_brackets_of_words_are_written_as_words() -> None:
    text = bracketed(Tree("NP", (Tree("NN", (), "f(x)"),)))
    assert one(text).words == ["f-LRB-x-RRB-"]
