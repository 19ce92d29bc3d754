"""What a stepper needs to know to take many steps of greedy search by itself.

Where nothing but the likeliest piece is ever taken, the search has nothing to say between two
steps. A stepper that has a `stride` is asked for one; what it leaves in the books is what as many
single steps would have left.
"""

__all__ = ["Books", "Striding"]

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
