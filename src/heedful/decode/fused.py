"""The Transformer as a translator on CPU: a product, a kernel, a product, a kernel.

What the eager model does in some thirty operators a layer is one compiled pass between two
products here, over memory that is taken once. It is the same function, checked against the eager
model by the tests, for every variant of attention, position, norm and feed-forward network; the
searches drive it as they drive the other. Source sentences come in without padding, at any time.
"""

__all__ = ["Candidates", "FusedStepper", "fusible"]

from collections.abc import Callable, Iterator, Sequence
from itertools import accumulate
from typing import Any, cast

import numpy as np
import torch

from heedful.decode.packed import Layer, Norm, PackedTransformer, Stack, Stacked
from heedful.decode.pool import Pool
from heedful.decode.products import Int8Product, Product, Workspace
from heedful.kernels import available
from heedful.models.transformer import Transformer
from heedful.shapes import Array, Float, Int, Tensor

Candidates = Callable[[Sequence[int]], Array]
"""From a source, the pieces that its translation may be made of, ascending, int32."""

AT_ONCE = 256
"""Source pieces that go through the encoder together: more would leave the processor's caches."""


_NOTHING = np.zeros((0, 0), np.float32)


def fusible(model: object, device: torch.device | str) -> bool:
    """Return whether a model can be translated with this way."""
    return isinstance(model, Transformer) and torch.device(device).type == "cpu" and available()


class _Pass:
    """Some rows on their way through the layers of a stack."""

    def __init__(self, packed: PackedTransformer, space: Workspace, rows: int) -> None:
        config = packed.model.config
        self.packed, self.space, self.rows = packed, space, rows
        self.states = space.take("states", (rows, config.d_model))
        self.input = space.take("input", (rows, config.d_model))
        self.context = space.take("context", (rows, config.d_model))
        self.inner = space.take("inner", (rows, config.d_ff))
        self.scales = space.take("scales", (rows,))
        kept = rows if packed.format == "int8" else 0
        self.whole = space.take("whole", (kept, config.d_model), np.int8)
        self.whole_inner = space.take("whole inner", (kept, config.d_ff), np.int8)
        self._results: dict[int, Array] = {}

    def enter(
        self, table: Tensor, tokens: Int[Array, " R"], position: Any, places: Int[Array, " R"]
    ) -> None:
        """Make the states of pieces: embeddings, with what is added for their places."""
        from heedful.kernels.rows import embed

        known = getattr(position, "table", None)
        positions = _NOTHING if known is None else known.detach().numpy()
        scale = np.float32(self.packed.model.tables.scale)
        embed(table.detach().numpy(), tokens, scale, positions, places, self.states)

    def multiply(self, product: Product, *, inner: bool = False) -> Array:
        """Return the results of a product."""
        rows = self.inner if inner else self._rows
        whole = self.whole_inner if inner else self.whole
        out = self.results(product.n_out)
        product.multiply(rows, whole, self.scales, out)
        return out

    def results(self, n_out: int) -> Array:
        """Return memory for the results of a product with so many outputs."""
        out = self._results.get(n_out)
        if out is None:
            name = f"results {n_out}"
            out = self._results[n_out] = self.space.take(name, (self.rows, n_out))
        return out

    def whole_stack(self, stacked: Stacked, between: tuple[Any, ...]) -> tuple[Any, ...]:
        """Return what all layers take in one call, `between` in the middle; the end is in place."""
        self._rows = self.input
        return (
            *(stacked.weights, stacked.scales, stacked.biases, stacked.norms, stacked.kinds),
            *(stacked.positions, *between),
            (self.states, self.input, self.context, self.inner),
            (self.whole, self.whole_inner, self.scales),
            tuple(self.results(width) for width in stacked.widths),
        )

    def begin(self, stack: Stack) -> None:
        """Make the input of the first sublayer from the states."""
        self.normalise(stack.first)

    def normalise(self, norm: Norm) -> None:
        """Make the norm of the states the rows of the next product."""
        from heedful.kernels.rows import normalise

        given = (self.states, norm.weight, norm.shift, norm.eps, norm.centred)
        normalise(*given, self.input, self.whole, self.scales)
        self._rows = self.input

    def attended(self) -> tuple[Array, Array, Array]:
        """Return where attention writes, which are the rows of the next product."""
        self._rows = self.context
        return self.context, self.whole, self.scales

    def add(self, product: Product, norm: Norm, *, inner: bool = False) -> None:
        """End a sublayer: multiply, add to the states, normalise into the next one's input."""
        from heedful.kernels.rows import add_and_normalise

        add_and_normalise(
            self.multiply(product, inner=inner),
            self.states,
            norm.weight,
            norm.shift,
            norm.eps,
            norm.centred,
            self.packed.post,
            self.input,
            self.whole,
            self.scales,
        )
        self._rows = self.input

    def feed_forward(self, layer: Layer, norm: Norm) -> None:
        """Go through the position-wise network (section 3.3)."""
        from heedful.kernels.rows import activate

        results = self.multiply(layer.inner)
        activate(results, self.packed.activation, self.inner, self.whole_inner, self.scales)
        self.add(layer.outer, norm, inner=True)

    def end(self, stack: Stack) -> None:
        """Make what the stack makes of the rows those of the next product."""
        if len(stack.last.weight):
            self.normalise(stack.last)


