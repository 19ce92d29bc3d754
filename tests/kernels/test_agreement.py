"""The compiled loss of pairs of predictions equals PyTorch's in float64: sums and gradients."""

import math

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from hypothesis import given
from hypothesis import strategies as st

from heedful.kernels import as_array
from heedful.kernels.agreement import pairs_into_gradients
from heedful.kernels.cross_entropy import rows_into_gradients

TYPES = [torch.float32, torch.bfloat16]
HALF_STEP = {torch.float32: 2**-23, torch.bfloat16: 2**-8}
"""The rounding of a gradient when it is stored, relative."""


def expected(
    logits: torch.Tensor, target: torch.Tensor, smoothing: float, weight: float
) -> tuple[float, float, torch.Tensor]:
    exact = logits.double().requires_grad_()
    answers = target.repeat(2)
    loss = F.cross_entropy(exact, answers, label_smoothing=smoothing, reduction="sum")
    log_p, log_q = exact.log_softmax(-1).chunk(2)
    for one, other in ((log_p, log_q), (log_q, log_p)):
        loss = loss + weight / 2 * F.kl_div(one, other, reduction="sum", log_target=True)
    (gradient,) = torch.autograd.grad(loss, exact)
    nll = F.cross_entropy(exact.detach(), answers, reduction="sum")
    return loss.item(), nll.item(), gradient


def check(logits: torch.Tensor, target: torch.Tensor, smoothing: float, weight: float) -> None:
    loss, nll, gradient = expected(logits, target, smoothing, weight)
    found = logits.clone()
    sums = pairs_into_gradients(as_array(found), target.numpy(), smoothing, weight, learn=True)
    magnitude = (1 + weight) * (1 + logits.double().abs().max().item())
    np.testing.assert_allclose(sums, (loss, nll), rtol=3e-6, atol=3e-6 * len(logits) * magnitude)
    wrong = (found.double() - gradient).abs()
    assert (wrong <= 2e-6 * magnitude + HALF_STEP[logits.dtype] * gradient.abs() * 1.01).all()
    untouched = logits.clone()
    again = pairs_into_gradients(
        as_array(untouched), target.numpy(), smoothing, weight, learn=False
    )
    assert again == sums
    assert torch.equal(untouched, logits)


def example(pairs: int, entries: int, seed: int, scale: float = 3.0) -> tuple[torch.Tensor, ...]:
    generator = torch.Generator().manual_seed(seed)
    logits = torch.randn(2 * pairs, entries, generator=generator, dtype=torch.float64) * scale
    return logits, torch.randint(entries, (pairs,), generator=generator)


@pytest.mark.parametrize("dtype", TYPES)
@given(
    pairs=st.integers(1, 4),
    entries=st.integers(1, 300),
    smoothing=st.sampled_from([0.0, 0.1, 1.0]),
    weight=st.sampled_from([0.0, 1.0, 5.0]),
    scale=st.sampled_from([0.0, 0.1, 3.0, 30.0, 1e4]),
    seed=st.integers(0, 1000),
)
def test_equals_torch(
    dtype: torch.dtype,
    pairs: int,
    entries: int,
    smoothing: float,
    weight: float,
    scale: float,
    seed: int,
) -> None:
    logits, target = example(pairs, entries, seed, scale)
    check(logits.to(dtype), target, smoothing, weight)


@pytest.mark.parametrize("dtype", TYPES)
@pytest.mark.parametrize("shift", [-1000.0, 0.0, 1000.0])
def test_equals_torch_at_a_vocabulary_and_far_from_zero(dtype: torch.dtype, shift: float) -> None:
    logits, target = example(3, 10_000, 1)
    check((logits + shift).to(dtype), target, 0.1, 2.0)


@pytest.mark.parametrize("dtype", TYPES)
def test_equal_predictions_cost_what_they_cost_apart(dtype: torch.dtype) -> None:
    logits, target = example(5, 90, 2)
    logits = logits[:5].repeat(2, 1).to(dtype)
    one, other = logits.clone(), logits.clone()
    sums = pairs_into_gradients(as_array(one), target.numpy(), 0.1, 5.0, learn=True)
    both = target.repeat(2).numpy()
    assert sums == pytest.approx(rows_into_gradients(as_array(other), both, 0.1, learn=True))
    torch.testing.assert_close(
        one, other, rtol=2**-7 if dtype == torch.bfloat16 else 1e-5, atol=1e-6
    )


@pytest.mark.parametrize("dtype", TYPES)
@pytest.mark.parametrize("bad", [math.nan, math.inf, -math.inf])
@pytest.mark.parametrize("row", [1, 4])
def test_what_is_not_finite_makes_the_loss_so(dtype: torch.dtype, bad: float, row: int) -> None:
    logits, target = example(3, 100, 5)
    logits[row, 17] = bad
    loss, _ = pairs_into_gradients(as_array(logits.to(dtype)), target.numpy(), 0.1, 5.0, learn=True)
    assert not math.isfinite(loss)


def test_arrays_that_do_not_fit_are_refused() -> None:
    logits, target = np.zeros((6, 4), np.float32), np.zeros(3, np.int64)
    assert pairs_into_gradients(logits[:0], target[:0], 0.1, 1, learn=True) == (0.0, 0.0)
    with pytest.raises(ValueError, match="contiguous rows"):
        pairs_into_gradients(np.zeros((4, 6), np.float32).T, target, 0.1, 1, learn=True)
    with pytest.raises(ValueError, match="two rows for each of 2"):
        pairs_into_gradients(logits, target[1:], 0.1, 1, learn=True)
    with pytest.raises(TypeError, match="float16"):
        pairs_into_gradients(logits.astype(np.float16), target, 0.1, 1, learn=True)
