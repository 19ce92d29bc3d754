"""Translated files that wait to be fetched: in memory alone, once, and not for long.

A file comes in, a name that nobody can guess goes out, and for that name the file, once. The
dialect of LibreTranslate keeps them here, since it gives the address of a file in place of it.
"""

__all__ = ["File", "WaitingFiles"]

import asyncio
import secrets
from typing import NamedTuple

from heedful.serve.limits import ServerLimits
from heedful.serve.refusal import RefusalError


class File(NamedTuple):
    """A file as it is handed out."""

    name: str
    """What it is called where it is saved."""
    content: bytes
    media_type: str


class WaitingFiles:
    """Keeps files under names of its own; nothing is written to a disk.

    The oldest is forgotten when there are too many or they are too large together, each after
    `file_seconds`.
    """

    def __init__(self, limits: ServerLimits) -> None:
        self._limits = limits
        self._files: dict[str, tuple[File, asyncio.TimerHandle]] = {}  # the oldest first
        self._size = 0

    def __len__(self) -> int:
        return len(self._files)

    def keep(self, file: File, ending: str) -> str:
        """Return the name, with this ending, under which a file waits, in the running event loop.

        Raises RefusalError for one that is too large by itself.
        """
        size, most = len(file.content), self._limits.file_bytes
        if size > most:
            raise RefusalError(413, f"the translated file is longer than {most:,} bytes")
        while self._files and (len(self) >= self._limits.files or self._size + size > most):
            self._forget(next(iter(self._files)))
        name = secrets.token_urlsafe(24) + ending
        timer = asyncio.get_running_loop().call_later(self._limits.file_seconds, self._forget, name)
        self._files[name] = file, timer
        self._size += size
        return name

    def fetch(self, name: str) -> File:
        """Return a file and forget it; raises RefusalError if there is none of this name."""
        file = self._forget(name)
        if file is None:
            raise RefusalError(404, "no file waits here: it was fetched, or nobody came for it")
        return file

    def clear(self) -> None:
        """Forget all of them."""
        for name in list(self._files):
            self._forget(name)

    def _forget(self, name: str) -> File | None:
        file, timer = self._files.pop(name, (None, None))
        if file is None or timer is None:
            return None
        timer.cancel()
        self._size -= len(file.content)
        return file
