"""Products of whole numbers with rows that are the sum of two: 15 bits of a row, 8 of a weight.

A row is whole numbers and what they leave of it, counted in finer steps, with one scale: outliers
in rows of Llamas would cost everything else its precision in 8 bits (Dettmers et al. 2022,
section 3), and a second row costs little where the time is that of reading the weights. PyTorch
multiplies them or, where they are ready, the kernels of translating: the sums are exact, and so
the same. `heedful.decode.alone` computes with it.
"""

__all__ = ["TwoTermProduct", "whole_products_are_exact"]

from concurrent.futures import ThreadPoolExecutor
from functools import cache

import numpy as np
import torch
from torch import nn

from heedful.decode.products import floats
from heedful.kernels import called
from heedful.models.int8 import to_int8
from heedful.nn.mapped import let_go
from heedful.shapes import Array, Float, Int, Tensor

_FINER = 254
"""Steps of one that what is left of a row is counted in: 127 of a half."""

_SHARE = 16
"""Rows that are worth a thread of their own."""


class TwoTermProduct(nn.Module):
    """`x W^T + b` of several layers' weights one below the other, as whole numbers with scales."""

    def __init__(self, *layers: nn.Linear | nn.Embedding) -> None:
        super().__init__()
        parts = [to_int8(layer.weight.detach().float()) for layer in layers]
        for layer in layers:
            let_go(layer.weight)
        self._whole: Tensor | None = torch.cat([whole for whole, _ in parts])
        self._scales = torch.cat([scales for _, scales in parts])
        self.n_out, self.n_in = self._whole.shape
        biases = [bias for layer in layers if (bias := getattr(layer, "bias", None)) is not None]
        self._bias = torch.cat([bias.detach() for bias in biases]) if biases else None
        self.arranged: Array = np.zeros((0, 0), np.int8)
        """The weights as kernels take them, once they do."""
        self.column_scales, self.half_bias = np.zeros(0, np.float32), np.zeros(0, np.float32)

    def arrange(self) -> None:
        """Have kernels multiply from now on."""
        from heedful.kernels.layout import arranged  # may load numba, a second

        assert self._whole is not None
        self.arranged, self._whole = arranged(self._whole.numpy()), None
        more = (0, len(self.arranged) - self.n_out)
        self.column_scales = np.pad(floats(self._scales), more)
        bias = torch.zeros(self.n_out) if self._bias is None else self._bias
        self.half_bias = np.pad(floats(bias) / 2, more)

    def forward(self, states: Float[Tensor, "T K"]) -> Float[Tensor, "T N"]:
        """Return the product."""
        largest = states.abs().amax(dim=-1, keepdim=True).clamp_min_(1e-30)
        scaled = states * (127 / largest)
        coarse = scaled.round()
        fine = scaled.sub_(coarse).mul_(_FINER).round_().to(torch.int8)
        if self._whole is None:
            return self._by_kernels(coarse.to(torch.int8), fine, largest / 127)
        result = self._by_torch(coarse.to(torch.int8), fine, self._whole.t())
        result = result.mul_(largest).mul_(self._scales / 127)
        return result if self._bias is None else result.add_(self._bias)

    def _by_torch(
        self, coarse: Int[Tensor, "T K"], fine: Int[Tensor, "T K"], whole: Int[Tensor, "K N"]
    ) -> Float[Tensor, "T N"]:
        """Return the sums without their scales."""
        length = len(coarse)
        if length == 1:  # twice one row: PyTorch's product of two takes three times that
            sums, rest = torch._int_mm(coarse, whole), torch._int_mm(fine, whole)
        else:
            both = torch._int_mm(torch.cat([coarse, fine]), whole)
            sums, rest = both[:length], both[length:]
        return sums.float().add_(rest, alpha=1 / _FINER)

    def _by_kernels(
        self, coarse: Int[Tensor, "T K"], fine: Int[Tensor, "T K"], scales: Float[Tensor, "T 1"]
    ) -> Float[Tensor, "T N"]:
        """Return the product; each thread computes some rows of both terms."""
        rows = torch.cat([coarse, fine]).numpy()
        row_scales = torch.cat([scales, scales / _FINER]).flatten().numpy()
        out = np.empty((len(rows), self.n_out), np.float32)

        def multiply(begin: int, end: int) -> None:
            called.multiply_whole(
                rows[begin:end],
                row_scales[begin:end],
                self.arranged,
                self.column_scales,
                self.half_bias,
                out[begin:end],
            )

        threads = min(torch.get_num_threads(), len(rows) // _SHARE)
        if threads > 1:
            edges = [len(rows) * number // threads for number in range(threads + 1)]
            list(_pool(threads).map(multiply, edges[:-1], edges[1:]))
        else:
            multiply(0, len(rows))
        both = torch.from_numpy(out)
        return both[: len(coarse)] + both[len(coarse) :]


@cache
def _pool(threads: int) -> ThreadPoolExecutor:
    return ThreadPoolExecutor(threads, "products")


@cache
def whole_products_are_exact() -> bool:
    """Tell whether PyTorch multiplies whole numbers rightly on this processor.

    Some that are older than VNNI add products in 16 bits, which the largest do not fit into.
    """
    largest = torch.full((2, 64), 127, dtype=torch.int8)
    weight = torch.cat([largest, -largest]).t()
    expected = (127 * 127 * 64 * torch.tensor([1, 1, -1, -1])).expand(2, 4)
    exact = [torch._int_mm(largest[:rows], weight) for rows in (1, 2)]
    return all(bool((found == expected[: len(found)]).all()) for found in exact)
