"""Beam search: the W likeliest beginnings of every sentence grow side by side.

A stepper comes in, an n-best list for every sentence goes out. The width is fixed at the start: a
hypothesis that ends keeps its place, so that a beam of 1 is greedy search.
"""

__all__ = ["Beam", "BeamSearch"]

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
import torch
from pydantic import Field, model_validator

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
from heedful.search.scoring import length_penalty
from heedful.settings import Settings
from heedful.shapes import Array, Bool, Float, Int


class Beam(Settings):
    """Beam search as in section 6.1: beam 4, length penalty 0.6, at most 50 pieces longer."""

    kind: Literal["beam"] = "beam"
    beam_size: int = Field(4, ge=1, le=1024)
    """Hypotheses kept for each sentence."""
    length_penalty: float = Field(0.6, ge=0, le=10)
    """Alpha of the GNMT length penalty; 0 ranks by probability alone, which favours short ones."""
    n_best: int = Field(1, ge=1, le=1024)
    """Hypotheses returned for each sentence, at most beam_size."""
    max_extra: int = Field(50, ge=1, le=100_000)
    """A translation is at most this many pieces longer than its source."""

    @model_validator(mode="after")
    def _fits(self) -> "Beam":
        if self.n_best > self.beam_size:
            raise ValueError(f"n_best {self.n_best} is more than beam_size {self.beam_size}")
        return self

    def build(self) -> "BeamSearch":
        """Return the search."""
        return BeamSearch(self)


@dataclass
class _Growing(Growing):
    """Hypotheses that go on, for the sentences not yet done; an empty slot has log_prob -inf."""

    tokens: Int[Array, "B W T"]
    """Pieces so far, as many as `length` says; `<s>` is not among them."""
    last: Int[Array, "B W"]
    """The newest of them."""
    log_prob: Float[Array, "B W"]
    last_penalty: Float[Array, " B"]
    """Length penalty of the longest hypothesis allowed: the largest there can be."""
    width: Int[Array, " B"]
    """W less the hypotheses that have ended."""
    best_ended: Float[Array, "B K"]
    """The n_best scores among those, best first; -inf where there are fewer."""


