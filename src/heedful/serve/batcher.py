"""Requests of many clients share a model: what is asked for alike is translated together.

Texts with how to translate them come in, translations go out in the order of each request. While
few requests wait, each is let in beside those under way, by a thread for each core (`lanes`): it
need not wait for a batch to end. Of many, and of what the engine cannot do so, batches are made for
the threads of the model (`workers`), which take less time in all. What one of them fails on is
parted here.
`native` and `libretranslate` ask, `translating` computes. Nothing here knows HTTP, and tests give
an engine of their own.
"""

__all__ = ["Batcher", "Engine", "How"]

import asyncio
import contextlib
import logging
import time
from collections import deque
from collections.abc import AsyncGenerator, Awaitable, Callable, Sequence
from functools import partial
from typing import Any, TypeVar

from heedful.errors import HeedfulError, lacks_memory
from heedful.request import Request
from heedful.serve.desk import Desk
from heedful.serve.jobs import Batch, Engine, How, Job, Place, groups
from heedful.serve.lanes import Lanes
from heedful.serve.limits import ServerLimits
from heedful.serve.refusal import RefusalError, refusal_of
from heedful.serve.served import Served
from heedful.serve.workers import Worker, Workers
from heedful.translation import Translation

MOST_CRASHES = 32
"""Crashes of a batch after which no part of it is parted any more: enough to find three texts that
are to blame among 1,024."""

FEW = 16
"""Requests up to which each is let in beside the others. With 64 clients and a beam, to let in all
took 1.4 times the processor's time of batches; with 8 clients 0.95 times."""

AT_ONCE = 2_000
"""Characters that are cut into pieces in the event loop: to hand them to a thread takes longer."""

log = logging.getLogger("heedful.serve")

Result = TypeVar("Result")


