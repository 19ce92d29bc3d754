"""The loop, run on a small store: what an update is, when it validates, saves and stops."""

import itertools
import json
import math
import os
import random
import threading
from collections.abc import Callable
from itertools import islice
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import nn

from heedful.data.batches import Batch
from heedful.errors import ModelError
from heedful.objectives import Loss
from heedful.progress import Progress
from heedful.train.checkpoint import Checkpoints
from heedful.train.log import TrainLog
from heedful.train.loop import Portion, Step, Trainer, Validation
from heedful.train.schedule import Linear

QUIET = Progress(quiet=True)
Make = Callable[..., Trainer]


@pytest.fixture(autouse=True)
def no_waiting_for_the_disk(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "fsync", lambda _: None)


class Recorder:
    """An optimizer that keeps the gradients it is given and changes nothing."""

    def __init__(self, model: nn.Module) -> None:
        self.model = model
        self.param_groups: list[dict[str, Any]] = [{}]
        self.rates: list[float] = []
        self.gradients: list[torch.Tensor] = []

    def step(self) -> None:
        self.rates.append(self.param_groups[0]["lr"])
        found = [w.grad.flatten() for w in self.model.parameters() if w.grad is not None]
        self.gradients.append(torch.cat(found).clone())

    def zero_grad(self, set_to_none: bool) -> None:
        self.model.zero_grad(set_to_none)


def gradient(trainer: Trainer, batches: list[Batch]) -> torch.Tensor:
    """Return the gradient of one update, dropout as the settings say."""
    recorder = trainer.optimizer = Recorder(trainer.model)  # type: ignore[assignment]
    trainer._update(Portion(batches, 0, 0))
    assert all(weight.grad is None for weight in trainer.model.parameters())
    return recorder.gradients[0]  # type: ignore[no-any-return]


STILL: dict[str, Any] = {"model": {"dropout": 0.0}, "training": {"clip_norm": None}}
"""No dropout and nothing clipped."""


@pytest.mark.parametrize("parts", [2, 3, 5])
def test_accumulating_equals_one_big_batch(make: Make, parts: int) -> None:
    """Batches of different numbers of pieces weigh by their pieces."""
    trainer = make(STILL)
    rows = trainer.plan.epoch(0)[:parts]
    small = [trainer.plan.batch(one) for one in rows]
    assert len({batch.n_target for batch in small}) > 1
    big = trainer.plan.batch([int(row) for one in rows for row in one])
    found, expected = gradient(trainer, small), gradient(trainer, [big])
    torch.testing.assert_close(found, expected, rtol=1e-4, atol=1e-6)
    assert expected.norm() > 0.1


def test_gradient_is_of_the_mean_loss(make: Make) -> None:
    """Against autograd of the loss, written out with PyTorch's own smoothed cross-entropy."""
    trainer = make(STILL)
    batch = trainer.plan.batch(trainer.plan.epoch(0)[0])
    found = gradient(trainer, [batch])
    memory = trainer.model.encode(batch.source, batch.source_mask)
    logits = trainer.model.project(trainer.model.hidden(batch.target_in, memory))
    loss = nn.functional.cross_entropy(
        logits.flatten(0, 1), batch.target_out.flatten(), ignore_index=0, label_smoothing=0.1
    )
    expected = torch.autograd.grad(loss, list(trainer.model.parameters()))
    flat = torch.cat([one.flatten() for one in expected])
    torch.testing.assert_close(found, flat, rtol=1e-4, atol=1e-6)


def test_clipping(make: Make) -> None:
    """A longer gradient is scaled to the limit and keeps its direction; a shorter one is left."""
    plan = make().plan
    batches = [plan.batch(plan.epoch(0)[0])]
    whole = gradient(make(STILL), batches)
    for limit in (0.01, float(whole.norm()) * 2):
        clipped = gradient(make(STILL | {"training": {"clip_norm": limit}}), batches)
        expected = whole * min(1.0, limit / float(whole.norm()))
        torch.testing.assert_close(clipped, expected, rtol=1e-4, atol=1e-7)


