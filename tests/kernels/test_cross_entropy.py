"""The compiled cross-entropy equals PyTorch's in float64: the sums and the gradients."""

import math

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from hypothesis import given
from hypothesis import strategies as st

from heedful.kernels import as_array
from heedful.kernels.cross_entropy import rows_into_gradients

TYPES = [torch.float64, torch.float32, torch.bfloat16]
HALF_STEP = {torch.float64: 2**-53, torch.float32: 2**-24, torch.bfloat16: 2**-8}
"""The rounding of a gradient when it is stored, relative."""
EXACT = {torch.float64: 1e-12, torch.float32: 1e-6, torch.bfloat16: 1e-6}
"""What a probability may be wrong by before that; bfloat16 is computed in float32."""


def expected(
    logits: torch.Tensor, target: torch.Tensor, smoothing: float
) -> tuple[float, float, torch.Tensor]:
    exact = logits.double().requires_grad_()
    loss = F.cross_entropy(exact, target, label_smoothing=smoothing, reduction="sum")
    (gradient,) = torch.autograd.grad(loss, exact)
    nll = F.cross_entropy(exact.detach(), target, reduction="sum")
    return loss.item(), nll.item(), gradient


def check(logits: torch.Tensor, target: torch.Tensor, smoothing: float) -> None:
    """Compare losses and gradients; what is infinite or NaN must be so in both."""
    dtype = logits.dtype
    loss, nll, gradient = expected(logits, target, smoothing)
    found = logits.clone()
    sums = rows_into_gradients(as_array(found), target.numpy(), smoothing, learn=True)
    magnitude = logits[logits.isfinite()].double().abs().max().item()
    allowed = 3 * EXACT[dtype] * len(logits) * (1 + magnitude)
    np.testing.assert_allclose(sums, (loss, nll), rtol=3 * EXACT[dtype], atol=allowed)
    wrong = (found.double() - gradient).abs()
    assert (wrong <= EXACT[dtype] + HALF_STEP[dtype] * gradient.abs() * 1.01).all()
    untouched = logits.clone()
    again = rows_into_gradients(as_array(untouched), target.numpy(), smoothing, learn=False)
    assert again == sums
    assert torch.equal(untouched, logits)


def example(rows: int, entries: int, seed: int, scale: float = 3.0) -> tuple[torch.Tensor, ...]:
    generator = torch.Generator().manual_seed(seed)
    logits = torch.randn(rows, entries, generator=generator, dtype=torch.float64) * scale
    return logits, torch.randint(entries, (rows,), generator=generator)


@pytest.mark.parametrize("dtype", TYPES)
@given(
    rows=st.integers(1, 4),
    entries=st.integers(1, 300),
    smoothing=st.sampled_from([0.0, 0.1, 0.5, 1.0]),
    scale=st.sampled_from([0.0, 0.1, 3.0, 100.0, 1e4, 1e30]),
    seed=st.integers(0, 1000),
)
def test_equals_torch(
    dtype: torch.dtype, rows: int, entries: int, smoothing: float, scale: float, seed: int
) -> None:
    logits, target = example(rows, entries, seed, scale)
    check(logits.to(dtype), target, smoothing)


@pytest.mark.parametrize("dtype", TYPES)
@pytest.mark.parametrize("smoothing", [0.0, 0.1])
def test_equals_torch_at_every_width(dtype: torch.dtype, smoothing: float) -> None:
    for entries in range(1, 301):
        logits, target = example(2, entries, entries)
        check(logits.to(dtype), target, smoothing)


@pytest.mark.parametrize("dtype", TYPES)
@pytest.mark.parametrize("entries", [8000, 32_003])
def test_equals_torch_at_a_vocabulary(dtype: torch.dtype, entries: int) -> None:
    logits, target = example(6, entries, 1)
    check(logits.to(dtype), target, 0.1)


@pytest.mark.parametrize("dtype", TYPES)
@pytest.mark.parametrize("shift", [-1000.0, 1000.0, 1e5])
def test_a_row_far_from_zero_works(dtype: torch.dtype, shift: float) -> None:
    logits, target = example(5, 200, 2)
    check((logits + shift).to(dtype), target, 0.1)


@pytest.mark.parametrize("dtype", TYPES)
def test_the_largest_numbers_do_not_overflow(dtype: torch.dtype) -> None:
    largest = 3e38
    logits = torch.tensor([[largest, -largest, 0.0] * 100, [-largest] * 300], dtype=dtype)
    check(logits, torch.tensor([1, 7]), 0.1)
    check(logits + 0, torch.tensor([0, 299]), 0.0)


