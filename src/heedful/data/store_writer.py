"""The token store while it grows: ids appended to files, with a journal to go on by after a kill.

Pairs become coded rows, by as many processes as there are cores; one process writes them in order
and every `PAIRS_A_COMMIT` pairs notes on disk how far it has come. Called by `TokenStore.build`.
"""

__all__ = ["JOURNAL", "SIDES", "Coded", "Encoder", "Writer", "refuse_foreign", "size_of"]

import json
import os
import shutil
from collections.abc import Sequence, Set
from contextlib import suppress
from dataclasses import asdict, dataclass
from itertools import chain
from pathlib import Path
from typing import Any, BinaryIO, NamedTuple

import numpy as np
from numpy.typing import NDArray

from heedful.errors import OutputError
from heedful.text.tokenizer import Tokenizer

SIDES = ("source", "target")
JOURNAL = "progress.json"
PAIRS_A_COMMIT = 2**19
"""A minute's work of a core, or less."""


class Coded(NamedTuple):
    """The rows of some pairs, as bytes: the ids of each side and the lengths of its rows."""

    pairs: int
    too_long: int
    ids: tuple[bytes, bytes]
    lengths: tuple[NDArray[np.int64], NDArray[np.int64]]


@dataclass(frozen=True)
class Encoder:
    """Turns pairs into rows, direction by direction within each; it can be sent to a process."""

    tokenizer: Tokenizer
    directions: Sequence[tuple[int, str | None]]
    max_tokens: int

    def __call__(self, pairs: Sequence[tuple[str, str]]) -> Coded:
        """Return the rows of at most `max_tokens` ids a side, and how many have more."""
        coded = []
        for side, tag in self.directions:
            source = self.tokenizer.encode_source([pair[side] for pair in pairs], to=tag)
            target = self.tokenizer.encode_target([pair[1 - side] for pair in pairs])
            coded.append(list(zip(source, target, strict=True)))
        rows = list(chain.from_iterable(zip(*coded, strict=True)))
        kept = [row for row in rows if max(len(row[0]), len(row[1])) <= self.max_tokens]
        sides = [[row[side] for row in kept] for side in (0, 1)]
        kinds = [id_kind(self.tokenizer.source_size), id_kind(self.tokenizer.target_size)]
        source_ids, target_ids = map(_flat, sides, kinds)
        source_lengths, target_lengths = map(_lengths, sides)
        return Coded(
            len(pairs),
            len(rows) - len(kept),
            (source_ids, target_ids),
            (source_lengths, target_lengths),
        )


def id_kind(size: int) -> np.dtype[Any]:
    """Return the smallest type that numbers a vocabulary of this size."""
    return np.dtype(np.uint16 if size <= 2**16 else np.uint32)


def _flat(rows: Sequence[Sequence[int]], kind: np.dtype[Any]) -> bytes:
    return np.array([number for row in rows for number in row], kind).tobytes()


def _lengths(rows: Sequence[Sequence[int]]) -> NDArray[np.int64]:
    return np.fromiter(map(len, rows), np.int64, len(rows))


def size_of(pair: tuple[str, str]) -> int:
    """Return the characters of a pair."""
    return len(pair[0]) + len(pair[1])


@dataclass
class _Progress:
    """How far the writing has come: what the journal says."""

    fingerprint: str | None
    pairs: int = 0
    rows: int = 0
    too_long: int = 0
    ids: tuple[int, int] = (0, 0)


