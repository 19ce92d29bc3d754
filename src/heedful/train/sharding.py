"""Tensors that are divided among processes by their first dimension, as FSDP2 divides weights.

`own` and `put` go between a weight and what a checkpoint holds of it; a plain tensor is its own
only part.
"""

__all__ = ["Part", "own", "put", "whole"]

from typing import TYPE_CHECKING, NamedTuple, TypeGuard

import torch
from torch import Tensor

if TYPE_CHECKING:
    from torch.distributed.tensor import DTensor


class Part(NamedTuple):
    """The rows of a tensor that this process holds."""

    rows: Tensor
    start: int
    """Number of the first of them."""
    shape: list[int]
    """That of the whole tensor."""


def own(tensor: Tensor) -> Part:
    """Return what this process holds of a tensor."""
    if not _divided(tensor):
        return Part(tensor.detach(), 0, list(tensor.shape))
    mesh = tensor.device_mesh
    each = -(-tensor.shape[0] // mesh.size())  # as torch.chunk divides
    start = min(mesh.get_local_rank() * each, tensor.shape[0])
    return Part(tensor.to_local().detach(), start, list(tensor.shape))


def put(full: Tensor, into: Tensor) -> None:
    """Copy a whole tensor, or this process's part of it, into a weight or a moment."""
    part = own(into)
    with torch.no_grad():
        rows = full[part.start : part.start + len(part.rows)] if full.ndim else full
        part.rows.copy_(rows)


def whole(tensor: Tensor) -> Tensor:
    """Return the whole tensor in every process; all must ask for it."""
    full: Tensor = tensor.full_tensor() if _divided(tensor) else tensor
    return full.detach()


def _divided(tensor: Tensor) -> "TypeGuard[DTensor]":
    """Recognise a DTensor without loading its module, which takes long."""
    return hasattr(tensor, "device_mesh")
