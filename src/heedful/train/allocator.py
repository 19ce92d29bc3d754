"""Memory that a training step frees is kept for the next step, on Linux.

glibc gives large blocks back to the system at once, and the system clears each page again when
it is next touched. A step of the same size follows, so keeping them made steps 1.25 times faster
(3 + 3 layers of 256, bf16, 2 cores). One arena serves all threads: those that glibc gives each
thread are given back as soon as they are empty. Batches differ in shape, so that gaps build up
between the blocks: `release_gaps` now and then keeps them small.
"""

__all__ = ["keep_freed_memory", "release_gaps"]

import ctypes
import sys
from collections.abc import Callable

_M_TRIM_THRESHOLD, _M_TOP_PAD, _M_MMAP_MAX, _M_ARENA_MAX = -1, -2, -4, -8


def keep_freed_memory() -> bool:
    """Tell glibc's allocator to keep freed blocks; False where there is no glibc."""
    mallopt = _glibc("mallopt")
    wishes = (
        (_M_MMAP_MAX, 0),
        (_M_TRIM_THRESHOLD, 2**31 - 1),
        (_M_TOP_PAD, 64 << 20),
        (_M_ARENA_MAX, 1),
    )
    return mallopt is not None and all([bool(mallopt(*wish)) for wish in wishes])


def release_gaps() -> None:
    """Give free blocks back to the system once; does nothing where there is no glibc."""
    trim = _glibc("malloc_trim")
    if trim is not None:
        trim(0)


def _glibc(name: str) -> Callable[..., int] | None:
    """Return a function of the C library, None where it is not glibc's."""
    if not sys.platform.startswith("linux"):
        return None
    try:
        return getattr(ctypes.CDLL(None), name)  # type: ignore[no-any-return]
    except (OSError, AttributeError):
        return None
