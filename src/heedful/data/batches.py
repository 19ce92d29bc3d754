"""Rows of a token store become batches of one size in tokens, with hardly any padding.

A store, a budget of tokens and a seed come in; lists of rows, an epoch at a time, and padded
tensors go out; training and validation call it. (seed, epoch) alone decide the order.
"""

__all__ = ["AnyBatch", "Batch", "BatchPlan", "Plan"]

from bisect import bisect_right
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Any, Protocol, Self

import numpy as np
import torch

from heedful.data.columns import blocks
from heedful.data.store import Lengths, Padded, Rows, TokenStore
from heedful.errors import DataError
from heedful.shapes import Bool, Float, Int, Tensor
from heedful.text.pieces import PAD, START

Align = Callable[[Padded, Padded], np.ndarray[Any, np.dtype[np.float32]]]
"""Padded sources and targets to the probabilities of `Batch.alignment`."""


class AnyBatch(Protocol):
    """What the loop knows of a batch, whatever is learnt from it."""

    @property
    def n_target(self) -> int:
        """Pieces to be predicted: what a loss is averaged over."""
        ...

    @property
    def rows(self) -> int:
        """Texts or pairs of them."""
        ...

    @property
    def longest(self) -> int:
        """Pieces of the longest of them."""
        ...

    def split(self, parts: int) -> Sequence[Self]:
        """Divide the rows into `parts` batches of as many rows."""
        ...

    def pinned(self) -> Self:
        """Return the batch in memory that a GPU can fetch by itself."""
        ...

    def to(self, device: torch.device | str) -> Self:
        """Return the batch on another device."""
        ...


class Plan(Protocol):
    """What the loop knows of where batches come from."""

    def epoch(self, number: int) -> Sequence[Any]:
        """Return what makes each batch of an epoch; the same whenever it is asked for."""
        ...

    def batch(self, rows: Any, epoch: int = 0) -> AnyBatch:
        """Return one of them as tensors."""
        ...


class Respell(Protocol):
    """Spells rows with other pieces; see `heedful.data.bpe_dropout`."""

    most: int
    """Pieces of a row at most."""

    def __call__(
        self, ids: Padded, lengths: Any, side: int, rows: Rows, epoch: int
    ) -> tuple[Padded, Any]:
        """Return the ids of these rows and how many each has; `side` 0 is the source, 1 the target.

        In both, what is behind the lengths is PAD.
        """
        ...


@dataclass(frozen=True)
class Batch:
    """Padded sentences, as the model reads and predicts them; padding is 0.

    For the target `5 6 </s>`: target_in is `<s> 5 6` and target_out is `5 6 </s>`.
    """

    source: Int[Tensor, "B S"]
    target_in: Int[Tensor, "B T"]
    target_out: Int[Tensor, "B T"]
    n_source: int
    """Real tokens in `source`."""
    n_target: int
    """Real tokens in `target_out`: what a loss is averaged over."""
    alignment: Float[Tensor, "B T S"] | None = None
    """How likely each token of `target_out` comes from each of `source`; rows of padding are 0."""

    @property
    def source_mask(self) -> Bool[Tensor, "B S"]:
        """True at real tokens of the source."""
        return self.source != PAD

    @property
    def target_mask(self) -> Bool[Tensor, "B T"]:
        """True at real tokens of `target_in` and, as they are as long, of `target_out`."""
        return self.target_out != PAD

    @property
    def rows(self) -> int:
        """Sentence pairs."""
        return self.source.shape[0]

    @property
    def longest(self) -> int:
        """Pieces of the longest side."""
        return max(self.source.shape[1], self.target_out.shape[1])

    def split(self, parts: int) -> list["Batch"]:
        """Divide the rows into `parts` batches of as many rows, each only as wide as it must be.

        The rows stay in their order; `parts` is at most their number.
        """
        if parts == 1:
            return [self]
        sides = (self.source, self.target_in, self.target_out)
        pieces = [x.tensor_split(parts) for x in sides]
        known = self.alignment
        alignments = [None] * parts if known is None else known.tensor_split(parts)
        return [_trimmed(*rows) for rows in zip(*pieces, alignments, strict=True)]

    def twice(self) -> "Batch":
        """Return the batch with all its rows once more behind the last."""
        both = self._each(lambda tensor: torch.cat([tensor, tensor]))
        return replace(both, n_source=2 * self.n_source, n_target=2 * self.n_target)

    def pinned(self) -> "Batch":
        """Return the batch in memory that a GPU can fetch by itself."""
        return self._each(Tensor.pin_memory)

    def to(self, device: torch.device | str) -> "Batch":
        """Return the batch on another device."""
        return self._each(lambda tensor: tensor.to(device, non_blocking=True))

    def _each(self, change: Callable[[Tensor], Tensor]) -> "Batch":
        """Return the batch with every tensor changed."""
        return Batch(
            change(self.source),
            change(self.target_in),
            change(self.target_out),
            self.n_source,
            self.n_target,
            None if self.alignment is None else change(self.alignment),
        )


