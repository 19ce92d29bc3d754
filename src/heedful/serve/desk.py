"""Texts that wait for the lanes of a model, and what each lane has taken: who gets which, and when.

Jobs come in from the event loop, the threads of `lanes` take their texts; a lock stands between.
"""

__all__ = ["Desk", "Lane"]

from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, field
from threading import Lock

from heedful.serve.jobs import How, Job, Place


@dataclass(eq=False)
class Lane:
    """One thread's part."""

    how: How | None = None
    """How it translates; None: it does nothing."""
    texts: int = 0
    """Those under way."""
    seen: float = 0.0
    """When it last took or gave something."""


@dataclass
class _Kind:
    """What waits to be translated in one way."""

    turns: deque[tuple[int, Job]] = field(default_factory=deque)
    """Jobs in turn, with a number that says since when each waits for it."""
    texts: int = 0


class Desk:
    """What waits, and who takes it.

    Of all lanes together, no more than `most` pieces times rows are under way, or one text. Each
    request has its turn, a text at a time, and each lane its share of what waits. A lane goes on
    with what is asked for alike as long as nothing else has waited longer.
    """

    def __init__(self, lanes: int, most: int, clock: Callable[[], float]) -> None:
        self.lanes = [Lane() for _ in range(lanes)]
        self._most, self._clock, self._lock = most, clock, Lock()
        self._kinds: dict[How, _Kind] = {}
        self._size = 0  # pieces times rows under way
        self._turn = 0
        self._pauses = 0

    @property
    def idle(self) -> bool:
        """Whether no lane does anything."""
        return all(lane.how is None for lane in self.lanes)

    @property
    def seen(self) -> float | None:
        """When the lane that has been silent for longest took or gave something; None: all idle."""
        return min((lane.seen for lane in self.lanes if lane.how is not None), default=None)

    def add(self, job: Job) -> None:
        """Let a job wait."""
        with self._lock:
            kind = self._kinds.setdefault(job.how, _Kind())
            kind.texts += len(job.requests)
            self._append(kind, job)

    def withdraw(self, job: Job) -> None:
        """Forget a job that nobody waits for any more; what has been taken is taken."""
        with self._lock:
            kind = self._kinds.get(job.how)
            if kind is not None:
                kind.texts -= len(job.requests) - job.taken
                job.taken, job.left = len(job.requests), 0
                self._tidy(job.how, kind)

    def pause(self) -> None:
        """Let lanes take nothing, until `resume` has been called as often."""
        with self._lock:
            self._pauses += 1

    def resume(self) -> None:
        """Let lanes take what waits."""
        with self._lock:
            self._pauses -= 1

    def begin(self, lane: Lane) -> Place | None:
        """Take the text that has waited longest, if one may, for a lane that does nothing."""
        with self._lock:
            return None if lane.how else self._begin(lane)

    def end(self, lane: Lane) -> Place | None:
        """Hear that a lane has nothing under way; take the next text for it, if one may."""
        with self._lock:
            lane.how = None
            return self._begin(lane)

    def more(self, lane: Lane, free: int) -> list[Place]:
        """Take no more than so many texts that are translated as those of the lane are."""
        with self._lock:
            assert lane.how is not None
            lane.seen = self._clock()
            if self._pauses or lane.how not in self._kinds or self._oldest() != lane.how:
                return []
            kind = self._kinds[lane.how]
            alike = [one for one in self.lanes if one.how in (None, lane.how)]
            share = -(-(kind.texts + sum(one.texts for one in alike)) // len(alike))
            return self._take(lane, kind, min(free, share - lane.texts))

    def done(self, lane: Lane, place: Place) -> None:
        """Hear that a text is not under way any more."""
        job, at = place
        with self._lock:
            lane.texts -= 1
            lane.seen = self._clock()
            self._size -= job.sizes[at] * job.how.rows

    def _begin(self, lane: Lane) -> Place | None:
        how = self._oldest()
        if self._pauses or how is None:
            return None
        lane.how = how
        taken = self._take(lane, self._kinds[how], 1)
        if not taken:
            lane.how = None
            return None
        return taken[0]

    def _append(self, kind: _Kind, job: Job) -> None:
        self._turn += 1
        kind.turns.append((self._turn, job))

    def _oldest(self) -> How | None:
        """Return how that is to be translated which has waited longest."""
        if len(self._kinds) == 1:
            return next(iter(self._kinds))
        return min(self._kinds, key=lambda how: self._kinds[how].turns[0][0], default=None)

    def _take(self, lane: Lane, kind: _Kind, count: int) -> list[Place]:
        taken: list[Place] = []
        how = lane.how
        assert how is not None
        while len(taken) < count and kind.turns:
            _, job = kind.turns[0]
            if job.taken < len(job.requests):
                size = job.sizes[job.taken] * how.rows
                if self._size and self._size + size > self._most:
                    break
                self._size += size
                taken.append((job, job.taken))
                job.left -= job.sizes[job.taken]
                job.taken += 1
            kind.turns.popleft()
            if job.taken < len(job.requests):
                self._append(kind, job)
        kind.texts -= len(taken)
        lane.texts += len(taken)
        lane.seen = self._clock()
        self._tidy(how, kind)
        return taken

    def _tidy(self, how: How, kind: _Kind) -> None:
        """Forget jobs at the head that have no texts left, and a kind of which nothing waits."""
        while kind.turns and kind.turns[0][1].taken == len(kind.turns[0][1].requests):
            kind.turns.popleft()
        if not kind.turns:
            self._kinds.pop(how, None)
