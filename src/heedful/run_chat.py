"""The task of a decoder that learns to answer: conversations or preferences, a GPT, its end.

Settings and a site come in; `heedful.run` trains what goes out. Training begins with a model that
`heedful.interop.writers` can load, and keeps its chat template or brings one of heedful's own.
"""

__all__ = ["ChatTask", "start_settings"]

import json
from collections.abc import Callable
from functools import cached_property
from pathlib import Path
from typing import Any

import torch
from pydantic import ValidationError

from heedful.card import chat_card
from heedful.chat_data import ChatRows, chat_rows, script_of, with_template
from heedful.config import ChatRunConfig
from heedful.data.answers import AnswerPlan, AnswerStore, PreferencePlan
from heedful.data.known import changed, refuse_change
from heedful.data.report import write_whole
from heedful.decoder_folder import save_decoder
from heedful.errors import ModelError, SettingError
from heedful.interop.writers import load_writer, writing_of
from heedful.model_header import Writing
from heedful.models.gpt import GPT
from heedful.models.trainable import Trainable
from heedful.objectives import ChatObjective, Preference
from heedful.run_task import RunResult, Site, ended, mean_loss
from heedful.shapes import Tensor
from heedful.text.vocabulary import Vocabulary
from heedful.train import lora
from heedful.train.finish import choose_weights
from heedful.train.gradient import automatic_shards
from heedful.train.loop import Outcome, Trainer, Validation
from heedful.train.precision import autocast
from heedful.train.reference import kept_reference, reference_of
from heedful.train.settings import ChatTraining, Gone
from heedful.writer import Writer

_AT_ONCE = 64
"""Rows that are measured at a time."""


def start_settings(start: str, changes: dict[str, Any]) -> dict[str, Any]:
    """Return the changes with the shape of the model that a training begins with.

    It has no dropout, and conversations are no longer than it can read, unless that was asked for.
    Raises SettingError for a setting of the shape, which cannot be another then.
    """
    asked = changes.get("model", {})
    other = [name for name in asked if name != "dropout"] if isinstance(asked, dict) else []
    if other:
        where = f"--model.{other[0].replace('_', '-')}"
        problem = "a model to begin with brings its own shape"
        raise SettingError(problem, where=where, fix="leave it out")
    model = load_writer(Path(start)).model
    shape = model.config.model_dump(mode="json") | {"dropout": 0.0}
    training = changes.get("training", {})
    if isinstance(training, dict):
        most = min(model.config.max_length, ChatTraining().max_pieces)
        training = {"max_pieces": most} | training
    size = {"vocabulary_size": model.vocabulary_size, "training": training}
    return changes | size | {"start": start, "model": shape | (asked or {})}