class BatchPlan:
    """Divides the rows of a store into batches of at most `batch_tokens` positions a side.

    rows * max(longest source, longest target) <= batch_tokens. Rows are sorted by the longer of
    their two lengths and, within it, by the difference of the two, rising and falling by turns,
    so that neighbours are alike on both sides; of very many rows, four million are sorted at a
    time, drawn at random. Lengths are padded up to a `multiple`: a GPU
    computes 8 positions as fast as 7, and few shapes are compiled and kept in memory more easily
    than many; none is padded beyond the longest. `align` makes what batches have for alignment,
    `respell` spells the rows of an epoch: batches are then as much larger as it makes them longer.
    Raises DataError when a row is longer than the budget.
    """

    def __init__(
        self,
        store: TokenStore,
        batch_tokens: int,
        seed: int,
        *,
        multiple: int = 1,
        align: Align | None = None,
        respell: Respell | None = None,
    ) -> None:
        self.store = store
        self.multiple = multiple
        self.batch_tokens = batch_tokens
        self.seed = seed
        self.align = align
        self.respell = respell
        self._source_lengths, self._target_lengths = store.lengths()
        longer = np.maximum(self._source_lengths, self._target_lengths)
        longest = self._longest = int(longer.max(initial=0))
        self._longer = self._padded(longer)
        if respell is not None:
            self._longest = max(longest, respell.most)
        if longest > batch_tokens:
            raise DataError(
                f"the longest sentence has {longest} pieces, a batch holds {batch_tokens}",
                where="batch_tokens",
                fix=f"allow at least {longest} tokens a batch, or drop sentences that long",
            )

    def epoch(self, number: int) -> list[Rows]:
        """Return the batches of an epoch, each row once; the same in every process.

        Rows of equal lengths, the places of the cuts and the order of the batches are drawn anew
        for each epoch.
        """
        random = np.random.default_rng([self.seed, number])
        batches: list[Rows] = []
        for order in self._sorted(random):
            longer = self._longer[order]
            budget = int(random.integers(self.batch_tokens // 2, self.batch_tokens, endpoint=True))
            start = 0
            while start < len(order):
                end = _cut(longer, start, budget)
                batches.append(order[start:end])
                start, budget = end, self.batch_tokens
        return [batches[place] for place in random.permutation(len(batches))]

    def batch(self, rows: Rows | Sequence[int], epoch: int = 0) -> Batch:
        """Return the padded tensors of these rows, as they are spelled in an epoch."""
        source, target_out = (self._side(side, np.asarray(rows), epoch) for side in (0, 1))
        target_in = np.full_like(target_out, PAD)
        target_in[:, 0] = START
        target_in[:, 1:] = np.where(target_out[:, 1:] != PAD, target_out[:, :-1], PAD)
        return Batch(
            torch.from_numpy(source),
            torch.from_numpy(target_in),
            torch.from_numpy(target_out),
            int(np.count_nonzero(source)),
            int(np.count_nonzero(target_out)),
            None if self.align is None else torch.from_numpy(self.align(source, target_out)),
        )

    def _side(self, side: int, rows: Rows, epoch: int) -> Padded:
        """Return the sources or the targets of these rows, as they are spelled in an epoch."""
        lengths = (self._source_lengths, self._target_lengths)[side][rows]
        ids = self.store.padded(side, rows, int(self._padded(lengths.max())))
        if self.respell is None:
            return ids
        spelled, counts = self.respell(ids, lengths, side, rows, epoch)
        return np.ascontiguousarray(spelled[:, : int(self._padded(counts.max()))])

    def fill(self, batches: Sequence[Rows]) -> float:
        """Return the share of the positions of both sides that hold a real token, 0 to 1."""
        real = cells = 0
        for rows in batches:
            for lengths in (self._source_lengths[rows], self._target_lengths[rows]):
                real += int(lengths.sum())
                cells += len(rows) * int(self._padded(lengths.max()))
        return real / cells if cells else 1.0

    def _padded(self, lengths: Any) -> Any:
        """Return each length, rounded up to a multiple, at most the longest there is."""
        return np.minimum(-(-lengths // self.multiple) * self.multiple, self._longest)

    def _sorted(self, random: np.random.Generator) -> Iterator[Rows]:
        """Yield all rows, a block at a time: by longer side, then by difference, then at random."""
        count = len(self._longer)
        mixed = random.permutation(np.arange(count, dtype=np.int32 if count < 2**31 else np.int64))
        turn = random.integers(2)
        for block in blocks(count):
            rows = mixed[block]
            longer = self._longer[rows]
            difference = self._source_lengths[rows] - self._target_lengths[rows]
            rising = longer // self.multiple % 2 == turn
            yield rows[np.lexsort((np.where(rising, difference, -difference), longer))]


def _trimmed(
    source: Tensor, target_in: Tensor, target_out: Tensor, alignment: Tensor | None
) -> Batch:
    """Return a batch without the columns that are padding in every row."""
    real, answers = source != PAD, target_out != PAD
    width, depth = (int(side.sum(dim=1).max()) for side in (real, answers))
    return Batch(
        source[:, :width].contiguous(),
        target_in[:, :depth].contiguous(),
        target_out[:, :depth].contiguous(),
        int(real.sum()),
        int(answers.sum()),
        None if alignment is None else alignment[:, :depth, :width].contiguous(),
    )


def _cut(longer: Lengths, start: int, budget: int) -> int:
    """Return the end of the largest batch from `start` on; at least one row is in it.

    `longer` rises, so the last row of a batch is its longest.

    >>> _cut(np.array([2, 3, 3, 5]), start=0, budget=9)
    3
    """
    ends = range(start + 1, min(len(longer), start + budget // int(longer[start])) + 1)
    fitting = bisect_right(ends, budget, key=lambda end: int(longer[end - 1]) * (end - start))
    return start + max(1, fitting)
