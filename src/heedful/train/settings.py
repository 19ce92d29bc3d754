"""The settings of a training that belong to the loop itself."""

__all__ = ["ChatTraining", "Gone", "LoopConfig", "RowTraining", "TextTraining", "TrainingConfig"]

import math
from typing import Annotated, Any, Literal, NamedTuple, Self

from pydantic import Field, PlainValidator, model_validator

from heedful.settings import Settings
from heedful.train.precision import Precision


def _tokens(value: Any) -> int | Literal["auto"]:
    if value == "auto":
        return "auto"
    if isinstance(value, int) and not isinstance(value, bool) and value >= 8:
        return value
    raise ValueError("give a whole number of at least 8, or auto")


class LoopConfig(Settings):
    """How long and how carefully any model is trained."""

    max_steps: int = Field(100_000, ge=1)
    """Updates of the weights after which training ends."""
    max_minutes: float | None = Field(None, gt=0)
    """Minutes of training after which it ends, over all resumed parts together; a linear schedule
    falls to zero by then."""
    accumulate: int = Field(1, ge=1)
    """Batches whose gradients are summed for one update."""
    shards: int | None = Field(None, ge=1)
    """Parts of a batch computed side by side, a core each; none: one for every core, 1 on a GPU.
    Of several processes (`--nproc`) each computes one part."""
    clip_norm: float | None = Field(None, gt=0)
    """Longest gradient allowed; a longer one is scaled down to it."""
    returns: int = Field(3, ge=0)
    """Times a training that diverges goes back to its checkpoint, at half the learning rate."""
    precision: Precision = "auto"
    """float32, bf16, or auto: bf16 where the machine multiplies it in hardware."""
    compile: bool = True
    """On a GPU, let torch.compile, where triton is installed, make the layers faster."""
    log_every: int = Field(50, ge=1)
    """Steps between two entries of log.jsonl."""
    validate_every: int = Field(1000, ge=1)
    """Steps between two validations."""
    save_every: int = Field(1000, ge=1)
    """Steps between two checkpoints."""
    average_last: int = Field(5, ge=1)
    """Newest checkpoints averaged into the final model (section 6.1)."""
    moving_average: float | None = Field(None, gt=0, lt=1)
    """Decay of a moving average of the weights, such as 0.999, smaller in the first steps; it
    competes for the final model. None: there is none."""
    patience: int | None = Field(None, ge=1)
    """Validations without a better loss after which training ends."""


class TrainingConfig(LoopConfig):
    """How a translator is trained: in what portions, and what else its corpus asks for."""

    batch_tokens: Annotated[int | Literal["auto"], PlainValidator(_tokens)] = 25_000
    """Pieces in a batch, on the longer side, padding counted; auto: the most that memory holds."""
    max_pieces: int = Field(256, ge=4)
    """Longest sentence in pieces; pairs with a longer one are left out and counted."""
    bpe_dropout: float = Field(0, ge=0, lt=1)
    """Chance that a merge of the BPE is left out, such as 0.1: each epoch spells words in other
    ways, and batches are that much longer."""
    lora_rank: int = Field(0, ge=0)
    """Rank of additions that are learnt in place of the matrices themselves, such as 16, of a model
    that the training began with (LoRA); 0: all weights are learnt."""
    bleu_sentences: int = Field(200, ge=0)
    """Sentences of the dev set translated greedily at each validation, as many in each direction;
    the BLEU told is the directions' mean. 0 for none."""

    @property
    def sized_batch_tokens(self) -> int:
        """The number of pieces in a batch; `heedful.run` has put one in the place of auto."""
        assert self.batch_tokens != "auto"
        return self.batch_tokens

    @model_validator(mode="after")
    def _fits(self) -> Self:
        if self.batch_tokens != "auto" and self.max_pieces > self.batch_tokens:
            raise ValueError(
                f"batch_tokens {self.batch_tokens} is smaller than max_pieces {self.max_pieces}, "
                "so that the longest sentence fits no batch"
            )
        return self


class TextTraining(LoopConfig):
    """How a decoder is trained on running text: in windows as long as its context."""

    batch_windows: int = Field(64, ge=1)
    """Windows in a batch."""
    validation_windows: int = Field(256, ge=0)
    """Windows of the dev text that a validation looks at, evenly spread over it; 0: all of them.
    The finished model is measured on all in any case."""


class Gone(NamedTuple):
    """How far a run has come before it goes on."""

    step: int = 0
    epoch: int = 0
    next_batch: int = 0


_NOTHING = Gone()


class RowTraining(LoopConfig):
    """How an encoder is trained: on rows of a text, or of two."""

    batch_rows: int = Field(32, ge=1)
    """Rows in a batch; rows of like lengths go together, so that there is hardly any padding."""
    max_pieces: int = Field(128, ge=4)
    """Longest row in pieces, control pieces among them; longer ones lose their ends, counted."""
    epochs: float | None = Field(None, gt=0)
    """Times that all rows are learnt; training ends then, or after `max_steps`."""
    warmup_share: float | None = Field(None, ge=0, lt=1)
    """Share of the steps in which the learning rate rises, in place of `schedule.warmup_steps`."""

    def steps(self, rows: int, gone: Gone = _NOTHING) -> int:
        """Return the updates of the training, when an epoch has so many rows.

        Those of a run that goes on may have been of more batches, or of other rows.
        """
        if self.epochs is None:
            return self.max_steps
        epoch = math.ceil(rows / self.batch_rows)
        left = math.ceil(self.epochs * epoch) - gone.epoch * epoch - gone.next_batch
        return min(self.max_steps, gone.step + max(0, math.ceil(left / self.accumulate)))

    def rise(self, steps: int) -> int | None:
        """Return the steps in which the learning rate rises; None where the schedule says it."""
        return None if self.warmup_share is None else max(1, round(self.warmup_share * steps))


class ChatTraining(RowTraining):
    """How a decoder is trained on conversations: in rows, as many pieces as they have."""

    max_pieces: int = Field(1024, ge=4)
    """Longest conversation in pieces; longer ones are left out and counted."""
    lora_rank: int = Field(0, ge=0)
    """Rank of additions that are learnt in place of the matrices themselves, such as 16 (LoRA); 0:
    all weights are learnt."""
