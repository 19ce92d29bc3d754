"""How a translation must begin: a text that is forced, whose last word may be unfinished.

Whole words are forced piece by piece, as the tokenizer cuts them. Of the last one only the bytes
are: "Kat" may go on as " Katze", one piece, though " Kat" is another. The rules ask it.
"""

__all__ = ["Opening"]

from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import cached_property

import numpy as np

from heedful.search.phrases import Spelling, in_word
from heedful.shapes import Array, Bool


@dataclass(frozen=True)
class Opening:
    """The beginning of one translation.

    >>> spelling = Spelling([b"", b" a", b" ab", b"b", b"c"])
    >>> Opening((1,), b" a", spelling).allowed([1]).nonzero()[0].tolist()
    [1, 2]
    """

    fixed: tuple[int, ...]
    """Pieces that come first."""
    word: bytes
    """What must come then, however it is spelled."""
    spelling: Spelling = field(repr=False)
    closed: bool = False
    """Whether `word` is whole; else it may go on."""

    @cached_property
    def need(self) -> int:
        """How many pieces are enough."""
        return len(self.fixed) + len(self.spelling.spell(self.word))

    @cached_property
    def pieces(self) -> frozenset[int]:
        """All pieces that may be part of it."""
        masks = [self._fitting(seen) for seen in range(len(self.word))]
        return frozenset(self.fixed).union(*(np.flatnonzero(mask).tolist() for mask in masks))

    def passed(self, tokens: Sequence[int]) -> bool:
        """Return whether the pieces so far have all of it."""
        return len(tokens) >= len(self.fixed) and self._seen(tokens) >= len(self.word)

    def allowed(self, tokens: Sequence[int]) -> Bool[Array, " V"] | None:
        """Return the pieces that may come next; None: any may."""
        if len(tokens) < len(self.fixed):
            mask = np.zeros(len(self.spelling.pieces), np.bool_)
            mask[self.fixed[len(tokens)]] = True
            return mask
        seen = self._seen(tokens)
        if seen < len(self.word):
            return self._fitting(seen)
        return self._apart if self.closed and seen == len(self.word) else None

    def _seen(self, tokens: Sequence[int]) -> int:
        return sum(len(self.spelling.pieces[piece]) for piece in tokens[len(self.fixed) :])

    def _fitting(self, seen: int) -> Bool[Array, " V"]:
        """Return the pieces that fit what is missing of the word."""
        known = self._masks.get(seen)
        if known is None:
            rest = self.word[seen:]
            fit = [
                bool(piece)
                and (rest.startswith(piece) or (not self.closed and piece.startswith(rest)))
                for piece in self.spelling.pieces
            ]
            known = self._masks[seen] = np.array(fit)
        return known

    @cached_property
    def _masks(self) -> dict[int, Bool[Array, " V"]]:
        """What `_fitting` has found: to look at all pieces takes as long as a step of a model."""
        return {}

    @cached_property
    def _apart(self) -> Bool[Array, " V"] | None:
        """The pieces that do not go on with the last word; None where it does not end in one."""
        if not self.word or not in_word(self.word):
            return None
        return np.array([not (piece and in_word(piece[:1])) for piece in self.spelling.pieces])
