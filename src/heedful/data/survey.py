"""The first reading of one split: every row becomes a few numbers and an 8-byte hash a side.

`Survey.read` is called by `heedful.data.corpus`; what it keeps is judged by `heedful.data.clean`.
"""

__all__ = ["Example", "Source", "Survey"]

import hashlib
import re
from array import array
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import islice
from typing import Any

import numpy as np
from numpy.typing import NDArray

from heedful.data.clean import RowColumns
from heedful.data.formats import ReadCounts, Row, corpus_paths, open_corpus
from heedful.progress import Progress

_CHUNK = 1024
_CHUNK_CHARACTERS = 2**22

_ODD = re.compile("[\x00-\x08\x0a-\x1f\x7f-\x9f\u2028\u2029\ufffd\ufeff\ufff9-\ufffb]")
"""Control characters but tab, line and paragraph separator, replacement character, BOM."""


@dataclass(frozen=True)
class Example:
    """A row shown in the report."""

    where: str
    source: str
    target: str


@dataclass(frozen=True)
class Source:
    """The corpora of one split and how they are read."""

    specs: tuple[str, ...]
    columns: tuple[str, ...] | None
    skip_bad: bool

    def rows(self, counts: Sequence[ReadCounts] | None = None) -> Iterator[tuple[str, Row]]:
        """Yield (first file, row) of every corpus in turn."""
        for number, spec in enumerate(self.specs):
            place = str(corpus_paths(spec)[0])
            count = counts[number] if counts is not None else ReadCounts()
            for row in open_corpus(
                spec, columns=self.columns, skip_bad=self.skip_bad, counts=count
            ):
                yield place, row

    def state(self) -> list[tuple[int, int]]:
        """Return (size, time of change) of each file, to notice a change between readings."""
        paths = [path for spec in self.specs for path in corpus_paths(spec)]
        stats = [path.stat() for path in paths if path.exists()]
        return [(stat.st_size, stat.st_mtime_ns) for stat in stats]


@dataclass(frozen=True)
class Survey:
    """What one reading of a split left: counts by corpus, columns by row, characters by side."""

    source: Source
    counts: tuple[ReadCounts, ...]
    rows: RowColumns
    source_characters: Counter[str]
    target_characters: Counter[str]
    digest: str
    state: list[tuple[int, int]]

    @classmethod
    def read(cls, source: Source, split: str, progress: Progress) -> "Survey":
        """Read every row once; raises DataError for whatever `open_corpus` refuses."""
        counts = tuple(ReadCounts() for _ in source.specs)
        state = source.state()
        columns = _Growing()
        of_source: Counter[str] = Counter()
        of_target: Counter[str] = Counter()
        digest = hashlib.sha256()
        stream = (row for _, row in source.rows(counts))
        tracked = progress.track(stream, f"reading {split}")
        for chunk in _chunks(tracked):
            columns.add(chunk)
            sources = "\n".join([row.source for row in chunk])
            targets = "\n".join([row.target for row in chunk])
            of_source.update(sources)
            of_target.update(targets)
            digest.update(f"{len(sources)} {sources} {targets}".encode())
        for counter in (of_source, of_target):
            del counter["\n"]
        return cls(
            source, counts, columns.finish(), of_source, of_target, digest.hexdigest(), state
        )

    def examples(self, wanted: Sequence[int]) -> dict[int, Example]:
        """Read the files again as far as needed and return the rows of these numbers (from 0)."""
        left = set(wanted)
        found: dict[int, Example] = {}
        last = max(left, default=-1)
        for number, (place, row) in enumerate(islice(self.source.rows(), last + 1)):
            if number in left:
                found[number] = Example(f"{place}:{row.line}", row.source, row.target)
        return found


def _chunks(rows: Iterable[Row]) -> Iterator[list[Row]]:
    """Yield the rows some at a time, fewer when they are long."""
    chunk: list[Row] = []
    size = 0
    for row in rows:
        chunk.append(row)
        size += len(row.source) + len(row.target)
        if len(chunk) == _CHUNK or size > _CHUNK_CHARACTERS:
            yield chunk
            chunk, size = [], 0
    if chunk:
        yield chunk


class _Growing:
    """The columns of the rows read so far, as compact arrays."""

    def __init__(self) -> None:
        self.keys = bytearray(), bytearray()
        self.lengths = array("I"), array("I")
        self.words = array("I"), array("I")
        self.odd = bytearray()
        self.padded = bytearray()

    def add(self, chunk: Sequence[Row]) -> None:
        """Append some rows."""
        hash_, odd = hashlib.blake2b, _ODD.search
        for side in (0, 1):
            keys, lengths, words = self.keys[side], self.lengths[side], self.words[side]
            for row in chunk:
                text = (row.target if side else row.source).strip()
                keys += hash_(text.encode(), digest_size=8).digest()
                lengths.append(len(text))
                words.append(len(text.split()))
        for source, target, _ in chunk:
            self.odd.append(odd(source) is not None or odd(target) is not None)
            self.padded.append(source.strip() != source or target.strip() != target)

    def finish(self) -> RowColumns:
        """Return the columns as arrays over the same memory."""
        return RowColumns(
            source_key=_array(self.keys[0], np.uint64),
            target_key=_array(self.keys[1], np.uint64),
            source_length=_array(self.lengths[0], np.uint32),
            target_length=_array(self.lengths[1], np.uint32),
            source_words=_array(self.words[0], np.uint32),
            target_words=_array(self.words[1], np.uint32),
            odd=_array(self.odd, np.bool_),
            padded=_array(self.padded, np.bool_),
        )


def _array(buffer: Any, kind: Any) -> NDArray[Any]:
    return np.frombuffer(buffer, dtype=kind)
