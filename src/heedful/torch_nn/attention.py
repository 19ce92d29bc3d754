"""`MultiheadAttention` with torch's interface, weights and results, on `heedful.nn.attention`."""

__all__ = ["MultiheadAttention", "sizes_of"]

from collections.abc import Callable
from typing import Any

import torch
from torch import nn
from torch.nn import functional as F

from heedful.nn.attention import attention_weights
from heedful.nn.dropout import dropout as dropped_weights
from heedful.nn.tracing import plain
from heedful.shapes import Float, Tensor
from heedful.torch_nn.checks import batch_of, refuse_heads, refuse_inputs
from heedful.torch_nn.masks import Mask, Sizes, mask_of
from heedful.torch_nn.packing import Packing
from heedful.torch_nn.sublayers import projected, times

_LONGEST, _LONGEST_LEARNT = 256, 512
"""Lengths up to which plain products in bf16 are taken, without and with the way back."""


class MultiheadAttention(nn.MultiheadAttention):
    """`torch.nn.MultiheadAttention`: arguments, parameters and results are documented there.

    `isinstance` holds and state dicts go both ways. Raises SettingError for widths that do not
    fit, DataError for inputs and masks that do not (see `heedful.torch_nn.masks.mask_of`).
    """

    def __init__(
        self,
        embed_dim: int,
        num_heads: int,
        dropout: float = 0.0,
        bias: bool = True,
        add_bias_kv: bool = False,
        add_zero_attn: bool = False,
        kdim: int | None = None,
        vdim: int | None = None,
        batch_first: bool = False,
        device: Any = None,
        dtype: Any = None,
    ) -> None:
        refuse_heads(embed_dim, num_heads, ("embed_dim", "num_heads"))
        super().__init__(
            embed_dim,
            num_heads,
            dropout=dropout,
            bias=bias,
            add_bias_kv=add_bias_kv,
            add_zero_attn=add_zero_attn,
            kdim=kdim,
            vdim=vdim,
            batch_first=batch_first,
            device=device,
            dtype=dtype,
        )

    def forward(
        self,
        query: Tensor,
        key: Tensor,
        value: Tensor,
        key_padding_mask: Tensor | None = None,
        need_weights: bool = True,
        attn_mask: Tensor | None = None,
        average_attn_weights: bool = True,
        is_causal: bool = False,
    ) -> tuple[Tensor, Tensor | None]:
        """Return the output and, if asked for, the weights, of each head or their mean."""
        refuse_inputs(self, query, key, value)
        alone = query.dim() == 2
        if alone:
            query, key, value = _in_a_batch(query, key, value)
            if key_padding_mask is not None and key_padding_mask.dim() == 1:
                key_padding_mask = key_padding_mask[None]
        batch_first = self.batch_first or alone
        mask = mask_of(
            attn_mask,
            key_padding_mask,
            sizes_of(self, query, key, batch_first),
            query,
            is_causal=is_causal,
            always_seen=self._n_further > 0,
        )
        output, weights = self.attended(
            query, key, value, mask, batch_first=batch_first, need_weights=need_weights
        )
        if weights is not None and average_attn_weights:
            weights = weights.mean(1)
        if alone:
            return output[0], None if weights is None else weights[0]
        return output, weights

    def attended(
        self,
        query: Tensor,
        key: Tensor,
        value: Tensor,
        mask: Mask,
        *,
        batch_first: bool,
        need_weights: bool = False,
        packing: Packing | None = None,
    ) -> tuple[Tensor, Float[Tensor, "B H Q M"] | None]:
        """Return output and weights of each head for states that have been checked.

        With a `packing` keys and values are rows without padding, and the queries and the output
        too where the queries are the keys.
        """
        spread = packing.spread if packing is not None else _as_it_is
        packed = packing if query is key else None
        heads = [
            self._heads(part, batch_first or side is not None)
            for part, side in zip(
                self._projected(query, key, value, spread),
                (packed, packing, packing),
                strict=True,
            )
        ]
        (q, k, v), mask = self._further(heads, mask)
        context, weights = self.look(q, k, v, mask, need_weights, packed)
        ordered = batch_first or packed is not None
        rows = context.permute((0, 2, 1, 3) if ordered else (2, 0, 1, 3)).flatten(2)
        if packed is not None:
            rows = packed.gathered(rows)
        return projected(self.out_proj, rows), weights

    def look(
        self,
        query: Float[Tensor, "B H Q K"],
        key: Float[Tensor, "B H M K"],
        value: Float[Tensor, "B H M K"],
        mask: Mask,
        need_weights: bool,
        packed: Packing | None,
    ) -> tuple[Float[Tensor, "B H Q K"], Float[Tensor, "B H Q M"] | None]:
        """Return what each head mixes of the values: the step that `watch` listens to.

        `packed` says which queries are none, but stand where padding is.
        """
        rate = self.dropout if self.training else 0.0
        if need_weights or _by_hand(query, key, rate):
            written = mask.opened(query.shape[2], key.shape[2], query.device)
            weights = attention_weights(query, key, written.allowed, written.bias)
            if rate > 0:
                weights = dropped_weights(weights, rate) if rate < 1 else 0.0 * weights
            return torch.einsum("bhqm,bhmv->bhqv", weights, value), weights
        return _by_kernel(query, key, value, mask, rate), None

    def _projected(
        self, query: Tensor, key: Tensor, value: Tensor, spread: Callable[[Tensor], Tensor]
    ) -> tuple[Tensor, Tensor, Tensor]:
        """Return queries, keys and values; what one product can make is one product."""
        width, bias = self.embed_dim, self.in_proj_bias
        if self.in_proj_weight is None:
            biases = (None, None, None) if bias is None else bias.chunk(3)
            weights = (self.q_proj_weight, self.k_proj_weight, self.v_proj_weight)
        elif query is key and key is value:
            made = spread(times(query, self.in_proj_weight, bias))
            return tuple(made.chunk(3, -1))  # type: ignore[return-value]
        elif key is value:
            own, other = torch.split(self.in_proj_weight, [width, 2 * width])
            shifts = (None, None) if bias is None else torch.split(bias, [width, 2 * width])
            both = spread(times(key, other, shifts[1]))
            return times(query, own, shifts[0]), *both.chunk(2, -1)  # type: ignore[return-value]
        else:
            biases = (None, None, None) if bias is None else bias.chunk(3)
            weights = self.in_proj_weight.chunk(3)
        keys, values = (spread(times(x, weights[i], biases[i])) for i, x in ((1, key), (2, value)))
        return times(query, weights[0], biases[0]), keys, values

    def _heads(self, states: Float[Tensor, "X Y D"], batch_first: bool) -> Tensor:
        """Return the states as sentences, heads, positions and widths of a head, not copied."""
        split = states.view(*states.shape[:-1], self.num_heads, self.head_dim)
        return split.permute((0, 2, 1, 3) if batch_first else (1, 2, 0, 3))

    @property
    def _n_further(self) -> int:
        """How many keys every query sees beside those given."""
        return (self.bias_k is not None) + bool(self.add_zero_attn)

    def _further(self, heads: list[Tensor], mask: Mask) -> tuple[list[Tensor], Mask]:
        """Add the learnt key and value, and those of zeros."""
        if not self._n_further:
            return heads, mask
        query, *sides = heads
        mask = mask.opened(query.shape[2], sides[0].shape[2], query.device)
        batch = query.shape[0]
        for i, learnt in enumerate((self.bias_k, self.bias_v)):
            parts = [sides[i]]
            if learnt is not None:
                parts.append(self._heads(learnt, True).expand(batch, -1, -1, -1))
            if self.add_zero_attn:
                parts.append(sides[i].new_zeros(batch, self.num_heads, 1, self.head_dim))
            sides[i] = torch.cat([part.to(parts[0].dtype) for part in parts], 2)
        return [query, *sides], mask.widened(self._n_further)


