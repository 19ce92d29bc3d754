"""Dropout, its scaling and the residual sum in one pass, with a mask that is never stored.

Arrays and a key come in. Whether element i is kept is a fixed function of (key, i): 16 bits of a
counter-based generator (Salmon et al. 2011, "Parallel random numbers: as easy as 1, 2, 3"; the
mixing is SplitMix64's, Steele et al. 2014). The backward pass calls the same function
on the gradient, with the same key and no residual. Called by `heedful.nn.dropout`.
"""

__all__ = ["keep_mask", "keep_scaled_add", "random_numbers"]

from typing import Any

import numpy as np
import numpy.typing as npt

from heedful.kernels.compiled import compiled

Array = np.ndarray[Any, np.dtype[Any]]

_LEVELS = 1 << 16
_STEP = np.uint64(0x9E3779B97F4A7C15)
_FIRST = np.uint64(0xBF58476D1CE4E5B9)
_SECOND = np.uint64(0x94D049BB133111EB)
_30, _27, _31 = np.uint64(30), np.uint64(27), np.uint64(31)
_NOTHING = np.uint64(0)

_BLOCK = 1024
"""Elements treated at a time: their random bits and results stay in the nearest cache."""

_HALF_WORD = np.uint32(16)
_BELOW_HALF = np.uint32(0x7FFF)
_ONE = np.uint32(1)


def keep_scaled_add(values: Array, residual: Array, out: Array, key: int, n_dropped: int) -> None:
    """Write `residual + keep * values * 65536 / (65536 - n_dropped)` (section 5.4) into `out`.

    All are flat arrays of one type: float32, or bfloat16 as uint16. An empty `residual` means
    none. `out` may be `values` or `residual`. All is computed in float32; a bfloat16 result is
    rounded once at the end, to the nearest, ties to even. As in PyTorch a dropped NaN or
    infinity gives NaN. `key` is any integer of 64 bits: other keys give independent masks.
    `n_dropped` is less than 65,536.
    """
    if not 0 <= n_dropped < _LEVELS:
        raise ValueError(f"n_dropped must be 0 to {_LEVELS - 1}, not {n_dropped}")
    flat = (values.size,)
    if not values.shape == out.shape == flat or residual.shape not in (flat, (0,)):
        raise ValueError(
            f"values {values.shape}, residual {residual.shape}, out {out.shape} differ or not flat"
        )
    if not values.dtype == residual.dtype == out.dtype or values.dtype not in _KERNELS:
        raise TypeError(
            f"no kernel for values {values.dtype}, residual {residual.dtype}, out {out.dtype}"
        )
    _KERNELS[values.dtype](values, residual, out, np.uint64(key), np.uint16(n_dropped))


def keep_mask(key: int, n: int, n_dropped: int) -> npt.NDArray[np.bool_]:
    """Return the mask of `keep_scaled_add` for n elements, by numpy: slow, for comparison.

    Element i is kept if its number is at least `n_dropped`. At 0 that is all of them:

    >>> keep_mask(key=1, n=3, n_dropped=0)
    array([ True,  True,  True])
    """
    return random_numbers(key, n) >= n_dropped


def random_numbers(key: int, n: int) -> npt.NDArray[np.uint16]:
    """Return the 16-bit numbers of n elements: number i is piece i % 4 of random word i // 4.

    The lowest 16 bits of a word are its piece 0.
    """
    start = _mixed(np.array([key], np.uint64) + _STEP, _NOTHING)
    then = _mixed(start ^ _SECOND, _NOTHING)
    words = _mixed(start + _STEP * np.arange((n + 3) // 4, dtype=np.uint64), then)
    pieces = words[:, None] >> np.arange(0, 64, 16, dtype=np.uint64)
    numbers: npt.NDArray[np.uint16] = pieces.astype(np.uint16).reshape(-1)
    return numbers[:n]


def _mixed(z: Any, then: Any) -> Any:
    """Return SplitMix64's mixing of a word; `then` enters half-way.

    The start of the counter and `then` both depend on the whole key, so that masks of two keys
    are neither equal nor the same one shifted.
    """
    z = (z ^ (z >> _30)) * _FIRST
    z = (z ^ (z >> _27)) * _SECOND + then
    return z ^ (z >> _31)


_mixed_word = compiled()(_mixed)


@compiled()
def _draw(factors: Array, words: Array, begin: Any, key: Any, n_dropped: Any) -> None:
    """Fill `factors` with 0 or the scale for the elements from `begin` on; `words` is scratch."""
    start = _mixed_word(key + _STEP, _NOTHING)
    then = _mixed_word(start ^ _SECOND, _NOTHING)
    for j in range(words.size):
        words[j] = _mixed_word(start + _STEP * np.uint64(begin // 4 + j), then)
    pieces = words.view(np.uint16)  # the lowest first: numba knows only little-endian machines
    scale, zero = np.float32(_LEVELS / (_LEVELS - n_dropped)), np.float32(0)
    for i in range(factors.size):
        factors[i] = scale if pieces[i] >= n_dropped else zero


@compiled(makes_arrays=True)
def _float32(values: Array, residual: Array, out: Array, key: Any, n_dropped: Any) -> None:
    words = np.empty(_BLOCK // 4, np.uint64)
    sums = np.empty(_BLOCK, np.float32)  # not at once into out, which may be an input
    for begin in range(0, values.size, _BLOCK):
        _draw(sums, words, begin, key, n_dropped)
        v = values[begin : begin + _BLOCK]
        for i in range(v.size):
            sums[i] *= v[i]
        r = residual[begin : begin + _BLOCK]
        for i in range(r.size):
            sums[i] += r[i]
        o = out[begin : begin + _BLOCK]
        for i in range(o.size):
            o[i] = sums[i]


@compiled(makes_arrays=True)
def _bfloat16(values: Array, residual: Array, out: Array, key: Any, n_dropped: Any) -> None:
    words = np.empty(_BLOCK // 4, np.uint64)
    sums = np.empty(_BLOCK, np.float32)
    for begin in range(0, values.size, _BLOCK):
        _draw(sums, words, begin, key, n_dropped)
        v = values[begin : begin + _BLOCK]
        for i in range(v.size):
            sums[i] *= _widened(v[i])
        r = residual[begin : begin + _BLOCK]
        for i in range(r.size):
            sums[i] += _widened(r[i])
        o = out[begin : begin + _BLOCK]
        for i in range(o.size):
            o[i] = _rounded(sums[i])


@compiled()
def _widened(bits: Any) -> Any:
    """Return a bfloat16's bits as the float32 that they are the upper half of."""
    return np.uint32(np.uint32(bits) << _HALF_WORD).view(np.float32)


@compiled()
def _rounded(value: Any) -> Any:
    """Return the bits of the nearest bfloat16, of two the even one.

    A NaN stays one: the lower half of every NaN met here is 0 (it comes from a bfloat16 or is the
    processor's own), so nothing is carried out of it.
    """
    bits = np.float32(value).view(np.uint32)
    return np.uint16((bits + _BELOW_HALF + (bits >> _HALF_WORD & _ONE)) >> _HALF_WORD)


_KERNELS = {np.dtype(np.float32): _float32, np.dtype(np.uint16): _bfloat16}
