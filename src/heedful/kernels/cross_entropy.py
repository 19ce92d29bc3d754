"""The label-smoothed cross-entropy of rows of logits, which become their own gradients.

Logits and right answers come in, the two sums of `heedful.objectives` go out. Each row is read,
turned into exponentials and written back while it is in the processor's cache. numba brings no
vectorised exponential and vectorises no maximum of floats, so both are spelled out here on the
bits of a float. Called by `heedful.nn.cross_entropy`.
"""

__all__ = [
    "Array",
    "exponentials",
    "losses",
    "read_bfloat16",
    "read_float32",
    "rounded",
    "rows_into_gradients",
    "unscaled",
]

import math
from typing import Any

import numpy as np

from heedful.kernels.compiled import compiled
from heedful.kernels.exponential import exp

Array = np.ndarray[Any, np.dtype[Any]]


def rows_into_gradients(
    logits: Array, target: Array, smoothing: float, *, learn: bool
) -> tuple[float, float]:
    """Return the sums over all rows of the smoothed loss and of the negative log-likelihood.

    In nats, by PyTorch's convention: the target gets `1 - smoothing`, and `smoothing` is spread
    over all N entries, the target among them (Szegedy et al. 2015, section 7). If `learn`, logit
    z_k is overwritten by the smoothed loss's gradient `p_k - smoothing / N - (1 - smoothing)[k ==
    target]`. `logits` [T N] are float64, float32 or bfloat16 as uint16, contiguous; `target` [T]
    is int64, each at least 0 and less than N, which is not checked. A logit of -inf has
    probability 0; a row with NaN or +inf, or of -inf alone, makes the sums NaN. Two equal logits
    say nothing:

    >>> smoothed, nll = rows_into_gradients(np.zeros((1, 2)), np.array([1]), 0.1, learn=False)
    >>> round(smoothed, 4), round(nll, 4)
    (0.6931, 0.6931)
    """
    if logits.ndim != 2 or target.shape != logits.shape[:1] or not logits.flags.c_contiguous:
        raise ValueError(f"logits {logits.shape} and target {target.shape} are no contiguous rows")
    if logits.dtype not in _KERNELS:
        raise TypeError(f"no kernel for logits of {logits.dtype}")
    if not logits.size:
        return 0.0, 0.0
    smoothed, nll = _KERNELS[logits.dtype](logits, target, float(smoothing), learn)
    return float(smoothed), float(nll)


_HALF_WORD = np.uint32(16)
_BELOW_HALF = np.uint32(0x7FFF)
_ONE_BIT = np.uint32(1)
_ALL_BUT_SIGN = np.int32(0x7FFFFFFF)
_SIGN = np.int32(31)
_LEAST = np.int32(-(2**31))

_DOWN = 2.0**-20
_DOWN_32 = np.float32(_DOWN)
"""Logits are added up this much smaller, so that no float32 sum overflows."""

_ZERO, _ONE = np.float32(0), np.float32(1)


@compiled()
def _in_order(bits: Any) -> Any:
    """Return a float32's bits as an integer of the same order, or such an integer's as bits."""
    return np.int32(bits ^ (np.int32(bits >> _SIGN) & _ALL_BUT_SIGN))


@compiled()
def _down(x: Any) -> Any:
    return x * _DOWN_32


@compiled()
def unscaled(total: Any, n: Any) -> Any:
    """Return the mean of n logits from their sum times `_DOWN`."""
    return np.float64(total) / (_DOWN * n)


@compiled("reassoc")
def read_bfloat16(row: Array, scores: Array) -> Any:
    """Copy a row into `scores`; return its maximum and its sum times `_DOWN`."""
    highest, total = _LEAST, _ZERO
    for k in range(row.size):
        bits = np.int32(np.uint32(row[k]) << _HALF_WORD)
        score = bits.view(np.float32)
        scores[k] = score
        highest = max(highest, _in_order(bits))
        total += _down(score)
    return np.int32(_in_order(highest)).view(np.float32), total


@compiled("reassoc")
def read_float32(row: Array) -> Any:
    """Return a row's maximum and its sum times `_DOWN`."""
    highest, total = _LEAST, _ZERO
    for k in range(row.size):
        score = np.float32(row[k])
        highest = max(highest, _in_order(score.view(np.int32)))
        total += _down(score)
    return np.int32(_in_order(highest)).view(np.float32), total


