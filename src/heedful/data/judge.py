"""Decides about every row of a split: kept, dropped (and for which rule), or held out.

Works on the columns of a survey alone; one byte a row, its fate, is all that stays afterwards.
Called by `heedful.data.corpus`.
"""

__all__ = ["DEV", "FEWEST", "KEPT", "TEST", "Judgement", "hold_out", "judge", "keep_apart"]

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from heedful.data.clean import RULES, CleanConfig, Mask, RowColumns

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

    def dropped(self, name: str) -> int:
        """Count the rows whose fate this rule decided."""
        return int(np.count_nonzero(self.fates == self._code(name)))

    def mark(self, name: str, rows: Mask, *, drop: bool) -> None:
        """Note the rows found by a rule; those still kept are dropped for it if `drop`."""
        self.found[name] = rows | self.found.get(name, np.False_)
        if drop:
            self.fates[rows & (self.fates == KEPT)] = self._code(name)

    def _code(self, name: str) -> int:
        return 1 + list(self.found).index(name)


def judge(rows: RowColumns, config: CleanConfig, *, cleaned: bool) -> Judgement:
    """Apply every rule; a split that is not `cleaned` loses only rows with an empty side."""
    judgement = Judgement(np.zeros(len(rows), dtype=np.uint8), {})
    for rule in RULES:
        drop = rule.drops(config) if cleaned else rule.name == "empty"
        judgement.mark(rule.name, rule.find(rows, config), drop=drop)
    return judgement


def hold_out(
    judgement: Judgement, rows: RowColumns, fates: tuple[int, ...], *, size: int, seed: int
) -> int:
    """Give one row of each of some sources to each of `fates`; return how many each got.

    The sources are those with the smallest hash of (source, seed), so the choice depends neither
    on the order of the rows nor on the machine. Of several rows with a chosen source the first is
    held out. Nothing is held out of fewer than ten different sources.
    """
    usable = np.flatnonzero(judgement.fates == KEPT)
    keys, first = np.unique(rows.source_key[usable], return_index=True)
    if len(keys) < FEWEST:
        return 0
    each = min(size, max(1, len(keys) // _SHARE))
    order = np.argsort(_scatter(keys ^ _scatter(np.array([seed % 2**64], dtype=np.uint64))))
    for place, fate in enumerate(fates):
        chosen = order[place * each : (place + 1) * each]
        judgement.fates[usable[first[chosen]]] = fate
    return each


def _scatter(keys: NDArray[np.uint64]) -> NDArray[np.uint64]:
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
    train = ~np.isin(judgement.fates, (DEV, TEST))
    sources = np.concatenate([other.source_key[chosen] for other, chosen in others])
    judgement.mark("leak", train & np.isin(rows.source_key, sources), drop=drop)
    if both_directions:
        targets = np.concatenate([other.target_key[chosen] for other, chosen in others])
        judgement.mark("leak_target", train & np.isin(rows.target_key, targets), drop=drop)
