"""Rows as whole numbers from -127 to 127, and what is made of their products.

A row's scale is its largest magnitude / 127, so that what it becomes depends on that row alone, and
sums of products of whole numbers are exact: in any order, in any company, on any machine the same.
"""

__all__ = ["dot", "quantise", "quantise_finely", "quantise_row"]

from typing import Any

import numpy as np

from heedful.kernels.compiled import compiled

Array = np.ndarray[Any, np.dtype[Any]]

_ZERO = np.float32(0)
_LARGEST = np.float32(127)
_ALL_BUT_SIGN = np.int32(0x7FFFFFFF)
_TO_WHOLE = np.float32(1.5 * 2**23)  # added to a small float32, it leaves the nearest integer

_FINER = np.float32(254)


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
def quantise_finely(row: Array, out: Array, scales: Array) -> None:
    """Write a row as the sum of two: out [2 K] whole numbers, scales [2].

    What the nearest whole numbers leave of it is at most a half, and becomes 127 steps of that.
    """
    top = _magnitude(row)
    factor = _LARGEST / top if top > _ZERO else _ZERO
    for k in range(row.size):
        scaled = row[k] * factor
        nearest = (scaled + _TO_WHOLE) - _TO_WHOLE
        out[0, k] = np.int8(nearest)
        out[1, k] = np.int8(((scaled - nearest) * _FINER + _TO_WHOLE) - _TO_WHOLE)
    scales[0] = top / _LARGEST
    scales[1] = top / _LARGEST / _FINER


@compiled()
def quantise(states: Array, out: Array, scales: Array) -> None:
    """Do that for every row: states [R K] float32, out [R K] int8, scales [R]."""
    for r in range(states.shape[0]):
        scales[r] = quantise_row(states[r], out[r])


@compiled("contract", "reassoc")
def dot(first: Array, second: Array) -> Any:
    """Return the sum of products of float32 numbers."""
    total = _ZERO
    for k in range(first.size):
        total += first[k] * second[k]
    return total
