"""Search: from a step of a model to the best translation; one file a way of searching."""

__all__ = [
    "Alternatives",
    "Asked",
    "Automaton",
    "Beam",
    "Client",
    "DiverseBeam",
    "Greedy",
    "Hypothesis",
    "Limits",
    "MinimumBayesRisk",
    "Opening",
    "Sample",
    "Search",
    "SearchConfig",
    "Shaping",
    "Spelling",
    "Stepper",
    "Watch",
    "Wish",
]

from typing import Annotated

from pydantic import Field

from heedful.search.alternatives import Alternatives
from heedful.search.beam import Beam
from heedful.search.diverse import DiverseBeam
from heedful.search.driver import Hypothesis, Limits, Search, Stepper, Watch
from heedful.search.greedy import Greedy
from heedful.search.leaving import Client
from heedful.search.opening import Opening
from heedful.search.phrases import Automaton, Spelling
from heedful.search.risk import MinimumBayesRisk
from heedful.search.sample import Sample
from heedful.search.shaping import Shaping
from heedful.search.wish import Asked, Wish

SearchConfig = Annotated[
    Greedy | Beam | DiverseBeam | Sample | MinimumBayesRisk | Alternatives,
    Field(discriminator="kind"),
]
"""How translations are looked for."""
