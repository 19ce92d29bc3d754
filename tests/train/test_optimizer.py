"""Optimizers against ten lines of numpy, and their state there and back."""

import numpy as np
import pytest
import torch
from torch import nn

from heedful.errors import ModelError
from heedful.models.transformer import TransformerConfig
from heedful.train.muon import orthogonal
from heedful.train.optimizer import (
    Adam,
    AdamW,
    Muon,
    averages,
    follow,
    load_state,
    state_tensors,
)

RATES = [0.01, 0.02, 0.005, 0.003, 0.02]


def model() -> nn.Module:
    torch.manual_seed(3)
    return nn.Sequential(nn.Linear(3, 4), nn.LayerNorm(4))


def gradients() -> list[list[torch.Tensor]]:
    numbers = torch.Generator().manual_seed(4)
    shapes = [weight.shape for weight in model().parameters()]
    return [[torch.randn(shape, generator=numbers) for shape in shapes] for _ in RATES]


def step(optimizer: torch.optim.Optimizer, made: nn.Module, number: int) -> None:
    for weight, gradient in zip(made.parameters(), gradients()[number], strict=False):
        weight.grad = gradient.clone()
    for group in optimizer.param_groups:
        group["lr"] = RATES[number]
    optimizer.step()


def adam(weight: np.ndarray, settings: Adam | AdamW, place: int, decay: float) -> np.ndarray:
    """Algorithm 1 of Kingma and Ba, with the decay of Loshchilov and Hutter's algorithm 2."""
    mean, square = np.zeros_like(weight), np.zeros_like(weight)
    for t, (rate, found) in enumerate(zip(RATES, gradients(), strict=True), start=1):
        gradient = found[place].double().numpy()
        mean = settings.beta1 * mean + (1 - settings.beta1) * gradient
        square = settings.beta2 * square + (1 - settings.beta2) * gradient**2
        m, v = mean / (1 - settings.beta1**t), square / (1 - settings.beta2**t)
        weight = weight - rate * decay * weight
        weight = weight - rate * m / (np.sqrt(v) + settings.eps)
    return weight


@pytest.mark.parametrize(
    "settings",
    [Adam(), Adam(beta1=0.5, beta2=0.9, eps=1e-3), AdamW(), AdamW(weight_decay=0.5, eps=1e-6)],
    ids=str,
)
def test_against_numpy(settings: Adam | AdamW) -> None:
    """AdamW decays matrices only: no bias and no norm."""
    made = model()
    before = [weight.detach().double().numpy() for weight in made.parameters()]
    optimizer = settings.build(made)
    for number in range(len(RATES)):
        step(optimizer, made, number)
    for place, (start, weight) in enumerate(zip(before, made.parameters(), strict=True)):
        decayed = isinstance(settings, AdamW) and weight.ndim > 1
        decay = settings.weight_decay if isinstance(settings, AdamW) and decayed else 0.0
        expected = adam(start, settings, place, decay)
        np.testing.assert_allclose(weight.detach().numpy(), expected, rtol=2e-5, atol=1e-6)


def test_the_papers_constants() -> None:
    settings = Adam()
    assert (settings.beta1, settings.beta2, settings.eps) == (0.9, 0.98, 1e-9)


@pytest.mark.parametrize(
    "settings", [Adam(), AdamW(weight_decay=0.1), Muon(weight_decay=0.1)], ids=str
)
def test_state_there_and_back(settings: Adam | AdamW | Muon) -> None:
    """Two steps, the state into a new optimizer, three more: bit-equal to five steps."""
    whole, first = model(), model()
    optimizer = settings.build(whole)
    for number in range(5):
        step(optimizer, whole, number)
    optimizer = settings.build(first)
    for number in range(2):
        step(optimizer, first, number)
    tensors = state_tensors(optimizer, first)
    names = {f"{w}/{moment}" for w, _ in first.named_parameters() for moment in MOMENTS}
    if isinstance(settings, Muon):
        names -= {f"0.weight/{moment}" for moment in MOMENTS}
        names |= {"0.weight/momentum_buffer"}
    assert set(tensors) == names
    second = model()
    second.load_state_dict(first.state_dict())
    optimizer = settings.build(second)
    load_state(optimizer, second, {name: tensor.clone() for name, tensor in tensors.items()})
    for number in range(2, 5):
        step(optimizer, second, number)
    for weight, expected in zip(second.parameters(), whole.parameters(), strict=True):
        assert torch.equal(weight, expected)


