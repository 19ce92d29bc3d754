"""Rows as whole numbers and their products against plain NumPy: exactly, in whichever way."""

import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from numba.core.registry import cpu_target

from heedful.decode.products import Float32Product, Int8Product
from heedful.decode.quantize import Int8Linear
from heedful.kernels.attention import keep_memory
from heedful.kernels.layout import arranged
from heedful.kernels.listed import listed, listed_whole
from heedful.kernels.pairs import multiply_pairs
from heedful.kernels.product import multiply_whole
from heedful.kernels.whole import quantise
from tests.kernels.test_rows import drawn

Array = np.ndarray[Any, np.dtype[Any]]


@given(seed=st.integers(0, 99), rows=st.integers(1, 4), width=st.integers(1, 40))
def test_whole_numbers_are_near(seed: int, rows: int, width: int) -> None:
    states = drawn(seed, rows, width)
    states[0] *= seed % 3  # a row of zeros now and then
    whole, scales = np.full((rows, width), 99, np.int8), np.full(rows, np.nan, np.float32)
    quantise(states, whole, scales)
    np.testing.assert_allclose(scales, abs(states).max(1) / 127, rtol=1e-6)
    assert (abs(whole * scales[:, None] - states) <= scales[:, None] * 0.501).all()
    assert whole.max() <= 127
    assert whole.min() >= -127


def whole_of(seed: int, rows: int, width: int) -> Array:
    return np.random.default_rng(seed).integers(-127, 128, (rows, width)).astype(np.int8)


def exact(given: Array, weight: Array) -> Array:
    return given.astype(np.int64) @ weight.astype(np.int64).T


def products(given: Array, weight: Array, rows: Array, columns: Array, bias: Array) -> list[Array]:
    """Return what each way of multiplying makes of them."""
    kept, found = arranged(weight), []
    more = (0, len(kept) - len(weight))
    for multiply, some, behind in ((multiply_whole, kept, more), (multiply_pairs, weight, (0, 0))):
        out = np.full((len(given), len(weight)), np.nan, np.float32)
        multiply(given, rows, some, np.pad(columns, behind), np.pad(bias, behind), out)
        found.append(out)
    return found


