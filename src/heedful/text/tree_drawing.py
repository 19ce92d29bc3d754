"""Trees as pictures: lines for a terminal, and SVG without any library.

Trees come in, text goes out; `heed parse` prints or saves it.
"""

__all__ = ["drawn", "svg"]

import unicodedata
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from xml.sax.saxutils import escape

from heedful.text.terminal import visible
from heedful.text.trees import Tree

_LEVEL, _GAP, _MARGIN, _LETTER = 48, 18, 16, 9
"""Pixels from a phrase to its parts, between words, around, and of a letter."""


def drawn(tree: Tree) -> str:
    """Return a tree as lines, a phrase above its parts and a word beside its tag.

    >>> print(drawn(Tree("NP", (Tree("DT", (), "the"), Tree("NN", (), "cat")))))
    NP
    ├─ DT  the
    └─ NN  cat
    """
    return "\n".join(_lines(tree))


def _lines(tree: Tree) -> Iterator[str]:
    yield visible(tree.label if tree.word is None else f"{tree.label}  {tree.word}")
    last = len(tree.children) - 1
    for number, child in enumerate(tree.children):
        first, rest = ("└─ ", "   ") if number == last else ("├─ ", "│  ")
        for row, line in enumerate(_lines(child)):
            yield (rest if row else first) + line


@dataclass(frozen=True)
class _Placed:
    """A label or a word, its middle, its depth, and what stands above it."""

    text: str
    x: float
    depth: int
    above: tuple[float, int] | None
    is_word: bool


def svg(trees: Sequence[Tree]) -> str:
    """Return one SVG of trees, one under the other; letters stay text.

    It takes its colour from where it stands, and needs no font of its own.
    """
    parts: list[str] = []
    top, widest = 0.0, 0.0
    for tree in trees:
        placed, width = _placed(tree)
        parts += [part for one in placed for part in _parts(one, top)]
        top += (max(one.depth for one in placed) + 1) * _LEVEL
        widest = max(widest, width)
    size = f'width="{widest + 2 * _MARGIN:.0f}" height="{top + _MARGIN:.0f}"'
    box = f'viewBox="0 0 {widest + 2 * _MARGIN:.0f} {top + _MARGIN:.0f}"'
    style = 'font-family="sans-serif" font-size="15" text-anchor="middle" fill="currentColor"'
    head = f'<svg xmlns="http://www.w3.org/2000/svg" {size} {box} {style}>'
    return "\n".join([head, *parts, "</svg>", ""])


def _placed(tree: Tree) -> tuple[list[_Placed], float]:
    """Return everything of a tree with its place, and the width of the words."""
    leaves = {}
    width = 0.0
    for number, texts in enumerate(_columns(tree)):
        room = _LETTER * max(_letters(text) for text in texts) + _GAP
        leaves[number] = width + room / 2
        width += room
    placed: list[_Placed] = []
    _place(tree, 0, 0, leaves, placed)
    return placed, width


def _columns(tree: Tree) -> list[list[str]]:
    """Return what stands over each other at each word: it, its tag, phrases of it alone."""
    if tree.word is not None:
        return [[tree.word, tree.label]]
    columns = [column for child in tree.children for column in _columns(child)]
    return [[*columns[0], tree.label]] if len(columns) == 1 else columns


def _place(
    tree: Tree, depth: int, begin: int, leaves: dict[int, float], placed: list[_Placed]
) -> float:
    """Place a tree whose first word is this one; return its middle."""
    if tree.word is not None:
        x = leaves[begin]
        placed.append(_Placed(tree.word, x, depth + 1, (x, depth), True))
    else:
        at, middles = begin, []
        first = len(placed)
        for child in tree.children:
            middles.append(_place(child, depth + 1, at, leaves, placed))
            at += len(child.leaves)
        x = (middles[0] + middles[-1]) / 2
        for number in range(first, len(placed)):
            one = placed[number]
            if one.depth == depth + 1 and one.above is None:
                placed[number] = _Placed(one.text, one.x, one.depth, (x, depth), one.is_word)
    placed.append(_Placed(tree.label, x, depth, None, False))
    return x


def _parts(one: _Placed, top: float) -> Iterator[str]:
    x, y = one.x + _MARGIN, top + one.depth * _LEVEL + 2 * _MARGIN
    if one.above is not None:
        above_x, above_y = one.above[0] + _MARGIN, top + one.above[1] * _LEVEL + 2 * _MARGIN
        ends = f'x1="{above_x:.1f}" y1="{above_y + 5:.1f}" x2="{x:.1f}" y2="{y - 16:.1f}"'
        yield f'<line {ends} stroke="currentColor" stroke-opacity="0.5"/>'
    italic = ' font-style="italic"' if one.is_word else ""
    yield f'<text x="{x:.1f}" y="{y:.1f}"{italic}>{escape(visible(one.text))}</text>'


def _letters(text: str) -> int:
    """Return how wide a text is, in letters; those of East Asia take two."""
    return sum(2 if unicodedata.east_asian_width(letter) in "WF" else 1 for letter in text)
