"""Marks find their places in a translation: around the words that translate the words they had.

A unit, its translation and the links between their words come in; pieces of the translation go
out, with every atom and mark of the unit, nested as they were. `heedful.documents.document` calls
it.
"""

__all__ = ["MOST_PAIRS", "placed"]

from collections.abc import Iterable, Iterator, Sequence
from typing import NamedTuple

from heedful.decode.alignment import Link
from heedful.documents.pieces import HOLDER, Atom, Mark, Piece, Text, Unit
from heedful.text.spans import words

MOST_PAIRS = 200
"""Pairs of marks in one text; where there are more it is left as it was: the time is their number
times that of the words."""

_NEVER = -1_000_000


class _Token(NamedTuple):
    """A word, a punctuation mark or an atom of a text."""

    start: int
    end: int
    atom: int
    """The atom's number from 1; 0 for words."""
    word: bool


class _Pair(NamedTuple):
    """Two marks and the source's tokens between them."""

    opening: Mark
    closing: Mark
    first: int
    last: int
    inner: "list[_Pair]"


class _Set(NamedTuple):
    """Two marks and the translation's tokens that they are put around."""

    pair: _Pair
    first: int
    last: int
    inner: "list[_Set]"


def placed(unit: Unit, text: str, links: Iterable[Link]) -> list[Piece] | None:
    """Return the translation's text with the atoms and marks of the unit in it.

    The words between two marks are those of the translation that most of all look at the words
    between them in the source, in one stretch; where none does, the word nearest to the same place.
    None: an atom is missing or there twice, or a pair of marks finds no word.
    """
    atoms = [piece for piece in unit.pieces if isinstance(piece, Atom)]
    if sorted(int(found[1]) for found in HOLDER.finditer(text)) != list(range(1, len(atoms) + 1)):
        return None
    source, of_word = _tokens(unit.shown)
    pairs = _pairs(unit, source)
    if pairs is None:
        return None
    target, of_target = _tokens(text)
    looks: list[set[int]] = [set() for _ in target]
    for link in links:
        if link.source < len(of_word) and link.target < len(of_target):
            looks[of_target[link.target]].add(of_word[link.source])
    place = {token.atom: number for number, token in enumerate(source) if token.atom}
    looks = [{place[t.atom]} if t.atom else look for t, look in zip(target, looks, strict=True)]
    sets = _Placing(source, target, looks).around(pairs, (0, len(source)), (0, len(target)))
    return None if sets is None else list(_emit(text, target, (0, len(text)), sets, atoms))


def _tokens(text: str) -> tuple[list[_Token], list[int]]:
    """Return the tokens of a text, and which of them each of its words is in.

    >>> [text := "Run <x1/>!", [text[t.start : t.end] for t in _tokens(text)[0]]][1]
    ['Run', '<x1/>', '!']
    """
    atoms = {found.start(): (found.end(), int(found[1])) for found in HOLDER.finditer(text)}
    tokens: list[_Token] = []
    of_word = []
    at = within = 0
    for word in words(text):
        start = text.index(word.word, at)
        at = start + len(word.word)
        if start in atoms:
            within, number = atoms[start]
            tokens.append(_Token(start, within, number, True))
        elif start >= within:
            tokens.append(_Token(start, at, 0, any(map(str.isalnum, word.word))))
        of_word.append(len(tokens) - 1)
    return tokens, of_word


def _pairs(unit: Unit, tokens: Sequence[_Token]) -> list[_Pair] | None:
    """Return the outer pairs of a unit's marks, with those within them; None if they are many."""
    found: list[_Pair] = []
    levels: list[tuple[Mark, int, list[_Pair]]] = []
    at = number = count = 0
    for piece in unit.pieces:
        if isinstance(piece, Text):
            at += len(piece.shown)
        elif isinstance(piece, Atom):
            number += 1
            at += len(f"<x{number}/>")
        elif piece.opens:
            levels.append((piece, at, found))
            found, count = [], count + 1
        else:
            opening, start, outer = levels.pop()
            first = sum(token.start < start for token in tokens)
            last = sum(token.end <= at for token in tokens)
            outer.append(_Pair(opening, piece, first, last, found))
            found = outer
        if count > MOST_PAIRS:
            return None
    return found


