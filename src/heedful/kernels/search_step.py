"""A step of a search in whole numbers: from the newest pieces of some rows to the likeliest next.

It is the same kernels in the same order as `heedful.decode.fused` calls them for one step. Only
rows under way are computed, side by side without a gap: `order` says which they are.
"""

__all__ = ["LEAST", "has_room", "scratch", "take_step"]

from typing import Any

import numpy as np

from heedful.kernels.compiled import compiled
from heedful.kernels.decoder_step import decoder_step
from heedful.kernels.layout import TOGETHER
from heedful.kernels.listed import listed_whole
from heedful.kernels.product import multiply_whole
from heedful.kernels.rows import best_of_rows, embed, normalise

Array = np.ndarray[Any, np.dtype[Any]]

LEAST = np.float32(-np.inf)
"""Log-probability of what may not be."""


@compiled()
def _gather(numbers: Array, order: Array, out: Array) -> None:
    """Write what belongs to the rows under way."""
    for i in range(order.size):
        out[i] = numbers[order[i]]


@compiled()
def _gather_rows(rows_of: Array, order: Array, now: int, out: Array) -> None:
    """Let row i of the caches be the newest of the i-th row under way; write all its rows."""
    for i in range(order.size):
        rows_of[order[i], now] = i
        for c in range(rows_of.shape[1]):
            out[i, c] = rows_of[order[i], c]


@compiled()
def has_room(positions: Array, order: Array, count: int, columns: int) -> bool:
    """Return whether the caches have a column for the next position of every row under way."""
    for i in range(count):  # noqa: SIM110 - numba knows no all()
        if positions[order[i]] >= columns:
            return False
    return True


@compiled(makes_arrays=True)
def scratch(rows: int, columns: int) -> tuple[Array, Array, Array, Array, Array]:
    """Return memory for what `take_step` gathers of so many rows."""
    return (
        np.empty(rows, np.int64), np.empty(rows, np.int64), np.empty((rows, columns), np.int32),
        np.empty(rows, np.int64), np.empty(rows, np.int64),
    )  # fmt: skip


@compiled(makes_arrays=True)
def _lead_through(
    stack: tuple[Any, ...],
    embedding: tuple[Array, Any, Array],
    norms: tuple[Array, Array, Array, Array],
    caches: tuple[int, Array, Array, Array],
    memory: Array,
    rows: tuple[Array, Array, Array, Array],
    whole: tuple[Array, Array, Array],
    results: tuple[Array, Array, Array],
    under_way: tuple[Array, Array, Array, Array, Array],
) -> None:
    """Lead the newest pieces of the rows under way through the decoder, up to the projection."""
    kinds, (pieces, here, some_rows, firsts, counts) = stack[4], under_way
    first_weight, first_shift, last_weight, last_shift = norms
    states, given = rows[0], rows[1]
    numbers, row_scales = whole[0], whole[2]
    embed(embedding[0], pieces, embedding[1], embedding[2], here, states)
    normalise(states, first_weight, first_shift, kinds[0], kinds[1], given, numbers, row_scales)
    decoder_step(
        stack[0], stack[1], stack[2], stack[3], kinds, stack[5],
        (caches[0], here, some_rows, caches[2], caches[3]), (memory, firsts, counts), rows, whole,
        results,
    )  # fmt: skip
    if last_weight.size:
        normalise(states, last_weight, last_shift, kinds[0], kinds[1], given, numbers, row_scales)


@compiled()
def _named(ids: Array, found: Array) -> None:
    """Turn places on lists into the pieces that stand there."""
    for i in range(found.shape[0]):
        for k in range(found.shape[1]):
            found[i, k] = ids[i, found[i, k]]


@compiled(makes_arrays=True)
def _find_best(
    projection: tuple[Array, Array, Array, Array],
    lists: tuple[Array, Array, Array, Array, Array],
    forbidden: Array,
    numbers: Array,
    row_scales: Array,
    order: Array,
    firsts: Array,
    counts: Array,
    values: Array,
    found: Array,
) -> bool:
    """Write the likeliest pieces of each row, best first; return whether all is a number."""
    weight, column_scales, bias, every = projection
    logits = every[: order.size]
    if lists[1].size:
        _gather(lists[2], order, firsts)
        _gather(lists[3], order, counts)
        ids = lists[4][: order.size]
        listed_whole(
            numbers, lists[0], row_scales, column_scales, lists[1], firsts, counts, ids, logits
        )
        if not best_of_rows(logits, forbidden, values, found):
            return False
        _named(ids, found)
        return True
    multiply_whole(numbers, row_scales, weight, column_scales, bias, logits)
    return best_of_rows(logits, forbidden, values, found)


@compiled(makes_arrays=True)
def take_step(
    stack: tuple[Any, ...],
    embedding: tuple[Array, Any, Array],
    norms: tuple[Array, Array, Array, Array],
    projection: tuple[Array, Array, Array, Array],
    lists: tuple[Array, Array, Array, Array, Array],
    caches: tuple[int, Array, Array, Array],
    across: tuple[Array, Array, Array],
    newest: tuple[Array, Array],
    rows: tuple[Array, Array, Array, Array],
    whole: tuple[Array, Array, Array],
    results: tuple[Array, Array, Array],
    forbidden: Array,
    order: Array,
    memory: tuple[Array, Array, Array, Array, Array],
    best: tuple[Array, Array],
) -> bool:
    """Lead the rows of `order` through a step; return whether the model's output is a number.

    They go `TOGETHER` at a time, so that rows, whole, results and logits need hold no more.

    stack: weights, scales, biases, norms, kinds and positions of `decoder_step`; embedding: table,
    its scale, what is added at positions; norms: weight and shift of the one before the layers and
    of the one behind them; projection: weight, scales and bias of `multiply_whole`, the logits;
    lists: table, entries, firsts, counts and ids of `listed_whole`, no entries where every piece
    may come; caches: now, rows_of, keys, values; across, rows, whole and results as `decoder_step`
    takes them; newest: pieces and positions of all rows; memory: `scratch`, the third of which are
    then the rows of the caches that each row has its past in; best: to these are written the
    log-probabilities and the pieces that may follow each row.
    """
    pieces, here, some_rows, firsts, counts = memory
    _gather_rows(caches[1], order, caches[0], some_rows)
    _gather(newest[0], order, pieces)
    _gather(newest[1], order, here)
    _gather(across[1], order, firsts)
    _gather(across[2], order, counts)
    for first in range(0, order.size, TOGETHER):
        some = order[first : first + TOGETHER]
        count, end = some.size, first + some.size
        numbers, row_scales = whole[0][:count], whole[2][:count]
        _lead_through(
            stack, embedding, norms, caches, across[0],
            (rows[0][:count], rows[1][:count], rows[2][:count], rows[3][:count]),
            (numbers, whole[1][:count], row_scales),
            (results[0][:count], results[1][:count], results[2][:count]),
            (
                pieces[first:end], here[first:end], some_rows[first:end], firsts[first:end],
                counts[first:end],
            ),
        )  # fmt: skip
        if not _find_best(
            projection, lists, forbidden, numbers, row_scales, some, firsts[:count],
            counts[:count], best[0][first:end], best[1][first:end],
        ):  # fmt: skip
            return False
    return True
