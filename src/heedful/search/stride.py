"""What a stepper needs to know to take many steps of a search by itself.

Where no rules stand in the way, a greedy search or a beam has nothing to say between two steps. A
stepper that has a stride is asked for one; what it leaves in the books is what as many single steps
would have left.
"""

__all__ = ["BeamBooks", "BeamStriding", "Books", "Endings", "Striding"]

from dataclasses import dataclass
from typing import Protocol, runtime_checkable

from heedful.shapes import Array, Float, Int


@dataclass(frozen=True)
class Books:
    """What is known of the rows under way, one a sentence; a stride changes all but the last five.

    A row that has taken `end_id`, or has no room left, has ended.
    """

    newest: Int[Array, " R"]
    tokens: Int[Array, "R T"]
    """Pieces so far, as many as `length` says."""
    length: Int[Array, " R"]
    log_prob: Float[Array, " R"]
    room: Int[Array, " R"]
    """Most pieces allowed."""
    forbidden: Int[Array, " F"]
    """Pieces that are never taken."""
    end_id: int
    left: Int[Array, " 1"]
    """How many clients have left; see `heedful.search.leaving`."""
    known: int
    """Of how many of them the search knows."""


@runtime_checkable
class Striding(Protocol):
    """A stepper that can take many steps at once."""

    def stride(self, books: Books) -> bool:
        """Take steps until a quarter of the rows has ended; False if there was none to take.

        It ends sooner when a client leaves. There is none where the stepper cannot, or the next one
        needs the search: where nothing may follow a row, or the model's output is no number.
        """
        ...


@dataclass(frozen=True)
class Endings:
    """Room for what a beam's rows are when they leave: each of them can do so once."""

    numbers: Int[Array, "E 4"]
    """Place of the sentence, slot, pieces, and 1 where `end_id` is the last of them, else 0."""
    log_prob: Float[Array, " E"]
    scores: Float[Array, " E"]
    tokens: Int[Array, "E T"]


@dataclass(frozen=True)
class BeamBooks:
    """What is known of the beams under way; a stride changes the first six and writes `endings`.

    A row that is empty has log_prob -inf.
    """

    newest: Int[Array, "B W"]
    tokens: Int[Array, "B W T"]
    """Pieces so far, as many as `length` says."""
    length: Int[Array, " B"]
    log_prob: Float[Array, "B W"]
    width: Int[Array, " B"]
    """W less the hypotheses that have ended."""
    best_ended: Float[Array, "B N"]
    """The best scores among those, best first; -inf where there are fewer."""
    room: Int[Array, " B"]
    """Most pieces allowed."""
    penalties: Float[Array, " L"]
    """What a log-probability is divided by at each length."""
    last_penalty: Float[Array, " B"]
    """The same at the most pieces allowed."""
    endings: Endings
    forbidden: Int[Array, " F"]
    """Pieces that are never taken."""
    end_id: int
    left: Int[Array, " 1"]
    """How many clients have left; see `heedful.search.leaving`."""
    known: int
    """Of how many of them the search knows."""


@runtime_checkable
class BeamStriding(Protocol):
    """A stepper that can take many steps of beam search at once."""

    @property
    def strides_beams(self) -> bool:
        """Whether it is worth asking."""
        ...

    def stride_beams(self, books: BeamBooks) -> int | None:
        """Take steps until a quarter of the sentences is done; None if there was none to take.

        Returns how many hypotheses it has written to `endings`, in the order in which they ended:
        step by step, sentence by sentence, slot by slot. A sentence is done when nothing that still
        grows can come to have one of the best scores. It ends sooner when a client leaves. There is
        none where the next one needs the search: where nothing may follow all the rows of a
        sentence, or the model's output is no number.
        """
        ...
