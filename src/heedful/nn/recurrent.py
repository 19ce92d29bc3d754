"""Recurrent layers: LSTM and GRU cells over whole sequences, and stacks of them.

States [B T D] and what each row remembers come in and go out. A layer is PyTorch's own module, one
fused kernel for a whole sequence; padding is told to the cell itself, so that nothing is packed.
"""

__all__ = ["GRU", "LSTM", "Cell", "RecurrentLayer", "Stack", "State"]

import warnings
from collections.abc import Iterator, Sequence
from typing import Annotated, Any, ClassVar, Literal

import torch
from pydantic import Field
from torch import nn

from heedful.nn.dropout import Dropout
from heedful.settings import Settings
from heedful.shapes import Bool, Float, Tensor

State = tuple[Tensor, ...]
"""What a layer remembers of each row, [R D] each: of an LSTM h and c, of a GRU h."""

_CLOSED = 1e4
"""What is added to a gate to close it for good, taken away to open it: its sigmoid is 0 or 1, and
no gradient goes through."""


class LSTM(Settings):
    """Long short-term memory (Hochreiter and Schmidhuber 1997), with the forget gate of 2000.

    c' = f c + i g and h' = o tanh(c'), with i, f, o the sigmoids and g the tanh of
    W x + U h + b. Biases of the forget gate begin at 1 (Jozefowicz et al. 2015).
    """

    module: ClassVar[type[nn.RNNBase]] = nn.LSTM
    held: ClassVar[tuple[float, ...]] = (-_CLOSED, _CLOSED, 0.0, 0.0)
    """What keeps c as it is, of the gates i, f, g and o: nothing comes in, nothing is forgotten."""
    parts: ClassVar[int] = 2
    first_bias: ClassVar[tuple[float, ...]] = (0.0, 1.0, 0.0, 0.0)
    kind: Literal["lstm"] = "lstm"


class GRU(Settings):
    """Gated recurrent units (Cho et al. 2014), as cuDNN has them.

    h' = (1 - z) n + z h, with n = tanh(W x + r (U h + b) + b'), z and r sigmoids as in an LSTM.
    """

    module: ClassVar[type[nn.RNNBase]] = nn.GRU
    held: ClassVar[tuple[float, ...]] = (0.0, _CLOSED, 0.0)
    """What keeps h as it is, of the gates r, z and n."""
    parts: ClassVar[int] = 1
    first_bias: ClassVar[tuple[float, ...]] = (0.0, 0.0, 0.0)
    kind: Literal["gru"] = "gru"


Cell = Annotated[LSTM | GRU, Field(discriminator="kind")]


