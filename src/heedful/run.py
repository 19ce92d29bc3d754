"""A run's settings become data, a model and a training: the one place that does it.

`heed train` and `heed demo` call `train`, in one process or, started by torchrun, in each of
several; the run folder it fills is described in docs/architecture.md. What is another for each
kind of model is its task (`heedful.run_task`).
"""

__all__ = ["RunResult", "train"]

import json
import math
import re
from collections.abc import Callable
from contextlib import ExitStack
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import torch

from heedful.config import (
    AnyRunConfig,
    ChatRunConfig,
    KnownRunConfig,
    ReadingRunConfig,
    TextRunConfig,
    read_config,
)
from heedful.data.report import write_whole
from heedful.device import has_bf16, pick_device
from heedful.errors import SettingError
from heedful.models.trainable import Trainable
from heedful.progress import Progress
from heedful.run_chat import ChatTask
from heedful.run_folder import RunFolder
from heedful.run_reading import ReadingTask
from heedful.run_task import RunResult, Site, Task, gradients
from heedful.run_text import TextTask
from heedful.run_translation import TranslationTask
from heedful.train.allocator import keep_freed_memory
from heedful.train.checkpoint import Checkpoint, Checkpoints
from heedful.train.doctor import missing_warmup
from heedful.train.gradient import Gradients
from heedful.train.log import TrainLog
from heedful.train.loop import Outcome, Trainer, Validation
from heedful.train.parallel import ParallelGradients
from heedful.train.processes import LeadFailedError, joined, own_device
from heedful.train.settings import Gone
from heedful.train.sharding import put, whole


def train(
    config: KnownRunConfig,
    folder: Path,
    progress: Progress,
    *,
    resume: bool = False,
    accept_changes: bool = False,
    task_of: Callable[[Any, Site], Task] | None = None,
) -> RunResult:
    """Train a model into `folder`, or go on with the training that is there.

    A resumed run must find the corpus and the tokenizer it began with, unless `accept_changes`.
    `task_of` makes the run's task; if it is not given, the settings say which task it is.
    Raises a HeedfulError for a folder in use, a broken corpus, or settings that do not fit; a new
    run that fails before its first step leaves nothing behind.
    """
    _require_utf8(config, folder)
    if resume:
        read_config(folder / "config.json")
    device = own_device(pick_device(config.device))
    if device.type == "cpu":
        keep_freed_memory()
    with joined(device, config.parallel.timeout) as processes, ExitStack() as entered:
        resume = bool(processes.of_lead(resume)[0])
        quiet = progress if processes.lead else Progress(quiet=True)
        task = (task_of or _task)(config, Site(folder, device, processes, quiet))
        torch.manual_seed(config.seed)
        held: RunFolder | None = None
        failure: Exception | None = None
        try:
            if processes.lead:
                held = entered.enter_context(RunFolder(folder, resume=resume))
                if not resume:
                    _write_config(config, folder)
                task.prepare(accept_changes=accept_changes)
        except Exception as error:
            failure = error
        if processes.failed(failure is not None):
            raise failure or LeadFailedError("the first process has failed")
        if not processes.lead:
            task.find()
        run = _Run(task, task.site)
        newest = run.newest() if resume else None
        run.size(newest)
        trainer = run.trainer(newest)
        if held is not None:
            # of a resumed run only now that all of it fits
            _write_config(_asked(task.config, config), folder)
            held.keep()
        run.announce(trainer)
        return run.result(trainer)


def _require_utf8(config: AnyRunConfig, folder: Path) -> None:
    """Raise SettingError for a name that the files of a run, which are UTF-8, cannot hold."""
    names = json.dumps([str(folder), config.model_dump()], ensure_ascii=False)
    if found := re.search(r'[^"]*[\ud800-\udfff][^"]*', names):
        problem = "the name is not UTF-8, as all that a run keeps is"
        raise SettingError(problem, where=found[0], fix="rename it, or the folder that it is in")


def _task(config: KnownRunConfig, site: Site) -> Task:
    if isinstance(config, TextRunConfig):
        return TextTask(config, site)
    if isinstance(config, ReadingRunConfig):
        return ReadingTask(config, site)
    if isinstance(config, ChatRunConfig):
        return ChatTask(config, site)
    return TranslationTask(config, site)


def _asked(sized: AnyRunConfig, config: AnyRunConfig) -> AnyRunConfig:
    """Return what a run is gone on with: the steps that its epochs come to are found anew then."""
    steps = {"max_steps": config.training.max_steps}
    training = sized.training.model_copy(update=steps)
    return sized.model_copy(update={"training": training})


def _write_config(config: AnyRunConfig, folder: Path) -> None:
    write_whole(folder / "config.json", config.model_dump_json(indent=2) + "\n")


