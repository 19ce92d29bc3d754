"""x-transformers, made as like the paper's model as its options allow, with flash attention.

Matrices, post-norm, ReLU, tied embeddings and the places of dropout are the paper's. Attention
has no biases, norms have none either, and the sinusoids have a learnt scale: some thousand weights
fewer than the others have.
"""

__all__ = ["build"]

from torch import Tensor, nn
from train.spec import Settings, Size
from x_transformers import Decoder, Encoder, TransformerWrapper

PAD = 0
MAX_LENGTH = 1024


class XTransformers(nn.Module):
    """An encoder and a decoder that share one embedding matrix."""

    def __init__(self, size: Size) -> None:
        super().__init__()
        layers = {
            "dim": size.d_model,
            "depth": size.layers,
            "heads": size.heads,
            "attn_dim_head": size.d_model // size.heads,
            "attn_flash": True,
            "attn_sublayer_dropout": size.dropout,
            "ff_sublayer_dropout": size.dropout,
            "ff_mult": size.d_ff / size.d_model,
            "ff_custom_activation": nn.ReLU(),
            "pre_norm": False,
        }
        wrapper = {
            "num_tokens": size.vocabulary,
            "max_seq_len": MAX_LENGTH,
            "scaled_sinu_pos_emb": True,
            "emb_dropout": size.dropout,
        }
        self.encoder = TransformerWrapper(
            attn_layers=Encoder(**layers), return_only_embed=True, **wrapper
        )
        self.decoder = TransformerWrapper(
            attn_layers=Decoder(cross_attend=True, **layers),
            token_emb=self.encoder.token_emb,
            tie_embedding=True,
            **wrapper,
        )

    def forward(self, source: Tensor, target_in: Tensor, target_out: Tensor) -> Tensor:
        """Return the mean loss over the real pieces."""
        mask = source != PAD
        memory = self.encoder(source, mask=mask, return_embeddings=True)
        logits = self.decoder(target_in, context=memory, context_mask=mask)
        return nn.functional.cross_entropy(
            logits.flatten(0, 1), target_out.flatten(), ignore_index=PAD, label_smoothing=0.1
        )


def build(size: Size, settings: Settings) -> nn.Module:
    """Return the model, freshly initialised."""
    return XTransformers(size)
