"""Products of rows with weights, in float32 or exactly, in whole numbers.

Rows as whole numbers and a scale each (`heedful.kernels.whole`) times weights as whole numbers and
a scale for each column (`heedful.kernels.product`): the sums of such products are whole numbers
again, the same on every machine and in any company.
"""

__all__ = ["Float32Product", "Int8Product", "Product", "Workspace", "floats"]

import math
from typing import Any, Protocol

import numpy as np
import torch

from heedful.kernels import called
from heedful.models.int8 import to_int8
from heedful.shapes import Array, Float, Tensor


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
    """`x W + bias` with K inputs and N outputs."""

    n_out: int
    """N."""

    def multiply(self, rows: Array, whole: Array, scales: Array, out: Array) -> None:
        """Write the product of rows [R K] to out [R N].

        In whole numbers it is that of `whole` [R K] int8, times the row's scale.
        """
        ...


class Float32Product:
    """Weights in float32."""

    def __init__(self, weight: Float[Tensor, "N K"], bias: Float[Tensor, " N"]) -> None:
        self.n_out = len(weight)
        self.weight, self.bias = weight.t().contiguous(), bias.contiguous()

    def multiply(self, rows: Array, whole: Array, scales: Array, out: Array) -> None:
        """Write the product of the rows."""
        torch.addmm(self.bias, torch.from_numpy(rows), self.weight, out=torch.from_numpy(out))


class Int8Product:
    """Weights as whole numbers; `factors` are multiplied into the scale of each output."""

    def __init__(
        self,
        weight: Float[Tensor, "N K"],
        bias: Float[Tensor, " N"],
        factors: Float[Tensor, " N"],
    ) -> None:
        from heedful.kernels.layout import arranged  # may load numba, a second

        whole, scales = to_int8(weight)
        self.n_out = len(weight)
        self.arranged = arranged(whole.numpy())
        more = (0, len(self.arranged) - self.n_out)
        self.column_scales = np.pad(floats(scales * factors), more)
        self.bias = np.pad(floats(bias), more)

    def multiply(self, rows: Array, whole: Array, scales: Array, out: Array) -> None:
        """Write the product of the whole numbers."""
        given = (whole, scales, self.arranged, self.column_scales, self.bias)
        called.multiply_whole(*given, out)


def floats(tensor: Tensor) -> Array:
    """Return the numbers as float32, copied."""
    found: Array = tensor.detach().float().contiguous().clone().numpy()
    return found
