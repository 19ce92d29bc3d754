"""Attention of a Transformer that translates, over caches, straight from the products before it.

The queries' weights hold the factor 1/sqrt(d_k), but for those of `attend_text`. What is written
to `out` is written as whole numbers too, with their scale, where `whole` has room for it: see
`heedful.kernels.whole`. Keys and values are kept as `heedful.kernels.vectors` says. What a row gets
depends on that row and its sentence alone. Called by `heedful.decode`, whose tests compare every
variant with the eager model.
"""

__all__ = ["attend_across", "attend_back", "attend_text", "attend_within", "keep_memory"]

import math
from typing import Any

import numpy as np

from heedful.kernels.compiled import compiled
from heedful.kernels.exponential import exp
from heedful.kernels.vectors import WIDE, dots, fetch, keep, mixture, place
from heedful.kernels.whole import dot, quantise, quantise_row

Array = np.ndarray[Any, np.dtype[Any]]

_ZERO, _ONE = np.float32(0), np.float32(1)
_LEAST = np.float32(-np.inf)


@compiled("contract", "reassoc", "nnan", "nsz")
def _highest(scores: Array) -> Any:
    """Return the largest; a NaN among them makes every share one, whatever this is."""
    highest = _LEAST
    for j in range(scores.size):
        highest = max(highest, scores[j])
    return highest


@compiled("contract", "reassoc")
def _softmax(scores: Array, count: int) -> None:
    """Turn the first `count` scores into shares of one, `WIDE` at a time."""
    end = (count + WIDE - 1) // WIDE * WIDE
    scores[count:end] = _LEAST
    highest = _highest(scores[:end])
    total = _ZERO
    for start in range(0, end, WIDE):
        for j in range(start, start + WIDE):
            scores[j] = exp(scores[j] - highest)
        for j in range(start, start + WIDE):
            total += scores[j]
    factor = _ONE / total
    for j in range(end):
        scores[j] *= factor


@compiled(makes_arrays=True)
def _room(count: int) -> Array:
    """Return room for so many scores."""
    return np.empty(count + WIDE, np.float32)


@compiled("contract")
def _turn(heads: Array, d_k: int, cosine: Array, sine: Array) -> None:
    """Rotate each pair (i, i + d_k/2) of every head, as `heedful.nn.position` does."""
    half = d_k // 2
    for start in range(0, heads.size, d_k):
        for i in range(half):
            first, second = heads[start + i], heads[start + half + i]
            heads[start + i] = first * cosine[i] - second * sine[i]
            heads[start + half + i] = second * cosine[i] + first * sine[i]


@compiled("contract")
def _add_bias(scores: Array, count: int, query: Array, here: int, slope: Any, table: Array) -> None:
    """Add what ALiBi and Shaw add for a query that stands at `here`."""
    most = table.shape[0] // 2
    for j in range(count):
        distance = j - here
        scores[j] -= slope * np.float32(abs(distance))
        if table.shape[0]:
            scores[j] += dot(query, table[min(max(distance, -most), most) + most])


@compiled(makes_arrays=True)
def attend_back(
    joint: Array,
    heads: int,
    groups: int,
    now: int,
    positions: Array,
    rows_of: Array,
    keys: Array,
    values: Array,
    cosines: Array,
    sines: Array,
    slopes: Array,
    table: Array,
    out: Array,
    whole: Array,
    scales: Array,
) -> None:
    """Masked self-attention of one new position of every row (sections 3.2.1 and 3.2.3).

    `joint` [R heads+2*groups d_k] are queries, keys and values. Row r stands at `positions[r]`; its
    new keys and values go to column `now` of the caches keys and values [Q C groups*d_k], its
    earlier ones stand in the columns before, one a step, behind the first comes the last. `rows_of`
    [R C] tells for each row in which row of the caches its position of a column stands.
    """
    columns = rows_of.shape[1]
    _attend_back(
        joint, heads, groups, now, positions, rows_of, keys, values, cosines, sines, slopes, table,
        out, whole, scales, _room(columns), np.empty(columns, np.int64),
    )  # fmt: skip


