"""How long something takes, and what it keeps for the way back."""

__all__ = ["kept_bytes", "median_seconds"]

import time
from collections.abc import Callable
from statistics import median

import torch
from torch.autograd.graph import saved_tensors_hooks

from heedful.shapes import Tensor


def median_seconds(
    act: Callable[[], object], device: torch.device, *, seconds: float, least: int = 3
) -> float:
    """Return the median of as many runs as take so many seconds, after one that is not counted."""

    def one() -> float:
        started = time.perf_counter()
        act()
        if device.type == "cuda":
            torch.cuda.synchronize(device)
        return time.perf_counter() - started

    first = one()
    if device.type == "cuda":
        one()  # the first call of all chooses kernels
    found: list[float] = []
    while len(found) < least or (sum(found) + first < seconds and len(found) < 100):
        found.append(one())
    return median(found)


def kept_bytes(act: Callable[[], object], besides: list[Tensor]) -> int:
    """Return how many bytes autograd keeps for the way back, without the tensors `besides`.

    What several tensors share is counted once.
    """
    known = {one.untyped_storage().data_ptr() for one in besides}
    kept: dict[int, int] = {}
    held: list[Tensor] = []  # so that no memory is given away and found again

    def pack(tensor: Tensor) -> Tensor:
        storage = tensor.untyped_storage()
        if storage.data_ptr() not in known:
            kept[storage.data_ptr()] = storage.nbytes()
            held.append(tensor)
        return tensor

    with saved_tensors_hooks(pack, lambda tensor: tensor):
        act()
    return sum(kept.values())
