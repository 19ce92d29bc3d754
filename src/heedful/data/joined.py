"""Several token stores as one: the rows of the first, then those of the second, and so on."""

__all__ = ["Joined", "joined"]

from collections.abc import Sequence

import numpy as np

from heedful.data.store import Ids, Lengths, Padded, Rows, TokenStore


def joined(stores: Sequence[TokenStore]) -> TokenStore:
    """Return the stores as one."""
    return stores[0] if len(stores) == 1 else Joined(*stores)


class Joined(TokenStore):
    """What `BatchPlan` reads of a store, of several made by the same tokenizer."""

    def __init__(self, *stores: TokenStore) -> None:
        self.stores = stores
        self._ends = np.cumsum([len(store) for store in stores])

    def __len__(self) -> int:
        return int(self._ends[-1])

    def source(self, row: int) -> Ids:
        """Return the source ids of a row: its language tag if there is one, pieces, </s>."""
        store, place = self._place(row)
        return store.source(place)

    def target(self, row: int) -> Ids:
        """Return the target ids of a row: pieces, </s>."""
        store, place = self._place(row)
        return store.target(place)

    def padded(self, side: int, rows: Rows, width: int) -> Padded:
        """Return the ids of these rows, `side` 0 the source, 1 the target, filled up with PAD."""
        found = np.empty((len(rows), width), np.int64)
        numbers = np.searchsorted(self._ends, rows, side="right")
        for number, store in enumerate(self.stores):
            here = numbers == number
            found[here] = store.padded(side, rows[here] - (self._ends[number] - len(store)), width)
        return found

    def lengths(self) -> tuple[Lengths, Lengths]:
        """Return how many ids the source and the target of each row have, </s> counted."""
        sources, targets = zip(*(store.lengths() for store in self.stores), strict=True)
        return np.concatenate(sources), np.concatenate(targets)

    def _place(self, row: int) -> tuple[TokenStore, int]:
        number = int(np.searchsorted(self._ends, row, side="right"))
        return self.stores[number], row - (int(self._ends[number - 1]) if number else 0)
