"""One process at a time: the system's lock on a file (flock), which ends with its process.

`heedful.run_folder` and `heedful.resuming` hold what is being written against a second process.
"""

__all__ = ["try_lock"]

import errno
from typing import IO, Any

_HELD = (errno.EAGAIN, errno.EACCES)


def try_lock(file: IO[Any]) -> bool | None:
    """Lock an open file until it is closed; return False where another process holds it.

    None: the system knows no locks (Windows, some network disks), so that nothing is held back.
    """
    try:
        import fcntl
    except ImportError:
        return None
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError as error:
        return False if error.errno in _HELD else None
    return True
