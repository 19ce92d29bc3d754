"""Lines of a pipe as they arrive, and whether another one is there already.

A stream of bytes comes in, lines go out. `heed translate` reads through it, so that what has come
is not kept waiting for what may come later.
"""

__all__ = ["Arriving"]

import select
import zlib
from collections import deque
from collections.abc import Iterator
from typing import BinaryIO

from heedful.data.formats.reading import MAX_LINE

BLOCK = 1 << 16
"""Bytes read at once, at most."""

PATIENCE = 0.1
"""Seconds without a byte after which a pipe counts as pausing."""


class Arriving:
    """Iterates over the lines, each with its LF; only LF ends one.

    What is longer than `MAX_LINE` comes in parts that are longer than that, so that the caller can
    refuse it while it still fits into memory.
    """

    def __init__(self, file: BinaryIO) -> None:
        self._file = file
        self._lines: deque[bytes] = deque()
        self._rest = bytearray()
        self._ended = False

    def __iter__(self) -> Iterator[bytes]:
        while self._lines or self._read():
            while self._lines:
                yield self._lines.popleft()

    def ready(self) -> bool:
        """Tell whether the next line, or the end, is there or comes without a pause.

        Where the system cannot tell, it is taken to come.
        """
        try:
            while not self._lines and not self._ended:
                if not select.select([self._file], [], [], PATIENCE)[0]:
                    return False
                self._read()
        except (OSError, ValueError, EOFError, zlib.error):
            return True  # the system knows no such pipe, or reading meets the same error again
        return True

    def _read(self) -> bool:
        """Wait for a block; tell whether there was one or a last line without LF."""
        if self._ended:
            return False
        block: bytes = self._file.read1(BLOCK)  # type: ignore[attr-defined]
        whole, found, rest = block.rpartition(b"\n")
        if found:
            first, *lines = whole.split(b"\n")
            self._lines.append(bytes(self._rest) + first + b"\n")
            self._lines.extend([line + b"\n" for line in lines])
            self._rest.clear()
        self._rest += rest
        self._ended = not block
        if self._rest and (self._ended or len(self._rest) > MAX_LINE):
            self._lines.append(bytes(self._rest))
            self._rest.clear()
        return bool(block or self._lines)
