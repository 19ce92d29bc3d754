"""Whether a model has learnt what it is to be tested on, as far as its run folder tells.

A model's folder and sentences come in, those that stand in the training corpus go out; `heed
evaluate` refuses them.
"""

__all__ = ["learnt"]

from collections.abc import Iterator, Sequence
from contextlib import suppress
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from heedful.data.judge import mixed_up
from heedful.data.store import TokenStore
from heedful.errors import HeedfulError
from heedful.text.tokenizer import Tokenizer

_ROWS = 100_000
"""Rows of a corpus that are looked at together."""

Hashes = NDArray[np.uint64]


def learnt(model: Path, tokenizer: Tokenizer, sources: Sequence[str], tag: str | None) -> list[int]:
    """Return which of the sources the training corpus of a run has, with the same target language.

    `model` is the model folder; where no run folder is around it, nothing is known and nothing
    returned. A corpus made anew since then, with another tokenizer, may be missed.
    """
    asked = [np.asarray(ids, np.int64) for ids in tokenizer.encode_source(sources, tag)]
    if not asked or model.name != "model":
        return []
    lengths = np.array([len(ids) for ids in asked])
    hashes = _hashes(np.concatenate(asked), lengths)
    found = np.zeros(len(asked), np.bool_)
    for store in _stores(model.parent):
        for known in _of_store(store):
            found |= np.isin(hashes, known)
    return np.flatnonzero(found).tolist()


def _stores(run: Path) -> Iterator[TokenStore]:
    """Yield what a run learnt from, of all its languages; nothing where the folder is no run's."""
    if not (run / "corpus.json").is_file():
        return
    parts = [run, *sorted(path.parent for path in run.glob("*/corpus.json"))]
    for folder in (part / "store" / name for part in parts for name in ("train", "mix")):
        if folder.is_dir():
            with suppress(OSError, HeedfulError):  # what only trainings need holds up no test
                yield TokenStore.open(folder)


def _of_store(store: TokenStore) -> Iterator[Hashes]:
    lengths = store.lengths()[0].astype(np.int64)
    for first in range(0, len(store), _ROWS):
        rows = range(first, min(first + _ROWS, len(store)))
        ids = np.concatenate([store.source(row) for row in rows]).astype(np.int64)
        yield _hashes(ids, lengths[first : rows.stop])


def _hashes(ids: NDArray[np.int64], lengths: NDArray[np.int64]) -> Hashes:
    """Return a number for each run of ids, which others have with a chance of 2 to the -64."""
    starts = np.concatenate([[0], np.cumsum(lengths)[:-1]])
    place = np.arange(len(ids)) - np.repeat(starts, lengths)
    mixed = mixed_up((ids.astype(np.uint64) << np.uint64(32)) + place.astype(np.uint64))
    return np.add.reduceat(mixed, starts)
