"""Norms, residual wiring, feed-forward networks and embeddings against their equations."""

import math

import pytest
import torch
from torch import nn

from heedful.errors import SettingError
from heedful.nn.embedding import ThreeWay, TwoWay, Untied
from heedful.nn.feedforward import GELU, ReLU, SwiGLU
from heedful.nn.norm import LayerNorm, PostNorm, PreNorm, RMSNorm


@pytest.fixture
def states() -> torch.Tensor:
    torch.manual_seed(0)
    return torch.randn(2, 5, 16) * 3 + 1


def shuffled(module: nn.Module) -> nn.Module:
    """Return the module with every parameter drawn anew, so that none is one or zero."""
    with torch.no_grad():
        for weight in module.parameters():
            weight.normal_()
    return module


def test_layer_norm_is_the_equation(states: torch.Tensor) -> None:
    norm = shuffled(LayerNorm(eps=1e-3).build(16))
    mean = states.mean(dim=-1, keepdim=True)
    variance = (states - mean).square().mean(dim=-1, keepdim=True)
    expected = (states - mean) / (variance + 1e-3).sqrt() * norm.weight + norm.bias
    torch.testing.assert_close(norm(states), expected, atol=1e-5, rtol=1e-5)


def test_rms_norm_is_the_equation(states: torch.Tensor) -> None:
    norm = shuffled(RMSNorm(eps=1e-3).build(16))
    size = (states.square().mean(dim=-1, keepdim=True) + 1e-3).sqrt()
    torch.testing.assert_close(norm(states), states / size * norm.weight, atol=1e-5, rtol=1e-5)


@pytest.mark.parametrize("settings", [LayerNorm(), RMSNorm()])
def test_a_norm_starts_as_no_more_than_a_norm(
    settings: LayerNorm | RMSNorm, states: torch.Tensor
) -> None:
    size = settings.build(16)(states).square().mean(dim=-1)
    torch.testing.assert_close(size, torch.ones(2, 5), atol=1e-4, rtol=0)


def test_residuals_are_wired_as_they_say(states: torch.Tensor) -> None:
    norm = shuffled(nn.LayerNorm(16))
    layer = nn.Linear(16, 16)
    post, pre = PostNorm().build(norm, 0.0), PreNorm().build(norm, 0.0)
    torch.testing.assert_close(post(states, layer), norm(states + layer(states)))
    torch.testing.assert_close(pre(states, layer), states + layer(norm(states)))


def test_dropout_acts_on_the_sublayers_output_alone(states: torch.Tensor) -> None:
    torch.manual_seed(1)
    for settings in (PostNorm(), PreNorm()):
        block = settings.build(nn.Identity(), 0.5)
        added = block(states, torch.ones_like) - states
        assert set(added.detach().round(decimals=3).unique().tolist()) == {0.0, 2.0}


def test_relu_and_gelu_are_the_equations(states: torch.Tensor) -> None:
    for settings in (ReLU(), GELU()):
        network = settings.build(16, 24)
        inner = states @ network.inner.weight.T + network.inner.bias
        if isinstance(settings, ReLU):
            active = inner.clamp(min=0)
        else:  # x Phi(x), with Phi the normal distribution
            active = inner * (1 + torch.erf(inner / math.sqrt(2))) / 2
        expected = active @ network.outer.weight.T + network.outer.bias
        torch.testing.assert_close(network(states), expected, atol=1e-5, rtol=1e-5)


def test_swiglu_is_the_equation_and_has_no_biases(states: torch.Tensor) -> None:
    network = SwiGLU().build(16, 24)
    assert {name for name, _ in network.named_parameters()} == {
        "gate.weight",
        "inner.weight",
        "outer.weight",
    }
    gate = states @ network.gate.weight.T
    swish = gate / (1 + (-gate).exp())
    expected = (swish * (states @ network.inner.weight.T)) @ network.outer.weight.T
    torch.testing.assert_close(network(states), expected, atol=1e-5, rtol=1e-5)


@pytest.mark.parametrize("settings", [ReLU(), GELU(), SwiGLU()])
def test_each_position_is_treated_alone(
    settings: ReLU | GELU | SwiGLU, states: torch.Tensor
) -> None:
    network = settings.build(16, 24)
    alone = torch.cat([network(states[:, i : i + 1]) for i in range(5)], dim=1)
    torch.testing.assert_close(alone, network(states), atol=1e-5, rtol=1e-5)


@pytest.mark.parametrize(
    ("settings", "parameters"), [(ThreeWay(), 30), (TwoWay(), 50), (Untied(), 80)]
)
def test_tied_tables_are_one_parameter(
    settings: ThreeWay | TwoWay | Untied, parameters: int
) -> None:
    source_size = 30 if isinstance(settings, ThreeWay) else 20
    tables = settings.build(source_size, 30, 16)
    assert sum(x.numel() for x in tables.parameters()) == parameters * 16
    assert (tables.target is tables.output) == (not isinstance(settings, Untied))
    assert (tables.source is tables.target) == isinstance(settings, ThreeWay)
    assert len(tables.source.weight) == source_size
    assert len(tables.target.weight) == len(tables.output.weight) == 30


def test_three_ways_need_one_vocabulary() -> None:
    with pytest.raises(SettingError, match="three_way"):
        ThreeWay().build(20, 30, 16)


def test_embeddings_are_scaled_by_the_root_of_d_model() -> None:
    torch.manual_seed(2)
    tables = Untied().build(4000, 4000, 64)
    tokens = torch.arange(4000).view(2, 2000)
    torch.testing.assert_close(tables.embed_source(tokens), tables.source.weight[tokens] * 8)
    torch.testing.assert_close(tables.embed_target(tokens), tables.target.weight[tokens] * 8)
    for table in (tables.source, tables.target, tables.output):
        assert table.weight.std().item() == pytest.approx(1 / 8, rel=0.02)
    assert tables.embed_source(tokens).var().item() == pytest.approx(1, rel=0.02)


def test_projection_onto_a_shortlist_is_a_part_of_the_whole() -> None:
    torch.manual_seed(3)
    tables = TwoWay().build(20, 30, 16)
    hidden = torch.randn(2, 5, 16)
    logits = tables.project(hidden, None)
    torch.testing.assert_close(logits, torch.einsum("bte,ne->btn", hidden, tables.target.weight))
    entries = torch.tensor([29, 3, 3, 0])
    torch.testing.assert_close(tables.project(hidden, entries), logits[..., entries])
    torch.testing.assert_close(tables.project(hidden[:, 0], None), logits[:, 0])
