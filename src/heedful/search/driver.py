"""What every search is made of: a model seen as one step, hypotheses, and the course of a run.

A `Stepper` gives logits for the next position; a search reads the best of them and says which rows
go on. `heedful.decode.engine` makes the stepper and runs the search; no architecture is known here.
"""

__all__ = [
    "Course",
    "Ended",
    "Hypothesis",
    "Limits",
    "More",
    "Search",
    "Stepper",
    "Watch",
    "Way",
    "nothing_more",
]

from collections.abc import Callable, Generator, Sequence
from dataclasses import dataclass
from typing import Protocol, TypeVar, runtime_checkable

import numpy as np

from heedful.search.best import best_allowed, best_pieces
from heedful.search.growing import Growing
from heedful.search.leaving import LEFT, Client
from heedful.search.rules import Rules
from heedful.search.shaping import Shaping
from heedful.search.wish import Asked
from heedful.shapes import Array, Bool, Float, Int, Tensor


@runtime_checkable
class Stepper(Protocol):
    """A model in the middle of decoding B sentences of W rows each; sentence b owns rows b*W on."""

    @property
    def entries(self) -> Int[Tensor, "A N"] | None:
        """The pieces that the latest logits are of, ascending in a row; None: of piece 0, 1, ..."""
        ...

    @property
    def attention(self) -> Float[Array, "A S"] | None:
        """How much the rows of the latest logits looked at each source piece; None: not asked."""
        ...

    def step(
        self, tokens: Int[Array, " R"], rows: Int[Array, " A"] | None = None
    ) -> Float[Tensor, "A N"]:
        """Take the newest piece of every row; return logits for the position after it.

        `rows`: logits of these alone are wanted, in their order; the others are never asked again.
        -inf stands where a row has fewer entries than another.
        """
        ...

    def select(self, rows: Int[Array, " Q"], sentences: Int[Array, " C"] | None = None) -> None:
        """Make row i a copy of the old row `rows[i]`; keep only `sentences`, if given."""
        ...


@runtime_checkable
class Ranking(Protocol):
    """A stepper that looks for the likeliest pieces itself; it knows which are forbidden."""

    def ranked(self, count: int) -> tuple[Float[Array, "A K"], Int[Array, "A K"]] | None:
        """Return log-probabilities and ids of the best pieces of the latest step, best first.

        None: they are to be looked for in the logits.
        """
        ...


More = Callable[[int], Sequence[Asked]]
"""Told how many sentences are under way, it lets the stepper take in further ones behind them and
returns what is asked of them. Where none are under way, none returned means the end."""


def nothing_more(_: int) -> Sequence[Asked]:
    """Let no further sentences in."""
    return ()


@dataclass(frozen=True)
class Hypothesis:
    """One possible translation."""

    tokens: tuple[int, ...]
    """Its pieces, without `<s>` and `</s>`."""
    log_prob: float
    """Natural logarithm of its probability, `</s>` included."""
    score: float
    """What the search ranks by: for a beam, log_prob / length penalty."""
    finished: bool
    """False if the maximum length came before `</s>`."""

    @property
    def pieces(self) -> int:
        """How many pieces `log_prob` is of; none of what stands for a text that was not read."""
        return len(self.tokens) + self.finished if self.log_prob else 0


@dataclass(frozen=True)
class Limits:
    """What a search must know of the vocabulary and the model."""

    start_id: int
    """Piece every target begins with, `<s>`."""
    end_id: int
    """Piece that ends a target, `</s>`."""
    forbidden: tuple[int, ...] = ()
    """Pieces that are never produced: padding, `<s>`, language tags."""
    max_length: int | None = None
    """Positions the model knows; no hypothesis is longer, `</s>` included."""
    vocabulary_size: int = 0
    """Pieces of the target vocabulary; needed where a shortlist meets rules."""


Watch = Callable[[int, Sequence[int]], None]
"""Told after every step of a sentence's number and the best beginning of its translation."""


Ended = Callable[[int, list[Hypothesis]], None]
"""Told of a sentence's number and its hypotheses, best first, once it is done or given up."""


class Search(Protocol):
    """A way to look for good hypotheses; made by the `build` of its settings."""

    @property
    def rows_per_sentence(self) -> int:
        """W: rows that the stepper must hold for every sentence."""
        ...

    def run(
        self,
        stepper: Stepper,
        asked: Sequence[Asked],
        limits: Limits,
        more: More = nothing_more,
        watch: Watch | None = None,
        ended: Ended | None = None,
    ) -> list[list[Hypothesis]]:
        """Return the hypotheses of every sentence, best first, in the order they came in.

        Of one whose client has left, those that had ended by then. `ended` is told of each before
        the others are done.
        """
        ...


