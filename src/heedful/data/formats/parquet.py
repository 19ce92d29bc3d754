"""Parquet tables with a column of text for each side; read in batches through pyarrow.

Read by `open_corpus` for files named `.parquet`. pyarrow is imported only here, when needed.
"""

__all__ = ["Parquet"]

import gzip
import zlib
from collections.abc import Iterator
from pathlib import Path
from typing import Any, ClassVar, Literal

from heedful.data.formats.reading import (
    ReadCounts,
    Row,
    RowError,
    open_bytes,
    refuse,
    text_of,
)
from heedful.errors import DataError
from heedful.settings import Settings


class Parquet(Settings):
    """Two text columns; a name with dots reaches into a struct (`translation.en`)."""

    kind: Literal["parquet"] = "parquet"
    columns: tuple[str, str] | None = None
    """The columns of source and target; none: `source` and `target`."""

    extensions: ClassVar[tuple[str, ...]] = (".parquet",)
    columns_are: ClassVar[str] = "two names, as in --columns en,de"

    def rows(self, paths: tuple[Path, ...], *, skip_bad: bool, counts: ReadCounts) -> Iterator[Row]:
        """Yield the rows of the one file, numbered from 1."""
        (path,) = paths
        names = self.columns or ("source", "target")
        number = 0
        for sources, targets in _batches(path, names):
            for pair in zip(sources, targets, strict=True):
                number += 1
                counts.lines += 1
                try:
                    source, target = (text_of(cell or b"") for cell in pair)
                except RowError as problem:
                    refuse(problem, f"{path}:{number}", skip_bad=skip_bad, counts=counts)
                    continue
                counts.rows += 1
                yield Row(source, target, number)


def _batches(
    path: Path, names: tuple[str, str]
) -> Iterator[tuple[list[bytes | None], list[bytes | None]]]:
    """Yield the cells of both columns as bytes, some thousand rows at a time."""
    try:
        import pyarrow as arrow
        from pyarrow import parquet
    except ImportError:
        fix = "pip install pyarrow, or save the corpus as .tsv"
        raise DataError("Parquet needs pyarrow", where=str(path), fix=fix) from None
    with open_bytes(path) as file:
        try:
            table = parquet.ParquetFile(file)
            columns = [table.schema.column(place) for place in range(len(table.schema))]
            _check(path, names, {column.path: column for column in columns})
            for batch in table.iter_batches(batch_size=4096, columns=list(names)):
                yield _cells(arrow, batch, names[0]), _cells(arrow, batch, names[1])
        except (DataError, EOFError, zlib.error, gzip.BadGzipFile):
            raise
        except Exception as error:  # a damaged file makes pyarrow raise many kinds, KeyError too
            reason = (str(error).split("\n")[0] or type(error).__name__).rstrip(".")
            problem = f"not a whole Parquet file ({reason})"
            raise DataError(problem, where=str(path), fix="write or fetch it again") from None


def _check(path: Path, names: tuple[str, str], found: dict[str, Any]) -> None:
    for name in names:
        if name not in found:
            known = ", ".join(list(found)[:6])
            fix = "name the two columns with --columns en,de"
            raise DataError(f'no column "{name}" (found: {known})', where=str(path), fix=fix)
        in_lists = found[name].max_repetition_level > 0
        if found[name].physical_type != "BYTE_ARRAY" or in_lists:
            raise DataError(f'column "{name}" does not hold text', where=str(path))


def _cells(arrow: Any, batch: Any, name: str) -> list[bytes | None]:
    first, *rest = [name] if name in batch.schema.names else name.split(".")
    column = batch.column(first)
    for part in rest:
        column = column.field(part)
    cells: list[bytes | None] = column.cast(arrow.binary()).to_pylist()
    return cells
