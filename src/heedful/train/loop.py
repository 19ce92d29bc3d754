"""The training loop, to be read from top to bottom.

`Trainer.run` takes batches in the plan's order, updates the model, validates, saves and stops;
everything that decides what comes next is in the checkpoint, so that a resumed run is the same run.
Built by `heedful.run`.
"""

__all__ = ["Outcome", "Trainer", "Validation"]

import math
import signal
import time
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from dataclasses import asdict, dataclass, field
from types import FrameType
from typing import Any, NamedTuple

import torch
from torch import nn

from heedful.data.batches import Batch, BatchPlan
from heedful.errors import ModelError
from heedful.models.transformer import Transformer
from heedful.objectives import Loss
from heedful.train.ahead import ahead
from heedful.train.allocator import release_gaps
from heedful.train.checkpoint import Checkpoint, Checkpoints
from heedful.train.gradient import Gradients
from heedful.train.log import TrainLog
from heedful.train.optimizer import load_state, state_tensors
from heedful.train.schedule import Schedule
from heedful.train.settings import TrainingConfig


class Validation(NamedTuple):
    """Loss on the dev set, in nats a piece, and BLEU of its first sentences (None: not asked)."""

    loss: float
    perplexity: float
    bleu: float | None


class Portion(NamedTuple):
    """The batches of one update, and where in the plan the next update begins."""

    batches: list[Batch]
    epoch: int
    next_batch: int


class Outcome(NamedTuple):
    """How a training ended: `finished` is False after an interruption."""

    finished: bool
    step: int
    reason: str


@dataclass
class TrainState:
    """Where a run stands; saved in every checkpoint."""

    step: int = 0
    epoch: int = 0
    next_batch: int = 0
    seconds: float = 0.0
    target_tokens: int = 0
    best_loss: float | None = None
    best_step: int = 0
    bad_validations: int = 0
    smoothed: float = 0.0
    """What was minimised at the last step that was looked at."""
    recent: list[float] = field(default_factory=list)
    averaged: list[int] = field(default_factory=list)
    """Steps whose weights make the final model: those an uninterrupted run saves, newest last."""


