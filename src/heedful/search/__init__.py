"""Search: from a step of a model to the best translation; one file a way of searching."""

__all__ = ["Beam", "Greedy", "Hypothesis", "Limits", "Search", "SearchConfig", "Stepper"]

from typing import Annotated

from pydantic import Field

from heedful.search.beam import Beam
from heedful.search.driver import Hypothesis, Limits, Search, Stepper
from heedful.search.greedy import Greedy

SearchConfig = Annotated[Greedy | Beam, Field(discriminator="kind")]
"""How translations are looked for."""