class Writer:
    """The files of a store in the making; raises OSError where they cannot be written."""

    def __init__(self, folder: Path, sizes: tuple[int, int], fingerprint: str | None) -> None:
        """Go on with what the folder holds if it is of the same things, else begin anew.

        Without a `fingerprint` nothing is trusted, and no journal is kept.
        """
        self.folder = folder
        self._files: list[BinaryIO] = []
        self._kinds = [id_kind(size) for size in sizes]
        known = _journal(folder, fingerprint)
        if known is not None:
            with suppress(_TooShortError, FileNotFoundError):
                self._open(known, known.pairs)
                return
        self.close()
        shutil.rmtree(folder, ignore_errors=True)
        folder.mkdir(parents=True)
        try:
            self._open(_Progress(fingerprint), 0)
        except OSError:
            self.abandon()
            raise

    def _open(self, done: "_Progress", committed: int) -> None:
        self.done = done
        self.resumed = self._committed = committed
        zipped = zip((0, 1), SIDES, self._kinds, strict=True)
        self._columns = [self._column(*one) for one in zipped]

    def _column(self, place: int, side: str, kind: np.dtype[Any]) -> tuple["_Array", "_Array"]:
        return (
            self._array(f"{side}.ids.npy", kind, self.done.ids[place]),
            self._array(f"{side}.offsets.npy", np.dtype(np.int64), self.done.rows + 1),
        )

    def _array(self, name: str, kind: np.dtype[Any], count: int) -> "_Array":
        file = (self.folder / name).open("r+b" if self.resumed else "w+b")
        self._files.append(file)
        return _Array(file, kind, count, begun=bool(self.resumed))

    def add(self, coded: Coded) -> None:
        """Write some rows; now and then let them be safe on disk."""
        done = self.done
        for (ids, offsets), more, lengths in zip(
            self._columns, coded.ids, coded.lengths, strict=True
        ):
            offsets.append((np.cumsum(lengths) + ids.count).tobytes())
            ids.append(more)
        done.pairs += coded.pairs
        done.rows += len(coded.lengths[0])
        done.too_long += coded.too_long
        done.ids = (self._columns[0][0].count, self._columns[1][0].count)
        if done.fingerprint is not None and done.pairs - self._committed >= PAIRS_A_COMMIT:
            self._commit()

    def _commit(self) -> None:
        """Flush the files, then say in the journal what stands in them."""
        for file in self._files:
            file.flush()
            os.fsync(file.fileno())
        fresh = self.folder / f".{JOURNAL}.new"
        with fresh.open("w", encoding="utf-8") as journal:
            json.dump(asdict(self.done), journal)
            journal.flush()
            os.fsync(journal.fileno())
        fresh.replace(self.folder / JOURNAL)
        self._committed = self.done.pairs

    def finish(self) -> None:
        """Write the true headers."""
        if self._committed:
            self._commit()
        for column in self._columns:
            for array in column:
                array.finish()
        self.close()

    def close(self) -> None:
        """Close the files."""
        files, self._files = self._files, []
        for file in files:
            file.close()

    def abandon(self) -> None:
        """Close the files and remove them, unless a journal says how to go on."""
        for file in self._files:
            with suppress(OSError):  # a full disk has been told of, and is told of again
                file.close()
        if not self._committed:
            shutil.rmtree(self.folder, ignore_errors=True)


class _TooShortError(Exception):
    """A file holds less than its journal says."""


class _Array:
    """A one-dimensional .npy file that grows.

    numpy leaves room in a header for its first dimension to grow, so that the header written
    first is replaced by the true one in place.
    """

    def __init__(self, file: BinaryIO, kind: np.dtype[Any], count: int, *, begun: bool) -> None:
        self.file = file
        self.kind = kind
        self.count = count
        size = file.seek(0, os.SEEK_END)
        file.seek(0)
        self._header(0)
        self.start = file.tell()
        end = self.start + count * kind.itemsize
        if begun and size < end:
            raise _TooShortError
        file.truncate(end)  # of a file that is begun, this leaves zeros: the first offset
        file.seek(end)

    def append(self, numbers: bytes) -> None:
        """Write numbers, as bytes."""
        self.file.write(numbers)
        self.count += len(numbers) // self.kind.itemsize

    def finish(self) -> None:
        """Write the true header."""
        self.file.seek(0)
        self._header(self.count)
        if self.file.tell() != self.start:
            raise OSError("the header of the ids has outgrown its place")

    def _header(self, count: int) -> None:
        description = {
            "descr": np.lib.format.dtype_to_descr(self.kind),
            "fortran_order": False,
            "shape": (count,),
        }
        np.lib.format.write_array_header_1_0(self.file, description)


def _journal(folder: Path, fingerprint: str | None) -> _Progress | None:
    """Return how far the folder's files have come, None where they are of other things."""
    try:
        found = _Progress(**json.loads((folder / JOURNAL).read_text("utf-8")))
        found.ids = (int(found.ids[0]), int(found.ids[1]))
        found.pairs, found.rows = int(found.pairs), int(found.rows)
    except (OSError, ValueError, TypeError, IndexError, RecursionError):
        return None
    return found if fingerprint is not None and found.fingerprint == fingerprint else None


def refuse_foreign(folder: Path, own: Set[str], what: str) -> None:
    """Raise OutputError when the folder holds anything else than files of that name."""
    if folder.exists() and (not folder.is_dir() or {x.name for x in folder.iterdir()} - own):
        raise OutputError(
            f"this is no {what} and will not be overwritten",
            where=str(folder),
            fix="choose another folder",
        )
