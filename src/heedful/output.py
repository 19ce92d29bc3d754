"""Where results go: standard output, or a file that gets its name when all is written.

Commands write their lines into what `open_output` opens; see `heedful.resuming` for files that a
later run goes on with.
"""

__all__ = [
    "STANDARD",
    "is_plain",
    "open_output",
    "open_whole",
    "refuse_protected",
    "refuse_read",
    "unwritable",
    "write_whole",
]

import gzip
import io
import os
import sys
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO, TextIO, TypeVar

from heedful.errors import OutputError

File = TypeVar("File", TextIO, BinaryIO)

STANDARD = Path("-")
"""What stands for standard input or output among files."""


def is_plain(path: Path) -> bool:
    """Return whether a path names a file, there or to be made, and no device, pipe or folder."""
    return path.is_file() or not path.exists()


def refuse_protected(path: Path) -> None:
    """Raise PermissionError for a file that must not be written."""
    if path.is_file() and not os.access(path, os.W_OK):
        raise PermissionError(None, "it is write-protected")


def refuse_read(path: Path | None, read: Iterable[Path | None]) -> None:
    """Raise OutputError for a file that is read, too, and would be lost when it is written.

    None is a file that is not given.
    """
    if path is None or path == STANDARD or not path.is_file():
        return
    for source in read:
        if source is not None and source.is_file() and path.samefile(source):
            problem = f"{source} is read, and would be written over"
            raise OutputError(problem, where=str(path), fix="choose another output")


def unwritable(path: Path, error: OSError, fix: str | None = None) -> OutputError:
    """Return what to raise when the system refuses to write there."""
    reason = (error.strerror or str(error)).lower()
    return OutputError(f"cannot be written: {reason}", where=str(path), fix=fix)


@contextmanager
def open_output(path: Path | None) -> Iterator[TextIO]:
    """Open where to write; a file gets its name when all is written, else nothing is left.

    A name that ends in `.gz` makes a packed file, as it is read again.
    Raises OutputError, before any work, for a place that cannot be written to.
    """
    if path is None or path == STANDARD:
        yield sys.stdout
        return
    if path.suffix == ".gz":
        with (
            open_whole(path) as raw,
            gzip.GzipFile("", "wb", fileobj=raw, mtime=0) as packed,
            io.TextIOWrapper(packed, encoding="utf-8", newline="\n") as file,
        ):
            yield file
        return
    with _whole(path, lambda part: part.open("w", encoding="utf-8", newline="\n")) as file:
        yield file


@contextmanager
def open_whole(path: Path) -> Iterator[BinaryIO]:
    """Open a file of bytes as `open_output` opens one of lines."""
    with _whole(path, lambda part: part.open("wb")) as file:
        yield file


def write_whole(path: Path, content: bytes) -> None:
    """Write a file, whole or not at all; raises OutputError where that cannot be done."""
    with open_whole(path) as file:
        file.write(content)


@contextmanager
def _whole(path: Path, opened: Callable[[Path], File]) -> Iterator[File]:
    """Open a file beside the path, which gets its name when the block has ended well."""
    target = path.resolve()
    part = target.parent / f".{target.name}.{os.getpid()}.part"
    plain = is_plain(target)
    try:
        refuse_protected(target)
        file = opened(part if plain else target)
    except OSError as error:
        raise unwritable(path, error) from None
    try:
        with file:
            yield file
        if plain:
            if target.exists():
                part.chmod(target.stat().st_mode)
            part.replace(target)
    except BrokenPipeError:
        raise
    except OSError as error:
        raise unwritable(path, error, "free some space or choose another place") from error
    finally:
        if plain:
            part.unlink(missing_ok=True)
