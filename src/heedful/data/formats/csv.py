"""Comma-separated rows with quoting: two named columns under a header, or two numbered ones.

Read by `open_corpus` for files named `.csv` and `.csv.gz`. A quoted field may hold line breaks.
"""

__all__ = ["Csv", "records"]

import csv
from collections.abc import Iterator
from pathlib import Path
from typing import Annotated, ClassVar, Literal

from pydantic import Field

from heedful.data.formats.reading import (
    MAX_LINE,
    ReadCounts,
    Row,
    RowError,
    lines,
    refuse,
    sound_text,
)
from heedful.errors import DataError
from heedful.settings import Settings

_LONE_CR = "\udc0d"
"""Stands for a CR inside a line while the csv module reads, which would end a row there."""


ColumnName = Annotated[str, Field(pattern="[^0]")]
"""Not empty, and not zero: numbers begin at 1."""


class Csv(Settings):
    """Rows as in RFC 4180, except that only LF (and CRLF) ends one."""

    kind: Literal["csv"] = "csv"
    columns: tuple[ColumnName, ColumnName] | None = None
    """Names in the first row, or two numbers from 1 (then there is no header); none: `source`
    and `target` by name."""

    extensions: ClassVar[tuple[str, ...]] = (".csv",)
    columns_are: ClassVar[str] = "two names (--columns en,de) or two numbers (--columns 1,2)"

    def rows(self, paths: tuple[Path, ...], *, skip_bad: bool, counts: ReadCounts) -> Iterator[Row]:
        """Yield the rows of the one file; raises DataError when the header lacks a column."""
        (path,) = paths
        source, target = self.columns or ("source", "target")
        rows = records(path, counts)
        if source.isdecimal() and target.isdecimal():
            places = int(source) - 1, int(target) - 1
        else:
            places = _places(path, next(rows, (1, []))[1], source, target)
        for number, record in rows:
            try:
                pair = _pick(record, places)
            except RowError as problem:
                refuse(problem, f"{path}:{number}", skip_bad=skip_bad, counts=counts)
                continue
            counts.rows += 1
            yield Row(*pair, number)


def records(path: Path, counts: ReadCounts) -> Iterator[tuple[int, list[str] | RowError]]:
    """Yield (line where it starts, fields or what is wrong with them) of each record.

    Raises DataError for a quote that is never closed: all rows after it are lost.
    """
    csv.field_size_limit(MAX_LINE)
    text = (
        raw.decode("utf-8", "surrogateescape").replace("\r", _LONE_CR) + "\n"
        for _, raw in lines(path, counts)
    )
    reader = csv.reader(text, strict=True)
    while True:
        number = reader.line_num + 1
        try:
            fields = next(reader)
        except StopIteration:
            return
        except csv.Error as error:
            if "expected after" not in str(error):
                problem = f"a quote is opened here and never closed ({error})"
                fix = "close it, or write it twice where it is meant as such"
                raise DataError(problem, where=f"{path}:{number}", fix=fix) from None
            yield number, RowError(f"not CSV: {error}", "write a quote inside a text twice")
            continue
        yield number, [field.replace(_LONE_CR, "\r") for field in fields]


def _places(path: Path, header: list[str] | RowError, source: str, target: str) -> tuple[int, int]:
    if isinstance(header, RowError):
        raise DataError(header.problem, where=f"{path}:1", fix=header.fix)
    names = [name.strip() for name in header]
    for name in (source, target):
        if name not in names:
            found = ", ".join(names[:6]).encode("utf-8", "replace").decode() or "none"
            problem = f'no column "{name}" in the first row (found: {found})'
            fix = "name the two with --columns en,de (or, without a header, --columns 1,2)"
            raise DataError(problem, where=f"{path}:1", fix=fix)
    return names.index(source), names.index(target)


def _pick(fields: list[str] | RowError, places: tuple[int, int]) -> tuple[str, str]:
    if isinstance(fields, RowError):
        raise fields
    if not fields:
        return "", ""
    if len(fields) <= max(places):
        problem = f"the row has {len(fields)} of the {max(places) + 1} fields that are needed"
        raise RowError(problem, "pick others with --columns")
    return sound_text(fields[places[0]]), sound_text(fields[places[1]])
