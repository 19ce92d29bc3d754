"""MarianMT of the transformers library, randomly initialised, with its SDPA attention.

It is the paper's model; `build` returns a module that takes a batch and returns its loss.
"""

__all__ = ["build"]

from torch import Tensor, nn
from train.spec import Settings, Size
from transformers import MarianConfig, MarianMTModel

PAD, START, END = 0, 1, 2


class Marian(nn.Module):
    """Logits of MarianMTModel and PyTorch's label-smoothed loss."""

    def __init__(self, size: Size) -> None:
        super().__init__()
        config = MarianConfig(
            vocab_size=size.vocabulary,
            d_model=size.d_model,
            encoder_layers=size.layers,
            decoder_layers=size.layers,
            encoder_attention_heads=size.heads,
            decoder_attention_heads=size.heads,
            encoder_ffn_dim=size.d_ff,
            decoder_ffn_dim=size.d_ff,
            activation_function="relu",
            dropout=size.dropout,
            attention_dropout=0.0,
            activation_dropout=0.0,
            scale_embedding=True,
            use_cache=False,
            pad_token_id=PAD,
            bos_token_id=START,
            eos_token_id=END,
            decoder_start_token_id=START,
            forced_eos_token_id=None,
            attn_implementation="sdpa",
        )
        self.model = MarianMTModel(config)

    def forward(self, source: Tensor, target_in: Tensor, target_out: Tensor) -> Tensor:
        """Return the mean loss over the real pieces."""
        logits = self.model(
            input_ids=source, attention_mask=source != PAD, decoder_input_ids=target_in
        ).logits
        return nn.functional.cross_entropy(
            logits.flatten(0, 1), target_out.flatten(), ignore_index=PAD, label_smoothing=0.1
        )


def build(size: Size, settings: Settings) -> nn.Module:
    """Return the model, freshly initialised."""
    return Marian(size)
