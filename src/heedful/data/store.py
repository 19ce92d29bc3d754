"""The token store: a corpus as flat arrays of ids on disk, built once and memory-mapped.

Pairs of sentences and a tokenizer come in, a folder goes out whose rows `BatchPlan` reads at
random; a run calls it, and finds the folder again the next time. It needs no torch.
"""

__all__ = ["TokenStore"]

import json
import os
import shutil
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from hashlib import sha256
from itertools import islice
from pathlib import Path
from typing import Any

import numpy as np

from heedful.errors import DataError, OutputError
from heedful.progress import Progress
from heedful.text.tokenizer import Tokenizer

FORMAT = "heedful-token-store"
VERSION = 1
PAIRS_AT_ONCE = 4096
SIDES = ("source", "target")
FILES = {"meta.json"} | {f"{side}.{part}.npy" for side in SIDES for part in ("ids", "offsets")}

Ids = np.ndarray[tuple[int], np.dtype[np.unsignedinteger[Any]]]
Lengths = np.ndarray[tuple[int], np.dtype[np.int64]]


class TokenStore:
    """Rows of source and target ids, each ending in </s>; get it by `build` or `open`.

    `too_long` says how many rows `build` left out for having more than `max_tokens` ids.
    """

    def __init__(self, folder: Path, meta: dict[str, Any], columns: dict[str, Any]) -> None:
        self.folder = folder
        self.fingerprint: str = meta["fingerprint"]
        self.max_tokens: int = meta["max_tokens"]
        self.too_long: int = meta["too_long"]
        self._source, self._source_at = columns["source"]
        self._target, self._target_at = columns["target"]

    def __len__(self) -> int:
        return len(self._source_at) - 1

    def source(self, row: int) -> Ids:
        """Return the source ids of a row: its language tag if there is one, pieces, </s>."""
        ids: Ids = self._source[self._source_at[row] : self._source_at[row + 1]]
        return ids

    def target(self, row: int) -> Ids:
        """Return the target ids of a row: pieces, </s>."""
        ids: Ids = self._target[self._target_at[row] : self._target_at[row + 1]]
        return ids

    def lengths(self) -> tuple[Lengths, Lengths]:
        """Return how many ids the source and the target of each row have, </s> counted."""
        return np.diff(self._source_at), np.diff(self._target_at)

    @classmethod
    def build(
        cls,
        folder: Path,
        pairs: Iterable[tuple[str, str]],
        tokenizer: Tokenizer,
        directions: Sequence[tuple[int, str | None]],
        max_tokens: int,
        progress: Progress,
        *,
        fingerprint: str | None = None,
        total: int | None = None,
    ) -> "TokenStore":
        """Write the store, or open the one that is there if it was made of the same things.

        Each pair gives a row for each of `directions`, `(which side is the source, language tag)`:
        `[(0, None)]` translates the first side into the second, `[(0, "de"), (1, "en")]` both
        ways. `fingerprint` stands for the pairs: without it an existing store is not trusted.
        The folder appears when it is complete; raises DataError when no row is left, OutputError
        when it cannot be written.
        """
        facts = [FORMAT, VERSION, fingerprint, tokenizer.fingerprint(), directions, max_tokens]
        known = sha256(json.dumps(facts).encode()).hexdigest()
        if fingerprint is not None and (found := _find(folder, known)):
            return found
        _refuse_foreign(folder)
        partial = folder.with_name(f".{folder.name}.{os.getpid()}.partial")
        try:
            with _saving(folder):
                shutil.rmtree(partial, ignore_errors=True)
                partial.mkdir(parents=True)
            rows, too_long = _write(
                partial,
                _encode(progress.track(pairs, "tokenising", total), tokenizer, directions),
                (tokenizer.source_size, tokenizer.target_size),
                max_tokens,
            )
            _check_rows(rows, too_long, max_tokens)
            meta = {
                "format": FORMAT,
                "version": VERSION,
                "fingerprint": known,
                "rows": rows,
                "too_long": too_long,
                "max_tokens": max_tokens,
            }
            with _saving(folder):
                (partial / "meta.json").write_text(json.dumps(meta, indent=1), encoding="utf-8")
                if folder.exists():
                    shutil.rmtree(folder)
                partial.replace(folder)
        finally:
            shutil.rmtree(partial, ignore_errors=True)
        left_out = f", {too_long:,} longer than {max_tokens} pieces left out" if too_long else ""
        progress.say(f"token store: {rows:,} rows{left_out}")
        return cls.open(folder)

    @classmethod
    def open(cls, folder: Path) -> "TokenStore":
        """Map a store into memory; raises DataError when it is missing or damaged."""
        try:
            meta = json.loads((folder / "meta.json").read_text(encoding="utf-8"))
            columns = {side: _map(folder, side) for side in SIDES}
            rows = {len(at) - 1 for _, at in columns.values()}
            if (meta["format"], meta["version"], {meta["rows"]}) != (FORMAT, VERSION, rows):
                raise ValueError("its parts do not belong together")
            return cls(folder, meta, columns)
        except FileNotFoundError:
            raise DataError("this is no complete token store", where=str(folder)) from None
        except (OSError, ValueError, EOFError, KeyError, TypeError, RecursionError) as failure:
            raise DataError(
                f"this token store is damaged ({failure})",
                where=str(folder),
                fix="delete the folder, it will be built anew",
            ) from None


