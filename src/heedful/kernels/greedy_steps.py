"""Several steps of greedy search in one call: no Python, and no waiting for its lock, in between.

Rows that have ended leave at once. Each step is that of `heedful.kernels.search_step`.
"""

__all__ = ["greedy_steps"]

from typing import Any

import numpy as np

from heedful.kernels.compiled import compiled
from heedful.kernels.search_step import LEAST, has_room, scratch, take_step

Array = np.ndarray[Any, np.dtype[Any]]


@compiled()
def _is_stuck(values: Array, count: int) -> bool:
    """Return whether nothing may follow one of the rows."""
    for i in range(count):  # noqa: SIM110 - numba knows no any()
        if values[i, 0] == LEAST:
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

    stack, embedding, norms, projection, lists, caches, across, rows, whole and results as
    `take_step` takes them; books: positions, newest pieces, all pieces, how many they are and may
    be, and log-probabilities; ends: forbidden pieces, the last piece, and the rows; clients: how
    many have left, which others write, and of how many it is known. It stops before a step when
    there are more, when the caches have no room for it, and when it finds no number, or nothing
    that may follow.
    """
    (now, rows_of, keys, values), (forbidden, end_id, least), (left, known) = caches, ends, clients
    positions, columns, count, steps = books[0], rows_of.shape[1], books[0].size, 0
    order, memory = np.arange(count), scratch(count, columns)
    best = (np.empty((count, 1), np.float32), np.empty((count, 1), np.int64))
    while count > least and left[0] == known and has_room(positions, order, count, columns):
        if not take_step(
            stack, embedding, norms, projection, lists, (now, rows_of, keys, values), across,
            (books[1], positions), rows, whole, results, forbidden, order[:count], memory, best,
        ) or _is_stuck(best[0], count):  # fmt: skip
            break
        count = _take(books, order, count, best[0], best[1], end_id)
        now = (now + 1) % columns
        steps += 1
    return steps
