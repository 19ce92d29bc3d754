"""The product of rows and weights that are whole numbers, in the fastest way there is here.

Sums of products of whole numbers are exact, so that all ways give the same. Weights are kept in the
order that the way wants them in.
"""

__all__ = ["multiply_whole"]

from typing import Any

import numpy as np

from heedful.kernels.compiled import compiled
from heedful.kernels.layout import LANES
from heedful.kernels.pairs import multiply_pairs
from heedful.kernels.quads import multiply_quads

Array = np.ndarray[Any, np.dtype[Any]]

_multiply_quads = multiply_quads if LANES else multiply_pairs


@compiled(makes_arrays=True)
def multiply_whole(
    rows: Array, row_scales: Array, weight: Array, column_scales: Array, bias: Array, out: Array
) -> None:
    """Write rows W^T, times the scales of row and column, plus a bias.

    rows [R K] int8, weight [N K] int8 as `heedful.kernels.layout.arranged` makes it, as many
    column_scales and numbers of bias as it has rows, out [R N] float32. The sums that are scaled
    are exact up to 2^24, which none of 1,040 products reaches; above, they are the nearest float32.
    """
    if LANES and rows.shape[1] % 4 == 0:
        _multiply_quads(rows, row_scales, weight, column_scales, bias, out)
    else:
        multiply_pairs(rows, row_scales, weight, column_scales, bias, out)
