"""A RunConfig becomes a corpus, a tokenizer, a model and a training: the one place that does it.

`heed train` and `heed demo` call `train`, in one process or, started by torchrun, in each of
several; the run folder it fills is described in docs/architecture.md.
"""

__all__ = ["RunResult", "train"]

import json
import math
from collections.abc import Callable
from contextlib import ExitStack
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from typing import NamedTuple

import torch

from heedful.calibration import calibrated
from heedful.card import card
from heedful.config import RunConfig, read_config
from heedful.data.batches import BatchPlan
from heedful.data.bpe_dropout import BPEDropout
from heedful.data.report import write_whole
from heedful.decode.shortlist import FILE as SHORTLIST
from heedful.device import has_bf16, pick_device
from heedful.errors import HeedfulError, SettingError
from heedful.kernels import available
from heedful.model_folder import LoadedModel, save_model
from heedful.models.architecture import Model
from heedful.progress import Progress
from heedful.run_data import RunData, prepare, prepared
from heedful.run_folder import RunFolder
from heedful.start import Gain, first_weights, gains, languages_of, unspelled
from heedful.train import lora
from heedful.train.allocator import keep_freed_memory
from heedful.train.checkpoint import Checkpoint, Checkpoints
from heedful.train.doctor import missing_warmup
from heedful.train.finish import choose_weights
from heedful.train.gradient import Gradients, automatic_shards
from heedful.train.guidance import Guide
from heedful.train.log import TrainLog
from heedful.train.loop import Outcome, Trainer, Validation
from heedful.train.memory import largest_batch
from heedful.train.parallel import ParallelGradients
from heedful.train.processes import LeadFailedError, Processes, joined, own_device
from heedful.train.sharding import put, whole
from heedful.train.shortlist import MOST_ROWS, learn, rows_of, summary
from heedful.validation import validation

_FOREIGN = 0.3
"""Share of single bytes from which a vocabulary is said not to know a corpus."""

_FEW = 20
"""Rows of a dev set under which its loss means little."""


class RunResult(NamedTuple):
    """What a training leaves behind; `model` is None after an interruption, and in all processes
    but the lead."""

    outcome: Outcome
    model: Path | None
    dev: Validation | None


def train(
    config: RunConfig,
    folder: Path,
    progress: Progress,
    *,
    resume: bool = False,
    accept_changes: bool = False,
) -> RunResult:
    """Train a model into `folder`, or go on with the training that is there.

    A resumed run must find the corpus and the tokenizer it began with, unless `accept_changes`.
    Raises a HeedfulError for a folder in use, a broken corpus, or settings that do not fit; a new
    run that fails before its first step leaves nothing behind.
    """
    if resume:
        read_config(folder / "config.json")
    device = own_device(pick_device(config.device))
    if device.type == "cpu":
        keep_freed_memory()
    with joined(device, config.parallel.timeout) as processes, ExitStack() as entered:
        resume = bool(processes.of_lead(resume)[0])
        run = _Run(folder, device, processes, progress if processes.lead else Progress(quiet=True))
        torch.manual_seed(config.seed)
        held: RunFolder | None = None
        data: RunData | None = None
        failure: Exception | None = None
        try:
            if processes.lead:
                held = entered.enter_context(RunFolder(folder, resume=resume))
                if not resume:
                    _write_config(config, folder)
                data = prepare(config, folder, progress, accept_changes=accept_changes)
        except Exception as error:
            failure = error
        if processes.failed(failure is not None):
            raise failure or LeadFailedError("the first process has failed")
        if data is None:
            data = prepared(config, folder)
        config = run.sized(config, data)
        newest = run.newest(config) if resume else None
        trainer = run.trainer(config, data, newest)
        if held is not None:
            _write_config(config, folder)  # of a resumed run only now that all of it fits
            held.keep()
        run.announce(config, data, trainer)
        try:
            outcome = trainer.run()
        finally:
            trainer.log.close()
        if not outcome.finished or not processes.lead:
            return RunResult(outcome, None, None)
        return run.finish(config, data, trainer, outcome)