def test_the_rate_of_every_step(make: Make) -> None:
    trainer = make({"schedule": {"kind": "linear", "warmup_steps": 3, "peak": 0.5}})
    trainer.save = lambda: None  # type: ignore[method-assign]
    recorder = trainer.optimizer = Recorder(trainer.model)  # type: ignore[assignment]
    trainer.run()
    rates = recorder.rates  # type: ignore[attr-defined]
    assert rates == [trainer.schedule.rate(step, 32, 12) for step in range(1, 13)]


def rows(trainer: Trainer, portions: int) -> list[tuple[int, ...]]:
    """Return the rows of the batches of so many updates, from where the trainer stands."""
    trainer.plan.batch = lambda wanted, _: tuple(int(row) for row in wanted)  # type: ignore
    found: list[tuple[int, ...]] = []
    for portion in islice(trainer._portions(), portions):
        found += portion.batches  # type: ignore[arg-type]
        trainer.state.epoch, trainer.state.next_batch = portion.epoch, portion.next_batch
    return found


@pytest.mark.slow
def test_resuming_at_200_steps(make: Make) -> None:
    """At every one of them, and again within the same epoch; none is skipped, none comes twice."""
    whole = rows(make(), 220)
    for stop in range(1, 201):
        done, state = [], make().state
        for part in (stop, 1, 2, 217 - stop):
            trainer = make()
            trainer.state = state
            done += rows(trainer, part)
        assert done == whole[: len(done)]
        assert len(done) == 220


@pytest.mark.parametrize("accumulate", [1, 2, 3, 4, 5])
def test_no_row_is_skipped_or_taken_twice(make: Make, accumulate: int) -> None:
    """Going on after any step of two epochs gives the rows that were to come."""
    changes = {"training": {"accumulate": accumulate}}
    n_batches = len(make().plan.epoch(0)) + len(make().plan.epoch(1))
    portions = n_batches // accumulate + 1
    whole = rows(make(changes), portions)
    for epoch, number in ((0, len(make().plan.epoch(0))), (1, len(make().plan.epoch(1)))):
        start = 0 if epoch == 0 else len(make().plan.epoch(0))
        taken = [row for batch in whole[start : start + number] for row in batch]
        assert sorted(taken) == list(range(96))
    for stop in range(1, portions):
        first = make(changes)
        before = rows(first, stop)
        second = make(changes)
        second.state.epoch, second.state.next_batch = first.state.epoch, first.state.next_batch
        assert before + rows(second, portions - stop) == whole


def losses(values: list[float]) -> Callable[[], Validation]:
    """Return a validation that finds these losses in turn."""
    waiting = iter(values)

    def validate() -> Validation:
        loss = next(waiting)
        return Validation(loss, math.exp(loss), None)

    return validate


def test_early_stopping_keeps_the_best(make: Make) -> None:
    """The third dev loss in a row that is no better ends it; the best step stays on disk."""
    changes = {
        "training": {
            "max_steps": 100,
            "validate_every": 2,
            "patience": 3,
            "save_every": 3,
            "average_last": 1,
        }
    }
    trainer = make(changes, validate=losses([3.0, 2.5, 2.6, 2.4, 2.4, 2.5, 2.45, 9.9]))
    outcome = trainer.run()
    assert outcome == (True, 14, "the dev loss has not improved for 3 validations")
    assert (trainer.state.best_step, trainer.state.best_loss) == (8, 2.4)
    assert trainer.checkpoints.steps() == [8, 12, 14]
    again = make(changes, validate=losses([]))
    again.restore(trainer.checkpoints.newest()[0])
    assert again.run() == outcome


def test_validation_leaves_the_model_in_training(make: Make) -> None:
    trainer = make()

    def validate() -> Validation:
        trainer.model.eval()
        return Validation(1.0, math.e, None)

    trainer.validate = validate
    trainer.run()
    assert trainer.model.training


def test_minutes_count_over_all_parts(make: Make) -> None:
    """A clock that goes on by half a minute at each look: an update takes half a minute."""
    changes = {"training": {"max_steps": 100, "max_minutes": 3.0, "save_every": 2}}

    def clock() -> Callable[[], float]:
        ticks = iter(range(0, 10_000, 30))
        return lambda: float(next(ticks))

    outcome = make(changes, clock=clock()).run()
    assert outcome == (True, 6, "3 minutes have passed")
    first = make(changes | {"training": changes["training"] | {"max_steps": 4}}, clock=clock())
    first.run()
    second = make(changes, clock=clock())
    second.restore(first.checkpoints.load(4))
    assert second.run() == outcome