@given(
    seed=st.integers(0, 99),
    rows=st.integers(1, 19),
    width=st.integers(1, 300),
    columns=st.integers(1, 150),
)
def test_rows_are_multiplied_exactly(seed: int, rows: int, width: int, columns: int) -> None:
    """In registers and what is left of them, in whole tiles and parts of them."""
    for count in (width, 4 * (width // 4 + 1)):
        given, weight = whole_of(seed, rows, count), whole_of(seed + 1, columns, count)
        ones, none = np.ones(columns, np.float32), np.zeros(columns, np.float32)
        for found in products(given, weight, ones[:1].repeat(rows), ones, none):
            assert (found == exact(given, weight)).all()


@given(seed=st.integers(0, 99), rows=st.integers(1, 9), columns=st.integers(1, 40))
def test_sums_are_scaled(seed: int, rows: int, columns: int) -> None:
    given, weight = whole_of(seed, rows, 64), whole_of(seed + 1, columns, 64)
    scales, factors, bias = drawn(seed, rows), drawn(2, columns), drawn(3, columns)
    expected = exact(given, weight) * (scales[:, None] * factors).astype(np.float64) + bias
    one, other = products(given, weight, scales, factors, bias)
    np.testing.assert_allclose(one, expected, rtol=1e-6, atol=1e-4)
    assert (one == other).all()


@pytest.mark.parametrize("rows", [1, 4, 5, 17])
@pytest.mark.parametrize("width", [48, 1024, 2048])
def test_the_largest_numbers_are_multiplied_exactly(rows: int, width: int) -> None:
    """What 24 bits do not hold is rounded once, at the end."""
    given, weight = whole_of(rows, rows, width), whole_of(5, 130, width)
    given[0], weight[3], weight[4] = 127, 127, -127
    ones, none = np.ones(130, np.float32), np.zeros(130, np.float32)
    for found in products(given, weight, ones[:rows], ones, none):
        assert (found == exact(given, weight).astype(np.float32)).all()


@given(seed=st.integers(0, 99), width=st.integers(1, 300) | st.sampled_from([64, 128, 192]))
def test_listed_pieces_have_the_logits_of_all(seed: int, width: int) -> None:
    draw = np.random.default_rng(seed)
    counts = draw.integers(1, 9, 5)
    firsts = np.cumsum(counts) - counts
    entries = draw.integers(0, 40, counts.sum()).astype(np.int32)
    given, weight = whole_of(seed, 5, width), whole_of(seed + 1, 40, width)
    scales, columns = drawn(1, 5), drawn(2, 40)
    every = exact(given, weight).astype(np.float32) * (scales[:, None] * columns)
    ids, logits = np.full((5, 8), -1), np.full((5, 8), np.nan, np.float32)
    listed_whole(given, weight, scales, columns, entries, firsts, counts, ids, logits)
    plain = logits.copy()
    rows, table = given.astype(np.float32), weight.astype(np.float32)
    listed(rows, table, entries, firsts, counts, ids, plain)
    for r, (first, count) in enumerate(zip(firsts, counts, strict=True)):
        chosen = entries[first : first + count]
        assert (ids[r, :count] == chosen).all()
        assert (logits[r, :count] == every[r, chosen]).all()
        assert (plain[r, :count] == exact(given, weight)[r, chosen]).all()
        assert (ids[r, count:] == 0).all()
        assert (logits[r, count:] == -np.inf).all()


WITHOUT = """
import numpy as np
from heedful.kernels.attention import keep_memory
from heedful.kernels.layout import KEPT, LANES, arranged
from heedful.kernels.listed import listed_whole
from heedful.kernels.product import multiply_whole

draw = np.random.default_rng(0)
given, weight = (draw.integers(-127, 128, (n, 192)).astype(np.int8) for n in (13, 60))
sums, ones = np.zeros((13, 60), np.float32), np.ones(64, np.float32)
multiply_whole(given, ones, arranged(weight), ones, 0 * ones, sums)
assert (sums == given.astype(int) @ weight.astype(int).T).all()
lists = (np.arange(60, dtype=np.int32), np.zeros(13, int), np.full(13, 60), np.zeros((13, 60), int))
again = np.zeros_like(sums)
listed_whole(given, weight, ones, ones, *lists, again)
assert (again == sums).all()
rows, memory = draw.normal(size=(2, 40)).astype(np.float32), np.zeros((1, 2, 40), KEPT)
keep_memory(rows, memory, 0)
kept = memory[0].view(np.float16) if KEPT == np.uint16 else memory[0]
assert abs(kept - rows).max() < 1e-2
print(LANES, np.dtype(KEPT).name)
"""


@pytest.mark.parametrize("lacking", [["avx512"], ["avx512", "avxvnni"], ["avx", "f16c", "fma"]])
def test_processors_with_less_find_the_same(lacking: list[str], tmp_path: Path) -> None:
    """As if this one had no registers of 512 bits, no VNNI, nothing that is younger than SSE4."""
    machine, _, features = cpu_target.target_context.codegen().magic_tuple()
    dropped = [
        f"-{one[1:]}" if any(word in one for word in lacking) else one
        for one in features.split(",")
    ]
    done = subprocess.run(
        [sys.executable, "-c", WITHOUT],
        env=os.environ
        | {"NUMBA_CPU_NAME": "generic", "NUMBA_CPU_FEATURES": ",".join(dropped)}
        | {"NUMBA_CACHE_DIR": str(tmp_path)},
        capture_output=True,
        text=True,
        check=True,
    )
    lanes, kept = done.stdout.split()
    assert int(lanes) == (8 if "+avxvnni" in dropped else 0)
    halves = "+f16c" in dropped or not machine.startswith("x86")
    assert kept == ("uint16" if halves else "float32")


def test_the_product_is_that_of_the_eager_twin() -> None:
    weight, bias = torch.from_numpy(drawn(1, 12, 40)), torch.from_numpy(drawn(2, 12))
    states = drawn(3, 5, 40)
    states[2] = 0
    product = Int8Product(weight, bias, torch.full((12,), 0.5))
    whole, scales = np.empty((5, 40), np.int8), np.empty(5, np.float32)
    quantise(states, whole, scales)
    out = np.empty((5, 12), np.float32)
    product.multiply(states, whole, scales, out)
    expected = 0.5 * Int8Linear(weight)(torch.from_numpy(states)) + bias
    np.testing.assert_allclose(out, expected.numpy(), rtol=1e-5, atol=1e-5)
    real = 0.5 * states @ weight.numpy().T + bias.numpy()
    assert abs(out - real).max() < 0.03 * abs(real).max()
    Float32Product(0.5 * weight, bias).multiply(states, whole, scales, out)
    np.testing.assert_allclose(out, real, rtol=1e-4, atol=1e-4)


def test_halves_are_those_of_numpy() -> None:
    """Rounded to the nearest; what is too large becomes the largest there is."""
    numbers = np.concatenate(
        [drawn(4, 1, 50), [[1e5, -1e9, 65519.0, 65520.0, 1e-7, 0.0, np.nan]]], 1
    )
    numbers = numbers.astype(np.float32)
    memory = np.zeros((1, 3, 57), np.uint16)
    keep_memory(numbers, memory, 1)
    expected = np.clip(numbers, -65504, 65504).astype(np.float16)
    np.testing.assert_array_equal(memory[0, 1].view(np.float16), expected[0])
    assert not memory[0, ::2].any()
    plain = np.zeros((1, 3, 57), np.float32)
    keep_memory(numbers, plain, 1)
    np.testing.assert_array_equal(plain[0, 1], numbers[0])
