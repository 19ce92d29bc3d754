"""Weights that lie in a model's file, and only pass through memory when they are read.

Such a weight is the file's own bytes, mapped; written to, it becomes memory of this process alone.
What is no longer read can be let go: it is read from the file again when it is.
"""

__all__ = ["can_be_mapped", "fill", "let_go"]

import ctypes
import mmap
import sys
from functools import cache
from typing import Any

import torch
from torch import nn

from heedful.shapes import Float, Tensor

_PAGE_OUT = 21
"""MADV_PAGEOUT, which the module mmap does not name: what was written to stays, unless swapped."""


def can_be_mapped(device: torch.device) -> bool:
    """Return whether weights may stay in their file: on Linux, which lets go of them when asked.

    Windows does not let a file be replaced that is mapped.
    """
    return sys.platform == "linux" and device.type == "cpu"


def fill(weight: nn.Parameter, values: Float[Tensor, "*shape"], *, mapped: bool) -> None:
    """Let a weight be these values: as they lie in their file, or a copy of them."""
    if mapped and values.dtype == weight.dtype:
        weight.data = values
        weight.mapped = True  # type: ignore[attr-defined]
        let_go(weight)
        return
    with torch.no_grad():
        weight.copy_(values)


def let_go(weight: Tensor) -> None:
    """Tell that a mapped weight is not needed in memory for now; any other stays as it is."""
    if not getattr(weight, "mapped", False):
        return
    begin = weight.data_ptr() // mmap.PAGESIZE * mmap.PAGESIZE
    size = weight.data_ptr() + weight.numel() * weight.element_size() - begin
    _libc().madvise(ctypes.c_void_p(begin), ctypes.c_size_t(size), _PAGE_OUT)  # advice: may fail


@cache
def _libc() -> Any:
    return ctypes.CDLL(None)
