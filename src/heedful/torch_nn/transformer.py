"""`Transformer` with torch's interface, weights and results: an encoder and a decoder."""

__all__ = ["Transformer"]

from typing import Any

import torch
from torch import nn
from torch.nn import functional as F

from heedful.shapes import Tensor
from heedful.torch_nn.checks import refuse_batches, refuse_states
from heedful.torch_nn.decoder import TransformerDecoder, TransformerDecoderLayer
from heedful.torch_nn.encoder import TransformerEncoder, TransformerEncoderLayer
from heedful.torch_nn.masks import padding_of
from heedful.torch_nn.sublayers import Activation, bare


class Transformer(nn.Transformer):
    """`torch.nn.Transformer`: arguments and parameters are documented there.

    Padding of the source is not computed where the decoder does not see it, that is, where
    `memory_key_padding_mask` blocks it too: no result depends on it.
    """

    def __init__(
        self,
        d_model: int = 512,
        nhead: int = 8,
        num_encoder_layers: int = 6,
        num_decoder_layers: int = 6,
        dim_feedforward: int = 2048,
        dropout: float = 0.1,
        activation: str | Activation = F.relu,
        custom_encoder: Any | None = None,
        custom_decoder: Any | None = None,
        layer_norm_eps: float = 1e-5,
        batch_first: bool = False,
        norm_first: bool = False,
        bias: bool = True,
        device: Any = None,
        dtype: Any = None,
    ) -> None:
        nn.Module.__init__(self)
        layer = (
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
        norm = {"eps": layer_norm_eps, "bias": bias, "device": device, "dtype": dtype}
        self.encoder = custom_encoder
        if custom_encoder is None:
            # not enable_nested_tensor: called alone it computes every position, as torch's does
            self.encoder = TransformerEncoder(
                TransformerEncoderLayer(*layer),
                num_encoder_layers,
                nn.LayerNorm(d_model, **norm),
                enable_nested_tensor=False,
            )
        self.decoder = custom_decoder
        if custom_decoder is None:
            self.decoder = TransformerDecoder(
                TransformerDecoderLayer(*layer), num_decoder_layers, nn.LayerNorm(d_model, **norm)
            )
        self._reset_parameters()
        self.d_model = d_model
        self.nhead = nhead
        self.batch_first = batch_first

    def forward(
        self,
        src: Tensor,
        tgt: Tensor,
        src_mask: Tensor | None = None,
        tgt_mask: Tensor | None = None,
        memory_mask: Tensor | None = None,
        src_key_padding_mask: Tensor | None = None,
        tgt_key_padding_mask: Tensor | None = None,
        memory_key_padding_mask: Tensor | None = None,
        src_is_causal: bool | None = None,
        tgt_is_causal: bool | None = None,
        memory_is_causal: bool = False,
    ) -> Tensor:
        """Return the states of the decoder."""
        weight = next(self.parameters(), src)
        refuse_states(src, "src", self.d_model, weight, "d_model")
        refuse_states(tgt, "tgt", self.d_model, weight, "d_model")
        refuse_batches(src, tgt, ("src", "tgt"), self.batch_first)
        if bare(self.encoder, TransformerEncoder):
            unseen = _unseen(src_key_padding_mask, memory_key_padding_mask, src)
            skip = self.encoder.use_nested_tensor or unseen
            memory = self.encoder.encoded(
                src, src_mask, src_key_padding_mask, src_is_causal, skip, "src_mask"
            )
        else:
            memory = self.encoder(
                src,
                mask=src_mask,
                src_key_padding_mask=src_key_padding_mask,
                is_causal=src_is_causal,
            )
        found: Tensor = self.decoder(
            tgt,
            memory,
            tgt_mask=tgt_mask,
            memory_mask=memory_mask,
            tgt_key_padding_mask=tgt_key_padding_mask,
            memory_key_padding_mask=memory_key_padding_mask,
            tgt_is_causal=tgt_is_causal,
            memory_is_causal=memory_is_causal,
        )
        return found


def _unseen(padding: Tensor | None, of_memory: Tensor | None, src: Tensor) -> bool:
    """Return whether the decoder sees none of the source's padding."""
    found = padding_of(padding, src)
    if found is None or of_memory is None or of_memory.dtype != torch.bool:
        return False
    if of_memory is padding:
        return True
    return of_memory.shape == found.shape and not bool((found & ~of_memory).any())
