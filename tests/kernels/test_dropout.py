"""The compiled dropout equals its twin in numpy, and its masks are random.

Bounds on counts are six standard deviations; keys and seeds are fixed.
"""

import math
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from heedful.kernels import as_array
from heedful.kernels.dropout import keep_mask, keep_scaled_add, random_numbers

N = 400_000
RATES = [0.001, 0.1, 0.3, 0.5, 0.9]
TYPES = [torch.float32, torch.bfloat16]
NO_RESIDUAL = torch.empty(0)


def run(values: torch.Tensor, residual: torch.Tensor, key: int, n_dropped: int) -> torch.Tensor:
    out = torch.full_like(values, 7)
    none = residual.to(values.dtype)
    keep_scaled_add(as_array(values), as_array(none), as_array(out), key, n_dropped)
    return out


def twin(values: torch.Tensor, residual: torch.Tensor, key: int, n_dropped: int) -> torch.Tensor:
    keep = torch.from_numpy(keep_mask(key, len(values), n_dropped)).float()
    result = values.float() * (keep * (65536 / (65536 - n_dropped)))
    if len(residual):
        result = residual.float() + result
    return result.to(values.dtype)


def same(one: torch.Tensor, other: torch.Tensor) -> bool:
    """Bit for bit, except that all NaN are one."""
    integer = torch.int16 if one.dtype == torch.bfloat16 else torch.int32
    equal = one.view(integer) == other.view(integer)
    return bool((equal | (one.isnan() & other.isnan())).all()) and one.dtype == other.dtype


def dropped(key: int, rate: float, n: int = N) -> np.ndarray:
    ones = np.ones(n, np.float32)
    keep_scaled_add(ones, ones[:0], ones, key, round(rate * 65536))
    return ones == 0


def close_to(count: float, trials: int, probability: float) -> bool:
    spread = math.sqrt(trials * probability * (1 - probability))
    return abs(count - trials * probability) < 6 * spread


def uniform(numbers: np.ndarray, levels: int) -> bool:
    """Chi-square: its mean is its degrees of freedom, its variance twice that."""
    counts = np.bincount(numbers, minlength=levels)
    expected = len(numbers) / levels
    chi_square = ((counts - expected) ** 2 / expected).sum()
    freedom = levels - 1
    return len(counts) == levels and abs(chi_square - freedom) < 6 * math.sqrt(2 * freedom)


PATTERNS = torch.arange(65536, dtype=torch.int32).to(torch.uint16).view(torch.bfloat16)
KEYS = st.integers(0, 2**64 - 1)
LEVELS = st.one_of(st.integers(0, 65535), st.sampled_from([0, 1, 6554, 65535]))


@pytest.mark.parametrize("dtype", TYPES)
@given(n=st.integers(0, 20), key=KEYS, n_dropped=LEVELS, seed=st.integers(0, 9), add=st.booleans())
def test_equals_its_twin_at_any_length(
    dtype: torch.dtype, n: int, key: int, n_dropped: int, seed: int, add: bool
) -> None:
    generator = torch.Generator().manual_seed(seed)
    values, residual = torch.randn(2, n, generator=generator).to(dtype)
    residual = residual if add else NO_RESIDUAL
    assert same(run(values, residual, key, n_dropped), twin(values, residual, key, n_dropped))


@pytest.mark.parametrize("dtype", TYPES)
@pytest.mark.parametrize("n", [255, 256, 1023, 1024, 1025, 4099, 100_001])
def test_equals_its_twin_across_blocks(dtype: torch.dtype, n: int) -> None:
    values, residual = torch.randn(2, n, generator=torch.Generator().manual_seed(n)).to(dtype)
    assert same(run(values, residual, n, 20_000), twin(values, residual, n, 20_000))
    assert same(run(values, NO_RESIDUAL, n, 20_000), twin(values, NO_RESIDUAL, n, 20_000))


@pytest.mark.parametrize("dtype", TYPES)
@pytest.mark.parametrize("n_dropped", [0, 1, 6554, 32768, 65535])
@pytest.mark.parametrize("seed", [1, 2, 3])
def test_every_bfloat16_is_rounded_as_torch_does(
    dtype: torch.dtype, n_dropped: int, seed: int
) -> None:
    """All 65,536 values, NaN and infinities and subnormals among them, against shuffled others."""
    others = torch.randperm(65536, generator=torch.Generator().manual_seed(seed))
    values, residual = PATTERNS.to(dtype), PATTERNS[others].to(dtype)
    assert same(run(values, residual, seed, n_dropped), twin(values, residual, seed, n_dropped))
    assert same(run(values, NO_RESIDUAL, 5, n_dropped), twin(values, NO_RESIDUAL, 5, n_dropped))


@given(one=st.floats(width=32, allow_subnormal=True), other=st.floats(width=32), keep=st.booleans())
def test_any_float32_is_treated_as_by_torch(one: float, other: float, keep: bool) -> None:
    values, residual = torch.tensor([one]), torch.tensor([other])
    key = next(key for key in range(100) if keep_mask(key, 1, 30_000)[0] == keep)
    assert same(run(values, residual, key, 30_000), twin(values, residual, key, 30_000))


@pytest.mark.parametrize("dtype", TYPES)
@pytest.mark.parametrize("bad", [math.nan, math.inf, -math.inf])
def test_nan_and_infinity_survive_whether_kept_or_dropped(dtype: torch.dtype, bad: float) -> None:
    values, zeros = torch.full((2000,), bad, dtype=dtype), torch.zeros(2000, dtype=dtype)
    assert not run(values, zeros, 1, 30_000).isfinite().any()
    assert not run(zeros, values, 1, 30_000).isfinite().any()
    assert not run(values, NO_RESIDUAL, 1, 30_000).isfinite().any()


