"""Every rule of EVALB that is applied, on trees small enough to be counted by hand.

The rules were read off EVALB's own source (evalb.c, COLLINS.prm), whose names for them stand in the
tests: zero elements, deleted labels and terminals, equal labels, crossing, complete match, tagging.
"""

import pytest
from hypothesis import given

from heedful.bracket_scores import BracketScores, figures, score_trees
from heedful.text.trees import Tree, read_trees
from tests.text.growing import trees


def tree(text: str) -> Tree:
    [(_, found)] = read_trees([(1, text)])
    assert isinstance(found, Tree), found
    return found


def score(gold: str, found: str) -> BracketScores:
    return score_trees([(tree(gold), tree(found))])


def counts(scores: BracketScores) -> tuple[int, int, int]:
    return scores.gold, scores.found, scores.right


GOLD = "(TOP (S (NP (DT a) (NN b)) (VP (VBD c) (NP (NN d))) (. .)))"


@pytest.mark.parametrize(
    ("found", "expected"),
    [
        (GOLD, (4, 4, 4)),
        # flat: S alone is right
        ("(TOP (S (DT a) (NN b) (VBD c) (NN d) (. .)))", (4, 1, 1)),
        # another label over the same words
        ("(TOP (S (PP (DT a) (NN b)) (VP (VBD c) (NP (NN d))) (. .)))", (4, 4, 3)),
        # the same label over other words
        ("(TOP (S (NP (DT a)) (NN b) (VP (VBD c) (NP (NN d))) (. .)))", (4, 4, 3)),
        # one too many
        ("(TOP (S (NP (DT a) (NN b)) (VP (VP (VBD c)) (NP (NN d))) (. .)))", (4, 5, 4)),
    ],
)
def test_labelled_brackets(found: str, expected: tuple[int, int, int]) -> None:
    assert counts(score(GOLD, found)) == expected


def test_the_three_figures() -> None:
    """2 of 4 found, and 2 of 3 of those found are right: F1 = 2 * 2 / (4 + 3)."""
    scores = score(GOLD, "(TOP (S (NP (DT a) (NN b) (VBD c)) (NP (NN d)) (. .)))")
    assert counts(scores) == (4, 3, 2)
    assert scores.recall == 50
    assert scores.precision == pytest.approx(66.667, abs=1e-3)
    assert scores.f1 == pytest.approx(400 / 7)


@pytest.mark.parametrize("root", ["TOP", "ROOT", "S1"])
def test_the_root_does_not_count(root: str) -> None:
    assert counts(score(f"({root} (NP (NN a)))", "(TOP (NP (NN a)))")) == (1, 1, 1)


def test_tags_are_no_brackets() -> None:
    assert counts(score("(TOP (NP (NN a)))", "(TOP (NP (VB a)))")) == (1, 1, 1)


@pytest.mark.parametrize("mark", [", ,", ": --", "`` ``", "'' ''", ". ?"])
def test_punctuation_is_taken_out(mark: str) -> None:
    """Within a phrase, beside it or around it: the same bracket."""
    within = f"(TOP (S (NP (NN a) ({mark})) (VP (VB b))))"
    beside = f"(TOP (S (NP (NN a)) ({mark}) (VP (VB b))))"
    assert counts(score(within, beside)) == (3, 3, 3)


@pytest.mark.parametrize("mark", ["-LRB- -LRB-", "$ $", "# #", "HYPH -", "SYM *"])
def test_other_signs_are_words(mark: str) -> None:
    within = f"(TOP (S (NP (NN a) ({mark})) (VP (VB b))))"
    beside = f"(TOP (S (NP (NN a)) ({mark}) (VP (VB b))))"
    assert counts(score(within, beside)) == (3, 3, 2)


def test_a_phrase_of_punctuation_is_a_zero_element() -> None:
    gold, found = "(TOP (S (NN a) (PRN (, ,) (: --))))", "(TOP (S (NN a) (, ,) (: --)))"
    assert counts(score(gold, found)) == (1, 1, 1)


def test_what_counts_as_punctuation_gold_says() -> None:
    """A full stop that is found to be a noun is still none; so is a noun found to be a stop."""
    gold, found = "(TOP (S (NP (NN a)) (. .)))", "(TOP (S (NP (NN a) (NN .))))"
    assert counts(score(gold, found)) == (2, 2, 2)
    assert counts(score(found, gold)) == (2, 2, 1)
    assert counts(score(found, "(TOP (S (NP (NN a) (. .))))")) == (2, 2, 2)


def test_prt_is_advp() -> None:
    prt, advp = "(TOP (VP (VB a) (PRT (RP b))))", "(TOP (VP (VB a) (ADVP (RP b))))"
    assert counts(score(prt, advp)) == counts(score(advp, prt)) == (2, 2, 2)
    assert "PRT" not in score(prt, prt).labels


def test_a_bracket_counts_as_often_as_it_is_there() -> None:
    twice, once = "(TOP (NP (NP (NN a) (NN b))))", "(TOP (NP (NN a) (NN b)))"
    assert counts(score(twice, once)) == (2, 1, 1)
    assert counts(score(once, twice)) == (1, 2, 1)


