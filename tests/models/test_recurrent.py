"""Recurrent models against PyTorch's own modules, packed sequences and plain loops."""

import pytest
import torch
from pydantic import ValidationError
from torch import nn
from torch.nn.utils.rnn import pack_padded_sequence, pad_packed_sequence

from heedful.models.recurrent import Recurrent, RecurrentConfig
from heedful.models.wiring import GNMT, Bahdanau, Luong, NoAttention
from heedful.nn.recurrent import GRU, LSTM, Cell, RecurrentLayer, Stack
from heedful.nn.source_attention import Additive, Dot, General
from tests.models.architectures import ENTRIES, PAD, SOURCE, TARGET, close

CELLS = [LSTM(), GRU()]


@pytest.mark.parametrize("both_ways", [False, True])
@pytest.mark.parametrize("cell", CELLS, ids=lambda cell: cell.kind)
def test_a_masked_layer_is_pytorchs_of_packed_sequences(cell: Cell, both_ways: bool) -> None:
    torch.manual_seed(1)
    layer = RecurrentLayer(6, 8, cell, both_ways=both_ways)
    lengths = torch.tensor([5, 2, 7, 1])
    mask = torch.arange(7) < lengths[:, None]
    inputs = torch.randn(4, 7, 6, requires_grad=True)
    packed = pack_padded_sequence(inputs, lengths, batch_first=True, enforce_sorted=False)
    packed_states, last = layer.cells(packed)
    expected = pad_packed_sequence(packed_states, batch_first=True)[0]
    ends = [torch.cat(end.unbind(0), -1) for end in (last if cell.parts == 2 else [last])]
    states, remembered = layer(inputs, None, mask)
    close(states[mask], expected[mask])
    close(torch.stack(remembered), torch.stack(ends))
    shown, kept = torch.randn_like(states), torch.randn_like(ends[0])
    gradients = [
        torch.autograd.grad(
            (hidden * shown)[mask].sum() + sum((end * kept).sum() for end in memory),
            [inputs, *layer.parameters()],
        )
        for hidden, memory in ((expected, ends), (states, remembered))
    ]
    for theirs, ours in zip(*gradients, strict=True):
        close(ours, theirs)


@pytest.mark.parametrize("cell", CELLS, ids=lambda cell: cell.kind)
def test_a_layer_goes_on_from_what_it_remembers(cell: Cell) -> None:
    torch.manual_seed(2)
    layer, inputs = RecurrentLayer(6, 8, cell), torch.randn(3, 5, 6)
    whole, end = layer(inputs)
    first, between = layer(inputs[:, :2])
    rest, again = layer(inputs[:, 2:], between)
    close(torch.cat([first, rest], 1), whole)
    close(torch.stack(again), torch.stack(end))


def test_the_forget_gate_begins_open_and_the_rest_even() -> None:
    layer = RecurrentLayer(8, 8, LSTM())
    forget = slice(8, 16)
    total = layer.cells.bias_ih_l0 + layer.cells.bias_hh_l0
    assert (total[forget] == 1).all()
    assert total.sum() == 8
    assert layer.cells.weight_hh_l0.abs().max() <= (6 / 16) ** 0.5


def test_a_stack_adds_what_the_layer_below_has_made() -> None:
    torch.manual_seed(3)
    layers = [RecurrentLayer(6, 6, GRU()) for _ in range(3)]
    inputs = torch.randn(2, 4, 6)
    one = layers[0].cells(inputs)[0]
    two = layers[1].cells(one)[0] + one
    close(Stack(layers, 0.0, residual=True)(inputs)[0], layers[2].cells(two)[0] + two)
    flat = layers[2].cells(layers[1].cells(one)[0])[0]
    close(Stack(layers, 0.0, residual=False)(inputs)[0], flat)


# Whole models, against loops over PyTorch's cells with the equations of the papers


def built(**shape: object) -> Recurrent:
    torch.manual_seed(4)
    config = RecurrentConfig.model_validate({"d_model": 12, "dropout": 0.0, **shape})
    return config.build(ENTRIES, ENTRIES).eval()


def cell_of(layer: RecurrentLayer) -> nn.Module:
    """Return PyTorch's cell of one step with a layer's weights."""
    made = {nn.LSTM: nn.LSTMCell, nn.GRU: nn.GRUCell}[layer.cell.module]
    cell = made(layer.cells.input_size, layer.width)
    for name, weight in cell.named_parameters():
        weight.data = getattr(layer.cells, f"{name}_l0")
    return cell


def sentence(model: Recurrent, row: int) -> tuple[torch.Tensor, torch.Tensor, list[object]]:
    """Return a source's embeddings, the encoder's states and what PyTorch's layers end with."""
    ids = SOURCE[row][SOURCE[row] != PAD]
    embedded = model.tables.source.weight[ids] * 12**0.5
    states = embedded.flip(0) if model.config.direction == "backward" else embedded
    ends: list[object] = []
    for layer in model.encoder.layers:
        states, end = layer.cells(states[None])
        states = states[0]
        parts = end if isinstance(end, tuple) else (end,)
        both = tuple(torch.cat(part.unbind(0), -1) for part in parts)
        ends.append(both if len(both) == 2 else both[0])
    return embedded, states, ends


