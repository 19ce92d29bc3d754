"""Texts that a model writes for its clients, on their way: how far each is, what is told of it.

A request becomes rows; a step of the model lets them grow, and what becomes certain is told.
`writing` looks after them.
"""

__all__ = ["Ask", "Grown", "Row", "Told", "Work", "grow", "hand_over", "rows_of"]

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import NamedTuple

import numpy as np

from heedful.decode.company import Company, Manner, Member, Scored
from heedful.search import Sample
from heedful.search.sample import random_numbers
from heedful.serve.refusal import RefusalError
from heedful.shapes import Array, Float
from heedful.text.unfolding import BEFORE, Unfolding
from heedful.writer import Ended, Writer


@dataclass(frozen=True)
class Ask:
    """What one request wants written."""

    prompts: Sequence[Sequence[int]]
    manner: Manner
    most: int
    """Pieces behind each prompt, at most."""
    count: int = 1
    """Texts behind each prompt."""
    stop: Sequence[str] = ()


class Told(NamedTuple):
    """A piece of a text as it is told, with what the model thought of it."""

    text: str
    start: int
    """Characters that stand before it behind the prompt."""
    log_prob: float
    likeliest: tuple[tuple[str, float], ...]
    """The likeliest pieces at its place with their log-probabilities, best first."""


class Grown(NamedTuple):
    """What has become certain of a text."""

    choice: int
    """Which text of the request: those of the first prompt come first."""
    text: str
    told: tuple[Told, ...]
    """Its pieces, if the manner asks what the model thought of them."""
    ended: Ended | None
    pieces: int
    """How many have been written so far, an end of the text not among them."""


@dataclass(eq=False)
class Work:
    """One request on its way."""

    rows: int
    """Texts that have not ended."""
    happened: asyncio.Queue[Grown | RefusalError] = field(default_factory=asyncio.Queue)
    gone: bool = False
    """Whether nobody waits, or it has been refused."""

    def fail(self, error: RefusalError) -> None:
        """Refuse what has not been answered."""
        self.gone = True
        self.happened.put_nowait(error)


@dataclass(eq=False)
class Row:
    """One text of a request."""

    work: Work
    choice: int
    member: Member
    unfolding: Unfolding
    room: int
    cut: Ended
    """Why it ends when the room is used up."""
    ended: Ended | None = None
    told: int = 0
    """Pieces that have been told of."""

    @property
    def wanted(self) -> bool:
        """Whether it is to go on."""
        return self.ended is None and not self.work.gone

    @property
    def positions(self) -> int:
        """Positions that it takes, with the next piece."""
        return len(self.member.prompt) + len(self.member.pieces) + 1


def rows_of(ask: Ask, work: Work, writer: Writer) -> list[Row]:
    """Return the texts that are to be written."""
    rows: list[Row] = []
    for prompt in ask.prompts:
        fits = writer.context - len(prompt) + 1  # the last piece is never read
        room = min(ask.most, fits)
        cut: Ended = "length" if room == ask.most else "context"
        for numbers in _numbers(ask, prompt, room):
            rows.append(
                Row(
                    work=work,
                    choice=len(rows),
                    member=Member(prompt, ask.manner, numbers),
                    unfolding=Unfolding(writer.vocabulary, prompt, writer.end_ids, ask.stop),
                    room=room,
                    cut=cut,
                )
            )
    return rows


def _numbers(ask: Ask, prompt: Sequence[int], room: int) -> Sequence[Float[Array, " T"]]:
    """Return the random numbers of every text behind a prompt."""
    search = ask.manner.search
    if isinstance(search, Sample):
        return list(random_numbers(search, prompt, room))
    return [np.zeros(0)] * ask.count


def grow(
    company: Company,
    rows: list[Row],
    fresh: list[Row],
    gone: list[Row],
    found: list[tuple[Row, Grown]],
) -> None:
    """Let every text grow by a piece, and put down what becomes certain. In the model's thread."""
    company.advance([row.member for row in fresh], {row.member for row in gone})
    for row in rows:
        if (grown := _unfolded(row)) is not None:
            found.append((row, grown))


def _unfolded(row: Row) -> Grown | None:
    """Return what is certain of a text now, None if that is no more than before."""
    unfolding, pieces = row.unfolding, row.member.pieces
    said = "".join(map(unfolding.add, pieces[unfolding.pieces :]))
    ended = unfolding.ended or (row.cut if len(pieces) == row.room else None)
    if ended is not None:
        said += unfolding.rest()
    if not said and ended is None:
        return None
    scored = row.member.scored[row.told : unfolding.kept]
    told = [_told(row, number, one) for number, one in enumerate(scored, start=row.told)]
    row.told += len(told)
    return Grown(row.choice, said, tuple(told), ended, unfolding.pieces)


def _told(row: Row, number: int, scored: Scored) -> Told:
    """Return a piece as it is told."""
    member = row.member
    before = [*member.prompt[-BEFORE:], *member.pieces[max(0, number - BEFORE) : number]]
    vocabulary = row.unfolding.vocabulary
    return Told(
        vocabulary.continuation(before, [scored.piece]),
        row.unfolding.starts[number],
        scored.log_prob,
        tuple((vocabulary.continuation(before, [one]), value) for one, value in scored.likeliest),
    )


def hand_over(row: Row, grown: Grown) -> None:
    """Tell what has become certain of a text. In the event loop."""
    row.ended = grown.ended
    row.work.rows -= grown.ended is not None
    row.work.happened.put_nowait(grown)
