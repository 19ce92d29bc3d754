"""Requests of many clients to a model that writes: their texts go on together, step by step.

Prompts with how to go on come in, parts of texts go out as they become certain. Between two steps
whoever has waited longest is let in, as long as there is room, and whoever has left is let go. What
a step fails on is tried text by text, so that who is to blame is refused alone. `openai` asks.
Nothing here knows HTTP.
"""

__all__ = ["Scribe"]

import asyncio
import contextlib
import logging
import time
from collections import deque
from collections.abc import AsyncGenerator, Awaitable, Callable
from functools import partial
from typing import TypeVar

import numpy as np

from heedful.decode.company import SPARE, Company, Manner, Member
from heedful.errors import HeedfulError, lacks_memory
from heedful.serve.jobs import Batch
from heedful.serve.limits import ServerLimits
from heedful.serve.model_thread import ModelThread
from heedful.serve.refusal import RefusalError, refusal_of
from heedful.serve.served import Served
from heedful.serve.texts import Ask, Grown, Row, Work, grow, hand_over, rows_of
from heedful.writer import Writer

log = logging.getLogger("heedful.serve")

Result = TypeVar("Result")


class Scribe(Served):
    """Lets the requests for one model that writes share its time.

    `told` is called with every company, `sleep` waits between attempts to use a model that failed.
    """

    def __init__(
        self,
        name: str,
        writer: Writer,
        limits: ServerLimits,
        *,
        told: Callable[[Batch], None] = lambda _: None,
        sleep: Callable[[float], Awaitable[None]] = asyncio.sleep,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        super().__init__(name, limits, sleep, clock)
        self.writer, self._told = writer, told
        self._asked: set[Work] = set()
        self._waiting: deque[Row] = deque()
        self._suspects: deque[Row] = deque()  # one of them is to blame for a failure
        self._rows: list[Row] = []  # those of the company, in its order
        self._company = Company(writer.model, writer.forbidden)
        self._since: float | None = None
        self._asides = 0
        self._more = asyncio.Event()
        self._thread: ModelThread | None = None
        self._task: asyncio.Task[None] | None = None

    # How it stands

    @property
    def idle(self) -> bool:
        """Whether nothing waits and nothing is being written."""
        return not self._asked and not self._asides and self._began is None

    @property
    def computing(self) -> bool:
        """Whether the model's thread is in the middle of something, whoever waits for it."""
        return self._thread is not None and self._thread.busy

    @property
    def pending(self) -> int:
        """Requests that have not been answered in whole."""
        return len(self._asked) + self._asides

    # Beginning and end

    def start(self) -> None:
        """Begin to work, in the running event loop; it is ready once the model has shown it."""
        self._thread = ModelThread(self.name)
        self._task = asyncio.create_task(self._serve(self._thread), name=f"scribe {self.name}")

    async def stop(self) -> None:
        """End; what still waits is refused."""
        self.drain()
        if self._task is not None:
            self._task.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await self._task
        for work in self._asked:
            work.fail(self.refusal("the server is stopping"))
        if self._thread is not None:
            self._thread.close()

    # Asking

    async def write(self, ask: Ask) -> AsyncGenerator[Grown]:
        """Yield what becomes certain of the texts, in the order in which it does.

        Raises RefusalError at once if the queue is full or the model is not ready, and when it has
        taken too long. Whoever stops waiting leaves at the next step of the model.
        """
        began = asyncio.get_running_loop().time()
        until = began + self.limits.request_seconds  # until its first part
        self.check(sum(map(len, ask.prompts)))
        work = Work(len(ask.prompts) * ask.count)
        self._waiting += rows_of(ask, work, self.writer)
        self._asked.add(work)
        self._more.set()
        try:
            while work.rows or not work.happened.empty():
                one = await self._next(work, until)
                if isinstance(one, RefusalError):
                    raise one
                until = began + self.limits.writing_seconds
                yield one
        finally:
            work.gone = True
            self._asked.discard(work)
            self._more.set()

    async def aside(self, function: Callable[[], Result]) -> Result:
        """Return what a function returns that computes with the model, between two steps.

        Raises RefusalError if the server is stopping, else what the function raises.
        """
        if self._draining or self._thread is None:
            raise self.refusal("the server is stopping")
        self._asides += 1
        try:
            return await self._thread.run(function)
        finally:
            self._asides -= 1

    def check(self, size: int) -> None:
        """Raise RefusalError unless a request may wait, of so many pieces."""
        self.refuse_unless_open()
        waiting = sum(len(row.member.prompt) for row in self._waiting)
        full = waiting > 0 and waiting + size > self.limits.queue_tokens
        if full or self.pending >= self.limits.queue:
            raise self.refusal("too many requests are waiting", status=429)

    async def _next(self, work: Work, until: float) -> Grown | RefusalError:
        try:
            async with asyncio.timeout_at(until):
                return await work.happened.get()
        except TimeoutError:
            raise self.refusal("the server was too busy to answer in time") from None

    # Writing

    async def _serve(self, thread: ModelThread) -> None:
        await self._recover(thread, self._prove, self._asked)
        while True:
            if self._suspects:
                await self._try(thread, self._suspects.popleft())
                continue
            gone = self._leaving()
            fresh = self._fresh()
            if fresh or self._rows:
                await self._step(thread, fresh, gone)
                continue
            self._dismiss()
            self._began = None
            self._more.clear()
            await self._more.wait()

    def _leaving(self) -> list[Row]:
        """Return who does not go on: nobody waits for them, or they are to wait again.

        Texts that have grown too long together wait again, the latest comers first.
        """
        going = [row for row in self._rows if row.wanted]
        longest = max((row.positions for row in going), default=0)
        while len(going) > 1 and len(going) * longest > self.limits.batch_tokens:
            self._waiting.appendleft(going.pop())
        gone = [row for row in self._rows if row not in going]
        if gone:
            self._tell()
            self._rows = going
        return gone

    def _fresh(self) -> list[Row]:
        """Return who is let in: the first comers, as long as there is room."""
        fresh: list[Row] = []
        longest = max((row.positions for row in self._rows), default=0)
        while self._waiting:
            row = self._waiting[0]
            if row.wanted:
                longest = max(longest, row.positions)
                count = len(self._rows) + len(fresh)
                if count and (count + 1) * (longest + SPARE) > self.limits.batch_tokens:
                    break
                fresh.append(row)
            self._waiting.popleft()
        return fresh

    async def _step(self, thread: ModelThread, fresh: list[Row], gone: list[Row]) -> None:
        """Let every text grow by a piece, those that are let in too."""
        if fresh:
            self._tell()
            self._rows = [*self._rows, *fresh]
        self._began = self._clock()
        if self._since is None:
            self._since = self._began
        found: list[tuple[Row, Grown]] = []
        work = partial(grow, self._company, self._rows, fresh, gone, found)
        failed: Exception | None = None
        try:
            await thread.run(work)
        except Exception as error:
            failed = error
        for row, grown in found:  # also what became certain before it failed
            hand_over(row, grown)
        if failed is not None:
            await self._failed(thread, failed)

    async def _try(self, thread: ModelThread, row: Row) -> None:
        """Let a text alone grow by a piece; if that can be done it may go on with the others."""
        if row.wanted:
            await self._step(thread, [row], [])
            if row.wanted:
                self._waiting.appendleft(row)
            self._dismiss()

    async def _failed(self, thread: ModelThread, error: Exception) -> None:
        """Find out which text is to blame for a failure, once the model works; refuse it alone."""
        what = "lack of memory" if lacks_memory(error) else type(error).__name__
        log.error("the model %s failed (%s) on %d texts", self.name, what, len(self._rows))
        rows = [row for row in self._rows if row.wanted]
        self._dismiss()
        if len(rows) > 1:
            self._suspects.extend(rows)
        for row in rows[: len(rows) == 1]:
            if isinstance(error, HeedfulError):
                row.work.fail(refusal_of(error))
            else:
                row.work.fail(self.refusal("the model failed on this request"))
        await self._recover(thread, self._prove, self._asked)

    def _dismiss(self) -> None:
        """Let all go, and their caches."""
        self._tell()
        self._rows, self._company = [], Company(self.writer.model, self.writer.forbidden)

    def _tell(self) -> None:
        """Tell who has been going on together since that changed."""
        if self._since is not None:
            requests = len({id(row.work) for row in self._rows})
            self._told(Batch(len(self._rows), requests, self._clock() - self._since))
        self._since = None

    def _prove(self) -> None:
        """Write a piece, to show that it can."""
        company = Company(self.writer.model, self.writer.forbidden)
        company.advance([Member([self.writer.begin_id or 0], Manner(), np.zeros(0))])
