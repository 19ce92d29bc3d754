"""What training minimises: the label-smoothed cross-entropy of the next piece, and what is added.

A model behind the seam and a batch of tensors come in, a `Loss` goes out; called by
`heedful.train.loop` and by validation. `Objective` is the family of models that read a source,
`TextObjective` and `ChatObjective` those of decoders alone, `EncoderObjective` that of encoders
alone.
"""

__all__ = [
    "Answers",
    "AnyObjective",
    "Causal",
    "Chat",
    "ChatObjective",
    "EncoderObjective",
    "Loss",
    "MaskedLM",
    "Objective",
    "Preference",
    "TextObjective",
    "Translation",
    "alignment_loss",
    "answer_log_probs",
]

from typing import Annotated, Any, ClassVar, Literal, NamedTuple, Protocol

from pydantic import Field
from torch.nn import functional as F

from heedful.data.answers import PreferenceBatch
from heedful.data.batches import Batch
from heedful.data.labelled import LabelledBatch
from heedful.data.text_batches import TextBatch
from heedful.errors import ModelError
from heedful.models.architecture import Model
from heedful.models.bert import BERT
from heedful.models.bert_heads import MaskedWords, NoHead
from heedful.models.seq2seq import DecoderOnly, Seq2Seq
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


class AnyObjective(Protocol):
    """What the loop knows of an objective: it has a loss for a model and a batch of its kind."""

    unit: ClassVar[str]
    """What a loss is a mean of, as the speed is told: tokens, or rows."""

    def loss(self, model: Any, batch: Any) -> Loss:
        """Return the loss over the pieces of the batch that are to be predicted."""
        ...


class Translation(Settings):
    """Predict each target piece from the source and the pieces before it (section 5.4)."""

    unit: ClassVar[str] = "tokens"
    kind: Literal["translation"] = "translation"
    label_smoothing: float = Field(0.1, ge=0, lt=1)
    """Share of the probability spread evenly over the vocabulary."""
    guided_alignment: float = Field(0, ge=0)
    """Weight of a second loss, by which a head of the decoder learns to look at the source piece
    that is being translated, as a lexicon of the corpus has it, of a corpus of trees at the word
    that comes next; 0: none. Usual is 0.05, of trees 0.3."""
    r_drop: float = Field(0, ge=0)
    """Weight of a loss by which two passes with other dropout shall predict the same (R-Drop);
    0: there is one pass. Of small corpora 5 is usual; a step takes twice as long."""

    def loss(self, model: Seq2Seq, batch: Batch) -> Loss:
        """Return the loss over the real pieces of `batch.target_out`.

        Where the batch has an alignment, it guides the first head of the model's alignment layer
        (Garg et al. 2019, arXiv 1909.02074, section 4, but for its full target context). R-Drop
        (Liang et al. 2021, arXiv 2106.14448, equation 4) is of training alone; the sums are halved,
        so that they are those of one pass.
        """
        if not self.r_drop or not model.training:
            return self._of_passes(model, batch, r_drop=0.0)
        found = self._of_passes(model, batch.twice(), self.r_drop)
        return Loss(found.smoothed / 2, found.nll / 2, batch.n_target)

    def _of_passes(self, model: Seq2Seq, batch: Batch, r_drop: float) -> Loss:
        """Return the loss of a batch, whose two halves are alike if there is R-Drop."""
        memory = model.encode(batch.source, batch.source_mask)
        guided = None
        if self.guided_alignment and batch.alignment is not None:
            assert isinstance(model, Model)
            assert model.config.alignment_layer is not None
            states, scores = model.hidden_and_scores(
                batch.target_in, memory, model.config.alignment_layer, heads=1
            )
            guided = alignment_loss(scores[:, 0], batch.alignment)
        else:
            states = model.hidden(batch.target_in, memory)
        real = batch.target_mask.flatten().nonzero_static(size=batch.n_target).squeeze(1)
        smoothed, nll = projected_cross_entropy(
            states.flatten(0, 1)[real],
            batch.target_out.flatten()[real],
            model.project,
            model.parameters(),
            self.label_smoothing,
            r_drop,
        )
        if guided is not None:
            smoothed = smoothed + self.guided_alignment * guided
        return Loss(smoothed, nll, batch.n_target)


def alignment_loss(
    scores: Float[Tensor, "B T S"], alignment: Float[Tensor, "B T S"]
) -> Float[Tensor, ""]:
    """Return the cross-entropy, in nats, between alignments and the softmax of scores, summed.

    - sum over t and s of alignment_ts log softmax(scores_t)_s
    """
    return -(alignment * scores.log_softmax(-1)).sum()


class Causal(Settings):
    """Predict each piece of a text from those before it (Radford et al. 2018, equation 1)."""

    unit: ClassVar[str] = "tokens"
    kind: Literal["causal"] = "causal"

    def loss(self, model: DecoderOnly, batch: TextBatch) -> Loss:
        """Return `-sum over t of log P(u_t | u_1 ... u_(t-1))` over `batch.target_out`.

        The places that are UNASKED there are left out.
        """
        return _next_pieces(model, batch)


