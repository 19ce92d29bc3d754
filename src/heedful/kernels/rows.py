"""What is done to the rows of states between the products of a Transformer that translates.

What is written to `out` is written as whole numbers too, with their scale, where `whole` has room
for it: see `heedful.kernels.whole`. All that a row gets depends on that row alone. Called by
`heedful.decode`; the tests have the same in plain NumPy.
"""

__all__ = [
    "activate",
    "add_and_normalise",
    "best_of_rows",
    "embed",
    "log_softmax",
    "normalise",
]

import math
from typing import Any

import numpy as np

from heedful.kernels.compiled import compiled
from heedful.kernels.exponential import exp
from heedful.kernels.layout import BLOCK, GELU, RELU
from heedful.kernels.whole import quantise_row

Array = np.ndarray[Any, np.dtype[Any]]

_ZERO, _ONE, _HALF = np.float32(0), np.float32(1), np.float32(0.5)
_LEAST = np.float32(-np.inf)
_ROOT_HALF = np.float32(math.sqrt(0.5))
_ALL_BUT_SIGN = np.int32(0x7FFFFFFF)


@compiled("contract", "reassoc")
def _norm_of(row: Array, weight: Array, shift: Array, eps: Any, centred: bool, out: Array) -> None:
    """Write the layer norm (`centred`) or root-mean-square norm; without weights, a copy."""
    if not weight.size:
        for k in range(row.size):
            out[k] = row[k]
        return
    mean = _ZERO
    if centred:
        for k in range(row.size):
            mean += row[k]
        mean /= np.float32(row.size)
    square = _ZERO
    for k in range(row.size):
        square += (row[k] - mean) * (row[k] - mean)
    factor = _ONE / np.float32(math.sqrt(square / np.float32(row.size) + eps))
    for k in range(row.size):
        out[k] = (row[k] - mean) * factor * weight[k] + shift[k]


@compiled()
def embed(
    table: Array, pieces: Array, scale: Any, positions: Array, places: Array, states: Array
) -> None:
    """Write rows of an embedding table [N D], scaled, and what is added at each one's place.

    `positions` [P D] may have no rows: then nothing is added.
    """
    for r in range(pieces.size):
        for k in range(states.shape[1]):
            states[r, k] = table[pieces[r], k] * scale
        if positions.shape[0]:
            for k in range(states.shape[1]):
                states[r, k] += positions[places[r], k]


@compiled()
def normalise(
    states: Array,
    weight: Array,
    shift: Array,
    eps: float,
    centred: bool,
    out: Array,
    whole: Array,
    scales: Array,
) -> None:
    """Write the norm of every row."""
    for r in range(states.shape[0]):
        _norm_of(states[r], weight, shift, np.float32(eps), centred, out[r])
        if whole.shape[0]:
            scales[r] = quantise_row(out[r], whole[r])


@compiled("contract")
def add_and_normalise(
    results: Array,
    states: Array,
    weight: Array,
    shift: Array,
    eps: float,
    centred: bool,
    post: bool,
    out: Array,
    whole: Array,
    scales: Array,
) -> None:
    """Add a sublayer's results to `states`; write the norm of the sum to `out`.

    `post`: the norm replaces the sum in `states` too (the paper's order).
    """
    for r in range(results.shape[0]):
        row = states[r]
        for k in range(row.size):
            row[k] += results[r, k]
        _norm_of(row, weight, shift, np.float32(eps), centred, out[r])
        if post:
            for k in range(row.size):
                row[k] = out[r, k]
        if whole.shape[0]:
            scales[r] = quantise_row(out[r], whole[r])


@compiled("contract")
def _relu(given: Array, out: Array) -> None:
    for k in range(out.size):
        out[k] = (given[k] + abs(given[k])) * _HALF


@compiled("contract")
def _gelu(given: Array, out: Array) -> None:
    for k in range(out.size):
        x = given[k]
        out[k] = _HALF * x * (_ONE + np.float32(math.erf(x * _ROOT_HALF)))


@compiled("contract")
def _swiglu(gates: Array, inner: Array, out: Array) -> None:
    for k in range(out.size):
        x = gates[k]
        small = exp(-abs(x))
        gate = (_ONE if x >= _ZERO else small) / (_ONE + small)
        out[k] = x * gate * inner[k]


@compiled("contract")
def activate(results: Array, kind: int, out: Array, whole: Array, scales: Array) -> None:
    """Write the inner activations of a feed-forward network; of SwiGLU, gates stand first."""
    width = out.shape[1]
    for r in range(results.shape[0]):
        if kind == RELU:
            _relu(results[r], out[r])
        elif kind == GELU:
            _gelu(results[r], out[r])
        else:
            _swiglu(results[r, :width], results[r, width:], out[r])
        if whole.shape[0]:
            scales[r] = quantise_row(out[r], whole[r])


