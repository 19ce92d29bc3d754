"""What each head does on plain sentences: which offset, which piece, how much to specials.

Pairs of ids come in, four shares for every head go out. The decoder reads the model's own
translations. Offsets are of pieces; the key's place less the query's, so -1 is the piece before.
"""

__all__ = ["Habit", "Rarity", "habits", "rarity_by_count", "rarity_by_id"]

from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass

import numpy as np

from heedful.inspect.heads.reading import Maps, Pair, maps
from heedful.inspect.names import KINDS, Head, Kind, every_head
from heedful.models.architecture import Model
from heedful.shapes import Array, Bool, Float, Int

Rarity = Callable[[Sequence[int]], Float[Array, " S"]]
"""How rare each of some pieces is; of equals all are meant."""


@dataclass(frozen=True)
class Habit:
    """What one head does, over all pieces that stand for text."""

    head: Head
    pieces: int
    """Over how many."""
    offset: int
    """Where it looks most often."""
    at_offset: float
    """How often it does."""
    rare: float
    """How often the rarest piece of what it may see gets most, specials left out."""
    rare_by_offset: float
    """How often the best fixed offset would have found the rarest piece."""
    specials: float
    """What share goes to `</s>`, `<s>`, language tags and what else stands around a text."""
    confidence: float
    """The mean of the largest weight, specials left out (Voita et al. 2019, section 4)."""


def rarity_by_id(ids: Sequence[int]) -> Float[Array, " S"]:
    """Return the ids: vocabularies list what was merged first, and so is frequent, first."""
    return np.asarray(ids, dtype=float)


def rarity_by_count(rows: Iterable[Sequence[int]]) -> Rarity:
    """Return the rarity by how often pieces stand in some texts.

    >>> rarity_by_count([[5, 6], [5]])([5, 6, 7]).tolist()
    [-2.0, -1.0, -0.0]
    """
    counts: Counter[int] = Counter(piece for row in rows for piece in row)
    return lambda ids: np.array([-float(counts[piece]) for piece in ids])


class _Sums:
    """What is added up for the heads of one kind."""

    def __init__(self, heads: int) -> None:
        self.pieces = self.asked = 0
        self.offsets: list[Counter[int]] = [Counter() for _ in range(heads)]
        self.rare_offsets: Counter[int] = Counter()
        self.rare = np.zeros(heads)
        self.specials = np.zeros(heads)
        self.confidence = np.zeros(heads)

    def add(
        self,
        weights: Float[Array, "heads Q M"],
        plain: Bool[Array, " M"],
        rows: range,
        rarity: Float[Array, " M"],
        seen: Int[Array, " Q"],
    ) -> None:
        """Add the `rows` of a map; row i may see `seen[i]` keys, the `plain` ones are text."""
        for row in rows:
            looked = weights[:, row]
            self.pieces += 1
            for head, place in enumerate(looked.argmax(1).tolist()):
                self.offsets[head][place - row] += 1
            text = looked * plain
            self.specials += looked.sum(1) - text.sum(1)
            self.confidence += text.max(1)
            self._add_rare(text, plain & (np.arange(len(plain)) < seen[row]), row, rarity)

    def _add_rare(
        self,
        looked: Float[Array, "heads M"],
        visible: Bool[Array, " M"],
        row: int,
        rarity: Float[Array, " M"],
    ) -> None:
        """Add whether the rarest piece got most, where there is a choice."""
        if visible.sum() < _CHOICE:
            return
        rarest = visible & (rarity == rarity[visible].max())
        self.asked += 1
        self.rare += rarest[looked.argmax(1)]
        self.rare_offsets.update((np.flatnonzero(rarest) - row).tolist())

    def habits(self, heads: Sequence[Head]) -> list[Habit]:
        count, asked = max(self.pieces, 1), max(self.asked, 1)
        by_offset = max(self.rare_offsets.values(), default=0) / asked
        found = []
        for place, head in enumerate(heads):
            offset, often = (self.offsets[place].most_common(1) or [(0, 0)])[0]
            found.append(
                Habit(
                    head,
                    self.pieces,
                    offset,
                    often / count,
                    float(self.rare[place] / asked),
                    by_offset,
                    float(self.specials[place] / count),
                    float(self.confidence[place] / count),
                )
            )
        return found


_CHOICE = 3
"""Pieces that must be visible for the rarest of them to mean something."""


def habits(
    model: Model,
    pairs: Sequence[Pair],
    around: tuple[int, int],
    rarities: tuple[Rarity, Rarity],
) -> list[Habit]:
    """Return what every head does in these pairs, in the order of `every_head`.

    `around` is how many pieces of sources stand before and behind those of the text; `rarities`
    are those of the pieces of sources and targets.
    """
    sums = {kind: _Sums(len(every_head(model, kind))) for kind in KINDS}
    for seen in maps(model, pairs):
        source, target = pairs[seen.number]
        _add(sums, seen, source, target, around, rarities)
    by_head = {
        habit.head: habit for kind in KINDS for habit in sums[kind].habits(every_head(model, kind))
    }
    return [by_head[head] for head in every_head(model)]


def _add(
    sums: dict[Kind, _Sums],
    seen: Maps,
    source: Sequence[int],
    target: Sequence[int],
    around: tuple[int, int],
    rarities: tuple[Rarity, Rarity],
) -> None:
    """Add the maps of one pair.

    The encoder is asked at every piece of text, the decoder where it reads one, the attention to
    the source where one is predicted.
    """
    of_source = rarities[0](source)
    rows = range(around[0], len(source) - around[1])
    text = np.zeros(len(source), dtype=bool)
    text[rows] = True
    whole = [np.full(len(side), len(source)) for side in (source, target)]
    sums["cross"].add(seen.weights["cross"], text, range(len(target) - 1), of_source, whole[1])
    if "encoder" not in seen.weights:
        return
    sums["encoder"].add(seen.weights["encoder"], text, rows, of_source, whole[0])
    read = np.arange(len(target)) > 0
    of_target = np.concatenate([[0.0], rarities[1](target[:-1])])
    sums["decoder"].add(
        seen.weights["decoder"], read, range(1, len(target)), of_target, np.arange(len(target)) + 1
    )
