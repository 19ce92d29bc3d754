"""Which weights a training ends with: averages of its last checkpoints compete on the dev set.

The paper averages the last 5 or 20 checkpoints (section 6.1). That presumes a long training, near
its end of learning; in a short one the older of them still pull the average back. So the last N,
N/2, ..., 1 are tried, and the best step; a moving average, where there is one, too. Called by
`heedful.run` when a training has ended.
"""

__all__ = ["choose_weights"]

from collections.abc import Callable, Iterator, Mapping
from functools import partial
from typing import NamedTuple

import torch

from heedful.errors import ModelError
from heedful.train.checkpoint import average
from heedful.train.loop import Trainer, Validation
from heedful.train.optimizer import averages


class _Weights(NamedTuple):
    """Weights that may become the model's."""

    name: str
    load: Callable[[], Mapping[str, torch.Tensor]]


def choose_weights(trainer: Trainer) -> tuple[str, Validation | None]:
    """Load the best weights into the trainer's model; return which they are and their dev score.

    Without a dev set it is the moving average if there is one, else the average of the last
    `average_last` checkpoints. Raises ModelError when no whole checkpoint is left.
    """
    checkpoints, state = trainer.checkpoints, trainer.state
    wanted = state.averaged[-trainer.settings.average_last :] or [state.step]
    whole = [step for step in wanted if _is_whole(trainer, step)]
    if not whole:
        raise ModelError("no whole checkpoint is left to average", where=str(checkpoints.folder))
    damaged = len(wanted) - len(whole)
    note = f", {damaged} damaged ones left out" if damaged else ""
    candidates = list(_windows(whole))
    best = state.best_step
    if best and [best] not in candidates and trainer.validate is not None:
        if _is_whole(trainer, best):
            candidates.append([best])
        else:
            note += f", the checkpoint of the best step {best} is damaged"
    every = [_Weights(_named(steps), partial(_mean, trainer, steps)) for steps in candidates]
    if trainer.settings.moving_average is not None:
        name = f"the moving average at step {whole[-1]:,}"
        every.insert(0, _Weights(name, partial(_followed, trainer, whole[-1])))
    chosen, found = _best(trainer, every)
    _put(trainer, chosen)
    return chosen.name + note, found


def _best(trainer: Trainer, every: list[_Weights]) -> tuple[_Weights, Validation | None]:
    """Return the weights with the least loss on the dev set, and what it was; else the first."""
    chosen, found = every[0], None
    if trainer.validate is None:
        return chosen, found
    for one in every:
        _put(trainer, one)
        dev = trainer.validate()
        if found is None or dev.loss < found.loss:
            chosen, found = one, dev
    return chosen, found


def _is_whole(trainer: Trainer, step: int) -> bool:
    """Return whether a checkpoint can be used; say so if not."""
    checkpoints = trainer.checkpoints
    whole = checkpoints.is_whole(step)
    if not whole:
        trainer.log.warn(f"{checkpoints.path(step)}: the checkpoint is damaged; left out")
    return whole


def _windows(steps: list[int]) -> Iterator[list[int]]:
    """Yield the last N, N/2, ..., 1 of the steps.

    >>> list(_windows([10, 20, 30, 40]))
    [[10, 20, 30, 40], [30, 40], [40]]
    """
    count = len(steps)
    while count:
        yield steps[-count:]
        count //= 2


def _named(steps: list[int]) -> str:
    if len(steps) == 1:
        return f"those of step {steps[0]:,}"
    return f"the average of {len(steps)} checkpoints (steps {steps[0]:,} to {steps[-1]:,})"


def _mean(trainer: Trainer, steps: list[int]) -> Mapping[str, torch.Tensor]:
    return average(trainer.checkpoints.load_weights(step) for step in steps)


def _followed(trainer: Trainer, step: int) -> Mapping[str, torch.Tensor]:
    """Return the moving average that a checkpoint holds; the weights where it begins later."""
    checkpoints = trainer.checkpoints
    return checkpoints.load_weights(step) | averages(checkpoints.load_moments(step))


def _put(trainer: Trainer, chosen: _Weights) -> None:
    weights = chosen.load()
    with torch.no_grad():
        for name, weight in trainer.model.named_parameters():
            weight.copy_(weights[name])
