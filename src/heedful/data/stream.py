"""The stream: a text as one row of ids on disk, built once and memory-mapped.

Portions of ids come in, a folder goes out of which `heedful.data.text_batches` takes windows. It
needs no torch.
"""

__all__ = ["Stream"]

import json
import shutil
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from heedful.data.store_writer import id_kind, refuse_foreign
from heedful.errors import DataError, OutputError

FORMAT = "heedful-stream"
VERSION = 1
_AT_ONCE = 2**22
_FILES = {"ids.bin", "meta.json"}


class Stream:
    """The ids of a text, one behind the other; get it by `build` or `open`."""

    def __init__(self, ids: NDArray[Any], fingerprint: str, unknown: int) -> None:
        self.ids = ids
        self.fingerprint = fingerprint
        self.unknown = unknown
        """How many of them are `<unk>`: characters that the vocabulary does not have."""

    def __len__(self) -> int:
        return len(self.ids)

    @classmethod
    def build(
        cls,
        folder: Path,
        portions: Iterable[NDArray[Any]],
        vocabulary_size: int,
        unknown_id: int,
        fingerprint: str,
    ) -> "Stream":
        """Write the stream, or open the one that is there if it has the same fingerprint.

        The folder appears when it is complete. Raises OutputError when it cannot be written.
        """
        if (found := _found(folder, fingerprint)) is not None:
            return found
        growing = folder.with_name(f"{folder.name}.new")
        kind, count, unknown = id_kind(vocabulary_size), 0, 0
        try:
            refuse_foreign(folder, _FILES, "stream of ids")
            shutil.rmtree(growing, ignore_errors=True)
            growing.mkdir(parents=True)
            with (growing / "ids.bin").open("wb") as file:
                for ids in portions:
                    file.write(ids.astype(kind).tobytes())
                    count += len(ids)
                    unknown += int(np.count_nonzero(ids == unknown_id))
            meta = {
                "format": FORMAT,
                "version": VERSION,
                "fingerprint": fingerprint,
                "kind": kind.name,
                "count": count,
                "unknown": unknown,
                "vocabulary": vocabulary_size,
            }
            (growing / "meta.json").write_text(json.dumps(meta, indent=1), "utf-8")
            shutil.rmtree(folder, ignore_errors=True)
            growing.replace(folder)
        except OSError as error:
            raise OutputError(
                f"cannot be written ({error.strerror or error})",
                where=str(folder),
                fix="make room there",
            ) from None
        finally:
            shutil.rmtree(growing, ignore_errors=True)
        return cls.open(folder)

    @classmethod
    def open(cls, folder: Path) -> "Stream":
        """Map a stream into memory; raises DataError when it is missing or damaged."""
        try:
            meta = json.loads((folder / "meta.json").read_text("utf-8"))
            kind = np.dtype(meta["kind"])
            if (meta["format"], meta["version"]) != (FORMAT, VERSION) or kind.kind != "u":
                raise ValueError("it is of another kind")
            ids = np.memmap(folder / "ids.bin", kind, "r").view(np.ndarray)
            parts = range(0, len(ids), _AT_ONCE)
            largest = max(int(ids[at : at + _AT_ONCE].max()) for at in parts)
            if len(ids) != meta["count"] or largest >= meta["vocabulary"]:
                raise ValueError("its parts do not belong together")
            return cls(ids, meta["fingerprint"], meta["unknown"])
        except FileNotFoundError:
            raise DataError("this is no complete stream of ids", where=str(folder)) from None
        except (OSError, ValueError, KeyError, TypeError, RecursionError) as failure:
            raise DataError(
                f"this stream of ids is damaged ({failure})",
                where=str(folder),
                fix="delete the folder, it will be built anew",
            ) from None


def _found(folder: Path, fingerprint: str) -> Stream | None:
    """Return the stream in the folder if it can be opened and is the one wanted."""
    try:
        found = Stream.open(folder)
    except DataError:
        return None
    return found if found.fingerprint == fingerprint else None
