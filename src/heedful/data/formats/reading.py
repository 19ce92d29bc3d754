"""Bytes of a file become lines, and lines become text, with every oddity counted.

All formats read through here: UTF-8 only, LF alone ends a line (a CR just before it is dropped and
counted), a row that cannot be used either stops the reading or is dropped and counted.
"""

__all__ = [
    "MAX_LINE",
    "BadRow",
    "ReadCounts",
    "Row",
    "RowError",
    "count_lines",
    "each_line",
    "json_object",
    "lines",
    "open_bytes",
    "refuse",
    "sound_text",
    "text_of",
]

import gzip
import io
import json
import stat
import zlib
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, NamedTuple

from heedful.errors import DataError

MAX_LINE = 64 * 1024 * 1024
"""Bytes; a longer line is refused, since no sentence has them and memory is finite."""

MAX_EXAMPLES = 20

_SKIP = "drop such rows with --skip-bad"
_BOM = b"\xef\xbb\xbf"
_NOT_TEXT = {
    b"\xff\xfe": "the file is UTF-16",
    b"\xfe\xff": "the file is UTF-16",
    b"\x1f\x8b": "the file is gzip data without .gz in its name",
    b"PK\x03\x04": "the file is a zip archive",
    b"PAR1": "the file is Parquet data without .parquet in its name",
}


class Row(NamedTuple):
    """One pair of texts and the line (from 1) where it starts; for Parquet the row's number."""

    source: str
    target: str
    line: int


@dataclass(frozen=True)
class BadRow:
    """A row that was dropped: `file:line`, why, and what would mend it."""

    where: str
    reason: str
    fix: str


@dataclass
class ReadCounts:
    """What was met while reading one corpus; filled by its reader as it goes."""

    lines: int = 0
    rows: int = 0
    bom: int = 0
    crlf: int = 0
    skipped_bad: int = 0
    examples: list[BadRow] = field(default_factory=list)
    """The first 20 rows dropped."""

    def skipped(self, path: object) -> str | None:
        """Say how many rows of a file were dropped, and why the first was; None if none was."""
        if not self.skipped_bad:
            return None
        rows = f"{self.skipped_bad:,} bad row{'s' * (self.skipped_bad != 1)}"
        first = self.examples[0]
        return f"{path}: {rows} left out, the first {first.where}: {first.reason}"


class RowError(Exception):
    """Raised by a parser about the row in hand; `refuse` adds the place."""

    def __init__(self, problem: str, fix: str = "") -> None:
        self.problem = problem
        self.fix = fix
        super().__init__(problem)


def json_object(text: str, example: str) -> dict[str, Any]:
    """Return the object that a line holds; raises RowError, with an example of what to write."""
    try:
        record = json.loads(text)
    except json.JSONDecodeError as error:
        raise RowError(f"not JSON at column {error.colno}: {error.msg.lower()}") from None
    except (ValueError, RecursionError):
        raise RowError("not readable JSON: nested too deep or a huge number") from None
    if not isinstance(record, dict):
        raise RowError("not a JSON object", f"write {example}")
    return record


def refuse(problem: RowError, where: str, *, skip_bad: bool | None, counts: ReadCounts) -> None:
    """Count the row as dropped when bad rows may be skipped, else raise a DataError naming it.

    With None there is no such wish to be had, and the error does not advise it.
    """
    if skip_bad is None:
        raise DataError(problem.problem, where=where, fix=problem.fix or None)
    fix = f"{problem.fix}, or {_SKIP}" if problem.fix else _SKIP
    if not skip_bad:
        raise DataError(problem.problem, where=where, fix=fix)
    counts.skipped_bad += 1
    if len(counts.examples) < MAX_EXAMPLES:
        counts.examples.append(BadRow(where, problem.problem, fix))


