"""The target pieces that a sentence may be translated with: a vocabulary shortlist.

The last product of a decoder's step is one with the whole vocabulary, though a few hundred pieces
can be the next. A `Shortlist` knows for every source piece the target pieces it is translated with,
and those that are always possible; a sentence's candidates are all of them together. Learnt by
`heedful.train.shortlist`, kept in the model folder, asked by the engine (`heed translate --fast`).
"""

__all__ = ["FILE", "Coverage", "Shortlist", "shortlist_of"]

import json
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray
from safetensors import SafetensorError, safe_open
from safetensors.numpy import save

from heedful.errors import ModelError
from heedful.kernels import called
from heedful.kernels.warm import are_ready
from heedful.model_header import add_file, added_file
from heedful.text.tokenizer import Tokenizer

FILE = "shortlist.safetensors"
FORMAT = "heedful-shortlist"
VERSION = 1

Ids = Sequence[int] | NDArray[Any]


class Coverage(NamedTuple):
    """How well shortlists fit translations that are known."""

    share: float
    """Of the target pieces, those that are among the candidates of their sentence."""
    mean_length: float
    """Candidates of a sentence."""


@dataclass(frozen=True, eq=False)
class Shortlist:
    """For each source piece a list of target pieces, and those that are candidates always."""

    starts: NDArray[np.int32]
    """Where each source piece's list begins in `targets`; one more at the end."""
    targets: NDArray[Any]
    """All lists, as uint16 where that numbers the vocabulary, else int32."""
    always: NDArray[np.int32]
    target_size: int
    """Pieces of the target vocabulary."""

    @classmethod
    def of(
        cls, lists: Sequence[NDArray[Any]], always: NDArray[Any], target_size: int
    ) -> "Shortlist":
        """Return the shortlist of one list for each source piece."""
        kind = np.dtype(np.uint16 if target_size <= 2**16 else np.int32)
        starts = np.cumsum([0, *map(len, lists)])
        targets = np.concatenate([np.zeros(0, kind), *lists]).astype(kind)
        return cls(starts.astype(np.int32), targets, always.astype(np.int32), target_size)

    @property
    def source_size(self) -> int:
        """Pieces of the source vocabulary."""
        return len(self.starts) - 1

    def candidates(self, source_ids: Ids) -> NDArray[np.int32]:
        """Return the target pieces that a sentence may be translated with, in ascending order.

        >>> lists = [np.array([]), np.array([7, 3]), np.array([3, 5])]
        >>> Shortlist.of(lists, np.array([2]), target_size=8).candidates([1, 2, 0]).tolist()
        [2, 3, 5, 7]
        """
        ids = np.asarray(source_ids, np.int64)
        if are_ready():
            if ids.size and not 0 <= ids.min() <= ids.max() < self.source_size:
                raise IndexError("a source piece that this shortlist does not know")
            marks, found = (
                np.zeros(self.target_size, np.bool_),
                np.empty(self.target_size, np.int32),
            )
            return found[: called.union(self.starts, self.targets, self.always, ids, marks, found)]
        places = zip(self.starts[ids].tolist(), self.starts[ids + 1].tolist(), strict=True)
        lists = [self.targets[start:end] for start, end in places]
        wanted = np.zeros(self.target_size, np.bool_)  # its own, since threads call this
        wanted[np.concatenate([self.always, *lists])] = True
        return np.flatnonzero(wanted).astype(np.int32)

    def coverage(self, pairs: Iterable[tuple[Ids, Ids]]) -> Coverage:
        """Return what is covered of pairs of (source ids, target ids); no pair: all, of length 0.

        >>> shortlist = Shortlist.of([np.array([]), np.array([7, 3])], np.array([2]), target_size=8)
        >>> shortlist.coverage([([1, 0], [7, 5, 3, 2])])
        Coverage(share=0.75, mean_length=3.0)
        """
        found = pieces = length = sentences = 0
        for source, target in pairs:
            known = self.candidates(source)
            found += int(np.isin(target, known).sum())
            pieces, length, sentences = pieces + len(target), length + len(known), sentences + 1
        return Coverage(found / pieces if pieces else 1.0, length / max(sentences, 1))

    def to_bytes(self) -> bytes:
        """Return the file as it stands in a model folder."""
        tensors = {"starts": self.starts, "targets": self.targets, "always": self.always}
        header = {"format": FORMAT, "version": VERSION, "target_size": self.target_size}
        return save(tensors, {"shortlist": json.dumps(header)})

    def save(self, folder: Path) -> None:
        """Add it to a model folder, in the place of an older one; see `add_file`."""
        add_file(folder, FILE, self.to_bytes())

    @classmethod
    def load(cls, folder: Path) -> "Shortlist | None":
        """Return the shortlist of a model folder; None if it has none.

        Raises ModelError when it is damaged, or of a version not known here.
        """
        path = added_file(folder, FILE)
        if path is None:
            return None
        try:
            with safe_open(path, "np") as file:
                header = json.loads((file.metadata() or {})["shortlist"])
                if (header["format"], header["version"]) != (FORMAT, VERSION):
                    raise ValueError(f"format version {header['version']!r} is not known here")
                tensors = {name: file.get_tensor(name) for name in ("starts", "targets", "always")}
            found = cls(**tensors, target_size=int(header["target_size"]))
            found._check()
        except (OSError, SafetensorError, ValueError, KeyError, TypeError, RecursionError) as error:
            raise ModelError(
                f"this shortlist cannot be used ({error})",
                where=str(path),
                fix="learn it again: heed shortlist",
            ) from error
        return found

    def _check(self) -> None:
        """Raise ValueError unless every list can be looked up."""
        whole = all(ids.dtype == np.int32 for ids in (self.starts, self.always))
        if not whole or self.targets.dtype not in (np.uint16, np.int32):
            raise ValueError("its numbers are of another type")
        if not self.starts.ndim == self.targets.ndim == self.always.ndim == 1:
            raise ValueError("its lists are of another shape")
        ends = (self.starts[0], self.starts[-1]) if len(self.starts) else (0, -1)
        if ends != (0, len(self.targets)) or (np.diff(self.starts) < 0).any():
            raise ValueError("its lists do not fit together")
        for ids in (self.targets, self.always):
            if len(ids) and not 0 <= int(ids.min()) <= int(ids.max()) < self.target_size:
                raise ValueError("a piece is not of the vocabulary")


def shortlist_of(folder: Path, tokenizer: Tokenizer) -> Shortlist:
    """Return the shortlist of a model; raises ModelError if it has none, or another's."""
    found = Shortlist.load(folder)
    fix = f"learn one: heed shortlist --model {folder} --data CORPUS"
    if found is None:
        raise ModelError("this model has no shortlist to be fast with", where=str(folder), fix=fix)
    if (found.source_size, found.target_size) != (tokenizer.source_size, tokenizer.target_size):
        raise ModelError("its shortlist is of another vocabulary", where=str(folder), fix=fix)
    return found