def test_a_schedule_ends_with_the_time(make: Make) -> None:
    """An update takes half a minute: of 1,000 steps five minutes allow ten, so the rate falls."""
    changes = {
        "schedule": {"kind": "linear", "warmup_steps": 2, "peak": 0.1},
        "training": {"max_steps": 1000, "max_minutes": 5.0},
    }
    ticks = iter(range(0, 10_000, 30))
    trainer = make(changes, clock=lambda: float(next(ticks)))
    used: list[float] = []
    step = trainer.optimizer.step
    trainer.optimizer.step = lambda: (used.append(trainer.optimizer.param_groups[0]["lr"]), step())
    trainer.run()
    asked = Linear(warmup_steps=2, peak=0.1)
    assert len(used) == 10
    assert used[1:] == pytest.approx([asked.rate(n, 512, 10) for n in range(2, 11)])


class Poisoned:
    """The objective, until a step; then its loss, or only its gradient, is no number."""

    def __init__(self, objective: Any, step: int, *, gradient_only: bool) -> None:
        self.objective = objective
        self.left = step
        self.gradient_only = gradient_only

    def loss(self, *given: Any) -> Loss:
        loss: Loss = self.objective.loss(*given)
        self.left -= 1
        if self.left:
            return loss
        if self.gradient_only:
            root = (loss.smoothed * 0).sqrt()  # the gradient of a root at 0 is infinite
            return Loss(loss.smoothed + root, loss.nll, loss.tokens)
        return Loss(loss.smoothed * math.nan, loss.nll * math.nan, loss.tokens)


def finite(checkpoints: Checkpoints) -> bool:
    """Tell whether every number of every checkpoint is one."""
    saved = [checkpoints.load(step) for step in checkpoints.steps()]
    tensors = [t for one in saved for t in (*one.model.values(), *one.optimizer.values())]
    return bool(tensors) and all(bool(torch.isfinite(tensor).all()) for tensor in tensors)


@pytest.mark.parametrize("clip_norm", [None, 1.0])
@pytest.mark.parametrize("gradient_only", [False, True])
def test_no_number_goes_back(
    make: Make, gradient_only: bool, clip_norm: float | None, capsys: Any
) -> None:
    """To the checkpoint before it, at half the rate; then on to the end, with nothing bad saved."""
    changes = {"training": {"save_every": 2, "clip_norm": clip_norm}}
    trainer = make(changes, log=TrainLog(make().checkpoints.folder.parent, Progress()))
    trainer.gradients.objective = Poisoned(
        trainer.gradients.objective, 6, gradient_only=gradient_only
    )
    before = trainer.learning_rate(12)
    assert trainer.run() == (True, 12, "12 steps are done")
    what = "gradient" if gradient_only else "loss"
    said = [line for line in capsys.readouterr().err.splitlines() if "going back" in line]
    assert len(said) == 1
    assert said[0].startswith(f"the {what} of step 6 is not a number (")
    assert "going back to step 4 with half the learning rate, return 1 of 3" in said[0]
    assert trainer.learning_rate(12) == before / 2
    assert trainer.checkpoints.steps() == [10, 12]
    assert finite(trainer.checkpoints)
    records = [json.loads(line) for line in trainer.log.path.read_text("utf-8").splitlines()]
    steps = [record["step"] for record in records]
    assert steps == sorted(set(steps))
    resumed = make(changes)
    resumed.restore(trainer.checkpoints.load(12))
    assert resumed.learning_rate(12) == before / 2