@dataclass(frozen=True)
class BeamSearch:
    """Runs `Beam`.

    At each position the best W - (ended so far) continuations of a sentence are kept; those that
    end in `</s>` leave the beam. A sentence is done when its beam is empty, when the maximum length
    is reached (what is left is kept, marked unfinished, and ranks after all that ended), or when
    nothing that still grows can reach the n_best: a log-probability only falls and the penalty
    only rises, so log_prob / lp(maximum length) is the best score it can attain.
    """

    config: Beam

    @property
    def rows_per_sentence(self) -> int:
        """The beam size."""
        return self.config.beam_size

    @torch.inference_mode()
    def run(
        self,
        stepper: Stepper,
        source_lengths: Sequence[int],
        limits: Limits,
        more: More = nothing_more,
    ) -> list[list[Hypothesis]]:
        """Return up to n_best hypotheses for every sentence, best first."""
        found: list[list[Hypothesis]] = []
        forbidden = np.array(limits.forbidden, np.int64)
        growing = self._start(source_lengths, limits, found)
        while True:
            if fresh := more(len(growing.sentences)):
                growing = growing.joined(self._start(fresh, limits, found))
            if not len(growing.sentences):
                return [self._ranked(hypotheses) for hypotheses in found]
            parents = self._grow(growing, stepper, forbidden)
            going = self._harvest(growing, limits.end_id, found)
            rows = going[:, None] * self.config.beam_size + parents[going]
            if len(going) == len(parents):
                stepper.select(rows.ravel())
            else:
                stepper.select(rows.ravel(), going)
                growing = growing.keep(going)

    def _start(
        self, source_lengths: Sequence[int], limits: Limits, found: list[list[Hypothesis]]
    ) -> _Growing:
        """Return the state of sentences before the first piece, with places in `found`.

        The rows of a sentence are alike, so only its row 0 is alive.
        """
        base = begun(source_lengths, limits, self.config.max_extra, found)
        count, width = len(base.room), self.config.beam_size
        log_prob = np.full((count, width), -np.inf, np.float32)
        log_prob[:, 0] = 0
        return _Growing(
            **vars(base),
            tokens=np.zeros((count, width, base.room.max(initial=0)), np.int64),
            last=np.full((count, width), limits.start_id),
            log_prob=log_prob,
            last_penalty=self._penalties(base.room.tolist()),
            width=np.full(count, width),
            best_ended=np.full((count, self.config.n_best), -np.inf),
        )

    def _grow(
        self, growing: _Growing, stepper: Stepper, forbidden: Int[Array, " F"]
    ) -> Int[Array, "B W"]:
        """Put the best continuations into `growing`; return the slot that each continues.

        Equal ones: the better parent first, then the likelier and then the lower piece.
        """
        count, beam = growing.log_prob.shape
        values, pieces = self._continuations(growing, stepper, forbidden)
        totals = (growing.log_prob.reshape(-1, 1) + values).reshape(count, -1)
        order = np.argsort(-totals, axis=1, kind="stable")[:, :beam]
        parents: Int[Array, "B W"] = order // values.shape[1]
        sentences = np.arange(count)[:, None]
        growing.last = pieces.reshape(count, -1)[sentences, order]
        growing.tokens = growing.tokens[sentences, parents]
        growing.tokens[sentences, np.arange(beam), growing.length[:, None]] = growing.last
        growing.length = growing.length + 1
        growing.log_prob = totals[sentences, order]
        growing.log_prob[np.arange(beam) >= growing.width[:, None]] = -np.inf
        return parents

    def _continuations(
        self, growing: _Growing, stepper: Stepper, forbidden: Int[Array, " F"]
    ) -> tuple[Float[Array, "R K"], Int[Array, "R K"]]:
        """Return the best pieces after every slot; -inf after an empty one, which is not asked."""
        alive = np.flatnonzero(growing.log_prob > -np.inf)
        asked = None if len(alive) == growing.log_prob.size else alive
        logits = stepper.step(growing.last.ravel(), asked)
        values, pieces = best_pieces(logits, self.config.beam_size, forbidden, stepper.entries)
        if asked is None:
            return values, pieces
        shape = (growing.log_prob.size, values.shape[1])
        every, each = np.full(shape, -np.inf, np.float32), np.zeros(shape, np.int64)
        every[alive], each[alive] = values, pieces
        return every, each

    def _harvest(
        self, growing: _Growing, end_id: int, found: list[list[Hypothesis]]
    ) -> Int[Array, " C"]:
        """Move what has ended to `found`; return the sentences that go on."""
        scores = growing.log_prob / self._penalties(growing.length.tolist())[:, None]
        alive = growing.log_prob > -np.inf
        ended = alive & (growing.last == end_id)
        leaving = ended | (alive & (growing.room == growing.length)[:, None])
        if leaving.any():
            self._collect(growing, scores, ended, leaving, found)
            growing.width = growing.width - ended.sum(axis=1)
            growing.log_prob[leaving] = -np.inf
            scores[~ended] = -np.inf
            ranked = np.sort(np.concatenate([growing.best_ended, scores], axis=1), axis=1)
            growing.best_ended = ranked[:, : -1 - self.config.n_best : -1]
        attainable = growing.log_prob.max(axis=1) / growing.last_penalty
        return np.flatnonzero(attainable > growing.best_ended[:, -1])

    def _penalties(self, lengths: Sequence[int]) -> Float[Array, " B"]:
        """Return the length penalty of each length."""
        return np.array([length_penalty(length, self.config.length_penalty) for length in lengths])

    def _collect(
        self,
        growing: _Growing,
        scores: Float[Array, "B W"],
        ended: Bool[Array, "B W"],
        leaving: Bool[Array, "B W"],
        found: list[list[Hypothesis]],
    ) -> None:
        sentence, slot = leaving.nonzero()
        columns = (
            growing.sentences[sentence],
            growing.tokens[sentence, slot],
            growing.length[sentence],
            growing.log_prob[sentence, slot],
            scores[sentence, slot],
            ended[sentence, slot],
        )
        rows = zip(*(column.tolist() for column in columns), strict=True)
        for index, tokens, length, log_prob, score, finished in rows:
            kept = tuple(tokens[: length - finished])
            found[index].append(Hypothesis(kept, log_prob, score, finished))

    def _ranked(self, hypotheses: list[Hypothesis]) -> list[Hypothesis]:
        """Sort those that ended, then those cut off; of equal ones the first found stays first."""
        return sorted(hypotheses, key=lambda x: (not x.finished, -x.score))[: self.config.n_best]
