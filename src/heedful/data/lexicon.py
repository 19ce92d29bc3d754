"""Which target pieces translate a source piece: IBM Model 1, learnt from rows of ids.

Rows of a token store come in, for every source piece the probabilities of target pieces go out;
`heedful.train.shortlist` calls it. Brown et al., 1993, "The Mathematics of Statistical Machine
Translation", section 4.1: every target piece t of a row comes from one piece s of its source,

    p(t | row) ~ sum over s of p(t | s)

and expectation maximisation finds the p(t | s). The part of the paper's empty word, which stands
in every source, is played by the `</s>` there (and by the language tag, of its direction).
"""

__all__ = ["Lexicon", "learn"]

from array import array
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

ITERATIONS = 3
"""More make the probabilities sharper, and lists of the same length cover less."""

Ids = NDArray[np.int32]
Row = tuple[Sequence[int] | NDArray[Any], Sequence[int] | NDArray[Any]]


@dataclass(frozen=True)
class Lexicon:
    """The target pieces of every source piece, likeliest first."""

    starts: NDArray[np.int64]
    """Where each source piece's targets begin; one more at the end."""
    targets: Ids
    probabilities: NDArray[np.float32]
    frequent: dict[int, Ids]
    """For some source pieces: the targets of the rows they are in, the most frequent first."""

    def of(self, piece: int) -> tuple[Ids, NDArray[np.float32]]:
        """Return a source piece's targets and their probabilities."""
        mine = slice(self.starts[piece], self.starts[piece + 1])
        return self.targets[mine], self.probabilities[mine]


def learn(
    rows: Iterable[Row],
    sizes: tuple[int, int],
    *,
    iterations: int = ITERATIONS,
    least: float = 0.0,
    frequent_with: Sequence[int] = (),
) -> Lexicon:
    """Return the lexicon of rows of (source ids, target ids); `sizes` are the vocabularies'.

    Probabilities below `least` are left out, equal ones come in the order of the ids;
    `frequent_with` are the pieces of `Lexicon.frequent`. Memory: 12 bytes for each target piece
    of the rows, 8 for each source piece and 8 for each pair of pieces seen together. It needs
    numba.
    """
    from heedful.kernels.lexicon import count_targets, list_targets, maximise

    corpus = _Corpus.of(rows, sizes[0])
    turned = (corpus.targets, corpus.starts, corpus.rows, corpus.first)
    room = np.zeros(sizes[0], np.int64)
    count_targets(*turned, np.full(sizes[1], -1), room)
    starts = _ends(room)
    targets, chances = np.zeros(starts[-1], np.int32), np.ones(starts[-1], np.float32)
    list_targets(*turned, np.full(sizes[1], -1), starts, targets)
    # for each target: the sum of p(t | s) over its source; at first all p are 1
    sums = np.repeat(corpus.source_lengths.astype(np.float32), np.diff(corpus.starts))
    for _ in range(iterations):
        fresh, scratch = np.zeros_like(sums), np.zeros(sizes[1], np.float32)
        maximise(*turned, sums, starts, targets, chances, scratch, np.zeros(sizes[1]), fresh)
        sums = np.maximum(fresh, np.float32(1e-30))
    frequent = {piece: corpus.frequent(piece, sizes[1]) for piece in frequent_with}
    kept = np.flatnonzero(chances >= least)
    homes = np.repeat(np.arange(sizes[0], dtype=np.int32), room)[kept]
    kept = kept[np.lexsort((targets[kept], -chances[kept], homes))]
    starts = _ends(np.bincount(homes, minlength=sizes[0]))
    return Lexicon(starts, targets[kept], chances[kept], frequent)


@dataclass(frozen=True)
class _Corpus:
    """The rows, turned round: for each source piece the rows that it is in."""

    targets: Ids
    starts: NDArray[np.int64]
    """Where each row's targets begin; one more at the end."""
    source_lengths: Ids
    rows: Ids
    """Of all source pieces, in the order of their ids: the row."""
    first: NDArray[np.int64]
    """Where each source piece begins in `rows`; one more at the end."""

    @classmethod
    def of(cls, rows: Iterable[Row], source_size: int) -> "_Corpus":
        ids, lengths = (array("i"), array("i")), (array("i"), array("i"))
        for row in rows:
            for side in (0, 1):
                ids[side].frombytes(np.asarray(row[side], np.int32).tobytes())
                lengths[side].append(len(row[side]))
        source, targets = (np.frombuffer(side, np.int32) for side in ids)
        source_lengths, target_lengths = (np.frombuffer(side, np.int32) for side in lengths)
        order = np.argsort(source, kind="stable")
        homes = np.repeat(np.arange(len(source_lengths), dtype=np.int32), source_lengths)
        counts = np.bincount(source, minlength=source_size)
        return cls(targets, _ends(target_lengths), source_lengths, homes[order], _ends(counts))

    def frequent(self, piece: int, target_size: int) -> Ids:
        """Return the targets of the rows that have this source piece, the most frequent first."""
        has = np.zeros(len(self.starts) - 1, np.bool_)
        has[self.rows[self.first[piece] : self.first[piece + 1]]] = True
        among = self.targets[np.repeat(has, np.diff(self.starts))]
        counts = np.bincount(among, minlength=target_size)
        order = np.argsort(-counts, kind="stable")
        return order[: np.count_nonzero(counts)].astype(np.int32)


def _ends(counts: NDArray[Any]) -> NDArray[np.int64]:
    """Return where each part begins, and where the last ends.

    >>> _ends(np.array([2, 0, 3])).tolist()
    [0, 2, 2, 5]
    """
    return np.concatenate([np.zeros(1, np.int64), np.cumsum(counts, dtype=np.int64)])
