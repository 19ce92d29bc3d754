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
from heedful.kernels.rows import activate, add_and_normalise

Array = np.ndarray[Any, np.dtype[Any]]


@compiled("contract")
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
    sums: tuple[Array, ...],
) -> None:
    """Lead rows through the layers: `rows` begin as states and their norm, and end so.

    weights, scales and biases of the six products of a layer, each [L ...], in the order joint,
    output, across, across output, inner, outer; norms [3 L D] behind the sublayers; kinds: eps,
    centred, post, activation, heads, groups; positions: cosines, sines, slopes, Shaw's tables
    [L ...]; past: now, positions of the rows, places, keys, values [L ...]; across: memory, where
    each row's begins, how many they are; rows: states, input, context, inner; whole: input, inner
    and row scales; sums of each product. Otherwise as `attend_back` and its kin.
    """
    joint, output, query, across_output, inner, outer = weights
    eps, centred, post, activation, heads, groups = kinds
    cosines, sines, slopes, tables = positions
    now, here, places, keys, values = past
    states, given, context, between = rows
    (memory, firsts, counts), (numbers, inner_numbers, row_scales) = across, whole
    unasked = np.empty((0, 0), np.float32)
    for n in range(joint.shape[0]):
        multiply_whole(numbers, joint[n], sums[0])
        attend_back(
            sums[0], row_scales, scales[0][n], biases[0][n], heads, groups, now, here, places,
            keys[n], values[n], cosines, sines, slopes, tables[n], context, numbers, row_scales,
        )  # fmt: skip
        multiply_whole(numbers, output[n], sums[1])
        add_and_normalise(
            sums[1], row_scales, scales[1][n], biases[1][n], states, norms[0][3 * n],
            norms[1][3 * n], eps, centred, post, given, numbers, row_scales,
        )  # fmt: skip
        multiply_whole(numbers, query[n], sums[1])
        attend_across(
            sums[1], row_scales, scales[2][n], biases[2][n], heads, groups, memory,
            n * 2 * keys.shape[3], firsts, counts, context, numbers, row_scales, unasked,
        )  # fmt: skip
        multiply_whole(numbers, across_output[n], sums[1])
        add_and_normalise(
            sums[1], row_scales, scales[3][n], biases[3][n], states, norms[0][3 * n + 1],
            norms[1][3 * n + 1], eps, centred, post, given, numbers, row_scales,
        )  # fmt: skip
        multiply_whole(numbers, inner[n], sums[2])
        activate(
            sums[2], row_scales, scales[4][n], biases[4][n], activation, between, inner_numbers,
            row_scales,
        )  # fmt: skip
        multiply_whole(inner_numbers, outer[n], sums[1])
        add_and_normalise(
            sums[1], row_scales, scales[5][n], biases[5][n], states, norms[0][3 * n + 2],
            norms[1][3 * n + 2], eps, centred, post, given, numbers, row_scales,
        )  # fmt: skip