class ChatTask:
    """Learns to answer; satisfies `heedful.run_task.Task`."""

    rows: ChatRows
    vocabulary: Vocabulary
    writing: Writing
    reference: dict[str, Tensor]

    def __init__(self, config: ChatRunConfig, site: Site) -> None:
        self.config = config
        self.site = site
        self.reference = {}

    @property
    def objective(self) -> ChatObjective:
        """What is minimised."""
        return self.config.objective

    def prepare(self, *, accept_changes: bool) -> None:
        """Take vocabulary and template of the model, read the rows, ask what it thinks of them."""
        config, folder, progress = self.config, self.site.folder, self.site.progress
        if not config.data.train:
            fix = "give --data FILE"
            raise SettingError("there is nothing to learn from", where="--data", fix=fix)
        if not (folder / "writing.json").exists():
            first = self._first
            writing = with_template(first.vocabulary, writing_of(first))
            if first.template is None:
                progress.say(f"{config.start} has no chat template: it learns one of heedful's own")
            first.vocabulary.save(folder / "tokenizer.json")
            write_whole(folder / "writing.json", writing.model_dump_json(indent=1) + "\n")
        self._read()
        now = {"fingerprint": self._fingerprint(), "tokenizer": self.vocabulary.fingerprint()}
        known = folder / "corpus.json"
        refuse_change(changed(known, now), folder, progress, accepted=accept_changes)
        write_whole(known, json.dumps(now) + "\n")
        for line in self.rows.said:
            progress.say(line)
        self._know_reference()

    def find(self) -> None:
        """Read what another process has looked at."""
        self._read()
        self._know_reference()

    @cached_property
    def _first(self) -> Writer:
        """The model that the training begins with, until it has begun."""
        return load_writer(Path(self.config.start))

    def _read(self) -> None:
        folder = self.site.folder
        path = folder / "writing.json"
        try:
            self.writing = Writing.model_validate_json(path.read_text("utf-8"))
        except (OSError, ValidationError) as error:
            fix = "start a new run with another --out"
            raise ModelError("the file is missing or damaged", where=str(path), fix=fix) from error
        self.vocabulary = Vocabulary.load(folder / "tokenizer.json", self.config.vocabulary_size)
        script = script_of(self.vocabulary, self.writing, f"{path}, template")
        self.rows = chat_rows(self.config, script, folder)

    def _fingerprint(self) -> str:
        dev = self.rows.dev
        return " ".join([self.rows.train.fingerprint(), dev.fingerprint() if dev else ""])

    def _know_reference(self) -> None:
        """Compute what the first model thinks of the pairs, or read what it thought."""
        if not isinstance(self.config.objective, Preference):
            return
        path = self.site.folder / "reference.safetensors"
        self.reference = kept_reference(path, self._fingerprint(), self._thought)

    def _thought(self) -> dict[str, Tensor]:
        stores = {"train": self.rows.train, "dev": self.rows.dev}
        pairs = sum(len(store) // 2 for store in stores.values() if store)
        self.site.progress.say(f"asking {self.config.start} about {pairs:,} pairs of answers")
        device, precision = self.site.device, self.config.training.precision
        first = self._first.model.to(device)
        return {
            name: reference_of(first, store, precision, device)
            for name, store in stores.items()
            if store
        }

    def size(self, gone: Gone) -> None:
        """Resolve the steps of all epochs, the rise of the rate and the shards."""
        config, training = self.config, self.config.training
        steps = training.steps(self._count(self.rows.train), gone)
        changes: dict[str, Any] = {"max_steps": steps}
        schedule = config.schedule
        if (rise := training.rise(steps)) is not None:
            schedule = schedule.model_copy(update={"warmup_steps": rise})
        if self.site.processes.size == 1 and training.shards is None:
            each = self.rows.train.lengths.sum() / self._count(self.rows.train)
            shards = automatic_shards(int(each * training.batch_rows), self.site.device)
            changes["shards"] = max(1, min(shards, training.batch_rows))
        sized = {"training": training.model_copy(update=changes), "schedule": schedule}
        self.config = config.model_copy(update=sized)

    def _count(self, store: AnswerStore) -> int:
        """Return the conversations of a store, or its pairs."""
        return len(store) // 2 if isinstance(self.config.objective, Preference) else len(store)

    def model(self) -> GPT:
        """Return the model on its device, with LoRA's additions if there are any."""
        model = self.config.model.build(self.config.vocabulary_size)
        if self.config.training.lora_rank:
            lora.add(model, self.config.training.lora_rank)
        return model.to(self.site.device)

    def begin(self, model: Trainable) -> None:
        """Give it the weights of the model that the training begins with."""
        lora.begin_with(model, self._first.model)
        del self._first  # one model is in memory while it trains

    def plan(self) -> AnswerPlan | PreferencePlan:
        """Return where batches come from."""
        config = self.config
        return self._plan("train", self.rows.train, config.training.batch_rows, config.seed)

    def _plan(
        self, name: str, store: AnswerStore, rows: int, seed: int
    ) -> AnswerPlan | PreferencePlan:
        if isinstance(self.config.objective, Preference):
            return PreferencePlan(store, self.reference[name], rows, seed)
        return AnswerPlan(store, rows, seed)

    def validation(self, model: Trainable) -> Callable[[], Validation] | None:
        """Return what measures a model on the dev rows; None without any."""
        if self.rows.dev is None:
            return None
        assert isinstance(model, GPT)
        plan, objective = self._plan("dev", self.rows.dev, _AT_ONCE, 0), self.config.objective
        batches: list[Any] = [plan.batch(rows) for rows in plan.epoch(0)]
        precision, device = self.config.training.precision, self.site.device

        def measured() -> Validation:
            model.eval()
            with torch.inference_mode(), autocast(precision, device):
                if isinstance(objective, Preference):
                    some = [objective.margins(model, batch.to(device)) for batch in batches]
                    return _preferred(torch.cat(some).float())
                losses = [objective.loss(model, batch.to(device)) for batch in batches]
            return mean_loss(losses)

        return measured

    def learns_from(self) -> str:
        """Say how many rows an epoch has."""
        training, rows = self.config.training, self.rows
        what = "pairs of answers" if self.reference else "conversations"
        dev = f"{self._count(rows.dev):,} held out" if rows.dev else "none held out"
        asked = f"{int(rows.train.asked.sum()):,} pieces of answers, "
        return (
            f"{self._count(rows.train):,} {what} to learn from, {asked}{dev}, "
            f"{training.max_steps:,} steps of {training.batch_rows}"
        )

    def warn(self) -> None:
        """All that looks wrong has been said when the rows were read."""

    def finish(self, trainer: Trainer, outcome: Outcome) -> RunResult:
        """Choose the weights, merge additions into them, and save the model."""
        said, dev = choose_weights(trainer)
        assert isinstance(trainer.model, GPT)
        lora.merged(trainer.model)
        folder = self.site.folder / "model"
        count = self._count(self.rows.dev) if self.rows.dev else 0
        card = chat_card(self.config, trainer.state, outcome, said, dev, count)
        save_decoder(folder, trainer.model, self.vocabulary, card=card, writing=self.writing)
        ended(self.site, outcome, said, dev)
        return RunResult(outcome, folder, dev)


def _preferred(margins: Tensor) -> Validation:
    """Return loss, mean margin, and the share of pairs whose better answer is rewarded more."""
    loss = float(-torch.nn.functional.logsigmoid(margins).mean())
    accuracy = float((margins > 0).float().mean())
    scores = (("margin", float(margins.mean())), ("accuracy", accuracy))
    return Validation.of(loss, scores=scores)