@compiled("contract", "reassoc")
def _highest(row: Array) -> Any:
    """Return the largest of a row; numba vectorises this only for whole numbers."""
    bits = row.view(np.int32)
    highest = np.int32(-(2**31))
    for k in range(row.size):
        b = bits[k]
        highest = max(highest, np.int32(b ^ (np.int32(b >> np.int32(31)) & _ALL_BUT_SIGN)))
    b = highest
    return np.int32(b ^ (np.int32(b >> np.int32(31)) & _ALL_BUT_SIGN)).view(np.float32)


@compiled("contract", "reassoc")
def _normaliser(row: Array, highest: Any) -> Any:
    """Return log(sum(exp)) of a row whose largest number is known."""
    total = _ZERO
    for k in range(row.size):
        total += exp(row[k] - highest)
    return highest + np.float32(math.log(total))


@compiled()
def log_softmax(logits: Array, log_probs: Array) -> bool:
    """Write what `best_of_rows` finds of every entry, to the last digit; it returns the same."""
    for r in range(logits.shape[0]):
        normaliser = _normaliser(logits[r], _highest(logits[r]))
        if not np.isfinite(normaliser):
            return False
        for k in range(logits.shape[1]):
            log_probs[r, k] = logits[r, k] - normaliser
    return True


@compiled()
def _is_among(k: int, forbidden: Array) -> bool:
    for f in forbidden:  # noqa: SIM110 - numba knows no any()
        if f == k:
            return True
    return False


@compiled()
def _highest_of_blocks(row: Array, highest: Array) -> None:
    """Write the largest number of each `BLOCK` of a row."""
    for b in range(highest.size):
        highest[b] = _highest(row[b * BLOCK : (b + 1) * BLOCK])


@compiled()
def _insert(x: Any, k: int, filled: int, best: Array, places: Array) -> int:
    """Put a number behind those that are no less; return how many there are then."""
    at = min(filled, best.size - 1)
    while at > 0 and x > best[at - 1]:
        best[at] = best[at - 1]
        places[at] = places[at - 1]
        at -= 1
    best[at] = x
    places[at] = k
    return min(filled + 1, best.size)


@compiled()
def _is_block_of(b: int, numbers: Array) -> bool:
    for k in numbers:  # noqa: SIM110 - numba knows no any()
        if k // BLOCK == b:
            return True
    return False


@compiled()
def _least_of_best(highest: Array, forbidden: Array, best: Array, places: Array) -> Any:
    """Return what the worst of the best entries comes to at least: blocks have as many as high."""
    count, filled = best.size, 0
    for b in range(highest.size):
        x = highest[b]
        if (filled < count or x > best[count - 1]) and not _is_block_of(b, forbidden):
            filled = _insert(x, b, filled, best, places)
    return best[count - 1] if filled == count else _LEAST


@compiled()
def _best_of_row(
    row: Array, normaliser: Any, forbidden: Array, highest: Array, best: Array, places: Array
) -> None:
    """Write the likeliest entries of one row; `highest` is the largest number of each block."""
    least = _least_of_best(highest, forbidden, best, places) - normaliser
    count, filled, worst = best.size, 0, _LEAST
    for b in range(highest.size):
        x = highest[b] - normaliser
        if x < least or (filled == count and not x > worst):
            continue
        for k in range(b * BLOCK, min((b + 1) * BLOCK, row.size)):
            x = row[k] - normaliser
            if x < least or (filled == count and not x > worst):
                continue
            if _is_among(k, forbidden):
                x = _LEAST
                if filled == count:
                    continue
            filled = _insert(x, k, filled, best, places)
            worst = best[filled - 1]


@compiled()
def _best_of_rows(
    logits: Array, forbidden: Array, log_probs: Array, ids: Array, highest: Array
) -> bool:
    for r in range(logits.shape[0]):
        _highest_of_blocks(logits[r], highest)
        normaliser = _normaliser(logits[r], _highest(highest))
        if not np.isfinite(normaliser):
            return False
        _best_of_row(logits[r], normaliser, forbidden, highest, log_probs[r], ids[r])
    return True


@compiled(makes_arrays=True)
def best_of_rows(logits: Array, forbidden: Array, log_probs: Array, ids: Array) -> bool:
    """Write the likeliest entries of each row, best first, of equal ones the lower id first.

    `forbidden` entries have log-probability -inf; their share is not given to the others. Returns
    False when a row has a number that is none. logits [R N], log_probs and ids [R K], K <= N.
    """
    highest = np.empty((logits.shape[1] + BLOCK - 1) // BLOCK, np.float32)
    return _best_of_rows(logits, forbidden, log_probs, ids, highest)
