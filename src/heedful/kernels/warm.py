"""The kernels of translating are loaded, or compiled once for this machine, beside other work.

numba compiles at a kernel's first call, half a minute for all of them the first time on a machine
and a second from its cache later. `ready` starts a thread that calls every kernel on a few numbers,
and says whether it has ended; nobody waits for it to compile. `heedful.decode.engine` asks. What it
has made is kept for later processes, in which all are ready at once: see `heedful.kernels.kept`.
When the process ends, the thread stops after the kernel that it is at: one that Python ends inside
C++ code of torch or LLVM aborts the process (of one sentence, 2 of 8).
"""

__all__ = ["are_ready", "ready"]

import atexit
import threading
from collections.abc import Callable, Iterator
from functools import cache, partial
from typing import Any

import numpy as np

from heedful.kernels import available
from heedful.kernels.kept import keep, kept

Array = np.ndarray[Any, np.dtype[Any]]

_DONE = threading.Event()
_OVER = threading.Event()
"""The process ends."""


def ready(*, compiling: bool = True, wait: bool = False) -> bool:
    """Return whether all kernels can be called without delay; the first call sets to work.

    Without `compiling` they are loaded, if this machine has compiled them before, and else left
    alone.
    """
    if not are_ready():
        if kept() is not None:
            _DONE.set()
            return True
        if not available():
            return False
        thread = _begun(compiling)
        if wait:
            thread.join()
    return are_ready()


def are_ready() -> bool:
    """Return whether all kernels can be called without delay; nothing is begun."""
    return _DONE.is_set()


@cache
def _begun(compiling: bool) -> threading.Thread:
    work = _call_all if compiling else _call_if_kept
    thread = threading.Thread(target=work, name="kernels", daemon=True)
    thread.start()
    atexit.register(_end, thread)
    return thread


def _end(thread: threading.Thread) -> None:
    """Wait until the thread has let go of the compiler."""
    _OVER.set()
    thread.join()


def _call_if_kept() -> None:
    """Call each kernel if the code of the longest and of the last is found in numba's cache."""
    from heedful.kernels.beam_steps import beam_steps
    from heedful.kernels.encoder_pass import encoder_pass
    from heedful.kernels.greedy_steps import greedy_steps
    from heedful.kernels.rows import log_softmax

    if all(map(_kept, (encoder_pass, greedy_steps, beam_steps, log_softmax))):
        _call_all()


def _kept(kernel: Any) -> bool:
    """Return whether numba has this kernel's code on disk, of this source and this processor."""
    from numba.core.registry import cpu_target

    machine = cpu_target.target_context.codegen().magic_tuple()
    try:
        return any(key[1] == machine for key in kernel._cache._cache_file._load_index())
    except (AttributeError, OSError):  # numba's own affair: without an answer, nothing is loaded
        return False


def _call_all() -> None:
    """Call each kernel with the types that `heedful.decode.fused` calls it with."""
    if are_ready():
        return
    for call in _calls():
        if _OVER.is_set():
            return
        call()
    _DONE.set()
    keep()


def _calls() -> Iterator[Callable[[], object]]:
    """Yield a call of every kernel."""
    from heedful.kernels.layout import KEPT
    from heedful.kernels.product import multiply_whole
    from heedful.kernels.rows import best_of_rows, log_softmax

    yield from _calls_on_rows()
    for memory in {np.dtype(np.float32), np.dtype(KEPT)}:
        yield from _calls_on_memory(memory)
    yield _call_encoder
    yield _call_decoder
    yield _call_greedy
    yield _call_beam
    yield _call_text
    numbers, floats = np.ones((1, 1), np.int8), np.ones((1, 1), np.float32)
    yield partial(multiply_whole, numbers, floats[0], numbers, floats[0], floats[0], floats)
    ids = np.ones((1, 1), np.int64)
    yield partial(best_of_rows, floats, ids[0], floats, ids)
    yield partial(log_softmax, floats, floats)


def _calls_on_rows() -> Iterator[Callable[[], object]]:
    """Yield calls of those that a stepper calls one by one."""
    from heedful.kernels.attention import attend_within
    from heedful.kernels.listed import listed, listed_whole, union
    from heedful.kernels.rows import activate, add_and_normalise, embed, normalise
    from heedful.kernels.whole import quantise

    row, none, table = np.ones(2, np.float32), np.zeros(0, np.float32), np.zeros((0, 2), np.float32)
    ones, number = np.ones(1, np.float32), np.zeros(1, np.int64)
    whole, turn = np.ones((1, 2), np.int8), np.zeros((0, 1), np.float32)
    end = (_rows(2), whole, ones)
    yield partial(attend_within, _rows(6), 1, 1, np.array([0, 1]), turn, turn, ones, table, *end)
    yield partial(
        embed, _rows(2), number, np.float32(1), np.zeros((0, 0), np.float32), number, _rows(2)
    )
    yield partial(normalise, _rows(2), none, none, 0.0, False, *end)
    yield partial(add_and_normalise, _rows(2), _rows(2), row, row, 1.0, True, True, *end)
    yield partial(activate, _rows(2), 0, *end)
    yield partial(quantise, _rows(2), whole, ones)
    lists = (number.astype(np.int32), number, number + 1, number[None], _rows(1))
    yield partial(listed, _rows(2), _rows(2), *lists)
    for kind in (np.uint16, np.int32):
        lists_of = (np.array([0, 1], np.int32), np.zeros(1, kind), number.astype(np.int32))
        yield partial(union, *lists_of, number, np.zeros(1, np.bool_), number.astype(np.int32))
    yield partial(listed_whole, whole, whole, ones, ones, *lists)


