"""What a model that is served has in common, whether it translates or writes.

It is ready once it has shown that it works, it can hang, it can be drained; who may not wait is
refused in the same words. `batcher` and `writing` are built on it.
"""

__all__ = ["LONGEST_PAUSE", "Served"]

import logging
from collections.abc import Awaitable, Callable, Iterable
from typing import Protocol

from heedful.serve.limits import ServerLimits
from heedful.serve.model_thread import ModelThread
from heedful.serve.refusal import RefusalError

LONGEST_PAUSE = 30.0
"""Seconds, at most, between two attempts to use a model that has failed."""

log = logging.getLogger("heedful.serve")


class _Asked(Protocol):
    """A request that is not answered yet."""

    def fail(self, error: RefusalError) -> None: ...


class Served:
    """The state of a model that is served; `sleep` waits between attempts to use one that fails."""

    def __init__(
        self,
        name: str,
        limits: ServerLimits,
        sleep: Callable[[float], Awaitable[None]],
        clock: Callable[[], float],
    ) -> None:
        self.name, self.limits = name, limits
        self._sleep, self._clock = sleep, clock
        self._works = self._draining = False
        self._began: float | None = None
        """When the thread of the model began what it is doing."""

    @property
    def ready(self) -> bool:
        """Whether requests are taken: the model has shown that it works, and does not hang."""
        return self._works and not self._draining and not self._hangs

    @property
    def _seen(self) -> float | None:
        """When what has been computed for longest was begun; None: nothing is being computed."""
        return self._began

    @property
    def _hangs(self) -> bool:
        seen = self._seen
        return seen is not None and self._clock() - seen > self.limits.request_seconds

    def drain(self) -> None:
        """Refuse what comes from now on; what has been asked is answered. Any thread may call."""
        self._draining = True

    def refusal(self, sentence: str, *, status: int = 503) -> RefusalError:
        """Return what is said to who may try again later."""
        retry = self.limits.retry_seconds
        return RefusalError(status, f"{sentence}; try again later", retry=retry)

    def refuse_unless_open(self) -> None:
        """Raise RefusalError while nothing is taken."""
        if self._draining:
            raise self.refusal("the server is stopping")
        if not self.ready:
            raise self.refusal(f"the model {self.name} is not ready")

    async def _recover(
        self, thread: ModelThread, prove: Callable[[], None], asked: Iterable[_Asked]
    ) -> None:
        """Return once the model has done something; whoever asks meanwhile is refused."""
        self._works = False
        pause = self.limits.recovery_seconds
        while True:
            self._began = None
            try:
                await thread.run(prove)
            except Exception as error:
                log.error("the model %s does not work (%s)", self.name, type(error).__name__)
                for one in asked:
                    one.fail(self.refusal(f"the model {self.name} is not ready"))
                await self._sleep(pause)
                pause = min(2 * pause, LONGEST_PAUSE)
            else:
                self._works = True
                return
