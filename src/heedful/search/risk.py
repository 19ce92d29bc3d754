"""Minimum Bayes risk: many translations are drawn, and the one most like all of them is taken.

Eikema and Aziz 2020 (arXiv:2005.10283): the likeliest translation is often an odd one; the one with
the greatest expected similarity to what the model would say is a typical one. Samples come from
here; how alike two texts are is for the caller to say (`heedful.text.chrf`).
"""

__all__ = ["MinimumBayesRisk"]

from typing import Literal

from pydantic import Field, model_validator

from heedful.search.sample import Sample


class MinimumBayesRisk(Sample):
    """Draw `count` translations and return those with the highest expected chrF.

    By default unlikely pieces are never drawn (Freitag et al. 2023, arXiv:2305.09860).
    """

    kind: Literal["mbr"] = "mbr"  # type: ignore[assignment]
    count: int = Field(32, ge=1, le=1024)
    """Translations drawn of each sentence."""
    min_p: float = Field(0.02, ge=0, lt=1)
    """Draw from pieces with this share of the likeliest one's probability."""
    n_best: int = Field(1, ge=1, le=1024)
    """Hypotheses returned for each sentence, at most count."""

    @model_validator(mode="after")
    def _fits(self) -> "MinimumBayesRisk":
        if self.n_best > self.count:
            raise ValueError(f"n_best {self.n_best} is more than count {self.count}")
        return self

    @property
    def returned(self) -> int:
        """Hypotheses of a sentence."""
        return self.n_best
