"""The traces that the server keeps for the questions to come, and who waits for a new one.

Traces come in and get names; the oldest leave. Nothing is written to a disk.
"""

__all__ = ["MOST", "Kept", "Pages", "Traced"]

from collections import OrderedDict
from itertools import count
from secrets import token_hex
from threading import Lock
from typing import NamedTuple

from heedful.inspect.trace import Trace
from heedful.playground.refused import NamedRefusalError
from heedful.search import Client

MOST = 16
"""Traces that are kept."""

MOST_BYTES = 1 << 29
"""Of tensors that the traces may hold together."""

PAGES = 256
"""Pages of which it is known what they asked last."""


class Traced(NamedTuple):
    """A trace, and whose model it is of."""

    model: str
    trace: Trace


class Kept:
    """Keeps the traces that were asked for last; any thread may ask."""

    def __init__(self, most: int = MOST, most_bytes: int = MOST_BYTES) -> None:
        self._most, self._most_bytes = most, most_bytes
        self._own, self._numbers = token_hex(4), count(1)
        self._kept: OrderedDict[str, Traced] = OrderedDict()  # the one used last is the last
        self._lock = Lock()

    def __len__(self) -> int:
        return len(self._kept)

    def name(self) -> str:
        """Return a name for a trace that is being made; none of another process is the same."""
        return f"{self._own}-{next(self._numbers)}"

    def keep(self, name: str, traced: Traced) -> None:
        """Keep a trace, in place of the oldest if there are too many; the newest always stays."""
        with self._lock:
            self._kept[name] = traced
            self._kept.move_to_end(name)
            while len(self._kept) > 1 and self._too_many():
                self._kept.popitem(last=False)

    def find(self, name: str) -> Traced:
        """Return a trace; raises RefusalError for one that is not kept any more."""
        with self._lock:
            found = self._kept.get(name)
            if found is None:
                raise NamedRefusalError(404, "trace", "this trace is no longer kept; ask again")
            self._kept.move_to_end(name)
            return found

    def _too_many(self) -> bool:
        size = sum(_bytes(one.trace) for one in self._kept.values())
        return len(self._kept) > self._most or size > self._most_bytes


def _bytes(trace: Trace) -> int:
    tensors = [trace.log_probs]
    for look in trace.looks.values():
        tensors += [look.query, look.key, look.value]
        tensors += [one for one in (look.mask, look.bias) if one is not None]
    return sum(one.numel() * one.element_size() for one in tensors)


class Pages:
    """Knows who waits for the newest trace of every page; used in one thread alone."""

    def __init__(self) -> None:
        self._newest: OrderedDict[str, Client] = OrderedDict()

    def ask(self, page: str, client: Client) -> None:
        """Let a page wait for a new trace: what it asked before is given up."""
        before = self._newest.pop(page, None)
        if before is not None:
            before.leave()
        self._newest[page] = client
        while len(self._newest) > PAGES:
            self._newest.popitem(last=False)
