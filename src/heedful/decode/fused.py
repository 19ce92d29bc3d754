"""The Transformer as a translator on CPU: a product, a kernel, a product, a kernel.

What the eager model does in some thirty operators a layer is one compiled pass between two
products here, over memory that is taken once. It is the same function, checked against the eager
model by the tests, for every variant of attention, position, norm and feed-forward network; the
searches drive it as they drive the other. Source sentences come in without padding.
"""

__all__ = ["FusedStepper", "Workspace", "fusible"]

from collections.abc import Sequence
from itertools import accumulate
from typing import Any

import numpy as np
import torch

from heedful.decode.packed import Array, Layer, Norm, PackedTransformer, Product, Stack
from heedful.kernels import available
from heedful.models.transformer import Transformer
from heedful.shapes import Float, Int, Tensor

Sums = tuple["np.ndarray[Any, Any]", Array, Array, Array]
"""Sums of a product, row scales, column scales and bias, as kernels take them."""


def fusible(model: object, device: torch.device | str) -> bool:
    """Return whether a model can be translated with this way."""
    return isinstance(model, Transformer) and torch.device(device).type == "cpu" and available()


class Workspace:
    """Memory that one thread computes in, taken once and grown when more is needed."""

    def __init__(self) -> None:
        self._flat: dict[str, Tensor] = {}

    def take(self, name: str, shape: tuple[int, ...], dtype: torch.dtype = torch.float32) -> Tensor:
        """Return uninitialised memory; what was taken under this name before is gone."""
        size = int(np.prod(shape))
        flat = self._flat.get(name)
        if flat is None or len(flat) < size:
            flat = self._flat[name] = torch.empty(size, dtype=dtype)
        return flat[:size].view(shape)


class _Pass:
    """Some rows on their way through the layers of a stack."""

    def __init__(self, packed: PackedTransformer, space: Workspace, rows: int, name: str) -> None:
        width = packed.model.config.d_model
        self.packed, self.space, self.rows = packed, space, rows
        self.states = space.take(f"{name} states", (rows, width))
        self.input = space.take(f"{name} input", (rows, width))
        self.context = space.take(f"{name} context", (rows, width))
        self.inner = space.take(f"{name} inner", (rows, packed.model.config.d_ff))
        self.scales = space.take(f"{name} scales", (rows,)).fill_(1)

    def multiply(self, product: Product, states: Tensor, *, kept: str = "sums") -> Sums:
        """Return sums, row scales, column scales and bias of a product, as kernels take them."""
        sums = self.space.take(kept, (self.rows, product.n_out), self._kind)
        if self.packed.format == "float32":
            torch.mm(states, product.weight, out=sums)
        else:
            self._multiply_int8(product, states, sums)
        return sums.numpy(), self.scales.numpy(), product.column_scales, product.bias

    @property
    def _kind(self) -> torch.dtype:
        return torch.float32 if self.packed.format == "float32" else torch.int32

    def _multiply_int8(self, product: Product, states: Tensor, sums: Tensor) -> None:
        from heedful.kernels.rows import quantise

        whole = self.space.take("whole", (self.rows, states.shape[1]), torch.int8)
        quantise(states.numpy(), whole.numpy(), self.scales.numpy())
        torch.ops.aten._int_mm.out(whole, product.weight, out=sums)

    def begin(self, stack: Stack) -> None:
        """Make the input of the first sublayer from the states."""
        self.normalise(stack.first, self.input)

    def normalise(self, norm: Norm, out: Tensor) -> None:
        """Write the norm of the states."""
        from heedful.kernels.rows import normalise

        given = (self.states.numpy(), norm.weight, norm.shift, norm.eps, norm.centred)
        normalise(*given, out.numpy())

    def add(self, product: Product, states: Tensor, norm: Norm) -> None:
        """End a sublayer: multiply, add to the states, normalise into the next one's input."""
        from heedful.kernels.rows import add_and_normalise

        add_and_normalise(
            *self.multiply(product, states),
            self.states.numpy(),
            norm.weight,
            norm.shift,
            norm.eps,
            norm.centred,
            self.packed.post,
            self.input.numpy(),
        )

    def feed_forward(self, layer: Layer, norm: Norm) -> None:
        """Go through the position-wise network (section 3.3)."""
        from heedful.kernels.rows import activate

        inner = self.multiply(layer.inner, self.input)
        activate(*inner, self.packed.activation, self.inner.numpy())
        self.add(layer.outer, self.inner, norm)

    def end(self, stack: Stack) -> Tensor:
        """Return what the stack makes of the rows."""
        if not len(stack.last.weight):
            return self.input
        self.normalise(stack.last, self.input)
        return self.input


class FusedMemory:
    """Keys and values that the decoder's layers take of some sources, sentence after sentence."""

    def __init__(self, keys_values: Array, starts: "np.ndarray[Any, np.dtype[np.int64]]") -> None:
        self.keys_values = keys_values
        self.starts = starts


