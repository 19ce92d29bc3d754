"""heedful's own engine, in each precision that it has."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

from decode.worker import Inputs, Translate

from heedful.decode.engine import decode
from heedful.model_folder import load_model
from heedful.models.transformer import Transformer
from heedful.search import Beam, Greedy

PRECISIONS: dict[str, Callable[[Transformer], Transformer]] = {
    "float32": lambda model: model,
}
"""What is done with a model that was loaded in float32."""


def load(model: Path, exported: Path, inputs: Inputs, options: dict[str, Any]) -> Translate:
    """Return the function that translates."""
    ready = PRECISIONS[options["precision"]](load_model(model).model)

    def translate(sources: list[list[int]], beam: int, batch_tokens: int) -> list[list[int]]:
        search = Greedy() if beam == 1 else Beam(beam_size=beam)
        found = decode(ready, sources, search, limits=inputs.limits, batch_tokens=batch_tokens)
        return [list(best[0].tokens) for best in found]

    return translate
