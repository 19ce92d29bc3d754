"""Slow twins of the steppers: every position anew from the whole beginning, straight from torch."""

import math
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import torch
from torch import Tensor

from heedful.models.seq2seq import Memory
from heedful.models.seq2seq import decode as all_logits
from heedful.models.transformer import Transformer
from heedful.shapes import Array


class UncachedStepper:
    """One model, or the mean probability of several.

    `listed` returns the only pieces that a source's translation may be made of; all others get
    the logit -inf.
    """

    entries: Tensor | None = None
    attention: Array | None = None

    def __init__(
        self,
        models: Sequence[Transformer],
        sources: Sequence[Sequence[int]],
        width: int,
        listed: Callable[[int], Sequence[int]] | None = None,
    ) -> None:
        self.models, self.width, self.listed = models, width, listed
        self.numbers = list(range(len(sources)))
        padded = torch.nn.utils.rnn.pad_sequence(
            [torch.tensor(source) for source in sources], batch_first=True
        )
        lengths = torch.tensor([len(source) for source in sources])
        mask = torch.arange(padded.shape[1]) < lengths[:, None]
        self.memories = [model.encode(padded, mask) for model in models]
        self.tokens = torch.zeros(len(sources) * width, 0, dtype=torch.int64)

    def step(self, tokens: Array, rows: Array | None = None) -> Tensor:
        self.tokens = torch.cat([self.tokens, torch.from_numpy(tokens)[:, None]], dim=1)
        pairs = [
            self._of(model, memory)
            for model, memory in zip(self.models, self.memories, strict=True)
        ]
        shares = torch.stack([logits.double().softmax(dim=-1) for logits, _ in pairs]).mean(dim=0)
        logits = shares.log()
        if self.listed is not None:
            for row in range(len(logits)):
                number = self.numbers[row // self.width]
                others = sorted(set(range(logits.shape[1])) - set(self.listed(number)))
                logits[row, others] = -torch.inf
        looks = torch.stack([weights for _, weights in pairs]).mean(dim=0).numpy()
        self.attention = looks if rows is None else looks[rows]
        return logits if rows is None else logits[rows]

    def _of(self, model: Transformer, memory: Memory) -> tuple[Tensor, Tensor]:
        """Return logits after the last piece, and how its last layer looks at the source."""
        seen: list[Tensor] = []

        def record(_: object, given: tuple[Any, ...]) -> None:
            query, known, mask = given
            copies = query.shape[1] // known.key.shape[1]
            key = known.key.repeat_interleave(copies, dim=1)
            scores = query[:, :, -1:] @ key.transpose(2, 3) / math.sqrt(query.shape[-1])
            if mask is not None:
                scores = scores.masked_fill(~mask, -torch.inf)
            seen.append(scores.softmax(dim=-1)[:, :, 0].mean(dim=1))

        handle = model.decoder[-1].cross_attention.register_forward_pre_hook(record)
        owners = torch.arange(len(self.tokens)) // self.width
        logits = all_logits(model, self.tokens, memory.select(owners))[:, -1]
        handle.remove()
        return logits, seen[0]

    def select(self, rows: Array, sentences: Array | None = None) -> None:
        self.tokens = self.tokens[rows]
        if sentences is not None:
            kept = torch.from_numpy(sentences)
            self.memories = [memory.select(kept) for memory in self.memories]
            self.numbers = np.array(self.numbers)[sentences].tolist()
