"""A small corpus and the settings of a run that takes a second, for the tests of training."""

from collections.abc import Iterator
from pathlib import Path

import pytest
import torch

from heedful.config import RunConfig, merged
from heedful.recipes import tiny

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
    """Return a run of 12 steps with dropout, validations and four checkpoints; 8 steps an epoch."""
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
