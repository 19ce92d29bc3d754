"""A power law is found again in losses that were computed by one."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from heedful.claims import scaling
from heedful.claims.claim import Measured
from heedful.claims.power_law import fit, foretold

SIZES = [10_000, 50_000, 200_000, 1_000_000]


@given(st.floats(0.5, 50), st.floats(0.01, 0.9))
def test_an_exact_law_is_found_and_foretells_the_largest(a: float, b: float) -> None:
    losses = [a * size**-b for size in SIZES]
    law = fit(SIZES, losses)
    assert (law.a, law.b) == pytest.approx((a, b), rel=1e-6)
    assert law.error == pytest.approx(0, abs=1e-9)
    assert foretold(SIZES, losses) == pytest.approx((losses[-1], losses[-1]), rel=1e-6)


def test_a_floor_is_found_to_the_step_of_the_grid() -> None:
    losses = [20 * size**-0.4 + 1.0 for size in SIZES]
    law = fit(SIZES, losses, floor=True)
    assert law.c == pytest.approx(1.0, abs=min(losses) / 400)
    assert law.b == pytest.approx(0.4, abs=0.02)
    assert law.error < fit(SIZES, losses).error / 2


def test_two_sizes_hold_no_floor() -> None:
    with pytest.raises(ValueError, match="too few"):
        fit([1, 2], [2, 1], floor=True)
    with pytest.raises(ValueError, match="too few"):
        fit([1, 1], [2, 2.1])


def test_seeds_of_a_size_do_not_make_the_exponent_surer() -> None:
    off = {10_000: 1.02, 50_000: 0.98, 200_000: 1.01, 1_000_000: 0.99}  # what the law misses

    def told(seeds: int) -> str:
        known = [
            Measured(
                {"steps": 9, "seed": seed},
                {"weights_of_layers": n, "tokens": 1, "dev_loss": 5 * n**-0.1 * miss},
            )
            for n, miss in off.items()
            for seed in range(seeds)
        ]
        return scaling.CLAIM.report(known).sentences[0]

    assert "95 %" in told(1)
    assert told(3) == told(1)
