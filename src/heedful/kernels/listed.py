"""The logits of some pieces alone: those on the list of a row, each row with its own list."""

__all__ = ["listed", "listed_whole", "union"]

from typing import Any

import numba
import numba.core.cgutils
import numpy as np
from llvmlite import ir
from numba.extending import intrinsic

from heedful.kernels.compiled import compiled
from heedful.kernels.quads import LANES, four_by_four, start_of
from heedful.kernels.vectors import place
from heedful.kernels.whole import dot

Array = np.ndarray[Any, np.dtype[Any]]

cgutils: Any = numba.core.cgutils  # neither says its types
types: Any = numba.types

_LEAST = np.float32(-np.inf)
BYTES, FOUR = 4 * LANES, 4
"""Bytes of a register, and how many rows of the weights are multiplied with a row together."""

_I32 = ir.IntType(32)


def _write_four(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
    """Write the loop over registers, then the logits of the four."""
    given, size, start, row_scale, table, ids, column_scales, out = arguments
    register = ir.VectorType(_I32, LANES)
    shifts = ir.Constant(register, [-0x7F7F7F80] * LANES)  # adds 128 to each of four bytes
    entries = [builder.load(builder.gep(ids, [ir.Constant(size.type, n)])) for n in range(FOUR)]
    weights = [builder.gep(table, [builder.mul(entry, size)]) for entry in entries]
    totals = [
        cgutils.alloca_once_value(builder, ir.Constant(register, [0] * LANES)) for _ in weights
    ]
    with cgutils.for_range(builder, builder.udiv(size, ir.Constant(size.type, BYTES))) as loop:
        distance = builder.mul(loop.index, ir.Constant(size.type, BYTES))

        def load(begin: Any) -> Any:
            place = builder.bitcast(builder.gep(begin, [distance]), register.as_pointer())
            return builder.load(place, align=1)

        row = load(given)
        for weight, total in zip(weights, totals, strict=True):
            shifted = builder.xor(load(weight), shifts)
            builder.store(four_by_four(builder, builder.load(total), shifted, row), total)
    sums = _sums_of_four(builder, [builder.load(total) for total in totals])
    scales = [builder.load(builder.gep(column_scales, [entry])) for entry in entries]
    floats = ir.VectorType(ir.FloatType(), FOUR)
    sums = builder.sitofp(builder.add(sums, _together(builder, [start] * FOUR)), floats)
    scale = builder.fmul(_together(builder, [row_scale] * FOUR), _together(builder, scales))
    place = builder.bitcast(out, floats.as_pointer())
    builder.store(builder.fmul(sums, scale), place, align=4)
    return context.get_dummy_value()


def _together(builder: Any, numbers: list[Any]) -> Any:
    """Return a register of some numbers."""
    found = ir.Constant(ir.VectorType(numbers[0].type, len(numbers)), ir.Undefined)
    for lane, number in enumerate(numbers):
        found = builder.insert_element(found, number, ir.Constant(_I32, lane))
    return found


def _sums_of_four(builder: Any, registers: list[Any]) -> Any:
    """Return the sums of four registers, in a register of four."""

    def chosen(pair: list[Any], lanes: list[int]) -> Any:
        return builder.shuffle_vector(*pair, ir.Constant(ir.VectorType(_I32, len(lanes)), lanes))

    def added(pair: list[Any], lanes: list[int], behind: int) -> Any:
        both = [chosen(pair, lanes), chosen(pair, [lane + behind for lane in lanes])]
        return builder.add(*both)

    firsts = [lane + side for lane in range(0, LANES, 2) for side in (0, LANES)]
    pairs = [added(registers[at : at + 2], firsts, 1) for at in (0, 2)]
    firsts = [lane + n + side for lane in range(0, LANES, 4) for side in (0, LANES) for n in (0, 1)]
    sums, width = added(pairs, firsts, 2), LANES
    while width > FOUR:
        width //= 2
        sums = added([sums, sums], list(range(width)), width)
    return sums


def _four(
    context: Any, given: Any, size: Any, start: Any, row_scale: Any, table: Any, ids: Any,
    column_scales: Any, out: Any,
) -> Any:  # fmt: skip
    small, whole, real = map(types.CPointer, (types.int8, types.int64, types.float32))
    numbers = (types.intp, types.int32, types.float32)
    return types.void(small, *numbers, small, whole, real, real), _write_four


_four_of_quads: Any = intrinsic(_four)
"""Write the logits of four entries: of a row, its size, what its sums start at, and its scale."""


@compiled("reassoc")
def _whole_dot(first: Array, second: Array) -> Any:
    total = np.int32(0)
    for k in range(first.size):
        total += np.int32(first[k]) * np.int32(second[k])
    return np.float32(np.int32(total))


@compiled()
def _by_quads(
    row: Array, scale: Any, weight: Array, column_scales: Array, ids: Array, logits: Array
) -> int:
    """Write the logits of as many entries as there are whole fours of; return how many.

    Of rows that are not of whole registers there are none.
    """
    size, start = row.size, start_of(row)
    if size % BYTES:
        return 0
    done = ids.size // FOUR * FOUR
    for j in range(0, done, FOUR):
        _four_of_quads(
            place(row, 0), size, start, scale, place(weight, 0), place(ids, j),
            place(column_scales, 0), place(logits, j),
        )  # fmt: skip
    return done


@compiled()
def _by_none(
    row: Array, scale: Any, weight: Array, column_scales: Array, ids: Array, logits: Array
) -> int:
    return 0


_many = _by_quads if LANES else _by_none


@compiled()
def union(
    starts: Array, targets: Array, always: Array, ids: Array, marks: Array, out: Array
) -> int:
    """Write every number of some lists once, in ascending order; return how many they are.

    List i is targets[starts[i] : starts[i + 1]]; those of `ids` are taken, and `always`. `marks`
    are as many as there can be numbers, all False.
    """
    for n in always:
        marks[n] = True
    for i in ids:
        for j in range(starts[i], starts[i + 1]):
            marks[targets[j]] = True
    count = 0
    for n in range(marks.size):
        if marks[n]:
            out[count] = n
            count += 1
    return count


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
        count = counts[r]
        _copy_list(entries, firsts[r], count, ids[r], logits[r])
        done = _many(rows[r], row_scales[r], weight, column_scales, ids[r, :count], logits[r])
        for j in range(done, count):
            n = ids[r, j]
            logits[r, j] = _whole_dot(rows[r], weight[n]) * (row_scales[r] * column_scales[n])