@dataclass(frozen=True)
class _Run:
    """Puts a training together, where and for whom it is."""

    task: Task
    site: Site

    def size(self, newest: Checkpoint | None) -> None:
        """Resolve the settings that are left to the data and the machine."""
        if self.site.device.type == "cuda" and (self.task.config.training.shards or 1) > 1:
            raise SettingError(
                "a GPU computes a batch whole", where="--training.shards", fix="use 1"
            )
        state = newest.state if newest else {}
        self.task.size(Gone(*(state.get(name, 0) for name in Gone._fields)))

    def newest(self) -> Checkpoint | None:
        """Return where to go on; None, said aloud, when a run ended before its first checkpoint."""
        checkpoints, progress = self._checkpoints(), self.site.progress
        if not self.site.processes.any(checkpoints.begun()):
            progress.say("the run has no checkpoint yet: starting from its first step")
            return None
        newest, said = checkpoints.newest()
        for line in said:
            progress.warn(line)
        progress.say(f"going on from step {newest.step:,}")
        return newest

    def _checkpoints(self) -> Checkpoints:
        processes = self.site.processes
        divided = self.task.config.parallel.divides_weights and processes.size > 1
        return Checkpoints(self.site.folder / "checkpoints", processes, divided=divided)

    def trainer(self, newest: Checkpoint | None) -> Trainer:
        """Return the training, standing at its beginning or at the newest checkpoint."""
        task, site, config = self.task, self.site, self.task.config
        model = task.model()
        if newest is None:
            task.begin(model)
        if site.device.type == "cuda" and config.training.compile and find_spec("triton"):
            model.compile_layers()
        step, mute = newest.step if newest else 0, not site.processes.lead
        trainer = Trainer(
            model=model,
            gradients=self._gradients(model),
            optimizer=config.optimizer.build(model),
            schedule=config.schedule,
            settings=config.training,
            plan=task.plan(),
            checkpoints=self._checkpoints(),
            log=TrainLog(site.folder, site.progress, step, mute=mute, unit=task.objective.unit),
            validate=self._shared_validation(model),
            device=site.device,
            processes=site.processes,
        )
        if newest is not None:
            trainer.restore(newest)
        return trainer

    def _gradients(self, model: Trainable) -> Gradients | ParallelGradients:
        task, site, config = self.task, self.site, self.task.config
        if site.processes.size == 1:
            return gradients(task, model, config.training.shards or 1)
        return ParallelGradients(
            model,
            task.objective,
            config.training.precision,
            site.device,
            site.processes,
            config.parallel,
        )

    def _shared_validation(self, model: Trainable) -> Callable[[], Validation] | None:
        """Return what measures the model in the lead and tells all; None without a dev set."""
        processes = self.site.processes
        if processes.size == 1:
            return self.task.validation(model)
        divided = self.task.config.parallel.divides_weights
        with torch.random.fork_rng([]):  # the lead's random numbers stay those of the others
            replica = self.task.model() if divided and processes.lead else model
        measure = self.task.validation(replica)
        if measure is None:
            return None

        def validate() -> Validation:
            weights = dict(replica.named_parameters())
            for name, weight in model.named_parameters() if divided else ():
                full = whole(weight)
                if processes.lead:
                    put(full, weights[name])
            found = measure() if processes.lead else Validation(0.0, 0.0, None)
            bleu = math.nan if found.bleu is None else found.bleu
            loss, perplexity, bleu = processes.of_lead(found.loss, found.perplexity, bleu)
            shared = None if math.isnan(bleu) else bleu
            return Validation(loss, perplexity, shared, found.translations, found.scores)

        return validate

    def announce(self, trainer: Trainer) -> None:
        """Say what is about to happen, and what about it looks wrong."""
        config, progress = self.task.config, self.site.progress
        weights = sum(weight.numel() for weight in trainer.model.parameters())
        size, shards = self.site.processes.size, trainer.gradients.shards
        together = f", {shards} shards of a batch at a time" if shards > 1 else ""
        if size > 1:
            together = f", in {size} processes ({config.parallel.kind.upper()})"
        free = sum(w.numel() for w in trainer.model.parameters() if w.requires_grad)
        part = f", {free / 1e6:.2f} M of them learnt" if free < weights else ""
        progress.say(
            f"recipe {config.recipe}: {weights / 1e6:.1f} M weights{part}, "
            f"{self.task.learns_from()}, on {trainer.device}{together}"
        )
        if unwarmed := missing_warmup(trainer.learning_rate, config.training.max_steps):
            progress.say(unwarmed)
        self.task.warn()
        if config.training.precision == "bf16" and not has_bf16(trainer.device):
            progress.say(
                "this machine has no bf16 hardware: --training.precision float32 is faster"
            )

    def result(self, trainer: Trainer) -> RunResult:
        """Train, and make a model of what was learnt."""
        try:
            outcome: Outcome = trainer.run()
        finally:
            trainer.log.close()
        if not outcome.finished or not self.site.processes.lead:
            return RunResult(outcome, None, None)
        if self.site.processes.size > 1:
            trainer.model = self.task.model()
            trainer.validate = self.task.validation(trainer.model)
        return self.task.finish(trainer, outcome)
