"""What training minimises: the label-smoothed cross-entropy of the next piece.

A model behind the seam and a batch of tensors come in, a `Loss` goes out; called by
`heedful.train.loop` and by validation.
"""

__all__ = ["Loss", "Objective", "Translation"]

from typing import Annotated, Literal, NamedTuple

from pydantic import Field

from heedful.data.batches import Batch
from heedful.models.seq2seq import Seq2Seq
from heedful.nn.cross_entropy import projected_cross_entropy
from heedful.settings import Settings
from heedful.shapes import Float, Tensor


class Loss(NamedTuple):
    """Sums over the real target pieces of a batch; divide by `tokens` for a mean."""

    smoothed: Float[Tensor, ""]
    """What the gradient is taken of, in nats."""
    nll: Float[Tensor, ""]
    """Negative log-likelihood in nats; `exp(nll / tokens)` is the perplexity. No gradient."""
    tokens: int
    """Real target pieces, `</s>` counted."""


class Translation(Settings):
    """Predict each target piece from the source and the pieces before it (section 5.4)."""

    kind: Literal["translation"] = "translation"
    label_smoothing: float = Field(0.1, ge=0, lt=1)
    """Share of the probability spread evenly over the vocabulary."""

    def loss(self, model: Seq2Seq, batch: Batch) -> Loss:
        """Return the loss over the real pieces of `batch.target_out`."""
        memory = model.encode(batch.source, batch.source_mask)
        hidden = model.hidden(batch.target_in, memory).flatten(0, 1)
        real = batch.target_mask.flatten().nonzero_static(size=batch.n_target).squeeze(1)
        smoothed, nll = projected_cross_entropy(
            hidden[real],
            batch.target_out.flatten()[real],
            model.project,
            model.parameters(),
            self.label_smoothing,
        )
        return Loss(smoothed, nll, batch.n_target)


Objective = Annotated[Translation, Field()]
