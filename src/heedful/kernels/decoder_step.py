"""A step through all layers of a decoder in one call, in whole numbers.

With few rows the products take microseconds, and as long would Python between them. It is the same
kernels in the same order as `heedful.decode.fused` calls them.
"""

__all__ = ["decoder_step"]

from typing import Any

import numpy as np

from heedful.kernels.attention import attend_across, attend_back
from heedful.kernels.compiled import compiled
from heedful.kernels.product import multiply_whole
from heedful.kernels.sublayers import end_sublayer, feed_forward

Array = np.ndarray[Any, np.dtype[Any]]


@compiled(makes_arrays=True)
def decoder_step(
    weights: tuple[Array, ...],
    scales: tuple[Array, ...],
    biases: tuple[Array, ...],
    norms: tuple[Array, Array],
    kinds: tuple[float, bool, bool, int, int, int],
    positions: tuple[Array, Array, Array, Array],
    past: tuple[int, Array, Array, Array, Array],
    across: tuple[Array, Array, Array],
    rows: tuple[Array, Array, Array, Array],
    whole: tuple[Array, Array, Array],
    results: tuple[Array, ...],
) -> None:
    """Lead rows through the layers: `rows` begin as states and their norm, and end so.

    weights, scales and biases of the six products of a layer, each [L ...], in the order joint,
    output, across, across output, inner, outer; norms [3 L D] behind the sublayers; kinds: eps,
    centred, post, activation, heads, groups; positions: cosines, sines, slopes, Shaw's tables
    [L ...]; past: now, positions of the rows, rows_of, keys, values [L ...]; across: memory
    [L ...], where each row's begins, how many they are; rows: states, input, context, inner; whole:
    input, inner and row scales; results of the products of three widths. Otherwise as `attend_back`
    and its kin.
    """
    joint, output, query, across_output, inner, outer = weights
    heads, groups = kinds[4], kinds[5]
    cosines, sines, slopes, tables = positions
    now, here, rows_of, keys, values = past
    states, given, context, _ = rows
    (memory, firsts, counts), (numbers, _, row_scales) = across, whole
    unasked = np.empty((0, 0), np.float32)
    for n in range(joint.shape[0]):
        multiply_whole(numbers, row_scales, joint[n], scales[0][n], biases[0][n], results[0])
        attend_back(
            results[0], heads, groups, now, here, rows_of, keys[n], values[n], cosines, sines,
            slopes, tables[n], context, numbers, row_scales,
        )  # fmt: skip
        norm = (norms[0][3 * n], norms[1][3 * n])
        product = (output[n], scales[1][n], biases[1][n])
        end_sublayer(numbers, product, norm, kinds, results[1], states, given, numbers, row_scales)
        multiply_whole(numbers, row_scales, query[n], scales[2][n], biases[2][n], results[1])
        attend_across(
            results[1], heads, groups, memory[n], firsts, counts, context, numbers, row_scales,
            unasked,
        )  # fmt: skip
        norm = (norms[0][3 * n + 1], norms[1][3 * n + 1])
        product = (across_output[n], scales[3][n], biases[3][n])
        end_sublayer(numbers, product, norm, kinds, results[1], states, given, numbers, row_scales)
        norm = (norms[0][3 * n + 2], norms[1][3 * n + 2])
        first = (inner[n], scales[4][n], biases[4][n])
        second = (outer[n], scales[5][n], biases[5][n])
        feed_forward(first, second, norm, kinds, rows, whole, results)
