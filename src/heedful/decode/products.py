"""Products of rows with weights, in float32 or exactly, in whole numbers.

Rows as whole numbers and a scale each (`heedful.kernels.whole`) times weights as whole numbers and
a scale for each column: the sums of such products are whole numbers again, the same on every
machine and in any company. Where the processor has instructions for int8 (VNNI, AMX), PyTorch's
product is the fastest for many rows, else a kernel of ours is (`heedful.kernels.product`).
"""

__all__ = ["Float32Product", "Int8Product", "Product", "Workspace", "by_kernel", "floats"]

import math
from collections.abc import Callable
from functools import cache
from typing import Any, Protocol

import numpy as np
import torch

from heedful.kernels.choice import sums_of_whole
from heedful.models.int8 import to_int8
from heedful.shapes import Array, Float, Tensor

FEW = 4
"""Rows up to which the kernel is taken on every machine: for so few, PyTorch lays the weights out
anew at every call."""

TOGETHER = 8
"""Rows are filled up to a multiple of this for int8: for each count oneDNN makes a new program."""


class Workspace:
    """Memory that one thread computes in, taken once and grown when more is needed."""

    def __init__(self) -> None:
        self._flat: dict[str, Array] = {}

    def take(self, name: str, shape: tuple[int, ...], dtype: Any = np.float32) -> Array:
        """Return uninitialised memory; what was taken under this name before is gone."""
        size = math.prod(shape)
        flat = self._flat.get(name)
        if flat is None or len(flat) < size or flat.dtype != dtype:
            flat = self._flat[name] = np.empty(size, dtype)
        return flat[:size].reshape(shape)


class Product(Protocol):
    """`x W + bias` with K inputs and N outputs; a kernel scales the sums and adds the bias."""

    column_scales: Array
    bias: Array
    whole: Array
    """The weights as whole numbers [N K] int8; none of float32."""

    @property
    def n_out(self) -> int:
        """N."""
        ...

    def multiply(self, rows: Array, whole: Array, space: Workspace, out: Array) -> Array:
        """Return the sums [R N] of rows [R K], or of `whole`, the same as whole numbers [R K].

        They are in the memory of `out` or, if they are int32, in the workspace's.
        """
        ...


class Float32Product:
    """Weights in float32, scales of one."""

    def __init__(self, weight: Float[Tensor, "N K"], bias: Float[Tensor, " N"]) -> None:
        self.weight = weight.t().contiguous()
        self.whole = np.empty((0, weight.shape[1]), np.int8)
        self.column_scales = np.ones(len(weight), np.float32)
        self.bias = floats(bias)

    @property
    def n_out(self) -> int:
        """N."""
        return len(self.bias)

    def multiply(self, rows: Array, whole: Array, space: Workspace, out: Array) -> Array:
        """Return the product."""
        torch.mm(torch.from_numpy(rows), self.weight, out=torch.from_numpy(out))
        return out


class Int8Product:
    """Weights as whole numbers; `factors` are multiplied into the scale of each output."""

    def __init__(
        self,
        weight: Float[Tensor, "N K"],
        bias: Float[Tensor, " N"],
        factors: Float[Tensor, " N"],
    ) -> None:
        whole, scales = to_int8(weight)
        self.keep(whole.numpy())
        self.column_scales = floats(scales * factors)
        self.bias = floats(bias)

    def keep(self, whole: Array) -> None:
        """Keep the whole numbers in this memory, which holds the same already."""
        self.whole = whole
        self._across = torch.from_numpy(whole).t()

    @property
    def n_out(self) -> int:
        """N."""
        return len(self.bias)

    def multiply(self, rows: Array, whole: Array, space: Workspace, out: Array) -> Array:
        """Return the exact sums: float32, or int32 where that is faster."""
        if not by_kernel(len(whole)):
            return self._by_integers(whole, space)
        _multiply_whole()(whole, self.whole, out)
        return out

    def _by_integers(self, whole: Array, space: Workspace) -> Array:
        count = -(-len(whole) // TOGETHER) * TOGETHER
        filled = space.take("filled", (count, whole.shape[1]), np.int8)
        filled[: len(whole)] = whole
        sums = space.take("integers", (count, self.n_out), np.int32)
        torch.ops.aten._int_mm.out(
            torch.from_numpy(filled), self._across, out=torch.from_numpy(sums)
        )
        return sums[: len(whole)]


def by_kernel(rows: int) -> bool:
    """Return whether so many rows in whole numbers are multiplied by the kernel."""
    return rows <= FEW or sums_of_whole() == np.float32


@cache
def _multiply_whole() -> Callable[[Array, Array, Array], None]:
    from heedful.kernels.product import multiply_whole  # numba takes a second to load

    return multiply_whole


def floats(tensor: Tensor) -> Array:
    """Return the numbers as float32, copied."""
    found: Array = tensor.detach().float().contiguous().clone().numpy()
    return found