class Batcher(Served):
    """Lets the requests for one model share its time.

    `told` is called with every batch, `sleep` waits between attempts to use a model that failed.
    """

    def __init__(
        self,
        name: str,
        engine: Engine,
        limits: ServerLimits,
        *,
        told: Callable[[Batch], None] = lambda _: None,
        sleep: Callable[[float], Awaitable[None]] = asyncio.sleep,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        super().__init__(name, limits, sleep, clock)
        self._engine, self._told = engine, told
        self._jobs: dict[Job, None] = {}  # all that are not answered, the first comer first
        self._asides: set[asyncio.Future[Any]] = set()  # what else the model's thread has to do
        self._more = asyncio.Event()
        self._workers = Workers(name)
        self._desk = Desk(engine.lanes, limits.batch_tokens, clock)
        self._lanes: Lanes | None = None
        self._task: asyncio.Task[None] | None = None

    # How it stands

    @property
    def idle(self) -> bool:
        """Whether nothing waits and nothing is being translated."""
        waits = self._jobs or self._asides
        return not waits and self._workers.idle and self._desk.idle

    @property
    def computing(self) -> bool:
        """Whether a thread of the model is in the middle of something, whoever waits for it."""
        return self._workers.busy or not self._desk.idle

    @property
    def pending(self) -> int:
        """Requests that have not been answered in whole."""
        return len(self._jobs)

    @property
    def _seen(self) -> float | None:
        both = (self._workers.seen, self._desk.seen)
        return min((one for one in both if one is not None), default=None)

    # Beginning and end

    def start(self) -> None:
        """Begin to work, in the running event loop; it is ready once the model has shown it."""
        self._workers.add(1)
        self._lanes = Lanes(self.name, self._desk, self._engine.flow, self, self._clock)
        work = self._serve(self._lanes)
        self._task = asyncio.create_task(work, name=f"batcher {self.name}")

    async def stop(self) -> None:
        """End; what still waits is refused."""
        self.drain()
        if self._task is not None:
            self._task.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await self._task
        for job in self._jobs:
            job.fail(self.refusal("the server is stopping"))
        if self._lanes is not None:
            self._workers.close()
            self._lanes.close()

    # Asking

    async def translate(self, requests: Sequence[Request], how: How) -> list[Translation]:
        """Return the translation of every text; see `stream`."""
        return [found async for found in self.stream(requests, how)]

    async def stream(self, requests: Sequence[Request], how: How) -> AsyncGenerator[Translation]:
        """Yield the translation of every text, in order, as soon as it is there.

        Raises RefusalError at once if the queue is full or the model is not ready, for a text that
        is too long, and when it has taken too long. Whoever stops waiting leaves the queue, and
        what the model has begun for them it gives up at its next step.
        """
        until = asyncio.get_running_loop().time() + self.limits.request_seconds
        self._check(None)
        texts = [one.text for one in requests]
        sizes = await self._sizes(texts, how)
        for number, size in enumerate(sizes):
            if size > self.limits.tokens:
                raise RefusalError(
                    413,
                    f"text {number + 1} has {size:,} pieces and {self.limits.tokens:,} are allowed;"
                    " send it in parts",
                )
        self._check(sum(sizes))
        job = Job(list(requests), how, sizes, [None] * len(sizes), left=sum(sizes))
        self._enter(job)
        try:
            for number in range(len(sizes)):
                yield await self._answer(job, number, until)
        finally:
            if None in job.found:  # else there is nothing left to be given up
                job.client.leave()
                if job.flows:
                    self._desk.withdraw(job)
            del self._jobs[job]

    async def aside(self, function: Callable[[], Result]) -> Result:
        """Return what a function returns that computes with the model, while nothing else does.

        It may be changed for that time. Raises RefusalError if the server is stopping, else what
        the function raises.
        """
        if self._draining or self._lanes is None:
            raise self.refusal("the server is stopping")
        running = asyncio.ensure_future(self._alone(self._lanes, function))
        self._asides.add(running)
        running.add_done_callback(self._asides.discard)
        return await asyncio.shield(running)

    async def _alone(self, lanes: Lanes, function: Callable[[], Result]) -> Result:
        async with lanes.paused(quiet=True):
            return await self._workers.alone(function)

    async def _sizes(self, texts: Sequence[str], how: How) -> list[int]:
        try:
            if sum(map(len, texts)) <= AT_ONCE:
                return self._engine.sizes(texts, how)
            return await asyncio.to_thread(self._engine.sizes, texts, how)
        except HeedfulError as error:
            raise refusal_of(error) from error

    async def _answer(self, job: Job, number: int, until: float) -> Translation:
        try:
            async with asyncio.timeout_at(until):
                while (found := job.found[number]) is None:
                    if job.error is not None:
                        raise job.error
                    job.changed.clear()
                    await job.changed.wait()
                return found
        except TimeoutError:
            raise self.refusal("the server was too busy to answer in time") from None

    def _enter(self, job: Job) -> None:
        """Let a job wait."""
        self._jobs[job] = None
        few = len(self._jobs) <= FEW or self.limits.batch_tokens == 1  # one text in all lanes
        plain = all(one.plain for one in job.requests)
        if self._lanes is not None and few and plain and self._engine.flows(job.how):
            job.flows = True
            self._lanes.add(job)
        else:
            self._more.set()

    def _check(self, size: int | None) -> None:
        """Raise RefusalError unless a request may wait, of so many pieces; None: not known yet."""
        self.refuse_unless_open()
        full = len(self._jobs) >= self.limits.queue
        if not full and size is not None:
            waiting = sum(job.left for job in self._jobs)
            full = waiting > 0 and waiting + size > self.limits.queue_tokens
        if full:
            raise self.refusal("too many requests are waiting", status=429)

    # Translating

    async def _serve(self, lanes: Lanes) -> None:
        async with lanes.paused(quiet=False):
            await self._recover(self._workers.first.thread, self._engine.prove, self._jobs)
        self._workers.add(self._engine.workers - 1)
        async with asyncio.TaskGroup() as group:
            for worker in self._workers:
                group.create_task(self._work(worker, lanes))

    async def _work(self, worker: Worker, lanes: Lanes) -> None:
        """Translate batch after batch in a thread of the model."""
        while True:
            if lanes.failures:
                await self._mend(worker, lanes)
                continue
            places = self._take()
            if not places:
                self._more.clear()
                await self._more.wait()
                continue
            async with self._workers.at_work(worker, len(places), self._clock()):
                for how, some in groups(places).items():
                    await self._translate(worker, how, [some])

    async def _mend(self, worker: Worker, lanes: Lanes) -> None:
        """Try what a lane has failed on, once all are quiet; they have been paused for it."""
        failed = lanes.failures.popleft()
        await lanes.quiet()
        async with self._workers.at_work(worker, len(failed.places), self._clock()):
            parts = await self._parts(worker, failed.places, failed.error, parting=True)
            await self._translate(worker, failed.how, parts, crashes=1)
        lanes.resume()

    def _take(self) -> list[Place]:
        """Return what is translated next: a text of each request in turn, while there is room."""
        room = self.limits.batch_tokens
        places: list[Place] = []
        turn = deque(job for job in self._jobs if job.waits and not job.flows)
        most = self._workers.share(sum(len(job.requests) - job.taken for job in turn))
        while turn and len(places) < most:
            job = turn.popleft()
            size = job.sizes[job.taken]
            if places and size * job.how.rows > room:
                continue
            room -= size * job.how.rows
            places.append((job, job.taken))
            job.taken += 1
            job.left -= size
            if job.waits:
                turn.append(job)
        return places

    async def _translate(
        self, worker: Worker, how: How, parts: list[list[Place]], crashes: int = 0
    ) -> None:
        """Translate texts of the same kind, and hand the translations over.

        Where that fails they are parted, until what is to blame for it is refused alone.
        """
        while parts:
            some = [(job, at) for job, at in parts.pop() if job.wanted]
            if not some:
                continue
            worker.began = began = self._clock()
            texts = [job.text(at) for job, at in some]
            try:
                found = await worker.thread.run(partial(self._engine.translate, texts, how))
                pairs = list(zip(some, found, strict=True))
            except Exception as error:
                crashes += not isinstance(error, HeedfulError)
                parts += await self._parts(worker, some, error, parting=crashes < MOST_CRASHES)
            else:
                self._hand_over(pairs, self._clock() - began)

    async def _parts(
        self, worker: Worker, places: list[Place], error: Exception, *, parting: bool
    ) -> list[list[Place]]:
        """Return what is left to be tried of texts that were failed on, once the model works."""
        if isinstance(error, HeedfulError):
            return _blamed(places, refusal_of(error))
        parts = self._crashed(places, error, parting=parting)
        await self._recover(worker.thread, self._engine.prove, self._jobs)
        return parts

    def found(self, place: Place, translation: Translation) -> None:
        """Take a translation from a lane."""
        job, at = place
        job.found[at] = translation
        job.changed.set()

    def told(self, batch: Batch) -> None:
        """Hear from a lane what it has translated together."""
        self._told(batch)

    def failed(self) -> None:
        """Hear that a lane has failed."""
        self._more.set()

    def _hand_over(self, pairs: list[tuple[Place, Translation]], seconds: float) -> None:
        for place, translation in pairs:
            self.found(place, translation)
        self._told(Batch(len(pairs), len({id(job) for (job, _), _ in pairs}), seconds))

    def _crashed(
        self, places: list[Place], error: Exception, *, parting: bool
    ) -> list[list[Place]]:
        """Return the halves of what the model failed on; one text, or all if not, is refused."""
        what = "lack of memory" if lacks_memory(error) else type(error).__name__
        log.error("the model %s failed (%s) on %d texts", self.name, what, len(places))
        if parting and len(places) > 1:
            half = len(places) // 2
            return [places[half:], places[:half]]
        for job, _ in places:
            job.fail(self.refusal("the model failed on this request"))
        return []


def _blamed(places: Sequence[Place], refusal: RefusalError) -> list[list[Place]]:
    """Return the texts of each request, to be tried without the others; one alone is refused."""
    by_job: dict[Job, list[Place]] = {}
    for place in places:
        by_job.setdefault(place[0], []).append(place)
    if len(by_job) == 1:
        places[0][0].fail(refusal)
        return []
    return list(by_job.values())[::-1]
