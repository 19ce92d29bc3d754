"""A search through a model as it stands, edits and all, one sentence at a time.

The engine keeps weights of its own, which no edit reaches; here the model's modules are asked.
"""

__all__ = ["search_model"]

from collections.abc import Callable

import torch

from heedful.decode.steppers import ModelStepper
from heedful.models.architecture import Model
from heedful.search import Asked, Hypothesis, Limits, SearchConfig, Stepper


def unwatched(stepper: Stepper) -> Stepper:
    """Leave a stepper as it is."""
    return stepper


@torch.inference_mode()
def search_model(
    model: Model,
    asked: Asked,
    search: SearchConfig,
    limits: Limits,
    watched: Callable[[Stepper], Stepper] = unwatched,
) -> list[Hypothesis]:
    """Return what a search finds, best first; what it drives may be `watched`."""
    ids = torch.tensor([asked.source], device=next(model.parameters()).device)
    memory = model.encode(ids, torch.ones_like(ids, dtype=torch.bool))
    runner = search.build()
    [room] = search.rooms([asked], limits.max_length)
    stepper = ModelStepper(model, memory, runner.rows_per_sentence, room)
    [found] = runner.run(watched(stepper), [asked], limits)
    return found
