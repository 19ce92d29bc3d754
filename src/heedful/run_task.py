"""What a run learns, as `heedful.run` knows it: all in which one kind of model is not another.

`heedful.run_translation` has the task of translators, `heedful.run_text` and `heedful.run_chat`
those of decoders alone, `heedful.run_reading` that of encoders.
"""

__all__ = ["RunResult", "Site", "Task", "ended", "gradients", "mean_loss"]

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple, Protocol

import torch

from heedful.config import AnyRunConfig
from heedful.data.batches import Plan
from heedful.models.trainable import Trainable
from heedful.objectives import AnyObjective, Loss
from heedful.progress import Progress
from heedful.train.gradient import Gradients
from heedful.train.loop import Outcome, Trainer, Validation
from heedful.train.processes import Processes
from heedful.train.settings import Gone


class RunResult(NamedTuple):
    """What a training leaves behind; `model` is None after an interruption, and in all processes
    but the lead."""

    outcome: Outcome
    model: Path | None
    dev: Validation | None


@dataclass(frozen=True)
class Site:
    """Where and for whom a run is."""

    folder: Path
    device: torch.device
    processes: Processes
    progress: Progress


class Task(Protocol):
    """A run's settings and data, and what is made of them."""

    site: Site

    @property
    def config(self) -> AnyRunConfig:
        """The settings, once `size` has been called with all that `auto` stood for."""
        ...

    @property
    def objective(self) -> AnyObjective:
        """What is minimised."""
        ...

    def prepare(self, *, accept_changes: bool) -> None:
        """Look at the data and turn it into ids, each only once; the lead does that."""
        ...

    def find(self) -> None:
        """Open what another process has prepared."""
        ...

    def size(self, gone: Gone) -> None:
        """Resolve what was left to the data and the machine, for a run that has come so far."""
        ...

    def model(self) -> Trainable:
        """Return the model on its device, freshly initialised."""
        ...

    def begin(self, model: Trainable) -> None:
        """Give a new run's model the weights that it begins with, if it has any."""
        ...

    def plan(self) -> Plan:
        """Return where batches come from."""
        ...

    def validation(self, model: Trainable) -> Callable[[], Validation] | None:
        """Return what measures a model on the dev set; None without one."""
        ...

    def learns_from(self) -> str:
        """Say in a few words what an epoch is."""
        ...

    def warn(self) -> None:
        """Say what looks wrong about the data."""
        ...

    def finish(self, trainer: Trainer, outcome: Outcome) -> RunResult:
        """Choose the final weights and save the model."""
        ...


def mean_loss(losses: Sequence[Loss]) -> Validation:
    """Return the mean over all pieces of some batches."""
    return Validation.of(
        sum(float(loss.nll) for loss in losses) / sum(loss.tokens for loss in losses)
    )


def ended(site: Site, outcome: Outcome, weights: str, dev: Validation | None = None) -> None:
    """Say why a training has ended, which weights were chosen, and what was measured on them."""
    site.progress.say(f"training ended: {outcome.reason}; the weights are {weights}")
    if dev is not None:
        site.progress.say(dev.said())


def gradients(task: Task, model: Trainable, shards: int) -> Gradients:
    """Return what computes a task's gradients in this process."""
    precision, site = task.config.training.precision, task.site
    return Gradients(model, task.objective, precision, site.device, shards, site.progress.say)
