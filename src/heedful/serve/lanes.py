"""Threads that translate what comes, each letting in what has come by then: a lane for each core.

Jobs come in from the event loop, their translations come back to it as each ends. `batcher` gives
what can be translated so, and mends what a lane has failed on. Who takes what is for `desk` to say.
"""

__all__ = ["Failed", "Lanes", "Owner"]

import asyncio
from collections import deque
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager, suppress
from functools import partial
from queue import SimpleQueue
from threading import Thread
from typing import NamedTuple, Protocol

from heedful.flowing import Feed
from heedful.request import Request
from heedful.serve.desk import Desk, Lane
from heedful.serve.jobs import Batch, How, Job, Place
from heedful.serve.model_thread import CrashError
from heedful.translation import Translation


class Failed(NamedTuple):
    """What a lane had under way when it failed."""

    how: How
    places: list[Place]
    error: Exception


class Owner(Protocol):
    """Who is told of what lanes have done, in the event loop."""

    def found(self, place: Place, translation: Translation) -> None:
        """Take a translation."""
        ...

    def told(self, batch: Batch) -> None:
        """Hear what a lane has had under way together, until it let others in."""
        ...

    def failed(self) -> None:
        """Hear that there is something in `failures`."""
        ...


class Lanes:
    """The lanes of a model; `run` translates what a feed brings, in the thread that calls it."""

    def __init__(
        self,
        name: str,
        desk: Desk,
        run: Callable[[How, Feed], None],
        owner: Owner,
        clock: Callable[[], float],
    ) -> None:
        self.desk, self.clock = desk, clock
        self.failures: deque[Failed] = deque()
        """The lanes are paused once for each."""
        self._run, self._owner = run, owner
        self._outbox: deque[tuple[Place, Translation] | Batch] = deque()
        self._posted = False
        self._quiet = asyncio.Event()
        self._loop = asyncio.get_running_loop()
        self._calls: dict[Lane, SimpleQueue[Place | None]] = {}
        for number, lane in enumerate(desk.lanes):
            self._calls[lane] = SimpleQueue()
            work = partial(self._work, lane, self._calls[lane])
            Thread(target=work, name=f"lane {number} {name}", daemon=True).start()

    def add(self, job: Job) -> None:
        """Let a job wait, and begin with it where a lane does nothing."""
        self.desk.add(job)
        self._wake()

    def close(self) -> None:
        """Let every thread end after what it has begun."""
        self.desk.pause()
        for calls in self._calls.values():
            calls.put(None)

    @asynccontextmanager
    async def paused(self, *, quiet: bool) -> AsyncIterator[None]:
        """Let nothing begin meanwhile; `quiet`: not before what has begun has ended."""
        self.desk.pause()
        try:
            if quiet:
                await self.quiet()
            yield
        finally:
            self.resume()

    async def quiet(self) -> None:
        """Return when no lane does anything; whoever waits for it has paused them."""
        while not self.desk.idle:
            self._quiet.clear()
            await self._quiet.wait()

    def resume(self) -> None:
        """Let lanes begin again."""
        self.desk.resume()
        self._wake()

    def post(self) -> None:
        """Let the event loop look, in any thread."""
        if not self._posted:
            self._posted = True
            with suppress(RuntimeError):  # the loop has ended, nobody waits
                self._loop.call_soon_threadsafe(self._deliver)

    def put(self, one: tuple[Place, Translation] | Batch) -> None:
        """Give the event loop something, once it looks."""
        self._outbox.append(one)

    def _wake(self) -> None:
        for lane, calls in self._calls.items():
            if lane.how is None:
                place = self.desk.begin(lane)
                if place is None:
                    return
                calls.put(place)

    def _deliver(self) -> None:
        self._posted = False  # first: whoever puts something in after this posts again
        while self._outbox:
            one = self._outbox.popleft()
            if isinstance(one, Batch):
                self._owner.told(one)
            else:
                self._owner.found(*one)
        if self.failures:
            self._owner.failed()
        self._wake()  # a lane may have been idle for want of room
        if self.desk.idle:
            self._quiet.set()

    def _work(self, lane: Lane, calls: "SimpleQueue[Place | None]") -> None:
        while (place := calls.get()) is not None:
            while place is not None:
                self._flow(lane, place)
                place = self.desk.end(lane)
                self.post()

    def _flow(self, lane: Lane, place: Place) -> None:
        """Translate a text, and what comes meanwhile."""
        assert lane.how is not None
        feed, failed = _Feed(self, lane, place), None
        try:
            self._run(lane.how, feed)
        except Exception as error:
            failed = error
        except BaseException as error:  # tokenizers panic with one that is no Exception
            failed = CrashError(type(error).__name__)
        feed.tell()
        if failed is not None:
            self.desk.pause()
            self.failures.append(Failed(lane.how, feed.give_up(), failed))


class _Feed:
    """What one lane is given, from its first text until it has none under way."""

    def __init__(self, lanes: Lanes, lane: Lane, first: Place) -> None:
        self._lanes, self._lane, self._first = lanes, lane, [first]
        self._under_way: dict[int, Place] = {}
        self._come = 0
        self._since: tuple[int, int, float] | None = None
        """Texts under way, of how many requests, and since when."""
        self._ended = False
        """Whether one of them has ended."""

    def more(self, free: int) -> list[Request]:
        """Return what may come in."""
        self._lanes.post()
        places, self._first = self._first, []
        places = places or self._lanes.desk.more(self._lane, free)
        if not places:
            return []
        if self._ended:
            self.tell()
        began = self._since[2] if self._since else self._lanes.clock()
        for place in places:
            self._under_way[self._come] = place
            self._come += 1
        jobs = {id(job) for job, _ in self._under_way.values()}
        self._since = len(self._under_way), len(jobs), began
        return [job.text(at) for job, at in places]

    def done(self, number: int, translation: Translation) -> None:
        """Hand a translation over."""
        self._ended = True
        place = self._under_way.pop(number)
        self._lanes.desk.done(self._lane, place)
        self._lanes.put((place, translation))

    def tell(self) -> None:
        """Tell what has been under way since something came in."""
        if self._since is not None:
            texts, requests, began = self._since
            self._lanes.put(Batch(texts, requests, self._lanes.clock() - began))
            self._since, self._ended = None, False

    def give_up(self) -> list[Place]:
        """Return what has not been translated; it is not under way any more."""
        places = [*self._first, *self._under_way.values()]
        for place in places:
            self._lanes.desk.done(self._lane, place)
        return places
