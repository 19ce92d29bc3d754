"""Greedy search: always the likeliest next piece.

A stepper comes in, one hypothesis a sentence goes out; beam search with a beam of 1 gives the same
tokens.
"""

__all__ = ["Greedy", "GreedySearch"]

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
import torch
from pydantic import Field

from heedful.search.driver import (
    Growing,
    Hypothesis,
    Limits,
    More,
    Stepper,
    begun,
    best_pieces,
    nothing_more,
)
from heedful.settings import Settings
from heedful.shapes import Array, Bool, Float, Int


class Greedy(Settings):
    """Take the likeliest piece at every position: fastest, a little worse than a beam."""

    kind: Literal["greedy"] = "greedy"
    max_extra: int = Field(50, ge=1, le=100_000)
    """A translation is at most this many pieces longer than its source."""

    def build(self) -> "GreedySearch":
        """Return the search."""
        return GreedySearch(self)


@dataclass(frozen=True)
class GreedySearch:
    """Runs `Greedy`; the score of its one hypothesis is its log-probability."""

    config: Greedy

    @property
    def rows_per_sentence(self) -> int:
        """One row a sentence."""
        return 1

    @torch.inference_mode()
    def run(
        self,
        stepper: Stepper,
        source_lengths: Sequence[int],
        limits: Limits,
        more: More = nothing_more,
    ) -> list[list[Hypothesis]]:
        """Return one hypothesis for every sentence; see `heedful.search.driver.Search`."""
        found: list[list[Hypothesis]] = []
        forbidden = np.array(limits.forbidden, np.int64)
        growing = self._start(source_lengths, limits, found)
        while True:
            if fresh := more(len(growing.sentences)):
                growing = growing.joined(self._start(fresh, limits, found))
            if not len(growing.sentences):
                return found
            logits = stepper.step(growing.last)
            values, pieces = best_pieces(logits, 1, forbidden, stepper.entries)
            growing.append(pieces[:, 0], values[:, 0])
            ended = growing.last == limits.end_id
            done = ended | (growing.length == growing.room)
            if done.any():
                growing.collect(done, ended, found)
                going = np.flatnonzero(~done)
                stepper.select(going, going)
                growing = growing.keep(going)

    def _start(
        self, source_lengths: Sequence[int], limits: Limits, found: list[list[Hypothesis]]
    ) -> "_Growing":
        """Return the state of sentences before the first piece, with places in `found`."""
        base = begun(source_lengths, limits, self.config.max_extra, found)
        count = len(base.room)
        return _Growing(
            **vars(base),
            tokens=np.zeros((count, base.room.max(initial=0)), np.int64),
            last=np.full(count, limits.start_id),
            log_prob=np.zeros(count, np.float32),
        )


@dataclass
class _Growing(Growing):
    """The beginnings of translations, a row a sentence."""

    tokens: Int[Array, "R T"]
    """Pieces so far, as many as `length` says; `<s>` is not among them."""
    last: Int[Array, " R"]
    log_prob: Float[Array, " R"]

    def append(self, pieces: Int[Array, " R"], log_probs: Float[Array, " R"]) -> None:
        """Let every row grow by a piece."""
        self.tokens[np.arange(len(pieces)), self.length] = pieces
        self.last = pieces
        self.length += 1
        self.log_prob += log_probs

    def collect(
        self, done: Bool[Array, " R"], ended: Bool[Array, " R"], found: list[list[Hypothesis]]
    ) -> None:
        """Put what is done into `found`."""
        columns = (self.sentences, self.tokens, self.length, self.log_prob, ended)
        rows = zip(*(column[done].tolist() for column in columns), strict=True)
        for sentence, tokens, length, score, finished in rows:
            kept = tuple(tokens[: length - finished])
            found[sentence].append(Hypothesis(kept, score, score, finished))
