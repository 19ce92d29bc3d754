"""One thread that a model computes in, asked from an event loop.

A function comes in, its result comes back where it is awaited; each `Batcher` has one.
"""

__all__ = ["CrashError", "ModelThread"]

import asyncio
from collections.abc import Callable
from contextlib import suppress
from queue import SimpleQueue
from threading import Thread
from typing import TypeVar

Result = TypeVar("Result")


class CrashError(Exception):
    """What a thread ended with that is no `Exception`, such as a panic of compiled code."""


class ModelThread:
    """Runs functions one after another. It does not keep the process alive."""

    def __init__(self, name: str) -> None:
        self._calls: SimpleQueue[Callable[[], None] | None] = SimpleQueue()
        self.busy = False
        """Whether a function is running."""
        self._thread = Thread(target=self._work, name=f"model {name}", daemon=True)
        self._thread.start()

    async def run(self, function: Callable[[], Result]) -> Result:
        """Return what the function returns; raises what it raises, CrashError for the rest.

        When this is cancelled the function still runs to its end.
        """
        loop = asyncio.get_running_loop()
        done: asyncio.Future[Result] = loop.create_future()

        def call() -> None:
            found: Result | None = None
            failed: Exception | None = None
            try:
                found = function()
            except Exception as error:
                failed = error
            except BaseException as error:  # tokenizers panic with one that is no Exception
                failed = CrashError(type(error).__name__)
            with suppress(RuntimeError):  # the loop has ended, nobody waits
                loop.call_soon_threadsafe(_settle, done, found, failed)

        self._calls.put(call)
        return await done

    def close(self) -> None:
        """Let the thread end after what it has begun."""
        self._calls.put(None)

    def _work(self) -> None:
        while (call := self._calls.get()) is not None:
            self.busy = True
            call()
            self.busy = False


def _settle(done: "asyncio.Future[Result]", found: Result | None, failed: Exception | None) -> None:
    if done.done():
        return
    if failed is not None:
        done.set_exception(failed)
    else:
        done.set_result(found)  # type: ignore[arg-type]  # it is a Result where nothing failed
