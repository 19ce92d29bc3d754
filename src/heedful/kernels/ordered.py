"""Looking something up in numbers that rise. Called by the kernels of lexicons and of merges."""

__all__ = ["place_of"]

from typing import Any

import numpy as np

from heedful.kernels.compiled import compiled

Array = np.ndarray[Any, np.dtype[Any]]


@compiled()
def place_of(number: Any, numbers: Array, low: int, high: int) -> int:
    """Return where a number stands between two places of rising numbers, -1 where it does not."""
    end = high
    while low < high:
        middle = (low + high) // 2
        if numbers[middle] < number:
            low = middle + 1
        else:
            high = middle
    return low if low < end and numbers[low] == number else -1