@pytest.mark.parametrize(("returns", "left"), [(0, 5), (2, 3)])
def test_it_goes_back_so_often_and_no_more(make: Make, returns: int, left: int) -> None:
    """One sentence with cause and remedy; what was saved before is whole and finite."""

    class Always(Poisoned):
        def loss(self, *given: Any) -> Loss:
            self.left = max(self.left, 1)
            return super().loss(*given)

    trainer = make({"training": {"save_every": 2, "returns": returns}})
    trainer.gradients.objective = Always(trainer.gradients.objective, left, gradient_only=False)
    with pytest.raises(ModelError) as caught:
        trainer.run()
    said = str(caught.value)
    again = " again, after 2 returns" if returns else ""
    assert said.startswith(f"the loss of step {left} is not a number{again}; the likely cause: ")
    assert said.endswith(", and --resume from the last good step")
    assert "\n" not in said
    assert trainer.checkpoints.steps() == [2, 4][: (left - 1) // 2]
    assert finite(trainer.checkpoints)


def test_no_number_at_once(make: Make) -> None:
    trainer = make()
    trainer.gradients.objective = Poisoned(trainer.gradients.objective, 1, gradient_only=False)
    with pytest.raises(ModelError, match=r"the loss of step 1 is not a number; the .* new run$"):
        trainer.run()
    assert trainer.checkpoints.steps() == []


def test_dev_loss_is_no_number(make: Make) -> None:
    """It is not the best, nor is anything of its step kept."""
    trainer = make(validate=losses([2.0, math.nan, 3.0]))
    trainer.run()
    assert (trainer.state.returns, trainer.state.best_step) == (1, 5)
    assert trainer.checkpoints.steps() == [5, 9, 12]


def test_a_return_survives_a_kill(make: Make) -> None:
    """Killed after it went back and before it saved again, a training goes on at half the rate."""
    changes = {"training": {"save_every": 4}}
    trainer = make(changes)
    trainer.gradients.objective = Poisoned(trainer.gradients.objective, 6, gradient_only=False)
    update = trainer._update

    def dying(portion: Portion) -> Step:
        if trainer.state.returns and trainer.state.step == 5:
            raise KeyboardInterrupt
        return update(portion)

    trainer._update = dying  # type: ignore[method-assign]
    with pytest.raises(KeyboardInterrupt):
        trainer.run()
    resumed = make(changes)
    resumed.restore(resumed.checkpoints.newest()[0])
    assert (resumed.state.step, resumed.state.returns) == (4, 1)
    resumed.run()
    again = make(changes)
    again.restore(again.checkpoints.newest()[0])
    assert (again.state.step, again.state.returns) == (12, 1)


def test_a_loss_on_its_way_up_is_not_saved(make: Make) -> None:
    """A checkpoint made then would be gone back to in vain."""
    trainer = make({"training": {"save_every": 2}})
    update = trainer._update

    def rising(portion: Portion) -> Step:
        step = update(portion)
        high = 2 < trainer.state.step < 8
        trainer.state.pulse.lowest = 0.0 if high else trainer.state.pulse.lowest
        if trainer.state.step == 8:
            trainer.state.pulse.lowest = 100.0
        return step

    trainer._update = rising  # type: ignore[method-assign]
    saved: list[int] = []
    save = trainer.checkpoints.save
    trainer.checkpoints.save = lambda one: (saved.append(one.step), save(one))  # type: ignore
    trainer.run()
    assert saved == [2, 8, 10, 12]


def test_what_an_interruption_saved_on_its_way_up_is_not_gone_back_to(make: Make) -> None:
    """An older one is, and the bad one goes: else a kill would lead back to it."""
    changes = {"training": {"save_every": 2}}
    first = make(changes)
    update = first._update

    def rising(portion: Portion) -> Step:
        step = update(portion)
        if first.state.step == 3:
            first.state.pulse.lowest = 0.0
        return step

    first._update = rising  # type: ignore[method-assign]
    first._agree = lambda _: first.state.step == 5  # type: ignore[method-assign]
    assert first.run() == (False, 5, "interrupted")
    assert first.checkpoints.steps() == [2, 5]
    second = make(changes)
    second.restore(second.checkpoints.newest()[0])
    assert second.state.step == 5  # it may still come down
    second.gradients.objective = Poisoned(second.gradients.objective, 2, gradient_only=False)
    save = second.checkpoints.save
    before: list[list[int]] = []
    second.checkpoints.save = lambda one: (before.append(second.checkpoints.steps()), save(one))  # type: ignore
    assert second.run() == (True, 12, "12 steps are done")
    assert second.state.returns == 1
    assert before[:2] == [[2], [2, 4]]


def test_going_back_counts_the_time(make: Make) -> None:
    """Minutes that led nowhere are minutes: a training that diverges ends in time all the same."""
    trainer = make({"training": {"save_every": 2}}, clock=itertools.count().__next__)
    trainer.gradients.objective = Poisoned(trainer.gradients.objective, 6, gradient_only=False)
    trainer.run()
    assert trainer.state.seconds > 12


def test_all_translations_alike_is_said(make: Make, capsys: Any, tmp_path: Path) -> None:
    found = Validation(1.0, math.e, 0.0, ("ein Hund",) * 8)
    make(validate=lambda: found, log=TrainLog(tmp_path, Progress())).run()
    said = capsys.readouterr().err
    assert 'all 8 dev sentences are translated alike ("ein Hund")' in said
    records = [json.loads(line) for line in (tmp_path / "log.jsonl").read_text().splitlines()]
    assert [r["distinct"] for r in records if r["kind"] == "validation"] == [1, 1]


def strictly(text: str) -> Any:
    """Read JSON as other programs do: no NaN, no Infinity."""
    return json.loads(text, parse_constant=lambda name: pytest.fail(name))


def test_log_and_state_are_plain_json(make: Make, tmp_path: Path) -> None:
    """Step 1 and every log_every steps; the loss is the mean since the last record."""
    trainer = make({"training": {"log_every": 4}})
    means: list[float] = []
    lengths: list[float] = []
    update = trainer._update

    def noting(portion: Portion) -> Step:
        step = update(portion)
        means.append(float(step.loss.nll) / step.loss.tokens)
        lengths.append(float(step.gradient))
        return step

    trainer._update = noting  # type: ignore[method-assign]
    trainer.run()
    records = [strictly(line) for line in (tmp_path / "log.jsonl").read_text().splitlines()]
    assert [record["step"] for record in records] == [1, 4, 8, 12]
    assert records[0]["loss"] == means[0]
    assert [record["loss"] for record in records[1:]] == pytest.approx(
        [sum(means[end - 4 : end]) / 4 for end in (4, 8, 12)]
    )
    assert [record["gradient_norm"] for record in records] == [
        lengths[step - 1] for step in (1, 4, 8, 12)
    ]
    assert records[2]["learning_rate"] == trainer.learning_rate(8)
    for path in trainer.checkpoints.folder.glob("*/*.json"):
        strictly(path.read_text("utf-8"))


def test_the_log_ends_with_what_the_training_took(make: Make, tmp_path: Path) -> None:
    trainer = make({"training": {"log_every": 5}})
    trainer.run()
    last = strictly((tmp_path / "log.jsonl").read_text().splitlines()[-1])
    assert (last["kind"], last["step"]) == ("train", trainer.state.step)
    assert trainer.state.step % 5
    assert last["seconds"] == trainer.state.seconds


def test_it_learns(make: Make) -> None:
    trainer = make(
        {"training": {"max_steps": 60, "save_every": 60}, "schedule": {"warmup_steps": 20}}
    )
    trainer.run()
    mean = sum(trainer.state.recent) / len(trainer.state.recent)
    assert mean < 0.7 * math.log(290)


def test_outside_the_main_thread(make: Make) -> None:
    """Signals cannot be caught there; training goes on without."""
    outcomes: list[Any] = []
    trainer = make({"training": {"max_steps": 2}})
    thread = threading.Thread(target=lambda: outcomes.append(trainer.run()))
    thread.start()
    thread.join()
    assert outcomes == [(True, 2, "2 steps are done")]


def test_checkpoints_on_disk(make: Make) -> None:
    """Saved are steps that are due, the best so far, and the last; the newest and the best stay."""
    changes = {"training": {"max_steps": 11, "save_every": 3, "average_last": 2}}
    values = [3.0, 2.0]
    trainer = make(changes, validate=losses(values))
    trainer.run()
    assert trainer.state.averaged == [10, 11]
    assert trainer.checkpoints.steps() == [10, 11]
    chance = random.Random(1)
    for _ in range(3):
        values = [chance.random() for _ in range(20)]
        trainer = make(changes | {"training": {"validate_every": 1}}, validate=losses(values))
        trainer.run()
        best = 1 + values[:12].index(min(values[:12]))
        assert trainer.state.best_step == best
        assert best in trainer.checkpoints.steps()
