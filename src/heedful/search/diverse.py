"""Diverse beam search: several small beams, each kept away from the pieces of those before it.

Vijayakumar et al. 2018 (arXiv:1610.02424), with Hamming diversity: at every position a group loses
`diversity` for each time that earlier groups have just taken the same piece. Hypotheses are ranked
by their own scores. For lists of translations that differ by more than a word.
"""

__all__ = ["DiverseBeam"]

from dataclasses import dataclass
from typing import Literal

import numpy as np
from pydantic import Field, model_validator

from heedful.search.beam import BeamSearch, BeamSettings
from heedful.search.driver import Hypothesis
from heedful.shapes import Array, Float, Int


class DiverseBeam(BeamSettings):
    """Beam search in groups that avoid each other's pieces; not where words must appear."""

    kind: Literal["diverse"] = "diverse"
    groups: int = Field(2, ge=1, le=1024)
    """Beams of a sentence; beam_size is divided among them."""
    diversity: float = Field(0.5, ge=0, le=100)
    """Taken off a log-probability for every earlier group with the same piece."""

    @model_validator(mode="after")
    def _divides(self) -> "DiverseBeam":
        if self.beam_size % self.groups:
            raise ValueError(f"beam_size {self.beam_size} is not divisible by groups {self.groups}")
        return self

    def build(self) -> "_DiverseSearch":
        """Return the search."""
        return _DiverseSearch(self)


@dataclass(frozen=True)
class _DiverseSearch(BeamSearch):
    """Runs `DiverseBeam`."""

    config: DiverseBeam

    @property
    def groups(self) -> int:
        """As many as the settings say."""
        return self.config.groups

    @property
    def plain(self) -> bool:
        """Never: groups have a say."""
        return False

    @property
    def _candidates(self) -> int:
        """Those that earlier groups may push back, and as many again."""
        return 2 * self.config.beam_size

    def _order(
        self, totals: Float[Array, "B C"], pieces: Int[Array, "B C"], width: Int[Array, "B G"]
    ) -> Int[Array, "B W"]:
        """Return which continuations are kept, the best first in every group."""
        size = self.config.beam_size // self.groups
        part = totals.shape[1] // self.groups
        found = np.zeros((len(totals), 0), np.int64)
        sentences = np.arange(len(totals))[:, None]
        for group in range(self.groups):
            own = slice(group * part, (group + 1) * part)
            taken = pieces[sentences, found][:, None]
            places = np.arange(found.shape[1])
            alive = totals[sentences, found] > -np.inf
            alive &= places % size < width[:, places // size]
            again = ((pieces[:, own, None] == taken) & alive[:, None]).sum(axis=2)
            judged = totals[:, own] - self.config.diversity * again
            best = np.argsort(-judged, axis=1, kind="stable")[:, :size]
            found = np.concatenate([found, best + group * part], axis=1)
        return found

    def _ranked(self, hypotheses: list[Hypothesis]) -> list[Hypothesis]:
        """Rank what the groups have found, the same tokens once."""
        return super()._ranked(list({(x.tokens, x.finished): x for x in hypotheses}.values()))
