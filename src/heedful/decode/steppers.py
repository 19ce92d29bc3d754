"""Models as the steppers that searches drive: one model the eager way, or several together."""

__all__ = ["ModelStepper", "Placed", "Together", "joint"]

import math
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any, Protocol, cast

import numpy as np
import torch

from heedful.models.seq2seq import Memory, Seq2Seq
from heedful.models.transformer import DecoderLayer, Transformer
from heedful.nn.attention import KeyValue, attention_weights
from heedful.search import Stepper
from heedful.shapes import Array, Bool, Float, Int, Tensor


class ModelStepper:
    """A `Seq2Seq` model as a `heedful.search.Stepper`, with its cache.

    `lists` are each sentence's candidates, -1 behind their end. `attentive`: the attention to the
    source is wanted too, the mean of all heads of a Transformer's last layer.
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
            with _looking(cast(Transformer, self.model)) as seen:
                hidden = self.model.hidden(newest, self.memory, self.cache)[:, 0]
            chosen = slice(None) if rows is None else rows
            self.attention = seen[0].float().cpu().numpy()[chosen]
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


@contextmanager
def _looking(model: Transformer) -> Iterator[list[Float[Tensor, "R S"]]]:
    """Collect the mean attention of the last layer's heads to the source, of one new position."""
    seen: list[Tensor] = []

    mine = threading.get_ident()

    def record(_: object, inputs: tuple[Any, ...]) -> None:
        if threading.get_ident() != mine:  # others may run the same model meanwhile
            return
        query, memory, mask = inputs
        seen.append(_mean_weights(query, memory, mask))

    layer = cast(DecoderLayer, model.decoder[-1])
    handle = layer.cross_attention.register_forward_pre_hook(record)
    try:
        yield seen
    finally:
        handle.remove()


def _mean_weights(
    query: Float[Tensor, "R H 1 K"], memory: KeyValue, mask: Bool[Tensor, "B 1 1 S"] | None
) -> Float[Tensor, "R S"]:
    copies = query.shape[0] // memory.key.shape[0]
    key = memory.key.repeat_interleave(query.shape[1] // memory.key.shape[1], dim=1)
    key = key.repeat_interleave(copies, dim=0)
    if mask is not None:
        mask = mask.repeat_interleave(copies, dim=0)
    return attention_weights(query, key, mask)[:, :, 0].mean(dim=1)


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
