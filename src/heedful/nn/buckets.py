"""T5's buckets: a distance between two pieces becomes the number of its bucket."""

__all__ = ["buckets"]

import math

import torch

from heedful.shapes import Int, Tensor


def buckets(
    distance: Int[Tensor, "*shape"], n_buckets: int, max_distance: int, *, causal: bool
) -> Int[Tensor, "*shape"]:
    """Return the bucket of each distance, key position minus query position (T5, section 2.1).

    Half of the buckets are a distance each; the others grow with its logarithm up to max_distance,
    and the last holds all that is farther. Without `causal` keys behind the query have the upper
    half of all buckets; with it they count as distance 0.

    >>> buckets(torch.tensor([-200, -9, -2, -1, 0, 1]), 8, 16, causal=False)
    tensor([3, 3, 2, 1, 0, 5])
    """
    later: Int[Tensor, "*shape"] | int = 0
    if causal:
        away = (-distance).clamp(min=0)
    else:
        n_buckets //= 2
        later, away = (distance > 0).long() * n_buckets, distance.abs()
    single = n_buckets // 2
    # In float32 and in this order, or distances at an edge fall into another bucket than T5's.
    share = torch.log(away.clamp(min=1).float() / single) / math.log(max_distance / single)
    grown = (single + (share * (n_buckets - single)).long()).clamp(max=n_buckets - 1)
    return torch.where(away < single, away, grown) + later
