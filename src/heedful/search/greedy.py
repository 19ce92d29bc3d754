"""Greedy search: always the likeliest next piece.

A stepper comes in, one hypothesis a sentence goes out; beam search with a beam of 1 gives the same
tokens.
"""

__all__ = ["Greedy", "GreedySearch"]

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import torch
from pydantic import Field

from heedful.search.driver import (
    Hypothesis,
    Limits,
    More,
    Stepper,
    best_pieces,
    joined,
    nothing_more,
)
from heedful.settings import Settings
from heedful.shapes import Bool, Float, Int, Tensor


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
        forbidden = torch.tensor(limits.forbidden, dtype=torch.int64, device=stepper.device)
        growing = self._start(source_lengths, limits, stepper.device, found)
        while True:
            if fresh := more(growing.sentences.numel()):
                growing = growing.joined(self._start(fresh, limits, stepper.device, found))
            if not growing.sentences.numel():
                return found
            logits = stepper.step(growing.last)
            values, pieces = best_pieces(logits, 1, forbidden, stepper.entries)
            growing.append(pieces[:, 0], values[:, 0])
            ended = growing.last == limits.end_id
            done = ended | (growing.length == growing.room)
            if bool(done.any()):
                growing.collect(done, ended, found)
                going = (~done).nonzero().squeeze(1)
                stepper.select(going, going)
                growing = growing.keep(going)

    def _start(
        self,
        source_lengths: Sequence[int],
        limits: Limits,
        device: torch.device,
        found: list[list[Hypothesis]],
    ) -> "_Growing":
        """Return the state of sentences before the first piece, with places in `found`."""
        rooms = limits.room(source_lengths, self.config.max_extra)
        numbers = range(len(found), len(found) + len(rooms))
        found += [[] for _ in rooms]
        return _Growing(
            sentences=torch.tensor(numbers, dtype=torch.int64, device=device),
            tokens=torch.zeros(len(rooms), max(rooms, default=0), dtype=torch.int64, device=device),
            last=torch.full((len(rooms),), limits.start_id, device=device),
            length=torch.zeros(len(rooms), dtype=torch.int64, device=device),
            log_prob=torch.zeros(len(rooms), device=device),
            room=torch.tensor(rooms, dtype=torch.int64, device=device),
        )


@dataclass
class _Growing:
    """The beginnings of translations, a row a sentence."""

    sentences: Int[Tensor, " R"]
    tokens: Int[Tensor, "R T"]
    """Pieces so far, as many as `length` says; `<s>` is not among them."""
    last: Int[Tensor, " R"]
    length: Int[Tensor, " R"]
    log_prob: Float[Tensor, " R"]
    room: Int[Tensor, " R"]
    """Longest hypothesis allowed."""

    def keep(self, going: Int[Tensor, " C"]) -> "_Growing":
        """Return the state of these rows alone."""
        return _Growing(*(getattr(self, name)[going] for name in self.__dataclass_fields__))

    def joined(self, other: "_Growing") -> "_Growing":
        """Return the state of both, the other's rows behind."""
        return _Growing(*(joined(getattr(self, x), getattr(other, x)) for x in vars(self)))

    def append(self, pieces: Int[Tensor, " R"], log_probs: Float[Tensor, " R"]) -> None:
        """Let every row grow by a piece."""
        self.tokens.scatter_(1, self.length[:, None], pieces[:, None])
        self.last = pieces
        self.length = self.length + 1
        self.log_prob = self.log_prob + log_probs

    def collect(
        self, done: Bool[Tensor, " R"], ended: Bool[Tensor, " R"], found: list[list[Hypothesis]]
    ) -> None:
        """Put what is done into `found`."""
        some = done.nonzero().squeeze(1)
        columns = (self.sentences, self.tokens, self.length, self.log_prob, ended)
        rows = zip(*(column[some].tolist() for column in columns), strict=True)
        for sentence, tokens, length, score, finished in rows:
            kept = tuple(tokens[: length - finished])
            found[sentence].append(Hypothesis(kept, score, score, finished))
