"""One training of a claim: the house's data, loop and validation; what is measured comes out.

The corpus of a claim is prepared once for all its cases; each case then trains into a folder of
its own, which is removed when the case is measured. No model is saved, and nothing is learnt
beside the weights.
"""

__all__ = ["Learnt", "Point", "TextCorpus", "TranslationCorpus", "learnt", "translated", "written"]

import json
import shutil
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

import torch

from heedful.config import KnownRunConfig, RunConfig, TextRunConfig, merged
from heedful.model_folder import LoadedModel
from heedful.model_header import Languages
from heedful.models.architecture import Model
from heedful.models.trainable import Trainable
from heedful.progress import Progress
from heedful.run import train
from heedful.run_data import RunData, prepare
from heedful.run_task import RunResult, Site
from heedful.run_text import TextTask
from heedful.run_translation import TranslationTask
from heedful.search import SearchConfig
from heedful.text_data import RunText, prepare_text
from heedful.train.finish import choose_weights
from heedful.train.loop import Outcome, Trainer, Validation
from heedful.translator import Translator

QUIET = Progress(quiet=True)

Made = Callable[[int, int], Model]
"""Builds a translator for source and target vocabularies of two sizes."""


class Point(NamedTuple):
    """A validation, and how far the training had come; the seconds are those of training alone."""

    step: int
    seconds: float
    tokens: float
    loss: float
    bleu: float | None


@dataclass(frozen=True)
class Learnt:
    """A trained model and what was measured on the way."""

    model: Any
    weights: int
    curve: list[Point]
    train_loss: float
    """Mean over the last steps, nats a piece, without label smoothing."""
    dev: Validation
    """Of the weights that were chosen."""
    chosen: str
    tokenizer: Any = None

    def record(self) -> dict[str, Any]:
        """Return the numbers, as a case's result has them."""
        return {
            "parameters": self.weights,
            "train_loss": self.train_loss,
            "dev_loss": self.dev.loss,
            "dev_perplexity": self.dev.perplexity,
            "weights": self.chosen,
            "steps": self.curve[-1].step if self.curve else 0,
            "seconds": self.curve[-1].seconds if self.curve else 0.0,
            "curve": [list(point) for point in self.curve],
        }


@dataclass(frozen=True)
class TranslationCorpus:
    """Pairs of sentences as ids, prepared once in a folder."""

    data: RunData

    @property
    def vocabulary(self) -> int:
        """Return how many pieces both sides share."""
        return self.data.tokenizer.target_size

    @classmethod
    def of(cls, config: RunConfig, folder: Path) -> "TranslationCorpus":
        """Prepare the corpus of these settings, or find it prepared."""
        folder.mkdir(parents=True, exist_ok=True)
        return cls(prepare(config, folder, QUIET, accept_changes=True))

    def task(self, config: RunConfig, site: Site, made: Made | None) -> "_Translating":
        """Return the task of learning it."""
        return _Translating(config, site, self.data, made)


@dataclass(frozen=True)
class TextCorpus:
    """A text as ids, prepared once in a folder."""

    data: RunText

    @classmethod
    def of(cls, config: TextRunConfig, folder: Path) -> "TextCorpus":
        """Prepare the text of these settings, or find it prepared."""
        folder.mkdir(parents=True, exist_ok=True)
        return cls(prepare_text(config, folder, QUIET, accept_changes=True))

    def task(self, config: TextRunConfig, site: Site, made: Made | None) -> "_Writing":
        """Return the task of learning it; a decoder is always the settings' own."""
        assert made is None
        return _Writing(config, site, self.data)


class _Kept(NamedTuple):
    """What a task keeps when its training has ended."""

    model: Trainable
    chosen: str
    dev: Validation


class _Translating(TranslationTask):
    """Learns to translate a corpus that is prepared; keeps the model in memory."""

    kept: _Kept

    def __init__(self, config: RunConfig, site: Site, data: RunData, made: Made | None) -> None:
        super().__init__(config, site)
        self.data = data
        self.made = made or config.model.build

    def prepare(self, *, accept_changes: bool) -> None:
        """The corpus is prepared."""

    def model(self) -> Model:
        """Return the model on its device."""
        tokenizer = self.data.tokenizer
        return self.made(tokenizer.source_size, tokenizer.target_size).to(self.site.device)

    def finish(self, trainer: Trainer, outcome: Outcome) -> RunResult:
        """Choose the final weights, as for any model; save nothing."""
        self.kept = _chosen(trainer)
        return RunResult(outcome, None, self.kept.dev)


