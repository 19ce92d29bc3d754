"""The task of an encoder: examples with labels, or a text to be masked; a BERT; its end.

Settings and a site come in; `heedful.run` trains what goes out.
"""

__all__ = ["ReadingTask", "start_settings"]

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import torch

from heedful import __version__
from heedful.config import ReadingRunConfig
from heedful.data.examples import read_examples
from heedful.data.formats.reading import ReadCounts
from heedful.data.known import changed, refuse_change
from heedful.data.report import write_whole
from heedful.data.rows import Masking, RowPlan, RowStore
from heedful.errors import ModelError, SettingError
from heedful.interop.encoders import open_reader
from heedful.label_scores import label_scores, number_scores
from heedful.models.bert import BERT
from heedful.models.bert_heads import Labels, MaskedWords, Value
from heedful.models.trainable import Trainable
from heedful.objectives import EncoderObjective, MaskedLM
from heedful.reader import Reader, Sentences
from heedful.reader_folder import save_reader
from heedful.reading_data import labelled_rows, text_lines, text_rows
from heedful.run_task import RunResult, Site, ended
from heedful.text.wordpiece import WordPieces
from heedful.train.finish import choose_weights
from heedful.train.gradient import automatic_shards
from heedful.train.loop import Outcome, Trainer, Validation
from heedful.train.precision import autocast
from heedful.train.settings import Gone, RowTraining

_AT_ONCE = 64
"""Rows that are measured at a time."""


def start_settings(start: str, changes: dict[str, Any]) -> dict[str, Any]:
    """Return the changes with the shape of the model that a training begins with.

    Rows are then no longer than it can read, unless they were asked for.

    Raises SettingError for a setting of the shape, which cannot be another then.
    """
    asked = changes.get("model", {})
    other = [name for name in asked if name != "dropout"] if isinstance(asked, dict) else []
    if other:
        where = f"--model.{other[0].replace('_', '-')}"
        fix = "leave it out, or leave out --start"
        raise SettingError("a model to begin with brings its own shape", where=where, fix=fix)
    if "tokenizer" in changes:
        fix = "leave it out, or leave out --start"
        problem = "a model to begin with brings its own vocabulary"
        raise SettingError(problem, where="--tokenizer", fix=fix)
    model = open_reader(Path(start)).model
    shape = model.config.model_dump(mode="json")
    shape |= {"head": {"kind": "none"}, "pooler": True}
    most = min(model.config.max_length, RowTraining().max_pieces)
    training = changes.get("training", {})
    if isinstance(training, dict):
        training = {"max_pieces": most} | training
    size = {"vocabulary_size": model.vocabulary_size, "training": training}
    return changes | size | {"start": start, "model": shape | (asked or {})}


