"""Attention of a Transformer that translates, over caches, straight from the products before it.

`sums` of a product, times the scales of their row and column, plus a bias, are queries, keys and
values; the queries' weights hold the factor 1/sqrt(d_k). What is written to `out` is written as
whole numbers too, with their scale, where `whole` has room for it: see `heedful.kernels.whole`.
What a row gets depends on that row and its sentence alone. Called by `heedful.decode`, whose tests
compare every variant with the eager model.
"""

__all__ = ["attend_across", "attend_back", "attend_within"]

from typing import Any

import numpy as np

from heedful.kernels.compiled import compiled
from heedful.kernels.exponential import exp
from heedful.kernels.whole import dot, finish_row, quantise_row

Array = np.ndarray[Any, np.dtype[Any]]

_ZERO = np.float32(0)
_LEAST = np.float32(-np.inf)


@compiled("contract")
def _softmax(scores: Array, count: int) -> None:
    """Turn the first `count` scores into shares of one."""
    highest = _LEAST
    for j in range(count):
        highest = max(highest, scores[j])
    total = _ZERO
    for j in range(count):
        share = exp(scores[j] - highest)
        scores[j] = share
        total += share
    for j in range(count):
        scores[j] /= total


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
def _bias_of(query: Array, distance: int, slope: Any, table: Array) -> Any:
    """Return what ALiBi and Shaw add to a score; `distance` is key minus query position."""
    added = -slope * np.float32(abs(distance))
    if table.shape[0]:
        most = table.shape[0] // 2
        added += dot(query, table[min(max(distance, -most), most) + most])
    return added


@compiled("contract")
def _mix(
    query: Array,
    keys: Array,
    values: Array,
    places: Array,
    first: int,
    start: int,
    count: int,
    slope: Any,
    table: Array,
    scores: Array,
    out: Array,
) -> None:
    """Write one head's mixture of `count` positions, the last of which is the query's own.

    keys and values [rows columns width]; position j stands in column c = first + j, counted around
    from the last to the first, in row `places[c]`. The head's numbers begin at `start`.
    """
    d_k, columns = query.size, places.size
    for j in range(count):
        c = first + j if first + j < columns else first + j - columns
        scores[j] = dot(query, keys[places[c], c, start : start + d_k])
    if slope != _ZERO or table.shape[0]:
        for j in range(count):
            scores[j] += _bias_of(query, j - count + 1, slope, table)
    _softmax(scores, count)
    out[:] = _ZERO
    for j in range(count):
        c = first + j if first + j < columns else first + j - columns
        share, value = scores[j], values[places[c], c, start : start + d_k]
        for k in range(d_k):
            out[k] += share * value[k]


