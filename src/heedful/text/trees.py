"""Trees of phrases in brackets, as the Penn treebank has them, are read, cleaned and written.

Lines come in, trees go out, and back; `heedful.data.formats.trees` reads corpora of them,
`heedful.parser` writes what it finds. `heedful.text.linear_trees` makes them what a model learns.
"""

__all__ = [
    "DEEPEST",
    "ROOT",
    "Tree",
    "TreeError",
    "bracketed",
    "cleaned",
    "read_trees",
    "spaced_words",
]

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from functools import cached_property

ROOT = "TOP"
"""Label of the root of every cleaned tree."""

DEEPEST = 200
"""Brackets within each other; a deeper tree is refused (the deepest of real treebanks have 40)."""

_ROOTS = frozenset(["", "TOP", "ROOT", "S1"])
_TRACE = "-NONE-"
_TOKEN = re.compile(r"[()]|[^ \t\r\n()]+")


@dataclass(frozen=True)
class Tree:
    """A phrase of smaller ones, or a tag with its word."""

    label: str
    children: tuple["Tree", ...] = ()
    word: str | None = None

    @cached_property
    def leaves(self) -> tuple["Tree", ...]:
        """The tags with their words, from left to right."""
        if self.word is not None:
            return (self,)
        return tuple(leaf for child in self.children for leaf in child.leaves)

    @property
    def words(self) -> list[str]:
        """The words, from left to right."""
        return [leaf.word or "" for leaf in self.leaves]


class TreeError(Exception):
    """Raised about a tree that cannot be read; whoever knows the file adds the place."""

    def __init__(self, problem: str, line: int, fix: str = "") -> None:
        self.problem = problem
        self.line = line
        self.fix = fix
        super().__init__(problem)


@dataclass
class _Open:
    """A bracket that is not closed yet."""

    label: str | None = None
    children: list[Tree] = field(default_factory=list)
    word: str | None = None


def read_trees(
    lines: Iterable[tuple[int, str | TreeError]],
) -> Iterator[tuple[int, Tree | TreeError]]:
    """Yield each tree with the line (from 1) that it begins in, or what is wrong with it.

    A tree may run over several lines; one that begins in the first column begins a new tree, so
    that a tree that is not closed spoils no other. A line that is no text spoils the tree that it
    stands in.

    >>> [(line, tree)] = read_trees([(1, "( (NP (DT the)"), (2, "      (NN cat)) )")])
    >>> line, tree.words
    (1, ['the', 'cat'])
    """
    reading = _Reading()
    for number, text in lines:
        if isinstance(text, TreeError):
            yield text.line, text
            reading.reset(lost=True)
            continue
        if text.startswith("("):
            if reading.stack:
                yield reading.begun, reading.unclosed(f"before the next one, in line {number}")
            reading.reset()
        try:
            ended = list(reading.feed(number, text))
        except TreeError as error:
            yield error.line, error
            reading.reset(lost=True)
        else:
            yield from ended
    if reading.stack:
        yield reading.begun, reading.unclosed("at the end of the file")


