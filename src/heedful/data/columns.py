"""Columns of numbers, one a row of the corpus, that need not fit in memory.

Beyond `IN_MEMORY` bytes a column stands in a nameless file that is mapped into memory, which the
system empties when it needs the room, and which is gone with the process. Whatever looks at all
rows goes block by block (`blocks`) or, where equal keys must meet, part by part (`by_key`).
"""

__all__ = ["Column", "blocks", "by_key", "first_marked", "zeros"]

import os
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import IO, Any

import numpy as np
from numpy.typing import DTypeLike, NDArray

from heedful.errors import OutputError

IN_MEMORY = 2**24
"""Bytes."""
ROWS_AT_ONCE = 2**22
"""Rows looked at together; 8-byte keys of so many, sorted, take some 150 MB."""


class Column:
    """Numbers of one kind, appended at the end; `scratch` is the folder for a large one."""

    def __init__(self, kind: DTypeLike, scratch: Path | None = None) -> None:
        self.kind = np.dtype(kind)
        self.scratch = scratch
        self._bytes = bytearray()
        self._file: IO[bytes] | None = None

    def append(self, numbers: bytes) -> None:
        """Add numbers, as bytes; raises OutputError when the disk of `scratch` is full."""
        self._bytes += numbers
        if len(self._bytes) > IN_MEMORY:
            if self._file is None:
                self._file = _nameless(self.scratch)
            self._spill(self._file)

    def finish(self) -> NDArray[Any]:
        """Return what was appended; nothing can be appended after this."""
        if self._file is None:
            return np.frombuffer(self._bytes, self.kind)
        self._spill(self._file)
        return _mapped(self._file, self.kind)

    def _spill(self, file: IO[bytes]) -> None:
        try:
            file.write(self._bytes)
            file.flush()
        except OSError as failure:
            raise _full(self.scratch, failure) from None
        self._bytes = bytearray()


def zeros(rows: int, kind: DTypeLike, scratch: Path | None = None) -> NDArray[Any]:
    """Return a column of zeros to be written to; a large one stands in a nameless file."""
    size = rows * np.dtype(kind).itemsize
    if size <= IN_MEMORY:
        return np.zeros(rows, kind)
    file = _nameless(scratch)
    try:
        _reserve(file, size)
    except OSError as failure:
        file.close()
        raise _full(scratch, failure) from None
    return _mapped(file, np.dtype(kind))


def blocks(rows: int) -> Iterator[slice]:
    """Yield slices that cover `rows` rows in order.

    >>> list(blocks(5))
    [slice(0, 5, None)]
    """
    for start in range(0, rows, ROWS_AT_ONCE):
        yield slice(start, min(start + ROWS_AT_ONCE, rows))


def by_key(
    rows: int,
    keys_of: Callable[[slice], NDArray[np.uint64]],
    among: Callable[[slice], NDArray[np.bool_]] | None = None,
) -> Iterator[tuple[NDArray[np.int64], NDArray[np.uint64]]]:
    """Yield (row numbers, keys) of some rows after others, all rows of equal keys together.

    The parts come in the order of their keys, the rows of a part in their own. `keys_of` gives the
    keys of a block; they must be hashes, or the parts are not of a size. `among` marks the rows of
    a block that are wanted; none: all.
    """
    parts = 1
    while parts * ROWS_AT_ONCE < rows:
        parts *= 2
    shift = np.uint64(64 - (parts.bit_length() - 1))
    for part in range(parts):
        chosen, found = [], []
        for block in blocks(rows):
            keys = keys_of(block)
            wanted = np.ones(len(keys), np.bool_) if among is None else among(block)
            if parts > 1:
                wanted = wanted & (keys >> shift == part)
            here = np.flatnonzero(wanted)
            chosen.append(here + block.start)
            found.append(keys[here])
        if chosen:
            yield np.concatenate(chosen), np.concatenate(found)


def first_marked(mask: NDArray[np.bool_], count: int) -> list[int]:
    """Return the first `count` rows that are marked."""
    found: list[int] = []
    for block in blocks(len(mask)):
        here = np.flatnonzero(mask[block])[: count - len(found)]
        found += (here + block.start).tolist()
        if len(found) == count:
            break
    return found


def _reserve(file: IO[bytes], size: int) -> None:
    """Take the room on disk now: a mapped file that has none ends the process when written to."""
    if hasattr(os, "posix_fallocate"):
        os.posix_fallocate(file.fileno(), 0, size)
        return
    for start in range(0, size, 2**20):
        file.write(bytes(min(2**20, size - start)))
    file.flush()


def _nameless(scratch: Path | None) -> IO[bytes]:
    try:
        return tempfile.TemporaryFile(dir=scratch)
    except OSError as failure:
        raise _full(scratch, failure) from None


def _mapped(file: IO[bytes], kind: np.dtype[Any]) -> NDArray[Any]:
    with file:  # what is mapped stays
        return np.memmap(file, kind, mode="r+").view(np.ndarray)


def _full(scratch: Path | None, failure: OSError) -> OutputError:
    where = str(scratch or tempfile.gettempdir())
    reason = failure.strerror or str(failure)
    return OutputError(
        f"what is noted of each row cannot be kept ({reason})", where=where, fix="make room there"
    )