def sizes_of(module: nn.MultiheadAttention, query: Tensor, key: Tensor, batch_first: bool) -> Sizes:
    """Return what the masks of batched states must fit."""
    length = 1 if batch_first else 0
    batch = batch_of(query, batch_first)
    return Sizes(batch, module.num_heads, query.shape[length], key.shape[length])


def _in_a_batch(query: Tensor, key: Tensor, value: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    """Return batches of one sentence; what was the same tensor stays one."""
    one = query[None]
    two = one if key is query else key[None]
    return one, two, two if value is key else value[None]


def _as_it_is(states: Tensor) -> Tensor:
    return states


def _by_hand(query: Tensor, key: Tensor, rate: float) -> bool:
    """Return whether plain products are faster than PyTorch's kernel.

    On CPU the kernel cannot drop weights, and in bf16 it is slow: 8 heads of 64 (Zen 5, one core)
    took 0.73 ms against 0.58 for 32 sentences of 10, with the way back 14.2 against 1.7, and for
    4 of 512 28 against 39 and 87 against 65. In float32 the kernel is ahead at every length.
    """
    if query.device.type != "cpu" or not plain(query):
        return False
    area = query.shape[2] * key.shape[2]
    longest = _LONGEST_LEARNT if torch.is_grad_enabled() else _LONGEST
    return rate > 0 or (query.dtype == torch.bfloat16 and area <= longest**2)


def _by_kernel(query: Tensor, key: Tensor, value: Tensor, mask: Mask, rate: float) -> Tensor:
    """Return what each head mixes of the values, by PyTorch's kernel."""
    added: Tensor | None = mask.allowed
    if mask.bias is not None:
        added = mask.bias
        if mask.allowed is not None:
            added = added.masked_fill(~mask.allowed, float("-inf"))
    return F.scaled_dot_product_attention(
        query, key, value, attn_mask=added, dropout_p=rate, is_causal=mask.causal
    )
