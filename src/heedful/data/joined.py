"""Two token stores as one: the rows of the first, then those of the second."""

__all__ = ["Joined"]

import numpy as np

from heedful.data.store import Ids, Lengths, TokenStore


class Joined(TokenStore):
    """What `BatchPlan` reads of a store, of two made by the same tokenizer."""

    def __init__(self, first: TokenStore, second: TokenStore) -> None:
        self.both = (first, second)
        self._border = len(first)

    def __len__(self) -> int:
        return sum(map(len, self.both))

    def source(self, row: int) -> Ids:
        """Return the source ids of a row: its language tag if there is one, pieces, </s>."""
        store, place = self._place(row)
        return store.source(place)

    def target(self, row: int) -> Ids:
        """Return the target ids of a row: pieces, </s>."""
        store, place = self._place(row)
        return store.target(place)

    def lengths(self) -> tuple[Lengths, Lengths]:
        """Return how many ids the source and the target of each row have, </s> counted."""
        (a, b), (c, d) = (store.lengths() for store in self.both)
        return np.concatenate([a, c]), np.concatenate([b, d])

    def _place(self, row: int) -> tuple[TokenStore, int]:
        if row < self._border:
            return self.both[0], row
        return self.both[1], row - self._border
