"""Python looks for cycles of objects later, while something runs that leaves none behind."""

__all__ = ["nothing_collected"]

import gc
import threading
from collections.abc import Iterator
from contextlib import contextmanager

from heedful.search import Watch

_PAUSES = 0
_PAUSING = threading.Lock()


@contextmanager
def nothing_collected(watch: Watch | None) -> Iterator[None]:
    """Look for no cycles: all of torch is looked at each time, for a tenth of a second.

    Translating leaves none behind, but who watches may. The last of several that translate at a
    time lets it go on, if it did before.
    """
    global _PAUSES
    with _PAUSING:
        pauses = watch is None and (_PAUSES > 0 or gc.isenabled())
        _PAUSES += pauses
        if pauses:
            gc.disable()
    try:
        yield
    finally:
        with _PAUSING:
            _PAUSES -= pauses
            if pauses and not _PAUSES:
                gc.enable()
