"""R-Drop's loss of pairs of rows of logits, which become their own gradients.

Two passes over the same pieces come in, three sums of `heedful.objectives` go out: as
`heedful.kernels.cross_entropy`, whose parts these are, with what holds the two together. A pair is
read, turned into exponentials and written back while it is in the processor's cache. Called by
`heedful.nn.cross_entropy`.
"""

__all__ = ["pairs_into_gradients"]

import math
from typing import Any

import numpy as np

from heedful.kernels.compiled import compiled
from heedful.kernels.cross_entropy import (
    Array,
    exponentials,
    losses,
    read_bfloat16,
    read_float32,
    rounded,
    unscaled,
)


def pairs_into_gradients(
    logits: Array, target: Array, smoothing: float, weight: float, *, learn: bool
) -> tuple[float, float]:
    """Return the sums of R-Drop's loss and of the negative log-likelihood, both of 2 T rows.

    Rows t and T + t of `logits` [2T N], float32 or bfloat16 as uint16, are two predictions p and q
    of `target[t]` [T]. The loss is the smoothed cross-entropy of all rows, as of
    `rows_into_gradients`, and `weight` (KL(p || q) + KL(q || p)) / 2 of each pair, in nats (Liang
    et al. 2021, arXiv 2106.14448, equation 4). If `learn`, each logit is overwritten by the loss's
    gradient; with d = ln p - ln q, half the divergence has (p (d - KL(p || q)) + p - q) / 2. Logits
    are finite: one that is not makes the loss no finite number.

    >>> loss, nll = pairs_into_gradients(
    ...     np.zeros((2, 4), np.float32), np.array([1]), 0.1, 5, learn=False
    ... )
    >>> round(loss, 4), round(nll, 4)
    (2.7726, 2.7726)
    """
    if logits.ndim != 2 or not logits.flags.c_contiguous:
        raise ValueError(f"logits {logits.shape} are no contiguous rows")
    if len(logits) != 2 * len(target):
        raise ValueError(
            f"logits {logits.shape} are not two rows for each of {len(target)} targets"
        )
    if logits.dtype not in _KERNELS:
        raise TypeError(f"no kernel for logits of {logits.dtype}")
    if not logits.size:
        return 0.0, 0.0
    pairs = logits.reshape(2, len(target), -1)
    total, nll = _KERNELS[logits.dtype](pairs, target, float(smoothing), float(weight), learn)
    return float(total), float(nll)


@compiled()
def _apart(one: Array, other: Array, gap: Array) -> None:
    """Set `gap` to the difference of two rows of scores."""
    for k in range(one.size):
        gap[k] = one[k] - other[k]


@compiled("reassoc", "contract")
def _divergences(e: Array, f: Array, gap: Array, scales: Any, shift: Any) -> Any:
    """Return KL(p || q) and KL(q || p); make `e` p, `f` q, and `gap` ln p - ln q."""
    forward, backward = np.float32(0), np.float32(0)
    to_p, to_q = np.float32(scales[0]), np.float32(scales[1])
    shift = np.float32(shift)
    for k in range(e.size):
        p, q, d = e[k] * to_p, f[k] * to_q, gap[k] - shift
        e[k], f[k], gap[k] = p, q, d
        forward += p * d
        backward -= q * d
    return np.float64(forward), np.float64(backward)


@compiled("contract")
def _gradients(p: Array, q: Array, gap: Array, share: Any, half: Any, kl: Any) -> None:
    """Turn probabilities into gradients, but for what the answer gets."""
    share, half = np.float32(share), np.float32(half)
    forward, backward = np.float32(kl[0]), np.float32(kl[1])
    for k in range(p.size):
        a, b, d = p[k], q[k], gap[k]
        more = half * (a - b)
        p[k] = a - share + (half * (a * (d - forward)) + more)
        q[k] = b - share - (half * (b * (d + backward)) + more)


@compiled()
def _pair(
    e: Array,
    f: Array,
    gap: Array,
    answer: Any,
    tops: Any,
    totals: Any,
    settings: Any,
) -> Any:
    """Return a pair's two sums; turn its scores, if it is to be learnt from, into gradients."""
    smoothing, weight, learn = settings
    n = e.size
    _apart(e, f, gap)
    rights = np.float64(e[answer]) - tops[0], np.float64(f[answer]) - tops[1]
    sums = exponentials(e, tops[0]), exponentials(f, tops[1])
    logs = math.log(sums[0]), math.log(sums[1])
    first = losses(logs[0], rights[0], unscaled(totals[0], n) - tops[0], smoothing)
    second = losses(logs[1], rights[1], unscaled(totals[1], n) - tops[1], smoothing)
    shift = (logs[0] + tops[0]) - (logs[1] + tops[1])
    kl = _divergences(e, f, gap, (1 / sums[0], 1 / sums[1]), shift)
    if learn:
        _gradients(e, f, gap, smoothing / n, weight / 2, kl)
        e[answer] -= np.float32(1 - smoothing)
        f[answer] -= np.float32(1 - smoothing)
    return first[0] + second[0] + weight / 2 * (kl[0] + kl[1]), first[1] + second[1]


@compiled(makes_arrays=True)
def _bfloat16(pairs: Array, target: Array, smoothing: Any, weight: Any, learn: Any) -> Any:
    n = pairs.shape[2]  # three arrays: of one split in three no loop is vectorised, 9 times slower
    e, f, gap = np.empty(n, np.float32), np.empty(n, np.float32), np.empty(n, np.float32)
    total, nll = 0.0, 0.0
    for t in range(len(target)):
        top_e, total_e = read_bfloat16(pairs[0, t], e)
        top_f, total_f = read_bfloat16(pairs[1, t], f)
        tops, totals = (top_e, top_f), (total_e, total_f)
        found = _pair(e, f, gap, target[t], tops, totals, (smoothing, weight, learn))
        total += found[0]
        nll += found[1]
        if learn:
            _write(e, pairs[0, t])
            _write(f, pairs[1, t])
    return total, nll


@compiled()
def _write(scores: Array, row: Array) -> None:
    for k in range(row.size):
        row[k] = rounded(scores[k])


@compiled(makes_arrays=True)
def _float32(pairs: Array, target: Array, smoothing: Any, weight: Any, learn: Any) -> Any:
    gap = np.empty(pairs.shape[2], np.float32)
    total, nll = 0.0, 0.0
    for t in range(len(target)):
        e = pairs[0, t] if learn else pairs[0, t].copy()
        f = pairs[1, t] if learn else pairs[1, t].copy()
        top_e, total_e = read_float32(e)
        top_f, total_f = read_float32(f)
        tops, totals = (top_e, top_f), (total_e, total_f)
        found = _pair(e, f, gap, target[t], tops, totals, (smoothing, weight, learn))
        total += found[0]
        nll += found[1]
    return total, nll


_KERNELS = {np.dtype(np.float32): _float32, np.dtype(np.uint16): _bfloat16}
