"""What a decoder layer keeps between steps: its own keys and values, and the memory's.

The buffers are as long as the longest answer allowed, so that a step writes and never copies.
"""

__all__ = ["LayerCache", "SelfCache"]

from dataclasses import dataclass

from heedful.nn.attention import KeyValue
from heedful.nn.placed import PlacedCache, PlacedMemory
from heedful.shapes import Int, Tensor


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
