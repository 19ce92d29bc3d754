"""Rows that each go their own way: what greedy search, sampling and alternatives have in common.

A stepper comes in, a hypothesis for each row of a sentence goes out. A way of choosing is a
`Choice`; its file says which piece each row takes next.
"""

__all__ = ["Choice", "SingleSearch"]

from collections.abc import Callable, Generator, Sequence
from dataclasses import dataclass

import numpy as np
import torch

from heedful.errors import SettingError
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
from heedful.search.leaving import LEFT
from heedful.search.shaping import Shaping
from heedful.search.stride import Books, Striding
from heedful.search.wish import Asked
from heedful.shapes import Array, Bool, Float, Int, Tensor


class Choice:
    """How every row takes its next piece; one object for one run."""

    rows = 1
    """W: rows of each sentence."""
    begun = 1
    """How many of them are under way from the start."""
    free = False
    """Whether it always takes the likeliest piece, so that a stepper may take many by itself."""
    ranked = True
    """Whether hypotheses are sorted by score; else they stay in the order of the rows."""

    def admit(self, asked: Sequence[Asked], rooms: Int[Array, " B"]) -> None:
        """Learn of further sentences and of the most pieces that each may have."""

    def choose(
        self,
        course: Course,
        growing: Growing,
        logits: Float[Tensor, "A N"],
        asked: Int[Array, " A"] | None,
    ) -> tuple[Float[Array, "B W"], Int[Array, "B W"], Int[Array, "B W"] | None]:
        """Return log-probability and id of each row's next piece.

        -inf: the row is not under way. The third says which slot each row continues, None: its own.
        """
        raise NotImplementedError


@dataclass(frozen=True)
class SingleSearch:
    """Runs a choice; the score of a hypothesis is its log-probability."""

    shaping: Shaping
    choice: Callable[[], Choice]
    """Makes the choice of one run."""

    @property
    def rows_per_sentence(self) -> int:
        """As many as the choice has."""
        return self.choice().rows

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
        """Return the hypotheses of every sentence; see `heedful.search.driver.Search`."""
        choice = self.choice()
        course = Course(stepper, limits, self.shaping, choice.rows, watch)
        return course.run(_EachItsOwn(choice), asked, more, ended)

    def steps(
        self, stepper: Stepper, asked: Sequence[Asked], limits: Limits, watch: Watch
    ) -> Generator[None, None, list[list[Hypothesis]]]:
        """Do what `run` does, and pause after every step. The caller leaves gradients out."""
        choice = self.choice()
        course = Course(stepper, limits, self.shaping, choice.rows, watch)
        return (yield from course.steps(_EachItsOwn(choice), asked, nothing_more))


@dataclass(frozen=True)
class _EachItsOwn:
    """Rows grow by what a choice says, and end one by one."""

    choice: Choice

    def start(self, course: Course, asked: Sequence[Asked]) -> Growing:
        """Begin; raises SettingError where words must appear."""
        if any(one.wish.must for one in asked):
            raise SettingError(
                "words that must appear are looked for by a beam alone", fix="give a beam of 4"
            )
        growing = course.begun(asked, self.choice.begun)
        self.choice.admit(asked, growing.room)
        return growing

    def grow(self, course: Course, growing: Growing) -> Int[Array, "B W"] | None:
        """Let every row under way grow; return the slots that they continue.

        By one piece, or by many where the choice is free for them.
        """
        if self.choice.free and course.free and _stride(course, growing):
            return None
        logits, asked = course.logits(growing)
        values, pieces, parents = self.choice.choose(course, growing, logits, asked)
        if parents is not None:
            sentences = np.arange(len(parents))[:, None]
            growing.tokens = growing.tokens[sentences, parents]
            growing.states = growing.states[sentences, parents]
            growing.log_prob = growing.log_prob[sentences, parents]
        stuck = (growing.log_prob > -np.inf) & (values == -np.inf)
        if parents is not None:  # where a sentence splits, fewer pieces may be possible than rows
            splitting = (parents != np.arange(parents.shape[1])).any(axis=1)
            stuck[splitting, 1:] = False
        if stuck.any():  # the rules leave nothing: what is there stays, unfinished
            nothing: Bool[Array, "B W"] = np.zeros_like(stuck)
            course.collect(growing, stuck, nothing, growing.log_prob)
        sentence, slot = np.indices(pieces.shape)
        growing.tokens[sentence, slot, growing.length[:, None]] = pieces
        growing.last = pieces
        growing.length = growing.length + 1
        growing.log_prob = growing.log_prob + values
        course.rules.advance(growing.sentences, growing.states, growing.last)
        course.show(growing)
        return parents

    def harvest(self, course: Course, growing: Growing) -> Int[Array, " C"]:
        """Collect what has ended; return the sentences that go on."""
        alive = growing.log_prob > -np.inf
        ended = alive & (growing.last == course.limits.end_id)
        leaving = ended | (alive & (growing.length == growing.room)[:, None])
        if leaving.any():
            course.collect(growing, leaving, ended, growing.log_prob)
            growing.log_prob[leaving] = -np.inf
        return np.flatnonzero((growing.log_prob > -np.inf).any(axis=1))

    def result(self, course: Course, number: int) -> list[Hypothesis]:
        """Return what the rows of a sentence have become."""
        found = course.found[number]
        return _best_first(found) if self.choice.ranked else _by_slot(found, course.slots[number])


def _stride(course: Course, growing: Growing) -> bool:
    """Let the stepper take many steps, if it can."""
    stepper, limits = course.stepper, course.limits
    if not isinstance(stepper, Striding):
        return False
    count = len(growing.sentences)
    growing.last = growing.last.copy()
    books = Books(
        newest=growing.last.reshape(count),
        tokens=growing.tokens.reshape(count, growing.tokens.shape[2]),
        length=growing.length,
        log_prob=growing.log_prob.reshape(count),
        room=growing.room,
        forbidden=np.array(limits.forbidden, np.int64),
        end_id=limits.end_id,
        left=LEFT,
        known=course.left,
    )
    return stepper.stride(books)


def _by_slot(hypotheses: list[Hypothesis], slots: list[int]) -> list[Hypothesis]:
    """Return them in the order of their rows; they were collected as they ended."""
    return [hypotheses[at] for at in sorted(range(len(slots)), key=slots.__getitem__)]


def _best_first(hypotheses: list[Hypothesis]) -> list[Hypothesis]:
    return sorted(hypotheses, key=lambda one: (not one.finished, -one.score))
