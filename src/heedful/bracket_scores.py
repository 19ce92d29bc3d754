"""How right trees are: labelled bracketing precision, recall and F1, by the rules of EVALB.

Pairs of gold and found trees come in, figures go out; `heed parse --gold` and the benchmark ask.
The rules are those of EVALB (Sekine and Collins 1997) with COLLINS.prm, the ones that figures on
the Wall Street Journal are reported by: see `brackets`.
"""

__all__ = ["BracketScores", "LabelCounts", "brackets", "figures", "score_trees"]

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any

from heedful.text.trees import Tree

DELETED = frozenset(["TOP", "ROOT", "S1", "", "-NONE-", ",", ":", "``", "''", "."])
"""Labels that do not count: the root's (COLLINS.prm has TOP alone), and tags of punctuation, whose
words are taken out as well."""

_SAME = {"PRT": "ADVP"}
"""Labels that count as another."""

Bracket = tuple[str, int, int]
"""Label, first word, and the word after the last, counted without punctuation."""


@dataclass
class LabelCounts:
    """Brackets of one label."""

    gold: int = 0
    found: int = 0
    right: int = 0

    @property
    def precision(self) -> float:
        """Share of those found that are right, in per cent."""
        return _percent(self.right, self.found)

    @property
    def recall(self) -> float:
        """Share of those of gold that were found, in per cent."""
        return _percent(self.right, self.gold)

    @property
    def f1(self) -> float:
        """Harmonic mean of both."""
        return _percent(2 * self.right, self.gold + self.found)


@dataclass
class BracketScores(LabelCounts):
    """Sums over all sentences that could be compared."""

    sentences: int = 0
    punctuation_alone: int = 0
    """Sentences without any other word, which count for nothing."""
    skipped: list[int] = field(default_factory=list)
    """Sentences, from 1, whose words are not those of gold; nothing of them counts."""
    complete: int = 0
    """Sentences with every bracket right and none too many."""
    crossing: int = 0
    """Brackets that overlap one of gold without lying in it or around it."""
    uncrossed: int = 0
    """Sentences without such a bracket."""
    tags: int = 0
    """Words that are no punctuation."""
    right_tags: int = 0
    """Those of them whose tag is right."""
    labels: dict[str, LabelCounts] = field(default_factory=dict)

    @property
    def complete_match(self) -> float:
        """Share of sentences with every bracket right, in per cent."""
        return _percent(self.complete, self.sentences)

    @property
    def no_crossing(self) -> float:
        """Share of sentences without a crossing bracket, in per cent."""
        return _percent(self.uncrossed, self.sentences)

    @property
    def mean_crossing(self) -> float:
        """Crossing brackets a sentence."""
        return self.crossing / max(1, self.sentences)

    @property
    def tagging(self) -> float:
        """Share of words with the right tag, in per cent."""
        return _percent(self.right_tags, self.tags)


def score_trees(pairs: Iterable[tuple[Tree, Tree]]) -> BracketScores:
    """Return how right found trees are, of pairs of gold and found.

    >>> from heedful.text.trees import read_trees
    >>> lines = [(1, "(TOP (S (NP (PRP I)) (VP (VBP am))))"), (2, "(TOP (S (PRP I) (VBP am)))")]
    >>> (_, gold), (_, found) = read_trees(lines)
    >>> scores = score_trees([(gold, found)])
    >>> scores.precision, scores.recall.__round__(1), scores.f1
    (100.0, 33.3, 50.0)
    """
    scores = BracketScores()
    for number, (gold, found) in enumerate(pairs, start=1):
        if gold.words != found.words:
            scores.skipped.append(number)
            continue
        _add(scores, gold, found)
    return scores


def _add(scores: BracketScores, gold: Tree, found: Tree) -> None:
    """Add a sentence."""
    counted = [leaf.label not in DELETED for leaf in gold.leaves]
    if not any(counted):
        scores.punctuation_alone += 1
        return
    right, said = brackets(gold, counted), brackets(found, counted)
    hits = right & said
    for name, brackets_of in (("gold", right), ("found", said), ("right", hits)):
        for (label, _, _), count in brackets_of.items():
            of_label = scores.labels.setdefault(label, LabelCounts())
            setattr(of_label, name, getattr(of_label, name) + count)
        setattr(scores, name, getattr(scores, name) + brackets_of.total())
    spans = {(start, end) for _, start, end in right}
    crossing = sum(
        count
        for (_, start, end), count in said.items()
        if any(a < start < b < end or start < a < end < b for a, b in spans)
    )
    scores.sentences += 1
    scores.complete += right == said
    scores.crossing += crossing
    scores.uncrossed += not crossing
    tags = [
        one.label == other.label
        for one, other, counts in zip(gold.leaves, found.leaves, counted, strict=True)
        if counts
    ]
    scores.tags += len(tags)
    scores.right_tags += sum(tags)


def brackets(tree: Tree, counted: Sequence[bool]) -> Counter[Bracket]:
    """Return the brackets of a tree that count, each as often as it is there.

    The root does not count, nor does a tag. `counted` tells which words do: those that are not
    tagged as punctuation in gold are numbered as if the others were not there, and a phrase that
    holds nothing else does not count. PRT counts as ADVP.
    """
    numbers = [0]
    for counts in counted:
        numbers.append(numbers[-1] + counts)
    found: Counter[Bracket] = Counter()
    _collect(tree, 0, numbers, found)
    return found


def _collect(tree: Tree, begin: int, numbers: Sequence[int], found: Counter[Bracket]) -> int:
    """Add the brackets of a tree whose first word is this one; return the word after its last."""
    if tree.word is not None:
        return begin + 1
    end = begin
    for child in tree.children:
        end = _collect(child, end, numbers, found)
    if tree.label not in DELETED and numbers[begin] < numbers[end]:
        found[_SAME.get(tree.label, tree.label), numbers[begin], numbers[end]] += 1
    return end


def figures(scores: BracketScores) -> dict[str, Any]:
    """Return the figures as they are shown: shares in per cent, the commonest labels first."""
    shares = ("precision", "recall", "f1", "complete_match", "no_crossing", "mean_crossing")
    labels = sorted(scores.labels.items(), key=lambda item: (-item[1].gold, item[0]))
    return {
        "sentences": scores.sentences,
        "skipped": len(scores.skipped),
        "punctuation_alone": scores.punctuation_alone,
        **{name: round(getattr(scores, name), 2) for name in (*shares, "tagging")},
        "labels": {
            label: {
                "gold": of.gold,
                "found": of.found,
                **{name: round(getattr(of, name), 1) for name in ("precision", "recall", "f1")},
            }
            for label, of in labels
        },
    }


def _percent(part: int, whole: int) -> float:
    return 100 * part / whole if whole else 0.0
