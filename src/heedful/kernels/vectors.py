"""Rows of numbers that attention reads: products with them, mixtures of them, how they are kept.

They are float32, or float16 in an array of uint16: half the memory to read for a translation in
whole numbers, where the processor converts them. The innermost loops are written for LLVM, sixteen
numbers at a time, which become registers of whatever size a processor has; a compiler does not keep
a sum in registers where the length of rows is only known at run time.
"""

__all__ = ["FUSED", "WIDE", "dots", "keep", "mixture", "place"]

from typing import Any

import numba
import numba.core.cgutils
import numpy as np
from llvmlite import ir
from numba.extending import intrinsic, overload

Array = np.ndarray[Any, np.dtype[Any]]

cgutils: Any = numba.core.cgutils  # neither says its types
types: Any = numba.types

WIDE, REGISTERS = 16, 4
"""Numbers taken at once, and how many times so many make a block."""

_LARGEST = 65504.0
"""Of float16; what is larger is kept as this."""

_F32, _I32, _F16 = ir.FloatType(), ir.IntType(32), ir.HalfType()
_FLOATS, _WHOLE, _HALVES = (ir.VectorType(kind, WIDE) for kind in (_F32, _I32, _F16))

FUSED = ("contract",)
"""A product and a sum may be one instruction, as in kernels that numba compiles."""

_FREE = ("contract", "reassoc")


class _Rows:
    """Writes loads from rows of one kind of number."""

    def __init__(self, builder: Any, kind: Any, number: Any) -> None:
        self.builder, self.number = builder, number
        self.halves = kind.bitwidth == 16

    def count(self, value: int) -> Any:
        """Return a constant of the type that is counted in."""
        return ir.Constant(self.number, value)

    def wide(self, begin: Any, at: Any) -> Any:
        """Load sixteen numbers as float32."""
        builder, place = self.builder, self.builder.gep(begin, [at])
        if not self.halves:
            return builder.load(builder.bitcast(place, _FLOATS.as_pointer()), align=4)
        halves = builder.load(builder.bitcast(place, _HALVES.as_pointer()), align=2)
        return builder.fpext(halves, _FLOATS)

    def one(self, begin: Any, at: Any) -> Any:
        """Load one number as float32."""
        builder, place = self.builder, self.builder.gep(begin, [at])
        if not self.halves:
            return builder.load(place)
        return builder.fpext(builder.load(builder.bitcast(place, _F16.as_pointer())), _F32)

    def parts(self, size: Any) -> tuple[Any, Any, Any]:
        """Return how many blocks a row has, registers behind them, where single numbers begin."""
        builder, block = self.builder, self.count(WIDE * REGISTERS)
        blocks = builder.udiv(size, block)
        registers = builder.udiv(builder.urem(size, block), self.count(WIDE))
        behind = builder.mul(builder.udiv(size, self.count(WIDE)), self.count(WIDE))
        return blocks, registers, behind

    def add(self, total: Any, first: Any, second: Any) -> None:
        """Add a product to what `total` points to."""
        builder = self.builder
        product = builder.fmul(first, second, flags=_FREE)
        builder.store(builder.fadd(builder.load(total), product, flags=_FREE), total)


