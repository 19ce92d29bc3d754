"""`TransformerDecoderLayer` and `TransformerDecoder` as in `torch.nn`, on our attention."""

__all__ = ["TransformerDecoder", "TransformerDecoderLayer"]

from typing import Any, NamedTuple

from torch import nn
from torch.nn import functional as F

from heedful.shapes import Tensor
from heedful.torch_nn.attention import MultiheadAttention, sizes_of
from heedful.torch_nn.checks import refuse_batches, refuse_states
from heedful.torch_nn.masks import Mask, mask_of, padding_of
from heedful.torch_nn.packing import Packing
from heedful.torch_nn.parts import all_bare, clones, give_parts, in_a_batch, whole
from heedful.torch_nn.sublayers import Activation, dropped, fed

_ATTENTIONS = ("self_attn", "multihead_attn")


class Given(NamedTuple):
    """What a decoder layer is given beside the states, checked and in the form that is computed."""

    memory: Tensor
    own: Mask
    across: Mask
    batch_first: bool
    packing: Packing | None
    """Where the rows of the memory belong, if its padding is left out."""


class TransformerDecoderLayer(nn.TransformerDecoderLayer):
    """`torch.nn.TransformerDecoderLayer`: arguments and parameters are documented there."""

    self_attn: MultiheadAttention
    multihead_attn: MultiheadAttention

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

    def forward(
        self,
        tgt: Tensor,
        memory: Tensor,
        tgt_mask: Tensor | None = None,
        memory_mask: Tensor | None = None,
        tgt_key_padding_mask: Tensor | None = None,
        memory_key_padding_mask: Tensor | None = None,
        tgt_is_causal: bool = False,
        memory_is_causal: bool = False,
    ) -> Tensor:
        """Return the states after both attentions and the feed-forward block."""
        if not self.whole():
            own = (tgt_mask, tgt_key_padding_mask, tgt_is_causal)
            return self._by_blocks(
                tgt, own, memory, (memory_mask, memory_key_padding_mask, memory_is_causal)
            )
        states, given = given_of(
            self,
            tgt,
            memory,
            (tgt_mask, memory_mask),
            (tgt_key_padding_mask, memory_key_padding_mask),
            (tgt_is_causal, memory_is_causal),
        )
        found = self.decoded(states, given)
        return found if tgt.dim() == 3 else found[0]

    def decoded(self, states: Tensor, given: Given) -> Tensor:
        """Return what `forward` does, of a batch, with masks made before."""
        if self.norm_first:
            states = self._looked(self.norm1(states), states, given)
            states = self._looked_across(self.norm2(states), states, given)
            return fed(self, self.norm3(states), self.dropout3, states)
        states = self.norm1(self._looked(states, states, given))
        states = self.norm2(self._looked_across(states, states, given))
        found: Tensor = self.norm3(fed(self, states, self.dropout3, states))
        return found

    def _looked(self, states: Tensor, onto: Tensor, given: Given) -> Tensor:
        context, _ = self.self_attn.attended(
            states, states, states, given.own, batch_first=given.batch_first
        )
        return dropped(self.dropout1, context, onto)

    def _looked_across(self, states: Tensor, onto: Tensor, given: Given) -> Tensor:
        context, _ = self.multihead_attn.attended(
            states,
            given.memory,
            given.memory,
            given.across,
            batch_first=given.batch_first,
            packing=given.packing,
        )
        return dropped(self.dropout2, context, onto)

    def whole(self) -> bool:
        """Return whether nobody has overridden a block or hooked an attention."""
        return whole(self, nn.TransformerDecoderLayer, _ATTENTIONS)

    def _by_blocks(
        self, x: Tensor, own: tuple[Any, ...], memory: Tensor, across: tuple[Any, ...]
    ) -> Tensor:
        """Return the same through torch's blocks, which may have been overridden."""
        if self.norm_first:
            x = x + self._sa_block(self.norm1(x), *own)
            x = x + self._mha_block(self.norm2(x), memory, *across)
            return x + self._ff_block(self.norm3(x))
        x = self.norm1(x + self._sa_block(x, *own))
        x = self.norm2(x + self._mha_block(x, memory, *across))
        found: Tensor = self.norm3(x + self._ff_block(x))
        return found


def given_of(
    layer: TransformerDecoderLayer,
    tgt: Tensor,
    memory: Tensor,
    masks: tuple[Tensor | None, Tensor | None],
    paddings: tuple[Tensor | None, Tensor | None],
    hints: tuple[bool | None, bool],
) -> tuple[Tensor, Given]:
    """Return the states as a batch, and all else that layers like this one need.

    Keys and values of padding in the memory are not computed: nobody sees them.
    """
    attention, cross = layer.self_attn, layer.multihead_attn
    weight = attention.out_proj.weight
    refuse_states(tgt, "tgt", attention.embed_dim, weight, "d_model")
    refuse_states(memory, "memory", cross.kdim, weight, "d_model")
    refuse_batches(tgt, memory, ("tgt", "memory"), attention.batch_first)
    batch_first = attention.batch_first or tgt.dim() == 2
    if tgt.dim() == 2:
        tgt, memory = tgt[None], memory[None]
        paddings = in_a_batch(paddings[0]), in_a_batch(paddings[1])
    found = [
        mask_of(
            mask,
            padding,
            sizes_of(attention, tgt, keys, batch_first),
            tgt,
            is_causal=hint,
            names=(f"{side}_mask", f"{side}_key_padding_mask"),
        )
        for side, keys, mask, padding, hint in zip(
            ("tgt", "memory"), (tgt, memory), masks, paddings, hints, strict=True
        )
    ]
    padding = padding_of(paddings[1], memory)
    packing = None if padding is None else Packing.of(padding, batch_first)
    rows = memory if packing is None else packing.packed(memory)
    return tgt, Given(rows, found[0], found[1], batch_first, packing)


class TransformerDecoder(nn.TransformerDecoder):
    """`torch.nn.TransformerDecoder`: arguments and parameters are documented there."""

    def __init__(
        self,
        decoder_layer: nn.TransformerDecoderLayer,
        num_layers: int,
        norm: nn.Module | None = None,
    ) -> None:
        nn.Module.__init__(self)
        self.layers = clones(decoder_layer, num_layers)
        self.num_layers = num_layers
        self.norm = norm

    def forward(
        self,
        tgt: Tensor,
        memory: Tensor,
        tgt_mask: Tensor | None = None,
        memory_mask: Tensor | None = None,
        tgt_key_padding_mask: Tensor | None = None,
        memory_key_padding_mask: Tensor | None = None,
        tgt_is_causal: bool | None = None,
        memory_is_causal: bool = False,
    ) -> Tensor:
        """Return the states after all layers."""
        states = tgt
        if len(self.layers) and all_bare(self.layers, TransformerDecoderLayer):
            states, given = given_of(
                self.layers[0],
                tgt,
                memory,
                (tgt_mask, memory_mask),
                (tgt_key_padding_mask, memory_key_padding_mask),
                (tgt_is_causal, memory_is_causal),
            )
            for layer in self.layers:
                states = layer.decoded(states, given)
            states = states if tgt.dim() == 3 else states[0]
        else:
            for layer in self.layers:
                states = layer(
                    states,
                    memory,
                    tgt_mask=tgt_mask,
                    memory_mask=memory_mask,
                    tgt_key_padding_mask=tgt_key_padding_mask,
                    memory_key_padding_mask=memory_key_padding_mask,
                    tgt_is_causal=bool(tgt_is_causal),
                    memory_is_causal=memory_is_causal,
                )
        return states if self.norm is None else self.norm(states)
