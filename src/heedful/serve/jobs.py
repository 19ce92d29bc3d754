"""Requests on their way through the batcher: how texts are translated, and how far they are."""

__all__ = ["How", "Job", "Place", "groups"]

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass, field, replace

from heedful.careful import Care
from heedful.data.glossary import Term
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

    @property
    def rows(self) -> int:
        """Hypotheses of each text that are computed at once."""
        return int(getattr(self.search, "beam_size", 1))


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


def groups(places: Sequence[Place]) -> dict[How, list[Place]]:
    """Return the texts by how they are translated."""
    found: dict[How, list[Place]] = {}
    for place in places:
        found.setdefault(place[0].how, []).append(place)
    return found
