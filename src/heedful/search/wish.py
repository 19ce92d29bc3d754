"""What is asked of one sentence: its source, and what its translation must be like.

The engine makes an `Asked` of each source; the searches read it through `heedful.search.rules`.
"""

__all__ = ["NOTHING", "Asked", "Wish"]

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

from heedful.search.phrases import Automaton


@dataclass(frozen=True)
class Wish:
    """How the translation of one sentence must begin, and what must and must not stand in it."""

    prefix: tuple[tuple[int, ...], ...] = ()
    """The pieces allowed at each of the first positions."""
    must: tuple[tuple[Automaton, ...], ...] = ()
    """Of each of these groups, one member's phrases must be there whole."""
    never: tuple[Automaton, ...] = ()
    """The phrases of none of these may be there whole."""

    @cached_property
    def automata(self) -> tuple[Automaton, ...]:
        """All that is followed: the members of `must`, one group after another, then `never`."""
        return (*(member for group in self.must for member in group), *self.never)

    @cached_property
    def pieces(self) -> frozenset[int]:
        """The pieces that a shortlist must not leave out."""
        ways = [
            way
            for group in self.must
            for member in group
            for state in range(member.done)
            for way in member.ways(state)
        ]
        return frozenset(piece for pieces in (*self.prefix, *ways) for piece in pieces)

    @property
    def need(self) -> int:
        """How many pieces are enough for all that must be there, the prefix included."""
        shortest = (min(member.left(0) for member in group) for group in self.must)
        return len(self.prefix) + sum(shortest)


NOTHING = Wish()
"""Nothing is wished for."""


@dataclass(frozen=True)
class Asked:
    """One sentence that is to be translated."""

    source: Sequence[int]
    """Its pieces, `</s>` included."""
    wish: Wish = NOTHING
