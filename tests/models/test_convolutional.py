"""ConvS2S against compositions of PyTorch's convolutions, and by what its paper promises."""

import pytest
import torch
from pydantic import ValidationError
from torch import nn
from torch.nn import functional as F

from heedful.models.convolutional import Convolutional, ConvolutionalConfig
from heedful.nn.convolution import GatedConvolution, NormedLinear
from tests.models.architectures import ENTRIES, PAD, SOURCE, TARGET, close

HALF = 0.5**0.5


@pytest.mark.parametrize("dilation", [1, 2, 4])
@pytest.mark.parametrize("size", [1, 3, 5])
@pytest.mark.parametrize("causal", [False, True])
def test_a_layer_is_pytorchs_convolution_with_normed_weights(
    causal: bool, size: int, dilation: int
) -> None:
    torch.manual_seed(1)
    layer = GatedConvolution(6, size, 0.0, causal=causal, dilation=dilation)
    inputs = torch.randn(3, 9, 6)
    close(layer(inputs), gated(layer, inputs))


def gated(layer: GatedConvolution, inputs: torch.Tensor) -> torch.Tensor:
    """Return a layer's states by `nn.Conv1d` under PyTorch's weight norm."""
    own, width = layer.inputs_proj, inputs.shape[-1]
    conv = nn.Conv1d(width, 2 * width, layer.size, dilation=layer.dilation)
    conv.bias.data = own.bias.data
    conv.weight.data = own.weight.data.view(2 * width, layer.size, width).transpose(1, 2)
    nn.utils.parametrizations.weight_norm(conv)
    left = layer.reach if layer.causal else layer.reach // 2
    found = conv(F.pad(inputs.transpose(1, 2), (left, layer.reach - left)))
    return F.glu(found, dim=1).transpose(1, 2)


@torch.no_grad()
@pytest.mark.parametrize("max_dilation", [1, 4])
def test_the_model_is_the_papers_composition(max_dilation: int) -> None:
    torch.manual_seed(2)
    config = ConvolutionalConfig(d_model=12, dropout=0.0, max_dilation=max_dilation)
    model = config.build(ENTRIES, ENTRIES).eval()
    hidden = model.hidden(TARGET, model.encode(SOURCE, SOURCE != PAD))
    for row in range(3):
        ids = SOURCE[row][SOURCE[row] != PAD]
        embedded = model.tables.source.weight[ids] + model.source_position.table[: len(ids)]
        memory = embedded
        for layer in model.encoder:
            memory = (gated(layer, memory[None])[0] + memory) * HALF
        values = (memory + embedded) * HALF
        target = model.tables.target.weight[TARGET[row]] + model.target_position.table[:5]
        states = target
        for layer in model.decoder:
            own = gated(layer.convolution, states[None])[0]
            asked = (layer.query_proj(own) + target) * HALF
            context = (asked @ memory.T).softmax(-1) @ values * len(ids) ** 0.5
            states = (((layer.context_proj(context) + own) * HALF) + states) * HALF
        close(hidden[row], states)


def test_dilations_double_and_begin_anew() -> None:
    model = ConvolutionalConfig(d_model=8, encoder_layers=7, max_dilation=16).build(9, 9)
    assert [layer.dilation for layer in model.encoder] == [1, 2, 4, 8, 16, 1, 2]
    assert {layer.convolution.dilation for layer in model.decoder} == {1}


def test_a_cache_keeps_no_more_than_a_convolution_needs() -> None:
    model = (
        ConvolutionalConfig(d_model=8, kernel_size=5, dropout=0.0).build(ENTRIES, ENTRIES).eval()
    )
    memory = model.encode(SOURCE, SOURCE != PAD)
    cache = model.new_cache(memory, 2, 20)
    for _ in range(9):
        model.hidden(TARGET[:, :1].repeat_interleave(2, 0), memory, cache)
    assert [tuple(kept.shape) for kept in cache.before] == [(6, 4, 8)] * 3


@torch.no_grad()
@pytest.mark.parametrize(
    ("asked", "scale"), [({}, 1), ({"scaled": True}, 8**0.5), ({"scaled": False}, 1)]
)
@pytest.mark.parametrize("kind", ["three_way", "two_way"])
def test_embeddings_are_as_the_settings_say(
    kind: str, asked: dict[str, bool], scale: float
) -> None:
    own = {"d_model": 8, "embedding": {"kind": kind} | asked}
    config = ConvolutionalConfig.model_validate(own)
    assert ConvolutionalConfig.model_validate_json(config.model_dump_json()) == config
    tables = config.build(ENTRIES, ENTRIES).tables
    close(tables.embed_source(SOURCE), tables.source.weight[SOURCE] * scale)
    assert (tables.source is tables.target) == (kind == "three_way")


def test_weights_begin_with_the_length_that_the_paper_names() -> None:
    torch.manual_seed(3)
    layer = GatedConvolution(200, 3, 0.25, causal=True)
    assert layer.inputs_proj.weight.std().item() == pytest.approx((4 * 0.75 / 600) ** 0.5, rel=0.02)
    plain = NormedLinear(300, 200, gain=1.0)
    inputs = torch.randn(500, 300)
    close(plain(inputs), inputs @ plain.weight.T)
    assert plain(inputs).var().item() == pytest.approx(1, rel=0.05)


def test_the_encoders_gradient_is_shared_out_among_the_decoders_layers() -> None:
    torch.manual_seed(4)

    def gradient(model: Convolutional, layers: int) -> torch.Tensor:
        memory = model.encode(SOURCE, SOURCE != PAD)
        memory.states.sum().backward()
        found = model.encoder[0].inputs_proj.weight.grad
        assert found is not None
        return found * 2 * layers

    few, many = (ConvolutionalConfig(d_model=8, decoder_layers=n, dropout=0.0) for n in (1, 5))
    one, other = few.build(ENTRIES, ENTRIES), many.build(ENTRIES, ENTRIES)
    other.encoder.load_state_dict(one.encoder.state_dict())
    other.tables.load_state_dict(one.tables.state_dict())
    other.source_position.load_state_dict(one.source_position.state_dict())
    close(gradient(one, 1), gradient(other, 5))


@pytest.mark.parametrize(
    ("shape", "key"),
    [
        ({"kernel_size": 4}, "kernel_size 4"),
        ({"max_dilation": 3}, "max_dilation 3"),
        ({"alignment_layer": 3}, "alignment_layer 3"),
        ({"n_heads": 2}, "n_heads"),
    ],
)
def test_settings_that_do_not_fit_are_refused_by_name(shape: dict[str, object], key: str) -> None:
    with pytest.raises(ValidationError, match=key):
        ConvolutionalConfig.model_validate(shape)
