"""Attention of rows that have each come to a place of their own, over memory that never moves.

A step of decoding that is recorded once and run again (CUDA graphs) can depend on nothing the host
would have to know: buffers are of one size, and where a row stands, whose past it continues and how
long its source is stand in tensors. On a GPU the attention is a triton kernel that reads what a row
may see, where it lies; elsewhere, and for Shaw's relative positions, PyTorch's operators.
"""

__all__ = ["PlacedCache", "PlacedMemory", "Rows", "kernels_for"]

import math
from collections.abc import Iterator
from dataclasses import dataclass
from importlib.util import find_spec

import torch

from heedful.nn.attention import KeyValue, fused_attend
from heedful.nn.position import AttentionPosition
from heedful.shapes import Float, Int, Tensor


def kernels_for(query: Tensor) -> bool:
    """Return whether the kernels can be used."""
    return query.is_cuda and find_spec("triton") is not None


@dataclass(frozen=True)
class Rows:
    """Where the rows of all layers' caches stand; tensors that are written in place."""

    places: Int[Tensor, " R"]
    """The position that each row reads next, from 0."""
    parents: Int[Tensor, " R"]
    """Whose past each row continues."""
    origin: Int[Tensor, "R M"] | None
    """In which row of the caches each earlier position of a row lies; None: all in its own."""

    def begin(self) -> None:
        """Let each row continue its parent."""
        if self.origin is not None:
            self.origin.copy_(self.origin[self.parents])
            own = torch.arange(len(self.places), device=self.places.device, dtype=torch.int32)
            self.origin.scatter_(1, self.places[:, None], own[:, None])


class PlacedCache:
    """Keys and values of R rows that have each come to a place of its own.

    A row's position is written once and stays where it is: a search that reorders its rows reorders
    `Rows.origin` alone.
    """

    def __init__(self, kept: KeyValue, rows: Rows) -> None:
        self.kept, self.rows = kept, rows

    @property
    def length(self) -> Int[Tensor, " R"]:
        """Positions decoded so far, of each row."""
        return self.rows.places

    def attend(
        self, query: Float[Tensor, "R H 1 K"], new: KeyValue, position: AttentionPosition
    ) -> Float[Tensor, "R H 1 K"]:
        """Keep the keys and values of each row's next position; return what it mixes of all."""
        slopes: Tensor | None = getattr(position, "slope", None)
        biased = type(position).bias is not AttentionPosition.bias
        if not kernels_for(query) or (biased and slopes is None):
            return self._attend_plainly(query, new, position)
        from heedful.kernels.gpu import attend

        out = torch.empty_like(query, memory_format=torch.contiguous_format)
        rows, heads, _, width = query.shape
        attend(
            query.reshape(rows, heads, width),
            self.kept,
            self.rows.places,
            out,
            new=(_flat(new.key), _flat(new.value)),
            origin=self.rows.origin,
            slopes=slopes,
            scale=1 / math.sqrt(width),
        )
        return out

    def _attend_plainly(
        self, query: Float[Tensor, "R H 1 K"], new: KeyValue, position: AttentionPosition
    ) -> Float[Tensor, "R H 1 K"]:
        places = self.rows.places
        for kept, states in zip(self.kept, new, strict=True):
            kept.scatter_(2, places.view(-1, 1, 1, 1).expand_as(states), states)
        past = KeyValue(*self.past())
        columns = past.key.shape[2]
        column = torch.arange(columns, device=places.device)
        seen = (column <= places[:, None])[:, None, None]
        return fused_attend(query, *past, seen, position.bias(query, columns, places))

    def past(self) -> Iterator[Float[Tensor, "R G M K"]]:
        """Yield the keys, then the values, with each row's past in the row."""
        for kept in self.kept:
            if self.rows.origin is None:
                yield kept
            else:
                _, groups, columns, _ = kept.shape
                group = torch.arange(groups, device=kept.device)[:, None]
                column = torch.arange(columns, device=kept.device)
                yield kept[self.rows.origin[:, None].long(), group, column]


class PlacedMemory:
    """Keys and values of what the encoder made of B sources, filled up to S; R/B rows look at each.

    `counts` is the length of each source.
    """

    def __init__(self, kept: KeyValue, counts: Int[Tensor, " B"]) -> None:
        self.kept, self.counts = kept, counts

    def attend(self, query: Float[Tensor, "R H 1 K"]) -> Float[Tensor, "R H 1 K"]:
        """Return what each row mixes of its source's values."""
        rows, heads, _, width = query.shape
        if kernels_for(query):
            from heedful.kernels.gpu import attend

            out = torch.empty_like(query, memory_format=torch.contiguous_format)
            shown = query.reshape(rows, heads, width)
            attend(shown, self.kept, self.counts, out, scale=1 / math.sqrt(width))
            return out
        count, _, length, _ = self.kept.key.shape
        seen = torch.arange(length, device=query.device) < self.counts[:, None]
        together = query.view(count, -1, heads, width).transpose(1, 2)
        mixed = fused_attend(together, *self.kept, seen[:, None, None])
        return mixed.transpose(1, 2).reshape(rows, heads, 1, width)


def _flat(states: Float[Tensor, "R G 1 K"]) -> Float[Tensor, "R G K"]:
    return states.reshape(states.shape[0], states.shape[1], states.shape[3])