@compiled("contract")
def _attend_back(
    joint: Array,
    heads: int,
    groups: int,
    now: int,
    positions: Array,
    rows_of: Array,
    keys: Array,
    values: Array,
    cosines: Array,
    sines: Array,
    slopes: Array,
    table: Array,
    out: Array,
    whole: Array,
    scales: Array,
    scores: Array,
    places: Array,
) -> None:
    width, depth, columns = out.shape[1], keys.shape[2], rows_of.shape[1]
    d_k = width // heads
    for r in range(joint.shape[0]):
        here = positions[r]
        if cosines.shape[0]:
            _turn(joint[r, : width + depth], d_k, cosines[here], sines[here])
        keep(joint[r, width : width + depth], keys[rows_of[r, now], now])
        keep(joint[r, width + depth :], values[rows_of[r, now], now])
        first = now - here if now >= here else now - here + columns
        for j in range(here + 1):
            c = first + j if first + j < columns else first + j - columns
            places[j] = (rows_of[r, c] * columns + c) * depth
        for h in range(heads):
            start, query = h * groups // heads * d_k, joint[r, h * d_k : (h + 1) * d_k]
            places_of, count = place(places, 0), here + 1
            dots(place(query, 0), place(keys, start), places_of, count, d_k, place(scores, 0))
            if slopes[h] != _ZERO or table.shape[0]:
                _add_bias(scores, count, query, here, slopes[h], table)
            _softmax(scores, count)
            mine = place(out, r * width + h * d_k)
            mixture(place(scores, 0), place(values, start), places_of, count, d_k, mine)
        if whole.shape[0]:
            scales[r] = quantise_row(out[r], whole[r])


@compiled("contract")
def attend_text(
    joint: Array,
    heads: int,
    groups: int,
    here: int,
    keys: Array,
    values: Array,
    cosine: Array,
    sine: Array,
    out: Array,
    scores: Array,
    places: Array,
) -> None:
    """Masked self-attention of the newest position of the only text.

    `joint` [heads+2*groups d_k] is its query, key and value, keys and values [groups C d_k] are
    those of the text, cosine and sine [d_k/2] those of position `here`, or empty. There must be
    room in `scores` and `places` for all positions up to this one, and `WIDE` more.
    """
    columns, d_k = keys.shape[1], keys.shape[2]
    width, depth, count = heads * d_k, groups * d_k, here + 1
    if cosine.size:
        _turn(joint[: width + depth], d_k, cosine, sine)
    for g in range(groups):
        start = width + g * d_k
        keep(joint[start : start + d_k], keys[g, here])
        keep(joint[start + depth : start + depth + d_k], values[g, here])
    factor = _ONE / np.float32(math.sqrt(d_k))
    for k in range(width):
        joint[k] *= factor
    for j in range(count):
        places[j] = j * d_k
    for h in range(heads):
        start, at = h * groups // heads * columns * d_k, place(places, 0)
        dots(place(joint, h * d_k), place(keys, start), at, count, d_k, place(scores, 0))
        _softmax(scores, count)
        mixture(place(scores, 0), place(values, start), at, count, d_k, place(out, h * d_k))


@compiled()
def keep_memory(results: Array, memory: Array, first: int) -> None:
    """Keep keys and values of all layers, results [S L*N], in memory [L T N], from `first` on."""
    width = memory.shape[2]
    for s in range(results.shape[0]):
        for layer in range(memory.shape[0]):
            start = layer * width
            keep(results[s, start : start + width], memory[layer, first + s])


