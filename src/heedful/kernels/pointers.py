"""Addresses of numbers in arrays, for code that is written for LLVM."""

__all__ = ["address"]

from typing import Any

import numba
import numba.core.cgutils
from numba.extending import intrinsic

cgutils: Any = numba.core.cgutils  # neither says its types
types: Any = numba.types


def _address(context: Any, array: Any, row: Any, column: Any) -> Any:
    """Return the address of a number of a two-dimensional array."""

    def write(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        found = cgutils.create_struct_proxy(array)(context, builder, arguments[0])
        strides = cgutils.unpack_tuple(builder, found.strides, 2)
        steps = [builder.mul(*both) for both in zip(arguments[1:], strides, strict=True)]
        offset = builder.add(*steps)
        begin = builder.ptrtoint(found.data, offset.type)
        return builder.inttoptr(builder.add(begin, offset), found.data.type)

    return types.CPointer(array.dtype)(array, types.intp, types.intp), write


address: Any = intrinsic(_address)
