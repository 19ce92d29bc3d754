"""Rows for an encoder, as ids, and the batches that an epoch makes of them.

Framed texts and their targets come in; padded tensors go out, rows of like lengths together, so
that there is hardly any padding. (seed, epoch) alone decide the order and what is masked.
"""

__all__ = ["Masking", "RowPlan", "RowStore", "Rows", "batches_by_length"]

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from heedful.data.columns import Column
from heedful.data.labelled import LabelledBatch
from heedful.text.wordpiece import Framed, WordPieces

_SORTED_BATCHES = 50
"""Batches whose rows are sorted together: enough that there is hardly any padding, few enough that
the batches of an epoch differ from those of the last."""
_UNASKED = -1

Rows = NDArray[np.int64]


class RowStore:
    """Rows of ids, one behind the other; large ones stand in a file that goes with the process."""

    def __init__(self, kind: type[np.generic], scratch: Path | None = None) -> None:
        self._ids = Column(np.uint32, scratch)
        self._lengths, self._firsts = Column(np.uint32, scratch), Column(np.uint32, scratch)
        self._targets = Column(kind, scratch)
        self._told = hashlib.blake2b()

    def append(self, row: Framed, target: float = 0) -> None:
        """Add a row and what is to be said of it."""
        ids = np.array(row.ids, np.uint32).tobytes()
        first = len(row.segments) - sum(row.segments)
        counts = [np.array([n], np.uint32).tobytes() for n in (len(row.ids), first)]
        answer = np.array([target], self._targets.kind).tobytes()
        self._ids.append(ids)
        for column, count in zip((self._lengths, self._firsts), counts, strict=True):
            column.append(count)
        self._targets.append(answer)
        self._told.update(b"".join([*counts, ids, answer]))

    def finish(self) -> "RowStore":
        """Make the rows readable; none can be added any more."""
        self.ids, self.lengths = self._ids.finish(), self._lengths.finish().astype(np.int64)
        self.firsts, self.targets = self._firsts.finish(), self._targets.finish()
        self.starts = np.cumsum(self.lengths) - self.lengths
        return self

    def __len__(self) -> int:
        return len(self.lengths)

    def fingerprint(self) -> str:
        """Return a hash of all rows and targets."""
        return self._told.hexdigest()


@dataclass(frozen=True)
class Masking:
    """Which pieces are asked for (Devlin et al. 2019, section 3.1 and appendix A.1)."""

    vocabulary: WordPieces
    share: float
    whole_words: bool

    def mask(
        self, ids: NDArray[np.int64], real: NDArray[np.bool_], random: np.random.Generator
    ) -> NDArray[np.int64]:
        """Mask pieces of `ids` in place; return what stood there, -1 where nothing is asked.

        Of each row the share, at least one; of ten, eight become `[MASK]`, one any piece, one
        stays. Control pieces are never asked for.
        """
        assert self.vocabulary.mask_id is not None
        free = real & (ids != self.vocabulary.first_id) & (ids != self.vocabulary.end_id)
        chosen = self._chosen(ids, free, random)
        targets = np.where(chosen, ids, _UNASKED)
        lot = random.random(ids.shape)
        ids[chosen & (lot < 0.8)] = self.vocabulary.mask_id
        other = chosen & (lot >= 0.9)
        ordinary = self.vocabulary.ordinary
        ids[other] = ordinary[random.integers(len(ordinary), size=int(other.sum()))]
        return targets

    def _chosen(
        self, ids: NDArray[np.int64], free: NDArray[np.bool_], random: np.random.Generator
    ) -> NDArray[np.bool_]:
        """Draw the pieces of each row that are asked for."""
        words = np.arange(ids.shape[1])[None] + np.zeros_like(ids)
        if self.whole_words:  # a word is named by the place of its first piece
            within = free & self.vocabulary.continuing[ids]
            within[:, 1:] &= free[:, :-1]
            words = np.maximum.accumulate(np.where(within, 0, words), axis=1)
        lots = random.random(ids.shape)
        by_word = np.take_along_axis(lots, words, axis=1)
        by_word[~free] = 2.0
        order = np.argsort(by_word, axis=1, kind="stable")
        wanted = np.maximum(1, np.rint(self.share * free.sum(1)).astype(np.int64))
        rows = np.arange(len(ids))
        # the last word may be longer than what is left: it is asked for as a whole
        limit = by_word[rows, order[rows, wanted - 1]]
        chosen: NDArray[np.bool_] = free & (by_word <= limit[:, None])
        return chosen


def batches_by_length(
    lengths: NDArray[np.int64], batch_rows: int, seed: Sequence[int]
) -> list[Rows]:
    """Return batches of rows of like lengths, each row once, the last of them smaller."""
    random = np.random.default_rng(seed)
    order = random.permutation(len(lengths))
    together = _SORTED_BATCHES * batch_rows
    batches: list[Rows] = []
    for start in range(0, len(order), together):
        some = order[start : start + together]
        some = some[np.argsort(-lengths[some], kind="stable")]
        batches += [some[at : at + batch_rows] for at in range(0, len(some), batch_rows)]
    return [batches[place] for place in random.permutation(len(batches))]


class RowPlan:
    """Divides rows into batches of `batch_rows`, the last one smaller; see `train.loop`."""

    def __init__(
        self, store: RowStore, batch_rows: int, seed: int, pad_id: int, masking: Masking | None
    ) -> None:
        self.store, self.batch_rows, self.seed = store, batch_rows, seed
        self.pad_id, self.masking = pad_id, masking

    def epoch(self, number: int) -> list[Rows]:
        """Return the batches of an epoch, each row once; the same in every process."""
        return batches_by_length(self.store.lengths, self.batch_rows, [self.seed, number])

    def batch(self, rows: Rows | Sequence[int], epoch: int = 0) -> LabelledBatch:
        """Return the padded tensors of these rows, as they are masked in an epoch."""
        rows = np.asarray(rows)
        store, lengths = self.store, self.store.lengths[rows]
        places = np.arange(int(lengths.max()))
        real = places < lengths[:, None]
        ids = np.full(real.shape, self.pad_id, np.int64)
        ids[real] = store.ids[(store.starts[rows][:, None] + places)[real]]
        segments = ((places >= store.firsts[rows][:, None]) & real).astype(np.int64)
        targets: NDArray[Any] = store.targets[rows]
        asked = len(rows)
        if self.masking is not None:
            seeds = [self.seed, epoch, int(rows[0]), len(rows)]
            targets = self.masking.mask(ids, real, np.random.default_rng(seeds))
            asked = int((targets >= 0).sum())
        return LabelledBatch(
            torch.from_numpy(ids),
            torch.from_numpy(real),
            torch.from_numpy(segments),
            torch.from_numpy(np.ascontiguousarray(targets)),
            asked,
        )

    def fill(self, batches: Sequence[Rows]) -> float:
        """Return the share of the positions that hold a real piece, 0 to 1."""
        lengths = self.store.lengths
        cells = sum(len(rows) * int(lengths[rows].max()) for rows in batches)
        return sum(int(lengths[rows].sum()) for rows in batches) / max(cells, 1)
