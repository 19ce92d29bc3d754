"""A step of one text through all layers of a decoder without memory, and its logits, in one call.

Rows are two whole numbers with one scale, as in `heedful.decode.two_terms`: the two are two rows of
one product, which takes its time for reading the weights. `heedful.decode.alone_step` calls it.
"""

__all__ = ["text_step"]

from typing import Any

import numpy as np

from heedful.kernels.attention import attend_text
from heedful.kernels.compiled import compiled
from heedful.kernels.layout import SWIGLU
from heedful.kernels.product import multiply_whole
from heedful.kernels.rows import activate, normalise
from heedful.kernels.vectors import WIDE
from heedful.kernels.whole import quantise_finely

Array = np.ndarray[Any, np.dtype[Any]]


@compiled()
def _add(numbers: Array, to: Array) -> None:
    for k in range(to.size):
        to[k] += numbers[k]


@compiled(makes_arrays=True)
def _multiply(
    row: Array, weight: Array, scales: Array, bias: Array, numbers: Array, result: Array
) -> None:
    """Write the product of a row in two terms: result [2 N], the sum in its first row.

    Each of the two adds `bias`, half of what there is.
    """
    row_scales = np.empty(2, np.float32)
    quantise_finely(row, numbers, row_scales)
    multiply_whole(numbers, row_scales, weight, scales, bias, result)
    _add(result[1], result[0])


@compiled(makes_arrays=True)
def text_step(
    weights: tuple[Array, Array, Array, Array],
    scales: tuple[Array, Array, Array, Array],
    biases: tuple[Array, Array, Array, Array],
    norms: tuple[Array, Array],
    kinds: tuple[float, bool, int, int, int],
    last: tuple[Array, Array, Array, Array, Array],
    past: tuple[int, Array, Array, Array, Array],
    states: Array,
    logits: Array,
) -> None:
    """Lead a text's newest position through the layers; `states` [1 D] is changed.

    weights, scales and halves of the biases of the products of a layer, each [L ...], in the order
    joint, output, inner, outer; norms [2 L D] before the sublayers; kinds: eps, centred,
    activation, heads, groups; last: the norm behind all, which may be empty, and the product that
    makes the logits [2 N], which are written into the first row; past: the position, its cosines
    and sines, keys and values [L groups C d_k].
    """
    joint, output, inner, outer = weights
    eps, centred, activation, heads, groups = kinds
    here, cosine, sine, keys, values = past
    d_k, d_model, d_ff = keys.shape[3], states.shape[1], outer.shape[2]
    known = keys.shape[2] + WIDE
    scores, places = np.empty(known, np.float32), np.empty(known, np.int64)
    none, unasked = np.empty((0, 0), np.int8), np.empty(0, np.float32)
    normed, numbers = np.empty((1, d_model), np.float32), np.empty((2, d_model), np.int8)
    asked = np.empty((2, (heads + 2 * groups) * d_k), np.float32)
    context, seen = np.empty(heads * d_k, np.float32), np.empty((2, heads * d_k), np.int8)
    result = np.empty((2, d_model), np.float32)
    hidden = np.empty((2, d_ff * (2 if activation == SWIGLU else 1)), np.float32)
    between, thought = np.empty((1, d_ff), np.float32), np.empty((2, d_ff), np.int8)
    for n in range(joint.shape[0]):
        i = 2 * n
        normalise(states, norms[0][i], norms[1][i], eps, centred, normed, none, unasked)
        _multiply(normed[0], joint[n], scales[0][n], biases[0][n], numbers, asked)
        attend_text(
            asked[0], heads, groups, here, keys[n], values[n], cosine, sine, context, scores, places
        )
        _multiply(context, output[n], scales[1][n], biases[1][n], seen, result)
        _add(result[0], states[0])
        normalise(states, norms[0][i + 1], norms[1][i + 1], eps, centred, normed, none, unasked)
        _multiply(normed[0], inner[n], scales[2][n], biases[2][n], numbers, hidden)
        activate(hidden[:1], activation, between, none, unasked)
        _multiply(between[0], outer[n], scales[3][n], biases[3][n], thought, result)
        _add(result[0], states[0])
    normalise(states, last[0], last[1], eps, centred, normed, none, unasked)
    _multiply(normed[0], last[2], last[3], last[4], numbers, logits)
