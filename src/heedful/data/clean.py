"""What is found in the rows of a corpus, and which of it cleaning drops.

Each rule is one counted predicate over the columns that `heedful.data.survey` keeps of every row;
`heedful.data.corpus` applies them and the report tells the numbers.
"""

__all__ = [
    "RULES",
    "CleanConfig",
    "Mask",
    "RowColumns",
    "Rule",
    "Whole",
    "repeated",
    "typical_ratio",
]

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from pydantic import Field

from heedful.data.columns import by_key, zeros
from heedful.settings import Settings

Mask = NDArray[np.bool_]

_ENOUGH = 2**20
"""Rows that the typical ratio is the median of at most, evenly spread."""

_SMOOTHING = 10
"""Characters added to both lengths before the ratio, so that `No.` / `Auf keinen Fall!` passes."""


class CleanConfig(Settings):
    """What is dropped from the training rows; dev and test lose only rows with an empty side."""

    trim: bool = True
    """Take white space off both ends of each training text."""
    drop_empty: bool = True
    """Drop rows in which a side is empty or white space only."""
    drop_identical: bool = False
    """Drop rows whose two sides are the same text (names and numbers often rightly are)."""
    drop_duplicates: bool = True
    """Keep only the first of rows that are equal on both sides."""
    drop_leaks: bool = True
    """Drop training rows whose source is in dev or test (with both directions: or the target)."""
    max_characters: int | None = Field(default=2000, ge=1)
    """Drop rows with a longer side; none: no limit."""
    max_words: int | None = Field(default=250, ge=1)
    """Drop rows with a side of more words (parted by white space); none: no limit."""
    max_ratio: float | None = Field(default=4.0, gt=1)
    """Drop rows whose length ratio differs from the corpus's typical one by a larger factor."""


@dataclass(frozen=True)
class RowColumns:
    """What is kept of each of n rows: an 8-byte hash a side and a few numbers, never the text.

    The keys are hashes of the texts without white space at their ends, the lengths count
    characters of the same. `odd` marks control and replacement characters and line breaks,
    `padded` white space at an end.
    """

    source_key: NDArray[np.uint64]
    target_key: NDArray[np.uint64]
    source_length: NDArray[np.uint32]
    target_length: NDArray[np.uint32]
    source_words: NDArray[np.uint32]
    target_words: NDArray[np.uint32]
    odd: Mask
    padded: Mask

    def __len__(self) -> int:
        return len(self.source_key)

    def block(self, rows: slice) -> "RowColumns":
        """Return some of the rows, as views."""
        return RowColumns(*(getattr(self, name)[rows] for name in self.__dataclass_fields__))

    @property
    def pair_key(self) -> NDArray[np.uint64]:
        """One hash for both sides, which tells (a, b) from (b, a)."""
        mixed = self.target_key * np.uint64(0xC2B2AE3D27D4EB4F)
        turned = (mixed << np.uint64(31)) | (mixed >> np.uint64(33))
        return self.source_key * np.uint64(0x9E3779B97F4A7C15) ^ turned


@dataclass(frozen=True)
class Whole:
    """What a rule must know of all rows to look at some of them."""

    typical: float
    """The median ratio of the lengths."""
    again: Mask
    """Whether a row with two sides is equal to an earlier one."""

    @classmethod
    def of(cls, rows: RowColumns, scratch: Path | None = None) -> "Whole":
        """Look at all rows, some at a time."""
        again = zeros(len(rows), np.bool_, scratch)
        usable = by_key(
            len(rows),
            lambda block: rows.block(block).pair_key,
            lambda block: ~_empty(rows.block(block)),
        )
        for part, keys in usable:
            again[part] = repeated(keys)
        return cls(typical_ratio(rows), again)

    def block(self, rows: slice) -> "Whole":
        """Return what concerns some of the rows."""
        return Whole(self.typical, self.again[rows])


@dataclass(frozen=True)
class Rule:
    """One thing to find in rows, and whether a cleaning drops it."""

    name: str
    title: str
    """What the report calls it, in a few words."""
    find: Callable[[RowColumns, CleanConfig, Whole], Mask]
    """Marks some rows (a block), given what must be known of all."""
    drops: Callable[[CleanConfig], bool]


def repeated(keys: NDArray[Any]) -> Mask:
    """Mark every entry that equals an earlier one.

    >>> repeated(np.array([7, 3, 7, 7])).tolist()
    [False, False, True, True]
    """
    order = np.argsort(keys, kind="stable")
    again = np.zeros(len(keys), dtype=np.bool_)
    again[order[1:]] = keys[order[1:]] == keys[order[:-1]]
    return again


def _empty(rows: RowColumns) -> Mask:
    found: Mask = (rows.source_length == 0) | (rows.target_length == 0)
    return found


def _too_long(rows: RowColumns, config: CleanConfig) -> Mask:
    found = np.zeros(len(rows), dtype=np.bool_)
    if config.max_characters is not None:
        found |= np.maximum(rows.source_length, rows.target_length) > config.max_characters
    if config.max_words is not None:
        found |= np.maximum(rows.source_words, rows.target_words) > config.max_words
    return found


def length_ratios(rows: RowColumns) -> NDArray[np.float64]:
    """Return the characters of target to a character of source, both counted from 10 upward."""
    ratios = rows.target_length + np.float64(_SMOOTHING)
    ratios /= rows.source_length + np.float64(_SMOOTHING)
    return ratios


def typical_ratio(rows: RowColumns) -> float:
    """Return the median of the ratios of the rows with two sides; 1.0 without any such row.

    Of more than a million rows, so many are looked at, evenly spread.
    """
    some = rows.block(slice(None, None, max(1, -(-len(rows) // _ENOUGH))))
    usable = ~_empty(some)
    return float(np.median(length_ratios(some)[usable])) if usable.any() else 1.0


def _ratio(rows: RowColumns, config: CleanConfig, typical: float) -> Mask:
    if config.max_ratio is None:
        return np.zeros(len(rows), dtype=np.bool_)
    apart = length_ratios(rows) / typical
    outside = (apart > config.max_ratio) | (apart < 1 / config.max_ratio)
    return outside & ~_empty(rows)


def _identical(rows: RowColumns) -> Mask:
    same: Mask = rows.source_key == rows.target_key
    return same & ~_empty(rows)


def _never(config: CleanConfig) -> bool:
    return False


RULES: tuple[Rule, ...] = (
    Rule("empty", "a side is empty", lambda rows, c, _: _empty(rows), lambda c: c.drop_empty),
    Rule("too_long", "too long", lambda rows, c, _: _too_long(rows, c), lambda c: True),
    Rule(
        "ratio",
        "lengths out of proportion",
        lambda rows, c, whole: _ratio(rows, c, whole.typical),
        lambda c: True,
    ),
    Rule(
        "identical",
        "both sides the same",
        lambda rows, c, _: _identical(rows),
        lambda c: c.drop_identical,
    ),
    Rule(
        "duplicate",
        "repeats an earlier row",
        lambda rows, c, whole: whole.again,
        lambda c: c.drop_duplicates,
    ),
    Rule("odd", "control or broken characters", lambda rows, c, _: rows.odd, _never),
    Rule("padded", "white space at an end", lambda rows, c, _: rows.padded, _never),
)
"""In the order in which a row is judged: it is counted as dropped for the first that drops it."""
