"""The token store: a corpus as flat arrays of ids on disk, built once and memory-mapped.

Pairs of sentences and a tokenizer come in, a folder goes out whose rows `BatchPlan` reads at
random; a run calls it, and finds the folder again the next time. It needs no torch.
"""

__all__ = ["TokenStore"]

import json
import shutil
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from hashlib import sha256
from itertools import islice
from pathlib import Path
from typing import Any

import numpy as np

from heedful.data.columns import blocks
from heedful.data.store_writer import JOURNAL, SIDES, Encoder, Writer, refuse_foreign, size_of
from heedful.data.workers import in_order, portions
from heedful.errors import DataError, OutputError
from heedful.progress import Progress
from heedful.text.pieces import PAD
from heedful.text.tokenizer import Tokenizer

FORMAT = "heedful-token-store"
VERSION = 1
FILES = {f"{side}.{part}.npy" for side in SIDES for part in ("ids", "offsets")}
FILES |= {"meta.json"}
_JOURNALS = {JOURNAL, f".{JOURNAL}.new"}
PAIRS_AT_ONCE, _CHARACTERS_AT_ONCE = 4096, 2**22
_PORTIONS_HERE = 16

Ids = np.ndarray[tuple[int], np.dtype[np.unsignedinteger[Any]]]
Offsets = np.ndarray[tuple[int], np.dtype[np.int64]]
Lengths = np.ndarray[tuple[int], np.dtype[np.int32]]
Rows = np.ndarray[tuple[int], np.dtype[np.signedinteger[Any]]]
Padded = np.ndarray[tuple[int, int], np.dtype[np.int64]]


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

    def padded(self, side: int, rows: Rows, width: int) -> Padded:
        """Return the ids of these rows, `side` 0 the source, 1 the target, filled up with PAD.

        None of them may have more than `width`. All are fetched at once: a GPU takes a batch
        faster than Python takes its rows one by one.
        """
        ids, offsets = ((self._source, self._source_at), (self._target, self._target_at))[side]
        starts = offsets[rows]
        lengths = offsets[rows + 1] - starts
        real = np.arange(width) < lengths[:, None]
        found = np.full(real.shape, PAD, np.int64)
        found[real] = ids[(starts[:, None] + np.arange(width))[real]]
        return found

    def lengths(self) -> tuple[Lengths, Lengths]:
        """Return how many ids the source and the target of each row have, </s> counted."""
        return _lengths(self._source_at), _lengths(self._target_at)

    @staticmethod
    def known(
        fingerprint: str,
        tokenizer: Tokenizer,
        directions: Sequence[tuple[int, str | None]],
        max_tokens: int,
    ) -> str:
        """Return the fingerprint of the store that `build` would make of these things."""
        facts = [FORMAT, VERSION, fingerprint, tokenizer.fingerprint(), directions, max_tokens]
        return sha256(json.dumps(facts).encode()).hexdigest()

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
        The folder appears when it is complete; until then what is there of a large one stands in
        `NAME.growing`, and a later call goes on from it. Raises DataError when no row is left,
        OutputError when it cannot be written.
        """
        known = cls.known(fingerprint or "", tokenizer, directions, max_tokens)
        growing = folder.with_name(f"{folder.name}.growing")
        for place in (folder, growing):
            refuse_foreign(place, FILES | _JOURNALS, "token store")
        if fingerprint is not None and (found := _find(folder, known)):
            shutil.rmtree(growing, ignore_errors=True)  # of things that are no longer wanted
            return found
        with _saving(folder):
            sizes = (tokenizer.source_size, tokenizer.target_size)
            writer = Writer(growing, sizes, None if fingerprint is None else known)
        try:
            if writer.resumed:
                progress.say(f"going on with the token store from pair {writer.resumed:,}")
            left = islice(progress.track(pairs, "tokenising", total), writer.resumed, None)
            encoder = Encoder(tokenizer, directions, max_tokens)
            some = portions(left, size_of, PAIRS_AT_ONCE, _CHARACTERS_AT_ONCE)
            for coded in in_order(encoder, some, progress.say, here=_PORTIONS_HERE):
                with _saving(folder):
                    writer.add(coded)
            done = writer.done
            _check_rows(folder.name, done.rows, done.too_long, max_tokens)
            with _saving(folder):
                writer.finish()
                _complete(growing, folder, known, done.rows, done.too_long, max_tokens)
        finally:
            writer.abandon()
        left_out = f", {done.too_long:,} longer than {max_tokens} pieces left out"
        progress.say(f"token store: {done.rows:,} rows{left_out if done.too_long else ''}")
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


def _complete(
    growing: Path, folder: Path, known: str, rows: int, too_long: int, max_tokens: int
) -> None:
    """Give a whole store its name; a large one keeps its journal, as a sign of hours of work."""
    meta = {
        "format": FORMAT,
        "version": VERSION,
        "fingerprint": known,
        "rows": rows,
        "too_long": too_long,
        "max_tokens": max_tokens,
    }
    (growing / "meta.json").write_text(json.dumps(meta, indent=1), encoding="utf-8")
    if folder.exists():
        shutil.rmtree(folder)
    growing.replace(folder)


def _lengths(offsets: Offsets) -> Lengths:
    """Return the differences, computed some at a time: memory holds nothing else."""
    found = np.empty(len(offsets) - 1, np.int32)
    for block in blocks(len(found)):
        found[block] = np.diff(offsets[block.start : block.stop + 1])
    return found


def _find(folder: Path, fingerprint: str) -> TokenStore | None:
    """Return the store in the folder if it can be opened and is the one wanted."""
    try:
        found = TokenStore.open(folder)
    except DataError:
        return None
    return found if found.fingerprint == fingerprint else None


def _check_rows(name: str, rows: int, too_long: int, max_tokens: int) -> None:
    if not rows and too_long:
        raise DataError(
            f"all {too_long:,} rows of {name} are longer than {max_tokens} pieces",
            fix="give shorter sentences, or train with a larger --training.max-pieces",
        )
    if not rows:
        raise DataError("the corpus has no pair of sentences")


@contextmanager
def _saving(folder: Path) -> Iterator[None]:
    try:
        yield
    except OSError as failure:
        reason = failure.strerror or str(failure)
        raise OutputError(
            f"cannot be written ({reason})", where=str(folder), fix="make room there"
        ) from None


def _map(folder: Path, side: str) -> tuple[Ids, Offsets]:
    """Return the ids, memory-mapped, and the offsets of one side; ValueError when they differ."""
    ids = np.load(folder / f"{side}.ids.npy", mmap_mode="r", allow_pickle=False)
    offsets = np.load(folder / f"{side}.offsets.npy", mmap_mode="r", allow_pickle=False)
    if ids.dtype not in (np.uint16, np.uint32) or offsets.dtype != np.int64:
        raise ValueError(f"the {side} is of another type")
    if ids.ndim != 1 or offsets.ndim != 1 or not len(offsets):
        raise ValueError(f"the {side} is of another shape")
    rising = all(
        bool((np.diff(offsets[block.start : block.stop + 1]) > 0).all())
        for block in blocks(len(offsets) - 1)
    )
    if offsets[0] != 0 or offsets[-1] != len(ids) or not rising:
        raise ValueError(f"the {side} and its offsets do not fit")
    return ids.view(np.ndarray), offsets.view(np.ndarray)