@compiled(makes_arrays=True)
def attend_across(
    queries: Array,
    heads: int,
    groups: int,
    memory: Array,
    firsts: Array,
    counts: Array,
    out: Array,
    whole: Array,
    scales: Array,
    weights: Array,
) -> None:
    """Attention of every row to its sentence of the memory (section 3.2.3).

    `memory` [T 2*groups*d_k] holds keys and values of all pieces, those of row r are `counts[r]`
    from `firsts[r]` on. To `weights` [R S], where it has rows, what is mixed by is added, the mean
    of all heads.
    """
    longest = 0
    for r in range(counts.size):
        longest = max(longest, counts[r])
    _attend_across(
        queries, heads, groups, memory, firsts, counts, out, whole, scales, weights,
        _room(longest), np.empty(longest, np.int64),
    )  # fmt: skip


@compiled("contract")
def _attend_across(
    queries: Array,
    heads: int,
    groups: int,
    memory: Array,
    firsts: Array,
    counts: Array,
    out: Array,
    whole: Array,
    scales: Array,
    weights: Array,
    scores: Array,
    places: Array,
) -> None:
    width, depth = out.shape[1], memory.shape[1] // 2
    d_k = width // heads
    for r in range(queries.shape[0]):
        count = counts[r]
        if r + 1 < queries.shape[0] and firsts[r + 1] != firsts[r]:
            fetch(place(memory, firsts[r + 1] * 2 * depth), counts[r + 1] * 2 * depth)
        for j in range(count):
            places[j] = (firsts[r] + j) * 2 * depth
        for h in range(heads):
            start, at = h * groups // heads * d_k, r * width + h * d_k
            query, key, value = place(queries, at), place(memory, start), depth + start
            dots(query, key, place(places, 0), count, d_k, place(scores, 0))
            _softmax(scores, count)
            mine = place(out, at)
            mixture(place(scores, 0), place(memory, value), place(places, 0), count, d_k, mine)
            if weights.shape[0]:
                for j in range(count):
                    weights[r, j] += scores[j] / np.float32(heads)
        if whole.shape[0]:
            scales[r] = quantise_row(out[r], whole[r])


@compiled("contract")
def _attend_within_one(
    joint: Array,
    heads: int,
    groups: int,
    cosines: Array,
    sines: Array,
    slopes: Array,
    table: Array,
    scores: Array,
    places: Array,
    out: Array,
) -> None:
    """Let every piece of one sentence attend to all of it."""
    count, whole_width = joint.shape
    width = out.shape[1]
    d_k = width // heads
    for i in range(count):
        if cosines.shape[0]:
            _turn(joint[i, : width + groups * d_k], d_k, cosines[i], sines[i])
        places[i] = i * whole_width
    for h in range(heads):
        start = width + h * groups // heads * d_k
        keys, values = place(joint, start), place(joint, start + groups * d_k)
        for i in range(count):
            query = joint[i, h * d_k : (h + 1) * d_k]
            dots(place(query, 0), keys, place(places, 0), count, d_k, place(scores, 0))
            if slopes[h] != _ZERO or table.shape[0]:
                _add_bias(scores, count, query, i, slopes[h], table)
            _softmax(scores, count)
            mine = place(out, i * width + h * d_k)
            mixture(place(scores, 0), values, place(places, 0), count, d_k, mine)


@compiled(makes_arrays=True)
def attend_within(
    joint: Array,
    heads: int,
    groups: int,
    starts: Array,
    cosines: Array,
    sines: Array,
    slopes: Array,
    table: Array,
    out: Array,
    whole: Array,
    scales: Array,
) -> None:
    """Self-attention of the encoder: every piece of a sentence to all of it (section 3.2.3).

    `joint` [T heads+2*groups d_k] as in `attend_back`, one sentence after another; it is changed.
    """
    longest = 0
    for s in range(starts.size - 1):
        longest = max(longest, starts[s + 1] - starts[s])
    scores, places = _room(longest), np.empty(longest, np.int64)
    for s in range(starts.size - 1):
        mine = slice(starts[s], starts[s + 1])
        _attend_within_one(
            joint[mine], heads, groups, cosines, sines, slopes, table, scores, places, out[mine]
        )
    if whole.shape[0]:
        quantise(out, whole, scales)