class _Writing(TextTask):
    """Learns a text that is prepared; keeps the model in memory."""

    kept: _Kept

    def __init__(self, config: TextRunConfig, site: Site, data: RunText) -> None:
        super().__init__(config, site)
        self.data = data

    def prepare(self, *, accept_changes: bool) -> None:
        """The text is prepared."""

    def finish(self, trainer: Trainer, outcome: Outcome) -> RunResult:
        """Choose the final weights, as for any model; save nothing."""
        self.kept = _chosen(trainer)
        return RunResult(outcome, None, self.kept.dev)


def _chosen(trainer: Trainer) -> _Kept:
    said, dev = choose_weights(trainer)
    assert dev is not None  # a claim always has a dev set
    return _Kept(trainer.model, said, dev)


def learnt(
    config: KnownRunConfig,
    corpus: TranslationCorpus | TextCorpus,
    folder: Path,
    made: Made | None = None,
    *,
    going_on: bool = False,
) -> Learnt:
    """Train as the settings say, in a folder that is removed, and return what was measured.

    `made` builds a translator for vocabularies of two sizes, if it is not the settings' own. With
    `going_on` an interrupted training leaves its folder, and the next one goes on there; without, a
    training that diverges is not gone on with at half its rate, as it would be no measure of that
    rate. Raises DivergedError then, KeyboardInterrupt when it is interrupted.
    """
    if not going_on:
        config = merged(config, {"training": {"returns": 0}})
    tasks: list[Any] = []

    def task_of(given: Any, site: Site) -> Any:
        tasks.append(corpus.task(given, site, made))
        return tasks[0]

    with _own(folder, going_on):
        begun = (folder / "config.json").is_file()
        result = train(config, folder, QUIET, resume=begun, task_of=task_of)
        if not result.outcome.finished:
            raise KeyboardInterrupt
        curve, train_loss = _read(folder / "log.jsonl")
    (task,) = tasks
    model = task.kept.model.eval()
    return Learnt(
        model,
        sum(weight.numel() for weight in model.parameters()),
        curve,
        train_loss,
        task.kept.dev,
        task.kept.chosen,
        getattr(task.data, "tokenizer", None),
    )


@contextmanager
def _own(folder: Path, going_on: bool) -> Iterator[None]:
    """Hold a folder for the block, a fresh one unless an interrupted training goes on in it."""
    if not going_on:
        shutil.rmtree(folder, ignore_errors=True)
    try:
        yield
    except BaseException:
        if going_on:
            raise
        shutil.rmtree(folder, ignore_errors=True)
        raise
    shutil.rmtree(folder, ignore_errors=True)


def _read(log: Path) -> tuple[list[Point], float]:
    """Return the validations of a run's log, and the last training loss."""
    curve, at = [], {}
    for line in log.read_text("utf-8").splitlines():
        record = json.loads(line)
        if record["kind"] == "train":
            at[record["step"]] = record
        else:
            then = at[record["step"]]
            tokens = then["tokens_per_second"] * then["seconds"]
            curve.append(
                Point(
                    record["step"],
                    then["seconds"],
                    round(tokens),
                    record["loss"],
                    record.get("bleu"),
                )
            )
    return curve, float(at[max(at)]["loss"])


def translated(
    found: Learnt, sources: Sequence[str], search: SearchConfig, languages: Languages
) -> list[str]:
    """Return the model's translations, computed in float32."""
    device = next(found.model.parameters()).device
    loaded = LoadedModel(found.model, found.tokenizer, languages)
    with torch.compiler.set_stance("force_eager"):  # a search has too many shapes to compile
        return Translator(loaded, device, "float32").translate(list(sources), search=search)


def written(folder: Path, name: str, pairs: Sequence[tuple[str, str]]) -> str:
    """Write pairs as a TSV file into a folder, and return its path."""
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / f"{name}.tsv"
    text = "".join(f"{source}\t{target}\n" for source, target in pairs)
    path.write_text(text, encoding="utf-8", newline="\n")
    return str(path)
