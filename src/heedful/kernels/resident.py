"""Code of large libraries that is only needed to begin, let go from memory once that is done.

PyTorch registers its operators and LLVM links the kernels: together 80 MB of code, most of which
is not called again. Its pages lie in the libraries' files, and come back from there when it is.
"""

__all__ = ["let_go_of_code"]

import ctypes
import mmap
import sys
from pathlib import Path

_LIBRARIES = ("libllvmlite", "libtorch_cpu", "libtorch_python")


def let_go_of_code() -> None:
    """Tell Linux that code of these libraries is not needed in memory now; elsewhere do nothing.

    Only pages that are as their file has them, since nothing can be written to them.
    """
    if sys.platform != "linux":
        return
    libc = ctypes.CDLL(None)
    for line in Path("/proc/self/maps").read_text("utf-8").splitlines():
        span, access, _, _, _, *name = line.split(None, 5)
        if access == "r-xp" and name and Path(name[0]).name.startswith(_LIBRARIES):
            begin, end = (int(edge, 16) for edge in span.split("-"))
            size = ctypes.c_size_t(end - begin)
            libc.madvise(ctypes.c_void_p(begin), size, mmap.MADV_DONTNEED)  # advice: may fail
