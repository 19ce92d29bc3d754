"""The product of rows and weights that are whole numbers, four neighbours at a time.

Processors with VNNI multiply four pairs of 8 bits and add them to 32 bits in each lane of a
register, in one instruction (`vpdpbusd`), which no compiler finds; the innermost loop is written
for LLVM. One of the two must be without a sign: weights are kept with 128 added to each, which
makes every sum larger by 128 times the sum of its row; sums begin at that, negative. Each weight is
loaded once for all rows of a tile, each number of a row once for all its columns, and weights lie
in the order that they are loaded in. On one core of Zen 5 this makes 500 billion products a second
of eight rows or more (a register a cycle and half), 300 of four and 90 to 150 of one; oneDNN, that
PyTorch multiplies with, 450, 40 and 10 to 15.
"""

__all__ = ["LANES", "four_by_four", "multiply_quads", "start_of"]

from typing import Any

import numba
import numba.core.cgutils
import numpy as np
from llvmlite import ir
from numba.extending import intrinsic

from heedful.kernels.compiled import compiled
from heedful.kernels.layout import LANES
from heedful.kernels.vectors import FUSED, place

Array = np.ndarray[Any, np.dtype[Any]]

cgutils: Any = numba.core.cgutils  # neither says its types
types: Any = numba.types


PANELS, PANELS_OF_FEW = 2, 4
"""Panels of a tile, of several rows and of one or two."""

AT_ONCE = 4
"""Steps of a tile of one row between two looks at the loop's end."""

_I32, _F32 = ir.IntType(32), ir.FloatType()
_REGISTER, _FLOATS = ir.VectorType(_I32, LANES or 1), ir.VectorType(_F32, LANES or 1)


def four_by_four(builder: Any, sums: Any, weight: Any, row: Any) -> Any:
    """Return the sums and, in each lane, four products of weights without a sign and a row."""
    kind = ir.FunctionType(_REGISTER, [_REGISTER] * 3)
    name = f"llvm.x86.avx512.vpdpbusd.{32 * LANES}"
    instruction = cgutils.get_or_insert_function(builder.module, kind, name)
    return builder.call(instruction, [sums, weight, row])


class _Tile:
    """Writes `rows` by `panels` registers of sums; rows beyond the last are it again."""

    def __init__(self, builder: Any, arguments: Any, rows: int, panels: int) -> None:
        self.builder = builder
        given, stride, weight, panel, self.quads, starts, last, *finish = arguments
        out, width, row_scales, self.column_scales, self.bias = finish
        place = [self._number(0)]
        for r in range(1, rows):
            place.append(builder.select(self._is_beyond(last, r), last, self._number(r)))
        self.rows = [self._at(given, r, stride) for r in place]
        self.outs = [self._at(out, r, width) for r in place]
        self.row_scales = [builder.gep(row_scales, [r]) for r in place]
        self.panels = [self._at(weight, self._number(c), panel) for c in range(panels)]
        self.sums = {}
        for r in range(rows):
            start = self._everywhere(builder.load(builder.gep(starts, [place[r]])))
            for c in range(panels):
                self.sums[r, c] = cgutils.alloca_once_value(builder, start)

    def write(self, at_once: int) -> None:
        """Write the loop, some steps at once, then the one over what is left; then the results."""
        builder, many = self.builder, self._number(at_once)
        whole = builder.udiv(self.quads, many)
        with cgutils.for_range(builder, whole) as loop:
            first = builder.mul(loop.index, many)
            for step in range(at_once):
                self._add(builder.add(first, self._number(step)))
        done = builder.mul(whole, many)
        with cgutils.for_range(builder, builder.sub(self.quads, done)) as loop:
            self._add(builder.add(loop.index, done))
        for c in range(len(self.panels)):
            self._finish(c)

    def _add(self, quad: Any) -> None:
        """Multiply the four numbers `quad` of each row with those of each column."""
        builder = self.builder
        weights = [self._load(panel, quad, _REGISTER, 4 * LANES) for panel in self.panels]
        for r, row in enumerate(self.rows):
            four = self._everywhere(self._load(row, quad, _I32, 4))
            for c, weight in enumerate(weights):
                total = self.sums[r, c]
                builder.store(four_by_four(builder, builder.load(total), weight, four), total)

    def _finish(self, panel: int) -> None:
        """Write the results of a panel: its sums times the scales of row and column, and a bias."""
        builder, at = self.builder, self._number(LANES * panel)

        def floats(begin: Any) -> Any:
            return builder.bitcast(builder.gep(begin, [at]), _FLOATS.as_pointer())

        scales = builder.load(floats(self.column_scales), align=4)
        bias = builder.load(floats(self.bias), align=4)
        for r, out in enumerate(self.outs):
            scale = builder.fmul(self._everywhere(builder.load(self.row_scales[r])), scales)
            sums = builder.sitofp(builder.load(self.sums[r, panel]), _FLOATS)
            result = builder.fadd(builder.fmul(sums, scale, flags=FUSED), bias, flags=FUSED)
            builder.store(result, floats(out), align=4)

    def _load(self, begin: Any, index: Any, kind: Any, size: int) -> Any:
        place = self.builder.gep(begin, [self.builder.mul(index, self._number(size))])
        return self.builder.load(self.builder.bitcast(place, kind.as_pointer()), align=1)

    def _everywhere(self, number: Any) -> Any:
        """Return a register with this number in every lane."""
        nothing = ir.Constant(ir.VectorType(number.type, LANES), ir.Undefined)
        one = self.builder.insert_element(nothing, number, ir.Constant(_I32, 0))
        return self.builder.shuffle_vector(one, nothing, ir.Constant(_REGISTER, [0] * LANES))

    def _at(self, begin: Any, count: Any, step: Any) -> Any:
        """Return an address so many steps behind another."""
        return self.builder.gep(begin, [self.builder.mul(step, count)])

    def _is_beyond(self, last: Any, row: int) -> Any:
        return self.builder.icmp_signed("<", last, self._number(row))

    def _number(self, value: int) -> Any:
        return ir.Constant(self.quads.type, value)


