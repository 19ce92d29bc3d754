"""What ends a sublayer of an encoder and of a decoder, in whole numbers: the same for both."""

__all__ = ["end_sublayer", "feed_forward"]

from typing import Any

import numpy as np

from heedful.kernels.compiled import compiled
from heedful.kernels.product import multiply_whole
from heedful.kernels.rows import activate, add_and_normalise

Array = np.ndarray[Any, np.dtype[Any]]


@compiled(makes_arrays=True)
def end_sublayer(
    given: Array,
    weights: tuple[Array, Array, Array],
    norm: tuple[Array, Array],
    kinds: tuple[float, bool, bool, int, int, int],
    result: Array,
    states: Array,
    out: Array,
    numbers: Array,
    row_scales: Array,
) -> None:
    """Multiply rows `given` in whole numbers, add them to the states, write the norm of the sum.

    weights: a product's numbers, scales and bias; norm: weight and shift; kinds as `decoder_step`
    takes them; the norm goes to `out` and, in whole numbers, to `numbers`, the scales of which take
    the place of those of `given`.
    """
    multiply_whole(given, row_scales, weights[0], weights[1], weights[2], result)
    eps, centred, post = kinds[0], kinds[1], kinds[2]
    add_and_normalise(
        result, states, norm[0], norm[1], eps, centred, post, out, numbers, row_scales
    )


@compiled(makes_arrays=True)
def feed_forward(
    inner: tuple[Array, Array, Array],
    outer: tuple[Array, Array, Array],
    norm: tuple[Array, Array],
    kinds: tuple[float, bool, bool, int, int, int],
    rows: tuple[Array, Array, Array, Array],
    whole: tuple[Array, Array, Array],
    results: tuple[Array, ...],
) -> None:
    """Lead rows through the position-wise network (section 3.3); all as `decoder_step` takes it."""
    states, out, _, between = rows
    numbers, inner_numbers, row_scales = whole
    multiply_whole(numbers, row_scales, inner[0], inner[1], inner[2], results[2])
    activate(results[2], kinds[3], between, inner_numbers, row_scales)
    end_sublayer(inner_numbers, outer, norm, kinds, results[1], states, out, numbers, row_scales)
