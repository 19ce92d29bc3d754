"""What may come next in the line of symbols of a sentence's tree, so that a tree comes out.

The pieces of a vocabulary and a sentence's number of words come in; after every beginning of a line
a mask of pieces goes out. `heedful.parser` wishes it of a search (`heedful.search.wish`).
"""

__all__ = ["Symbols", "TreeGrammar"]

from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import cached_property, reduce
from typing import NamedTuple

import numpy as np

from heedful.shapes import Array, Bool
from heedful.text.tokenizer import Tokenizer
from heedful.text.trees import DEEPEST

_OPENS, _CLOSES, _SPACE = "▁(", "▁)", "▁"


@dataclass(frozen=True, eq=False)
class Symbols:
    """The pieces that are a whole symbol."""

    end: int
    tags: Bool[Array, " V"]
    opens: Bool[Array, " V"]
    closed_by: dict[int, int]
    """What opens a phrase, to what closes it."""

    @cached_property
    def pieces(self) -> frozenset[int]:
        """All of them."""
        either = np.flatnonzero(self.tags | self.opens).tolist()
        return frozenset([*either, *self.closed_by.values()])

    @classmethod
    def of(cls, tokenizer: Tokenizer) -> "Symbols":
        """Find them among the pieces of the target; of a label, both brackets must be there."""
        pieces = tokenizer.target_pieces(range(tokenizer.target_size))
        numbers = {piece: number for number, piece in enumerate(pieces)}
        tags, opens = (np.zeros(len(pieces), np.bool_) for _ in range(2))
        closed_by = {}
        for number, piece in enumerate(pieces):
            label = piece.removeprefix(_OPENS)
            if label and label != piece and (closing := numbers.get(_CLOSES + label)) is not None:
                opens[number], closed_by[number] = True, closing
            elif piece.startswith(_SPACE) and not piece.startswith((_OPENS, _CLOSES)):
                tags[number] = piece != _SPACE
        return cls(tokenizer.end_id, tags, opens, closed_by)


class _State(NamedTuple):
    """Where a line of symbols is."""

    open: tuple[int, ...] = ()
    """What closes each phrase that is open, the innermost last."""
    tagged: int = 0
    """Words that have their tags."""
    empty: bool = False
    """Whether nothing stands in the innermost phrase yet."""


@dataclass(eq=False)
class TreeGrammar:
    """Of one sentence: a tag for each word, and phrases that hold something and are all closed.

    No phrase is opened for which there is no room, so that where every word's tag has room the line
    ends as a tree.
    """

    symbols: Symbols
    words: int
    most: int
    """Pieces that a line may have, `</s>` included."""
    _before: dict[tuple[int, ...], _State] = field(default_factory=dict, init=False, repr=False)
    _now: dict[tuple[int, ...], _State] = field(default_factory=dict, init=False, repr=False)
    """Lines of the length that was asked for last, and of one less: a beam's grow together."""
    _length: int = field(default=0, init=False, repr=False)

    @property
    def pieces(self) -> frozenset[int]:
        """All pieces that a tree may be made of."""
        return self.symbols.pieces

    def whole(self, tokens: Sequence[int]) -> bool:
        """Return whether a line may end there."""
        return bool(self.allowed(tokens)[self.symbols.end])

    def allowed(self, tokens: Sequence[int]) -> Bool[Array, " V"]:
        """Return which pieces may come behind these, of which each was allowed."""
        state = self._after(tuple(tokens))
        missing, depth = self.words - state.tagged, len(state.open)
        if missing:
            found = self.symbols.tags.copy()
            # behind this piece: a tag for each, two brackets more than are open, and </s>
            if depth < DEEPEST - 2 and len(tokens) + 1 + missing + depth + 2 <= self.most:
                found |= self.symbols.opens
        else:
            found = np.zeros_like(self.symbols.tags)
            found[self.symbols.end] = not depth
        if depth and not state.empty:
            found[state.open[-1]] = True
        return found

    def _after(self, tokens: tuple[int, ...]) -> _State:
        if len(tokens) != self._length:
            grown = len(tokens) == self._length + 1
            self._before, self._now = self._now if grown else {}, {}
            self._length = len(tokens)
        state = self._now.get(tokens)
        if state is None:
            state = self._before.get(tokens[:-1])
            read = tokens if state is None else tokens[-1:]
            state = reduce(self._read, read, state or _State())
            self._now[tokens] = state
        return state

    def _read(self, state: _State, piece: int) -> _State:
        closing = self.symbols.closed_by.get(piece)
        if closing is not None:
            return _State((*state.open, closing), state.tagged, empty=True)
        if self.symbols.tags[piece]:
            return _State(state.open, state.tagged + 1)
        return _State(state.open[:-1], state.tagged)
