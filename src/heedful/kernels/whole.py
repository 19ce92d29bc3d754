"""Rows as whole numbers from -127 to 127, and what is made of their products.

A row's scale is its largest magnitude / 127, so that what it becomes depends on that row alone, and
sums of products of whole numbers are exact: in any order, in any company, on any machine the same.
"""

__all__ = ["dot", "finish", "finish_row", "listed", "quantise", "quantise_row"]

from typing import Any

import numpy as np

from heedful.kernels.compiled import compiled

Array = np.ndarray[Any, np.dtype[Any]]

_ZERO = np.float32(0)
_LEAST = np.float32(-np.inf)
_LARGEST = np.float32(127)
_ALL_BUT_SIGN = np.int32(0x7FFFFFFF)
_TO_WHOLE = np.float32(1.5 * 2**23)  # added to a small float32, it leaves the nearest integer


@compiled("contract", "reassoc")
def _magnitude(row: Array) -> Any:
    """Return the largest magnitude of a row; numba vectorises this only for whole numbers."""
    bits = row.view(np.int32)
    largest = np.int32(0)
    for k in range(row.size):
        largest = max(largest, bits[k] & _ALL_BUT_SIGN)
    return np.int32(largest).view(np.float32)


@compiled()
def quantise_row(row: Array, out: Array) -> Any:
    """Write the whole numbers nearest to row / scale; return the scale."""
    top = _magnitude(row)
    factor = _LARGEST / top if top > _ZERO else _ZERO
    for k in range(row.size):
        out[k] = np.int8((row[k] * factor + _TO_WHOLE) - _TO_WHOLE)
    return top / _LARGEST


@compiled()
def quantise(states: Array, out: Array, scales: Array) -> None:
    """Do that for every row: states [R K] float32, out [R K] int8, scales [R]."""
    for r in range(states.shape[0]):
        scales[r] = quantise_row(states[r], out[r])


@compiled("contract")
def finish_row(sums: Array, row_scale: Any, column_scales: Array, bias: Array, out: Array) -> None:
    """Write one row of a product's result: its sums, scaled, and the bias."""
    for k in range(out.size):
        out[k] = np.float32(sums[k]) * (row_scale * column_scales[k]) + bias[k]


@compiled()
def finish(sums: Array, row_scales: Array, column_scales: Array, bias: Array, out: Array) -> None:
    """Do that for every row."""
    for r in range(sums.shape[0]):
        finish_row(sums[r], row_scales[r], column_scales, bias, out[r])


@compiled("contract", "reassoc")
def dot(first: Array, second: Array) -> Any:
    """Return the sum of products of float32 numbers."""
    total = _ZERO
    for k in range(first.size):
        total += first[k] * second[k]
    return total


@compiled("contract", "reassoc")
def _whole_dot(first: Array, second: Array) -> Any:
    total = np.int32(0)
    for k in range(first.size):
        total += np.int32(first[k]) * np.int32(second[k])
    return np.float32(np.int32(total))


@compiled()
def listed(
    rows: Array,
    weight: Array,
    whole: Array,
    whole_weight: Array,
    row_scales: Array,
    column_scales: Array,
    entries: Array,
    firsts: Array,
    counts: Array,
    ids: Array,
    logits: Array,
) -> None:
    """Write the products of each row with some rows of the weights, those that its list names.

    rows [R K] and weight [N K] are float32; in whole numbers, `whole` and `whole_weight` are int8
    and taken in their place. The list of row r is counts[r] of the `entries` from firsts[r] on; it
    is copied into ids [R L], and logits [R L] are -inf behind its end.
    """
    for r in range(ids.shape[0]):
        for j in range(ids.shape[1]):
            if j < counts[r]:
                n = entries[firsts[r] + j]
                ids[r, j] = n
                if whole.shape[0]:
                    total = _whole_dot(whole[r], whole_weight[n])
                    logits[r, j] = total * (row_scales[r] * column_scales[n])
                else:
                    logits[r, j] = dot(rows[r], weight[n])
            else:
                ids[r, j] = 0
                logits[r, j] = _LEAST