def encode(
    packed: PackedTransformer, sources: Sequence[Sequence[int]], space: Workspace
) -> Float[Array, "S N"]:
    """Read the sources (section 3.1); return what every layer of the decoder looks at.

    That is keys and values of all layers of all pieces, one source after another.
    """
    from heedful.kernels.encoder_pass import encoder_pass

    starts = np.array([0, *accumulate(map(len, sources))], np.int64)
    passing = _Pass(packed, space, int(starts[-1]))
    model = packed.model
    tokens = np.array([piece for source in sources for piece in source])
    places = np.arange(len(tokens)) - np.repeat(starts[:-1], np.diff(starts))
    passing.enter(model.tables.source.weight, tokens, model.source_position, places)
    passing.begin(packed.encoder)
    if packed.encoder.stacked is None:
        _layer_by_layer(passing, starts)
    else:
        encoder_pass(*passing.whole_stack(packed.encoder.stacked, (starts,)))
    passing.end(packed.encoder)
    return passing.multiply(packed.memory)


def _layer_by_layer(passing: _Pass, starts: Int[Array, " B"]) -> None:
    """Go through the encoder."""
    from heedful.kernels.attention import attend_within

    packed = passing.packed
    for number, layer in enumerate(packed.encoder.layers):
        attend_within(
            passing.multiply(layer.joint),
            packed.heads,
            packed.groups,
            starts,
            packed.cosines,
            packed.sines,
            packed.slopes,
            layer.relative,
            *passing.attended(),
        )
        passing.add(layer.output, packed.encoder.after[2 * number])
        passing.feed_forward(layer, packed.encoder.after[2 * number + 1])


