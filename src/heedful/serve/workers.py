"""The threads of a model that translate batches, each one of its own, and who of them does what.

A batch that ends is looked over, written down and answered by Python while the other threads
compute. With 64 clients two cores are busier than with one batch on both of them at a time, by 0.2
of a core, and answer about a tenth more.
"""

__all__ = ["Worker", "Workers"]

import asyncio
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field
from typing import TypeVar

from heedful.serve.model_thread import ModelThread

Result = TypeVar("Result")


@dataclass(eq=False)
class Worker:
    """One thread, and since when it does what it does."""

    thread: ModelThread
    began: float | None = None
    """None: it does nothing."""
    texts: int = 0
    """Those of its batch."""
    turn: asyncio.Lock = field(default_factory=asyncio.Lock)
    """Held while it computes."""


class Workers:
    """The threads of one model."""

    def __init__(self, name: str) -> None:
        self._name = name
        self._every: list[Worker] = []

    def add(self, count: int) -> None:
        """Begin with so many more, in the running event loop."""
        self._every += [Worker(ModelThread(self._name)) for _ in range(count)]

    def close(self) -> None:
        """Let every thread end after what it has begun."""
        for worker in self._every:
            worker.thread.close()

    def __iter__(self) -> Iterator[Worker]:
        return iter(self._every)

    @property
    def first(self) -> Worker:
        """Return the thread that shows that the model works."""
        return self._every[0]

    @property
    def idle(self) -> bool:
        """Whether no batch is being translated."""
        return all(worker.began is None for worker in self._every)

    @property
    def busy(self) -> bool:
        """Whether a thread is in the middle of something."""
        return any(worker.thread.busy for worker in self._every)

    @property
    def seen(self) -> float | None:
        """When what has been computed for longest was begun; None: nothing is being computed."""
        return min((one.began for one in self._every if one.began is not None), default=None)

    def share(self, texts: int) -> int:
        """Return how many of so many texts that wait are for a thread that does nothing."""
        return -(-(texts + sum(worker.texts for worker in self._every)) // len(self._every))

    @asynccontextmanager
    async def at_work(self, worker: Worker, texts: int, began: float) -> AsyncIterator[None]:
        """Let a thread compute for the block; who is cancelled in it has not ended."""
        worker.texts, worker.began = texts, began
        async with worker.turn:
            yield
        worker.texts, worker.began = 0, None

    async def alone(self, function: Callable[[], Result]) -> Result:
        """Return what a function returns in the first thread, while none computes anything else."""
        async with AsyncExitStack() as stack:
            for worker in self._every:
                await stack.enter_async_context(worker.turn)
            return await self.first.thread.run(function)
