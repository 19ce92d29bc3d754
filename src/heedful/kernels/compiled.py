"""One typed decorator around numba's: a Python function in, machine code at its first call out.

The code is kept in the first of these folders that this user can write: NUMBA_CACHE_DIR if set,
`__pycache__` beside the source, numba's folder in the user's cache (`~/.cache/numba`). Its index
is a pickle, read only from a folder chosen that way, so whoever could plant one there could as
well replace the `.pyc` files beside it or the user's own files. Kernels call each other across
files, so that what is kept is used only while all files of this folder are as they were.
"""

__all__ = ["compiled"]

from collections.abc import Callable
from contextlib import suppress
from typing import Any, TypeVar, cast

import numba

from heedful.kernels.stamp import state_of_sources

Function = TypeVar("Function", bound=Callable[..., Any])


class _Plain:
    """Leaves the messages of numba's errors without colours.

    For each error that it raises while it compiles, in whatever thread, numba would have colorama
    replace `sys.stdout` and put back what that was at the first error: then the output of others
    goes where it no longer belongs.
    """

    def __getattr__(self, colour: str) -> Callable[[str], str]:
        return str


cast(Any, numba.core.errors)._termcolor_inst = _Plain()


def compiled(*relaxed: str, makes_arrays: bool = False) -> Callable[[Function], Function]:
    """Return a decorator that compiles for one thread, without Python's lock, and keeps the code.

    `relaxed` are LLVM's fast-math flags: "contract" allows fused multiply-add, "reassoc" sums in
    any order (without it no sum is vectorised), "nnan" knows no NaN. A function that
    `makes_arrays`, or gets one back, counts who uses each array, at every slice, some ten
    nanoseconds each: its loops had better be functions of their own.
    """

    def decorate(function: Function) -> Function:
        def njit(keep: bool) -> Function:
            compiler = cast(Any, numba.njit)(  # _nrt is no option that numba tells of
                cache=keep,
                nogil=True,
                error_model="numpy",
                fastmath=set(relaxed),
                _nrt=makes_arrays,
            )
            return cast(Function, compiler(function))

        try:
            kernel = njit(keep=True)
        except RuntimeError:  # no folder that can be written: compile at every start
            return njit(keep=False)
        with suppress(AttributeError):  # numba's own affair; it looks at the kernel's file alone
            index = cast(Any, kernel)._cache._cache_file
            index._source_stamp = (index._source_stamp, state_of_sources())
        return kernel

    return decorate