def _tile(rows: int, panels: int, at_once: int = 1) -> Any:
    """Return a function that multiplies up to so many rows with so many panels.

    Its arguments: the rows (int8) and their stride; the panels (int8), the size of one and the
    quads of a row; what the sums start at (int32); the number of the last row; where the results
    are written (float32) and their stride; scales of the rows and of the columns, bias.
    """
    small, whole, real = map(types.CPointer, (types.int8, types.int32, types.float32))
    number = types.intp
    some = (small, number, small, number, number, whole, number)
    takes = types.void(*some, real, number, real, real, real)

    def write(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        _Tile(builder, arguments, rows, panels).write(at_once)
        return context.get_dummy_value()

    def tile(
        context: Any, given: Any, stride: Any, weight: Any, panel: Any, quads: Any, starts: Any,
        last: Any, out: Any, width: Any, row_scales: Any, column_scales: Any, bias: Any,
    ) -> Any:  # fmt: skip
        return takes, write

    return intrinsic(tile)


_eight_rows, _eight_rows_of_one = _tile(8, PANELS), _tile(8, 1)
_four_rows, _four_rows_of_one = _tile(4, PANELS), _tile(4, 1)
_two_rows, _two_rows_of_one = _tile(2, PANELS_OF_FEW, 2), _tile(2, 1, 2)
_one_row, _one_row_of_one = _tile(1, PANELS_OF_FEW, AT_ONCE), _tile(1, 1, AT_ONCE)


@compiled("reassoc")
def start_of(row: Array) -> Any:
    """Return what the sums of a row begin at: -128 times its own sum."""
    total = np.int32(0)
    for k in range(row.size):
        total += np.int32(row[k])
    return np.int32(-128 * total)


@compiled()
def _many_rows(
    rows: Array,
    row_scales: Array,
    weight: Array,
    column_scales: Array,
    bias: Array,
    starts: Array,
    panel: int,
    together: bool,
    out: Array,
    column: int,
) -> None:
    """Write what rows make of two panels, `together`, or of one, to `out` from a column on."""
    count, size = rows.shape
    width, quads, length = out.shape[1], size // 4, LANES * size
    begin, here = place(weight, panel * length), panel * LANES
    columns, biases = place(column_scales, here), place(bias, here)
    for r in range(0, count, 8):
        given, start, row = place(rows, r * size), place(starts, r), place(row_scales, r)
        to, last = place(out, r * width + column), min(count - r, 8) - 1
        some = (given, size, begin, length, quads, start, last, to, width, row, columns, biases)
        if together and last >= 4:
            _eight_rows(*some)
        elif together:
            _four_rows(*some)
        elif last >= 4:
            _eight_rows_of_one(*some)
        else:
            _four_rows_of_one(*some)


@compiled()
def _single_row(
    row: Array,
    scale: Array,
    weight: Array,
    column_scales: Array,
    bias: Array,
    start: Array,
    out: Array,
) -> None:
    """Write what one row makes of whole panels, four at a time."""
    size, width, panels = row.size, out.size, out.size // LANES
    quads, length = size // 4, LANES * size
    done = panels // PANELS_OF_FEW * PANELS_OF_FEW
    given, first, own = place(row, 0), place(start, 0), place(scale, 0)
    for panel in range(0, done, PANELS_OF_FEW):
        begin, here = place(weight, panel * length), panel * LANES
        some = (given, size, begin, length, quads, first, 0, place(out, here), width, own)
        _one_row(*some, place(column_scales, here), place(bias, here))
    for panel in range(done, panels):
        begin, here = place(weight, panel * length), panel * LANES
        some = (given, size, begin, length, quads, first, 0, place(out, here), width, own)
        _one_row_of_one(*some, place(column_scales, here), place(bias, here))


@compiled()
def _two_rows_alone(
    rows: Array,
    row_scales: Array,
    weight: Array,
    column_scales: Array,
    bias: Array,
    starts: Array,
    out: Array,
) -> None:
    """Write what two rows make of whole panels, four at a time, which takes as long as one row."""
    size, width = rows.shape[1], out.shape[1]
    panels, quads, length = width // LANES, size // 4, LANES * size
    done = panels // PANELS_OF_FEW * PANELS_OF_FEW
    given, start, scales = place(rows, 0), place(starts, 0), place(row_scales, 0)
    for panel in range(0, done, PANELS_OF_FEW):
        begin, here = place(weight, panel * length), panel * LANES
        some = (given, size, begin, length, quads, start, 1, place(out, here), width, scales)
        _two_rows(*some, place(column_scales, here), place(bias, here))
    for panel in range(done, panels):
        begin, here = place(weight, panel * length), panel * LANES
        some = (given, size, begin, length, quads, start, 1, place(out, here), width, scales)
        _two_rows_of_one(*some, place(column_scales, here), place(bias, here))


@compiled()
def _panel_by_panel(
    rows: Array,
    row_scales: Array,
    weight: Array,
    column_scales: Array,
    bias: Array,
    starts: Array,
    out: Array,
) -> None:
    """Write what rows make of whole panels, two at a time."""
    panels = out.shape[1] // LANES
    for panel in range(0, panels - 1, PANELS):
        _many_rows(
            rows, row_scales, weight, column_scales, bias, starts, panel, True, out, panel * LANES
        )
    if panels % PANELS:
        last = panels - 1
        _many_rows(
            rows, row_scales, weight, column_scales, bias, starts, last, False, out, last * LANES
        )


@compiled()
def _multiply(
    rows: Array,
    row_scales: Array,
    weight: Array,
    column_scales: Array,
    bias: Array,
    out: Array,
    starts: Array,
    edge: Array,
) -> None:
    for r in range(rows.shape[0]):
        starts[r] = start_of(rows[r])
    columns, count = out.shape[1], rows.shape[0]
    panels, alone = columns // LANES, count % 8 == 1
    if count == 2:
        _two_rows_alone(rows, row_scales, weight, column_scales, bias, starts, out)
    else:
        many = rows[: count - alone]
        _panel_by_panel(many, row_scales, weight, column_scales, bias, starts, out)
    if alone:
        r = count - 1
        _single_row(rows[r], row_scales[r:], weight, column_scales, bias, starts[r:], out[r])
    if columns % LANES:
        _many_rows(rows, row_scales, weight, column_scales, bias, starts, panels, False, edge, 0)
        for r in range(count):
            for n in range(columns % LANES):
                out[r, panels * LANES + n] = edge[r, n]


@compiled(makes_arrays=True)
def multiply_quads(
    rows: Array, row_scales: Array, weight: Array, column_scales: Array, bias: Array, out: Array
) -> None:
    """Write rows W^T, scaled, and a bias, as `heedful.kernels.product` says; K a multiple of 4."""
    count = rows.shape[0]
    starts = np.empty(count, np.int32)
    edge = np.empty((count if out.shape[1] % LANES else 0, LANES), np.float32)
    _multiply(rows, row_scales, weight, column_scales, bias, out, starts, edge)
