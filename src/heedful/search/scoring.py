"""How a hypothesis is scored, so that long and short ones can be compared.

Log-probabilities and lengths come in, scores go out; the beam search ranks and stops by them.
"""

__all__ = ["length_penalty"]


def length_penalty(length: int, alpha: float) -> float:
    """Return lp(Y) = ((5 + |Y|) / 6)^alpha, by which a log-probability is divided.

    Wu et al. 2016 (GNMT, arXiv:1609.08144), equation 14; |Y| counts `</s>`. It never falls as
    |Y| grows (alpha >= 0), and alpha = 0 ranks by probability alone.

    >>> length_penalty(1, 0.6), length_penalty(7, 1.0), length_penalty(7, 0.0)
    (1.0, 2.0, 1.0)
    """
    return float(((5 + length) / 6) ** alpha)