@compiled("reassoc")
def exponentials(scores: Array, highest: Any) -> Any:
    """Overwrite each score by e^(score - highest) and return their sum."""
    total = _ZERO
    for k in range(scores.size):
        e = exp(scores[k] - highest)
        scores[k] = e
        total += e
    return np.float64(total)


@compiled()
def losses(log_sum: Any, right: Any, mean: Any, smoothing: Any) -> Any:
    """Return one row's two losses from log sum exp, the right logit and the mean logit.

    All three are relative to the highest logit. Without smoothing the mean, perhaps -inf, is out.
    """
    nll = log_sum - right
    if smoothing == 0:
        return nll, nll
    return (1 - smoothing) * nll + smoothing * (log_sum - mean), nll


@compiled()
def _row(scores: Array, answer: Any, highest: Any, total: Any, smoothing: Any, learn: Any) -> Any:
    """Return a row's two losses; turn its scores into exponentials or, if `learn`, gradients."""
    n = scores.size
    right = np.float64(scores[answer]) - highest
    sum_exp = exponentials(scores, highest)
    mean = unscaled(total, n) - highest
    if learn:
        scale, share = np.float32(1 / sum_exp), np.float32(smoothing / n)
        at_answer = scores[answer] / sum_exp - smoothing / n - (1 - smoothing)
        for k in range(n):
            scores[k] = scores[k] * scale - share
        scores[answer] = at_answer
    return losses(math.log(sum_exp), right, mean, smoothing)


@compiled(makes_arrays=True)
def _bfloat16(logits: Array, target: Array, smoothing: Any, learn: Any) -> Any:
    scores = np.empty(logits.shape[1], np.float32)
    smoothed, nll = 0.0, 0.0
    for t in range(len(logits)):
        row = logits[t]
        highest, total = read_bfloat16(row, scores)
        found = _row(scores, target[t], highest, total, smoothing, learn)
        smoothed += found[0]
        nll += found[1]
        if learn:
            for k in range(row.size):
                row[k] = rounded(scores[k])
    return smoothed, nll


@compiled(makes_arrays=True)
def _float32(logits: Array, target: Array, smoothing: Any, learn: Any) -> Any:
    smoothed, nll = 0.0, 0.0
    for t in range(len(logits)):
        scores = logits[t] if learn else logits[t].copy()
        highest, total = read_float32(scores)
        found = _row(scores, target[t], highest, total, smoothing, learn)
        smoothed += found[0]
        nll += found[1]
    return smoothed, nll


@compiled()
def rounded(value: Any) -> Any:
    """Return the bits of the nearest bfloat16, of two the even one.

    A NaN stays one: the lower half of every NaN met here is 0 (it comes from a bfloat16 or is the
    processor's own), so nothing is carried out of it.
    """
    bits = np.float32(value).view(np.uint32)
    return np.uint16((bits + _BELOW_HALF + (bits >> _HALF_WORD & _ONE_BIT)) >> _HALF_WORD)


@compiled(makes_arrays=True)
def _float64(logits: Array, target: Array, smoothing: Any, learn: Any) -> Any:
    """The same without tricks: float64 is for tests."""
    n = logits.shape[1]
    smoothed, nll = 0.0, 0.0
    p = np.empty(n)
    for t in range(len(logits)):
        row, answer = logits[t], target[t]
        highest, sum_exp, mean = -np.inf, 0.0, 0.0
        for k in range(n):
            if row[k] > highest:
                highest = row[k]
        for k in range(n):
            p[k] = math.exp(row[k] - highest)
            sum_exp += p[k]
            mean += (row[k] - highest) / n
        found = losses(math.log(sum_exp), row[answer] - highest, mean, smoothing)
        smoothed += found[0]
        nll += found[1]
        if learn:
            for k in range(n):
                row[k] = p[k] / sum_exp - smoothing / n
            row[answer] -= 1 - smoothing
    return smoothed, nll


_KERNELS = {
    np.dtype(np.float64): _float64,
    np.dtype(np.float32): _float32,
    np.dtype(np.uint16): _bfloat16,
}