@pytest.mark.parametrize("entries", [7, 64, 8000])
def test_each_exponential_is_right_relative_to_itself(entries: int) -> None:
    """Without smoothing the gradient is p_k, right down to the least float32.

    The highest logit is 0: any other would be subtracted with a rounding of its own.
    """
    logits = torch.linspace(-87.0, 0, entries).repeat(2, 1)
    logits[1, :-1] -= torch.rand(entries - 1, generator=torch.Generator().manual_seed(3))
    target = torch.full((2,), entries - 1)
    found = logits.clone()
    rows_into_gradients(as_array(found), target.numpy(), 0.0, learn=True)
    p = logits.double().softmax(-1)
    normal = p[:, :-1] > 2.0**-125
    ratio = found[:, :-1].double() / p[:, :-1]
    assert normal.sum() > 0.8 * ratio.numel()
    assert ((ratio - 1).abs()[normal] < 4e-7).all()  # the exponential, the sum, the product
    assert (found[:, :-1] >= 0).all()


@pytest.mark.parametrize("dtype", TYPES)
@pytest.mark.parametrize("smoothing", [0.0, 0.1])
@pytest.mark.parametrize("entries", [2, 5, 100, 300])
def test_masked_entries_have_no_probability(
    dtype: torch.dtype, smoothing: float, entries: int
) -> None:
    """With smoothing the loss of a masked entry is infinite, as it is PyTorch's."""
    logits, target = example(4, entries, 4)
    masked = torch.arange(entries) % 3 == 0
    logits = logits.masked_fill(masked & (torch.arange(entries) != target[:, None]), -math.inf)
    check(logits.to(dtype), target, smoothing)


@pytest.mark.parametrize("dtype", TYPES)
def test_a_masked_target_costs_infinitely_much(dtype: torch.dtype) -> None:
    logits = torch.tensor([[1.0, -math.inf, 2.0]], dtype=dtype)
    target = np.array([1])
    for smoothing in (0.0, 0.1):
        found = logits.clone()
        sums = rows_into_gradients(as_array(found), target, smoothing, learn=True)
        assert sums == (math.inf, math.inf)
        assert found.isfinite().all()


@pytest.mark.parametrize("dtype", TYPES)
@pytest.mark.parametrize("bad", [math.nan, -math.nan, math.inf])
@pytest.mark.parametrize("place", [0, 1, 17, 64, 98, 99])
@pytest.mark.parametrize("smoothing", [0.0, 0.1])
def test_a_row_without_a_loss_gives_nan(
    dtype: torch.dtype, bad: float, place: int, smoothing: float
) -> None:
    logits, target = example(3, 100, 5)
    logits[1, place] = bad
    found = logits.to(dtype)
    sums = rows_into_gradients(as_array(found), target.numpy(), smoothing, learn=True)
    assert np.isnan(sums).all()
    assert found[1].isnan().all()
    assert found[[0, 2]].isfinite().all()


@pytest.mark.parametrize("dtype", TYPES)
def test_a_row_of_nothing_but_masked_entries_gives_nan(dtype: torch.dtype) -> None:
    logits = torch.full((1, 9), -math.inf, dtype=dtype)
    sums = rows_into_gradients(as_array(logits), np.array([0]), 0.1, learn=True)
    assert np.isnan(sums).all()
    assert logits.isnan().all()


@pytest.mark.parametrize("dtype", TYPES)
def test_every_bfloat16_may_stand_in_a_row(dtype: torch.dtype) -> None:
    patterns = torch.arange(65536, dtype=torch.int32).to(torch.uint16).view(torch.bfloat16)
    finite = patterns[patterns.isfinite()].to(dtype)
    check(
        finite[torch.randperm(len(finite), generator=torch.Generator().manual_seed(6))][None],
        torch.tensor([11]),
        0.1,
    )


def test_gradients_in_bfloat16_are_rounded_to_the_nearest() -> None:
    """Not cut off: over many entries the rounding errors cancel."""
    logits, target = example(50, 300, 7)
    found = logits.bfloat16()
    _, _, gradient = expected(found, target, 0.1)
    rows_into_gradients(as_array(found), target.numpy(), 0.1, learn=True)
    relative = ((found.double() - gradient) / gradient.abs()).flatten()
    assert abs(relative.mean()) < 6 * 2**-8 / math.sqrt(3 * relative.numel())


@pytest.mark.parametrize("shape", [(0, 5), (0, 0)])
def test_no_rows_cost_nothing(shape: tuple[int, int]) -> None:
    logits = np.empty(shape, np.float32)
    assert rows_into_gradients(logits, np.empty(0, np.int64), 0.1, learn=True) == (0.0, 0.0)


def test_arrays_that_do_not_fit_are_refused() -> None:
    logits, target = np.zeros((3, 4), np.float32), np.zeros(3, np.int64)
    with pytest.raises(ValueError, match="contiguous rows"):
        rows_into_gradients(logits.T, target, 0.1, learn=True)
    with pytest.raises(ValueError, match="contiguous rows"):
        rows_into_gradients(logits, target[1:], 0.1, learn=True)
    with pytest.raises(TypeError, match="float16"):
        rows_into_gradients(logits.astype(np.float16), target, 0.1, learn=True)
