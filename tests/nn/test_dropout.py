"""Dropout drops at its rate, independently, scales what stays, and repeats by seed.

Bounds on counts are six standard deviations of the binomial; the seeds are fixed.
"""

import math
from concurrent.futures import ThreadPoolExecutor

import pytest
import torch

from heedful.nn import dropout
from heedful.nn.dropout import Dropout, dropout_seed, keep_mask

RATES = [0.1, 0.3, 0.5, 0.9]
N = 400_000


@pytest.fixture(autouse=True, params=["kernel", "torch"])
def way(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> str:
    """Run every test with the compiled kernel, and as on a machine without numba."""
    if request.param == "torch":
        monkeypatch.setattr(dropout, "available", lambda: False)
    return str(request.param)


def dropped(rate: float, seed: int, *shape: int) -> torch.Tensor:
    torch.manual_seed(seed)
    return Dropout(rate)(torch.ones(*shape)) == 0


def close_to(count: float, trials: int, probability: float) -> bool:
    spread = math.sqrt(trials * probability * (1 - probability))
    return abs(count - trials * probability) < 6 * spread


@pytest.mark.parametrize("rate", RATES)
@pytest.mark.parametrize("seed", [1, 2, 3])
def test_the_rate_is_the_rate(rate: float, seed: int) -> None:
    assert close_to(dropped(rate, seed, N).sum().item(), N, rate)


@pytest.mark.parametrize("lane", [0, 1, 2, 3])
def test_each_of_the_four_elements_of_a_draw_has_the_rate(lane: int) -> None:
    zeros = dropped(0.1, 4, N).view(-1, 4)[:, lane]
    assert close_to(zeros.sum().item(), N // 4, 0.1)


@pytest.mark.parametrize("gap", [1, 2, 3, 4, 8, 512])
def test_neighbours_are_independent(gap: int) -> None:
    zeros = dropped(0.3, 5, N)
    both = (zeros[gap:] & zeros[:-gap]).sum().item()
    assert close_to(both, N - gap, 0.3 * 0.3)


def test_steps_are_independent() -> None:
    torch.manual_seed(6)
    module = Dropout(0.3)
    first, second = (module(torch.ones(N)) == 0 for _ in range(2))
    assert close_to((first & second).sum().item(), N, 0.3 * 0.3)


@pytest.mark.parametrize("bit", range(16))
def test_every_part_of_the_range_is_met_as_often_as_it_is_wide(bit: int) -> None:
    torch.manual_seed(7)
    count = (~keep_mask(torch.empty(N), 1 << bit)).sum().item()
    assert close_to(count, N, (1 << bit) / 65_536)


@pytest.mark.parametrize("rate", RATES)
def test_what_stays_is_scaled_so_that_the_mean_stays(rate: float) -> None:
    torch.manual_seed(8)
    states = torch.randn(100, 300)
    output = Dropout(rate)(states)
    kept = output != 0
    torch.testing.assert_close(output[kept], states[kept] / (1 - rate), rtol=2e-4, atol=0)


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16, torch.float64])
def test_the_gradient_is_dropped_and_scaled_alike(dtype: torch.dtype) -> None:
    torch.manual_seed(9)
    states = torch.randn(7, 11, 3, dtype=dtype, requires_grad=True)
    output = Dropout(0.3)(states)
    assert output.dtype == dtype
    upstream = torch.randn(7, 11, 3, dtype=dtype)
    (gradient,) = torch.autograd.grad(output, states, upstream)
    factor = torch.where(output == 0, 0.0, 1 / (1 - 0.3)).to(dtype)
    torch.testing.assert_close(gradient, upstream * factor, rtol=1e-2, atol=0)


def test_states_that_are_not_contiguous_keep_their_places() -> None:
    torch.manual_seed(10)
    states = torch.arange(1.0, 61.0).view(3, 4, 5).transpose(0, 2)
    output = Dropout(0.5)(states)
    kept = output != 0
    torch.testing.assert_close(output[kept], 2 * states[kept], rtol=2e-4, atol=0)
    assert 0 < kept.sum() < 60


@pytest.mark.parametrize("shape", [(0,), (1,), (3,), (2, 0, 5), (5, 7)])
def test_any_size_works(shape: tuple[int, ...]) -> None:
    assert Dropout(0.5)(torch.ones(shape)).shape == shape


def test_outside_training_and_at_rate_0_nothing_changes() -> None:
    states = torch.randn(50)
    assert Dropout(0.9).eval()(states) is states
    assert Dropout(0.0)(states) is states


