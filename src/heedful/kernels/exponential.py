"""e^x for a float32 in a few vectorisable operations: numba brings no such exponential."""

__all__ = ["exp"]

import math
from typing import Any

import numpy as np

from heedful.kernels.compiled import compiled

_LOG2_E = np.float32(1 / math.log(2))
_LN2_HIGH = np.float32(0.693359375)  # 9 bits: a whole number times it is exact
_LN2_LOW = np.float32(math.log(2) - 0.693359375)
_TO_WHOLE = np.float32(1.5 * 2**23)  # added to a small float32, it leaves the nearest integer
_BIAS, _MANTISSA = np.int32(127), np.int32(23)
_TOO_SMALL = np.float32(-126.5 * math.log(2))
_ZERO, _ONE = np.float32(0), np.float32(1)
# (exp(r) - 1 - r) / r^2 for |r| <= ln(2) / 2, the least largest error relative to exp(r): 3e-9
_C0 = np.float32(0.4999999344773538)
_C1 = np.float32(0.16666520630833975)
_C2 = np.float32(0.041668388054401546)
_C3 = np.float32(0.008368716983646884)
_C4 = np.float32(0.0013814598565121646)


@compiled("contract")
def exp(x: Any) -> Any:
    """Return e^x for a float32 x <= 0: 0 below -87.7, NaN for NaN, else to 1.5e-7 of itself.

    With n = x / ln(2) rounded and r = x - n ln(2), it is 2^n e^r; 2^n has n for its exponent bits.
    """
    shifted = np.float32(x * _LOG2_E + _TO_WHOLE)
    n = shifted - _TO_WHOLE
    r = (x - n * _LN2_HIGH) - n * _LN2_LOW
    series = _C0 + r * (_C1 + r * (_C2 + r * (_C3 + r * _C4)))
    power = np.int32((shifted.view(np.int32) + _BIAS) << _MANTISSA).view(np.float32)
    return _ZERO if x < _TOO_SMALL else (_ONE + (r + r * r * series)) * power
