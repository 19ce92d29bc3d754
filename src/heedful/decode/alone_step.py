"""A decoder's weights as `heedful.kernels.text_step` takes them: one piece through all in one call.

Products become parts of arrays that hold all layers. Its slow twin is `heedful.decode.alone`
without it.
"""

__all__ = ["TextStep"]

from collections.abc import Iterable, Sequence
from typing import Any, cast

import numpy as np
import torch
from torch import nn

from heedful.decode.packed import NO_NORM, activation_number, has_kernels, packed_norm
from heedful.decode.two_terms import TwoTermProduct
from heedful.kernels import called
from heedful.models.gpt import GPT, GPTLayer
from heedful.nn.feedforward import Swish
from heedful.nn.norm import PreNorm
from heedful.nn.position import ALiBi, Bucketed, Relative
from heedful.shapes import Array, Float, Tensor


class TextStep:
    """A decoder, ready to take one piece behind a text."""

    def __init__(
        self, model: GPT, layers: Sequence[Sequence[TwoTermProduct]], project: TwoTermProduct
    ) -> None:
        config = model.config
        together = list(zip(*layers, strict=True))
        weights = [_stacked(products) for products in together]
        scales = [np.stack([one.column_scales for one in some]) for some in together]
        biases = [np.stack([one.half_bias for one in some]) for some in together]
        blocks: list[Any] = []
        for layer in cast(Iterable[GPTLayer], model.layers):
            blocks += [layer.attention_block, layer.feed_forward_block]
        norms = [packed_norm(block.norm, config.norm) for block in blocks]
        shifts = [norm.shift for norm in norms]
        bare = isinstance(model.norm, nn.Identity)
        last = NO_NORM if bare else packed_norm(model.norm, config.norm)
        self._project = project
        self._last = (last.weight, last.shift)
        self._given: Any = (
            *(tuple(weights), tuple(scales), tuple(biases)),
            (np.stack([norm.weight for norm in norms]), np.stack(shifts)),
            (
                norms[0].eps,
                norms[0].centred,
                activation_number(model),
                config.n_heads,
                config.n_kv_heads,
            ),
        )

    @staticmethod
    def takes(model: GPT) -> bool:
        """Return whether the kernel knows all that a decoder is made of."""
        config = model.config
        unknown = isinstance(config.position, ALiBi | Bucketed | Relative)
        unknown |= isinstance(config.feed_forward, Swish)  # kernels have gates or none
        return has_kernels(model) and isinstance(config.residual, PreNorm) and not unknown

    def logits(
        self,
        states: Float[Tensor, "1 D"],
        start: int,
        rate: Float[Tensor, " K/2"] | None,
        keys: Array,
        values: Array,
    ) -> Float[Tensor, " N"]:
        """Return the logits behind position `start`, whose keys and values are kept.

        keys and values [L groups C d_k] are those of the positions before it, and have room for it.
        """
        angle = torch.zeros(0) if rate is None else start * rate
        turning = (angle.cos().numpy(), angle.sin().numpy())
        project, out = self._project, np.empty((2, self._project.n_out), np.float32)
        weights, scales, biases, norms, kinds = self._given
        called.text_step(
            weights,
            scales,
            biases,
            norms,
            kinds,
            (*self._last, project.arranged, project.column_scales, project.half_bias),
            (start, *turning, keys, values),
            states.clone().numpy(),
            out,
        )
        return torch.from_numpy(out[0])


def _stacked(products: Sequence[TwoTermProduct]) -> Array:
    """Return the layers' weights in one array, of which each layer's become a part."""
    found = np.empty((len(products), *products[0].arranged.shape), np.int8)
    for product, place in zip(products, found, strict=True):
        place[:] = product.arranged
        product.arranged = place
    return found