MOMENTS = ("step", "exp_avg", "exp_avg_sq")


def test_missing_state_is_named() -> None:
    made = model()
    optimizer = Adam().build(made)
    step(optimizer, made, 0)
    tensors = state_tensors(optimizer, made)
    del tensors["0.weight/exp_avg_sq"]
    with pytest.raises(ModelError, match=r'no optimizer state "0.weight/exp_avg_sq"'):
        load_state(Adam().build(made), made, tensors)


def test_muon_against_pytorchs() -> None:
    """Which computes in bf16: of its steps, which are as long as ours, some hundredths differ."""
    ours, theirs = model(), model()
    mine = Muon(weight_decay=0.1).build(ours)
    matrix, *vectors = theirs.parameters()
    same = torch.optim.Muon([matrix], weight_decay=0.1, adjust_lr_fn="match_rms_adamw")
    rest = AdamW().build(nn.ParameterList(vectors))
    way = 0.0
    for number in range(len(RATES)):
        before = ours[0].weight.detach().clone()
        step(mine, ours, number)
        step(same, theirs, number)
        step(rest, nn.Module(), number)
        weight = ours[0].weight.detach()
        way += float((weight - before).norm())
        assert float((weight - matrix.detach()).norm()) < 0.05 * way
    for name, vector in zip(("0.bias", "1.weight", "1.bias"), vectors, strict=True):
        assert torch.equal(ours.get_parameter(name), vector)


@pytest.mark.parametrize("shape", [(4, 4), (3, 20), (20, 3), (1, 5)])
def test_orthogonal_steps(shape: tuple[int, int]) -> None:
    """As long in every direction, in which they agree with the gradient's."""
    matrices = torch.randn(2, *shape, generator=torch.Generator().manual_seed(1))
    u, s, v = torch.linalg.svd(matrices, full_matrices=False)
    found = u.mT @ orthogonal(matrices) @ v.mT
    diagonal = found.diagonal(dim1=1, dim2=2)
    clear = s > 0.05 * s[:, :1]
    assert ((diagonal > 0.6) & (diagonal < 1.25))[clear].all()
    assert (found - torch.diag_embed(diagonal)).abs().max() < 1e-4


def test_muon_moves_linear_layers_alone() -> None:
    made = TransformerConfig(d_model=16, d_ff=32, n_heads=2).build(30, 30)
    optimizer = Muon().build(made)
    matrices, *others = ({id(x) for x in group["params"]} for group in optimizer.param_groups)
    names = {name for name, weight in made.named_parameters() if id(weight) in matrices}
    assert len(names) == 6 * 6 + 6 * 10
    assert all(name.startswith(("encoder.", "decoder.")) for name in names)
    assert sum(map(len, others)) + len(names) == len(list(made.parameters()))


@pytest.mark.parametrize("settings", [Adam(), Muon()], ids=str)
def test_the_moving_average(settings: Adam | Muon) -> None:
    """It begins at the first weights that a step has made, and survives a checkpoint."""
    made = model()
    optimizer = settings.build(made)
    expected: list[torch.Tensor] = []
    for number, decay in enumerate([0.1, 0.5, 0.9, 0.9, 0.9]):
        step(optimizer, made, number)
        weights = [weight.detach().clone() for weight in made.parameters()]
        if number:
            pairs = zip(expected, weights, strict=True)
            weights = [decay * mean + (1 - decay) * weight for mean, weight in pairs]
        expected = weights
        follow(optimizer, made, decay)
        tensors = {name: x.clone() for name, x in state_tensors(optimizer, made).items()}
        optimizer = settings.build(made)
        load_state(optimizer, made, tensors)
    found = averages(state_tensors(optimizer, made))
    for (name, _), wanted in zip(made.named_parameters(), expected, strict=True):
        torch.testing.assert_close(found[name], wanted)
