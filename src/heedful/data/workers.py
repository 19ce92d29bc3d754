"""Work on a stream of pieces, shared among processes, with the results in the order of the pieces.

The first pieces are worked on here, so that a small corpus starts no process; a process that is
lost costs time, never a result. Called by the survey and the token store.
"""

__all__ = ["in_order", "portions", "usable_cores"]

import multiprocessing
import os
import signal
import sys
import threading
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from contextlib import contextmanager
from itertools import chain, islice
from types import ModuleType
from typing import Any, TypeVar

Piece = TypeVar("Piece")
Result = TypeVar("Result")

MOST = 16
"""Processes at most: the one that reads and writes keeps no more busy, and each takes 50 MB."""


def in_order(
    work: Callable[[Piece], Result],
    pieces: Iterable[Piece],
    say: Callable[[str], None],
    *,
    here: int,
    processes: int | None = None,
) -> Iterator[Result]:
    """Yield `work(piece)` of every piece, in order; `processes` is the cores if not given.

    The first `here` pieces are worked on before others are started, which takes a second or two.
    `work` is sent to each process once, so it and the pieces must be plain data and importable
    functions. `say` is told when a process was lost: the work then goes on in this one.
    """
    waiting = iter(pieces)
    yield from map(work, islice(waiting, here))
    first = list(islice(waiting, 1))
    if not first:
        return
    rest = chain(first, waiting)
    count = processes or min(usable_cores(), MOST)
    alone = count == 1 or multiprocessing.current_process().daemon  # which may start no others
    yield from map(work, rest) if alone else _shared(work, rest, say, count)


def portions(
    items: Iterable[Piece], size_of: Callable[[Piece], int], count: int, most: int
) -> Iterator[list[Piece]]:
    """Yield `count` items at a time, fewer when their sizes add up to more than `most`."""
    portion: list[Piece] = []
    size = 0
    for item in items:
        portion.append(item)
        size += size_of(item)
        if len(portion) == count or size > most:
            yield portion
            portion, size = [], 0
    if portion:
        yield portion


def _shared(
    work: Callable[[Piece], Result],
    pieces: Iterator[Piece],
    say: Callable[[str], None],
    processes: int,
) -> Iterator[Result]:
    """Keep every process busy with at most a few pieces waiting, so that memory is bounded."""
    spawn = multiprocessing.get_context("spawn")
    pool = ProcessPoolExecutor(processes, spawn, initializer=_begin, initargs=(work,))
    going: deque[tuple[Piece, Future[Result] | None]] = deque()
    lost = False
    try:
        while True:
            while len(going) < 2 * processes + 2 and (piece := next(pieces, None)) is not None:
                going.append((piece, None if lost else _submitted(pool, piece)))
            if not going:
                return
            piece, future = going.popleft()
            try:
                result = work(piece) if future is None else future.result()
            except BrokenProcessPool:
                if not lost:
                    say("a working process was lost: going on without")
                lost, result = True, work(piece)
            yield result
    finally:
        pool.shutdown(wait=True, cancel_futures=True)


def _submitted(pool: ProcessPoolExecutor, piece: Any) -> "Future[Any] | None":
    try:
        with _beginning():
            return pool.submit(_one, piece)
    except (BrokenProcessPool, OSError):
        return None


@contextmanager
def _beginning() -> Iterator[None]:
    """Let processes that begin here run nothing of the caller's script, and no Ctrl-C.

    A new process would run the caller's main module again, for functions that it does not need;
    and it is busy with imports for a second before it can ignore an interruption.
    """
    main, blocked = sys.modules.get("__main__"), hasattr(signal, "pthread_sigmask")
    sys.modules["__main__"] = ModuleType("__main__")
    before = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT}) if blocked else set()
    try:
        yield
    finally:
        if blocked:
            signal.pthread_sigmask(signal.SIG_SETMASK, before)
        if main is None:
            del sys.modules["__main__"]
        else:
            sys.modules["__main__"] = main


_WORK: list[Callable[[Any], Any]] = []


def _begin(work: Callable[[Any], Any]) -> None:
    """Make this process ready: it ends with the one that started it, and leaves Ctrl-C to it."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    if hasattr(signal, "pthread_sigmask"):
        signal.pthread_sigmask(signal.SIG_UNBLOCK, {signal.SIGINT})
    os.environ["TOKENIZERS_PARALLELISM"] = "false"  # a process a core already
    threading.Thread(target=_end_with_parent, daemon=True).start()
    _WORK.append(work)


def _end_with_parent() -> None:
    parent = multiprocessing.parent_process()
    if parent is not None:
        parent.join()
    os._exit(1)


def _one(piece: Any) -> Any:
    return _WORK[-1](piece)


def usable_cores() -> int:
    """Return how many cores this process may use."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1
