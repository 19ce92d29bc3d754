"""Tensors that are divided among processes by their first dimension, as FSDP2 divides weights.

`own` and `put` go between a weight and what a checkpoint holds of it, `read` between that and the
files of the checkpoint; a plain tensor is its own only part.
"""

__all__ = ["RANDOM", "Part", "Shapes", "own", "put", "read", "rows_of", "whole"]

from collections.abc import Sequence
from contextlib import ExitStack
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple, TypeGuard

import torch
from safetensors import safe_open
from torch import Tensor

if TYPE_CHECKING:
    from torch.distributed.tensor import DTensor


RANDOM = "random/"
"""How the names of random states begin in a checkpoint."""

Shapes = dict[str, list[int]]
"""Of whole tensors, by name."""


class Part(NamedTuple):
    """The rows of a tensor that this process holds."""

    rows: Tensor
    start: int
    """Number of the first of them."""
    shape: list[int]
    """That of the whole tensor."""


def rows_of(length: int, rank: int, size: int) -> tuple[int, int]:
    """Return the first row of a process and the one after its last, as torch.chunk divides.

    >>> [rows_of(5, rank, 4) for rank in range(4)]
    [(0, 2), (2, 4), (4, 5), (5, 5)]
    """
    each = -(-length // size)
    return min(rank * each, length), min((rank + 1) * each, length)


def own(tensor: Tensor) -> Part:
    """Return what this process holds of a tensor."""
    if not _divided(tensor):
        return Part(tensor.detach(), 0, list(tensor.shape))
    mesh = tensor.device_mesh
    start, _ = rows_of(tensor.shape[0], mesh.get_local_rank(), mesh.size())
    return Part(tensor.to_local().detach(), start, list(tensor.shape))


def put(found: Tensor, into: Tensor) -> None:
    """Copy a tensor into a weight or a moment; `found` is whole, or this process's part of it."""
    part = own(into)
    if found.shape != part.rows.shape:
        found = found[part.start : part.start + len(part.rows)]
    assert found.shape == part.rows.shape
    part.rows.copy_(found)


def read(
    paths: Sequence[Path], shapes: Shapes | None, rank: int = 0, size: int = 1
) -> tuple[dict[str, Tensor], Shapes]:
    """Read the rows that process `rank` of `size` holds, and no others; return the whole shapes.

    `paths` are safetensors files, in the order of the processes that wrote them; without `shapes`
    it is one, of whole tensors. Random states are nobody's part: everyone has all of them.
    """
    with ExitStack() as opened:
        files = [opened.enter_context(safe_open(path, "pt")) for path in paths]
        names = list(files[0].keys())
        if shapes is None:
            shapes = {name: files[0].get_slice(name).get_shape() for name in names}
        shapes = {name: shapes[name] for name in names}
        found = {}
        for name, shape in shapes.items():
            parts = [file.get_slice(name) for file in files]
            place = (0, 1) if name.startswith(RANDOM) else (rank, size)
            found[name] = _rows(parts, shape, *place)
    return found, shapes


def _rows(parts: list[Any], shape: list[int], rank: int, size: int) -> Tensor:
    """Read a process's rows out of parts that hold some each, in order, or all of them each."""
    if parts[0].get_shape() == shape:
        parts = parts[:1]
    if not shape:
        number: Tensor = parts[0][...]
        return number.clone()  # what is read must not hang on the file
    start, stop = rows_of(shape[0], rank, size)
    found: list[Tensor] = []
    first = 0
    for part in parts:
        length = part.get_shape()[0]
        low, high = max(start, first) - first, min(stop, first + length) - first
        if low < high:
            found.append(part[low:high])
        first += length
    return torch.cat(found or [parts[0][0:0]])


def whole(tensor: Tensor) -> Tensor:
    """Return the whole tensor in every process; all must ask for it."""
    full: Tensor = tensor.full_tensor() if _divided(tensor) else tensor
    return full.detach()


def _divided(tensor: Tensor) -> "TypeGuard[DTensor]":
    """Recognise a DTensor without loading its module, which takes long."""
    return hasattr(tensor, "device_mesh")
