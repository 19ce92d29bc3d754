"""Trees in brackets: the words of each are the source, its phrases and tags the target.

Read by `open_corpus` for files of treebanks, so that a parser is trained as a translator is.
"""

__all__ = ["Trees", "trees_of"]

from collections.abc import Iterator
from pathlib import Path
from typing import ClassVar, Literal

from heedful.data.formats.reading import ReadCounts, Row, RowError, lines, refuse, text_of
from heedful.settings import Settings
from heedful.text.linear_trees import linearised
from heedful.text.trees import Tree, TreeError, cleaned, read_trees


class Trees(Settings):
    """Penn-style trees, on one line or several; traces and functions are left out."""

    kind: Literal["trees"] = "trees"
    columns: tuple[str, ...] | None = None
    """Not used: a tree has no fields (other corpora of the same run may need them)."""

    extensions: ClassVar[tuple[str, ...]] = (".trees", ".tree", ".mrg", ".ptb")
    columns_are: ClassVar[str] = "not used"

    def rows(self, paths: tuple[Path, ...], *, skip_bad: bool, counts: ReadCounts) -> Iterator[Row]:
        """Yield the words and the symbols of each tree, with the line that it begins in."""
        (path,) = paths
        for number, tree in _numbered(path, skip_bad, counts):
            counts.rows += 1
            yield Row(" ".join(tree.words), linearised(tree), number)


def trees_of(path: Path) -> Iterator[Tree]:
    """Yield the cleaned trees of a file; raises DataError for one without words, or unreadable."""
    for _, tree in _numbered(path, None, ReadCounts()):
        yield tree


def _numbered(path: Path, skip_bad: bool | None, counts: ReadCounts) -> Iterator[tuple[int, Tree]]:
    """Yield each cleaned tree with the line that it begins in."""

    texts = ((number, _text(number, raw)) for number, raw in lines(path, counts))
    for number, found in read_trees(texts):
        try:
            tree = _sound(found)
        except RowError as problem:
            refuse(problem, f"{path}:{number}", skip_bad=skip_bad, counts=counts)
        else:
            yield number, tree


def _text(number: int, raw: bytes) -> str | TreeError:
    """Return a line's text, or what is wrong with it."""
    try:
        return text_of(raw)
    except RowError as problem:
        return TreeError(problem.problem, number, problem.fix)


def _sound(found: Tree | TreeError) -> Tree:
    """Return the cleaned tree; raises RowError for one that is unreadable or without words."""
    if isinstance(found, TreeError):
        raise RowError(found.problem, found.fix)
    tree = cleaned(found)
    if tree is None:
        raise RowError("the tree has no words, traces alone")
    return tree
