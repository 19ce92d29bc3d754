"""`TransformerEncoderLayer` and `TransformerEncoder` as in `torch.nn`, on our attention."""

__all__ = ["TransformerEncoder", "TransformerEncoderLayer"]

from typing import Any

import torch
from torch import nn
from torch.nn import functional as F

from heedful.nn.tracing import plain
from heedful.shapes import Tensor
from heedful.torch_nn.attention import MultiheadAttention, sizes_of
from heedful.torch_nn.checks import refuse_states
from heedful.torch_nn.masks import Mask, mask_of, padding_of
from heedful.torch_nn.packing import Packing
from heedful.torch_nn.parts import all_bare, clones, give_parts, in_a_batch, whole
from heedful.torch_nn.sublayers import Activation, dropped, fed

_ATTENTIONS = ("self_attn",)


class TransformerEncoderLayer(nn.TransformerEncoderLayer):
    """`torch.nn.TransformerEncoderLayer`: arguments and parameters are documented there."""

    self_attn: MultiheadAttention

    def __init__(
        self,
        d_model: int,
        nhead: int,
        dim_feedforward: int = 2048,
        dropout: float = 0.1,
        activation: str | Activation = F.relu,
        layer_norm_eps: float = 1e-5,
        batch_first: bool = False,
        norm_first: bool = False,
        bias: bool = True,
        device: Any = None,
        dtype: Any = None,
    ) -> None:
        nn.Module.__init__(self)
        give_parts(
            self,
            _ATTENTIONS,
            d_model,
            nhead,
            dim_feedforward,
            dropout,
            activation,
            layer_norm_eps,
            batch_first,
            norm_first,
            bias,
            device,
            dtype,
        )
        # torch's encoder, given this layer, would hand it nested tensors if this were not 0
        self.activation_relu_or_gelu = 0

    def forward(
        self,
        src: Tensor,
        src_mask: Tensor | None = None,
        src_key_padding_mask: Tensor | None = None,
        is_causal: bool = False,
    ) -> Tensor:
        """Return the states after self-attention and feed-forward block."""
        if not self.whole():
            return self._by_blocks(src, src_mask, src_key_padding_mask, is_causal)
        attention = self.self_attn
        refuse_states(src, "src", attention.embed_dim, attention.out_proj.weight, "d_model")
        states = src if src.dim() == 3 else src[None]
        batch_first = attention.batch_first or src.dim() == 2
        mask = mask_of(
            src_mask,
            src_key_padding_mask if src.dim() == 3 else in_a_batch(src_key_padding_mask),
            sizes_of(attention, states, states, batch_first),
            states,
            is_causal=is_causal,
            names=("src_mask", "src_key_padding_mask"),
        )
        found = self.encoded(states, mask, batch_first)
        return found if src.dim() == 3 else found[0]

    def encoded(
        self, states: Tensor, mask: Mask, batch_first: bool, packing: Packing | None = None
    ) -> Tensor:
        """Return what `forward` does, of a batch or its packed rows, with a mask made before."""
        if self.norm_first:
            looked = self._looked(self.norm1(states), states, mask, batch_first, packing)
            return fed(self, self.norm2(looked), self.dropout2, looked)
        looked = self.norm1(self._looked(states, states, mask, batch_first, packing))
        found: Tensor = self.norm2(fed(self, looked, self.dropout2, looked))
        return found

    def _looked(
        self, states: Tensor, onto: Tensor, mask: Mask, batch_first: bool, packing: Packing | None
    ) -> Tensor:
        context, _ = self.self_attn.attended(
            states, states, states, mask, batch_first=batch_first, packing=packing
        )
        return dropped(self.dropout1, context, onto)

    def whole(self) -> bool:
        """Return whether nobody has overridden a block or hooked an attention."""
        return whole(self, nn.TransformerEncoderLayer, _ATTENTIONS)

    def _by_blocks(
        self, x: Tensor, mask: Tensor | None, padding: Tensor | None, is_causal: bool
    ) -> Tensor:
        """Return the same through torch's blocks, which may have been overridden."""
        if self.norm_first:
            x = x + self._sa_block(self.norm1(x), mask, padding, is_causal=is_causal)
            return x + self._ff_block(self.norm2(x))
        x = self.norm1(x + self._sa_block(x, mask, padding, is_causal=is_causal))
        found: Tensor = self.norm2(x + self._ff_block(x))
        return found


