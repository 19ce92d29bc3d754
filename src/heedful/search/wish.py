"""What is asked of one sentence: its source, and what its translation must be like.

The engine makes an `Asked` of each source; the searches read it through `heedful.search.rules`.
"""

__all__ = ["NOTHING", "Asked", "Grammar", "Wish"]

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Protocol

from heedful.search.leaving import ANYONE, Client
from heedful.search.opening import Opening
from heedful.search.phrases import Automaton
from heedful.shapes import Array, Bool


class Grammar(Protocol):
    """What a translation may be made of, as of a language with rules of its own."""

    def allowed(self, tokens: Sequence[int]) -> Bool[Array, " V"]:
        """Return the pieces that may come behind these, of which each was allowed; `</s>` too."""
        ...

    def whole(self, tokens: Sequence[int]) -> bool:
        """Return whether a translation may end there."""
        ...

    @property
    def pieces(self) -> frozenset[int]:
        """All pieces that may be part of a translation."""
        ...


@dataclass(frozen=True)
class Wish:
    """How the translation of one sentence must begin, and what must and must not stand in it."""

    opening: Opening | None = None
    """How it must begin."""
    must: tuple[tuple[Automaton, ...], ...] = ()
    """Of each of these groups, one member's phrases must be there whole."""
    never: tuple[Automaton, ...] = ()
    """The phrases of none of these may be there whole."""
    grammar: Grammar | None = None
    """What it obeys; whoever wishes it sees to it that nothing else stands against it."""

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
        opening = self.opening.pieces if self.opening else frozenset()
        grammar = self.grammar.pieces if self.grammar else frozenset()
        return opening.union(grammar, *ways)

    @property
    def need(self) -> int:
        """How many pieces are enough for all that must be there, the opening included."""
        begun = self.opening.need if self.opening else 0
        return begun + self.left([0] * len(self.automata))

    def left(self, states: Sequence[int]) -> int:
        """Return how many further pieces are enough for all that must be there.

        `states` are those of `automata`. Only one phrase can be under way, so that all others are
        counted from their beginning, behind a word that has to end first.
        """
        total = saved = at = 0
        for group in self.must:
            its = states[at : at + len(group)]
            at += len(group)
            least = min(member.left(state) for member, state in zip(group, its, strict=True))
            if least:
                whole = min(member.whole for member in group)
                total, saved = total + whole, max(saved, whole - least)
        return total - saved

    def granted(self, tokens: Sequence[int]) -> bool:
        """Return whether a translation is as wished."""
        states = [0] * len(self.automata)
        for at, piece in enumerate(tokens):
            begins = None if self.opening is None else self.opening.allowed(tokens[:at])
            if begins is not None and not begins[piece]:
                return False
            if self.grammar is not None and not self.grammar.allowed(tokens[:at])[piece]:
                return False
            states = [x.advance(y, piece) for x, y in zip(self.automata, states, strict=True)]
            banned = zip(self.never, states[len(states) - len(self.never) :], strict=True)
            if any(automaton.ends_well(state) for automaton, state in banned):
                return False
        begun = self.opening is None or self.opening.passed(tokens)
        ended = self.grammar is None or self.grammar.whole(tokens)
        return begun and ended and self.left(states) == 0


NOTHING = Wish()
"""Nothing is wished for."""


@dataclass(frozen=True)
class Asked:
    """One sentence that is to be translated."""

    source: Sequence[int]
    """Its pieces, `</s>` included."""
    wish: Wish = NOTHING
    client: Client = ANYONE
    """Who waits for it."""
