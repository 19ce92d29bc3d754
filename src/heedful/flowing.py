"""Requests that come while others are translated: each is let in, and given back as it ends.

The translator calls it with a `Feed`, such as the server's; the engine asks it for sources
(`heedful.decode.flow`), the pipeline cuts texts into them and puts translations together.
"""

__all__ = ["Feed", "Flowing"]

from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

from heedful.careful import Part
from heedful.pipeline import How, Ids, Pipeline, Plan
from heedful.request import Request, sound
from heedful.search import Asked, Hypothesis
from heedful.translation import Translation, blank

MOST = 4096
"""Requests of one run, whose books grow with every one of them: it ends when these have ended."""


class Feed(Protocol):
    """Where requests come from, and where translations go; asked between two steps of a model."""

    def more(self, free: int) -> Sequence[Request]:
        """Return no more than so many; when none is left and none comes, it is over."""
        ...

    def done(self, number: int, translation: Translation) -> None:
        """Take a translation; requests are numbered as they came."""
        ...


@dataclass
class _Begun:
    """A request on its way."""

    number: int
    plan: Plan
    known: Ids
    left: int
    """Parts that have not been searched for."""


class Flowing:
    """Sources for an engine, of the requests of a feed."""

    def __init__(self, pipeline: Pipeline, feed: Feed, how: How) -> None:
        self._pipeline, self._feed, self._how = pipeline, feed, how
        self._come = 0
        self._waiting: deque[tuple[_Begun, Part]] = deque()
        self._under_way: dict[int, tuple[_Begun, Part]] = {}
        self._given = 0

    def more(self, free: int) -> list[Asked]:
        """Return no more than so many sources."""
        asked: list[Asked] = []
        while len(asked) < free:
            if not self._waiting and not self._fetch(free - len(asked)):
                break
            if not self._waiting:  # they were blank
                continue
            begun, part = self._waiting.popleft()
            if part.client.gone:
                self._end(begun, part, [])
                continue
            self._under_way[self._given] = begun, part
            self._given += 1
            asked.append(self._pipeline.asked(part, self._how, begun.known))
        return asked

    def _fetch(self, free: int) -> bool:
        """Let requests come; return whether any have."""
        most = min(free, MOST - self._come)
        fresh = list(sound(self._feed.more(most))) if most else []
        self._begin(fresh)
        return bool(fresh)

    def ended(self, number: int, found: list[Hypothesis]) -> None:
        """Take what was found for a source; give the translation, if it is the last of its text."""
        self._end(*self._under_way.pop(number), found)

    def _end(self, begun: _Begun, part: Part, found: list[Hypothesis]) -> None:
        self._pipeline.put(part, found, self._how.search)
        begun.left -= 1
        self._give(begun)

    def _begin(self, requests: Sequence[Request]) -> None:
        plans, known = self._pipeline.plans(requests, self._how)
        for request, plan in zip(requests, plans, strict=True):
            number, self._come = self._come, self._come + 1
            if plan is None:
                self._feed.done(number, blank(request.text))
                continue
            parts = plan.translated()
            begun = _Begun(number, plan, known, len(parts))
            self._waiting.extend((begun, part) for part in parts)
            self._give(begun)

    def _give(self, begun: _Begun) -> None:
        if not begun.left:
            found = self._pipeline.finished(begun.plan, self._how, begun.known)
            self._feed.done(begun.number, found)
