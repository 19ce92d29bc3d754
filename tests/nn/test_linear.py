"""The fused product against `F.linear` and ReLU: results, gradients, and where it is not taken."""

import pytest
import torch
from torch import nn
from torch.nn import functional as F

from heedful.nn import linear as module
from heedful.nn.linear import Linear, linear


def made(*shape: int, learn: bool = True) -> torch.Tensor:
    return torch.randn(*shape, requires_grad=learn)


@pytest.mark.parametrize("relu", [False, True])
@pytest.mark.parametrize("bias", [False, True])
@pytest.mark.parametrize("rows", [(1,), (7,), (3, 5), (2, 3, 4)])
def test_results_and_gradients_are_pytorchs(rows: tuple[int, ...], bias: bool, relu: bool) -> None:
    torch.manual_seed(len(rows))
    states, weight = made(*rows, 6), made(9, 6)
    shift = made(9) if bias else None
    leaves = [leaf for leaf in (states, weight, shift) if leaf is not None]
    upstream = torch.randn(*rows, 9)
    found = linear(states, weight, shift, relu)
    exact = F.linear(*(None if x is None else x.double() for x in (states, weight, shift)))
    expected = exact.relu() if relu else exact
    torch.testing.assert_close(found.double(), expected, rtol=1e-5, atol=1e-5)
    gradients = torch.autograd.grad(found, leaves, upstream)
    wanted = torch.autograd.grad(expected, leaves, upstream.double())
    for one, other in zip(gradients, wanted, strict=True):
        torch.testing.assert_close(one, other, rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize("widths", [(512, 20), (20, 512), (600, 512), (8_000, 4), (4, 8_000)])
@pytest.mark.parametrize("relu", [False, True])
def test_the_gradient_of_wide_weights(widths: tuple[int, int], relu: bool) -> None:
    """Whichever factor is laid straight for oneDNN, the weights' gradient is PyTorch's."""
    torch.manual_seed(widths[0])
    states, weight = made(11, widths[1]), made(*widths)
    upstream = torch.randn(11, widths[0])
    found = torch.autograd.grad(linear(states, weight, relu=relu), weight, upstream)[0]
    exact = F.linear(states.double(), weight.double())
    wanted = torch.autograd.grad(exact.relu() if relu else exact, weight, upstream.double())[0]
    torch.testing.assert_close(found, wanted, rtol=1e-4, atol=1e-4, check_dtype=False)
    assert found.is_contiguous()


def test_states_that_are_not_contiguous() -> None:
    states, weight = made(4, 5, 6).transpose(0, 1), made(3, 6)
    torch.testing.assert_close(linear(states, weight), F.linear(states, weight))
    upstream = torch.randn(3, 4, 5).transpose(0, 2)
    (found,) = torch.autograd.grad(linear(states, weight), weight, upstream)
    (expected,) = torch.autograd.grad(F.linear(states, weight), weight, upstream)
    torch.testing.assert_close(found, expected)


def test_only_what_is_learnt_gets_a_gradient() -> None:
    states, weight = made(4, 6, learn=False), made(3, 6)
    linear(states, weight).sum().backward()
    assert states.grad is None
    assert weight.grad is not None
    frozen = made(3, 6, learn=False)
    assert not linear(states, frozen).requires_grad


def test_where_it_is_plain(monkeypatch: pytest.MonkeyPatch) -> None:
    """Without gradients, in other formats, under autocast, with nothing to multiply."""

    def never(*_: object) -> None:
        pytest.fail("the fused product was taken")

    monkeypatch.setattr(module, "product", never)
    states, weight = made(4, 6), made(3, 6)
    with torch.no_grad():
        assert torch.equal(linear(states, weight), F.linear(states, weight))
    assert linear(states.double(), weight.double()).dtype == torch.float64
    assert linear(made(0, 6), weight).shape == (0, 3)
    with torch.autocast("cpu", torch.bfloat16):
        assert linear(states, weight).dtype == torch.bfloat16


def test_the_module_is_nn_linear_with_a_relu() -> None:
    ours, theirs = Linear(6, 3, relu=True), nn.Linear(6, 3)
    theirs.load_state_dict(ours.state_dict())
    states = made(4, 6)
    torch.testing.assert_close(ours(states), theirs(states).relu())
    assert Linear(6, 3, bias=False).bias is None


def test_the_gradient_has_a_gradient() -> None:
    """What a gradient penalty needs."""
    torch.manual_seed(0)
    leaves = [made(2, 3, 6), made(4, 6), made(4)]
    norms = []
    for product in (linear, F.linear):
        slope = torch.autograd.grad(product(*leaves).pow(3).sum(), leaves, create_graph=True)
        penalty = sum(part.pow(2).sum() for part in slope)
        norms.append(torch.autograd.grad(penalty, leaves))
    for one, other in zip(*norms, strict=True):
        torch.testing.assert_close(one, other, rtol=1e-4, atol=1e-4)


def test_transforms_of_torch_func_go_through() -> None:
    states, weight = made(4, 6, learn=False), made(3, 6, learn=False)
    found = torch.func.grad(lambda w: linear(states, w).sum())(weight)
    torch.testing.assert_close(found, states.sum(0).expand(3, 6))
