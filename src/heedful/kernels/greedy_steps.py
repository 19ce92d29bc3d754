"""Several steps of greedy search in one call: no Python, and no waiting for its lock, in between.

Rows that have ended leave at once; the others are computed side by side without a gap. It is the
same kernels in the same order as `heedful.decode.fused` calls them for one step.
"""

__all__ = ["greedy_steps"]

from typing import Any

import numpy as np

from heedful.kernels.compiled import compiled
from heedful.kernels.decoder_step import decoder_step
from heedful.kernels.listed import listed_whole
from heedful.kernels.product import multiply_whole
from heedful.kernels.rows import best_of_rows, embed, normalise

Array = np.ndarray[Any, np.dtype[Any]]

_LEAST = np.float32(-np.inf)


@compiled()
def _gather(numbers: Array, order: Array, count: int, out: Array) -> None:
    """Write what belongs to the rows under way."""
    for i in range(count):
        out[i] = numbers[order[i]]


@compiled()
def _gather_rows(rows_of: Array, order: Array, count: int, now: int, out: Array) -> None:
    """Let row i of the caches be the newest of the i-th row under way; write all its rows."""
    for i in range(count):
        rows_of[order[i], now] = i
        for c in range(rows_of.shape[1]):
            out[i, c] = rows_of[order[i], c]


@compiled()
def _has_room(positions: Array, order: Array, count: int, columns: int) -> bool:
    """Return whether the caches have a column for the next position of every row."""
    for i in range(count):  # noqa: SIM110 - numba knows no all()
        if positions[order[i]] >= columns:
            return False
    return True


@compiled()
def _is_stuck(values: Array, count: int) -> bool:
    """Return whether nothing may follow one of the rows."""
    for i in range(count):  # noqa: SIM110 - numba knows no any()
        if values[i, 0] == _LEAST:
            return True
    return False


@compiled()
def _take(
    books: tuple[Array, ...], order: Array, count: int, values: Array, found: Array, end_id: int
) -> int:
    """Put the pieces into the books; leave the rows under way in `order`, return how many."""
    positions, newest, tokens, length, room, log_prob = books
    left = 0
    for i in range(count):
        row, piece = order[i], found[i, 0]
        tokens[row, length[row]] = piece
        newest[row] = piece
        length[row] += 1
        positions[row] += 1
        log_prob[row] += values[i, 0]
        if piece != end_id and length[row] < room[row]:
            order[left] = row
            left += 1
    return left


@compiled()
def _named(ids: Array, count: int, found: Array) -> None:
    """Turn places on lists into the pieces that stand there."""
    for i in range(count):
        found[i, 0] = ids[i, found[i, 0]]


@compiled(makes_arrays=True)
def _lead_through(
    stack: tuple[Any, ...],
    embedding: tuple[Array, Any, Array],
    norms: tuple[Array, Array, Array, Array],
    caches: tuple[int, Array, Array],
    memory: Array,
    rows: tuple[Array, Array, Array, Array],
    whole: tuple[Array, Array, Array],
    results: tuple[Array, Array, Array],
    under_way: tuple[Array, Array, Array, Array, Array],
) -> None:
    """Lead the newest pieces of the rows under way through the decoder, up to the projection.

    under_way: pieces, positions, rows of the caches, first pieces and counts of the memory.
    """
    kinds, (pieces, here, some_rows, firsts, counts) = stack[4], under_way
    first_weight, first_shift, last_weight, last_shift = norms
    states, given = rows[0], rows[1]
    numbers, row_scales = whole[0], whole[2]
    embed(embedding[0], pieces, embedding[1], embedding[2], here, states)
    normalise(states, first_weight, first_shift, kinds[0], kinds[1], given, numbers, row_scales)
    decoder_step(
        stack[0], stack[1], stack[2], stack[3], kinds, stack[5],
        (caches[0], here, some_rows, caches[1], caches[2]), (memory, firsts, counts), rows, whole,
        results,
    )  # fmt: skip
    if last_weight.size:
        normalise(states, last_weight, last_shift, kinds[0], kinds[1], given, numbers, row_scales)


