"""How a hypothesis is scored, so that long and short ones can be compared.

Log-probabilities, lengths and attention come in, scores go out; beams rank and stop by them. Both
penalties are Wu et al. 2016 (GNMT, arXiv:1609.08144), equation 14.
"""

__all__ = ["coverage_penalty", "length_penalty"]

import numpy as np

from heedful.shapes import Array, Float

LEAST = 1e-6
"""Attention that a source piece counts at least: its logarithm stays finite."""


def length_penalty(length: int, alpha: float) -> float:
    """Return lp(Y) = ((5 + |Y|) / 6)^alpha, by which a log-probability is divided.

    |Y| counts `</s>`. It never falls as |Y| grows (alpha >= 0), and alpha = 0 ranks by probability
    alone.

    >>> length_penalty(1, 0.6), length_penalty(7, 1.0), length_penalty(7, 0.0)
    (1.0, 2.0, 1.0)
    """
    return float(((5 + length) / 6) ** alpha)


def coverage_penalty(covered: Float[Array, "*rows S"], beta: float) -> Float[Array, "*rows"]:
    """Return cp(X; Y) = beta * sum_i log(min(sum_j p_ij, 1)), which is added to a score.

    `covered` is sum_j p_ij, the attention that source piece i has got from all target pieces; 1
    where there is no such piece. It is never above 0.

    >>> coverage_penalty(np.array([[1.0, 1.7], [1.0, 0.5]]), 2.0).round(3).tolist()
    [0.0, -1.386]
    """
    logarithms = np.log(np.clip(covered.astype(np.float64), LEAST, 1))
    # one after another: NumPy's own sum would round as the length of the longest source has it
    penalty: Float[Array, "*rows"] = beta * np.cumsum(logarithms, axis=-1)[..., -1]
    return penalty
