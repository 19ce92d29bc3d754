"""Decides about every row of a split: kept, dropped (and for which rule), or held out.

Works on the columns of a survey alone; one byte a row, its fate, is all that stays afterwards.
Called by `heedful.data.corpus`.
"""

__all__ = [
    "DEV",
    "FEWEST",
    "KEPT",
    "TEST",
    "Judgement",
    "hold_out",
    "judge",
    "keep_apart",
    "mixed_up",
]

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from heedful.data.clean import RULES, CleanConfig, Mask, RowColumns, Rule, Whole
from heedful.data.columns import blocks, by_key, zeros

KEPT, DEV, TEST = 0, 254, 253

FEWEST = 10
"""Different usable sources below which nothing is held out."""

_SHARE = 20
"""Dev and test take at most one source in 20 each, one in ten together."""


@dataclass(frozen=True)
class Judgement:
    """The fate of n rows and what was found in them.

    fates [n] is KEPT, DEV, TEST or 1 + the place in `found` of the rule that dropped the row.
    """

    fates: NDArray[np.uint8]
    found: dict[str, Mask]
    scratch: Path | None = None
    """The folder for what is found in many rows."""

    def dropped(self, name: str) -> int:
        """Count the rows whose fate this rule decided."""
        return int(np.count_nonzero(self.fates == self._code(name)))

    def mark(self, name: str, find: Callable[[slice], Mask], *, drop: bool) -> None:
        """Note the rows that `find` marks, a block of all at a time.

        Those still kept are dropped for it if `drop`. A name may be marked more than once.
        """
        if name not in self.found:
            self.found[name] = zeros(len(self.fates), np.bool_, self.scratch)
        for block in blocks(len(self.fates)):
            rows, fates = find(block), self.fates[block]
            self.found[name][block] |= rows
            if drop:
                fates[rows & (fates == KEPT)] = self._code(name)

    def _code(self, name: str) -> int:
        return 1 + list(self.found).index(name)


def judge(
    rows: RowColumns, config: CleanConfig, *, cleaned: bool, scratch: Path | None = None
) -> Judgement:
    """Apply every rule; a split that is not `cleaned` loses only rows with an empty side.

    What is found in many rows stands in nameless files in the folder `scratch`.
    """
    judgement = Judgement(zeros(len(rows), np.uint8, scratch), {}, scratch)
    whole = Whole.of(rows, scratch)
    for rule in RULES:
        drop = rule.drops(config) if cleaned else rule.name == "empty"

        def find(block: slice, rule: Rule = rule) -> Mask:
            return rule.find(rows.block(block), config, whole.block(block))

        judgement.mark(rule.name, find, drop=drop)
    return judgement


def hold_out(
    judgement: Judgement, rows: RowColumns, fates: tuple[int, ...], *, size: int, seed: int
) -> int:
    """Give one row of each of some sources to each of `fates`; return how many each got.

    The sources are those with the smallest hash of (source, seed), so the choice depends neither
    on the order of the rows nor on the machine. Of several rows with a chosen source the first is
    held out. Nothing is held out of fewer than ten different sources.
    """
    salt = mixed_up(np.array([seed % 2**64], dtype=np.uint64))
    distinct, chosen = 0, np.zeros(0, np.int64)
    for part, hashes in by_key(len(rows), lambda block: mixed_up(rows.source_key[block] ^ salt)):
        usable = np.flatnonzero(judgement.fates[part] == KEPT)
        found, first = np.unique(hashes[usable], return_index=True)
        distinct += len(found)
        wanted = len(fates) * size - len(chosen)  # the parts come in the order of the hashes
        chosen = np.concatenate([chosen, part[usable[first[:wanted]]]])
    if distinct < FEWEST:
        return 0
    each = min(size, max(1, distinct // _SHARE))
    for place, fate in enumerate(fates):
        judgement.fates[chosen[place * each : (place + 1) * each]] = fate
    return each


def mixed_up(keys: NDArray[np.uint64]) -> NDArray[np.uint64]:
    """Mix 64-bit numbers one to one (the finaliser of SplitMix64, Steele et al. 2014)."""
    mixed = keys + np.uint64(0x9E3779B97F4A7C15)
    mixed = (mixed ^ (mixed >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    mixed = (mixed ^ (mixed >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    return mixed ^ (mixed >> np.uint64(31))


def keep_apart(
    judgement: Judgement,
    rows: RowColumns,
    others: list[tuple[RowColumns, Mask]],
    *,
    drop: bool,
    both_directions: bool,
) -> None:
    """Take from train what would give dev or test away.

    `others` are the columns dev and test stand in (their own, or train's) and which rows of them
    they are. With both directions a target is a source as well, and is guarded alike.
    """
    sides = {"leak": "source_key"} | ({"leak_target": "target_key"} if both_directions else {})
    for name, side in sides.items():
        theirs = np.concatenate([getattr(other, side)[chosen] for other, chosen in others])

        def find(block: slice, side: str = side, theirs: NDArray[np.uint64] = theirs) -> Mask:
            fates = judgement.fates[block]
            train: Mask = (fates != DEV) & (fates != TEST)
            return train & np.isin(getattr(rows, side)[block], theirs)

        judgement.mark(name, find, drop=drop)
