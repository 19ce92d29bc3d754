"""The Transformer as a translator on CPU: a product, a kernel, a product, a kernel.

What the eager model does in some thirty operators a layer is one compiled pass between two
products here, over memory that is taken once. It is the same function, checked against the eager
model by the tests, for every variant of attention, position, norm and feed-forward network; the
searches drive it as they drive the other. Source sentences come in without padding, at any time.
"""

__all__ = ["Candidates", "FusedStepper", "fusible"]

from collections.abc import Callable, Sequence
from typing import Any, cast

import numpy as np
import torch

from heedful.decode.packed import Layer, PackedTransformer, has_kernels
from heedful.decode.passing import Pass, encode
from heedful.decode.pool import Pool
from heedful.decode.products import Int8Product, Workspace
from heedful.decode.striding import stride, stride_beams
from heedful.kernels import called
from heedful.models.transformer import Transformer
from heedful.search.stride import BeamBooks, Books
from heedful.shapes import Array, Float, Int, Tensor

Candidates = Callable[[Sequence[int]], Array]
"""From a source, the pieces that its translation may be made of, ascending, int32."""


def fusible(model: object, device: torch.device | str) -> bool:
    """Return whether a model can be translated with this way."""
    known = isinstance(model, Transformer) and has_kernels(model)
    return known and torch.device(device).type == "cpu" and called.usable()


