"""Compiled CPU kernels for what takes longest in training: numpy arrays in, numpy arrays changed.

Each kernel runs on one thread and without Python's lock, so that every training thread can run its
own. They need numba, which compiles them at their first call (seconds) and keeps the result for
the next start; callers ask `available()` and otherwise use PyTorch's operators.
"""

__all__ = ["as_array", "available"]

from functools import cache
from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import numpy as np
    from torch import Tensor


@cache
def available() -> bool:
    """Return whether numba is installed and can be loaded (it refuses a numpy newer than it)."""
    try:
        import_module("numba")
    except (ImportError, OSError):
        return False
    return True


def as_array(tensor: "Tensor") -> "np.ndarray[Any, Any]":
    """Return a CPU tensor's own memory as a numpy array of the same shape; nothing is copied.

    bfloat16, which numpy does not know, becomes uint16 with the same bits. Raises ValueError if
    the tensor is not contiguous.
    """
    import torch

    if not tensor.is_contiguous():
        raise ValueError("a kernel needs a contiguous tensor: call .contiguous() first")
    plain = tensor.detach()
    if plain.dtype == torch.bfloat16:
        plain = plain.view(torch.uint16)
    array: np.ndarray[Any, Any] = plain.numpy()
    return array
