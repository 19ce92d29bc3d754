"""Other ways to go on: the likeliest pieces at one position, each completed greedily.

What is forced comes first (`Wish.prefix`); at the first free position the sentence splits into as
many rows as alternatives are asked for, which differ there. A page that shows what else could stand
at a place calls it.
"""

__all__ = ["Alternatives"]

from typing import Literal

import numpy as np
from pydantic import Field

from heedful.search.driver import Course
from heedful.search.growing import Growing
from heedful.search.shaping import Shaping
from heedful.search.single import Choice, SingleSearch
from heedful.shapes import Array, Float, Int, Tensor


class Alternatives(Shaping):
    """Continue in the likeliest different ways after what is forced, the likeliest first."""

    kind: Literal["alternatives"] = "alternatives"
    count: int = Field(5, ge=1, le=1024)
    """Alternatives of each sentence; fewer where fewer pieces are possible."""

    @property
    def returned(self) -> int:
        """Hypotheses of a sentence."""
        return self.count

    def build(self) -> SingleSearch:
        """Return the search."""
        return SingleSearch(self, lambda: _Split(self.count))


class _Split(Choice):
    """One row as far as pieces are forced, then `rows`."""

    ranked = False

    def __init__(self, rows: int) -> None:
        self.rows = rows
        self._split: set[int] = set()

    def _splitting(self, course: Course, growing: Growing) -> list[int]:
        """Return the sentences that come to their first free position."""
        found = []
        for row, number in enumerate(growing.sentences.tolist()):
            opening = course.rules.wish(number).opening
            before = growing.tokens[row, 0, : growing.length[row]].tolist()
            if number not in self._split and (opening is None or opening.passed(before)):
                self._split.add(number)
                found.append(row)
        return found

    def choose(
        self,
        course: Course,
        growing: Growing,
        logits: Float[Tensor, "A N"],
        asked: Int[Array, " A"] | None,
    ) -> tuple[Float[Array, "B W"], Int[Array, "B W"], Int[Array, "B W"] | None]:
        """Take the best piece; where a sentence splits, each row another one."""
        splitting = np.array(self._splitting(course, growing), np.int64)
        values, pieces = course.best(growing, logits, asked, self.rows if len(splitting) else 1)
        values, pieces = course.everywhere(growing, asked, values, pieces)
        shape = growing.last.shape
        best, taken = values[:, 0].reshape(shape).copy(), pieces[:, 0].reshape(shape).copy()
        if not len(splitting):
            return best, taken, None
        firsts = splitting * self.rows
        missing = self.rows - values.shape[1]
        best[splitting] = np.pad(values[firsts], ((0, 0), (0, missing)), constant_values=-np.inf)
        taken[splitting] = np.pad(pieces[firsts], ((0, 0), (0, missing)))
        parents = np.tile(np.arange(self.rows), (len(growing.length), 1))
        parents[splitting] = 0
        return best, taken, parents
