"""What the doctor calls a divergence, and what it lets pass."""

import math
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from heedful.models.bert import BERTConfig
from heedful.models.bert_heads import Value
from heedful.train.doctor import Diverged, Doctor, Pulse, missing_warmup, same_everywhere
from heedful.train.schedule import InverseSqrt, Linear
from heedful.train.settings import RowTraining, TrainingConfig


def doctor(warmup: int = 4000, **settings: Any) -> Doctor:
    return Doctor(
        TrainingConfig(**settings), lambda step: InverseSqrt(warmup_steps=warmup).rate(step, 512, 1)
    )


def shown(losses: list[float], who: Doctor | None = None, pulse: Pulse | None = None) -> Pulse:
    """Let the doctor look at these losses; return the pulse."""
    pulse = pulse or Pulse()
    for step, loss in enumerate(losses, start=1):
        (who or doctor()).look(pulse, step, loss, 1.0)
    return pulse


def test_a_falling_loss_is_well() -> None:
    pulse = shown([9 * 0.99**step + 1.4 * (step % 2) for step in range(500)])
    assert pulse.high_steps == 0
    assert pulse.lowest is not None
    assert pulse.lowest < 2


def test_hard_batches_now_and_then_are_well() -> None:
    shown([3.0] * 100 + ([6.0] * 19 + [3.0]) * 20)


def test_a_blow_up() -> None:
    """The twentieth high loss in a row ends it; the sentence names both losses."""
    pulse = shown([3.0] * 100 + [7.0] * 19)
    said = r"the loss has blown up: 7\.00 at step 1, it was down to 3\.00"
    with pytest.raises(Diverged, match=said):
        shown([7.0], pulse=pulse)
    assert pulse.high_steps == 19


def test_squared_errors_are_of_the_size_of_the_labels() -> None:
    """Labels of 0 to 100 make batches that differ by hundreds; a blow-up is found all the same."""
    numbers = BERTConfig(
        d_model=16, d_ff=24, n_heads=2, n_layers=1, max_length=8, head=Value(), pooler=True
    ).build(9)
    who = Doctor.of(numbers, RowTraining(), lambda step: 1e-5 * step)
    for seed in range(20):  # by nats, a fourth of such trainings are stopped
        errors = np.random.default_rng(seed).uniform(0, 100, (1500, 32)) ** 2
        pulse = shown(errors.mean(1).tolist(), who)
        assert pulse.calm
    with pytest.raises(Diverged, match="the loss has blown up"):
        shown([1e6] * 20, who, pulse)
    shown([0.0] * 50 + [1.4] * 20, who)
    with pytest.raises(Diverged, match="the loss has blown up"):
        shown([0.0] * 50 + [1.6] * 20, who)
    for seed in range(20):  # rows one by one, the first of them right by luck
        errors = np.random.default_rng(seed).uniform(0, 100, 1500) ** 2
        assert shown([0.0, *errors.tolist()], who).calm


@given(st.lists(st.floats(0, 20), min_size=1, max_size=60))
def test_the_pulse_is_the_running_mean(losses: list[float]) -> None:
    """Against the sum it stands for; the lowest is never above the present one."""
    try:
        pulse = shown(losses)
    except Diverged:
        return
    n = len(losses)
    weights = [0.98 ** (n - 1)] + [0.02 * 0.98 ** (n - 1 - i) for i in range(1, n)]
    expected = math.fsum(w * x for w, x in zip(weights, losses, strict=True))
    assert pulse.mean == pytest.approx(expected, abs=1e-9)
    assert pulse.lowest is not None
    assert pulse.lowest <= pulse.mean


@pytest.mark.parametrize("bad", [math.nan, math.inf, -math.inf])
def test_no_number(bad: float) -> None:
    pulse = Pulse()
    with pytest.raises(Diverged, match="the loss of step 7 is not a number"):
        doctor().look(pulse, 7, bad, 1.0)
    with pytest.raises(Diverged, match="the gradient of step 7 is not a number"):
        doctor().look(pulse, 7, 1.0, bad)
    assert pulse == Pulse()


def test_causes_and_remedies() -> None:
    unwarmed = doctor(warmup=1).diverged("x")
    assert (unwarmed.cause, unwarmed.remedy) == (
        "the learning rate starts at its full height, without warm-up",
        "--schedule.warmup-steps 4000",
    )
    assert "--training.clip-norm 1" in doctor().diverged("x").remedy
    assert doctor(clip_norm=1.0).diverged("x").remedy == "half the learning rate"


@pytest.mark.parametrize(
    ("schedule", "warned"),
    [
        (InverseSqrt(warmup_steps=1), True),
        (InverseSqrt(warmup_steps=4), True),
        (InverseSqrt(warmup_steps=10), False),
        (InverseSqrt(), False),
        (Linear(warmup_steps=1), True),
        (Linear(warmup_steps=400), False),
    ],
)
def test_missing_warmup(schedule: InverseSqrt | Linear, warned: bool) -> None:
    def rate(step: int) -> float:
        return schedule.rate(step, 512, 1000)

    said = missing_warmup(rate, 1000)
    assert (said is not None) == warned
    assert said is None or "--schedule.warmup-steps 4000" in said
    assert missing_warmup(rate, 50) is None  # a trial of some steps needs no advice


def test_same_everywhere() -> None:
    assert same_everywhere(["a"] * 7, 0.1) is None
    assert same_everywhere(["a"] * 8 + ["b"], 0.1) is None
    said = same_everywhere(["a man " * 20] * 8, 0.00123)
    assert said is not None
    assert "all 8 dev sentences" in said
    assert "now 0.0012" in said
    assert "…" in said
