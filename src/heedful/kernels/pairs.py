"""The product of rows and weights that are whole numbers, two neighbours at a time.

Two neighbours of 16 bits are multiplied and added to 32 bits in one instruction on every x86 and
ARM processor (`pmaddwd`, `smlal`), but a compiler finds it in few loops. So the innermost one is
written for LLVM: some rows by some columns at a time, each number loaded once for all of them. On
one core of Zen 1 it makes 18 billion products a second of four rows or more and 13 of one, where
float32 makes 17 of many and 7 of one.
"""

__all__ = ["multiply_pairs"]

from typing import Any

import numba
import numba.core.cgutils
import numpy as np
from llvmlite import ir
from numba.extending import intrinsic

from heedful.kernels.compiled import compiled
from heedful.kernels.vectors import FUSED, place

Array = np.ndarray[Any, np.dtype[Any]]

cgutils: Any = numba.core.cgutils  # neither says its types
types: Any = numba.types

LANES = 16
"""Numbers multiplied at once: as many of 16 bits as a register of AVX2 holds."""

BLOCK = 64
"""Columns of the weights that all rows are multiplied with before the next ones are loaded."""

_I8, _I16, _I32 = ir.IntType(8), ir.IntType(16), ir.IntType(32)
_HALF = LANES // 2


class _Dots:
    """Writes the code of `rows` by `columns` sums of products."""

    def __init__(self, builder: Any, arguments: Any, rows: int, columns: int) -> None:
        self.builder = builder
        self.given, self.stride, self.weight, self.count, self.out, self.width, *finish = arguments
        self.row_scales, self.column_scales, self.bias = finish
        self.places = [(r, c) for r in range(rows) for c in range(columns)]
        self.rows, self.columns = range(rows), range(columns)

    def write(self) -> None:
        """Write the loop over whole registers, then the one over what is left."""
        builder = self.builder
        zero = ir.Constant(ir.VectorType(_I32, _HALF), [0] * _HALF)
        sums = {place: cgutils.alloca_once_value(builder, zero) for place in self.places}
        registers = builder.udiv(self.count, self._number(LANES))
        with cgutils.for_range(builder, registers) as loop:
            self._add_register(builder.mul(loop.index, self._number(LANES)), sums)
        kind = ir.FunctionType(_I32, [zero.type])
        name = f"llvm.vector.reduce.add.v{_HALF}i32"
        reduce = cgutils.get_or_insert_function(builder.module, kind, name)
        totals = {
            place: cgutils.alloca_once_value(builder, builder.call(reduce, [builder.load(some)]))
            for place, some in sums.items()
        }
        done = builder.mul(registers, self._number(LANES))
        with cgutils.for_range(builder, builder.sub(self.count, done)) as loop:
            self._add_one(builder.add(loop.index, done), totals)
        for (r, c), total in totals.items():
            address = self._address(self.out, self.width, r, self._number(c))
            builder.store(self._result(builder.load(total), r, c), address)

    def _result(self, total: Any, row: int, column: int) -> Any:
        """Return a sum times the scales of its row and column, and a bias."""
        builder = self.builder
        numbers = ((self.row_scales, row), (self.column_scales, column), (self.bias, column))
        row_scale, column_scale, bias = (
            builder.load(builder.gep(begin, [self._number(at)])) for begin, at in numbers
        )
        scale = builder.fmul(row_scale, column_scale)
        product = builder.fmul(builder.sitofp(total, ir.FloatType()), scale, flags=FUSED)
        return builder.fadd(product, bias, flags=FUSED)

    def _add_register(self, k: Any, sums: dict[tuple[int, int], Any]) -> None:
        builder = self.builder
        weights = [self._wide(self.weight, self.count, c, k, _I8) for c in self.columns]
        rows = [self._wide(self.given, self.stride, r, k, _I16) for r in self.rows]
        for (r, c), total in sums.items():
            products = builder.mul(rows[r], weights[c])
            pairs = builder.add(self._every_other(products, 0), self._every_other(products, 1))
            builder.store(builder.add(builder.load(total), pairs), total)

    def _add_one(self, k: Any, totals: dict[tuple[int, int], Any]) -> None:
        builder = self.builder
        for (r, c), total in totals.items():
            one = builder.load(self._address(self.given, self.stride, r, k))
            other = builder.load(self._address(self.weight, self.count, c, k))
            product = builder.mul(builder.sext(one, _I32), builder.sext(other, _I32))
            builder.store(builder.add(builder.load(total), product), total)

    def _wide(self, begin: Any, stride: Any, row: int, k: Any, kind: Any) -> Any:
        """Load a register and widen its numbers to 32 bits, which no instruction really does."""
        builder = self.builder
        narrow = ir.VectorType(kind, LANES)
        place = builder.bitcast(self._address(begin, stride, row, k), narrow.as_pointer())
        found = builder.load(place, align=1)
        if kind is _I8:
            found = builder.sext(found, ir.VectorType(_I16, LANES))
        return builder.sext(found, ir.VectorType(_I32, LANES))

    def _every_other(self, products: Any, first: int) -> Any:
        chosen = ir.Constant(ir.VectorType(_I32, _HALF), list(range(first, LANES, 2)))
        return self.builder.shuffle_vector(products, products, chosen)

    def _address(self, begin: Any, stride: Any, row: int, k: Any) -> Any:
        offset = self.builder.mul(stride, self._number(row))
        return self.builder.gep(begin, [self.builder.add(k, offset)])

    def _number(self, value: int) -> Any:
        return ir.Constant(self.count.type, value)