class _Reading:
    """The brackets that are open."""

    def __init__(self) -> None:
        self.stack: list[_Open] = []
        self.begun = 0
        self.lost = False

    def reset(self, *, lost: bool = False) -> None:
        """Forget the tree in hand; when `lost`, everything until a tree begins anew, too."""
        self.stack.clear()
        self.lost = lost

    def unclosed(self, where: str) -> TreeError:
        missing = len(self.stack)
        problem = f"the tree is not closed {where}: {missing} closing bracket{'s' * (missing > 1)}"
        return TreeError(f"{problem} too few", self.begun, "close it")

    def feed(self, number: int, text: str) -> Iterator[tuple[int, Tree]]:
        """Yield the trees that a line ends, and where they begin; raises TreeError."""
        if self.lost:
            return
        for token in _TOKEN.findall(text):
            if token == "(":
                self._open(number)
            elif token == ")":
                tree = self._close(number)
                if tree is not None:
                    yield self.begun, tree
            else:
                self._write(token, number)

    def _open(self, number: int) -> None:
        if not self.stack:
            self.begun = number
        elif self.stack[-1].word is not None:
            problem = f'the word "{self.stack[-1].word}" stands beside a phrase'
            raise TreeError(problem, number, "give it a tag of its own: (NN word)")
        elif len(self.stack) >= DEEPEST:
            raise TreeError(f"more than {DEEPEST} brackets within each other", number)
        if self.stack and self.stack[-1].label is None:
            if len(self.stack) > 1:
                raise TreeError("a bracket within the tree has no label", number, "(NP ...)")
            self.stack[-1].label = ""
        self.stack.append(_Open())

    def _close(self, number: int) -> Tree | None:
        if not self.stack:
            problem = "a closing bracket closes nothing: 1 opening bracket too few"
            raise TreeError(problem, number, "take it out")
        done = self.stack.pop()
        if done.word is None and not done.children:
            problem = f"({done.label or ''}) holds neither word nor phrase"
            raise TreeError(problem, number, "write (NN word)")
        tree = Tree(done.label or "", tuple(done.children), done.word)
        if not self.stack:
            return tree
        self.stack[-1].children.append(tree)
        return None

    def _write(self, token: str, number: int) -> None:
        if not self.stack:
            problem = f'"{token:.40}" stands outside of all brackets'
            raise TreeError(problem, number, "one tree after the other, each in its brackets")
        top = self.stack[-1]
        if top.label is None and not top.children:
            top.label = token
        elif top.word is None and not top.children:
            top.word = token
        else:
            problem = f'"{token:.40}" follows a word or a phrase without a tag'
            raise TreeError(problem, number, "give it a tag of its own: (NN word)")


def cleaned(tree: Tree) -> Tree | None:
    """Return what a parser learns and is measured on; None where there is no word.

    Traces (`-NONE-`) go, and phrases that hold nothing else; of a phrase's label its function and
    number go (NP-SBJ-1 is NP, ADVP|PRT is ADVP), of a tag what follows `|`. The root is `TOP`.

    >>> raw = "(S (NP-SBJ (-NONE- *)) (VP (VB Go)))"
    >>> [(_, tree)] = read_trees([(1, raw)])
    >>> bracketed(cleaned(tree))
    '(TOP (S (VP (VB Go))))'
    """
    kept = _kept(tree)
    if kept is None:
        return None
    if tree.word is None and tree.label in _ROOTS:
        return Tree(ROOT, kept.children)
    return Tree(ROOT, (kept,))


def _kept(tree: Tree) -> Tree | None:
    if tree.word is not None:
        tag = tree.label if tree.label.startswith("|") else tree.label.split("|")[0]
        return None if tree.label == _TRACE else Tree(tag, (), tree.word)
    children = tuple(kept for child in tree.children if (kept := _kept(child)) is not None)
    if not children:
        return None
    return Tree(re.split("(?<=.)[-=|]", tree.label)[0], children)


def bracketed(tree: Tree) -> str:
    """Return a tree in brackets, on one line; those of words become -LRB- and -RRB-.

    >>> bracketed(Tree("NP", (Tree("NN", (), "cats"),)))
    '(NP (NN cats))'
    """
    if tree.word is not None:
        return f"({tree.label} {_bracketless(tree.word)})"
    return f"({tree.label} {' '.join(map(bracketed, tree.children))})"


def spaced_words(text: str) -> list[str]:
    """Return the words of a text that is cut already, as a treebank writes them.

    A no-break space is within a word, as in the files of trees.

    >>> spaced_words("two cats (at least)")
    ['two', 'cats', '-LRB-at', 'least-RRB-']
    """
    return _TOKEN.findall(_bracketless(text))


def _bracketless(word: str) -> str:
    """Return a word as a treebank writes it: its round brackets are -LRB- and -RRB-."""
    return word.replace("(", "-LRB-").replace(")", "-RRB-")
