"""The first reading of one split: every row becomes a few numbers and an 8-byte hash a side.

`Survey.read` is called by `heedful.data.corpus`; what it keeps is judged by `heedful.data.clean`.
"""

__all__ = ["Example", "Source", "Survey"]

import hashlib
import re
from array import array
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from heedful.data.clean import RowColumns
from heedful.data.columns import Column
from heedful.data.formats import ReadCounts, Row, corpus_paths, open_corpus
from heedful.data.workers import in_order, portions
from heedful.progress import Progress

_CHUNK = 1024
_CHUNK_CHARACTERS = 2**22
_CHUNKS_HERE = 128

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

    def paths(self) -> list[Path]:
        """Return the files of all corpora."""
        return [path for spec in self.specs for path in corpus_paths(spec)]

    def state(self) -> list[tuple[int, int]]:
        """Return (size, time of change) of each file, to notice a change between readings."""
        stats = [path.stat() for path in self.paths() if path.exists()]
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
    def read(
        cls, source: Source, split: str, progress: Progress, scratch: Path | None = None
    ) -> "Survey":
        """Read every row once; raises DataError for whatever `open_corpus` refuses.

        The columns of a large corpus stand in nameless files in the folder `scratch`.
        """
        counts = tuple(ReadCounts() for _ in source.specs)
        state = source.state()
        columns = _Growing(scratch)
        characters = _Characters(), _Characters()
        digest = hashlib.sha256()
        stream = progress.track((row for _, row in source.rows(counts)), f"reading {split}")

        def texts() -> Iterator[_Texts]:
            for rows in portions(stream, _size, _CHUNK, _CHUNK_CHARACTERS):
                sides = _Texts([row.source for row in rows], [row.target for row in rows])
                sources, targets = map("\n".join, sides)
                digest.update(f"{len(sources)} {sources} {targets}".encode())
                yield sides

        for chunk in in_order(_look_over, texts(), progress.say, here=_CHUNKS_HERE):
            columns.add(chunk)
            for side, found in zip(characters, chunk.characters, strict=True):
                side.add(found)
        of_source, of_target = (side.counter() for side in characters)
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


def _size(row: Row) -> int:
    return len(row.source) + len(row.target)


class _Texts(NamedTuple):
    """Some rows on their way to be looked over."""

    source: list[str]
    target: list[str]


class _Chunk(NamedTuple):
    """What some rows leave: the bytes of their columns, and their characters."""

    keys: tuple[bytes, bytes]
    lengths: tuple[bytes, bytes]
    words: tuple[bytes, bytes]
    odd: bytes
    padded: bytes
    characters: "tuple[_Counts, _Counts]"


def _look_over(texts: _Texts) -> _Chunk:
    """Return what is kept of some rows."""
    hash_, odd = hashlib.blake2b, _ODD.search
    keys, lengths, words, characters = [], [], [], []
    marked, padded = bytearray(len(texts.source)), bytearray(len(texts.source))
    for side in texts:
        stripped = [text.strip() for text in side]
        keys.append(b"".join([hash_(t.encode(), digest_size=8).digest() for t in stripped]))
        lengths.append(array("I", map(len, stripped)).tobytes())
        words.append(array("I", [len(text.split()) for text in stripped]).tobytes())
        characters.append(_counted("\n".join(side)))
        for row, (text, trimmed) in enumerate(zip(side, stripped, strict=True)):
            marked[row] |= odd(text) is not None
            padded[row] |= len(text) != len(trimmed)
    return _Chunk(
        (keys[0], keys[1]),
        (lengths[0], lengths[1]),
        (words[0], words[1]),
        bytes(marked),
        bytes(padded),
        (characters[0], characters[1]),
    )


class _Counts(NamedTuple):
    """Codes of characters, rising, and how often each stands in a text; line breaks uncounted."""

    codes: NDArray[np.int64]
    counts: NDArray[np.int64]


def _counted(text: str) -> _Counts:
    found = np.bincount(np.frombuffer(text.encode("utf-32-le"), np.uint32))
    found[10:11] = 0
    codes = np.flatnonzero(found)
    return _Counts(codes, found[codes])


class _Characters:
    """Counts of characters, by their code."""

    def __init__(self) -> None:
        self.counts = np.zeros(0x110000, np.int64)

    def add(self, more: _Counts) -> None:
        """Add the counts of some text."""
        self.counts[more.codes] += more.counts

    def counter(self) -> Counter[str]:
        """Return the counts by character."""
        return Counter({chr(code): int(self.counts[code]) for code in np.flatnonzero(self.counts)})


class _Growing:
    """The columns of the rows read so far."""

    def __init__(self, scratch: Path | None = None) -> None:
        self.keys = Column(np.uint64, scratch), Column(np.uint64, scratch)
        self.lengths = Column(np.uint32, scratch), Column(np.uint32, scratch)
        self.words = Column(np.uint32, scratch), Column(np.uint32, scratch)
        self.odd = Column(np.bool_, scratch)
        self.padded = Column(np.bool_, scratch)

    def add(self, chunk: _Chunk) -> None:
        """Append some rows."""
        for name in ("keys", "lengths", "words"):
            for column, numbers in zip(getattr(self, name), getattr(chunk, name), strict=True):
                column.append(numbers)
        self.odd.append(chunk.odd)
        self.padded.append(chunk.padded)

    def finish(self) -> RowColumns:
        """Return the columns as arrays."""
        return RowColumns(
            source_key=self.keys[0].finish(),
            target_key=self.keys[1].finish(),
            source_length=self.lengths[0].finish(),
            target_length=self.lengths[1].finish(),
            source_words=self.words[0].finish(),
            target_words=self.words[1].finish(),
            odd=self.odd.finish(),
            padded=self.padded.finish(),
        )
