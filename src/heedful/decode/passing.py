"""Rows on their way through the layers of a packed Transformer, and the encoder's whole way."""

__all__ = ["AT_ONCE", "Pass", "encode", "table_of"]

from collections.abc import Sequence
from itertools import accumulate
from typing import Any

import numpy as np

from heedful.decode.packed import Layer, Norm, PackedTransformer, Stack, Stacked
from heedful.decode.products import Product, Workspace
from heedful.kernels import called
from heedful.shapes import Array, Float, Int, Tensor

AT_ONCE = 256
"""Source pieces that go through the encoder together: more would leave the processor's caches."""

_NOTHING = np.zeros((0, 0), np.float32)


def table_of(position: Any) -> Float[Array, "P D"]:
    """Return what a kind of position adds to embeddings; no rows where it adds nothing."""
    known = getattr(position, "table", None)
    return _NOTHING if known is None else known.detach().numpy()


class Pass:
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
        scale = np.float32(self.packed.model.tables.scale)
        called.embed(table.detach().numpy(), tokens, scale, table_of(position), places, self.states)

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
            *(stacked.positions, *between, *self.memory(stacked)),
        )

    def memory(self, stacked: Stacked) -> tuple[Any, Any, Any]:
        """Return what rows pass through: real numbers, whole ones, results of products."""
        return (
            (self.states, self.input, self.context, self.inner),
            (self.whole, self.whole_inner, self.scales),
            tuple(self.results(width) for width in stacked.widths),
        )

    def begin(self, stack: Stack) -> None:
        """Make the input of the first sublayer from the states."""
        self.normalise(stack.first)

    def normalise(self, norm: Norm) -> None:
        """Make the norm of the states the rows of the next product."""
        given = (self.states, norm.weight, norm.shift, norm.eps, norm.centred)
        called.normalise(*given, self.input, self.whole, self.scales)
        self._rows = self.input

    def attended(self) -> tuple[Array, Array, Array]:
        """Return where attention writes, which are the rows of the next product."""
        self._rows = self.context
        return self.context, self.whole, self.scales

    def add(self, product: Product, norm: Norm, *, inner: bool = False) -> None:
        """End a sublayer: multiply, add to the states, normalise into the next one's input."""
        called.add_and_normalise(
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
        results = self.multiply(layer.inner)
        called.activate(results, self.packed.activation, self.inner, self.whole_inner, self.scales)
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
    starts = np.array([0, *accumulate(map(len, sources))], np.int64)
    passing = Pass(packed, space, int(starts[-1]))
    model = packed.model
    tokens = np.array([piece for source in sources for piece in source])
    places = np.arange(len(tokens)) - np.repeat(starts[:-1], np.diff(starts))
    passing.enter(model.tables.source.weight, tokens, model.source_position, places)
    passing.begin(packed.encoder)
    if packed.encoder.stacked is None:
        _layer_by_layer(passing, starts)
    else:
        called.encoder_pass(*passing.whole_stack(packed.encoder.stacked, (starts,)))
    passing.end(packed.encoder)
    return passing.multiply(packed.memory)


def _layer_by_layer(passing: Pass, starts: Int[Array, " B"]) -> None:
    """Go through the encoder."""
    packed = passing.packed
    for number, layer in enumerate(packed.encoder.layers):
        called.attend_within(
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
