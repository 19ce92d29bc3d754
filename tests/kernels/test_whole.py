"""Rows as whole numbers and their products against plain NumPy: exactly, in whichever way."""

from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from heedful.decode import products
from heedful.decode.products import Float32Product, Int8Product, Workspace
from heedful.decode.quantize import Int8Linear
from heedful.kernels import choice
from heedful.kernels.product import multiply_whole
from heedful.kernels.whole import finish, quantise
from heedful.models.int8 import to_int8
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


@given(
    seed=st.integers(0, 99),
    rows=st.integers(1, 11),
    width=st.integers(1, 300),
    columns=st.integers(1, 150),
)
def test_rows_are_multiplied_exactly(seed: int, rows: int, width: int, columns: int) -> None:
    """In registers and what is left of them, in fours, twos and ones."""
    given, weight = whole_of(seed, rows, width), whole_of(seed + 1, columns, width)
    sums = np.full((rows, columns), np.nan, np.float32)
    multiply_whole(given, weight, sums)
    assert (sums == given.astype(np.int64) @ weight.astype(np.int64).T).all()


@pytest.mark.parametrize("kind", [np.float32, np.int32])
@pytest.mark.parametrize("rows", [1, 4, 5, 17])
@pytest.mark.parametrize("width", [48, 1024, 2048])
def test_both_ways_give_the_same_sums(
    kind: Any, rows: int, width: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """At the largest magnitudes there are, too."""
    monkeypatch.setattr(products, "sums_of_whole", lambda: np.dtype(kind))
    weight = torch.from_numpy(drawn(5, 130, width))
    weight[3] = weight[3].abs().amax()
    product = Int8Product(weight, torch.zeros(130), torch.ones(130))
    given = whole_of(rows, rows, width)
    given[0] = 127
    out = np.full((rows, 130), np.nan, np.float32)
    nothing = np.empty((rows, 0), np.float32)
    found = product.multiply(nothing, given, Workspace(), out)
    exact = given.astype(np.int64) @ to_int8(weight)[0].numpy().astype(np.int64).T
    assert (found == exact.astype(np.float32)).all()
    assert found.dtype == (np.float32 if rows <= products.FEW else kind)


def test_the_product_is_that_of_the_eager_twin() -> None:
    weight, bias = torch.from_numpy(drawn(1, 12, 40)), torch.from_numpy(drawn(2, 12))
    states = drawn(3, 5, 40)
    states[2] = 0
    product = Int8Product(weight, bias, torch.full((12,), 0.5))
    whole, scales = np.empty((5, 40), np.int8), np.empty(5, np.float32)
    quantise(states, whole, scales)
    sums = product.multiply(states, whole, Workspace(), np.empty((5, 12), np.float32))
    out = np.empty((5, 12), np.float32)
    finish(sums, scales, product.column_scales, product.bias, out)
    expected = 0.5 * Int8Linear(weight)(torch.from_numpy(states)) + bias
    np.testing.assert_allclose(out, expected.numpy(), rtol=1e-5, atol=1e-5)
    exact = 0.5 * states @ weight.numpy().T + bias.numpy()
    assert abs(out - exact).max() < 0.03 * abs(exact).max()
    plain = Float32Product(0.5 * weight, bias)
    sums = plain.multiply(states, whole, Workspace(), np.empty((5, 12), np.float32))
    np.testing.assert_allclose(sums + plain.bias, exact, rtol=1e-4, atol=1e-4)


def test_which_product_is_faster_is_tried_out(monkeypatch: pytest.MonkeyPatch) -> None:
    assert choice.sums_of_whole() in (np.dtype(np.float32), np.dtype(np.int32))
    times = iter([2.0, 1.0, 1.0, 2.0])
    monkeypatch.setattr(choice, "_fastest", lambda _: next(times))
    assert choice.sums_of_whole.__wrapped__() == np.float32
    assert choice.sums_of_whole.__wrapped__() == np.int32

    def missing(_: Any) -> float:
        raise RuntimeError("no int8 here")

    monkeypatch.setattr(choice, "_fastest", missing)
    assert choice.sums_of_whole.__wrapped__() == np.float32
