"""A tree becomes a line of symbols that a model can write, and such a line a tree again.

Vinyals et al. 2015, "Grammar as a Foreign Language" (arXiv:1412.7449), section 2.1, whose way the
paper goes in section 6.3: `(NP` opens a phrase, `)NP` closes it. They write XX for every word; here
its tag stands, so that the tree has the tags that its reader expects, and the model something of
each word to go by when it counts them. `heedful.data.formats.trees` and `heedful.parser` call it.
"""

__all__ = ["REPAIRS", "UNTAGGED", "linearised", "rebuilt"]

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field

from heedful.text.trees import DEEPEST, ROOT, Tree

UNTAGGED = "XX"
"""Tag of a word that the symbols forgot."""

UNOPENED, UNCLOSED, EMPTY = "unopened", "unclosed", "empty"
MISSING, EXTRA, TOO_DEEP = "missing words", "extra words", "too deep"
NO_SYMBOL = "no symbol"
REPAIRS = {
    UNOPENED: "closed a phrase that was not open: left out",
    UNCLOSED: "left a phrase open: closed where the one around it ends",
    EMPTY: "had a phrase without words: left out",
    MISSING: f"had too few words: the rest put in the last phrase, as {UNTAGGED}",
    EXTRA: "had more words than the sentence: left out",
    NO_SYMBOL: f"had what is neither phrase nor tag: left out, or {UNTAGGED} for a tag",
    TOO_DEEP: f"had more than {DEEPEST} brackets within each other: left out",
}
"""What can be wrong with a line of symbols, and what is done."""


def linearised(tree: Tree) -> str:
    """Return the symbols of a cleaned tree, parted by spaces; the root is not written.

    >>> linearised(Tree("TOP", (Tree("NP", (Tree("DT", (), "the"), Tree("NN", (), "cat"))),)))
    '(NP DT NN )NP'
    """
    return " ".join(symbol for child in tree.children for symbol in _symbols(child))


def _symbols(tree: Tree) -> list[str]:
    if tree.word is not None:
        return [tree.label]
    inner = [symbol for child in tree.children for symbol in _symbols(child)]
    return [f"({tree.label}", *inner, f"){tree.label}"]


@dataclass
class _Phrase:
    """A phrase that is open."""

    label: str
    children: list[Tree] = field(default_factory=list)


class _Rebuilding:
    """The phrases that are open, and the words that have not come yet."""

    def __init__(self, words: Sequence[str]) -> None:
        self.words = words
        self.used = 0
        self.stack = [_Phrase(ROOT)]
        self.repairs: Counter[str] = Counter()

    def tag(self, symbol: str) -> None:
        """Give the next word its tag."""
        if self.used == len(self.words):
            self.repairs[EXTRA] += 1
            return
        leaf = Tree(symbol, (), self.words[self.used])
        self.stack[-1].children.append(leaf)
        self.used += 1

    def open(self, label: str) -> None:
        """Begin a phrase."""
        if len(self.stack) >= DEEPEST - 1:  # a word's own bracket lies within
            self.repairs[TOO_DEEP] += 1
        else:
            self.stack.append(_Phrase(label))

    def close(self, label: str) -> None:
        """End the innermost phrase of this label, and those within it."""
        if label not in [phrase.label for phrase in self.stack[1:]]:
            self.repairs[UNOPENED] += 1
            return
        while self.stack[-1].label != label:
            self.repairs[UNCLOSED] += 1
            self.end()
        self.end()

    def end(self) -> None:
        """End the innermost phrase."""
        done = self.stack.pop()
        if done.children:
            self.stack[-1].children.append(Tree(done.label, tuple(done.children)))
        else:
            self.repairs[EMPTY] += 1

    def finish(self) -> Tree:
        """Return the tree, with every word."""
        self.repairs[UNCLOSED] += len(self.stack) - 1
        missing = [Tree(UNTAGGED, (), word) for word in self.words[self.used :]]
        if missing:
            self.repairs[MISSING] += len(missing)
            if len(self.stack) > 1:
                self.stack[-1].children.extend(missing)
                missing = []
        while len(self.stack) > 1:
            self.end()
        return Tree(ROOT, _put_last(tuple(self.stack[0].children), tuple(missing)))


def _put_last(children: tuple[Tree, ...], more: tuple[Tree, ...]) -> tuple[Tree, ...]:
    """Put words at the end of the last phrase, a sentence where there is none."""
    if not more:
        return children
    if children and children[-1].word is None:
        last = children[-1]
        return (*children[:-1], Tree(last.label, (*last.children, *more)))
    return (*children, Tree("S", more))


def rebuilt(symbols: str, words: Sequence[str]) -> tuple[Tree, Counter[str]]:
    """Return the tree of the words that a line of symbols describes, and what was repaired.

    Every word is in the tree once, in order, whatever the symbols say. The repairs are counted by
    the names of `REPAIRS`; there are none of a line that `linearised` has written.

    >>> tree, repairs = rebuilt("(S (NP DT )NP (VP VBD )VP", ["It", "rained", "."])
    >>> tree.words, dict(repairs)
    (['It', 'rained', '.'], {'unclosed': 1, 'missing words': 1})
    """
    building = _Rebuilding(words)
    for symbol in symbols.split():
        bracket = symbol[0] if symbol[0] in "()" else ""
        label = symbol.removeprefix(bracket)
        if not label.isprintable() or not label or "(" in label or ")" in label:
            building.repairs[NO_SYMBOL] += 1
            label = UNTAGGED
            if bracket:
                continue
        if bracket == "(":
            building.open(label)
        elif bracket == ")":
            building.close(label)
        else:
            building.tag(label)
    tree = building.finish()
    return tree, +building.repairs
