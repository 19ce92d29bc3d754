"""JoeyNMT's own model and its own loss, in the plain loop.

It cannot stand beside heedful's other tools as pip sees it (it asks for protobuf below 3.21), so
that it is in no dependency group. By hand: `pip install --no-deps joeynmt`, then
importlib_metadata, tensorboard, matplotlib, sentencepiece and subword-nmt.
"""

__all__ = ["build"]

from types import SimpleNamespace
from typing import Any

from joeynmt.model import build_model
from torch import Tensor, nn
from train.spec import Settings, Size

PAD, START, END, UNKNOWN = 0, 1, 2, 3


class Vocabulary(SimpleNamespace):
    """What JoeyNMT's model asks of a vocabulary."""

    def __init__(self, length: int) -> None:
        self.length = length
        self.pad_index, self.bos_index, self.eos_index = PAD, START, END
        self.unk_index, self.sep_index = UNKNOWN, None
        self.specials: list[str] = []
        self.lang_tags: list[str] = []

    def __len__(self) -> int:
        return self.length


class Joey(nn.Module):
    """JoeyNMT's forward pass with its loss: KL divergence to the smoothed answer."""

    def __init__(self, size: Size) -> None:
        super().__init__()
        side: dict[str, Any] = {
            "type": "transformer",
            "num_layers": size.layers,
            "num_heads": size.heads,
            "embeddings": {"embedding_dim": size.d_model, "scale": True, "dropout": size.dropout},
            "hidden_size": size.d_model,
            "ff_size": size.d_ff,
            "dropout": size.dropout,
            "layer_norm": "post",
        }
        tied = {"tied_embeddings": True, "tied_softmax": True}
        vocabulary = Vocabulary(size.vocabulary)
        self.model = build_model({"encoder": side, "decoder": side, **tied}, vocabulary, vocabulary)
        self.model.loss_function = ("crossentropy", 0.1)

    def forward(self, source: Tensor, target_in: Tensor, target_out: Tensor) -> Tensor:
        """Return the mean loss over the real pieces."""
        real = target_out != PAD
        loss, *_ = self.model(
            return_type="loss",
            src=source,
            src_mask=(source != PAD).unsqueeze(1),
            src_length=(source != PAD).sum(1),
            trg_input=target_in,
            trg=target_out,
            trg_mask=real.unsqueeze(1),
        )
        return loss / real.sum()


def build(size: Size, settings: Settings) -> nn.Module:
    """Return the model, freshly initialised."""
    return Joey(size)
