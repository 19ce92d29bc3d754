"""Beam search: the W likeliest beginnings of every sentence grow side by side.

A stepper comes in, an n-best list for every sentence goes out. The width is fixed at the start: a
hypothesis that ends keeps its place, so that a beam of 1 is greedy search.
"""

__all__ = ["Beam", "BeamSearch", "BeamSettings"]

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
import torch
from pydantic import Field, model_validator

from heedful.search.beam_stride import stride
from heedful.search.best import best_allowed
from heedful.search.constrained import constrain
from heedful.search.driver import (
    Course,
    Ended,
    Hypothesis,
    Limits,
    More,
    Stepper,
    Watch,
    nothing_more,
)
from heedful.search.growing import Growing
from heedful.search.scoring import coverage_penalty, length_penalty
from heedful.search.shaping import Shaping
from heedful.search.wish import Asked
from heedful.shapes import Array, Bool, Float, Int


class BeamSettings(Shaping):
    """What beams have in common."""

    beam_size: int = Field(4, ge=1, le=1024)
    """Hypotheses kept for each sentence."""
    length_penalty: float = Field(0.6, ge=0, le=10)
    """Alpha of the GNMT length penalty; 0 ranks by probability alone, which favours short ones."""
    coverage_penalty: float = Field(0.0, ge=0, le=10)
    """Beta of the GNMT coverage penalty: hypotheses that leave source pieces unread rank lower."""
    n_best: int = Field(1, ge=1, le=1024)
    """Hypotheses returned for each sentence, at most beam_size."""

    @model_validator(mode="after")
    def _fits(self) -> "BeamSettings":
        if self.n_best > self.beam_size:
            raise ValueError(f"n_best {self.n_best} is more than beam_size {self.beam_size}")
        return self

    @property
    def returned(self) -> int:
        """Hypotheses of a sentence."""
        return self.n_best

    @property
    def attentive(self) -> bool:
        """Whether the attention to the source is needed: for the penalty of coverage."""
        return self.coverage_penalty > 0


class Beam(BeamSettings):
    """Beam search as in section 6.1: beam 4, length penalty 0.6, at most 50 pieces longer."""

    kind: Literal["beam"] = "beam"

    def build(self) -> "BeamSearch":
        """Return the search."""
        return BeamSearch(self)


@dataclass
class Beams(Growing):
    """Hypotheses that go on, in G groups of W/G rows, for the sentences not yet done."""

    last_penalty: Float[Array, " B"]
    """Length penalty of the longest hypothesis allowed: the largest there can be."""
    width: Int[Array, "B G"]
    """W/G less the hypotheses of the group that have ended."""
    best_ended: Float[Array, "B G K"]
    """The n_best scores among those, best first; -inf where there are fewer."""
    uncovered: Float[Array, "B W S"]
    """1 less the attention that each source piece has got so far, 0 behind the end of a source.

    S = 0 without a coverage penalty.
    """


