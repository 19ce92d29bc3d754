"""Learning rates against the formulas as the papers write them."""

import pytest

from heedful.train.schedule import InverseSqrt, Linear


def paper(step: int, d_model: int, warmup_steps: int) -> float:
    """Equation 3."""
    return d_model**-0.5 * min(step**-0.5, step * warmup_steps**-1.5)


@pytest.mark.parametrize("step", [1, 2, 399, 400, 401, 4000, 100_000])
@pytest.mark.parametrize(("d_model", "warmup_steps"), [(512, 4000), (1024, 400), (32, 1)])
def test_inverse_sqrt_is_the_papers(step: int, d_model: int, warmup_steps: int) -> None:
    found = InverseSqrt(warmup_steps=warmup_steps).rate(step, d_model, max_steps=7)
    assert found == pytest.approx(paper(step, d_model, warmup_steps), rel=1e-12)
    scaled = InverseSqrt(warmup_steps=warmup_steps, scale=0.7).rate(step, d_model, max_steps=7)
    assert scaled == pytest.approx(0.7 * found, rel=1e-12)


def test_inverse_sqrt_by_hand() -> None:
    """d_model 400, 100 steps of warm-up: 1/20 * 1/10 at the top, half of it at 25 and at 400."""
    rates = {step: InverseSqrt(warmup_steps=100).rate(step, 400, 1) for step in range(1, 1000)}
    assert max(rates, key=rates.__getitem__) == 100
    assert rates[100] == pytest.approx(0.005)
    assert rates[50] == rates[400] == pytest.approx(0.0025)


def test_linear_by_hand() -> None:
    """Four steps up, six down: the last step still learns, none after it."""
    schedule = Linear(warmup_steps=4, peak=0.8)
    rates = [schedule.rate(step, 512, 9) for step in range(1, 12)]
    expected = [0.2, 0.4, 0.6, 0.8, 5 / 6 * 0.8, 4 / 6 * 0.8, 0.4, 2 / 6 * 0.8, 0.8 / 6, 0, 0]
    assert rates == pytest.approx(expected)


def test_linear_shorter_than_its_warm_up() -> None:
    rates = [Linear(warmup_steps=100, peak=1.0).rate(step, 512, 5) for step in range(1, 8)]
    assert rates == pytest.approx([0.01, 0.02, 0.03, 0.04, 0.05, 0, 0])


@pytest.mark.parametrize("schedule", [InverseSqrt(), Linear()])
def test_rates_are_never_negative(schedule: InverseSqrt | Linear) -> None:
    assert all(schedule.rate(step, 64, 1000) >= 0 for step in range(1, 3000))