def _write_config(config: RunConfig, folder: Path) -> None:
    write_whole(folder / "config.json", config.model_dump_json(indent=2) + "\n")


@dataclass(frozen=True)
class _Run:
    """Puts a training together, where and for whom it is."""

    folder: Path
    device: torch.device
    processes: Processes
    progress: Progress

    def sized(self, config: RunConfig, data: RunData) -> RunConfig:
        """Return the settings with the batch's size, shards and alignment layer resolved."""
        wanted, size = config.training, self.processes.size
        if self.device.type == "cuda" and (wanted.shards or 1) > 1:
            raise SettingError(
                "a GPU computes a batch whole", where="--training.shards", fix="use 1"
            )
        if size > len(data.train):
            raise SettingError(
                f"{size} processes are more than the {len(data.train)} sentences of the corpus",
                where="--nproc",
                fix="use fewer",
            )
        tokens = wanted.batch_tokens
        if tokens == "auto":
            fitting = self._fitting_batch(config, data) if self.processes.lead else 0
            each = 1 if self.device.type == "cpu" else size  # of a CPU's memory all have one share
            tokens = each * int(self.processes.of_lead(fitting)[0])
            self.progress.say(f"batches of {tokens:,} pieces (--training.batch-tokens auto)")
        shards = wanted.shards
        if size == 1:
            shards = shards or automatic_shards(tokens, self.device)
        training = wanted.model_copy(update={"batch_tokens": tokens, "shards": shards})
        shape = config.model
        if config.objective.guided_alignment and shape.alignment_layer is None:
            # the second to last; of two layers, the first would still be far from the output
            place = shape.source_looks - (2 if shape.source_looks > 2 else 1)
            shape = shape.model_copy(update={"alignment_layer": place})
        return config.model_copy(update={"training": training, "model": shape})

    def _fitting_batch(self, config: RunConfig, data: RunData) -> int:
        source, target = data.train.lengths()
        longest, pieces = int(max(source.max(), target.max())), int(target.sum())
        with torch.random.fork_rng():
            model = self._model(config, data)
            # what a step has besides: the optimizer's moments and a second set of gradients
            copies = 3 + (config.training.moving_average is not None)
            besides = [
                torch.empty_like(weight) for _ in range(copies) for weight in model.parameters()
            ]
            trial = self._gradients(config, model, shards=1)
            longest = max(longest, config.training.max_pieces)
            found = largest_batch(trial, longest, pieces, self.device)
            del besides
        return found

    def _model(self, config: RunConfig, data: RunData) -> Model:
        sizes = (data.tokenizer.source_size, data.tokenizer.target_size)
        model = config.model.build(*sizes)
        if config.training.lora_rank:
            lora.add(model, config.training.lora_rank)
        return model.to(self.device)

    def _gradients(self, config: RunConfig, model: Model, shards: int) -> Gradients:
        precision = config.training.precision
        return Gradients(model, config.objective, precision, self.device, shards, self.progress.say)

    def newest(self, config: RunConfig) -> Checkpoint | None:
        """Return where to go on; None, said aloud, when a run ended before its first checkpoint."""
        checkpoints = self._checkpoints(config)
        if not self.processes.any(checkpoints.begun()):
            self.progress.say("the run has no checkpoint yet: starting from its first step")
            return None
        newest, said = checkpoints.newest()
        for line in said:
            self.progress.warn(line)
        self.progress.say(f"going on from step {newest.step:,}")
        return newest

    def _checkpoints(self, config: RunConfig) -> Checkpoints:
        divided = config.parallel.divides_weights and self.processes.size > 1
        return Checkpoints(self.folder / "checkpoints", self.processes, divided=divided)

    def trainer(self, config: RunConfig, data: RunData, newest: Checkpoint | None) -> Trainer:
        """Return the training, standing at its beginning or at the newest checkpoint."""
        model = self._model(config, data)
        if config.start and newest is None:
            first_weights(config, model)
        on_gpu = self.device.type == "cuda"
        if on_gpu and config.training.compile and find_spec("triton"):
            model.compile_layers()
        tokens = config.training.sized_batch_tokens
        lead = self.processes.lead
        gradients: Gradients | ParallelGradients
        if self.processes.size == 1:
            gradients = self._gradients(config, model, config.training.shards or 1)
        else:
            gradients = ParallelGradients(
                model,
                config.objective,
                config.training.precision,
                self.device,
                self.processes,
                config.parallel,
            )
        trainer = Trainer(
            model=model,
            gradients=gradients,
            optimizer=config.optimizer.build(model),
            schedule=config.schedule,
            settings=config.training,
            plan=BatchPlan(
                data.train,
                tokens,
                config.seed,
                multiple=8 if on_gpu else 1,
                align=self._guide(config, data),
                respell=self._dropout(config, data),
            ),
            checkpoints=self._checkpoints(config),
            log=TrainLog(self.folder, self.progress, newest.step if newest else 0, mute=not lead),
            validate=self._shared_validation(config, data, model),
            device=self.device,
            processes=self.processes,
        )
        if newest is not None:
            trainer.restore(newest)
        return trainer

    def _guide(self, config: RunConfig, data: RunData) -> Guide | None:
        """Learn what attention is guided by; None where it is not."""
        if not config.objective.guided_alignment:
            return None
        _require_numba("--objective.guided-alignment")
        rows = min(len(data.train), MOST_ROWS)
        self.progress.say(f"learning from {rows:,} rows what attention is guided by")
        return Guide.learn(rows_of(data.train), data.tokenizer)

    def _dropout(self, config: RunConfig, data: RunData) -> BPEDropout | None:
        """Return what spells words in other ways; None where they stay as they are."""
        settings = config.training
        if not settings.bpe_dropout:
            return None
        _require_numba("--training.bpe-dropout")
        return BPEDropout(data.tokenizer, settings.bpe_dropout, config.seed, settings.max_pieces)

    def _shared_validation(
        self, config: RunConfig, data: RunData, model: Model
    ) -> Callable[[], Validation] | None:
        """Return what measures the model in the lead and tells all; None without a dev set."""
        if data.dev is None or self.processes.size == 1:
            return validation(config, data.dev, data.tokenizer, model, self.device)
        divided = config.parallel.divides_weights
        with torch.random.fork_rng([]):  # the lead's random numbers stay those of the others
            replica = self._model(config, data) if divided and self.processes.lead else model
        measure = validation(config, data.dev, data.tokenizer, replica, self.device)
        assert measure is not None

        def validate() -> Validation:
            weights = dict(replica.named_parameters())
            for name, weight in model.named_parameters() if divided else ():
                full = whole(weight)
                if self.processes.lead:
                    put(full, weights[name])
            found = measure() if self.processes.lead else Validation(0.0, 0.0, None)
            bleu = math.nan if found.bleu is None else found.bleu
            loss, perplexity, bleu = self.processes.of_lead(found.loss, found.perplexity, bleu)
            shared = None if math.isnan(bleu) else bleu
            return Validation(loss, perplexity, shared, found.translations)

        return validate

    def announce(self, config: RunConfig, data: RunData, trainer: Trainer) -> None:
        """Say what is about to happen, and what about it looks wrong."""
        weights = sum(weight.numel() for weight in trainer.model.parameters())
        pieces = int(data.train.lengths()[1].sum())
        size, shards = self.processes.size, trainer.gradients.shards
        together = f", {shards} shards of a batch at a time" if shards > 1 else ""
        if size > 1:
            together = f", in {size} processes ({config.parallel.kind.upper()})"
        free = sum(w.numel() for w in trainer.model.parameters() if w.requires_grad)
        part = f", {free / 1e6:.2f} M of them learnt" if free < weights else ""
        self.progress.say(
            f"recipe {config.recipe}: {weights / 1e6:.1f} M weights{part}, "
            f"{len(data.train):,} rows, {pieces:,} target pieces an epoch, "
            f"on {trainer.device}{together}"
        )
        if unwarmed := missing_warmup(trainer.learning_rate, config.training.max_steps):
            self.progress.say(unwarmed)
        if config.start and (share := unspelled(data.train, data.tokenizer)) > _FOREIGN:
            self.progress.warn(
                f"{100 * share:.0f} % of the corpus's pieces are single bytes: the vocabulary of "
                f"{config.start} does not know its script, and a model made anew will be better"
            )
        if data.dev is not None and len(data.dev) < _FEW:
            self.progress.say(
                f"the dev set has {len(data.dev)} of {_FEW} rows that it should have: which "
                "weights are best is luck; give more pairs, or --dev and --test"
            )
        if len(data.train) == 1:
            self.progress.say("the corpus is one sentence: the model can only learn it by heart")
        if config.training.precision == "bf16" and not has_bf16(trainer.device):
            self.progress.say(
                "this machine has no bf16 hardware: --training.precision float32 is faster"
            )

    def finish(
        self, config: RunConfig, data: RunData, trainer: Trainer, outcome: Outcome
    ) -> RunResult:
        """Average the last checkpoints, keep the better of that and the best, save the model."""
        if self.processes.size > 1:
            trainer.model = self._model(config, data)
            trainer.validate = validation(
                config, data.dev, data.tokenizer, trainer.model, self.device
            )
        said, dev = choose_weights(trainer)
        lora.merged(trainer.model)
        languages = languages_of(config, self.folder)
        after = LoadedModel(trainer.model.eval(), data.tokenizer, languages)
        found = self._gains(config, after) if config.start else []
        added, notes = self._shortlist(config, data)
        notes = [*map(str, found), *notes]
        text = card(config, trainer.state, outcome, said, dev, notes)
        model = self.folder / "model"
        save_model(model, trainer.model, data.tokenizer, languages, card=text, added=added)
        notes += self._calibrated(config, after, model)
        write_whole(model / "README.md", card(config, trainer.state, outcome, said, dev, notes))
        self.progress.say(f"training ended: {outcome.reason}; the weights are {said}")
        return RunResult(outcome, model, dev)

    def _calibrated(self, config: RunConfig, loaded: LoadedModel, model: Path) -> list[str]:
        """Learn how good the model's translations are, add that to it, and say it."""
        known, said = calibrated(config, self.folder, loaded, self.device)
        if known.targets:
            known.save(model)
        for line in said:
            self.progress.say(line)
        return said

    def _gains(self, config: RunConfig, after: LoadedModel) -> list[Gain]:
        """Measure and say what has been gained; the model is not lost where that fails."""
        try:
            found = gains(config, self.folder, after, self.device)
        except HeedfulError as error:
            self.progress.warn(f"what was gained is not measured: {error}")
            return []
        for gain in found:
            self.progress.say(str(gain))
        gained = json.dumps([gain._asdict() for gain in found], indent=1)
        write_whole(self.folder / "gains.json", gained + "\n")
        return found

    def _shortlist(self, config: RunConfig, data: RunData) -> tuple[dict[str, bytes], list[str]]:
        """Learn the vocabulary shortlist: the file for the model folder, and what it covers."""
        if config.start:
            self.progress.say(
                "no vocabulary shortlist is learnt from texts of one kind: heed shortlist learns "
                "one from any"
            )
            return {}, []
        if not available():
            self.progress.say("no vocabulary shortlist is learnt: numba is not installed")
            return {}, []
        rows = min(len(data.train), MOST_ROWS)
        self.progress.say(f"learning the vocabulary shortlist from {rows:,} rows")
        shortlist = learn(rows_of(data.train), data.tokenizer)
        covered = summary(shortlist, data.dev, "dev set")
        said = f"vocabulary shortlist: {covered}"
        self.progress.say(said)
        return {SHORTLIST: shortlist.to_bytes()}, [said]


def _require_numba(where: str) -> None:
    if not available():
        raise SettingError("it needs numba", where=where, fix="install numba, or give 0")