@pytest.mark.parametrize("dtype", TYPES)
def test_out_may_be_an_input(dtype: torch.dtype) -> None:
    values, residual = torch.randn(2, 5000, generator=torch.Generator().manual_seed(0)).to(dtype)
    expected = run(values, residual, 3, 9000)
    for name in ("values", "residual"):
        v, r = values.clone(), residual.clone()
        out = v if name == "values" else r
        keep_scaled_add(as_array(v), as_array(r), as_array(out), 3, 9000)
        assert same(out, expected), name


def test_the_way_back_has_the_mask_of_the_way_forward() -> None:
    states, upstream = torch.randn(2, 5000, generator=torch.Generator().manual_seed(1))
    output, gradient = (run(x, NO_RESIDUAL, 8, 20_000) for x in (states, upstream))
    assert torch.equal(output == 0, gradient == 0)
    kept = gradient != 0
    torch.testing.assert_close(gradient[kept], upstream[kept] * (65536 / 45536))


def test_threads_do_not_disturb_each_other() -> None:
    values = torch.randn(50_000, generator=torch.Generator().manual_seed(2))
    alone = [run(values, values, key, 20_000) for key in range(8)]
    with ThreadPoolExecutor(4) as pool:
        together = pool.map(lambda key: run(values, values, key, 20_000), range(8))
        assert all(same(a, b) for a, b in zip(alone, together, strict=True))


@pytest.mark.parametrize("key", [0, 1, 2**63, 2**64 - 1])
@pytest.mark.parametrize("rate", RATES)
def test_the_rate_is_the_rate(rate: float, key: int) -> None:
    assert close_to(dropped(key, rate).sum(), N, round(rate * 65536) / 65536)


@pytest.mark.parametrize("key", [0, 1, 2**64 - 1])
def test_all_65536_numbers_come_as_often(key: int) -> None:
    numbers = random_numbers(key, 4_000_000)
    assert uniform(numbers, 65536)
    for piece in range(4):
        assert uniform(numbers[piece::4] >> 4, 4096)


def test_all_65536_numbers_come_as_often_over_keys() -> None:
    """Also where each key is used for one word only."""
    words = np.concatenate([random_numbers(key, 4) for key in range(20_000)])
    for piece in range(4):
        assert uniform(words[piece::4] >> 8, 256)
        assert uniform(words[piece::4] & 255, 256)


@pytest.mark.parametrize("lag", [*range(1, 9), 16, 64, 256, 512, 1024])
@pytest.mark.parametrize("key", [4, 5])
def test_neighbours_are_independent(lag: int, key: int) -> None:
    zeros = dropped(key, 0.3)
    both = (zeros[lag:] & zeros[:-lag]).sum()
    assert close_to(both, N - lag, 0.3 * 0.3)
    low, high = random_numbers(key, N)[:-lag] >> 12, random_numbers(key, N)[lag:] >> 12
    assert uniform(low * 16 + high, 256)


def unrelated(first: int, second: int) -> bool:
    """Return whether two keys' masks are independent, also when one is shifted by some places."""
    n, one, other = 100_000, dropped(first, 0.3, 100_000), dropped(second, 0.3, 100_000)
    shifts = [-1024, -4, -1, 0, 1, 4, 1024]
    return all(close_to((one & np.roll(other, s)).sum(), n, 0.3 * 0.3) for s in shifts)


@pytest.mark.parametrize("key", [0, 1000, 2**32 - 5, 2**64 - 10])
def test_consecutive_keys_are_independent(key: int) -> None:
    for ahead in range(1, 9):
        assert unrelated(key, key + ahead)


@pytest.mark.parametrize("bit", range(64))
def test_keys_that_differ_in_one_bit_are_independent(bit: int) -> None:
    for key in (0, 0x0123456789ABCDEF):
        assert unrelated(key, key ^ (1 << bit))
        changed = random_numbers(key, 20_000) ^ random_numbers(key ^ (1 << bit), 20_000)
        assert uniform(changed >> 8, 256)
        assert uniform(changed & 255, 256)


def test_a_key_one_step_of_the_counter_ahead_is_no_shifted_copy() -> None:
    step = 0x9E3779B97F4A7C15
    for times in (1, 2, 256, 2**64 - 1):
        assert unrelated(12, (12 + times * step) % 2**64)


def test_a_thousand_keys_are_all_different() -> None:
    keys = {*range(500), *(1 << bit for bit in range(64)), *range(2**63, 2**63 + 400)}
    assert len({random_numbers(key, 8).tobytes() for key in keys}) == len(keys)


@pytest.mark.parametrize("n_dropped", [-1, 65536])
def test_a_rate_outside_0_to_1_is_refused(n_dropped: int) -> None:
    with pytest.raises(ValueError, match="n_dropped"):
        run(torch.ones(3), NO_RESIDUAL, 1, n_dropped)


def test_arrays_that_do_not_fit_are_refused() -> None:
    one, other = np.ones(3, np.float32), np.ones(4, np.float32)
    with pytest.raises(ValueError, match="differ"):
        keep_scaled_add(one, other, one, 1, 1)
    with pytest.raises(ValueError, match="differ"):
        keep_scaled_add(one, one, other, 1, 1)
    with pytest.raises(ValueError, match="not flat"):
        keep_scaled_add(*[np.ones((2, 3), np.float32)] * 3, 1, 1)
    with pytest.raises(TypeError, match="float64"):
        keep_scaled_add(one, one, one.astype(np.float64), 1, 1)
    with pytest.raises(TypeError, match="int32"):
        keep_scaled_add(*[one.astype(np.int32)] * 3, 1, 1)