def encode(
    packed: PackedTransformer, sources: Sequence[Sequence[int]], space: Workspace
) -> FusedMemory:
    """Read the sources (section 3.1), and make of them what every layer of the decoder looks at."""
    from heedful.kernels.attention import attend_within

    lengths = [len(source) for source in sources]
    starts = np.array([0, *accumulate(lengths)], np.int64)
    passing = _Pass(packed, space, int(starts[-1]), "encoder")
    model = packed.model
    tokens = torch.tensor([piece for source in sources for piece in source])
    torch.index_select(model.tables.source.weight.detach(), 0, tokens, out=passing.states)
    passing.states.mul_(model.tables.scale)
    if (table := getattr(model.source_position, "table", None)) is not None:
        places = torch.cat([torch.arange(length) for length in lengths])
        passing.states += table.detach()[places]
    passing.begin(packed.encoder)
    for number, layer in enumerate(packed.encoder.layers):
        attend_within(
            *passing.multiply(layer.joint, passing.input),
            packed.heads,
            packed.groups,
            starts,
            packed.cosines,
            packed.sines,
            packed.slopes,
            layer.relative,
            passing.context.numpy(),
        )
        passing.add(layer.output, passing.context, packed.encoder.after[2 * number])
        passing.feed_forward(layer, packed.encoder.after[2 * number + 1])
    states = passing.end(packed.encoder)
    sums, rows, columns, bias = passing.multiply(packed.memory, states, kept="memory")
    if packed.format == "float32":
        sums += bias
        return FusedMemory(sums, starts)
    scaled = space.take("memory scaled", sums.shape)
    torch.mul(torch.from_numpy(sums), torch.from_numpy(rows)[:, None], out=scaled)
    scaled.mul_(torch.from_numpy(columns)).add_(torch.from_numpy(bias))
    return FusedMemory(scaled.numpy(), starts)


class FusedStepper:
    """Some sources in the middle of being translated: a `heedful.search.Stepper`.

    Keys and values are never moved: `places` tells for each row in which row of the caches a
    position of its past stands, and a search that reorders its rows reorders that table alone.
    """

    device = torch.device("cpu")

    def __init__(
        self,
        packed: PackedTransformer,
        sources: Sequence[Sequence[int]],
        rows_per_sentence: int,
        max_length: int,
        space: Workspace,
    ) -> None:
        self.packed, self.space = packed, space
        self.memory = encode(packed, sources, space)
        rows = len(sources) * rows_per_sentence
        self.sentences = np.repeat(np.arange(len(sources)), rows_per_sentence)
        self.places = np.zeros((rows, max_length), np.int32)
        d_k = packed.model.config.d_model // packed.heads
        shape = (packed.model.config.decoder_layers, rows, max_length, packed.groups * d_k)
        self.keys = space.take("keys", shape)
        self.values = space.take("values", shape)
        self.position = 0

    def step(self, tokens: Int[Tensor, " R"]) -> Float[Tensor, "R N"]:
        """Take the newest piece of every row; return logits for the position after it."""
        packed, passing = self.packed, _Pass(self.packed, self.space, len(tokens), "decoder")
        model = packed.model
        torch.index_select(model.tables.target.weight.detach(), 0, tokens, out=passing.states)
        passing.states.mul_(model.tables.scale)
        if (table := getattr(model.target_position, "table", None)) is not None:
            passing.states += table.detach()[self.position]
        passing.begin(packed.decoder)
        for number, layer in enumerate(packed.decoder.layers):
            self._layer(passing, number, layer)
        states = passing.end(packed.decoder)
        sums, rows, columns, _ = passing.multiply(packed.project, states)
        self.position += 1
        logits = torch.from_numpy(sums)
        if packed.format == "float32":
            return logits
        scaled = self.space.take("logits", tuple(logits.shape))
        torch.mul(logits, torch.from_numpy(rows)[:, None], out=scaled)
        return scaled.mul_(torch.from_numpy(columns))

    def _layer(self, passing: _Pass, number: int, layer: Layer) -> None:
        from heedful.kernels.attention import attend_across, attend_back

        packed, after = self.packed, self.packed.decoder.after[3 * number : 3 * number + 3]
        attend_back(
            *passing.multiply(layer.joint, passing.input),
            packed.heads,
            packed.groups,
            self.position,
            self.places,
            self.keys[number].numpy(),
            self.values[number].numpy(),
            packed.cosines,
            packed.sines,
            packed.slopes,
            layer.relative,
            passing.context.numpy(),
        )
        passing.add(layer.output, passing.context, after[0])
        assert layer.across is not None
        assert layer.across_output is not None
        attend_across(
            *passing.multiply(layer.across, passing.input),
            packed.heads,
            packed.groups,
            self.memory.keys_values,
            number * 2 * self.keys.shape[-1],
            self.sentences,
            self.memory.starts,
            passing.context.numpy(),
        )
        passing.add(layer.across_output, passing.context, after[1])
        passing.feed_forward(layer, after[2])

    def select(self, rows: Int[Tensor, " Q"], sentences: Int[Tensor, " C"] | None = None) -> None:
        """Make row i a copy of the old row `rows[i]`; rows of other sentences are gone."""
        chosen = rows.numpy()
        self.places = self.places[chosen]
        self.sentences = self.sentences[chosen]
