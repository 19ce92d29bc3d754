"""What a decoder layer keeps between steps: its own keys and values, and the memory's.

The buffers are as long as the longest answer allowed, so that a step writes and never copies.
"""

__all__ = ["LayerCache", "RaggedCache", "SelfCache"]

from collections.abc import Sequence
from dataclasses import dataclass

import torch

from heedful.nn.attention import KeyValue
from heedful.nn.mask import past_mask
from heedful.nn.placed import PlacedCache, PlacedMemory
from heedful.shapes import Bool, Float, Int, Tensor


class SelfCache:
    """Keys and values of the positions decoded so far, for R rows."""

    def __init__(self, rows: int, max_length: int) -> None:
        self.rows = rows
        self.max_length = max_length
        self.length = 0
        self.buffer: KeyValue | None = None

    def append(self, new: KeyValue) -> KeyValue:
        """Store the keys and values of the next positions; return all up to now.

        Raises ValueError for more positions than the buffer was made for.
        """
        if self.length + new.key.shape[2] > self.max_length:
            raise ValueError(f"this cache was made for {self.max_length} positions, no more")
        if self.buffer is None:
            heads, d_k = new.key.shape[1], new.key.shape[3]
            shape = (self.rows, heads, self.max_length, d_k)
            self.buffer = KeyValue(new.key.new_empty(shape), new.key.new_empty(shape))
        start, self.length = self.length, self.length + new.key.shape[2]
        for buffer, states in zip(self.buffer, new, strict=True):
            buffer[:, :, start : self.length] = states
        return KeyValue(*(buffer[:, :, : self.length] for buffer in self.buffer))

    def select(self, rows: Int[Tensor, " R"]) -> None:
        """Make row i a copy of the old row `rows[i]`."""
        self.rows = rows.shape[0]
        if self.buffer is not None:
            old, self.buffer = self.buffer, None
            fresh = []
            for buffer in old:
                copy = buffer.new_empty((self.rows, *buffer.shape[1:]))
                copy[:, :, : self.length] = buffer[:, :, : self.length].index_select(0, rows)
                fresh.append(copy)
            self.buffer = KeyValue(*fresh)


@dataclass
class LayerCache:
    """One decoder layer's past: `past` grows by a position a step, `memory` is fixed."""

    past: SelfCache | PlacedCache
    memory: KeyValue | PlacedMemory

    def select(self, rows: Int[Tensor, " R"], sentences: Int[Tensor, " C"] | None) -> None:
        """Reorder the rows; keep only `sentences` of the memory, if given."""
        assert isinstance(self.past, SelfCache)
        self.past.select(rows)
        if sentences is not None:
            assert isinstance(self.memory, KeyValue)
            self.memory = KeyValue(*(states[sentences] for states in self.memory))


class RaggedCache:
    """Keys and values of R texts that each have a length of their own, for all layers.

    Position p of a row stands in column p. What stands behind a row's end is padding: nothing sees
    it, and the row's next positions are written over it.
    """

    def __init__(self, layers: int, rows: int, max_length: int, device: torch.device) -> None:
        self.length: Int[Tensor, " R"] = torch.zeros(rows, dtype=torch.int64, device=device)
        """Positions of each row so far."""
        self.columns = 0
        """Columns that any row may have used."""
        self.max_length = max_length
        self.buffers: list[KeyValue | None] = [None] * layers

    def mask(self, queries: int) -> Bool[Tensor, "R 1 Q M"] | None:
        """Return what each row's next positions may see; None: the causal mask, of a fresh cache.

        Raises ValueError for more positions than the cache was made for.
        """
        if self.columns + queries > self.max_length:
            raise ValueError(f"this cache was made for {self.max_length} positions, no more")
        if not self.columns:
            return None
        return past_mask(self._places(queries), self.columns + queries)

    def append(self, layer: int, new: KeyValue) -> KeyValue:
        """Store the keys and values of the next positions of all rows; return what is known."""
        rows, heads, queries, d_k = new.key.shape
        kept = self.buffers[layer]
        if kept is None:  # zeros: what is masked is multiplied by 0, and must be a number
            shape = (rows, heads, self.max_length, d_k)
            kept = KeyValue(new.key.new_zeros(shape), new.key.new_zeros(shape))
            self.buffers[layer] = kept
        if not self.columns:
            for buffer, states in zip(kept, new, strict=True):
                buffer[:, :, :queries] = states
            return new
        places = self._places(queries)[:, None, :, None]
        for buffer, states in zip(kept, new, strict=True):
            buffer.scatter_(2, places.expand_as(states), states)
        return KeyValue(*(buffer[:, :, : self.columns + queries] for buffer in kept))

    def advance(self, queries: int, counts: Int[Tensor, " R"] | None) -> None:
        """Go on behind the positions that every layer has stored; `counts` of them are real."""
        self.length = self.length + (queries if counts is None else counts)
        self.columns += queries

    def select(self, rows: Int[Tensor, " R"], sentences: Int[Tensor, " C"] | None = None) -> None:
        """Make row i a copy of the old row `rows[i]`; a row is all that there is of a sentence."""
        self.length = self.length[rows]
        self.buffers = [
            None if kept is None else KeyValue(*(buffer.index_select(0, rows) for buffer in kept))
            for kept in self.buffers
        ]

    def regrouped(
        self, rows: Int[Tensor, " K"], others: "RaggedCache", spare: int
    ) -> "RaggedCache":
        """Return a cache of these rows, then all rows of another, for `spare` positions more.

        As many columns are taken along as a row of it needs, which may be fewer than were used.
        """
        both = ((self, rows), (others, torch.arange(len(others.length), device=rows.device)))
        length = torch.cat([one.length[some] for one, some in both])
        columns = int(length.max()) if len(length) else 0
        found = RaggedCache(len(self.buffers), 0, columns + spare, rows.device)
        found.length, found.columns = length, columns
        for layer in range(len(self.buffers)):
            parts = [
                [buffer[some, :, :columns] for buffer in kept]
                for one, some in both
                if len(some) and (kept := one.buffers[layer]) is not None
            ]
            if parts:
                found.buffers[layer] = KeyValue(
                    *(_side_by_side(part, columns + spare) for part in zip(*parts, strict=True))
                )
        return found

    def _places(self, queries: int) -> Int[Tensor, "R Q"]:
        return self.length[:, None] + torch.arange(queries, device=self.length.device)


def _side_by_side(
    parts: Sequence[Float[Tensor, "_ G _ K"]], max_length: int
) -> Float[Tensor, "R G M K"]:
    """Return the rows of all parts, one behind the other, in zeros of so many columns."""
    _, heads, _, d_k = parts[0].shape
    whole = parts[0].new_zeros((sum(map(len, parts)), heads, max_length, d_k))
    begin = 0
    for part in parts:
        whole[begin : begin + len(part), :, : part.shape[2]] = part
        begin += len(part)
    return whole
