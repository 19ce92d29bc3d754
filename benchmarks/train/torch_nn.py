"""torch.nn.Transformer as the paper's model: sinusoids, one tied matrix, post-norm.

`build` returns a module that takes a batch and returns its loss.
"""

__all__ = ["build"]

import math

import torch
from torch import Tensor, nn
from train.spec import Settings, Size

PAD = 0
MAX_LENGTH = 1024


class TorchNN(nn.Module):
    """The same weights as heedful's model of this size."""

    def __init__(self, size: Size, settings: Settings) -> None:
        super().__init__()
        self.scale = math.sqrt(size.d_model)
        self.embedding = nn.Embedding(size.vocabulary, size.d_model)
        nn.init.normal_(self.embedding.weight, std=size.d_model**-0.5)
        self.dropout = nn.Dropout(size.dropout)
        self.transformer = nn.Transformer(
            size.d_model,
            size.heads,
            size.layers,
            size.layers,
            size.d_ff,
            size.dropout,
            batch_first=True,
        )
        self.transformer.encoder.norm = None  # post-norm: each layer ends in a norm already
        self.transformer.decoder.norm = None
        if not settings.dropout_everywhere:
            self._dropout_as_in_the_paper()
        self.register_buffer("position", sinusoids(MAX_LENGTH, size.d_model), persistent=False)

    def _dropout_as_in_the_paper(self) -> None:
        """Leave dropout on the output of each sublayer and on the embeddings (section 5.4)."""
        for module in self.transformer.modules():
            if isinstance(module, nn.MultiheadAttention):
                module.dropout = 0.0
            if isinstance(module, nn.TransformerEncoderLayer | nn.TransformerDecoderLayer):
                module.dropout = nn.Identity()  # the one inside the feed-forward network

    def embed(self, tokens: Tensor) -> Tensor:
        """Return scaled embeddings with positions."""
        states = self.embedding(tokens) * self.scale + self.position[: tokens.shape[1]]
        return self.dropout(states)

    def forward(self, source: Tensor, target_in: Tensor, target_out: Tensor) -> Tensor:
        """Return the mean loss over the real pieces."""
        length = target_in.shape[1]
        causal = torch.ones(length, length, dtype=torch.bool, device=source.device).triu(1)
        padding = source == PAD
        states = self.transformer(
            self.embed(source),
            self.embed(target_in),
            tgt_mask=causal,
            tgt_is_causal=True,
            src_key_padding_mask=padding,
            memory_key_padding_mask=padding,
        )
        logits = nn.functional.linear(states, self.embedding.weight)
        return nn.functional.cross_entropy(
            logits.flatten(0, 1), target_out.flatten(), ignore_index=PAD, label_smoothing=0.1
        )


def sinusoids(length: int, d_model: int) -> Tensor:
    """Return the paper's positions (section 3.5)."""
    rates = torch.exp(torch.arange(0, d_model, 2) * (-math.log(10000.0) / d_model))
    angles = torch.arange(length).unsqueeze(1) * rates
    return torch.stack([angles.sin(), angles.cos()], dim=-1).flatten(1)


def build(size: Size, settings: Settings) -> nn.Module:
    """Return the model, freshly initialised."""
    return TorchNN(size, settings)
