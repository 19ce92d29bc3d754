"""Source sentences on their way through all layers of an encoder in one call, in whole numbers.

It is the same kernels in the same order as `heedful.decode.fused` calls them, without Python, and
so without waiting for its lock, between them.
"""

__all__ = ["encoder_pass"]

from typing import Any

import numpy as np

from heedful.kernels.attention import attend_within
from heedful.kernels.compiled import compiled
from heedful.kernels.product import multiply_whole
from heedful.kernels.sublayers import end_sublayer, feed_forward

Array = np.ndarray[Any, np.dtype[Any]]


@compiled(makes_arrays=True)
def encoder_pass(
    weights: tuple[Array, ...],
    scales: tuple[Array, ...],
    biases: tuple[Array, ...],
    norms: tuple[Array, Array],
    kinds: tuple[float, bool, bool, int, int, int],
    positions: tuple[Array, Array, Array, Array],
    starts: Array,
    rows: tuple[Array, Array, Array, Array],
    whole: tuple[Array, Array, Array],
    results: tuple[Array, ...],
) -> None:
    """Lead rows through the layers: `rows` begin as states and their norm, and end so.

    weights, scales and biases of the four products of a layer, each [L ...], in the order joint,
    output, inner, outer; norms [2 L D]; starts of the sentences as `attend_within` takes them; all
    else as `heedful.kernels.decoder_step` does.
    """
    joint, output, inner, outer = weights
    heads, groups = kinds[4], kinds[5]
    cosines, sines, slopes, tables = positions
    states, given, context, _ = rows
    numbers, _, row_scales = whole
    for n in range(joint.shape[0]):
        multiply_whole(numbers, row_scales, joint[n], scales[0][n], biases[0][n], results[0])
        attend_within(
            results[0], heads, groups, starts, cosines, sines, slopes, tables[n], context, numbers,
            row_scales,
        )  # fmt: skip
        norm = (norms[0][2 * n], norms[1][2 * n])
        product = (output[n], scales[1][n], biases[1][n])
        end_sublayer(numbers, product, norm, kinds, results[1], states, given, numbers, row_scales)
        norm = (norms[0][2 * n + 1], norms[1][2 * n + 1])
        first = (inner[n], scales[2][n], biases[2][n])
        second = (outer[n], scales[3][n], biases[3][n])
        feed_forward(first, second, norm, kinds, rows, whole, results)
