"""A tiny model learns to read dates, by the same loop, recipe and search as any other model.

The task of `heedful.demo.dates` and a folder come in; a trained model and its answers go out.
"""

__all__ = ["Answer", "ask", "learn"]

import shutil
from collections.abc import Sequence
from pathlib import Path
from typing import Any, NamedTuple

from heedful.config import merged
from heedful.demo.dates import DateTask, Written
from heedful.progress import Progress
from heedful.recipes import tiny
from heedful.run import train
from heedful.search import Greedy
from heedful.translator import Translator


class Answer(NamedTuple):
    """A question and what the model made of it."""

    question: Written
    given: str

    @property
    def right(self) -> bool:
        """Whether every character is as it should be."""
        return self.given == self.question.iso


STEPS = 700
"""Updates that one core makes in about 40 seconds; a slower machine stops by the clock."""

N_TRAIN, N_TEST = 12_000, 297
"""Pairs; the tests ask each of their forms equally often."""


def learn(
    task: DateTask, folder: Path, *, seconds: float, seed: int, progress: Progress
) -> Path | None:
    """Train for at most `seconds` in the run folder `folder/run`; return the model's folder.

    What only a training that goes on would need (checkpoints, token store) is removed afterwards.
    Returns None when the training was interrupted.
    """
    corpora = {
        "train": task.train,
        "dev": task.dev,
        "test": task.unseen_dates,
        "unseen-forms": task.unseen_forms,
    }
    for name, pairs in corpora.items():
        text = "".join(f"{pair.text}\t{pair.iso}\n" for pair in pairs)
        (folder / f"{name}.tsv").write_text(text, encoding="utf-8", newline="\n")
    data = {name: [str(folder / f"{name}.tsv")] for name in ("train", "dev", "test")}
    config = merged(tiny(), _changes(seconds) | {"data": data, "seed": seed, "device": "cpu"})
    result = train(config, folder / "run", progress)
    for leftover in ("checkpoints", "store"):
        shutil.rmtree(folder / "run" / leftover, ignore_errors=True)
    return result.model


def _changes(seconds: float) -> dict[str, Any]:
    """Return what differs from the recipe: there is no noise to be robust to, and little time."""
    return {
        "model": {"dropout": 0.0},
        "schedule": {"kind": "linear", "warmup_steps": 60, "peak": 3e-3},
        "training": {
            "max_steps": STEPS,
            "max_minutes": seconds / 60,
            "batch_tokens": 1000,
            "validate_every": 100,
            "bleu_sentences": 0,
            "save_every": STEPS,
            "average_last": 1,
        },
    }


def ask(model: Path, questions: Sequence[Written]) -> list[Answer]:
    """Return the model's answers, in order."""
    texts = [question.text for question in questions]
    given = Translator.load(model, "cpu").translate(texts, search=Greedy())
    return [Answer(question, text) for question, text in zip(questions, given, strict=True)]