@dataclass(frozen=True)
class BeamSearch:
    """Runs `Beam`.

    At each position the best W - (ended so far) continuations of a sentence are kept; those that
    end in `</s>` leave the beam. A sentence is done when its beam is empty, when the maximum length
    is reached (what is left is kept, marked unfinished, and ranks after all that ended), or when
    nothing that still grows can reach the n_best: a log-probability only falls, the penalty of
    length only rises and that of coverage is at most 0, so log_prob / lp(maximum length) is the
    best score it can attain.
    """

    config: BeamSettings

    @property
    def rows_per_sentence(self) -> int:
        """The beam size."""
        return self.config.beam_size

    @property
    def groups(self) -> int:
        """G: how many beams a sentence has."""
        return 1

    @torch.inference_mode()
    def run(
        self,
        stepper: Stepper,
        asked: Sequence[Asked],
        limits: Limits,
        more: More = nothing_more,
        watch: Watch | None = None,
        ended: Ended | None = None,
    ) -> list[list[Hypothesis]]:
        """Return up to n_best hypotheses for every sentence, best first."""
        course = Course(stepper, limits, self.config, self.config.beam_size, watch)
        return course.run(self, asked, more, ended)

    def result(self, course: Course, number: int) -> list[Hypothesis]:
        """Return up to n_best hypotheses of a sentence, best first."""
        return self._ranked(course.found[number])

    def start(self, course: Course, asked: Sequence[Asked]) -> Beams:
        """Return the state of sentences before the first piece, with places for their results.

        The rows of a group are alike, so only its first is alive.
        """
        config, groups = self.config, self.groups
        base = course.begun(asked, config.beam_size)
        size = config.beam_size // groups
        base.log_prob[:, np.arange(config.beam_size) % size > 0] = -np.inf
        count = len(base.room)
        return Beams(
            **vars(base),
            last_penalty=self._penalties(base.room.tolist()),
            width=np.full((count, groups), size),
            best_ended=np.full((count, groups, config.n_best), -np.inf),
            uncovered=self._uncovered([len(one.source) for one in asked]),
        )

    def _uncovered(self, lengths: Sequence[int]) -> Float[Array, "B W S"]:
        """Return what is left to read at the start."""
        read = max(lengths, default=0) if self.config.coverage_penalty else 0
        ahead = np.arange(read) < np.array(lengths, np.int64)[:, None]
        return np.repeat(ahead[:, None].astype(np.float32), self.config.beam_size, axis=1)

    @property
    def plain(self) -> bool:
        """Whether no more than the model and the length have a say: many steps may be one."""
        return not self.config.coverage_penalty

    def grow(self, course: Course, growing: Beams) -> Int[Array, "B W"] | None:
        """Put the best continuations into `growing`; return the slot that each continues.

        Equal ones: the better parent first, then the likelier and then the lower piece. None: a
        stepper has taken many steps, and put its rows in order itself.
        """
        if self.plain and course.free and stride(course, growing, self.config.length_penalty):
            return None
        count, beam = growing.log_prob.shape
        values, pieces, log_probs = self._continuations(course, growing)
        totals = (growing.log_prob.reshape(-1, 1) + values).reshape(count, -1)
        pieces = pieces.reshape(count, -1)
        order = self._order(totals, pieces, growing.width)
        sentences = np.arange(count)[:, None]
        parents: Int[Array, "B W"] = order // values.shape[1]
        last, log_prob = pieces[sentences, order], totals[sentences, order]
        if log_probs is not None:
            chosen = (parents, last, log_prob)
            constrain(course.rules, growing, log_probs, chosen, self.groups)
        self._set_aside_stuck(course, growing, log_prob)
        growing.tokens = growing.tokens[sentences, parents]
        growing.tokens[sentences, np.arange(beam), growing.length[:, None]] = last
        growing.states = growing.states[sentences, parents]
        growing.uncovered = growing.uncovered[sentences, parents]
        growing.last, growing.log_prob = last, log_prob
        growing.length = growing.length + 1
        places = np.arange(beam) % (beam // self.groups)
        width = np.repeat(growing.width, beam // self.groups, axis=1)
        growing.log_prob[places >= width] = -np.inf
        course.rules.advance(growing.sentences, growing.states, growing.last)
        course.show(growing)
        return parents

    def _continuations(
        self, course: Course, growing: Beams
    ) -> tuple[Float[Array, "R K"], Int[Array, "R K"], Float[Array, "R V"] | None]:
        """Return the best pieces after every slot; -inf after an empty one, which is not asked.

        The third are the log-probabilities of all pieces, where words must appear.
        """
        logits, asked = course.logits(growing)
        if growing.uncovered.shape[2]:
            self._cover(course, growing, asked)
        if not course.rules.demanding(growing.sentences):
            values, pieces = course.best(growing, logits, asked, self._candidates)
            return *course.everywhere(growing, asked, values, pieces), None
        allowed = course.log_probs(growing, logits, asked)
        values, pieces = best_allowed(allowed, self._candidates)
        every = np.full((growing.log_prob.size, allowed.shape[1]), -np.inf, np.float32)
        every[slice(None) if asked is None else asked] = allowed
        return *course.everywhere(growing, asked, values, pieces), every

    @property
    def _candidates(self) -> int:
        """How many continuations of a slot are looked at."""
        return self.config.beam_size

    def _order(
        self, totals: Float[Array, "B C"], pieces: Int[Array, "B C"], width: Int[Array, "B G"]
    ) -> Int[Array, "B W"]:
        """Return which continuations are kept, the best first in every group."""
        return np.argsort(-totals, axis=1, kind="stable")[:, : self.config.beam_size]

    def _cover(self, course: Course, growing: Beams, asked: Int[Array, " A"] | None) -> None:
        """Add the attention of this step."""
        beam = self.config.beam_size
        alive = np.arange(growing.log_prob.size) if asked is None else asked
        weights = course.stepper.attention
        assert weights is not None
        read = min(weights.shape[1], growing.uncovered.shape[2])
        growing.uncovered[alive // beam, alive % beam, :read] -= weights[:, :read]

    def _set_aside_stuck(
        self, course: Course, growing: Beams, log_prob: Float[Array, "B W"]
    ) -> None:
        """Keep, unfinished, what the rules let nothing follow."""
        size = self.config.beam_size // self.groups
        nothing = (log_prob.reshape(-1, self.groups, size) == -np.inf).all(axis=2)
        if nothing.any():
            stuck = np.repeat(nothing, size, axis=1) & (growing.log_prob > -np.inf)
            ended: Bool[Array, "B W"] = np.zeros_like(stuck)
            course.collect(growing, stuck, ended, self._scores(growing))

    def _scores(self, growing: Beams) -> Float[Array, "B W"]:
        penalties = self._penalties(growing.length.tolist())
        scores: Float[Array, "B W"] = growing.log_prob / penalties[:, None]
        if growing.uncovered.shape[2]:
            beta = self.config.coverage_penalty
            scores = scores + coverage_penalty(1 - growing.uncovered, beta)
        return scores

    def harvest(self, course: Course, growing: Beams) -> Int[Array, " C"]:
        """Collect what has ended; return the sentences that go on."""
        count, beam = growing.log_prob.shape
        grouped = (count, self.groups, beam // self.groups)
        alive = growing.log_prob > -np.inf
        ended = alive & (growing.last == course.limits.end_id)
        leaving = ended | (alive & (growing.room == growing.length)[:, None])
        if leaving.any():
            scores = self._scores(growing)
            course.collect(growing, leaving, ended, scores)
            growing.width = growing.width - ended.reshape(grouped).sum(axis=2)
            growing.log_prob[leaving] = -np.inf
            scores[~ended] = -np.inf
            both = np.concatenate([growing.best_ended, scores.reshape(grouped)], axis=2)
            growing.best_ended = np.sort(both, axis=2)[:, :, : -1 - self.config.n_best : -1]
        best = growing.log_prob.reshape(grouped).max(axis=2)
        attainable = best / growing.last_penalty[:, None]
        going = attainable > growing.best_ended[:, :, -1]
        if self.groups > 1:
            growing.log_prob[np.repeat(~going, grouped[2], axis=1)] = -np.inf
        return np.flatnonzero(going.any(axis=1))

    def _penalties(self, lengths: Sequence[int]) -> Float[Array, " B"]:
        """Return the length penalty of each length."""
        return np.array([length_penalty(length, self.config.length_penalty) for length in lengths])

    def _ranked(self, hypotheses: list[Hypothesis]) -> list[Hypothesis]:
        """Sort those that ended, then those cut off; of equal ones the first found stays first."""
        best = sorted(hypotheses, key=lambda one: (not one.finished, -one.score))
        return best[: self.config.n_best]
