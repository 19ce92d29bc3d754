"""The training loop, to be read from top to bottom.

`Trainer.run` takes batches in the plan's order, updates the model, validates, saves and stops;
everything that decides what comes next is in the checkpoint, so that a resumed run is the same run.
Built by `heedful.run`.
"""

__all__ = ["Outcome", "Trainer", "Validation"]

import math
import time
from collections.abc import Callable, Iterator
from contextlib import closing
from dataclasses import asdict, dataclass, field
from functools import cached_property
from typing import Any, NamedTuple

import torch
from torch import nn

from heedful.data.batches import AnyBatch, Plan
from heedful.errors import ModelError
from heedful.models.trainable import Trainable
from heedful.objectives import Loss
from heedful.shapes import Float, Tensor
from heedful.train.ahead import ahead
from heedful.train.allocator import release_gaps
from heedful.train.checkpoint import Checkpoint, Checkpoints
from heedful.train.doctor import Diverged, DivergedError, Doctor, Pulse, same_everywhere
from heedful.train.gradient import Gradients
from heedful.train.interruption import interruption
from heedful.train.log import TrainLog, Validation
from heedful.train.optimizer import follow, load_state, state_tensors
from heedful.train.parallel import ParallelGradients
from heedful.train.processes import Processes
from heedful.train.schedule import Schedule
from heedful.train.settings import LoopConfig
from heedful.train.sharding import RANDOM, Part, own, put, whole


class Step(NamedTuple):
    """What an update tells: the sums of its loss, and the length of its gradient."""

    loss: Loss
    gradient: Float[Tensor, ""]


class Portion(NamedTuple):
    """The batches of one update, and where in the plan the next update begins."""

    batches: list[AnyBatch]
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
    gradient_norm: float = 0.0
    """Length of that step's gradient, before it was clipped."""
    recent: list[float] = field(default_factory=list)
    pulse: Pulse = field(default_factory=Pulse)
    returns: int = 0
    """Times that the training has diverged and gone back to a checkpoint."""
    averaged: list[int] = field(default_factory=list)
    """Steps whose weights make the final model: those an uninterrupted run saves, newest last."""


