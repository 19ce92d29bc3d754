"""Models as the steppers that searches drive: one model the eager way, or several together."""

__all__ = ["ModelStepper", "Placed", "Together", "joint"]

import math
from collections.abc import Sequence
from typing import Protocol, cast

import numpy as np
import torch

from heedful.models.architecture import Model, check_looks
from heedful.models.seq2seq import Memory, Seq2Seq
from heedful.search import Stepper
from heedful.shapes import Array, Float, Int, Tensor


class ModelStepper:
    """A `Seq2Seq` model as a `heedful.search.Stepper`, with its cache.

    `lists` are each sentence's candidates, -1 behind their end. `attentive`: the attention to the
    source is wanted too, the mean of all heads of the last layer.
    """

    def __init__(
        self,
        model: Seq2Seq,
        memory: Memory,
        rows_per_sentence: int,
        max_length: int,
        lists: Int[Tensor, "B N"] | None = None,
        *,
        attentive: bool = False,
    ) -> None:
        if attentive:
            check_looks(cast(Model, model).config)
        self.model = model
        self.memory = memory
        self.width = rows_per_sentence
        self.lists = lists
        self.attentive = attentive
        self.entries: Int[Tensor, "A N"] | None = None
        self.attention: Float[Array, "A S"] | None = None
        self.cache = model.new_cache(memory, rows_per_sentence, max_length)

    def step(
        self, tokens: Int[Array, " R"], rows: Int[Array, " A"] | None = None
    ) -> Float[Tensor, "A N"]:
        """Take the newest piece of every row; return logits for the position after it."""
        newest = self._there(tokens)[:, None]
        if self.attentive:
            model = cast(Model, self.model)
            last, heads = model.config.source_looks - 1, model.config.n_heads
            states, scores = model.hidden_and_scores(newest, self.memory, last, heads, self.cache)
            hidden = states[:, 0]
            chosen = slice(None) if rows is None else rows
            weights = scores.float().softmax(-1)[:, :, 0].mean(1)
            self.attention = weights.cpu().numpy()[chosen]
        else:
            hidden = self.model.hidden(newest, self.memory, self.cache)[:, 0]
        logits = self.model.project(hidden if rows is None else hidden[self._there(rows)])
        if self.lists is None:
            return logits
        asked = np.arange(len(tokens)) if rows is None else rows
        lists = self.lists[self._there(asked // self.width)]
        self.entries = lists.clamp(min=0)
        return logits.gather(1, self.entries).masked_fill(lists < 0, -torch.inf)

    def select(self, rows: Int[Array, " Q"], sentences: Int[Array, " C"] | None = None) -> None:
        """Make row i a copy of the old row `rows[i]`; keep only `sentences`, if given."""
        chosen = None if sentences is None else self._there(sentences)
        self.cache.select(self._there(rows), chosen)
        if chosen is not None:
            self.memory = self.memory.select(chosen)
            self.lists = None if self.lists is None else self.lists[chosen]

    def _there(self, numbers: Int[Array, " X"]) -> Int[Tensor, " X"]:
        """Return the numbers where the model lies."""
        return torch.from_numpy(numbers).to(self.memory.states.device, non_blocking=True)


class Placed(Stepper, Protocol):
    """A stepper that takes in further sources, in the places of those that have left."""

    def admit(self, sources: Sequence[Sequence[int]], lists: Sequence[Array] | None = None) -> None:
        """Read further sources; their rows stand behind the others.

        `lists`: the pieces that each translation may be made of, ascending, int32.
        """
        ...


class Together:
    """An ensemble: several models of one vocabulary, whose probabilities are averaged."""

    def __init__(self, steppers: Sequence[Stepper]) -> None:
        self.steppers = steppers

    @property
    def entries(self) -> Int[Tensor, "A N"] | None:
        """The pieces that the latest logits are of; all members have the same."""
        return self.steppers[0].entries

    @property
    def attention(self) -> Float[Array, "A S"] | None:
        """The mean of the members' attention."""
        each = [stepper.attention for stepper in self.steppers]
        known = [weights for weights in each if weights is not None]
        return np.mean(known, axis=0) if known else None

    def step(
        self, tokens: Int[Array, " R"], rows: Int[Array, " A"] | None = None
    ) -> Float[Tensor, "A N"]:
        """Return the logarithm of the mean probability."""
        each = [stepper.step(tokens, rows).float().log_softmax(dim=-1) for stepper in self.steppers]
        return torch.stack(each).logsumexp(dim=0) - math.log(len(each))

    def select(self, rows: Int[Array, " Q"], sentences: Int[Array, " C"] | None = None) -> None:
        """Reorder every member's rows."""
        for stepper in self.steppers:
            stepper.select(rows, sentences)


def joint(steppers: Sequence[Stepper]) -> Stepper:
    """Return one stepper of all."""
    return steppers[0] if len(steppers) == 1 else Together(steppers)
