"""The books that searches keep of the sentences under way; in NumPy, since they are small."""

__all__ = ["Growing"]

from dataclasses import dataclass
from typing import TypeVar

import numpy as np

from heedful.search.rules import Rows
from heedful.shapes import Array, Float, Int, Shaped

State = TypeVar("State", bound="Growing")


@dataclass
class Growing:
    """Sentences under way, W rows each; a row that is not has log_prob -inf."""

    sentences: Int[Array, " B"]
    """Which one each is, in the order they came in."""
    length: Int[Array, " B"]
    """Pieces so far."""
    room: Int[Array, " B"]
    """Most pieces allowed."""
    tokens: Int[Array, "B W T"]
    """Pieces so far, as many as `length` says; `<s>` is not among them."""
    last: Int[Array, "B W"]
    """The newest of them."""
    log_prob: Float[Array, "B W"]
    states: Int[Array, "B W P"]
    """How far each automaton of the sentence's wish has come."""

    def keep(self: State, going: Int[Array, " C"]) -> State:
        """Return the state of these sentences alone."""
        return type(self)(*(state[going] for state in vars(self).values()))

    def joined(self: State, other: State) -> State:
        """Return the state of both, the other's sentences behind."""
        return type(self)(*map(_joined, vars(self).values(), vars(other).values()))

    def rows(self, alive: Int[Array, " A"]) -> Rows:
        """Return these rows, for the rules; they are counted through all sentences."""
        width = self.last.shape[1]
        sentence, slot = alive // width, alive % width
        return Rows(
            self.sentences[sentence],
            self.tokens[sentence, slot],
            self.length[sentence],
            self.states[sentence, slot],
        )


def _joined(
    first: Shaped[Array, "B *first"], second: Shaped[Array, "C *second"]
) -> Shaped[Array, "D *joint"]:
    """Return the rows of both; where one is wider, the other gets zeros."""
    missing = first.shape[-1] - second.shape[-1] if first.ndim > 1 else 0
    if missing:
        first, second = (
            np.pad(array, [(0, 0)] * (array.ndim - 1) + [(0, max(more, 0))])
            for array, more in ((first, -missing), (second, missing))
        )
    return np.concatenate([first, second])
