"""Conversations as ids, of which answers alone are asked for, and the batches that an epoch makes.

Ids and marks come in; tensors go out, rows of like lengths together. (seed, epoch) alone decide the
order. In a store of preferences rows 2 i and 2 i + 1 are the better and the worse answer.
"""

__all__ = ["AnswerPlan", "AnswerStore", "PreferenceBatch", "PreferencePlan"]

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch

from heedful.data.columns import Column
from heedful.data.rows import Rows, batches_by_length
from heedful.data.text_batches import UNASKED, TextBatch
from heedful.shapes import Float, Tensor


class AnswerStore:
    """Rows of ids, and which of them are asked for; large ones stand in a file of the process."""

    def __init__(self, scratch: Path | None = None) -> None:
        self._ids, self._asked = Column(np.uint32, scratch), Column(np.bool_, scratch)
        self._lengths = Column(np.uint32, scratch)
        self._told = hashlib.blake2b()

    def append(self, ids: Sequence[int], asked: Sequence[bool]) -> None:
        """Add a row."""
        columns = (self._lengths, self._ids, self._asked)
        for column, some in zip(columns, ([len(ids)], ids, asked), strict=True):
            content = np.array(some, column.kind).tobytes()
            column.append(content)
            self._told.update(content)

    def finish(self) -> "AnswerStore":
        """Make the rows readable; none can be added any more."""
        self.ids, self.asked = self._ids.finish(), self._asked.finish()
        self.lengths = self._lengths.finish().astype(np.int64)
        self.starts = np.cumsum(self.lengths) - self.lengths
        return self

    def __len__(self) -> int:
        return len(self.lengths)

    def fingerprint(self) -> str:
        """Return a hash of all rows."""
        return self._told.hexdigest()

    def texts(self, rows: Rows) -> TextBatch:
        """Return rows as a decoder reads and predicts them."""
        lengths = self.lengths[rows]
        places = np.arange(int(lengths.max()))
        real = places < lengths[:, None]
        at = (self.starts[rows][:, None] + places)[real]
        ids = np.zeros(real.shape, np.int64)
        answers = np.full(real.shape, UNASKED, np.int64)
        ids[real] = self.ids[at]
        answers[real] = np.where(self.asked[at], ids[real], UNASKED)
        before, after = np.ascontiguousarray(ids[:, :-1]), np.ascontiguousarray(answers[:, 1:])
        asked = int((after >= 0).sum())
        return TextBatch(torch.from_numpy(before), torch.from_numpy(after), asked)


class AnswerPlan:
    """Divides conversations into batches of `batch_rows`, the last one smaller."""

    def __init__(self, store: AnswerStore, batch_rows: int, seed: int) -> None:
        self.store, self.batch_rows, self.seed = store, batch_rows, seed

    def epoch(self, number: int) -> list[Rows]:
        """Return the batches of an epoch, each row once; the same in every process."""
        return batches_by_length(self.store.lengths, self.batch_rows, [self.seed, number])

    def batch(self, rows: Rows | Sequence[int], epoch: int = 0) -> TextBatch:
        """Return the tensors of these rows."""
        return self.store.texts(np.asarray(rows))


@dataclass(frozen=True)
class PreferenceBatch:
    """Pairs of answers to the same prompts, rows 2 i and 2 i + 1 the better and the worse one."""

    texts: TextBatch
    reference: Float[Tensor, "P 2"]
    """Log-probabilities, in nats, of both answers by the model that training began with."""

    @property
    def n_target(self) -> int:
        """Pairs: what a loss is averaged over."""
        return self.reference.shape[0]

    @property
    def rows(self) -> int:
        """Pairs."""
        return self.n_target

    @property
    def longest(self) -> int:
        """Pieces of the longest text."""
        return self.texts.longest

    def split(self, parts: int) -> list["PreferenceBatch"]:
        """Divide the pairs into `parts` batches of as many pairs, in their order."""
        if parts == 1:
            return [self]
        found, at = [], 0
        for some in self.reference.tensor_split(parts):
            rows = slice(2 * at, 2 * (at + len(some)))
            before, after = self.texts.target_in[rows], self.texts.target_out[rows]
            texts = TextBatch(before, after, int((after >= 0).sum()))
            found.append(PreferenceBatch(texts, some))
            at += len(some)
        return found

    def pinned(self) -> "PreferenceBatch":
        """Return the batch in memory that a GPU can fetch by itself."""
        return PreferenceBatch(self.texts.pinned(), self.reference.pin_memory())

    def to(self, device: torch.device | str) -> "PreferenceBatch":
        """Return the batch on another device."""
        reference = self.reference.to(device, non_blocking=True)
        return PreferenceBatch(self.texts.to(device), reference)


class PreferencePlan:
    """Divides pairs of answers into batches of `batch_pairs`, the last one smaller."""

    def __init__(
        self, store: AnswerStore, reference: Float[Tensor, "N 2"], batch_pairs: int, seed: int
    ) -> None:
        self.store, self.reference = store, reference
        self.batch_pairs, self.seed = batch_pairs, seed

    def epoch(self, number: int) -> list[Rows]:
        """Return the batches of an epoch, each pair once; the same in every process."""
        longer = self.store.lengths.reshape(-1, 2).max(1)
        return batches_by_length(longer, self.batch_pairs, [self.seed, number])

    def batch(self, pairs: Rows | Sequence[int], epoch: int = 0) -> PreferenceBatch:
        """Return the tensors of these pairs."""
        pairs = np.asarray(pairs)
        rows = (2 * pairs[:, None] + np.arange(2)).ravel()
        return PreferenceBatch(self.store.texts(rows), self.reference[torch.from_numpy(pairs)])