def _dots(rows: int, columns: int) -> Any:
    """Return a function of rows (int16) and their stride, weights (int8) with rows of `count`,
    where the results are written (float32) and their stride, scales of rows and columns, bias.
    """

    def dots(
        context: Any, given: Any, stride: Any, weight: Any, count: Any, out: Any, width: Any,
        row_scales: Any, column_scales: Any, bias: Any,
    ) -> Any:  # fmt: skip
        def write(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
            _Dots(builder, arguments, rows, columns).write()
            return context.get_dummy_value()

        given_at, weight_at, real = map(types.CPointer, (types.int16, types.int8, types.float32))
        number = types.intp
        some = (given_at, number, weight_at, number, real, number)
        return types.void(*some, real, real, real), write

    return intrinsic(dots)


_four_rows, _two_rows = _dots(4, 1), _dots(2, 1)
_two_columns, _one = _dots(1, 2), _dots(1, 1)


@compiled()
def _multiply_block(
    wide: Array,
    row_scales: Array,
    weight: Array,
    column_scales: Array,
    bias: Array,
    out: Array,
    first: int,
    last: int,
) -> None:
    """Write the columns from first to last."""
    rows, count = wide.shape
    width, r = out.shape[1], 0
    while r < rows:
        given, scale = place(wide, r * count), place(row_scales, r)
        step = 1
        for n in range(first, last):
            some = (given, count, place(weight, n * count), count, place(out, r * width + n), width)
            finish = (scale, place(column_scales, n), place(bias, n))
            if rows - r >= 4:
                _four_rows(*some, *finish)
                step = 4
            elif rows - r >= 2:
                _two_rows(*some, *finish)
                step = 2
            elif n + 1 < last and (n - first) % 2 == 0:
                _two_columns(*some, *finish)  # four would leave the order memory is read ahead in
            elif (n - first) % 2 == 0:
                _one(*some, *finish)
        r += step


@compiled(makes_arrays=True)
def multiply_pairs(
    rows: Array, row_scales: Array, weight: Array, column_scales: Array, bias: Array, out: Array
) -> None:
    """Write rows W^T, scaled, and a bias, as `heedful.kernels.product` says."""
    wide, columns = rows.astype(np.int16), out.shape[1]
    for first in range(0, columns, BLOCK):
        last = min(first + BLOCK, columns)
        _multiply_block(wide, row_scales, weight, column_scales, bias, out, first, last)