class ReadingTask:
    """Learns to say what is masked, or what texts are; satisfies `heedful.run_task.Task`."""

    vocabulary: WordPieces
    train: RowStore
    dev: RowStore | None
    labels: tuple[str, ...] = ()

    def __init__(self, config: ReadingRunConfig, site: Site) -> None:
        self.config = config
        self.site = site
        self._said: list[str] = []

    @property
    def objective(self) -> EncoderObjective:
        """What is minimised."""
        return self.config.objective

    def prepare(self, *, accept_changes: bool) -> None:
        """Read the examples or the text, and turn them into rows."""
        data, folder = self.config.data, self.site.folder
        if not data.train:
            raise SettingError(
                "there is nothing to learn from", where="--data", fix="give --data FILE"
            )
        path = folder / "tokenizer.json"
        if not path.exists():
            self._vocabulary().save(path)
        self._read()
        now = {
            "fingerprint": " ".join(
                [self.train.fingerprint(), self.dev.fingerprint() if self.dev else "", *self.labels]
            ),
            "tokenizer": self.vocabulary.fingerprint(),
        }
        known = folder / "corpus.json"
        progress = self.site.progress
        refuse_change(changed(known, now), folder, progress, accepted=accept_changes)
        write_whole(known, json.dumps(now) + "\n")
        for line in self._said:
            progress.say(line)

    def _vocabulary(self) -> WordPieces:
        """Return the vocabulary of the model to begin with, or a new one."""
        config = self.config
        if config.start:
            return open_reader(Path(config.start)).vocabulary
        self.site.progress.say(f"learning {config.tokenizer.vocabulary_size:,} pieces")
        if isinstance(config.objective, MaskedLM):
            return config.tokenizer.build(text_lines(config.data.train))
        return config.tokenizer.build(
            text
            for path in config.data.train
            for one in read_examples(
                Path(path),
                config.data.columns,
                skip_bad=config.data.skip_bad,
                counts=ReadCounts(),
            )
            for text in (one.text, one.text_b or "")
        )

    def find(self) -> None:
        """Read what another process has looked at."""
        self._read()

    def _read(self) -> None:
        config, folder = self.config, self.site.folder
        self.vocabulary = WordPieces.load(folder, 100_000_000)
        most = config.training.max_pieces
        if isinstance(config.objective, MaskedLM):
            if self.vocabulary.mask_id is None:
                raise ModelError(
                    "its vocabulary has no [MASK], by which masked words are learnt",
                    where=f"--start {config.start}",
                    fix="take a model whose vocabulary has one, or leave out --start",
                )
            self.train, self.dev = text_rows(
                config.data, self.vocabulary, most, config.seed, folder, self.site.progress
            )
            return
        found = labelled_rows(config.data, self.vocabulary, most, config.seed, folder)
        if found.pairs and config.model.n_segments < 2:
            raise SettingError(
                "the rows are of two texts, and the model reads one text at a time",
                where=" ".join(config.data.train),
                fix="name one text and the label with --columns, or take a model that reads two",
            )
        self.train, self.dev, self.labels = found.train, found.dev, found.labels
        self._said = found.said

    def size(self, gone: Gone) -> None:
        """Resolve the head, the steps of all epochs, the rise of the rate and the shards."""
        config, training = self.config, self.config.training
        head = MaskedWords() if isinstance(config.objective, MaskedLM) else self._head()
        changes: dict[str, Any] = {"max_steps": training.steps(len(self.train), gone)}
        schedule = config.schedule
        if (rise := training.rise(changes["max_steps"])) is not None:
            schedule = schedule.model_copy(update={"warmup_steps": rise})
        if self.site.processes.size == 1 and training.shards is None:
            pieces = int(self.train.lengths.mean() * training.batch_rows)
            shards = automatic_shards(pieces, self.site.device)
            changes["shards"] = max(1, min(shards, training.batch_rows))
        self.config = config.model_copy(
            update={
                "training": training.model_copy(update=changes),
                # a pooler that nothing goes through would learn nothing
                "model": config.model.model_copy(update={"head": head, "pooler": head.pooled}),
                "schedule": schedule,
            }
        )

    def _head(self) -> Labels | Value:
        return Labels(labels=self.labels) if self.labels else Value()

    def model(self) -> BERT:
        """Return the model on its device, freshly initialised."""
        size = self.config.vocabulary_size or self.vocabulary.size
        return self.config.model.build(size).to(self.site.device)

    def begin(self, model: Trainable) -> None:
        """Give a new run's model the weights of the one that it begins with; a head may be new."""
        if not self.config.start:
            return
        assert isinstance(model, BERT)
        first = open_reader(Path(self.config.start)).model
        alike = first.config.head == model.config.head
        known = dict(first.named_parameters())
        new = []
        with torch.no_grad():
            for name, weight in model.named_parameters():
                if name in known and (alike or not name.startswith("head.")):
                    weight.copy_(known[name])
                else:
                    new.append(name.partition(".")[0])
        if new:
            fresh = " and ".join(sorted(set(new)))
            self.site.progress.say(f"new, not of {self.config.start}: {fresh}")

    def plan(self) -> RowPlan:
        """Return where batches come from."""
        config = self.config
        return self._plan(self.train, config.training.batch_rows, config.seed)

    def _plan(self, store: RowStore, rows: int, seed: int) -> RowPlan:
        masking, objective = None, self.config.objective
        if isinstance(objective, MaskedLM):
            masking = Masking(self.vocabulary, objective.share, objective.whole_words)
        return RowPlan(store, rows, seed, self.vocabulary.pad_id, masking)

    def validation(self, model: Trainable) -> Callable[[], Validation] | None:
        """Return what measures a model on the dev rows; None without any."""
        if self.dev is None:
            return None
        assert isinstance(model, BERT)
        plan = self._plan(self.dev, _AT_ONCE, 0)
        batches = [plan.batch(rows) for rows in plan.epoch(0)]
        precision, device = self.config.training.precision, self.site.device

        def measured() -> Validation:
            model.eval()
            answers, targets = [], []
            nll = tokens = 0.0
            with torch.inference_mode(), autocast(precision, device):
                for batch in batches:
                    there = batch.to(device)
                    if self.config.model.head.kind != "masked_words":
                        memory = model.encode(there.ids, there.mask, there.segments)
                        answers.append(model.answer(memory).float().cpu().numpy())
                        targets.append(batch.targets.numpy())
                        head = model.config.head
                        assert isinstance(head, Labels | Value)
                        answer = torch.from_numpy(answers[-1])
                        nll += float(head.loss(answer, batch.targets))
                    else:
                        nll += float(self.config.objective.loss(model, there).nll)
                    tokens += batch.n_target
            scores = self._scores(answers, targets)
            mean = nll / tokens
            return Validation.of(mean, scores=scores)

        return measured

    def _scores(self, answers: list[Any], targets: list[Any]) -> tuple[tuple[str, float], ...]:
        if not answers:
            return ()
        said, right = np.concatenate(answers), np.concatenate(targets)
        if self.labels:
            return label_scores(said.argmax(1), right, len(self.labels))
        return number_scores(said[:, 0], right)

    def learns_from(self) -> str:
        """Say how many rows an epoch has."""
        training = self.config.training
        dev = f"{len(self.dev):,} held out" if self.dev else "none held out"
        plan = self.plan()
        padding = 100 * (1 - plan.fill(plan.epoch(0)))
        return (
            f"{len(self.train):,} rows to learn from, {dev}, {training.max_steps:,} steps of "
            f"{training.batch_rows} rows, {padding:.0f} % padding"
        )

    def warn(self) -> None:
        """All that looks wrong has been said when the rows were read."""

    def finish(self, trainer: Trainer, outcome: Outcome) -> RunResult:
        """Choose the weights and save the model."""
        said, dev = choose_weights(trainer)
        assert isinstance(trainer.model, BERT)
        folder = self.site.folder / "model"
        how = Sentences(max_length=trainer.model.config.max_length)
        reader = Reader(trainer.model.eval(), self.vocabulary, how)
        save_reader(folder, reader, self._card(trainer, outcome, said, dev))
        ended(self.site, outcome, said, dev)
        return RunResult(outcome, folder, dev)

    def _card(
        self, trainer: Trainer, outcome: Outcome, weights: str, dev: Validation | None
    ) -> str:
        """Return the model card; every figure in it was measured by this run."""
        config, state = self.config, trainer.state
        model, data = config.model, config.data
        begun = f", beginning with the model `{config.start}`," if config.start else ""
        masked = isinstance(config.objective, MaskedLM)
        use = 'heed fill --model THIS_FOLDER "The cat [MASK] on the mat."'
        if not masked:
            use = 'heed classify --model THIS_FOLDER "a text"'
        measured = (
            [] if dev is None else [f"- dev set ({len(self.dev or ()):,} rows): {dev.said()}"]
        )
        labels = [f"- labels: {', '.join(self.labels)}"] if self.labels else []
        return "\n".join(
            [
                "# An encoder that " + ("fills in words" if masked else "says what texts are"),
                "",
                f"Trained by heedful {__version__} with the recipe `{config.recipe}`{begun} on:",
                "",
                *(f"- `{name}`" for name in data.train),
                "",
                f"- {model.n_layers} layers of width {model.d_model}, {model.n_heads} heads, "
                f"feed-forward {model.d_ff}",
                *labels,
                f"- {state.step:,} steps, {state.seconds / 60:.1f} minutes; ended because "
                f"{outcome.reason}",
                f"- weights: {weights}",
                *measured,
                "",
                f"Use it: `{use}`",
                "",
            ]
        )