@dataclass(kw_only=True)
class Trainer:
    """Everything one training needs; `run` is the loop."""

    model: Trainable
    gradients: Gradients | ParallelGradients
    optimizer: torch.optim.Optimizer
    schedule: Schedule
    settings: LoopConfig
    plan: Plan
    checkpoints: Checkpoints
    log: TrainLog
    validate: Callable[[], Validation] | None
    device: torch.device
    processes: Processes = field(default_factory=Processes)
    clock: Callable[[], float] = time.monotonic
    state: TrainState = field(default_factory=TrainState)
    _steps: list[Step] = field(default_factory=list)

    def run(self) -> Outcome:
        """Train until a limit, early stopping or an interruption; always ends on a checkpoint.

        A run that had already ended, but was killed before its model was written, makes no step.
        One that diverges goes back to its newest checkpoint, at half the learning rate, as often
        as `returns` allows. Raises DivergedError when it diverges once more, OutputError when a
        checkpoint cannot be written; earlier checkpoints stay as they are.
        """
        self.model.train()
        if done := self._reason_to_stop():
            return Outcome(True, self.state.step, done)
        with interruption(patient=self.processes.size > 1) as interrupted:
            while True:
                try:
                    return self._train(interrupted)
                except Diverged as finding:
                    self._go_back(finding)

    def _train(self, interrupted: list[int]) -> Outcome:
        """Train from where the state stands."""
        with closing(ahead(self._portions())) as portions:
            started = self.clock()
            for portion in portions:
                self._steps.append(self._update(portion))
                if self._due_for_reading():
                    self._read()
                self.state.seconds += self.clock() - started
                self._report()
                improved = self.state.step % self.settings.validate_every == 0 and self._validate()
                stop = self._agree(interrupted)
                reason = self._reason_to_stop()
                due = self.state.step % self.settings.save_every == 0 and self.state.pulse.calm
                if due or improved or reason:
                    self.state.averaged.append(self.state.step)
                if due or improved or reason or stop:
                    self.save()
                if reason:
                    if not self._due_for_record():
                        self._record()  # the log ends with what the training took
                    return Outcome(True, self.state.step, reason)
                if stop:
                    return Outcome(False, self.state.step, "interrupted")
                started = self.clock()
        raise AssertionError("the stream of batches is endless")

    def _agree(self, interrupted: list[int]) -> bool:
        """Return whether any process was interrupted; the clock of all is the slowest one's."""
        state = self.state
        stop, state.seconds = self.processes.largest(float(bool(interrupted)), state.seconds)
        return bool(stop)

    def _portions(self) -> Iterator[Portion]:
        """Yield the batches of one update after another, from where the state stands, for ever."""
        number, place = self.state.epoch, self.state.next_batch
        batches: list[AnyBatch] = []
        while True:
            epoch = self.plan.epoch(number)
            while place < len(epoch):
                batch = self.plan.batch(epoch[place], number)
                batches.append(batch.pinned() if self.device.type == "cuda" else batch)
                place += 1
                if len(batches) == self.settings.accumulate:
                    yield Portion(batches, number, place)
                    batches = []
            number, place = number + 1, 0

    def _update(self, portion: Portion) -> Step:
        """Make one step; the gradient is of the mean loss over the pieces of all its batches."""
        tokens = sum(batch.n_target for batch in portion.batches)
        *others, last = portion.batches
        losses = [self.gradients.add(batch, tokens, last=False) for batch in others]
        loss = torch.stack([*losses, self.gradients.add(last, tokens)]).sum(0)
        length = self._gradient_length()
        rate = self.learning_rate(self.state.step + 1)
        for group in self.optimizer.param_groups:
            group["lr"] = rate
        self.optimizer.step()
        if (decay := self.settings.moving_average) is not None:
            step = self.state.step + 1
            follow(self.optimizer, self.model, min(decay, (1 + step) / (10 + step)))
        self.optimizer.zero_grad(set_to_none=True)
        self.state.step += 1
        self.state.epoch, self.state.next_batch = portion.epoch, portion.next_batch
        self.state.target_tokens += tokens
        return Step(Loss(loss[0], loss[1], tokens), length)

    def _gradient_length(self) -> Float[Tensor, ""]:
        """Return the length of the gradient, and scale it down where it is too long."""
        weights = [weight for weight in self.model.parameters() if weight.grad is not None]
        gradients = [weight.grad for weight in weights if weight.grad is not None]
        length = whole(nn.utils.get_total_norm(gradients, foreach=True))
        if self.settings.clip_norm is not None:
            nn.utils.clip_grads_with_norm_(weights, self.settings.clip_norm, length, foreach=True)
        return length

    def learning_rate(self, step: int) -> float:
        """Return the schedule's rate for a step, halved for each time the training went back."""
        d_model, last = self.model.config.d_model, self._last_step()
        return self.schedule.rate(step, d_model, last) * 0.5**self.state.returns

    def _last_step(self) -> int:
        """Return where training will end; with a time limit as the speed so far foretells it."""
        limit, state = (self.settings.max_minutes or math.inf) * 60, self.state
        foretold = state.step * limit / state.seconds if state.seconds else math.inf
        return int(min(self.settings.max_steps, foretold))

    def _go_back(self, finding: Diverged) -> None:
        """Return to the newest good checkpoint; raise DivergedError if none is left."""
        self._steps.clear()
        remedy = f"the likely cause: {finding.cause}; try {finding.remedy}"
        if not self.checkpoints.steps():
            raise DivergedError(finding.problem, fix=f"{remedy}, in a new run")
        if self.state.returns >= self.settings.returns:
            again = f" again, after {self.state.returns} returns" if self.state.returns else ""
            raise DivergedError(
                f"{finding.problem}{again}", fix=f"{remedy}, and --resume from the last good step"
            )
        checkpoint, said = self.checkpoints.newest(fit=_calm)
        returns, seconds = self.state.returns + 1, self.state.seconds
        self.restore(checkpoint)
        self.state.returns, self.state.seconds = returns, seconds
        self.checkpoints.note_returns(checkpoint.step, returns)
        self.checkpoints.forget_after(checkpoint.step)
        self.log.forget_after(self.state.step)
        for line in said:
            self.log.warn(line)
        self.log.say(
            f"{finding.problem} ({finding.cause}): going back to step {checkpoint.step:,} with "
            f"half the learning rate, return {returns} of {self.settings.returns}; better is "
            f"{finding.remedy}"
        )

    def _due_for_record(self) -> bool:
        return self.state.step % self.settings.log_every == 0 or self.state.step == 1

    def _due_for_reading(self) -> bool:
        """Return whether to look at the loss now: on a GPU that waits until it is computed."""
        settings, step = self.settings, self.state.step
        stop = step % settings.validate_every == 0 or step % settings.save_every == 0
        return self.device.type == "cpu" or stop or self._due_for_record()

    def _read(self) -> None:
        """Take note of the losses of the steps since the last reading; they must be numbers."""
        steps, self._steps = self._steps, []
        for number, (loss, gradient) in enumerate(steps, self.state.step - len(steps) + 1):
            mean = float(loss.nll) / loss.tokens
            self._doctor.look(self.state.pulse, number, mean, float(gradient))
            self.state.recent.append(mean)
            self.state.smoothed = float(loss.smoothed) / loss.tokens
            self.state.gradient_norm = float(gradient)
        self.state.recent = self.state.recent[-self.settings.log_every :]

    def _report(self) -> None:
        """Show how the training goes, and record it where that is due."""
        if self._steps:
            return
        state, settings = self.state, self.settings
        left = (settings.max_steps - state.step) * state.seconds / state.step
        if settings.max_minutes is not None:
            left = min(left, settings.max_minutes * 60 - state.seconds)
        loss, speed = self._progress()
        self.log.show(state.step, settings.max_steps, loss, speed, max(0.0, left))
        if self._due_for_record():
            self._record()

    def _progress(self) -> tuple[float, float]:
        """Return the mean loss of the last steps, and target pieces a second."""
        state = self.state
        speed = state.target_tokens / max(state.seconds, 1e-9)
        return sum(state.recent) / len(state.recent), speed

    def _record(self) -> None:
        """Write a line of the log."""
        state = self.state
        loss, speed = self._progress()
        self.log.record(
            "train",
            state.step,
            loss=loss,
            smoothed=state.smoothed,
            learning_rate=self.learning_rate(state.step),
            gradient_norm=state.gradient_norm,
            epoch=state.epoch,
            **{f"{self.log.unit}_per_second": speed},
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
            raise self._doctor.diverged(f"the dev loss of step {state.step} is not a number")
        better = state.best_loss is None or found.loss < state.best_loss
        if better:
            state.best_loss, state.best_step, state.bad_validations = found.loss, state.step, 0
        else:
            state.bad_validations += 1
        self.log.record("validation", state.step, **found.record())
        self.log.say(
            f"step {state.step:,} · epoch {state.epoch} · {found.said()}"
            f"{' · best' if better else ''}"
        )
        if alike := same_everywhere(found.translations, self.learning_rate(state.step)):
            self.log.say(alike)
        return better

    @cached_property
    def _doctor(self) -> Doctor:
        return Doctor.of(self.model, self.settings, self.learning_rate)

    def _reason_to_stop(self) -> str | None:
        state, settings = self.state, self.settings
        if state.step >= settings.max_steps:
            return f"{settings.max_steps:,} steps are done"
        if settings.max_minutes is not None and state.seconds >= settings.max_minutes * 60:
            return f"{settings.max_minutes:g} minutes have passed"
        if settings.patience is not None and state.bad_validations >= settings.patience:
            return f"the dev loss has not improved for {settings.patience} validations"
        return None

    def save(self) -> None:
        """Commit a checkpoint of this step, then remove those no longer needed."""
        self._read()
        state, keep = self.state, self.settings.average_last
        state.averaged = state.averaged[-keep:]
        weights = {name: own(weight) for name, weight in self.model.named_parameters()}
        states = state_tensors(self.optimizer, self.model)
        moments = {name: own(value) for name, value in states.items()}
        self._require_numbers(weights | moments)
        random = {RANDOM + "cpu": torch.get_rng_state()}
        if self.device.type == "cuda":
            random[RANDOM + "cuda"] = torch.cuda.get_rng_state(self.device)
        parts = weights | moments | {name: own(value) for name, value in random.items()}
        divided = any(list(part.rows.shape) != part.shape for part in parts.values())
        self.checkpoints.save(
            Checkpoint(
                step=state.step,
                model={name: part.rows.cpu().contiguous() for name, part in weights.items()},
                optimizer={name: part.rows.cpu() for name, part in moments.items()} | random,
                state=asdict(state),
                shapes={name: part.shape for name, part in parts.items()} if divided else None,
            )
        )
        self.checkpoints.rotate(max(2, keep), {state.best_step, *state.averaged})

    def _require_numbers(self, parts: dict[str, Part]) -> None:
        """Raise Diverged, in all processes, where something to be saved is no number."""
        bad = [name for name, part in parts.items() if not bool(torch.isfinite(part.rows).all())]
        if self.processes.any(bool(bad)):
            what = bad[0] if bad else "a weight"
            raise self._doctor.diverged(
                f"{what} is not a number any more after step {self.state.step}"
            )

    def restore(self, checkpoint: Checkpoint) -> None:
        """Go on from a checkpoint: weights, moments, random states and the place in the data.

        Raises ModelError for the checkpoint of another model, optimizer or version of heedful.
        """
        where = str(self.checkpoints.path(checkpoint.step))
        shapes = {name: list(weight.shape) for name, weight in self.model.named_parameters()}
        if shapes != checkpoint.weight_shapes():
            raise ModelError(
                "the checkpoint is of another model",
                where=where,
                fix="put back the config.json and tokenizer.json it was made with",
            )
        for name, weight in self.model.named_parameters():
            put(checkpoint.model[name], weight)
        load_state(self.optimizer, self.model, checkpoint.optimizer)
        torch.set_rng_state(checkpoint.optimizer[RANDOM + "cpu"])
        if self.device.type == "cuda" and RANDOM + "cuda" in checkpoint.optimizer:
            torch.cuda.set_rng_state(checkpoint.optimizer[RANDOM + "cuda"], self.device)
        try:
            pulse = Pulse(**checkpoint.state.get("pulse", {}))
            self.state = TrainState(**(checkpoint.state | {"pulse": pulse}))
        except TypeError:
            fix = "go on with that version, or start a new run with another --out"
            raise ModelError("another version of heedful wrote it", where=where, fix=fix) from None
        self.state.returns = max(self.state.returns, self.checkpoints.returns(checkpoint.step))


def _calm(saved: dict[str, Any]) -> bool:
    """Return whether a saved state is to be gone back to: an interruption saves any."""
    return Pulse(**saved.get("pulse", {})).calm
