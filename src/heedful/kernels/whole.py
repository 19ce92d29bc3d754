"""Rows as whole numbers from -127 to 127, and products of few of them with weights of that kind.

A row's scale is its largest magnitude / 127, so that what it becomes depends on that row alone, and
sums of products of whole numbers are exact: in any order, in any company, on any machine the same.
Other files call `quantise_row`: numba's cache of a caller does not notice a change here; after one,
remove the caches (`compiled.py` says where they are).
"""

__all__ = ["finish", "multiply_few", "quantise", "quantise_row"]

from typing import Any

import numpy as np

from heedful.kernels.compiled import compiled

Array = np.ndarray[Any, np.dtype[Any]]

_ZERO = np.float32(0)
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


@compiled("contract", "reassoc")
def multiply_few(rows: Array, weight: Array, sums: Array) -> None:
    """Write rows W^T: rows [R K] and weight [N K] int8, sums [R N] float32 (exact for K <= 1,040).

    Each row of the weights is read once, for all rows: few rows are as fast as memory gives them.
    """
    for n in range(weight.shape[0]):
        column = weight[n]
        for r in range(rows.shape[0]):
            row = rows[r]
            total = np.int32(0)
            for k in range(column.size):
                total += np.int32(row[k]) * np.int32(column[k])
            sums[r, n] = np.float32(np.int32(total))  # numba's sum is int64: this narrows it


@compiled("contract")
def finish(sums: Array, row_scales: Array, column_scales: Array, bias: Array, out: Array) -> None:
    """Write the result of a product: its sums, scaled, and the bias."""
    for r in range(sums.shape[0]):
        scale = row_scales[r]
        for k in range(out.shape[1]):
            out[r, k] = np.float32(sums[r, k]) * (scale * column_scales[k]) + bias[k]
