"""A small corpus and the settings of a run that takes a second, for the tests of training."""

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import torch

from heedful.config import RunConfig, merged
from heedful.data.batches import BatchPlan
from heedful.data.store import TokenStore
from heedful.progress import Progress
from heedful.recipes import tiny
from heedful.text.tokenizer import Tokenizer
from heedful.train.checkpoint import Checkpoints
from heedful.train.gradient import Gradients
from heedful.train.log import TrainLog
from heedful.train.loop import Trainer

NOUNS = ("cat Katze", "mouse Maus", "dog Hund", "house Haus", "garden Garten", "child Kind")
VERBS = ("sees sieht", "finds findet", "likes mag", "knows kennt")


@pytest.fixture(scope="session")
def corpus(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a TSV of 96 short English and German sentences of several lengths."""
    path = tmp_path_factory.mktemp("corpus") / "pairs.tsv"
    rows = []
    for number in range(96):
        (who, wer), (whom, wen) = (
            NOUNS[number % 6].split(),
            NOUNS[(number // 24 + number) % 6].split(),
        )
        does, tut = VERBS[number // 6 % 4].split()
        more, mehr = (" and the dog", " und der Hund") if number % 3 == 0 else ("", "")
        rows.append(f"{who} {number} {does} {whom}{more}\t{wer} {number} {tut} {wen}{mehr}\n")
    path.write_text("".join(rows), encoding="utf-8")
    return path


@pytest.fixture
def config(corpus: Path) -> RunConfig:
    """Return a run of 12 steps, 6 an epoch, with dropout, validations and several checkpoints."""
    changes = {
        "data": {"train": [str(corpus)], "source_language": "en", "target_language": "de"},
        "device": "cpu",
        "tokenizer": {"vocabulary_size": 290},
        "model": {
            "d_model": 32,
            "d_ff": 32,
            "n_heads": 2,
            "encoder_layers": 1,
            "decoder_layers": 1,
            "dropout": 0.2,
            "max_length": 64,
        },
        "training": {
            "max_steps": 12,
            "batch_tokens": 320,
            "max_pieces": 64,
            "precision": "float32",
            "log_every": 2,
            "validate_every": 5,
            "bleu_sentences": 0,
            "save_every": 3,
            "average_last": 2,
        },
    }
    return merged(tiny(), changes)


@pytest.fixture(autouse=True)
def one_thread() -> Iterator[None]:
    """Compute on one core: bit-equal is promised for one number of threads."""
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(threads)


@pytest.fixture(scope="session")
def store(corpus: Path, tmp_path_factory: pytest.TempPathFactory) -> TokenStore:
    """Return the ids of the corpus."""
    rows = [tuple(line.split("\t")) for line in corpus.read_text("utf-8").splitlines()]
    config = merged(RunConfig(), {"tokenizer": {"vocabulary_size": 290}}).tokenizer
    tokenizer = Tokenizer.train(lambda: rows, config)
    folder = tmp_path_factory.mktemp("store") / "train"
    return TokenStore.build(folder, rows, tokenizer, [(0, None)], 64, Progress(quiet=True))


@pytest.fixture
def make(store: TokenStore, config: RunConfig, tmp_path: Path) -> Callable[..., Trainer]:
    """Return what builds a trainer: changed settings, and what stands for its parts."""

    def build(changes: dict[str, Any] | None = None, **parts: Any) -> Trainer:
        asked = merged(config, changes or {})
        torch.manual_seed(asked.seed)
        model = asked.model.build(290, 290)
        standard: dict[str, Any] = {
            "model": model,
            "gradients": Gradients(
                model=model,
                objective=asked.objective,
                precision=asked.training.precision,
                device=torch.device("cpu"),
                shards=asked.training.shards or 1,
                say=lambda _: None,
            ),
            "optimizer": asked.optimizer.build(model),
            "schedule": asked.schedule,
            "settings": asked.training,
            "plan": BatchPlan(store, asked.training.batch_tokens, asked.seed),
            "checkpoints": Checkpoints(tmp_path / "checkpoints"),
            "log": TrainLog(tmp_path, Progress(quiet=True)),
            "validate": None,
            "device": torch.device("cpu"),
        }
        return Trainer(**(standard | parts))

    return build
