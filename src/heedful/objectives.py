"""What training minimises: the label-smoothed cross-entropy of the next piece.

A model behind the seam and a batch of tensors come in, a `Loss` goes out; called by
`heedful.train.loop` and by validation.
"""

__all__ = ["Loss", "Objective", "Translation"]

from typing import Annotated, Literal, NamedTuple

from pydantic import Field

from heedful.models.seq2seq import Seq2Seq
from heedful.settings import Settings
from heedful.shapes import Bool, Float, Int, Tensor


class Loss(NamedTuple):
    """Sums over the real target pieces of a batch; divide by `tokens` for a mean."""

    smoothed: Float[Tensor, ""]
    """What the gradient is taken of, in nats."""
    nll: Float[Tensor, ""]
    """Negative log-likelihood in nats; `exp(nll / tokens)` is the perplexity. No gradient."""
    tokens: int
    """Real target pieces, `</s>` counted."""


def smoothed_cross_entropy(
    logits: Float[Tensor, "T N"], target: Int[Tensor, " T"], smoothing: float
) -> tuple[Float[Tensor, ""], Float[Tensor, ""]]:
    """Return the sums of the smoothed loss and of the plain negative log-likelihood.

    The convention is PyTorch's: the target gets `1 - eps`, and `eps` is spread over all N
    entries, the target among them (Szegedy et al. 2015, section 7; the paper's section 5.4).
    """
    log_probs = logits.float().log_softmax(dim=-1)
    nll = -log_probs.gather(1, target.unsqueeze(1)).sum()
    if smoothing == 0:
        return nll, nll.detach()
    uniform = -log_probs.sum() / logits.shape[1]
    return (1 - smoothing) * nll + smoothing * uniform, nll.detach()


class Translation(Settings):
    """Predict each target piece from the source and the pieces before it (section 5.4)."""

    kind: Literal["translation"] = "translation"
    label_smoothing: float = Field(0.1, ge=0, lt=1)
    """Share of the probability spread evenly over the vocabulary."""

    def loss(
        self,
        model: Seq2Seq,
        source: Int[Tensor, "B S"],
        source_mask: Bool[Tensor, "B S"],
        target_in: Int[Tensor, "B T"],
        target_out: Int[Tensor, "B T"],
        target_mask: Bool[Tensor, "B T"],
    ) -> Loss:
        """Return the loss over the real pieces of `target_out`."""
        hidden = model.hidden(target_in, model.encode(source, source_mask))
        logits = model.project(hidden[target_mask])
        answer = target_out[target_mask]
        smoothed, nll = smoothed_cross_entropy(logits, answer, self.label_smoothing)
        return Loss(smoothed, nll, answer.numel())


Objective = Annotated[Translation, Field()]