class Chat(Settings):
    """Predict the pieces of the answers in a conversation, and their ends, from all before them.

    Supervised fine-tuning (Ouyang et al. 2022, arXiv 2203.02155, section 3.5).
    """

    unit: ClassVar[str] = "tokens"
    kind: Literal["chat"] = "chat"

    def loss(self, model: DecoderOnly, batch: TextBatch) -> Loss:
        """Return `-sum of log P(u_t | u_1 ... u_(t-1))` over the pieces of answers alone."""
        return _next_pieces(model, batch)


class Preference(Settings):
    """Make better answers likelier than worse ones: direct preference optimisation, DPO.

    Rafailov et al. 2023 (arXiv 2305.18290), equation 7. Its reference is the model that training
    began with, whose log-probabilities stand in the batch.
    """

    unit: ClassVar[str] = "pairs"
    kind: Literal["preference"] = "preference"
    beta: float = Field(0.1, gt=0)
    """How much a step away from the first model counts: the smaller, the further it may go."""

    def loss(self, model: DecoderOnly, batch: PreferenceBatch) -> Loss:
        """Return `-sum over pairs of log sigmoid(margin)`, in nats."""
        found = -F.logsigmoid(self.margins(model, batch)).sum()
        return Loss(found, found.detach(), batch.n_target)

    def margins(self, model: DecoderOnly, batch: PreferenceBatch) -> Float[Tensor, " P"]:
        """Return by how much the better answer of each pair is rewarded more than the worse one.

        beta (log P(better) / P_ref(better) - log P(worse) / P_ref(worse))
        """
        found = answer_log_probs(model, batch.texts).view(-1, 2) - batch.reference
        return self.beta * (found[:, 0] - found[:, 1])


def answer_log_probs(model: DecoderOnly, batch: TextBatch) -> Float[Tensor, " B"]:
    """Return the log-probability of all that is asked for in each row, in nats."""
    states = model.hidden(batch.target_in)
    asked = (batch.target_out.flatten() >= 0).nonzero_static(size=batch.n_target).squeeze(1)
    logits = model.project(states.flatten(0, 1)[asked]).float()
    pieces = batch.target_out.flatten()[asked]
    each = logits.log_softmax(-1).gather(1, pieces[:, None]).squeeze(1)
    rows = asked // batch.longest
    return each.new_zeros(batch.rows).index_add(0, rows, each)


def _next_pieces(model: DecoderOnly, batch: TextBatch) -> Loss:
    """Return the loss over all that is asked for; the rest gets no logits at all."""
    states = model.hidden(batch.target_in).flatten(0, 1)
    answers = batch.target_out.flatten()
    if batch.n_target < len(answers):
        real = (answers >= 0).nonzero_static(size=batch.n_target).squeeze(1)
        states, answers = states[real], answers[real]
    smoothed, nll = projected_cross_entropy(states, answers, model.project, model.parameters(), 0.0)
    return Loss(smoothed, nll, batch.n_target)


class MaskedLM(Settings):
    """Say which pieces stood where some were masked (Devlin et al. 2019, section 3.1, task 1)."""

    unit: ClassVar[str] = "tokens"
    kind: Literal["masked_lm"] = "masked_lm"
    share: float = Field(0.15, gt=0, lt=1)
    """Share of a text's pieces that are to be said, in every epoch others: of ten, eight become
    `[MASK]`, one becomes any piece, one stays."""
    whole_words: bool = False
    """Mask all pieces of a word, or none."""

    def loss(self, model: BERT, batch: LabelledBatch) -> Loss:
        """Return the loss over the pieces that are asked for; others get no logits at all."""
        memory = model.encode(batch.ids, batch.mask, batch.segments)
        targets = batch.targets.flatten()
        asked = (targets >= 0).nonzero_static(size=batch.n_target).squeeze(1)
        smoothed, nll = projected_cross_entropy(
            memory.states.flatten(0, 1)[asked],
            targets[asked],
            model.project,
            model.parameters(),
            smoothing=0.0,
        )
        return Loss(smoothed, nll, batch.n_target)


class Answers(Settings):
    """Answer as the examples do: labels of texts or pieces, numbers, spans (section 4)."""

    unit: ClassVar[str] = "rows"
    kind: Literal["answers"] = "answers"

    def loss(self, model: BERT, batch: LabelledBatch) -> Loss:
        """Return the loss of the model's head, summed over the rows or pieces it is asked of."""
        head = model.config.head
        if isinstance(head, NoHead | MaskedWords):
            raise ModelError("the model has no head that answers")
        answers = model.answer(model.encode(batch.ids, batch.mask, batch.segments))
        found = head.loss(answers, batch.targets)
        return Loss(found, found.detach(), batch.n_target)


Objective = Annotated[Translation, Field()]
TextObjective = Annotated[Causal, Field()]
ChatObjective = Annotated[Chat | Preference, Field(discriminator="kind")]
EncoderObjective = Annotated[MaskedLM | Answers, Field(discriminator="kind")]