def test_unary_phrases_may_stand_in_any_order() -> None:
    """EVALB compares sets of spans: S over VP and VP over S are the same two brackets."""
    assert counts(score("(TOP (S (VP (VB a))))", "(TOP (VP (S (VB a))))")) == (2, 2, 2)


@pytest.mark.parametrize(
    ("found", "crossing"),
    [
        ("(TOP (S (X (NN a) (NN b)) (X (NN c) (NN d))))", 0),
        ("(TOP (S (NN a) (X (NN b) (NN c)) (NN d)))", 1),
        ("(TOP (S (NN a) (X (NN b) (X (NN c) (NN d)))))", 1),
        ("(TOP (S (NN a) (X (X (NN b) (NN c)) (NN d))))", 2),
    ],
)
def test_crossing_brackets_are_those_found(found: str, crossing: int) -> None:
    gold = "(TOP (S (NP (NN a) (NN b)) (VP (NN c) (NN d))))"
    scores = score(gold, found)
    assert scores.crossing == crossing
    assert scores.no_crossing == (0 if crossing else 100)


def test_complete_match_is_of_all_brackets_and_no_more() -> None:
    """Wrong tags do not spoil it, a bracket too many does."""
    pairs = [
        (GOLD, GOLD.replace("NN d", "VB d")),
        (GOLD, GOLD.replace("(DT a)", "(NP (DT a))")),
        (GOLD, "(TOP (S (DT a) (NN b) (VBD c) (NN d) (. .)))"),
    ]
    scores = score_trees([(tree(gold), tree(found)) for gold, found in pairs])
    assert (scores.complete, scores.sentences) == (1, 3)
    assert scores.complete_match == pytest.approx(100 / 3)


def test_tagging_is_of_words_without_punctuation() -> None:
    scores = score(GOLD, GOLD.replace("NN d", "VB d").replace("(. .)", "(: .)"))
    assert (scores.right_tags, scores.tags) == (3, 4)
    assert scores.tagging == 75


@pytest.mark.parametrize("found", ["(TOP (S (DT a) (NN b)))", GOLD.replace("NN d", "NN e")])
def test_other_words_are_left_out_and_counted(found: str) -> None:
    """Too few words, or another one: nothing of the sentence counts."""
    scores = score_trees([(tree(GOLD), tree(GOLD)), (tree(GOLD), tree(found))])
    assert scores.skipped == [2]
    assert (scores.sentences, counts(scores)) == (1, (4, 4, 4))


def test_sums_are_over_all_brackets_and_labels_apart() -> None:
    """Not the mean of the sentences' figures: 4 + 1 of gold, 4 + 1 found, 4 + 0 right."""
    pairs = [(GOLD, GOLD), ("(TOP (FRAG (NN a)))", "(TOP (NP (NN a)))")]
    shown = figures(score_trees([(tree(gold), tree(found)) for gold, found in pairs]))
    assert (shown["precision"], shown["recall"], shown["f1"]) == (80, 80, 80)
    assert shown["labels"]["NP"] == {
        "gold": 2,
        "found": 3,
        "precision": 66.7,
        "recall": 100.0,
        "f1": 80.0,
    }
    assert shown["labels"]["FRAG"]["recall"] == 0
    assert [*shown["labels"]] == ["NP", "FRAG", "S", "VP"]


def test_nothing_to_score() -> None:
    shown = figures(score_trees([]))
    assert (shown["sentences"], shown["f1"]) == (0, 0)


@given(gold=trees)
def test_a_tree_is_all_right_against_itself(gold: Tree) -> None:
    scores = score_trees([(gold, gold)])
    assert scores.gold == scores.found == scores.right
    assert scores.complete + scores.punctuation_alone == 1
    assert scores.crossing == 0
    assert scores.right_tags == scores.tags


def test_punctuation_alone_counts_for_nothing() -> None:
    scores = score("(TOP (. ?) (. !))", "(TOP (X (. ?)) (. !))")
    assert (scores.sentences, scores.complete, scores.punctuation_alone) == (0, 0, 1)
    assert counts(scores) == (0, 0, 0)


@pytest.mark.slow
def test_as_pyevalb_scores() -> None:
    """PYEVALB is a port of EVALB; trees without what it does not delete by itself."""
    read = pytest.importorskip("PYEVALB.parser").create_from_bracket_string
    scorer = pytest.importorskip("PYEVALB.scorer").Scorer()
    gold = "(S (NP (DT a) (NN b)) (VP (VBD c) (NP (NN d))))"
    for found in (
        "(S (NP (DT a) (NN b) (VBD c)) (NP (NN d)))",
        "(S (DT a) (NN b) (VP (VB c) (NP (NN d))))",
        "(S (DT a) (VP (NN b) (VP (VBD c) (NP (NN d)))))",
        "(S (DT a) (X (NN b) (VBD c)) (NN d))",
    ):
        theirs, ours = scorer.score_trees(read(gold), read(found)), score(gold, found)
        assert (theirs.gold_brackets, theirs.test_brackets, theirs.matched_brackets) == counts(ours)
        assert (theirs.cross_brackets, theirs.correct_tags) == (ours.crossing, ours.right_tags)