@compiled(makes_arrays=True)
def _find_best(
    projection: tuple[Array, Array, Array, Array],
    lists: tuple[Array, Array, Array, Array, Array],
    forbidden: Array,
    numbers: Array,
    row_scales: Array,
    order: Array,
    scratch: tuple[Array, Array],
    values: Array,
    found: Array,
) -> bool:
    """Write the likeliest piece of each row; return whether it is a number and may be taken."""
    count = numbers.shape[0]
    weight, column_scales, bias, every = projection
    logits = every[:count]
    if lists[1].size:
        firsts, counts = scratch
        _gather(lists[2], order, count, firsts)
        _gather(lists[3], order, count, counts)
        listed_whole(
            numbers, lists[0], row_scales, column_scales, lists[1], firsts[:count], counts[:count],
            lists[4][:count], logits,
        )  # fmt: skip
    else:
        multiply_whole(numbers, row_scales, weight, column_scales, bias, logits)
    if not best_of_rows(logits, forbidden, values[:count], found[:count]):
        return False
    if _is_stuck(values, count):
        return False
    if lists[1].size:
        _named(lists[4], count, found)
    return True


@compiled(makes_arrays=True)
def greedy_steps(
    stack: tuple[Any, ...],
    embedding: tuple[Array, Any, Array],
    norms: tuple[Array, Array, Array, Array],
    projection: tuple[Array, Array, Array, Array],
    lists: tuple[Array, Array, Array, Array, Array],
    caches: tuple[int, Array, Array, Array],
    across: tuple[Array, Array, Array],
    books: tuple[Array, Array, Array, Array, Array, Array],
    rows: tuple[Array, Array, Array, Array],
    whole: tuple[Array, Array, Array],
    results: tuple[Array, Array, Array],
    ends: tuple[Array, int, int],
    clients: tuple[Array, int],
) -> int:
    """Take steps until no more than so many rows are under way; return how many steps that were.

    stack: weights, scales, biases, norms, kinds and positions of `decoder_step`; embedding: table,
    its scale, what is added at positions; norms: weight and shift of the one before the layers and
    of the one behind them; projection: weight, scales and bias of `multiply_whole`, the logits;
    lists: table, entries, firsts, counts and ids of `listed_whole`, no entries where every piece
    may come; caches: now, rows_of, keys, values; across, rows, whole and results as `decoder_step`
    takes them; books: positions, newest pieces, all pieces, how many they are and may be, and
    log-probabilities; ends: forbidden pieces, the last piece, and the rows; clients: how many have
    left, which others write, and of how many it is known. It stops before a step when there are
    more, when the caches have no room for it, and when it finds no number, or nothing that may
    follow.
    """
    (now, rows_of, keys, values), (memory, firsts, counts) = caches, across
    positions, newest, (forbidden, end_id, least), (left, known) = books[0], books[1], ends, clients
    every, columns = positions.size, rows_of.shape[1]
    order, pieces, here = np.arange(every), np.empty(every, np.int64), np.empty(every, np.int64)
    some_rows = np.empty((every, columns), np.int32)
    some_firsts, some_counts = np.empty(every, np.int64), np.empty(every, np.int64)
    found, shares = np.empty((every, 1), np.int64), np.empty((every, 1), np.float32)
    count, steps = every, 0
    while count > least and left[0] == known and _has_room(positions, order, count, columns):
        _gather_rows(rows_of, order, count, now, some_rows)
        for numbers, out in (
            (positions, here), (newest, pieces), (firsts, some_firsts), (counts, some_counts)
        ):  # fmt: skip
            _gather(numbers, order, count, out)
        _lead_through(
            stack, embedding, norms, (now, keys, values), memory,
            (rows[0][:count], rows[1][:count], rows[2][:count], rows[3][:count]),
            (whole[0][:count], whole[1][:count], whole[2][:count]),
            (results[0][:count], results[1][:count], results[2][:count]),
            (pieces[:count], here[:count], some_rows[:count], some_firsts[:count],
             some_counts[:count]),
        )  # fmt: skip
        if not _find_best(
            projection, lists, forbidden, whole[0][:count], whole[2][:count], order,
            (some_firsts, some_counts), shares, found,
        ):  # fmt: skip
            break
        count = _take(books, order, count, shares, found, end_id)
        now = (now + 1) % columns
        steps += 1
    return steps