State = TypeVar("State", bound=Growing)


@runtime_checkable
class Way(Protocol[State]):
    """How the sentences under way begin, grow and end: what a search is, beside its loop."""

    def start(self, course: "Course", asked: Sequence[Asked]) -> State:
        """Return the state of sentences before the first piece, with places for their results."""
        ...

    def grow(self, course: "Course", growing: State) -> Int[Array, "B W"] | None:
        """Let every row grow by a piece; return the slots that they continue, None: their own."""
        ...

    def harvest(self, course: "Course", growing: State) -> Int[Array, " C"]:
        """Collect what has ended; return the sentences that go on."""
        ...

    def result(self, course: "Course", number: int) -> list[Hypothesis]:
        """Return the hypotheses of a sentence that is done, of what was collected, best first."""
        ...


class Course:
    """What one run of a search carries along: its model, its rules and its results."""

    def __init__(
        self,
        stepper: Stepper,
        limits: Limits,
        shaping: Shaping,
        width: int,
        watch: Watch | None,
    ) -> None:
        self.stepper, self.limits, self.watch = stepper, limits, watch
        self.rules = Rules(shaping, limits.end_id, limits.forbidden, limits.vocabulary_size)
        self._ranking = stepper if isinstance(stepper, Ranking) else None
        self.width = width
        """W: rows of a sentence."""
        self.found: list[list[Hypothesis]] = []
        self.slots: list[list[int]] = []
        """Which of its sentence's rows each hypothesis was."""
        self.left = -1
        """How many clients had left when it was last looked whose they are."""
        self._clients: list[Client] = []
        self._shaping = shaping

    @property
    def free(self) -> bool:
        """Whether no rules stand in the way and nobody watches."""
        return self.watch is None and not self.rules.active

    def run(
        self, way: Way[State], asked: Sequence[Asked], more: More, ended: Ended | None = None
    ) -> list[list[Hypothesis]]:
        """Return what is found of all sentences, those that come later among them."""
        steps = self.steps(way, asked, more, ended)
        while True:
            try:
                next(steps)
            except StopIteration as end:
                found: list[list[Hypothesis]] = end.value
                return found

    def steps(
        self, way: Way[State], asked: Sequence[Asked], more: More, ended: Ended | None = None
    ) -> Generator[None, None, list[list[Hypothesis]]]:
        """Do what `run` does, and pause after every step."""
        growing = way.start(self, asked)
        while True:
            if LEFT[0] != self.left:
                growing = self._wanted(way, growing, ended)
            if fresh := more(len(growing.sentences)):
                growing = growing.joined(way.start(self, fresh))
            count = len(growing.sentences)
            if not count:
                return [way.result(self, number) for number in range(len(self.found))]
            parents = way.grow(self, growing)
            going = way.harvest(self, growing)
            if parents is not None or len(going) < count:
                self._select(parents, going, count)
            if len(going) < count:
                growing = self._without(way, growing, going, ended)
            yield

    def _without(
        self, way: Way[State], growing: State, going: Int[Array, " C"], ended: Ended | None
    ) -> State:
        """Return the state of those that go on; tell of the others."""
        if ended is not None:
            for number in np.delete(growing.sentences, going).tolist():
                ended(number, way.result(self, number))
        return growing.keep(going)

    def _wanted(self, way: Way[State], growing: State, ended: Ended | None) -> State:
        """Give up the sentences whose clients have left."""
        self.left = int(LEFT[0])
        numbers = growing.sentences.tolist()
        gone = np.array([self._clients[number].gone for number in numbers], np.bool_)
        if not gone.any():
            return growing
        going = np.flatnonzero(~gone)
        self._select(None, going, len(gone))
        return self._without(way, growing, going, ended)

    def _select(
        self, parents: Int[Array, "B W"] | None, going: Int[Array, " C"], count: int
    ) -> None:
        """Let the stepper's rows follow."""
        slots = np.tile(np.arange(self.width), (count, 1)) if parents is None else parents
        rows = (going[:, None] * self.width + slots[going]).ravel()
        self.stepper.select(rows, None if len(going) == count else going)

    def begun(self, asked: Sequence[Asked], rows: int) -> Growing:
        """Return the state of sentences before the first piece, with places for their results.

        The rows of a sentence are alike, so that only the first `rows` of them need be under way.
        """
        self.rules.admit(asked)
        self._clients += [one.client for one in asked]
        rooms = np.array(self._shaping.rooms(asked, self.limits.max_length), np.int64)
        numbers = np.arange(len(self.found), len(self.found) + len(rooms))
        self.found += [[] for _ in rooms]
        self.slots += [[] for _ in rooms]
        shape = (len(rooms), self.width)
        log_prob = np.full(shape, -np.inf, np.float32)
        log_prob[:, :rows] = 0
        return Growing(
            sentences=numbers,
            length=np.zeros_like(rooms),
            room=rooms,
            tokens=np.zeros((*shape, rooms.max(initial=0)), np.int64),
            last=np.full(shape, self.limits.start_id),
            log_prob=log_prob,
            states=np.zeros((*shape, self.rules.followed), np.int64),
        )

    def logits(self, growing: Growing) -> tuple[Float[Tensor, "A N"], Int[Array, " A"] | None]:
        """Take a step; return the logits of the rows under way, and which they are if not all."""
        alive = np.flatnonzero(growing.log_prob > -np.inf)
        asked = None if len(alive) == growing.log_prob.size else alive
        return self.stepper.step(growing.last.ravel(), asked), asked

    def log_probs(
        self,
        growing: Growing,
        logits: Float[Tensor, "A N"],
        asked: Int[Array, " A"] | None,
    ) -> Float[Array, "A V"]:
        """Return the log-probabilities of all pieces that the rules allow."""
        alive = np.arange(growing.log_prob.size) if asked is None else asked
        return self.rules.log_probs(logits, self.stepper.entries, growing.rows(alive))

    def best(
        self,
        growing: Growing,
        logits: Float[Tensor, "A N"],
        asked: Int[Array, " A"] | None,
        count: int,
    ) -> tuple[Float[Array, "A K"], Int[Array, "A K"]]:
        """Return log-probabilities and ids of the best pieces after each row, best first."""
        if not self.rules.active:
            if self._ranking is not None and (known := self._ranking.ranked(count)) is not None:
                return known
            forbidden = np.array(self.limits.forbidden, np.int64)
            return best_pieces(logits, count, forbidden, self.stepper.entries)
        return best_allowed(self.log_probs(growing, logits, asked), count)

    def everywhere(
        self,
        growing: Growing,
        asked: Int[Array, " A"] | None,
        values: Float[Array, "A K"],
        pieces: Int[Array, "A K"],
    ) -> tuple[Float[Array, "R K"], Int[Array, "R K"]]:
        """Return what is known of the rows asked for all rows, -inf for those that were not."""
        if asked is None:
            return values, pieces
        shape = (growing.log_prob.size, values.shape[1])
        every, each = np.full(shape, -np.inf, np.float32), np.zeros(shape, np.int64)
        every[asked], each[asked] = values, pieces
        return every, each

    def collect(
        self,
        growing: Growing,
        leaving: Bool[Array, "B W"],
        ended: Bool[Array, "B W"],
        scores: Float[Array, "B W"],
    ) -> None:
        """Put the rows that leave into the results; those that have not `ended` are unfinished."""
        sentence, slot = leaving.nonzero()
        self.put(
            (
                growing.sentences[sentence],
                slot,
                growing.tokens[sentence, slot],
                growing.length[sentence],
                growing.log_prob[sentence, slot],
                scores[sentence, slot],
                ended[sentence, slot],
            )
        )

    def put(self, columns: tuple[Array, ...]) -> None:
        """Put hypotheses into the results, in this order.

        columns: numbers of their sentences, slots, pieces and how many, `</s>` included,
        log-probabilities, scores, and whether they are finished.
        """
        rows = zip(*(column.tolist() for column in columns), strict=True)
        for index, row, tokens, length, log_prob, score, finished in rows:
            kept = tuple(tokens[: length - finished])
            self.slots[index].append(row)
            self.found[index].append(Hypothesis(kept, log_prob, score, finished))

    def show(self, growing: Growing) -> None:
        """Tell who watches the best beginning of each sentence."""
        if self.watch is None:
            return
        best = growing.log_prob.argmax(axis=1)
        for row, (number, slot) in enumerate(zip(growing.sentences, best, strict=True)):
            pieces = growing.tokens[row, slot, : growing.length[row]].tolist()
            ended = bool(pieces) and pieces[-1] == self.limits.end_id
            self.watch(int(number), pieces[:-1] if ended else pieces)
