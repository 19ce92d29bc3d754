"""One typed decorator around numba's: a Python function in, machine code at its first call out.

The code is kept in the first of these folders that this user can write: NUMBA_CACHE_DIR if set,
`__pycache__` beside the source, numba's folder in the user's cache (`~/.cache/numba`). Its index
is a pickle, read only from a folder chosen that way, so whoever could plant one there could as
well replace the `.pyc` files beside it or the user's own files. The index knows when the file of a
kernel changes but not when another file does: a kernel calls only kernels of its own file,
`exponential.exp` and `whole.quantise_row`.
"""

__all__ = ["compiled"]

from collections.abc import Callable
from typing import Any, TypeVar, cast

import numba

Function = TypeVar("Function", bound=Callable[..., Any])


def compiled(*relaxed: str) -> Callable[[Function], Function]:
    """Return a decorator that compiles for one thread, without Python's lock, and keeps the code.

    `relaxed` are LLVM's fast-math flags: "contract" allows fused multiply-add, "reassoc" sums in
    any order (without it no sum is vectorised). NaN and infinities always keep their meaning.
    """

    def decorate(function: Function) -> Function:
        def njit(keep: bool) -> Function:
            compiler = numba.njit(
                cache=keep, nogil=True, error_model="numpy", fastmath=set(relaxed)
            )
            return cast(Function, compiler(function))

        try:
            return njit(keep=True)
        except RuntimeError:  # no folder that can be written: compile at every start
            return njit(keep=False)

    return decorate
