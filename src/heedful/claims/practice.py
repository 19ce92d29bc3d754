"""Trains a model on batches that are made as they are needed, by the loop of `heed train`."""

__all__ = ["Drawn", "practise"]

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
import torch

from heedful.claims.claim import Place
from heedful.data.batches import Batch
from heedful.models.architecture import Model
from heedful.objectives import Translation
from heedful.progress import Progress
from heedful.train.checkpoint import Checkpoints
from heedful.train.gradient import Gradients, automatic_shards
from heedful.train.log import TrainLog
from heedful.train.loop import Trainer
from heedful.train.optimizer import Adam
from heedful.train.precision import Precision
from heedful.train.schedule import Linear
from heedful.train.settings import LoopConfig

Draw = Callable[[np.random.Generator], Batch]
"""Makes a batch of random numbers alone."""


@dataclass(frozen=True)
class Drawn:
    """A plan of as many batches as there are steps; (seed, number) alone decide a batch."""

    draw: Draw
    seed: int
    steps: int

    def epoch(self, number: int) -> Sequence[int]:
        """Return the numbers of the batches."""
        return range(number * self.steps, (number + 1) * self.steps)

    def batch(self, rows: int, epoch: int = 0) -> Batch:
        """Return one of them."""
        return self.draw(np.random.default_rng([self.seed, rows]))


def practise(
    model: Model,
    draw: Draw,
    place: Place,
    *,
    steps: int,
    seed: int,
    rate: float,
    batch_tokens: int,
    precision: Precision = "float32",
) -> float:
    """Train for so many steps and return the mean loss of the last of them, in nats.

    Adam, a rate that rises for a tenth of the steps and then falls to zero, gradients no longer
    than 1. Raises KeyboardInterrupt when it is interrupted.
    """
    objective, device = Translation(label_smoothing=0.0), place.device
    shards = automatic_shards(batch_tokens, device)
    settings = LoopConfig(
        max_steps=steps,
        clip_norm=1.0,
        precision=precision,
        save_every=steps,
        validate_every=steps,
        average_last=1,
    )
    trainer = Trainer(
        model=model,
        gradients=Gradients(model, objective, precision, device, shards, place.progress.say),
        optimizer=Adam().build(model),
        schedule=Linear(warmup_steps=max(1, steps // 10), peak=rate),
        settings=settings,
        plan=Drawn(draw, seed, steps),
        checkpoints=Checkpoints(place.folder / "checkpoints"),
        log=TrainLog(place.folder, Progress(quiet=True)),
        validate=None,
        device=device,
    )
    with torch.enable_grad():
        outcome = trainer.run()
    if not outcome.finished:
        raise KeyboardInterrupt
    return sum(trainer.state.recent) / len(trainer.state.recent)