@dataclass(kw_only=True)
class Trainer:
    """Everything one training needs; `run` is the loop."""

    model: Transformer
    gradients: Gradients
    optimizer: torch.optim.Optimizer
    schedule: Schedule
    settings: TrainingConfig
    plan: BatchPlan
    checkpoints: Checkpoints
    log: TrainLog
    validate: Callable[[], Validation] | None
    device: torch.device
    clock: Callable[[], float] = time.monotonic
    state: TrainState = field(default_factory=TrainState)
    _losses: list[Loss] = field(default_factory=list)

    def run(self) -> Outcome:
        """Train until a limit, early stopping or an interruption; always ends on a checkpoint.

        A run that had already ended, but was killed before its model was written, makes no step.
        Raises ModelError when the loss or a weight is no longer a number, OutputError when a
        checkpoint cannot be written; earlier checkpoints stay as they are.
        """
        self.model.train()
        if done := self._reason_to_stop():
            return Outcome(True, self.state.step, done)
        with _interruption() as interrupted, closing(ahead(self._portions())) as portions:
            started = self.clock()
            for portion in portions:
                self._losses.append(self._update(portion))
                if self._due_for_reading():
                    self._read()
                self.state.seconds += self.clock() - started
                self._report()
                improved = self.state.step % self.settings.validate_every == 0 and self._validate()
                reason = self._reason_to_stop()
                due = self.state.step % self.settings.save_every == 0
                if due or improved or reason:
                    self.state.averaged.append(self.state.step)
                if due or improved or reason or interrupted:
                    self.save()
                if reason:
                    return Outcome(True, self.state.step, reason)
                if interrupted:
                    return Outcome(False, self.state.step, "interrupted")
                started = self.clock()
        raise AssertionError("the stream of batches is endless")

    def _portions(self) -> Iterator[Portion]:
        """Yield the batches of one update after another, from where the state stands, for ever."""
        number, place = self.state.epoch, self.state.next_batch
        batches: list[Batch] = []
        while True:
            epoch = self.plan.epoch(number)
            while place < len(epoch):
                batch = self.plan.batch(epoch[place])
                batches.append(batch.pinned() if self.device.type == "cuda" else batch)
                place += 1
                if len(batches) == self.settings.accumulate:
                    yield Portion(batches, number, place)
                    batches = []
            number, place = number + 1, 0

    def _update(self, portion: Portion) -> Loss:
        """Make one step; the gradient is of the mean loss over the pieces of all its batches."""
        tokens = sum(batch.n_target for batch in portion.batches)
        loss = torch.stack([self.gradients.add(batch, tokens) for batch in portion.batches]).sum(0)
        if self.settings.clip_norm is not None:
            nn.utils.clip_grad_norm_(self.model.parameters(), self.settings.clip_norm, foreach=True)
        rate = self.learning_rate(self.state.step + 1)
        for group in self.optimizer.param_groups:
            group["lr"] = rate
        self.optimizer.step()
        self.optimizer.zero_grad(set_to_none=True)
        self.state.step += 1
        self.state.epoch, self.state.next_batch = portion.epoch, portion.next_batch
        self.state.target_tokens += tokens
        return Loss(loss[0], loss[1], tokens)

    def learning_rate(self, step: int) -> float:
        """Return the schedule's rate for a step."""
        return self.schedule.rate(step, self.model.config.d_model, self.settings.max_steps)

    def _due_for_record(self) -> bool:
        return self.state.step % self.settings.log_every == 0 or self.state.step == 1

    def _due_for_reading(self) -> bool:
        """Return whether to look at the loss now: on a GPU that waits until it is computed."""
        settings, step = self.settings, self.state.step
        stop = step % settings.validate_every == 0 or step % settings.save_every == 0
        return self.device.type == "cpu" or stop or self._due_for_record()

    def _read(self) -> None:
        """Take note of the losses of the steps since the last reading; they must be numbers."""
        losses, self._losses = self._losses, []
        for step, loss in enumerate(losses, start=self.state.step - len(losses) + 1):
            mean = float(loss.nll) / loss.tokens
            if not math.isfinite(mean):
                raise self._diverged(f"the loss of step {step} is not a number")
            self.state.recent.append(mean)
            self.state.smoothed = float(loss.smoothed) / loss.tokens
        self.state.recent = self.state.recent[-self.settings.log_every :]

    def _report(self) -> None:
        """Show how the training goes, and record it where that is due."""
        if self._losses:
            return
        state, settings = self.state, self.settings
        mean = sum(state.recent) / len(state.recent)
        speed = state.target_tokens / max(state.seconds, 1e-9)
        left = (settings.max_steps - state.step) * state.seconds / state.step
        if settings.max_minutes is not None:
            left = min(left, settings.max_minutes * 60 - state.seconds)
        self.log.show(state.step, settings.max_steps, mean, speed, max(0.0, left))
        if not self._due_for_record():
            return
        self.log.record(
            "train",
            state.step,
            loss=mean,
            smoothed=state.smoothed,
            learning_rate=self.learning_rate(state.step),
            epoch=state.epoch,
            tokens_per_second=speed,
            seconds=state.seconds,
            out_of_memory=self.gradients.out_of_memory,
        )
        if state.step > 1:  # the second step needs all that the first one had
            release_gaps()

    def _validate(self) -> bool:
        """Measure the dev set; return whether its loss is the best so far."""
        if self.validate is None:
            return False
        found = self.validate()
        self.model.train()
        state = self.state
        if not math.isfinite(found.loss):
            raise self._diverged(f"the dev loss of step {state.step} is not a number")
        better = state.best_loss is None or found.loss < state.best_loss
        if better:
            state.best_loss, state.best_step, state.bad_validations = found.loss, state.step, 0
        else:
            state.bad_validations += 1
        self.log.record("validation", state.step, **found._asdict())
        bleu = "" if found.bleu is None else f" · BLEU {found.bleu:.1f}"
        self.log.say(
            f"step {state.step:,} · epoch {state.epoch} · dev loss {found.loss:.3f} · "
            f"perplexity {found.perplexity:.2f}{bleu}{' · best' if better else ''}"
        )
        return better

    def _reason_to_stop(self) -> str | None:
        state, settings = self.state, self.settings
        if state.step >= settings.max_steps:
            return f"{settings.max_steps:,} steps are done"
        if settings.max_minutes is not None and state.seconds >= settings.max_minutes * 60:
            return f"{settings.max_minutes:g} minutes have passed"
        if settings.patience is not None and state.bad_validations >= settings.patience:
            return f"the dev loss has not improved for {settings.patience} validations"
        return None

    def _diverged(self, problem: str) -> ModelError:
        """Return the error for numbers that are none: the checkpoints before them are good."""
        smaller = "a smaller learning rate (--schedule) or --training.clip-norm 1"
        if self.checkpoints.steps():
            return ModelError(problem, fix=f"go on with --resume and {smaller}")
        return ModelError(problem, fix=f"start again with {smaller}")

    def save(self) -> None:
        """Commit a checkpoint of this step, then remove those no longer needed."""
        self._read()
        state, keep = self.state, self.settings.average_last
        state.averaged = state.averaged[-keep:]
        weights = {name: w.detach().cpu() for name, w in self.model.named_parameters()}
        random = {"random/cpu": torch.get_rng_state()}
        if self.device.type == "cuda":
            random["random/cuda"] = torch.cuda.get_rng_state(self.device)
        moments = state_tensors(self.optimizer, self.model)
        for name, values in (weights | moments).items():
            if not bool(torch.isfinite(values).all()):
                raise self._diverged(f"{name} is not a number any more after step {state.step}")
        self.checkpoints.save(
            Checkpoint(
                step=state.step,
                model={name: w.contiguous() for name, w in weights.items()},
                optimizer={name: t.cpu() for name, t in moments.items()} | random,
                state=asdict(state),
            )
        )
        self.checkpoints.rotate(max(2, keep), {state.best_step, *state.averaged})

    def restore(self, checkpoint: Checkpoint) -> None:
        """Go on from a checkpoint: weights, moments, random states and the place in the data.

        Raises ModelError for the checkpoint of another model.
        """
        shapes = {name: weight.shape for name, weight in self.model.named_parameters()}
        if shapes != {name: weight.shape for name, weight in checkpoint.model.items()}:
            raise ModelError(
                "the checkpoint is of another model",
                where=str(self.checkpoints.path(checkpoint.step)),
                fix="put back the config.json and tokenizer.json it was made with",
            )
        with torch.no_grad():
            for name, weight in self.model.named_parameters():
                weight.copy_(checkpoint.model[name])
        load_state(self.optimizer, self.model, checkpoint.optimizer)
        torch.set_rng_state(checkpoint.optimizer["random/cpu"])
        if self.device.type == "cuda" and "random/cuda" in checkpoint.optimizer:
            torch.cuda.set_rng_state(checkpoint.optimizer["random/cuda"], self.device)
        self.state = TrainState(**checkpoint.state)


@contextmanager
def _interruption() -> Iterator[list[int]]:
    """Collect the first SIGINT or SIGTERM, so that the loop can save; a second one acts at once."""
    caught: list[int] = []
    previous: dict[signal.Signals, Any] = {}

    def note(number: int, frame: FrameType | None) -> None:
        caught.append(number)
        for signum, handler in previous.items():
            signal.signal(signum, handler)

    try:
        for signum in (signal.SIGINT, signal.SIGTERM):
            previous[signum] = signal.signal(signum, note)
    except ValueError:  # not the main thread: signals go elsewhere
        pass
    try:
        yield caught
    finally:
        for signum, handler in previous.items():
            signal.signal(signum, handler)
