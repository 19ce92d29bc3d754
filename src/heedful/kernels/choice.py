"""Whether this machine has a fast product of whole numbers for PyTorch to take."""

__all__ = ["sums_of_whole"]

import time
from collections.abc import Callable
from functools import cache
from typing import Any

import numpy as np

ROWS, WIDTH, COLUMNS, TRIES = 64, 256, 1024, 3


@cache
def sums_of_whole() -> "np.dtype[Any]":
    """Return int32 where PyTorch multiplies int8 exactly, and faster than float32; else float32.

    Processors with instructions for int8 (VNNI, AMX) do so four to eight times as fast; on others
    PyTorch's int8 product is a loop, far slower, or adds in 16 bits, which the largest numbers
    overflow. It is tried out, once, in some milliseconds.
    """
    import torch

    rows = torch.full((ROWS, WIDTH), 127, dtype=torch.int8)
    weight = torch.full((COLUMNS, WIDTH), 127, dtype=torch.int8)
    weight[::2] = -127
    across = weight.t()
    floats, columns = rows.float(), across.float().contiguous()
    try:
        exact = torch.equal(torch._int_mm(rows, across), torch.mm(floats, columns).int())
        whole = _fastest(lambda: torch._int_mm(rows, across))
    except (RuntimeError, AttributeError):  # this PyTorch has none, or none for this processor
        return np.dtype(np.float32)
    plain = _fastest(lambda: torch.mm(floats, columns))
    return np.dtype(np.int32 if exact and whole < plain else np.float32)


def _fastest(product: Callable[[], Any]) -> float:
    """Return the seconds of the fastest of some calls; the first is not counted."""
    product()
    taken = []
    for _ in range(TRIES):
        started = time.perf_counter()
        product()
        taken.append(time.perf_counter() - started)
    return min(taken)