class TransformerEncoder(nn.TransformerEncoder):
    """`torch.nn.TransformerEncoder`: arguments and parameters are documented there.

    With `enable_nested_tensor` padded positions are not computed, in training as in evaluation
    and wherever in a sentence they are; their states are zeros before the final norm, as torch's
    fast path gives them. Without it they are computed.
    """

    def __init__(
        self,
        encoder_layer: nn.TransformerEncoderLayer,
        num_layers: int,
        norm: nn.Module | None = None,
        enable_nested_tensor: bool = True,
        mask_check: bool = True,
    ) -> None:
        nn.Module.__init__(self)
        self.layers = clones(encoder_layer, num_layers)
        self.num_layers = num_layers
        self.norm = norm
        self.enable_nested_tensor = enable_nested_tensor
        self.use_nested_tensor = enable_nested_tensor
        self.mask_check = mask_check

    def forward(
        self,
        src: Tensor,
        mask: Tensor | None = None,
        src_key_padding_mask: Tensor | None = None,
        is_causal: bool | None = None,
    ) -> Tensor:
        """Return the states after all layers."""
        return self.encoded(src, mask, src_key_padding_mask, is_causal, self.use_nested_tensor)

    def encoded(
        self,
        src: Tensor,
        mask: Tensor | None,
        padding: Tensor | None,
        is_causal: bool | None,
        skip: bool,
        name: str = "mask",
    ) -> Tensor:
        """Return what `forward` does; `skip` is about padded positions, `name` is the mask's."""
        skip = skip and src.dim() == 3 and padding is not None and padding.dtype == torch.bool
        if len(self.layers) and all_bare(self.layers, TransformerEncoderLayer):
            states = self._at_once(src, mask, padding, is_causal, skip, name)
        else:
            states, hint = src, bool(is_causal)
            for layer in self.layers:
                states = layer(states, src_mask=mask, is_causal=hint, src_key_padding_mask=padding)
            if skip:
                states = self._blank(states, padding)  # type: ignore[arg-type]
        return states if self.norm is None else self.norm(states)

    def _blank(self, states: Tensor, padding: Tensor) -> Tensor:
        """Return the states with zeros where padding is."""
        across = padding if self._batch_first else padding.t()
        return states.masked_fill(across[:, :, None], 0.0)

    @property
    def _batch_first(self) -> bool:
        return bool(self.layers[0].self_attn.batch_first) if len(self.layers) else False

    def _at_once(
        self,
        src: Tensor,
        mask: Tensor | None,
        padding: Tensor | None,
        is_causal: bool | None,
        skip: bool,
        name: str,
    ) -> Tensor:
        """Return the states after all layers, with masks and packing made once for all."""
        attention = self.layers[0].self_attn
        refuse_states(src, "src", attention.embed_dim, attention.out_proj.weight, "d_model")
        alone = src.dim() == 2
        states = src[None] if alone else src
        padding = in_a_batch(padding) if alone else padding
        batch_first = alone or self._batch_first
        sizes = sizes_of(attention, states, states, batch_first)
        names = (name, "src_key_padding_mask")
        both = mask_of(mask, padding, sizes, states, is_causal=is_causal, names=names)
        packing = None
        blocked = padding_of(padding, states)
        if skip and blocked is not None:
            packing = Packing.of(blocked, batch_first)
        rows = states if packing is None else packing.packed(states)
        for layer in self.layers:
            rows = layer.encoded(rows, both, batch_first, packing)
        if packing is not None:
            return packing.padded(rows, states)
        if skip and not plain(states):
            return self._blank(rows, padding)  # type: ignore[arg-type]
        return rows[0] if alone else rows