def _find(folder: Path, fingerprint: str) -> TokenStore | None:
    """Return the store in the folder if it can be opened and is the one wanted."""
    try:
        found = TokenStore.open(folder)
    except DataError:
        return None
    return found if found.fingerprint == fingerprint else None


def _refuse_foreign(folder: Path) -> None:
    """Raise OutputError when the folder holds anything that is no part of a store."""
    if not folder.exists():
        return
    if not folder.is_dir() or {path.name for path in folder.iterdir()} - FILES:
        raise OutputError(
            "this is no token store and will not be overwritten",
            where=str(folder),
            fix="choose another folder",
        )


def _check_rows(rows: int, too_long: int, max_tokens: int) -> None:
    if not rows and too_long:
        raise DataError(
            f"all {too_long:,} rows are longer than {max_tokens} pieces", fix="allow longer rows"
        )
    if not rows:
        raise DataError("the corpus has no pair of sentences")


@contextmanager
def _saving(folder: Path) -> Iterator[None]:
    try:
        yield
    except OSError as failure:
        reason = failure.strerror or str(failure)
        raise OutputError(f"cannot be written ({reason})", where=str(folder)) from None


def _encode(
    pairs: Iterable[tuple[str, str]],
    tokenizer: Tokenizer,
    directions: Sequence[tuple[int, str | None]],
) -> Iterator[tuple[list[int], list[int]]]:
    """Yield the ids of source and target, pair by pair and within it direction by direction."""
    waiting = iter(pairs)
    while chunk := list(islice(waiting, PAIRS_AT_ONCE)):
        coded = []
        for side, tag in directions:
            source = tokenizer.encode_source([pair[side] for pair in chunk], to=tag)
            target = tokenizer.encode_target([pair[1 - side] for pair in chunk])
            coded.append(list(zip(source, target, strict=True)))
        for rows in zip(*coded, strict=True):
            yield from rows


def _write(
    folder: Path,
    rows: Iterator[tuple[list[int], list[int]]],
    sizes: tuple[int, int],
    max_tokens: int,
) -> tuple[int, int]:
    """Write both columns; return the rows written and those left out as too long."""
    written = too_long = 0
    with _saving(folder):
        columns = [_Column(folder, side, size) for side, size in zip(SIDES, sizes, strict=True)]
    try:
        while chunk := list(islice(rows, PAIRS_AT_ONCE)):
            kept = [row for row in chunk if max(len(row[0]), len(row[1])) <= max_tokens]
            written += len(kept)
            too_long += len(chunk) - len(kept)
            with _saving(folder):
                for column, side in zip(columns, zip(*kept, strict=True), strict=False):
                    column.append(side)
        with _saving(folder):
            for column in columns:
                column.finish()
    finally:
        for column in columns:
            column.file.close()
    return written, too_long


class _Column:
    """One side of the store while it is written: ids as they come, offsets at the end.

    numpy leaves room in a header for its first dimension to grow, so that the header written
    first is replaced by the true one in place.
    """

    def __init__(self, folder: Path, side: str, size: int) -> None:
        self.dtype = np.dtype(np.uint16 if size <= 2**16 else np.uint32)
        self.file = (folder / f"{side}.ids.npy").open("wb")
        self.offsets_path = folder / f"{side}.offsets.npy"
        self.lengths: list[Lengths] = []
        self._header(0)
        self.start = self.file.tell()

    def append(self, rows: Sequence[Sequence[int]]) -> None:
        """Write the ids of some rows."""
        self.lengths.append(np.fromiter(map(len, rows), np.int64, len(rows)))
        flat = [number for row in rows for number in row]
        self.file.write(np.array(flat, self.dtype).tobytes())

    def finish(self) -> None:
        """Write the true header and the offsets."""
        offsets = np.cumsum(np.concatenate([np.zeros(1, np.int64), *self.lengths]))
        self.file.seek(0)
        self._header(int(offsets[-1]))
        if self.file.tell() != self.start:
            raise OSError("the header of the ids has outgrown its place")
        self.file.close()
        np.save(self.offsets_path, offsets, allow_pickle=False)

    def _header(self, count: int) -> None:
        description = {
            "descr": np.lib.format.dtype_to_descr(self.dtype),
            "fortran_order": False,
            "shape": (count,),
        }
        np.lib.format.write_array_header_1_0(self.file, description)


def _map(folder: Path, side: str) -> tuple[Ids, Lengths]:
    """Return the ids, memory-mapped, and the offsets of one side; ValueError when they differ."""
    ids = np.load(folder / f"{side}.ids.npy", mmap_mode="r", allow_pickle=False)
    offsets = np.load(folder / f"{side}.offsets.npy", mmap_mode="r", allow_pickle=False)
    if ids.dtype not in (np.uint16, np.uint32) or offsets.dtype != np.int64:
        raise ValueError(f"the {side} is of another type")
    if ids.ndim != 1 or offsets.ndim != 1 or not len(offsets):
        raise ValueError(f"the {side} is of another shape")
    if offsets[0] != 0 or offsets[-1] != len(ids) or (np.diff(offsets) < 1).any():
        raise ValueError(f"the {side} and its offsets do not fit")
    return ids.view(np.ndarray), offsets.view(np.ndarray)
