"""What is refused before anything is computed: widths, types and batches that do not fit."""

__all__ = ["batch_of", "refuse_batches", "refuse_heads", "refuse_inputs", "refuse_states"]

import torch
from torch import nn

from heedful.errors import DataError, SettingError
from heedful.shapes import Tensor

_ORDER = (
    "the batch is dimension {} because batch_first={}; if it is the other one, build the module "
    "with batch_first={}"
)


def refuse_heads(width: int, heads: int, names: tuple[str, str]) -> None:
    """Refuse heads that cannot share the width evenly."""
    if width > 0 and heads > 0 and width % heads == 0:
        return
    near = [n for n in range(1, max(width, 1) + 1) if width % n == 0]
    fits = min(near, key=lambda n: (abs(n - heads), n))
    raise SettingError(
        f"{names[0]}={width} cannot be shared evenly among {names[1]}={heads} heads",
        fix=f"{names[1]}={fits} would do" if width > 0 else f"{names[0]} must be above 0",
    )


def refuse_states(states: Tensor, name: str, width: int, weight: Tensor, of: str) -> None:
    """Refuse states that a module of this width, with a weight of this kind, cannot take."""
    if states.is_nested:
        raise DataError(
            f"{name} is a nested tensor",
            fix="pass a padded one and its padding mask: padding costs nothing here either",
        )
    shape = tuple(states.shape)
    if states.dim() not in (2, 3):
        raise DataError(
            f"{name} has the shape {shape}, but states have 3 dimensions, or 2 without a batch",
            fix="embed token ids first" if not states.is_floating_point() else None,
        )
    if not states.is_floating_point():
        kind = str(states.dtype).removeprefix("torch.")
        raise DataError(f"{name} is {kind}, but states are floats", fix="embed token ids first")
    if shape[-1] != width:
        raise DataError(
            f"{name} has the shape {shape}, but its last dimension must be {of}={width}"
        )
    if states.dtype != weight.dtype and not torch.is_autocast_enabled(states.device.type):
        kinds = [str(x.dtype).removeprefix("torch.") for x in (states, weight)]
        raise DataError(
            f"{name} is {kinds[0]}, but the weights are {kinds[1]}",
            fix=f"convert one of them: {name}.to(torch.{kinds[1]}) or module.to(torch.{kinds[0]})",
        )


def batch_of(states: Tensor, batch_first: bool) -> int:
    """Return how many sentences these are."""
    return 1 if states.dim() == 2 else states.shape[0 if batch_first else 1]


def refuse_batches(one: Tensor, other: Tensor, names: tuple[str, str], batch_first: bool) -> None:
    """Refuse two batches that are not of the same sentences."""
    if one.dim() != other.dim():
        shapes = f"{names[0]} {tuple(one.shape)} and {names[1]} {tuple(other.shape)}"
        raise DataError(f"{shapes}: both or neither must have a batch dimension")
    sizes = batch_of(one, batch_first), batch_of(other, batch_first)
    if sizes[0] != sizes[1]:
        where = _ORDER.format(0 if batch_first else 1, batch_first, not batch_first)
        raise DataError(
            f"{names[0]} {tuple(one.shape)} has a batch of {sizes[0]}, {names[1]} "
            f"{tuple(other.shape)} one of {sizes[1]}",
            fix=where,
        )


def refuse_inputs(module: nn.MultiheadAttention, query: Tensor, key: Tensor, value: Tensor) -> None:
    """Refuse what an attention cannot take."""
    weight = module.out_proj.weight
    refuse_states(query, "query", module.embed_dim, weight, "embed_dim")
    if key is not query:
        refuse_states(key, "key", module.kdim, weight, "kdim")
        refuse_batches(query, key, ("query", "key"), module.batch_first)
    if value is not key:
        refuse_states(value, "value", module.vdim, weight, "vdim")
        if value.shape[:-1] != key.shape[:-1]:
            raise DataError(
                f"value has the shape {tuple(value.shape)}, but must have one row for each of "
                f"key {tuple(key.shape)}"
            )
