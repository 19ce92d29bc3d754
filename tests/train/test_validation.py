"""BLEU on the dev set while a model is trained: of every direction, counted as its target asks."""

from collections.abc import Sequence
from pathlib import Path
from statistics import fmean
from types import SimpleNamespace
from typing import Any

import pytest
import torch

from heedful import evaluate, validation
from heedful.config import RunConfig, merged
from heedful.data.joined import joined
from heedful.data.store import TokenStore
from heedful.directions import learnt_ways
from heedful.progress import Progress
from heedful.recipes import tiny
from heedful.text.tokenizer import BPE, Tokenizer

GERMAN = [(f"the house has {n} doors and a roof", f"das Haus hat {n} Türen") for n in range(20)]
CHINESE = [(f"there are {n} cats in the house", f"房子里有{n}只很小的猫") for n in range(12)]
FILES = {"train": ["a.tsv", "zh=b.tsv"], "source_language": "en", "target_language": "de"}


def prepared(folder: Path, data: dict[str, Any]) -> tuple[RunConfig, Tokenizer, TokenStore]:
    """Return settings, and the dev store that a run of them has."""
    config = merged(tiny(), {"data": data, "training": {"bleu_sentences": 12}})
    parts = config.data.of_languages()
    languages = ("en", *parts) if config.data.both_directions else ()
    size = BPE(vocabulary_size=330, exact=False)
    tokenizer = Tokenizer.train(lambda: GERMAN + CHINESE, size, languages)
    stores = [
        TokenStore.build(
            folder / language,
            CHINESE if language == "zh" else GERMAN,
            tokenizer,
            learnt_ways(part, tokenizer),
            64,
            Progress(quiet=True),
        )
        for language, part in parts.items()
    ]
    return config, tokenizer, joined(stores)


def test_every_direction_is_measured(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A model that only copies: each direction has its own BLEU, Chinese by the character."""
    config, tokenizer, store = prepared(tmp_path, FILES | {"both_directions": True})
    asked = validation._asked(config, tokenizer, store)
    assert [(one.language, len(one.rows)) for one in asked] == [("de", 4), ("en", 4), ("zh", 4)]

    def halved(_: object, sources: Sequence[Sequence[int]], *__: object, **___: object) -> Any:
        rows = [row for one in asked for row in one.rows]
        assert sources == [store.source(row).tolist() for row in rows]
        ids = [store.target(row).tolist() for row in rows]
        return [[SimpleNamespace(tokens=one[: len(one) - 3])] for one in ids]

    monkeypatch.setattr(validation, "decode", halved)
    model: Any = SimpleNamespace(config=SimpleNamespace(max_length=64))
    found = validation._dev_translations(tokenizer, model, store, asked, torch.device("cpu"))
    assert [one.references[0] for one in found] == [GERMAN[0][1], GERMAN[0][0], CHINESE[0][1]]
    alone = [
        evaluate.score(one.texts, one.references, language=one.language, resamples=0).bleu.value
        for one in found
    ]
    assert len(set(alone)) == 3
    assert validation._mean_bleu(found) == pytest.approx(fmean(alone))


def test_one_direction_is_measured_evenly(tmp_path: Path) -> None:
    config, tokenizer, store = prepared(tmp_path, FILES | {"train": ["a.tsv"]})
    (asked,) = validation._asked(config, tokenizer, store)
    assert asked.language == "de"
    assert asked.rows == [at * 20 // 12 for at in range(12)]
    unmeasured = merged(config, {"training": {"bleu_sentences": 0}})
    assert validation._asked(unmeasured, tokenizer, store) == []
