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
from heedful.kernels.rows import activate, add_and_normalise

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
    eps, centred, post, activation, heads, groups = kinds
    cosines, sines, slopes, tables = positions
    states, given, context, between = rows
    numbers, inner_numbers, row_scales = whole
    for n in range(joint.shape[0]):
        multiply_whole(numbers, row_scales, joint[n], scales[0][n], biases[0][n], results[0])
        attend_within(
            results[0], heads, groups, starts, cosines, sines, slopes, tables[n], context, numbers,
            row_scales,
        )  # fmt: skip
        multiply_whole(numbers, row_scales, output[n], scales[1][n], biases[1][n], results[1])
        add_and_normalise(
            results[1], states, norms[0][2 * n], norms[1][2 * n], eps, centred, post, given,
            numbers, row_scales,
        )  # fmt: skip
        multiply_whole(numbers, row_scales, inner[n], scales[2][n], biases[2][n], results[2])
        activate(results[2], activation, between, inner_numbers, row_scales)
        multiply_whole(inner_numbers, row_scales, outer[n], scales[3][n], biases[3][n], results[1])
        add_and_normalise(
            results[1], states, norms[0][2 * n + 1], norms[1][2 * n + 1], eps, centred, post, given,
            numbers, row_scales,
        )  # fmt: skip