def written(model: Recurrent, row: int) -> torch.Tensor:
    return model.tables.target.weight[TARGET[row]] * 12**0.5


@torch.no_grad()
def test_sutskever_is_two_lstms_of_which_one_begins_where_the_other_ends() -> None:
    model = built(attention=NoAttention(), direction="backward")
    hidden = model.hidden(TARGET, model.encode(SOURCE, SOURCE != PAD))
    for row in range(3):
        states, starts = written(model, row)[None], sentence(model, row)[2]
        for layer, (h, c) in zip(model.decoder.layers, starts, strict=True):
            states = layer.cells(states, (h[None], c[None]))[0]
        close(hidden[row], states[0])


SCORES = {
    "additive": lambda s, q, k: (
        s.score_proj.weight[0] * torch.tanh(s.query_proj(q) + k @ s.key_proj.weight.T)
    ).sum(-1),
    "general": lambda s, q, k: (k @ s.key_proj.weight.T) @ q,
    "dot": lambda s, q, k: k @ q,
}
"""The scores of one query with all keys, as the papers write them."""


def looked(model: Recurrent, query: torch.Tensor, keys: torch.Tensor) -> torch.Tensor:
    attention = model.wiring.attention
    scores = SCORES[model.config.attention.score.kind](attention.score, query, keys)
    return scores.softmax(-1) @ keys


@pytest.mark.parametrize("score", [Additive(), Dot(), General()], ids=lambda score: score.kind)
@torch.no_grad()
def test_bahdanau_looks_with_the_state_before(score: object) -> None:
    model = built(attention=Bahdanau(score=score), cell=GRU(), decoder_layers=1, encoder_layers=1)
    hidden = model.hidden(TARGET, model.encode(SOURCE, SOURCE != PAD))
    cell = cell_of(model.decoder.layers[0])
    for row in range(3):
        _, keys, [state] = sentence(model, row)
        for step, piece in enumerate(written(model, row)):
            context = looked(model, state[0], keys)
            state = cell(torch.cat([piece, context])[None], state)
            joined = torch.cat([state[0], context, piece])
            close(hidden[row, step], model.wiring.output_proj(joined).tanh())


@pytest.mark.parametrize("feeding", [False, True])
@pytest.mark.parametrize("score", [Additive(), Dot(), General()], ids=lambda score: score.kind)
@torch.no_grad()
def test_luong_looks_with_the_last_layers_state(score: object, feeding: bool) -> None:
    model = built(attention=Luong(score=score, input_feeding=feeding), direction="forward")
    hidden = model.hidden(TARGET, model.encode(SOURCE, SOURCE != PAD))
    cells = [cell_of(layer) for layer in model.decoder.layers]
    for row in range(3):
        _, keys, states = sentence(model, row)
        fed = torch.zeros(12)
        for step, piece in enumerate(written(model, row)):
            below = torch.cat([piece, fed]) if feeding else piece
            for number, cell in enumerate(cells):
                states[number] = cell(below[None], states[number])
                below = states[number][0][0]
            joined = torch.cat([looked(model, below, keys), below])
            fed = model.wiring.output_proj(joined).tanh()
            close(hidden[row, step], fed)


@torch.no_grad()
def test_gnmt_looks_with_the_first_layer_for_those_above() -> None:
    shape = {"attention": GNMT(), "direction": "forward", "residual": True}
    model = built(**shape, encoder_layers=1, decoder_layers=3)
    hidden = model.hidden(TARGET, model.encode(SOURCE, SOURCE != PAD))
    cells = [cell_of(layer) for layer in model.decoder.layers]
    for row in range(3):
        _, keys, [start] = sentence(model, row)
        states = [start, start, start]  # all layers above the encoder's begin as its lowest
        for step, piece in enumerate(written(model, row)):
            states[0] = cells[0](piece[None], states[0])
            below = states[0][0][0]
            context = looked(model, below, keys)
            for number in (1, 2):
                states[number] = cells[number](torch.cat([below, context])[None], states[number])
                below = below + states[number][0][0]
            close(hidden[row, step], below)


@pytest.mark.parametrize(
    ("shape", "key"),
    [
        ({"d_model": 7}, "d_model 7"),
        ({"attention": {"kind": "gnmt"}, "decoder_layers": 1}, "attention gnmt"),
        ({"residual": True, "encoder_layers": 1, "decoder_layers": 1}, "residual"),
        ({"attention": {"kind": "none"}, "alignment_layer": 0}, "alignment_layer"),
        ({"attention": {"kind": "none", "input_feeding": True}}, "input_feeding"),
        ({"attention": {"kind": "gnmt", "input_feeding": True}}, "input_feeding"),
        ({"direction": "sideways"}, "direction"),
    ],
)
def test_settings_that_do_not_fit_are_refused_by_name(shape: dict[str, object], key: str) -> None:
    with pytest.raises(ValidationError, match=key):
        RecurrentConfig.model_validate(shape)