@compiled("contract")
def attend_back(
    sums: Array,
    row_scales: Array,
    column_scales: Array,
    bias: Array,
    heads: int,
    groups: int,
    now: int,
    positions: Array,
    places: Array,
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

    `sums` [R heads+2*groups d_k] are queries, keys and values. Row r stands at `positions[r]`; its
    new keys and values go to row r, column `now`, of the caches keys and values [R C groups*d_k],
    its earlier ones stand in the columns before, one a step, behind the first comes the last.
    `places` [R C] tells for each row in which row of the caches its position of a column stands.
    """
    width = out.shape[1]
    d_k = width // heads
    joint = np.empty(bias.size, np.float32)
    scores = np.empty(places.shape[1], np.float32)
    for r in range(sums.shape[0]):
        here = positions[r]
        finish_row(sums[r], row_scales[r], column_scales, bias, joint)
        if cosines.shape[0]:
            _turn(joint[: width + groups * d_k], d_k, cosines[here], sines[here])
        keys[r, now] = joint[width : width + groups * d_k]
        values[r, now] = joint[width + groups * d_k :]
        first = now - here if now >= here else now - here + places.shape[1]
        for h in range(heads):
            _mix(
                joint[h * d_k : (h + 1) * d_k],
                keys,
                values,
                places[r],
                first,
                h * groups // heads * d_k,
                here + 1,
                slopes[h],
                table,
                scores,
                out[r, h * d_k : (h + 1) * d_k],
            )
        if whole.shape[0]:
            scales[r] = quantise_row(out[r], whole[r])


@compiled("contract")
def _mix_rows(
    query: Array,
    memory: Array,
    first: int,
    last: int,
    key_at: int,
    value_at: int,
    here: int,
    slope: Any,
    table: Array,
    scores: Array,
    out: Array,
) -> None:
    """Write one head's mixture of some rows of a memory, for a query that stands at `here`."""
    d_k, count = query.size, last - first
    for j in range(count):
        scores[j] = dot(query, memory[first + j, key_at : key_at + d_k])
    if slope != _ZERO or table.shape[0]:
        for j in range(count):
            scores[j] += _bias_of(query, j - here, slope, table)
    _softmax(scores, count)
    out[:] = _ZERO
    for j in range(count):
        share, value = scores[j], memory[first + j, value_at : value_at + d_k]
        for k in range(d_k):
            out[k] += share * value[k]


@compiled()
def _longest(starts: Array) -> int:
    longest = 0
    for s in range(starts.size - 1):
        longest = max(longest, starts[s + 1] - starts[s])
    return longest


@compiled("contract")
def attend_across(
    sums: Array,
    row_scales: Array,
    column_scales: Array,
    bias: Array,
    heads: int,
    groups: int,
    memory: Array,
    offset: int,
    firsts: Array,
    counts: Array,
    out: Array,
    whole: Array,
    scales: Array,
    weights: Array,
) -> None:
    """Attention of every row to its sentence of the memory (section 3.2.3).

    `memory` [T N] holds keys and values of all layers of all pieces: those of this layer begin at
    column `offset`, those of row r are `counts[r]` pieces from `firsts[r]` on. To `weights` [R S],
    where it has rows, what is mixed by is added, the mean of all heads.
    """
    width = out.shape[1]
    d_k = width // heads
    query = np.empty(width, np.float32)
    nothing = np.empty((0, d_k), np.float32)
    scores = np.empty(counts.max(), np.float32)
    for r in range(sums.shape[0]):
        finish_row(sums[r], row_scales[r], column_scales, bias, query)
        first, last = firsts[r], firsts[r] + counts[r]
        for h in range(heads):
            key_at = offset + h * groups // heads * d_k
            mine = slice(h * d_k, (h + 1) * d_k)
            _mix_rows(
                query[mine],
                memory,
                first,
                last,
                key_at,
                key_at + groups * d_k,
                0,
                _ZERO,
                nothing,
                scores,
                out[r, mine],
            )
            if weights.shape[0]:
                for j in range(counts[r]):
                    weights[r, j] += scores[j] / np.float32(heads)
        if whole.shape[0]:
            scales[r] = quantise_row(out[r], whole[r])


@compiled("contract")
def attend_within(
    sums: Array,
    row_scales: Array,
    column_scales: Array,
    bias: Array,
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

    `sums` [T heads+2*groups d_k] as in `attend_back`, one sentence after another.
    """
    width = out.shape[1]
    d_k = width // heads
    joint = np.empty((_longest(starts), bias.size), np.float32)
    scores = np.empty(joint.shape[0], np.float32)
    for s in range(starts.size - 1):
        first, count = starts[s], starts[s + 1] - starts[s]
        for i in range(count):
            finish_row(sums[first + i], row_scales[first + i], column_scales, bias, joint[i])
            if cosines.shape[0]:
                _turn(joint[i, : width + groups * d_k], d_k, cosines[i], sines[i])
        for h in range(heads):
            key_at = width + h * groups // heads * d_k
            mine = slice(h * d_k, (h + 1) * d_k)
            for i in range(count):
                _mix_rows(
                    joint[i, mine],
                    joint,
                    0,
                    count,
                    key_at,
                    key_at + groups * d_k,
                    i,
                    slopes[h],
                    table,
                    scores,
                    out[first + i, mine],
                )
        if whole.shape[0]:
            for r in range(first, first + count):
                scales[r] = quantise_row(out[r], whole[r])