class RecurrentLayer(nn.Module):
    """One cell run over sequences, from left to right or, half as wide each, both ways.

    Weights begin Xavier-uniform, gate by gate, biases as the cell says.
    """

    def __init__(self, n_in: int, n_out: int, cell: Cell, *, both_ways: bool = False) -> None:
        super().__init__()
        self.cell, self.both_ways = cell, both_ways
        self.width = n_out // 2 if both_ways else n_out
        made: Any = cell.module
        self.cells = made(n_in, self.width, batch_first=True, bidirectional=both_ways)
        for name, weight in self.cells.named_parameters():
            gates = weight.unflatten(0, (len(cell.held), self.width)).unbind(0)
            if weight.dim() > 1:
                bound = (6 / (self.width + weight.shape[1])) ** 0.5
                nn.init.uniform_(weight, -bound, bound)
                continue
            nn.init.zeros_(weight)
            for gate, value in zip(gates, cell.first_bias, strict=True):
                if value and name.startswith("bias_ih"):  # the other bias is added to it
                    nn.init.constant_(gate, value)

    def forward(
        self,
        inputs: Float[Tensor, "B T E"],
        state: State | None = None,
        mask: Bool[Tensor, "B T"] | None = None,
    ) -> tuple[Float[Tensor, "B T D"], State]:
        """Return the states of all positions, and what each row remembers after its last.

        It begins with `state`, or with zeros. Where the mask is False there is nothing: what is
        remembered stays as it is, and the states returned there mean nothing. Read both ways, the
        last position of the way back is the first.
        """
        rows, ways = inputs.shape[0], 2 if self.both_ways else 1
        start = None
        if state is not None:
            start = tuple(part[None].contiguous() for part in state)
        if mask is None:
            hidden, last = self.cells(inputs, self._given(start))
        else:
            if start is None:
                zeros = inputs.new_zeros(ways, rows, self.width)
                start = (zeros,) * self.cell.parts
            hidden, last = self._marked(inputs, start, mask)
        remembered = last if isinstance(last, tuple) else (last,)
        ended = tuple(part.transpose(0, 1).flatten(1) for part in remembered)
        if mask is not None:
            ended = (self._ends(hidden, mask), *ended[1:])
        return hidden, ended

    def _given(self, start: State | None) -> Any:
        """Return what is remembered as PyTorch takes it."""
        return start[0] if start is not None and len(start) == 1 else start

    def _marked(
        self, inputs: Float[Tensor, "B T E"], start: State, mask: Bool[Tensor, "B T"]
    ) -> tuple[Tensor, Any]:
        """Run the same kernel with one input more, which is 1 at padding and closes the cell.

        Measured on one core with 64 sentences of 16 pieces and 256 units: packed sequences, the
        usual way, take 67 ms forward and back, this takes 39, as sentences without padding do; of
        16 sentences with 128 pieces it is 323 and 57 (of a GRU 51 and 43, 239 and 169).
        """
        column = inputs.new_tensor(self.cell.held).repeat_interleave(self.width)[:, None]
        weights: list[Tensor] = []
        for way in ["", "_reverse"] if self.both_ways else [""]:
            w, u, *biases = (
                getattr(self.cells, f"{name}_l0{way}")
                for name in ("weight_ih", "weight_hh", "bias_ih", "bias_hh")
            )
            weights += [torch.cat([w, column.to(w.dtype)], 1), u, *biases]
        marked = torch.cat([inputs, (~mask)[..., None].to(inputs.dtype)], -1)
        run: Any = torch.lstm if len(start) == 2 else torch.gru
        how = (True, 1, 0.0, self.training, self.both_ways, True)
        with warnings.catch_warnings():  # of weights that do not lie behind each other on a GPU
            warnings.filterwarnings("ignore", message="RNN module weights")
            hidden, *last = run(marked, self._given(start), weights, *how)
        return hidden, tuple(last)

    def _ends(
        self, hidden: Float[Tensor, "B T D"], mask: Bool[Tensor, "B T"]
    ) -> Float[Tensor, "B D"]:
        """Return each row's last state: of an LSTM, h changes at padding, though c does not."""
        ends = (mask.sum(1) - 1).clamp(min=0)
        last = hidden[torch.arange(len(ends), device=ends.device), ends]
        if not self.both_ways:
            return last
        return torch.cat([last[:, : self.width], hidden[:, 0, self.width :]], -1)


class Stack(nn.Module):
    """Recurrent layers over each other, dropout before each.

    With `residual`, a layer's input is added to its output from the second on (Wu et al. 2016,
    section 3.1), as far as it is the layer below.
    """

    def __init__(self, layers: Sequence[RecurrentLayer], dropout: float, *, residual: bool) -> None:
        super().__init__()
        self.layers = nn.ModuleList(layers)
        self.dropout = Dropout(dropout)
        self.residual = residual

    def __iter__(self) -> Iterator[nn.Module]:
        """Yield the layers, the lowest first."""
        return iter(self.layers)

    def forward(
        self,
        states: Float[Tensor, "B T E"],
        starts: Sequence[State] | None = None,
        mask: Bool[Tensor, "B T"] | None = None,
        beside: Float[Tensor, "B T C"] | None = None,
        first: int = 0,
    ) -> tuple[Float[Tensor, "B T D"], list[State]]:
        """Return the states of the last layer, and what each layer remembers.

        Each layer begins with its own of the `starts`, or zeros; `beside` is a further input of
        all. With `first`, the layers below that are left out, and `states` are theirs.
        """
        ends: list[State] = []
        layers = list(self.layers)[first:]
        for number, layer in enumerate(layers):
            below = self.dropout(states)
            given = below if beside is None else torch.cat([below, beside.to(below.dtype)], -1)
            found, end = layer(given, None if starts is None else starts[number], mask)
            states = found + below if self.residual and number + first else found
            ends.append(end)
        return states, ends