@contextmanager
def open_bytes(path: Path) -> "Iterator[io.BufferedReader[Any]]":
    """Open a regular file for reading, unpacked when its name ends in `.gz`.

    Raises DataError for a missing file, a directory, a pipe or a file that may not be read.
    """
    with _reading(path):
        mode = path.stat().st_mode
        if stat.S_ISDIR(mode):
            raise DataError("is a directory", where=str(path), fix="name a file in it")
        if not stat.S_ISREG(mode):
            problem = "is not a regular file and a corpus is read more than once"
            raise DataError(problem, where=str(path), fix="save it to a file first")
        with path.open("rb") as raw:
            if path.suffix == ".gz":
                with io.BufferedReader(gzip.GzipFile(fileobj=raw), 1 << 20) as unpacked:
                    yield unpacked
            else:
                yield raw


@contextmanager
def _reading(path: Path) -> Iterator[None]:
    """Turn what the system says about a file into one sentence."""
    where = str(path)
    try:
        yield
    except FileNotFoundError:
        fix = f"the working folder is {Path.cwd()}" if not path.is_absolute() else None
        raise DataError("no such file", where=where, fix=fix) from None
    except (EOFError, gzip.BadGzipFile, zlib.error) as error:
        problem = f"the gz file is cut off or damaged ({error})"
        raise DataError(problem, where=where, fix="fetch or pack it again") from None
    except OSError as error:
        reason = (error.strerror or str(error)).lower()
        raise DataError(f"cannot be read: {reason}", where=where) from None


def lines(path: Path, counts: ReadCounts) -> Iterator[tuple[int, bytes]]:
    """Yield (number from 1, bytes without the line end) of each line; BOM and CRLF are counted.

    Only LF ends a line: `b"a\\x0bb\\rc\\n"` is one line.
    """
    with open_bytes(path) as file:
        for number, raw in enumerate(iter(lambda: file.readline(MAX_LINE + 1), b""), start=1):
            line = raw
            if len(line) > MAX_LINE:
                problem = f"the line is longer than {MAX_LINE // 2**20} MiB"
                raise DataError(problem, where=f"{path}:{number}", fix="one sentence a line")
            if number == 1 and line.startswith(_BOM):
                counts.bom += 1
                line = line[len(_BOM) :]
            if line.endswith(b"\r\n"):
                counts.crlf += 1
                line = line[:-2]
            elif line.endswith(b"\n"):
                line = line[:-1]
            counts.lines += 1
            yield number, line


def count_lines(path: Path) -> int:
    """Count the lines as `wc -l` does, and a last one without LF as well."""
    count, last = 0, b"\n"
    with open_bytes(path) as file:
        while block := file.read(1 << 20):
            count += block.count(b"\n")
            last = block[-1:]
    return count + (last != b"\n")


def text_of(raw: bytes) -> str:
    """Decode one line; raises RowError for bytes that are not UTF-8 and for NUL."""
    try:
        text = raw.decode("utf-8")
    except UnicodeDecodeError as error:
        kind = next((what for start, what in _NOT_TEXT.items() if raw.startswith(start)), None)
        problem = f"invalid UTF-8: byte 0x{raw[error.start]:02X} at byte {error.start + 1}"
        if kind is not None:
            problem += f" ({kind})"
        raise RowError(problem, "save the file as UTF-8") from None
    if "\0" in text:
        raise RowError("a NUL character at byte " + str(raw.index(b"\0") + 1))
    return text


def sound_text(text: str) -> str:
    """Return the text, or raise RowError when no UTF-8 file could hold it (or it holds NUL)."""
    if "\0" in text:
        raise RowError("a NUL character")
    try:
        text.encode("utf-8")
    except UnicodeEncodeError as error:
        code = ord(text[error.start])
        if 0xDC80 <= code <= 0xDCFF:
            problem = f"invalid UTF-8: byte 0x{code - 0xDC00:02X}"
            raise RowError(problem, "save the file as UTF-8") from None
        raise RowError(f"half a surrogate pair, U+{code:04X}") from None
    return text


def each_line(
    path: Path, parse: Callable[[str], tuple[str, str]], *, skip_bad: bool, counts: ReadCounts
) -> Iterator[Row]:
    """Yield the row of each line as `parse` understands it; a blank line is two empty texts."""
    for number, raw in lines(path, counts):
        try:
            source, target = parse(text_of(raw)) if raw else ("", "")
        except RowError as problem:
            refuse(problem, f"{path}:{number}", skip_bad=skip_bad, counts=counts)
            continue
        counts.rows += 1
        yield Row(source, target, number)