def _portions(sources: Sequence[Sequence[int]]) -> Iterator[Sequence[Sequence[int]]]:
    """Yield the sources, in their order, so many at a time as the encoder reads together."""
    begin = pieces = 0
    for number, source in enumerate(sources):
        if pieces and pieces + len(source) > AT_ONCE:
            yield sources[begin:number]
            begin, pieces = number, 0
        pieces += len(source)
    yield sources[begin:]


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
        self.packed, self.space, self.width = packed, space, rows_per_sentence
        config = packed.model.config
        depth = packed.groups * (config.d_model // packed.heads)
        self.most = sentences * rows_per_sentence
        shape = (config.decoder_layers, self.most, columns, depth)
        self._kind: Any = np.uint16 if packed.format == "int8" else np.float32
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
        self._passing: _Pass | None = None

    def admit(self, sources: Sequence[Sequence[int]], lists: Sequence[Array] | None = None) -> None:
        """Read further sources; their rows stand behind the others.

        `lists`: the pieces that each translation may be made of, ascending, int32. Raises
        ValueError for more rows than the caches were made for.
        """
        from heedful.kernels.attention import keep_memory

        fresh = len(sources) * self.width
        if len(self.positions) + fresh > self.most:
            raise ValueError(f"these caches were made for {self.most} rows, no more")
        if len(self.positions) + fresh > self.keys.shape[1]:
            self._move(self.most, self.places.shape[1])
        for some in _portions(sources):
            first = self.memory.append(np.array([len(source) for source in some]), self.width)
            keep_memory(encode(self.packed, some, self.space), self.memory.rows, first)
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
        from heedful.kernels.decoder_step import decoder_step

        chosen = slice(None) if rows is None else rows
        positions = self.positions[chosen]
        if positions.max() >= self.places.shape[1]:
            columns = self.places.shape[1]
            self._move(len(self.positions), columns + columns // 2 + 1)
        count = len(positions)
        self.places[chosen, self.now] = np.arange(count)
        if self._passing is None or self._passing.rows != count:
            self._passing = _Pass(self.packed, self.space, count)
        packed, passing = self.packed, self._passing
        model = packed.model
        table, newest = model.tables.target.weight, tokens[chosen]
        passing.enter(table, newest, model.target_position, positions)
        passing.begin(packed.decoder)
        past = (self.now, positions, self.places[chosen])
        across = (self.memory.firsts[chosen], self.memory.counts[chosen])
        if packed.decoder.stacked is not None and not self.attentive:
            between = ((*past, self.keys, self.values), (self.memory.rows, *across))
            decoder_step(*passing.whole_stack(packed.decoder.stacked, between))
        else:
            for number, layer in enumerate(packed.decoder.layers):
                self._layer(passing, number, layer, past, across)
        passing.end(packed.decoder)
        logits = self._logits(passing, chosen)
        self.positions += 1
        self.now = (self.now + 1) % self.places.shape[1]
        return logits

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
        passing: _Pass,
        number: int,
        layer: Layer,
        past: tuple[int, Array, Array],
        across: tuple[Array, Array],
    ) -> None:
        from heedful.kernels.attention import attend_across, attend_back

        packed, after = self.packed, self.packed.decoder.after[3 * number : 3 * number + 3]
        attend_back(
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
        attend_across(
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

    def _logits(self, passing: _Pass, chosen: Any) -> Float[Tensor, "A N"]:
        if self.listed:
            return self._listed(passing, chosen)
        return torch.from_numpy(passing.multiply(self.packed.project))

    def _listed(self, passing: _Pass, chosen: Any) -> Float[Tensor, "A N"]:
        """Return the logits of each row's candidates alone, and tell which they are."""
        from heedful.kernels.listed import listed, listed_whole

        firsts, counts = self.lists.firsts[chosen], self.lists.counts[chosen]
        shape = (passing.rows, int(counts.max()))
        ids = self.space.take("listed", shape, np.int64)
        logits = self.space.take("listed logits", shape)
        lists = (self.lists.rows[0, :, 0], firsts, counts, ids, logits)
        if self.packed.format == "int8":
            project = cast(Int8Product, self.packed.project)
            scales = (passing.scales, project.column_scales)
            listed_whole(passing.whole, self.packed.table, *scales, *lists)
        else:
            listed(passing.input, self.packed.table, *lists)
        self.entries = torch.from_numpy(ids)
        return torch.from_numpy(logits)

    def select(self, rows: Int[Array, " Q"], sentences: Int[Array, " C"] | None = None) -> None:
        """Make row i a copy of the old row `rows[i]`; rows of other sentences are gone."""
        self.places, self.positions = self.places[rows], self.positions[rows]
        self.memory.select(rows)
        if self.listed:
            self.lists.select(rows)
