"""Lines of text from a file, standard input or the command line, as commands take them.

Bytes come in, the texts of lines go out; `heed translate` reads them.
"""

__all__ = [
    "check_one",
    "check_utf8",
    "counted",
    "lines_of",
    "name_of",
    "open_input",
    "words_given",
]

import gzip
import sys
import zlib
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO

from heedful.errors import DataError, SettingError
from heedful.output import STANDARD

_BOM = b"\xef\xbb\xbf"


def check_one(given: Mapping[str, bool]) -> None:
    """Raise SettingError where more than one of the inputs, by what they are called, is given.

    >>> check_one({"texts": True, "--input": False})
    """
    named = [name for name, is_given in given.items() if is_given]
    if len(named) > 1:
        raise SettingError(f"{' and '.join(named)} are both given", fix="leave one of them out")


def words_given(texts: Sequence[str]) -> Iterator[str]:
    """Yield the lines of the words on the command line."""
    for number, text in enumerate(texts, start=1):
        check_utf8(text, f"text {number}")
        yield from text.split("\n")


def check_utf8(text: str, where: str) -> None:
    """Raise DataError for a word of the command line that is not UTF-8."""
    try:
        text.encode()
    except UnicodeEncodeError as error:  # its bytes come as surrogates
        byte = f"byte 0x{ord(text[error.start]) & 0xFF:02X}"
        raise DataError(f"invalid UTF-8: {byte}", where=where, fix="type it in UTF-8") from None


def name_of(path: Path | None) -> str:
    """Return what an input is called in messages."""
    return "standard input" if path in (None, STANDARD) else str(path)


@contextmanager
def open_input(path: Path | None) -> Iterator[BinaryIO]:
    """Open a file, unpacked if it is .gz, or standard input; raises DataError where it cannot."""
    if path is None or path == STANDARD:
        yield sys.stdin.buffer
        return
    try:
        file = path.open("rb")
    except OSError as error:
        reason = (error.strerror or str(error)).lower()
        raise DataError(f"cannot be read: {reason}", where=str(path)) from None
    with file, gzip.open(file) if path.suffix == ".gz" else file as unpacked:
        yield unpacked  # type: ignore[misc]


def lines_of(file: Iterable[bytes], name: str, counts: Counter[str]) -> Iterator[str]:
    """Yield the text of each line; only LF, or CR and LF, ends one.

    Byte-order marks and carriage returns that are dropped are counted as `bom` and `crlf`.
    """
    from heedful.data.formats.reading import MAX_LINE  # its package brings every format's reader

    number = 0
    try:
        for number, raw in enumerate(file, start=1):
            line = raw.removesuffix(b"\n")
            if len(line) > MAX_LINE:
                problem = f"the line is longer than {MAX_LINE // 2**20} MiB"
                raise DataError(problem, where=f"{name}:{number}", fix="one sentence a line")
            if number == 1 and line.startswith(_BOM):
                counts["bom"] += 1
                line = line.removeprefix(_BOM)
            if raw.endswith(b"\r\n"):
                counts["crlf"] += 1
                line = line.removesuffix(b"\r")
            yield line.decode("utf-8")
    except UnicodeDecodeError as error:
        byte = f"byte 0x{error.object[error.start]:02X} at byte {error.start + 1}"
        where = f"{name}:{number}"
        raise DataError(f"invalid UTF-8: {byte}", where=where, fix="save it as UTF-8") from None
    except (OSError, EOFError, zlib.error) as error:
        problem = f"cannot be read after line {number}: {error}"
        raise DataError(problem, where=name) from None


def counted(path: Path | None) -> int | None:
    """Return how many lines a file has, None where it cannot be read twice."""
    if path is None or not path.is_file():
        return None
    from heedful.data.formats.reading import count_lines

    return count_lines(path)