class _Placing(NamedTuple):
    """Looks for the words that marks are put around."""

    source: Sequence[_Token]
    target: Sequence[_Token]
    looks: Sequence[set[int]]
    """Of each token of the target, those of the source that it looks at."""

    def around(
        self, pairs: Sequence[_Pair], source: tuple[int, int], target: tuple[int, int]
    ) -> list[_Set] | None:
        """Find the words for pairs that are side by side, within both sides' tokens from, to."""
        free = dict.fromkeys(range(*target), True)
        sets = []
        for pair in pairs:
            weights = [_weight(self.looks[at], pair) if free[at] else _NEVER for at in free]
            first, last = (at + target[0] for at in _best(weights))
            first, last = self._trimmed(pair, first, last)
            if first == last:
                middle = (pair.first + pair.last) / 2 - source[0]
                share = middle / max(source[1] - source[0], 1)
                wanted = target[0] + share * (target[1] - target[0]) - 0.5
                near = [at for at in free if free[at] and self.target[at].word]
                if not near:
                    return None
                first = min(near, key=lambda at: abs(at - wanted))
                last = first + 1
            free.update(dict.fromkeys(range(first, last), False))
            inner = self.around(pair.inner, (pair.first, pair.last), (first, last))
            if inner is None:
                return None
            sets.append(_Set(pair, first, last, inner))
        return sorted(sets, key=lambda one: one.first)

    def _trimmed(self, pair: _Pair, first: int, last: int) -> tuple[int, int]:
        """Let the stretch begin and end with words where the source's does."""
        if first < last and self.source[pair.first].word:
            while first < last and not self.target[first].word:
                first += 1
        if first < last and self.source[pair.last - 1].word:
            while first < last and not self.target[last - 1].word:
                last -= 1
        return first, last


def _weight(look: set[int], pair: _Pair) -> int:
    """Return 1 for a word that looks at a pair's words, -1 for one that looks at others alone."""
    if not look:
        return 0
    return 1 if any(pair.first <= at < pair.last for at in look) else -1


def _best(weights: Sequence[int]) -> tuple[int, int]:
    """Return the stretch with the largest sum, from a positive weight to one (Kadane).

    >>> _best([-1, 1, 0, 1, -1, -1, 1]), _best([0, -1])
    ((1, 4), (0, 0))
    """
    best, found, total, start = 0, (0, 0), 0, 0
    for at, weight in enumerate(weights):
        if total <= 0:
            total, start = 0, at
        total += weight
        if weight > 0 and total > best:
            best, found = total, (start, at + 1)
    first, last = found
    while first < last and weights[first] <= 0:
        first += 1
    return first, last


def _emit(
    text: str,
    tokens: Sequence[_Token],
    limits: tuple[int, int],
    sets: Sequence[_Set],
    atoms: Sequence[Atom],
) -> Iterator[Piece]:
    """Yield a stretch of the text, from one character to another, with what stands in it."""
    at, end = limits
    for one in sets:
        inside = (tokens[one.first].start, tokens[one.last - 1].end)
        yield from _plain(text[at : inside[0]], atoms)
        yield one.pair.opening
        yield from _emit(text, tokens, inside, one.inner, atoms)
        yield one.pair.closing
        at = inside[1]
    yield from _plain(text[at:end], atoms)


def _plain(text: str, atoms: Sequence[Atom]) -> Iterator[Piece]:
    at = 0
    for found in HOLDER.finditer(text):
        if found.start() > at:
            yield Text(text[at : found.start()], text[at : found.start()])
        yield atoms[int(found[1]) - 1]
        at = found.end()
    if text[at:]:
        yield Text(text[at:], text[at:])
