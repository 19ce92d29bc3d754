"""The logits of some pieces alone: those on the list of a row, each row with its own list."""

__all__ = ["listed", "listed_whole"]

from typing import Any

import numba
import numba.core.cgutils
import numpy as np
from llvmlite import ir
from numba.extending import intrinsic

from heedful.kernels.compiled import compiled
from heedful.kernels.quads import LANES, four_by_four
from heedful.kernels.vectors import place
from heedful.kernels.whole import dot

Array = np.ndarray[Any, np.dtype[Any]]

cgutils: Any = numba.core.cgutils  # neither says its types
types: Any = numba.types

_LEAST = np.float32(-np.inf)
_BYTES = 4 * LANES


def _write_quads(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
    """Write the loop over registers: the sum of products of a row and weights with 128 added."""
    given, weight, registers = arguments
    register = ir.VectorType(ir.IntType(32), LANES)
    bits = ir.Constant(register, [-0x7F7F7F80] * LANES)
    total = cgutils.alloca_once_value(builder, ir.Constant(register, [0] * LANES))
    with cgutils.for_range(builder, registers) as loop:
        distance = builder.mul(loop.index, ir.Constant(registers.type, _BYTES))
        places = [builder.gep(begin, [distance]) for begin in (given, weight)]
        row, whole = (
            builder.load(builder.bitcast(place, register.as_pointer()), align=1) for place in places
        )
        sums = four_by_four(builder, builder.load(total), builder.xor(whole, bits), row)
        builder.store(sums, total)
    kind = ir.FunctionType(ir.IntType(32), [register])
    reduce = cgutils.get_or_insert_function(
        builder.module, kind, f"llvm.vector.reduce.add.v{LANES}i32"
    )
    return builder.call(reduce, [builder.load(total)])


def _quads(context: Any, given: Any, weight: Any, registers: Any) -> Any:
    small = types.CPointer(types.int8)
    return types.int32(small, small, types.intp), _write_quads


_sum_of_quads: Any = intrinsic(_quads)


@compiled()
def _dot_by_quads(rows: Array, r: int, weight: Array, n: int, start: Any) -> Any:
    size = rows.shape[1]
    registers = size // _BYTES
    total = _sum_of_quads(place(rows, r * size), place(weight, n * size), registers) + start
    for k in range(registers * _BYTES, rows.shape[1]):
        total += np.int32(rows[r, k]) * np.int32(weight[n, k])
    return np.int32(total)


@compiled("reassoc")
def _start_of(row: Array) -> Any:
    """Return -128 times the sum of a row's whole registers."""
    total = np.int32(0)
    for k in range(row.size // _BYTES * _BYTES):
        total += np.int32(row[k])
    return np.int32(-128 * total)


@compiled("reassoc")
def _plain_dot(rows: Array, r: int, weight: Array, n: int, start: Any) -> Any:
    total = np.int32(0)
    for k in range(rows.shape[1]):
        total += np.int32(rows[r, k]) * np.int32(weight[n, k])
    return np.int32(total)


@compiled()
def _no_start(row: Array) -> Any:
    return np.int32(0)


_dot, _start = (_dot_by_quads, _start_of) if LANES else (_plain_dot, _no_start)


@compiled()
def _copy_list(entries: Array, first: int, count: int, ids: Array, logits: Array) -> None:
    """Write the list of a row, and what stands behind its end."""
    for j in range(count):
        ids[j] = entries[first + j]
    for j in range(count, ids.size):
        ids[j] = 0
        logits[j] = _LEAST


@compiled()
def listed(
    rows: Array,
    weight: Array,
    entries: Array,
    firsts: Array,
    counts: Array,
    ids: Array,
    logits: Array,
) -> None:
    """Write the products of each row with some rows of the weights, those that its list names.

    rows [R K] and weight [N K] are float32. The list of row r is counts[r] of the `entries` from
    firsts[r] on; it is copied into ids [R L], and logits [R L] are -inf behind its end.
    """
    for r in range(ids.shape[0]):
        _copy_list(entries, firsts[r], counts[r], ids[r], logits[r])
        for j in range(counts[r]):
            logits[r, j] = dot(rows[r], weight[ids[r, j]])


@compiled()
def listed_whole(
    rows: Array,
    weight: Array,
    row_scales: Array,
    column_scales: Array,
    entries: Array,
    firsts: Array,
    counts: Array,
    ids: Array,
    logits: Array,
) -> None:
    """Do that for rows and weights in whole numbers, int8 with their scales."""
    for r in range(ids.shape[0]):
        _copy_list(entries, firsts[r], counts[r], ids[r], logits[r])
        start = _start(rows[r])
        for j in range(counts[r]):
            n = ids[r, j]
            total = np.float32(_dot(rows, r, weight, n, start))
            logits[r, j] = total * (row_scales[r] * column_scales[n])
