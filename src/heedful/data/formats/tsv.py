"""Tab-separated rows: `source<TAB>target`, or two chosen fields of more.

Read by `open_corpus` for files named `.tsv` and `.tsv.gz`.
"""

__all__ = ["Tsv"]

from collections.abc import Iterator
from pathlib import Path
from typing import ClassVar, Literal

from pydantic import PositiveInt

from heedful.data.formats.reading import ReadCounts, Row, RowError, each_line
from heedful.settings import Settings


class Tsv(Settings):
    """One pair a line, fields parted by tabs; no quoting, no header."""

    kind: Literal["tsv"] = "tsv"
    columns: tuple[PositiveInt, PositiveInt] | None = None
    """Which fields hold source and target, from 1; none: the row must have just the two."""

    extensions: ClassVar[tuple[str, ...]] = (".tsv",)
    columns_are: ClassVar[str] = "two numbers from 1, as in --columns 1,2"

    def rows(self, paths: tuple[Path, ...], *, skip_bad: bool, counts: ReadCounts) -> Iterator[Row]:
        """Yield the rows of the one file."""
        (path,) = paths
        yield from each_line(path, self._pair, skip_bad=skip_bad, counts=counts)

    def _pair(self, text: str) -> tuple[str, str]:
        fields = text.split("\t")
        if self.columns is None:
            if len(fields) == 2:
                return fields[0], fields[1]
            number = "1 field" if len(fields) == 1 else f"{len(fields)} fields"
            fix = "pick two with --columns 1,2" if len(fields) > 2 else "put a tab between the two"
            raise RowError(f"the row has {number}, 2 are needed", fix)
        source, target = self.columns
        if len(fields) < max(source, target):
            problem = (
                f"the row has {len(fields)} of the fields that --columns {source},{target} asks"
            )
            raise RowError(problem, "pick others with --columns")
        return fields[source - 1], fields[target - 1]
