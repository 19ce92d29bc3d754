"""The kernels of translating are loaded, or compiled once for this machine, beside other work.

numba compiles at a kernel's first call, half a minute for all of them the first time on a machine
and a second or two from its cache later. Nobody waits for it: `ready` starts a thread that calls
every kernel on a few numbers, and says whether it has ended. `heedful.decode.engine` asks.
"""

__all__ = ["are_ready", "ready"]

import threading
from functools import cache
from typing import Any

import numpy as np

from heedful.kernels import available

Array = np.ndarray[Any, np.dtype[np.float32]]

_DONE = threading.Event()


def ready(*, wait: bool = False) -> bool:
    """Return whether all kernels can be called without delay; the first call sets to work."""
    if not available():
        return False
    thread = _begun()
    if wait:
        thread.join()
    return are_ready()


def are_ready() -> bool:
    """Return whether all kernels can be called without delay; nothing is begun."""
    return _DONE.is_set()


@cache
def _begun() -> threading.Thread:
    thread = threading.Thread(target=_call_all, name="kernels", daemon=True)
    thread.start()
    return thread


def _call_all() -> None:
    """Call each kernel with the types that `heedful.decode.fused` calls it with."""
    from heedful.kernels.attention import attend_across, attend_back, attend_within
    from heedful.kernels.rows import activate, add_and_normalise, best_of_rows, normalise

    row, none, table = np.ones(2, np.float32), np.zeros(0, np.float32), np.zeros((0, 2), np.float32)
    ones = np.ones(1, np.float32)

    def rows(width: int) -> Array:
        return np.ones((1, width), np.float32)

    def sums(width: int) -> tuple[Array, Array, Array, Array]:
        return rows(width), ones, np.ones(width, np.float32), np.ones(width, np.float32)

    starts, sentences = np.array([0, 1]), np.zeros(1, np.int64)
    places, past = np.zeros((1, 1), np.int32), np.zeros((1, 1, 2), np.float32)
    turn = np.zeros((0, 1), np.float32)
    joint = sums(6)
    attend_within(*joint, 1, 1, starts, turn, turn, ones, table, rows(2))
    attend_back(*joint, 1, 1, 0, places, past, past, turn, turn, ones, table, rows(2))
    attend_across(*sums(2), 1, 1, rows(4), 0, sentences, starts, rows(2))
    normalise(rows(2), none, none, 0.0, False, rows(2))
    add_and_normalise(*sums(2), rows(2), row, row, 1.0, True, True, rows(2))
    activate(*sums(2), 0, rows(2))
    best_of_rows(rows(2), sentences, rows(1), np.zeros((1, 1), np.int64))
    _DONE.set()
