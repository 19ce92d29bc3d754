"""Several steps of beam search in one call: no Python, and no waiting for its lock, in between.

The beams of all sentences grow side by side, as `heedful.search.beam` lets them grow; each step is
that of `heedful.kernels.search_step`. What ends is written down in the order in which it ends.
"""

__all__ = ["beam_steps"]

from typing import Any

import numpy as np

from heedful.kernels.compiled import compiled
from heedful.kernels.search_step import LEAST, has_room, scratch, take_step

Array = np.ndarray[Any, np.dtype[Any]]


@compiled()
def _under_way(log_prob: Array, going: Array, order: Array) -> int:
    """Write which rows are under way, and return how many."""
    count, beam = 0, log_prob.shape[1]
    for s in range(going.size):
        for w in range(beam):
            if going[s] and log_prob[s, w] > LEAST:
                order[count] = s * beam + w
                count += 1
    return count


@compiled()
def _end_of(order: Array, count: int, first: int, beam: int) -> int:
    """Return where the rows end that are of the same sentence as the one at `first`."""
    end, next_one = first + 1, (order[first] // beam + 1) * beam
    while end < count and order[end] < next_one:
        end += 1
    return end


@compiled()
def _is_stuck(values: Array, order: Array, count: int, beam: int) -> bool:
    """Return whether nothing may follow any of the rows of a sentence."""
    first = 0
    while first < count:
        end, possible = _end_of(order, count, first, beam), False
        for i in range(first, end):
            possible |= values[i, 0] > LEAST
        if not possible:
            return True
        first = end
    return False


@compiled()
def _choose(
    log_prob: Array, values: Array, order: Array, first: int, end: int, most: int,
    chosen: tuple[Array, Array, Array],
) -> int:  # fmt: skip
    """Write the best continuations of a sentence: total, row, rank; return how many there are.

    Of equal ones that of the better row comes first, then the likelier and then the lower piece.
    """
    totals, origins, ranks = chosen
    beam, filled = log_prob.shape[1], 0
    for i in range(first, end):
        so_far = log_prob[order[i] // beam, order[i] % beam]
        for k in range(values.shape[1]):
            total = so_far + values[i, k]
            if total == LEAST or (filled == most and not total > totals[most - 1]):
                break  # those behind it are no better
            at = min(filled, most - 1)
            while at > 0 and total > totals[at - 1]:
                totals[at], origins[at], ranks[at] = totals[at - 1], origins[at - 1], ranks[at - 1]
                at -= 1
            totals[at], origins[at], ranks[at] = total, i, k
            filled = min(filled + 1, most)
    return filled


@compiled()
def _put(
    books: tuple[Array, ...], s: int, order: Array, found: Array, filled: int,
    chosen: tuple[Array, Array, Array], rows_of: Array, some_rows: Array, spare: Array,
) -> None:  # fmt: skip
    """Let the rows of a sentence be what was chosen; the others are empty."""
    positions, newest, tokens, length, _, log_prob, _, _ = books
    totals, origins, ranks = chosen
    beam, behind = newest.shape[1], length[s]
    for w in range(filled):
        i = origins[w]
        for j in range(behind):
            spare[w, j] = tokens[s, order[i] - s * beam, j]
        for c in range(rows_of.shape[1]):
            rows_of[s * beam + w, c] = some_rows[i, c]
    for w in range(filled):
        for j in range(behind):
            tokens[s, w, j] = spare[w, j]
        newest[s, w] = tokens[s, w, behind] = found[origins[w], ranks[w]]
        log_prob[s, w] = totals[w]
    for w in range(filled, beam):
        log_prob[s, w] = LEAST
    for w in range(beam):
        positions[s * beam + w] += 1
    length[s] += 1


@compiled()
def _insert(best: Array, s: int, score: float) -> None:
    """Put a score among the best of a sentence."""
    at = best.shape[1]
    while at > 0 and score > best[s, at - 1]:
        if at < best.shape[1]:
            best[s, at] = best[s, at - 1]
        best[s, at - 1] = score
        at -= 1


@compiled()
def _part(
    books: tuple[Array, ...], s: int, end_id: int, penalties: Array,
    endings: tuple[Array, Array, Array, Array], written: int,
) -> int:  # fmt: skip
    """Write down the rows of a sentence that end; return how many are written by now."""
    _, newest, tokens, length, room, log_prob, width, best_ended = books
    numbers, shares, scores, pieces = endings
    for w in range(newest.shape[1]):
        ended = newest[s, w] == end_id
        if log_prob[s, w] == LEAST or not (ended or length[s] == room[s]):
            continue
        numbers[written, 0], numbers[written, 1] = s, w
        numbers[written, 2], numbers[written, 3] = length[s], ended
        shares[written], scores[written] = log_prob[s, w], log_prob[s, w] / penalties[length[s]]
        for j in range(length[s]):
            pieces[written, j] = tokens[s, w, j]
        if ended:
            width[s] -= 1
            _insert(best_ended, s, scores[written])
        log_prob[s, w] = LEAST
        written += 1
    return written


@compiled()
def _goes_on(log_prob: Array, s: int, last_penalty: float, least: float) -> bool:
    """Return whether what still grows can come to have a score above the least that counts."""
    best = LEAST
    for w in range(log_prob.shape[1]):
        best = max(best, log_prob[s, w])
    return bool(best / last_penalty > least)


@compiled()
def _grow(
    books: tuple[Array, ...], order: Array, count: int, best: tuple[Array, Array],
    chosen: tuple[Array, Array, Array], caches: tuple[Array, Array], spare: Array, end_id: int,
    penalties: tuple[Array, Array], endings: tuple[Array, Array, Array, Array], written: int,
    going: Array,
) -> int:  # fmt: skip
    """Let every sentence grow by a piece; return how many hypotheses are written down by now."""
    log_prob, width, best_ended = books[5], books[6], books[7]
    beam, least, first = log_prob.shape[1], best_ended.shape[1] - 1, 0
    while first < count:
        end, s = _end_of(order, count, first, beam), order[first] // beam
        filled = _choose(log_prob, best[0], order, first, end, width[s], chosen)
        _put(books, s, order, best[1], filled, chosen, caches[0], caches[1], spare)
        written = _part(books, s, end_id, penalties[0], endings, written)
        going[s] = _goes_on(log_prob, s, penalties[1][s], best_ended[s, least])
        first = end
    return written


@compiled()
def _count(going: Array) -> int:
    """Return how many sentences go on."""
    count = 0
    for s in range(going.size):
        count += going[s]
    return count


@compiled(makes_arrays=True)
def beam_steps(
    stack: tuple[Any, ...],
    embedding: tuple[Array, Any, Array],
    norms: tuple[Array, Array, Array, Array],
    projection: tuple[Array, Array, Array, Array],
    lists: tuple[Array, Array, Array, Array, Array],
    caches: tuple[int, Array, Array, Array],
    across: tuple[Array, Array, Array],
    books: tuple[Array, Array, Array, Array, Array, Array, Array, Array],
    rows: tuple[Array, Array, Array, Array],
    whole: tuple[Array, Array, Array],
    results: tuple[Array, Array, Array],
    ends: tuple[Array, int, int],
    clients: tuple[Array, int],
    penalties: tuple[Array, Array],
    endings: tuple[Array, Array, Array, Array],
) -> tuple[int, int]:
    """Take steps until no more than so many sentences go on.

    It returns how many steps that were, and how many hypotheses it has written to `endings`:
    sentence, slot, length and whether it is finished, log-probability, score, and pieces, with room
    for every row. All else is as `greedy_steps` takes it, but for the books: positions of rows,
    newest pieces [B W], all pieces, how many there are and may be of each sentence,
    log-probabilities of rows, the width left to a sentence, the best scores of what has ended; and
    for the penalties: of each length, and of the longest translation of each sentence. It stops
    where `greedy_steps` does; nothing may follow a sentence where that is so of all its rows.
    """
    (now, rows_of, keys, values), (forbidden, end_id, least), (left, known) = caches, ends, clients
    positions, newest, tokens, log_prob = books[0], books[1].reshape(-1), books[2], books[5]
    (sentences, beam), columns = log_prob.shape, rows_of.shape[1]
    every, most = sentences * beam, min(beam, projection[3].shape[1])
    order, going = np.empty(every, np.int64), np.ones(sentences, np.bool_)
    memory, spare = scratch(every, columns), np.empty((beam, tokens.shape[2]), np.int64)
    best = (np.empty((every, most), np.float32), np.empty((every, most), np.int64))
    chosen = (np.empty(beam, np.float32), np.empty(beam, np.int64), np.empty(beam, np.int64))
    steps = written = 0
    while _count(going) > least and left[0] == known:
        count = _under_way(log_prob, going, order)
        if not has_room(positions, order, count, columns):
            break
        if not take_step(
            stack, embedding, norms, projection, lists, (now, rows_of, keys, values), across,
            (newest, positions), rows, whole, results, forbidden, order[:count], memory, best,
        ) or _is_stuck(best[0], order, count, beam):  # fmt: skip
            break
        written = _grow(
            books, order, count, best, chosen, (rows_of, memory[2]), spare, end_id, penalties,
            endings, written, going,
        )  # fmt: skip
        now = (now + 1) % columns
        steps += 1
    return steps, written