class FusedStepper:
    """Some sources in the middle of being translated: a `heedful.search.Stepper`.

    Keys and values are not moved. A step writes those of all rows into the next column of the
    caches, behind the last again into the first, which no row needs any more; where one does, all
    move into longer caches. `places` tells for each row in which row of the caches its position of
    a column stands, and a search that reorders its rows reorders that table alone.
    """

    def __init__(
        self,
        packed: PackedTransformer,
        rows_per_sentence: int,
        sentences: int,
        columns: int,
        space: Workspace,
        *,
        listed: bool = False,
        attentive: bool = False,
    ) -> None:
        from heedful.kernels.layout import KEPT  # may load numba, a second

        self.packed, self.space, self.width = packed, space, rows_per_sentence
        config = packed.model.config
        depth = packed.groups * (config.d_model // packed.heads)
        self.most = sentences * rows_per_sentence
        shape = (config.decoder_layers, self.most, columns, depth)
        self._kind: Any = KEPT if packed.format == "int8" else np.float32
        self.keys, self.values = (
            space.take(name, shape, self._kind) for name in ("keys", "values")
        )
        self.memory = Pool(space, "memory", (config.decoder_layers, 2 * depth), self._kind)
        self.lists = Pool(space, "lists", (1, 1), np.int32)
        self.listed, self.attentive = listed, attentive
        self.attention: Float[Array, "A S"] | None = None
        self.entries: Int[Tensor, "A N"] | None = None
        self.places = np.zeros((0, columns), np.int32)
        self.positions = np.zeros(0, np.int64)
        self.now = 0
        self._passing: Pass | None = None

    def admit(self, sources: Sequence[Sequence[int]], lists: Sequence[Array] | None = None) -> None:
        """Read further sources; their rows stand behind the others.

        `lists`: the pieces that each translation may be made of, ascending, int32. Raises
        ValueError for more rows than the caches were made for.
        """
        fresh = len(sources) * self.width
        if len(self.positions) + fresh > self.most:
            raise ValueError(f"these caches were made for {self.most} rows, no more")
        if len(self.positions) + fresh > self.keys.shape[1]:
            self._move(self.most, self.places.shape[1])
        first = self.memory.append(np.array([len(source) for source in sources]), self.width)
        called.keep_memory(encode(self.packed, sources, self.space), self.memory.rows, first)
        if lists is not None:
            first = self.lists.append(np.array([len(entries) for entries in lists]), self.width)
            self.lists.rows[0, first : self.lists.used, 0] = np.concatenate(lists)
        self.positions = np.append(self.positions, np.zeros(fresh, np.int64))
        added = np.zeros((fresh, self.places.shape[1]), np.int32)
        self.places = np.concatenate([self.places, added])

    def step(
        self, tokens: Int[Array, " R"], rows: Int[Array, " A"] | None = None
    ) -> Float[Tensor, "A N"]:
        """Take the newest piece of every row; return logits for the position after it."""
        chosen = slice(None) if rows is None else rows
        positions = self.positions[chosen]
        self.make_room(positions)
        count = len(positions)
        self.places[chosen, self.now] = np.arange(count)
        packed, passing = self.packed, self.passing_of(count)
        model = packed.model
        table, newest = model.tables.target.weight, tokens[chosen]
        passing.enter(table, newest, model.target_position, positions)
        passing.begin(packed.decoder)
        past = (self.now, positions, self.places[chosen])
        across = (self.memory.firsts[chosen], self.memory.counts[chosen])
        if packed.decoder.stacked is not None and not self.attentive:
            between = ((*past, self.keys, self.values), (self.memory.rows, *across))
            called.decoder_step(*passing.whole_stack(packed.decoder.stacked, between))
        else:
            for number, layer in enumerate(packed.decoder.layers):
                self._layer(passing, number, layer, past, across)
        passing.end(packed.decoder)
        logits = self._logits(passing, chosen)
        self.positions += 1
        self.now = (self.now + 1) % self.places.shape[1]
        return logits

    def stride(self, books: Books) -> bool:
        """Take many steps of greedy search: see `heedful.search.stride`."""
        return stride(self, books)

    @property
    def biased(self) -> bool:
        """Whether listed pieces' logits get a bias, which the kernels of many steps do not add."""
        return self.listed and self.packed.model.tables.bias is not None

    @property
    def strides_beams(self) -> bool:
        """Whether it can take many steps of beam search: in int8, where none asks what it sees."""
        return self.packed.decoder.stacked is not None and not self.attentive and not self.biased

    def stride_beams(self, books: BeamBooks) -> int | None:
        """Take them."""
        return stride_beams(self, books)

    def passing_of(self, count: int) -> Pass:
        """Return the memory that so many rows pass through."""
        if self._passing is None or self._passing.rows != count:
            self._passing = Pass(self.packed, self.space, count)
        return self._passing

    def make_room(self, positions: Int[Array, " A"]) -> None:
        """Move to longer caches where there is no column for the next of these positions."""
        columns = self.places.shape[1]
        if positions.max() >= columns:
            self._move(len(self.positions), columns + columns // 2 + 1)

    def _move(self, rows: int, columns: int) -> None:
        """Move what the rows there are need into caches of this size, the oldest column first."""
        count, before = self.places.shape
        order = (np.arange(before) + self.now) % before
        places = self.places.take(order, axis=1)
        for name in ("keys", "values"):
            kept = getattr(self, name)[:, places, order]
            moved = self.space.take(name, (len(kept), rows, columns, kept.shape[3]), self._kind)
            moved[:, :count, :before] = kept
            setattr(self, name, moved)
        self.places = np.zeros((count, columns), np.int32)
        self.places[:, :before] = np.arange(count)[:, None]
        self.now = before % columns

    def _layer(
        self,
        passing: Pass,
        number: int,
        layer: Layer,
        past: tuple[int, Array, Array],
        across: tuple[Array, Array],
    ) -> None:
        packed, after = self.packed, self.packed.decoder.after[3 * number : 3 * number + 3]
        called.attend_back(
            passing.multiply(layer.joint),
            packed.heads,
            packed.groups,
            *past,
            self.keys[number],
            self.values[number],
            packed.cosines,
            packed.sines,
            packed.slopes,
            layer.relative,
            *passing.attended(),
        )
        passing.add(layer.output, after[0])
        assert layer.across is not None
        assert layer.across_output is not None
        asked = self.attentive and number + 1 == len(packed.decoder.layers)
        weights = np.zeros((passing.rows if asked else 0, int(across[1].max())), np.float32)
        called.attend_across(
            passing.multiply(layer.across),
            packed.heads,
            packed.groups,
            self.memory.rows[number],
            *across,
            *passing.attended(),
            weights,
        )
        self.attention = weights if asked else None
        passing.add(layer.across_output, after[1])
        passing.feed_forward(layer, after[2])

    def _logits(self, passing: Pass, chosen: Any) -> Float[Tensor, "A N"]:
        if self.listed:
            return self._listed(passing, chosen)
        return torch.from_numpy(passing.multiply(self.packed.project))

    def _listed(self, passing: Pass, chosen: Any) -> Float[Tensor, "A N"]:
        """Return the logits of each row's candidates alone, and tell which they are."""
        entries, firsts, counts, ids, logits = self.lists_of(chosen, passing.rows)
        lists = (entries, firsts, counts, ids, logits)
        if self.packed.format == "int8":
            project = cast(Int8Product, self.packed.project)
            scales = (passing.scales, project.column_scales)
            called.listed_whole(passing.whole, self.packed.table, *scales, *lists)
        else:
            called.listed(passing.input, self.packed.table, *lists)
        if self.packed.model.tables.bias is not None:
            logits += self.packed.model.tables.bias.detach().numpy()[ids]
        self.entries = torch.from_numpy(ids)
        return torch.from_numpy(logits)

    def lists_of(self, chosen: Any, rows: int) -> tuple[Array, Array, Array, Array, Array]:
        """Return all entries, where those of chosen rows begin, how many they are, and memory.

        The memory is for the pieces on the lists and for their logits, filled up to whole blocks:
        sums over a row are then the same, however long the longest list of its company is.
        """
        from heedful.kernels.layout import BLOCK

        firsts, counts = self.lists.firsts[chosen], self.lists.counts[chosen]
        shape = (rows, -(-int(counts.max()) // BLOCK) * BLOCK)
        ids = self.space.take("listed", shape, np.int64)
        logits = self.space.take("listed logits", shape)
        return self.lists.rows[0, :, 0], firsts, counts, ids, logits

    def select(self, rows: Int[Array, " Q"], sentences: Int[Array, " C"] | None = None) -> None:
        """Make row i a copy of the old row `rows[i]`; rows of other sentences are gone."""
        self.places, self.positions = self.places[rows], self.positions[rows]
        self.memory.select(rows)
        if self.listed:
            self.lists.select(rows)