def _write_dots(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
    query, base, places, count, size, out = arguments
    rows = _Rows(builder, signature.args[1].dtype, count.type)
    asked = _Rows(builder, types.float32, count.type)
    blocks, registers, behind = rows.parts(size)
    first_register = builder.mul(blocks, rows.count(WIDE * REGISTERS))
    kind = ir.FunctionType(_F32, [_F32, _FLOATS])
    name = f"llvm.vector.reduce.fadd.v{WIDE}f32"
    reduce = cgutils.get_or_insert_function(builder.module, kind, name)
    totals = [cgutils.alloca_once(builder, _FLOATS) for _ in range(REGISTERS)]
    result = cgutils.alloca_once(builder, _F32)
    with cgutils.for_range(builder, count) as row:
        begin = builder.gep(base, [builder.load(builder.gep(places, [row.index]))])
        for total in totals:
            builder.store(ir.Constant(_FLOATS, [0.0] * WIDE), total)
        with cgutils.for_range(builder, blocks) as block:
            start = builder.mul(block.index, rows.count(WIDE * REGISTERS))
            for step, total in enumerate(totals):
                at = builder.add(start, rows.count(WIDE * step))
                rows.add(total, asked.wide(query, at), rows.wide(begin, at))
        with cgutils.for_range(builder, registers) as register:
            at = builder.add(first_register, builder.mul(register.index, rows.count(WIDE)))
            rows.add(totals[0], asked.wide(query, at), rows.wide(begin, at))
        one, two, three, four = map(builder.load, totals)
        pair = builder.fadd(one, two, flags=_FREE), builder.fadd(three, four, flags=_FREE)
        every = builder.fadd(*pair, flags=_FREE)
        builder.store(builder.call(reduce, [ir.Constant(_F32, 0.0), every], fastmath=_FREE), result)
        with cgutils.for_range(builder, builder.sub(size, behind)) as single:
            at = builder.add(behind, single.index)
            rows.add(result, asked.one(query, at), rows.one(begin, at))
        builder.store(builder.load(result), builder.gep(out, [row.index]))
    return context.get_dummy_value()


def _write_mixture(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
    shares, base, places, count, size, out = arguments
    rows = _Rows(builder, signature.args[1].dtype, count.type)
    blocks, registers, behind = rows.parts(size)

    def mix(start: Any, kind: Any, many: int) -> None:
        """Write `many` registers, or single numbers, of the mixture from `start` on."""
        totals = [cgutils.alloca_once(builder, kind) for _ in range(many)]
        step = WIDE if kind is _FLOATS else 1
        places_of = [builder.add(start, rows.count(step * part)) for part in range(many)]
        for total in totals:
            builder.store(ir.Constant(kind, [0.0] * WIDE if step > 1 else 0.0), total)
        with cgutils.for_range(builder, count) as row:
            begin = builder.gep(base, [builder.load(builder.gep(places, [row.index]))])
            share = builder.load(builder.gep(shares, [row.index]))
            if step > 1:
                share = _everywhere(builder, share)
            load = rows.wide if step > 1 else rows.one
            for total, at in zip(totals, places_of, strict=True):
                rows.add(total, share, load(begin, at))
        for total, at in zip(totals, places_of, strict=True):
            place = builder.bitcast(builder.gep(out, [at]), kind.as_pointer())
            builder.store(builder.load(total), place, align=4)

    with cgutils.for_range(builder, blocks) as block:
        mix(builder.mul(block.index, rows.count(WIDE * REGISTERS)), _FLOATS, REGISTERS)
    first_register = builder.mul(blocks, rows.count(WIDE * REGISTERS))
    with cgutils.for_range(builder, registers) as register:
        at = builder.add(first_register, builder.mul(register.index, rows.count(WIDE)))
        mix(at, _FLOATS, 1)
    with cgutils.for_range(builder, builder.sub(size, behind)) as single:
        mix(builder.add(behind, single.index), _F32, 1)
    return context.get_dummy_value()


def _everywhere(builder: Any, number: Any) -> Any:
    """Return sixteen times the same number."""
    nothing = ir.Constant(_FLOATS, ir.Undefined)
    one = builder.insert_element(nothing, number, ir.Constant(_I32, 0))
    return builder.shuffle_vector(one, nothing, ir.Constant(_WHOLE, [0] * WIDE))


def _over_rows(write: Any) -> Any:
    """Return a function of (numbers, base, places, count, size, out), all addresses or counts."""
    real, whole, number = types.CPointer(types.float32), types.CPointer(types.int64), types.intp

    def over_rows(
        context: Any, numbers: Any, base: Any, places: Any, count: Any, size: Any, out: Any
    ) -> Any:
        return types.void(real, base, whole, number, number, real), write

    return intrinsic(over_rows)


dots: Any = _over_rows(_write_dots)
"""Write out[j] = the product of a query with the row of `size` numbers that begins at places[j]."""

mixture: Any = _over_rows(_write_mixture)
"""Write the sum of rows, the one that begins at places[j] times shares[j]."""


def _place(context: Any, array: Any, at: Any) -> Any:
    """Return the address of a number of a contiguous array, counted through all dimensions."""

    def write(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        found = cgutils.create_struct_proxy(array)(context, builder, arguments[0])
        return builder.gep(found.data, [arguments[1]])

    return types.CPointer(array.dtype)(array, types.intp), write


place: Any = intrinsic(_place)


LINE = 64
"""Bytes that memory is fetched in."""


def _write_fetch(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
    begin, size = arguments
    kind = ir.FunctionType(ir.VoidType(), [ir.IntType(8).as_pointer(), _I32, _I32, _I32])
    fetch = cgutils.get_or_insert_function(builder.module, kind, "llvm.prefetch.p0")
    step = LINE * 8 // signature.args[0].dtype.bitwidth
    many = builder.udiv(
        builder.add(size, ir.Constant(size.type, step - 1)), ir.Constant(size.type, step)
    )
    with cgutils.for_range(builder, many) as line:
        place = builder.gep(begin, [builder.mul(line.index, ir.Constant(size.type, step))])
        place = builder.bitcast(place, ir.IntType(8).as_pointer())
        builder.call(fetch, [place, *(ir.Constant(_I32, x) for x in (0, 3, 1))])
    return context.get_dummy_value()


def _fetch(context: Any, begin: Any, size: Any) -> Any:
    return types.void(begin, types.intp), _write_fetch


fetch: Any = intrinsic(_fetch)
"""Let the processor fetch so many numbers, while it goes on."""


def _write_halves(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
    numbers, size, out = arguments
    rows = _Rows(builder, types.float32, size.type)

    def write(load: Any, at: Any, kind: Any, many: Any) -> None:
        found = load(numbers, at)
        for sign, order in ((1, ">"), (-1, "<")):
            most = ir.Constant(kind, [sign * _LARGEST] * many if many > 1 else sign * _LARGEST)
            found = builder.select(builder.fcmp_ordered(order, found, most), most, found)
        halves = ir.VectorType(_F16, many) if many > 1 else _F16
        place = builder.bitcast(builder.gep(out, [at]), halves.as_pointer())
        builder.store(builder.fptrunc(found, halves), place, align=2)

    registers = builder.udiv(size, rows.count(WIDE))
    with cgutils.for_range(builder, registers) as register:
        write(rows.wide, builder.mul(register.index, rows.count(WIDE)), _FLOATS, WIDE)
    behind = builder.mul(registers, rows.count(WIDE))
    with cgutils.for_range(builder, builder.sub(size, behind)) as single:
        write(rows.one, builder.add(behind, single.index), _F32, 1)
    return context.get_dummy_value()


def _to_halves(context: Any, numbers: Any, size: Any, out: Any) -> Any:
    real, half = types.CPointer(types.float32), types.CPointer(types.uint16)
    return types.void(real, types.intp, half), _write_halves


_halve: Any = intrinsic(_to_halves)


def keep(numbers: Array, out: Array) -> None:
    """Write float32 numbers into a row of memory of either kind; to float16 they are rounded."""
    raise NotImplementedError("for kernels alone")


@overload(keep)
def _keep(numbers: Any, out: Any) -> Any:
    def copy(numbers: Any, out: Any) -> Any:
        for k in range(numbers.size):
            out[k] = numbers[k]

    def halve(numbers: Any, out: Any) -> Any:
        _halve(place(numbers, 0), numbers.size, place(out, 0))

    return halve if out.dtype == types.uint16 else copy
