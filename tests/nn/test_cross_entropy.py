"""The fused loss and its gradients against PyTorch's: in pieces, with a kernel or without."""

from unittest.mock import patch

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import nn
from torch.nn import functional as F

from heedful.nn import cross_entropy
from heedful.nn.cross_entropy import projected_cross_entropy

D = 6


def plain(
    hidden: torch.Tensor,
    weight: torch.Tensor,
    target: torch.Tensor,
    smoothing: float,
    r_drop: float = 0.0,
) -> tuple[torch.Tensor, torch.Tensor]:
    """Return the sums, written out with PyTorch's own, in float64."""
    logits = hidden.double() @ weight.double().T
    smoothed = F.cross_entropy(logits, target, label_smoothing=smoothing, reduction="sum")
    if r_drop:
        log_p, log_q = logits.log_softmax(-1).chunk(2)
        for one, other in ((log_p, log_q), (log_q, log_p)):
            apart = F.kl_div(one, other, reduction="sum", log_target=True)
            smoothed = smoothed + r_drop / 2 * apart
    return smoothed, F.cross_entropy(logits, target, reduction="sum")


@pytest.fixture(params=["kernel", "torch"])
def way(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> str:
    """Compute by the compiled kernel, and as on a machine without numba."""
    if request.param == "torch":
        monkeypatch.setattr(cross_entropy, "available", lambda: False)
    return str(request.param)


@pytest.mark.parametrize("dtype", [torch.float64, torch.float32])
@pytest.mark.parametrize(
    ("smoothing", "r_drop"), [(0.0, 0.0), (0.1, 0.0), (0.6, 0.0), (0.0, 3.0), (0.1, 5.0)]
)
@pytest.mark.parametrize(("rows", "pieces"), [(2, 1), (8, 2), (40, 2048), (40, 7), (100, 33)])
def test_loss_and_gradients_are_pytorchs(
    way: str,
    dtype: torch.dtype,
    smoothing: float,
    r_drop: float,
    rows: int,
    pieces: int,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Whole and in pieces, of states and of weights, scaled by what comes from above."""
    monkeypatch.setattr(cross_entropy, "_PROJECTED", pieces)
    torch.manual_seed(rows)
    hidden = torch.randn(rows, D, dtype=dtype, requires_grad=True)
    weight = nn.Parameter(torch.randn(11, D, dtype=dtype))
    target = torch.randint(0, 11, (rows // 2,)).repeat(2)
    before = hidden.detach().clone()
    smoothed, nll = projected_cross_entropy(
        hidden, target, lambda x: x @ weight.T, [weight], smoothing, r_drop
    )
    (smoothed * 0.25).backward()
    found = hidden.grad, weight.grad
    expected, expected_nll = plain(hidden, weight, target, smoothing, r_drop)
    wanted = torch.autograd.grad(expected * 0.25, (hidden, weight))
    exact = {"rtol": 1e-9, "atol": 1e-9} if dtype == torch.float64 else {"rtol": 1e-5, "atol": 1e-5}
    torch.testing.assert_close(smoothed.double(), expected, **exact)
    torch.testing.assert_close(nll.double(), expected_nll, **exact)
    for one, other in zip(found, wanted, strict=True):
        torch.testing.assert_close(one, other, **exact)
    assert torch.equal(hidden, before)
    assert not nll.requires_grad


@settings(max_examples=30, deadline=None)
@given(
    rows=st.integers(1, 20),
    entries=st.integers(1, 40),
    r_drop=st.sampled_from([0.0, 2.0]),
    seed=st.integers(0, 999),
)
def test_kernel_and_torch_agree_in_bf16(rows: int, entries: int, r_drop: float, seed: int) -> None:
    torch.manual_seed(seed)
    logits = (torch.randn(2 * rows if r_drop else rows, entries) * 3).bfloat16()
    target = torch.randint(0, entries, (rows,))
    one, other = logits.clone(), logits.clone()
    loss = cross_entropy._Loss(0.1, r_drop, learn=True)
    sums = cross_entropy._loss_into_gradient(one, target, loss)
    with patch.object(cross_entropy, "available", lambda: False):
        twins = cross_entropy._loss_into_gradient(other, target, loss)
    torch.testing.assert_close(sums, twins, rtol=1e-5, atol=1e-4)
    # Both round to bf16 once; a hair's difference before it may round the other way.
    torch.testing.assert_close(one.float(), other.float(), rtol=2**-7, atol=1e-6)


def test_without_gradients_nothing_is_changed(way: str) -> None:
    weight = nn.Parameter(torch.randn(9, D))
    hidden, target = torch.randn(5, D), torch.randint(0, 9, (5,))
    kept = []

    def project(states: torch.Tensor) -> torch.Tensor:
        kept.append(states @ weight.T)
        return kept[-1]

    with torch.no_grad():
        smoothed, _ = projected_cross_entropy(hidden, target, project, [weight], 0.1)
    torch.testing.assert_close(smoothed.double(), plain(hidden, weight, target, 0.1)[0])
    torch.testing.assert_close(kept[0], (hidden @ weight.T).detach())
    assert not smoothed.requires_grad


def test_weights_that_are_not_used_or_not_learnt(way: str) -> None:
    used, other, frozen = (nn.Parameter(torch.randn(4, D)) for _ in range(3))
    frozen.requires_grad_(False)
    hidden = torch.randn(3, D, requires_grad=True)
    smoothed, _ = projected_cross_entropy(
        hidden, torch.tensor([0, 1, 2]), lambda x: x @ (used + frozen).T, [used, other, frozen], 0.1
    )
    smoothed.backward()
    assert used.grad is not None
    assert other.grad is None
    assert frozen.grad is None


def test_a_forbidden_entry(way: str) -> None:
    """Without smoothing an entry of minus infinity costs nothing and learns nothing."""
    wall = torch.zeros(8)
    wall[5] = float("-inf")
    hidden = torch.randn(3, D, requires_grad=True)
    weight = nn.Parameter(torch.randn(8, D))
    smoothed, nll = projected_cross_entropy(
        hidden, torch.tensor([0, 1, 7]), lambda x: x @ weight.T + wall, [weight], 0.0
    )
    smoothed.backward()
    assert smoothed.isfinite()
    torch.testing.assert_close(smoothed, nll)
    assert weight.grad is not None
    assert not weight.grad[5].any()


def test_gradients_are_taken_once() -> None:
    hidden = torch.randn(3, D, requires_grad=True)
    smoothed, _ = projected_cross_entropy(hidden, torch.tensor([0, 1, 2]), torch.clone, [], 0.1)
    smoothed.backward(retain_graph=True)
    with pytest.raises(RuntimeError, match="only once"):
        smoothed.backward()
