"""Two line-parallel text files: line n of one is the translation of line n of the other.

Read by `open_corpus` for two paths joined by a comma.
"""

__all__ = ["TextPair"]

from collections.abc import Iterator
from pathlib import Path
from typing import ClassVar, Literal

from heedful.data.formats.reading import (
    ReadCounts,
    Row,
    RowError,
    count_lines,
    lines,
    refuse,
    text_of,
)
from heedful.errors import DataError
from heedful.settings import Settings


class TextPair(Settings):
    """Source and target in a file each; refused before the first row if the lines do not pair."""

    kind: Literal["text_pair"] = "text_pair"
    columns: tuple[str, ...] | None = None
    """Not used: a line has no fields (other corpora of the same run may need them)."""

    extensions: ClassVar[tuple[str, ...]] = ()
    columns_are: ClassVar[str] = "not used"

    def rows(self, paths: tuple[Path, ...], *, skip_bad: bool, counts: ReadCounts) -> Iterator[Row]:
        """Yield the rows; raises DataError with both counts when the files differ in lines."""
        source_path, target_path = paths
        n_source, n_target = count_lines(source_path), count_lines(target_path)
        if n_source != n_target:
            problem = f"has {n_source:,} lines but {target_path} has {n_target:,}"
            fix = "line n of one must translate line n of the other"
            raise DataError(problem, where=str(source_path), fix=fix)
        others = ReadCounts()
        pairs = zip(lines(source_path, counts), lines(target_path, others), strict=True)
        for (number, source_raw), (_, target_raw) in pairs:
            try:
                path = source_path
                source = text_of(source_raw)
                path = target_path
                target = text_of(target_raw)
            except RowError as problem_found:
                refuse(problem_found, f"{path}:{number}", skip_bad=skip_bad, counts=counts)
                continue
            counts.rows += 1
            yield Row(source, target, number)
        counts.bom += others.bom
        counts.crlf += others.crlf