def _rows(width: int) -> Array:
    return np.ones((1, width), np.float32)


def _calls_on_memory(kind: Any) -> Iterator[Callable[[], object]]:
    """Yield calls of those that read keys and values, kept as numbers of this kind."""
    from heedful.kernels.attention import attend_across, attend_back, keep_memory

    ones, number = np.ones(1, np.float32), np.zeros(1, np.int64)
    turn, table = np.zeros((0, 1), np.float32), np.zeros((0, 2), np.float32)
    end = (_rows(2), np.ones((1, 2), np.int8), ones)
    rows_of, past = np.zeros((1, 1), np.int32), np.zeros((1, 1, 2), kind)
    yield partial(
        attend_back,
        *(_rows(6), 1, 1, 0, number, rows_of, past, past, turn, turn, ones, table, *end),
    )
    memory = np.zeros((1, 1, 4), kind)
    yield partial(keep_memory, _rows(4), memory, 0)
    yield partial(attend_across, _rows(2), 1, 1, memory[0], number, number + 1, *end, _rows(1))


def _call_encoder() -> None:
    """Call a pass: one row, one layer, one head of width 2."""
    from heedful.kernels.encoder_pass import encoder_pass

    given = (*_stacked((6, 2, 2, 2), 2), np.array([0, 1]), *_passing())
    encoder_pass(*given)


def _call_decoder() -> None:
    """Call a step of the same size."""
    from heedful.kernels.decoder_step import decoder_step
    from heedful.kernels.layout import KEPT

    layers, number = np.zeros((1, 1, 1, 2), KEPT), np.zeros(1, np.int64)
    past = (0, number, np.zeros((1, 1), np.int32), layers, layers)
    across = (np.zeros((1, 1, 4), KEPT), number, number + 1)
    given = (*_stacked((6, 2, 2, 2, 2, 2), 3), past, across, *_passing())
    decoder_step(*given)


def _call_greedy() -> None:
    """Call steps of the same size, none of which is taken."""
    from heedful.kernels.greedy_steps import greedy_steps

    number, floats = np.zeros(1, np.int64), np.zeros(1, np.float32)
    books = (number, number, number[None], number, number, floats)
    given = (*_model(), books, *_passing(), (number, 0, 1), (number, 0))
    greedy_steps(*given)


def _call_beam() -> None:
    """Call steps of a beam of one, none of which is taken."""
    from heedful.kernels.beam_steps import beam_steps

    number, scores = np.zeros(1, np.int64), np.zeros(1)
    numbers, floats = number[None], np.zeros((1, 1), np.float32)
    books = (number, numbers, numbers[None], number, number, floats, number, scores[None])
    endings = (np.zeros((1, 4), np.int64), floats[0], scores, numbers)
    ends = ((number, 0, 1), (number, 0), (scores, scores))
    given = (*_model(), books, *_passing(), *ends, endings)
    beam_steps(*given)


def _call_text() -> None:
    """Call a step of a text: one layer, one head of width 2."""
    from heedful.kernels.text_step import text_step

    weights, scales, biases, norms, *_ = _stacked((6, 2, 2, 2), 2)
    none, past = np.zeros(0, np.float32), np.zeros((1, 1, 1, 2), np.float32)
    last = (none, none, np.zeros((1, 2), np.int8), *_rows(1), *_rows(1))
    given = (weights, scales, biases, norms, (1.0, True, 0, 1, 1), last)
    text_step(*given, (0, none, none, past, past), _rows(2), np.zeros((2, 1), np.float32))


def _model() -> tuple[Any, ...]:
    """Return what steps take of a decoder, its caches and its memory."""
    from heedful.kernels.layout import KEPT

    number, floats = np.zeros(1, np.int64), np.zeros(1, np.float32)
    table, whole, kept = _rows(2), np.zeros((1, 2), np.int8), np.zeros((1, 1, 1, 2), KEPT)
    return (
        _stacked((6, 2, 2, 2, 2, 2), 3),
        (table, np.float32(1), np.zeros((0, 0), np.float32)),
        (floats, floats, floats, floats),
        (whole, floats, floats, _rows(1)),
        (whole, np.zeros(0, np.int32), number, number, number[None]),
        (0, np.zeros((1, 1), np.int32), kept, kept),
        (np.zeros((1, 1, 4), KEPT), number, number + 1),
    )


def _stacked(outputs: tuple[int, ...], norms: int) -> tuple[Any, ...]:
    """Return products of these widths, norms, kinds and positions."""
    tables = np.zeros((1, 0, 2), np.float32)
    turn, norm = tables[0, :, :1], np.zeros((norms, 2), np.float32)
    return (
        tuple(np.zeros((1, width, 2), np.int8) for width in outputs),
        tuple(np.zeros((1, width), np.float32) for width in outputs),
        tuple(np.zeros((1, width), np.float32) for width in outputs),
        (norm, norm),
        (1.0, True, True, 0, 1, 1),
        (turn, turn, np.zeros(1, np.float32), tables),
    )


def _passing() -> tuple[Any, ...]:
    """Return one row in the memory that it passes through."""
    whole, scales = np.zeros((1, 2), np.int8), np.zeros(1, np.float32)
    rows = (_rows(2), _rows(2), _rows(2), _rows(2))
    return rows, (whole, whole, scales), (_rows(6), _rows(2), _rows(2))
