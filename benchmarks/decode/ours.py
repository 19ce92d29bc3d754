"""heedful's own engine, in each precision that it has on CPU, and with a shortlist."""

from itertools import count
from pathlib import Path
from typing import Any

from decode.worker import Inputs, Translate

from heedful.decode.engine import Engine
from heedful.decode.shortlist import Shortlist
from heedful.kernels.warm import ready
from heedful.model_folder import load_model
from heedful.search import Beam, Greedy


def load(model: Path, exported: Path, inputs: Inputs, options: dict[str, Any]) -> Translate:
    """Return the function that translates.

    One sentence first, without the kernels, as a user begins; before more they are waited for.
    """
    shortlist = Shortlist.load(model) if options["fast"] else None
    candidates = None if shortlist is None else shortlist.candidates
    network = load_model(model).model
    engine = Engine(network, precision=options["precision"], candidates=candidates)
    calls = count()

    def translate(sources: list[list[int]], beam: int, batch_tokens: int) -> list[list[int]]:
        if next(calls):
            ready(wait=True)
        search = Greedy() if beam == 1 else Beam(beam_size=beam)
        found = engine.decode(sources, search, inputs.limits, batch_tokens)
        return [list(best[0].tokens) for best in found]

    return translate
