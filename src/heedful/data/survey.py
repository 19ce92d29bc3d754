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
from pathlib import Path
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from heedful.data.clean import RowColumns
from heedful.data.columns import Column
from heedful.data.formats import ReadCounts, Row, corpus_paths, open_corpus
from heedful.data.workers import in_order
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
        stream = (row for _, row in source.rows(counts))
        chunks = _chunks(progress.track(stream, f"reading {split}"))
        texts = (_Texts.of(rows) for rows in chunks)
        for chunk in in_order(_look_over, texts, progress.say, here=_CHUNKS_HERE):
            columns.add(chunk)
            for side, found in zip(characters, chunk.characters, strict=True):
                side.add(found)
            digest.update(chunk.joined)
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


class _Texts(NamedTuple):
    """Some rows on their way to be looked over."""

    source: list[str]
    target: list[str]

    @classmethod
    def of(cls, rows: Sequence[Row]) -> "_Texts":
        return cls([row.source for row in rows], [row.target for row in rows])


class _Chunk(NamedTuple):
    """What some rows leave: the bytes of their columns, their characters, what is hashed."""

    keys: tuple[bytes, bytes]
    lengths: tuple[bytes, bytes]
    words: tuple[bytes, bytes]
    odd: bytes
    padded: bytes
    characters: tuple[NDArray[np.int64], NDArray[np.int64]]
    joined: bytes


def _look_over(texts: _Texts) -> _Chunk:
    """Return what is kept of some rows."""
    hash_, odd = hashlib.blake2b, _ODD.search
    keys, lengths, words, joined = [], [], [], []
    marked, padded = bytearray(len(texts.source)), bytearray(len(texts.source))
    for side in texts:
        stripped = [text.strip() for text in side]
        keys.append(b"".join([hash_(t.encode(), digest_size=8).digest() for t in stripped]))
        lengths.append(array("I", map(len, stripped)).tobytes())
        words.append(array("I", [len(text.split()) for text in stripped]).tobytes())
        joined.append("\n".join(side))
        for row, (text, trimmed) in enumerate(zip(side, stripped, strict=True)):
            marked[row] |= odd(text) is not None
            padded[row] |= len(text) != len(trimmed)
    sources, targets = joined
    return _Chunk(
        (keys[0], keys[1]),
        (lengths[0], lengths[1]),
        (words[0], words[1]),
        bytes(marked),
        bytes(padded),
        (_counted(sources), _counted(targets)),
        f"{len(sources)} {sources} {targets}".encode(),
    )


def _counted(text: str) -> NDArray[np.int64]:
    """Return how often each character stands in the text, by its code; line breaks uncounted."""
    found = np.bincount(np.frombuffer(text.encode("utf-32-le"), np.uint32))
    found[10:11] = 0
    return found


class _Characters:
    """Counts of characters, by their code."""

    def __init__(self) -> None:
        self.counts = np.zeros(0, np.int64)

    def add(self, more: NDArray[np.int64]) -> None:
        """Add the counts of some text."""
        if len(more) > len(self.counts):
            self.counts = np.pad(self.counts, (0, len(more) - len(self.counts)))
        self.counts[: len(more)] += more

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
