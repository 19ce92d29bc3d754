"""The kernels between products against the same in plain NumPy and PyTorch."""

import math
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from heedful.kernels.layout import GELU, RELU, SWIGLU
from heedful.kernels.rows import (
    activate,
    add_and_normalise,
    best_of_rows,
    log_softmax,
    normalise,
)
from heedful.kernels.whole import quantise

Array = np.ndarray[Any, np.dtype[Any]]
NONE = np.zeros(0, np.float32)


def drawn(seed: int, *shape: int) -> Array:
    return np.random.default_rng(seed).normal(0, 2, shape).astype(np.float32)


def end(rows: int, width: int, *, kept: bool = True) -> tuple[Array, Array]:
    """Return where the whole numbers of rows and their scales go; nowhere, if they are not kept."""
    return np.full((rows * kept, width), 99, np.int8), np.full(rows, np.nan, np.float32)


def check_whole(out: Array, whole: Array, scales: Array) -> None:
    """Check that what was written is written as whole numbers too."""
    again, scale = np.empty_like(whole), np.empty_like(scales)
    quantise(out, again, scale)
    assert (whole == again).all()
    assert (scales == scale).all()


def norm(x: Array, weight: Array, shift: Array, eps: float, centred: bool) -> Array:
    wide = x.astype(np.float64)
    if centred:
        wide = wide - wide.mean(-1, keepdims=True)
    factor = 1 / np.sqrt((wide**2).mean(-1, keepdims=True) + eps)
    return wide * factor * weight + shift


@pytest.mark.parametrize("centred", [False, True])
@given(seed=st.integers(0, 99), rows=st.integers(1, 4), width=st.integers(1, 70))
def test_norms(centred: bool, seed: int, rows: int, width: int) -> None:
    x, weight, shift = drawn(seed, rows, width), drawn(1, width), drawn(2, width)
    out = np.full_like(x, np.nan)
    kept = end(rows, width)
    normalise(x, weight, shift, 1e-5, centred, out, *kept)
    check_whole(out, *kept)
    np.testing.assert_allclose(out, norm(x, weight, shift, 1e-5, centred), rtol=2e-4, atol=2e-5)
    normalise(x, NONE, NONE, 0.0, centred, out, *end(rows, width, kept=False))
    assert (out == x).all()


@pytest.mark.parametrize("post", [False, True])
def test_a_sublayer_is_added_and_normalised(post: bool) -> None:
    results, states, weight, shift = drawn(3, 4, 9), drawn(7, 4, 9), drawn(8, 9), drawn(9, 9)
    added = states + results
    expected = norm(added, weight, shift, 1e-5, True)
    out = np.full_like(states, np.nan)
    args = (results, states, weight, shift, 1e-5, True, post, out)
    kept = end(4, 9)
    add_and_normalise(*args, *kept)
    check_whole(out, *kept)
    np.testing.assert_allclose(out, expected, rtol=1e-4, atol=1e-4)
    np.testing.assert_allclose(states, expected if post else added, rtol=1e-4, atol=1e-4)


@pytest.mark.parametrize("kind", [RELU, GELU, SWIGLU])
def test_activations(kind: int) -> None:
    width = 11
    results = 6 * drawn(1, 5, 2 * width if kind == SWIGLU else width)
    out = np.full((5, width), np.nan, np.float32)
    kept = end(5, width)
    activate(results, kind, out, *kept)
    check_whole(out, *kept)
    x = torch.from_numpy(results)
    functions = {RELU: torch.relu, GELU: torch.nn.functional.gelu}
    if kind == SWIGLU:
        expected = torch.nn.functional.silu(x[:, :width]) * x[:, width:]
    else:
        expected = functions[kind](x)
    np.testing.assert_allclose(out, expected.numpy(), rtol=1e-4, atol=1e-5)


# far enough apart that log-probabilities of float32 are, too
values = st.sampled_from([0.0, 1.0, -3.0, -math.inf]) | st.integers(-900, 900).map(lambda n: n / 64)


@given(data=st.data(), rows=st.integers(1, 3), entries=st.integers(1, 12))
def test_the_best_of_rows(data: st.DataObject, rows: int, entries: int) -> None:
    """Equal ones in the order of their ids; forbidden ones and -inf last, in that order too."""
    count = data.draw(st.integers(1, entries))
    logits = np.array(
        [data.draw(st.lists(values, min_size=entries, max_size=entries)) for _ in range(rows)],
        np.float32,
    )
    logits[:, data.draw(st.integers(0, entries - 1))] = 2.0  # one at least is a number
    forbidden = np.array(data.draw(st.lists(st.integers(0, entries - 1), max_size=3)), np.int64)
    log_probs = np.full((rows, count), np.nan, np.float32)
    ids = np.full((rows, count), -1)
    before = logits.copy()
    assert best_of_rows(logits, forbidden, log_probs, ids)
    assert (logits == before).all()
    exact = torch.log_softmax(torch.from_numpy(logits).double(), dim=-1).numpy()
    for row in range(rows):
        key = logits[row].astype(float)
        key[forbidden] = -math.inf
        order = sorted(range(entries), key=lambda k: (-key[k], k))[:count]
        assert ids[row].tolist() == order
        wanted = [-math.inf if k in forbidden else exact[row, k] for k in order]
        np.testing.assert_allclose(log_probs[row], wanted, rtol=1e-5, atol=1e-5)
    every = np.full(logits.shape, np.nan, np.float32)
    assert log_softmax(logits, every)
    allowed = ~np.isin(ids, forbidden)
    assert (np.take_along_axis(every, ids, axis=1)[allowed] == log_probs[allowed]).all()


@pytest.mark.parametrize("bad", [math.nan, math.inf])
def test_what_is_no_number_is_said(bad: float) -> None:
    logits = np.array([[0.0, 1.0], [bad, 0.0]], np.float32)
    found = np.zeros((2, 1), np.float32), np.zeros((2, 1), np.int64)
    assert not best_of_rows(logits, np.zeros(0, np.int64), *found)
    assert not log_softmax(logits, np.zeros((2, 2), np.float32))
    assert not best_of_rows(np.full((1, 2), -np.inf, np.float32), np.zeros(0, np.int64), *found)


@given(
    seed=st.integers(0, 999),
    entries=st.integers(100, 1500),
    count=st.integers(1, 12),
    digits=st.sampled_from([0, 1, 6]),
    size=st.sampled_from([1e-6, 1.0, 40.0]),
    forbidden=st.lists(st.integers(0, 99), max_size=4),
)
@settings(max_examples=200, deadline=None)
def test_the_best_of_many(
    seed: int, entries: int, count: int, digits: int, size: float, forbidden: list[int]
) -> None:
    """Of rows of several blocks, with ties across them, also of what rounding makes alike."""
    logits = np.round(drawn(seed, 3, entries), digits) * np.float32(size)
    logits[2, ::90] = 50
    log_probs, ids = np.empty((3, count), np.float32), np.empty((3, count), np.int64)
    assert best_of_rows(logits, np.array(forbidden, np.int64), log_probs, ids)
    every = np.empty_like(logits)
    assert log_softmax(logits, every)
    every[:, forbidden] = -np.inf
    order = np.argsort(-every, axis=1, kind="stable")[:, :count]
    assert (ids == order).all()
    assert (log_probs == np.take_along_axis(every, order, axis=1)).all()