@pytest.mark.parametrize("rate", [0.5, 0.99, 1 - 1e-9])
def test_a_high_rate_stays_finite(rate: float) -> None:
    assert Dropout(rate)(torch.ones(1000)).isfinite().all()


def test_the_seed_decides() -> None:
    assert torch.equal(dropped(0.3, 11, N), dropped(0.3, 11, N))
    assert not torch.equal(dropped(0.3, 11, N), dropped(0.3, 12, N))


def test_the_mask_is_pytorchs_sense_of_kept() -> None:
    torch.manual_seed(12)
    assert keep_mask(torch.empty(1000), 0).all()


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16, torch.float64])
def test_added_onto_a_residual_is_the_sum(dtype: torch.dtype) -> None:
    states = torch.randn(6, 10, dtype=dtype, requires_grad=True)
    residual = torch.randn(6, 10, dtype=dtype, requires_grad=True)
    torch.manual_seed(13)
    alone = Dropout(0.4)(states)
    torch.manual_seed(13)
    together = Dropout(0.4)(states, onto=residual)
    near = 0.03 if dtype == torch.bfloat16 else 1e-6  # the sum is rounded once, not twice
    torch.testing.assert_close(together, residual + alone, rtol=0, atol=near)
    upstream = torch.randn(6, 10, dtype=dtype)
    found = torch.autograd.grad(together, (states, residual), upstream)
    (expected,) = torch.autograd.grad(alone, states, upstream)
    assert torch.equal(found[0], expected)
    assert torch.equal(found[1], upstream)


def test_onto_another_kind_of_number_or_outside_training() -> None:
    states, residual = torch.randn(5, 4).bfloat16(), torch.randn(5, 4)
    assert torch.equal(Dropout(0.5).eval()(states, onto=residual), states + residual)
    assert Dropout(0.5)(states, onto=residual).dtype == torch.float32


def test_the_gradient_is_the_derivative() -> None:
    """Against differences: with the mask held, dropout is linear."""
    states = torch.randn(20, requires_grad=True)
    step = torch.randn(20)

    def output(at: torch.Tensor) -> torch.Tensor:
        with dropout_seed(5):
            return Dropout(0.3)(at)

    (gradient,) = torch.autograd.grad(output(states).sum(), states)
    difference = output(states.detach() + step).sum() - output(states.detach()).sum()
    torch.testing.assert_close((gradient * step).sum(), difference, rtol=1e-4, atol=1e-5)


def test_the_second_derivative_is_that_of_the_kept_elements() -> None:
    torch.manual_seed(9)
    states = torch.rand(40, requires_grad=True)
    kept = Dropout(0.5)(states)
    (first,) = torch.autograd.grad((kept**3).sum(), states, create_graph=True)
    (second,) = torch.autograd.grad(first.sum(), states)
    # kept is k x with k of 0 or 2: the derivatives of k^3 x^3 are 3 k^3 x^2 and 6 k^3 x
    k = kept.detach() / states.detach()
    torch.testing.assert_close(second, 6 * k**3 * states.detach())


def test_layers_are_independent() -> None:
    """Two modules, one after the other from one seed, as the layers of a shard are."""
    with dropout_seed(3):
        first, second = (Dropout(0.3)(torch.ones(N)) == 0 for _ in range(2))
    assert close_to((first & second).sum().item(), N, 0.3 * 0.3)


@pytest.mark.parametrize("other", [1, 2, 3, 2**40, 2**62])
def test_shards_are_independent(other: int) -> None:
    masks = []
    for seed in (0, other):
        with dropout_seed(seed):
            masks.append(Dropout(0.3)(torch.ones(N)) == 0)
    assert close_to((masks[0] & masks[1]).sum().item(), N, 0.3 * 0.3)


def test_a_seed_decides_for_its_thread_alone() -> None:
    def masks() -> list[torch.Tensor]:
        with dropout_seed(7):
            return [Dropout(0.3)(torch.ones(1000)) for _ in range(20)]

    expected = masks()
    with ThreadPoolExecutor(4) as pool:
        for found in pool.map(lambda _: masks(), range(8)):
            assert all(map(torch.equal, found, expected))
    torch.manual_seed(1)
    after = Dropout(0.3)(torch.ones(1000))
    torch.manual_seed(1)
    masks()
    assert torch.equal(Dropout(0.3)(torch.ones(1000)), after)
