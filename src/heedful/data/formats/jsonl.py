"""One JSON object a line: `{"source": "Hello", "target": "Hallo"}`, or two keys chosen.

Read by `open_corpus` for files named `.jsonl` and `.jsonl.gz`.
"""

__all__ = ["Jsonl"]

from collections.abc import Iterator
from pathlib import Path
from typing import Any, ClassVar, Literal

from heedful.data.formats.reading import (
    ReadCounts,
    Row,
    RowError,
    each_line,
    json_object,
    sound_text,
)
from heedful.settings import Settings


class Jsonl(Settings):
    """One object a line; a key with dots reaches into nested objects (`translation.en`)."""

    kind: Literal["jsonl"] = "jsonl"
    columns: tuple[str, str] | None = None
    """The keys of source and target; none: `source` and `target`."""

    extensions: ClassVar[tuple[str, ...]] = (".jsonl", ".ndjson")
    columns_are: ClassVar[str] = "two keys, as in --columns en,de"

    def rows(self, paths: tuple[Path, ...], *, skip_bad: bool, counts: ReadCounts) -> Iterator[Row]:
        """Yield the rows of the one file."""
        (path,) = paths
        yield from each_line(path, self._pair, skip_bad=skip_bad, counts=counts)

    def _pair(self, text: str) -> tuple[str, str]:
        record = json_object(text, '{"source": "...", "target": "..."}')
        source, target = self.columns or ("source", "target")
        return _text_at(record, source), _text_at(record, target)


def _text_at(record: dict[str, Any], key: str) -> str:
    """Return the text under a key, or under a path of keys joined by dots."""
    value: Any = record
    for part in [key] if key in record else key.split("."):
        if not isinstance(value, dict) or part not in value:
            known = ", ".join(sorted(record)[:6]) or "none"
            problem = f'no key "{key}" (keys: {known})'
            raise RowError(problem, "name the two keys with --columns en,de")
        value = value[part]
    if not isinstance(value, str):
        raise RowError(f'the value of "{key}" is not a text')
    return sound_text(value)
