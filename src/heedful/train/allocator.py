"""Memory that a training step frees is kept for the next step, on Linux.

glibc gives large blocks back to the system at once, and the system clears each page again when
it is next touched. A step of the same size follows, so keeping them made steps 1.25 times faster
(3 + 3 layers of 256, bf16, 2 cores).
"""

__all__ = ["keep_freed_memory"]

import ctypes
import sys

_M_TRIM_THRESHOLD, _M_TOP_PAD, _M_MMAP_MAX = -1, -2, -4


def keep_freed_memory() -> bool:
    """Tell glibc's allocator to keep freed blocks; False where there is no glibc."""
    if not sys.platform.startswith("linux"):
        return False
    try:
        mallopt = ctypes.CDLL(None).mallopt
    except (OSError, AttributeError):
        return False
    wishes = ((_M_MMAP_MAX, 0), (_M_TRIM_THRESHOLD, 2**31 - 1), (_M_TOP_PAD, 64 << 20))
    return all([bool(mallopt(name, value)) for name, value in wishes])
