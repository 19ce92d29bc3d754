"""Requests on their way through the batcher: how texts are translated, by what, how far."""

__all__ = ["Batch", "Engine", "How", "Job", "Place", "groups"]

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass, field, fields, replace
from functools import cached_property
from typing import NamedTuple, Protocol

from heedful.careful import Care
from heedful.data.glossary import Term
from heedful.flowing import Feed
from heedful.request import Request
from heedful.search import Beam, Client, SearchConfig
from heedful.serve.refusal import RefusalError
from heedful.translation import Translation


@dataclass(frozen=True)
class How:
    """How texts are translated; those with the same can be translated together."""

    to: str | None = None
    from_: str | None = None
    search: SearchConfig = field(default_factory=Beam)
    care: Care = field(default_factory=Care)
    terms: tuple[Term, ...] = ()
    """Terms of a glossary."""
    align: bool = False
    confidence: bool = False

    def __hash__(self) -> int:
        return self._hash

    @cached_property
    def _hash(self) -> int:
        """Computed once: a search's takes longer than all else that is done with it."""
        return hash(tuple(getattr(self, one.name) for one in fields(self)))

    @property
    def rows(self) -> int:
        """Hypotheses of each text that are computed at once."""
        return int(getattr(self.search, "beam_size", 1))


class Engine(Protocol):
    """What translates; only the threads of the model call it, but for `sizes`."""

    @property
    def workers(self) -> int:
        """How many threads may `translate` at a time, once it has shown that it works."""
        ...

    def sizes(self, texts: Sequence[str], how: How) -> list[int]:
        """Return the number of pieces of every text. Any thread may ask."""
        ...

    def translate(self, requests: Sequence[Request], how: How) -> list[Translation]:
        """Return the translation of every text, in order; HeedfulError for a client's mistake.

        Whatever is returned for a client that has left, nobody reads it.
        """
        ...

    def prove(self) -> None:
        """Translate something, to show that it can; raises whatever is wrong."""
        ...

    lanes: int
    """How many threads may `flow` at a time."""

    def flows(self, how: How) -> bool:
        """Whether texts with no wishes of their own can be let in while others are translated."""
        ...

    def flow(self, how: How, feed: Feed) -> None:
        """Translate what a feed brings, until nothing comes; in any thread, several at a time."""
        ...


@dataclass(eq=False)
class Job:
    """One request on its way."""

    requests: list[Request]
    how: How
    sizes: list[int]
    found: list[Translation | None]
    taken: int = 0
    """Texts that have been given to the model."""
    left: int = 0
    """Source pieces that have not been given to the model."""
    error: RefusalError | None = None
    client: Client = field(default_factory=Client)
    changed: asyncio.Event = field(default_factory=asyncio.Event)
    flows: bool = False
    """Whether lanes translate it."""

    @property
    def wanted(self) -> bool:
        """Whether somebody waits for what has not been translated."""
        return not self.client.gone and self.error is None

    @property
    def waits(self) -> bool:
        """Whether there are texts to be given to the model, and somebody who waits for them."""
        return self.wanted and self.taken < len(self.requests)

    def text(self, number: int) -> Request:
        """Return what is to be translated, with who waits for it."""
        return replace(self.requests[number], client=self.client)

    def fail(self, error: RefusalError) -> None:
        """Refuse what has not been answered."""
        self.error = error
        self.changed.set()


Place = tuple[Job, int]
"""A text of a request."""


class Batch(NamedTuple):
    """What was translated together, in one go or until others were let in."""

    texts: int
    requests: int
    seconds: float


def groups(places: Sequence[Place]) -> dict[How, list[Place]]:
    """Return the texts by how they are translated."""
    found: dict[How, list[Place]] = {}
    for place in places:
        found.setdefault(place[0].how, []).append(place)
    return found
