"""What a training tells of its own model: how good it is, and what it cannot know."""

import json
from dataclasses import replace
from pathlib import Path

import pytest
import torch

from heedful.calibration import calibrated
from heedful.cli import main
from heedful.confidence import Confidence
from heedful.config import read_config
from heedful.evaluate import sentence_chrf
from heedful.model_folder import load_model
from heedful.translation import Translation, blank
from heedful.translator import Translator, load


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a run of both directions with 110 dev sentences."""
    folder = tmp_path_factory.mktemp("calibrated")
    rows = [f"the {n} cat sees {n * 7 % 130} dogs\tdie {n} Katze sieht Hunde\n" for n in range(150)]
    rows[60] = "one\\u2028line\teine\\u2028Zeile\n"
    (folder / "train.tsv").write_text("".join(rows[:40]), "utf-8")
    (folder / "dev.tsv").write_text("".join(rows[40:]), "utf-8")
    words = ["train", "--recipe", "tiny", "--data", str(folder / "train.tsv")]
    words += ["--dev", str(folder / "dev.tsv"), "--out", str(folder / "run"), "--quiet"]
    words += ["--from", "en", "--to", "de", "--both-directions", "--training.max-steps", "80"]
    words += ["--tokenizer.vocabulary-size", "300", "--model.d-model", "16", "--device", "cpu"]
    words += ["--model.n-heads", "1", "--search.kind", "greedy", "--model.max-length", "256"]
    assert main(words) == 0
    return folder / "run"


def test_each_direction_learns_from_its_translations(run: Path) -> None:
    known = Confidence.load(run / "model")
    assert set(known.targets) == {"en", "de"}
    rows = [json.loads(line) for line in (run / "dev.jsonl").read_bytes().splitlines()]
    config, translator = read_config(run / "config.json"), load(run, "cpu", "float32")
    translator.settle()
    for tag, source, target in (("de", "source", "target"), ("en", "target", "source")):
        found = translator.translate_detailed(
            [row[source] for row in rows], tag, search=config.search
        )
        chrf = sentence_chrf([one.text for one in found], [row[target] for row in rows])
        curve = known.targets[tag]
        assert curve.sentences == len(rows) == 110
        assert sum(curve.chrf) / 20 == pytest.approx(chrf.mean(), abs=2)
        assert min(translator.mean_log_probs(found)) <= curve.log_probs[0]
    card = (run / "model" / "README.md").read_text("utf-8")
    assert "- confidence to de: correlation" in card
    assert "- confidence to en: correlation" in card


def test_few_sentences_teach_nothing(run: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("heedful.calibration.FEWEST", 111)
    monkeypatch.setattr(Translator, "translate_detailed", None)
    config, loaded = read_config(run / "config.json"), load_model(run / "model")
    known, said = calibrated(config, run, loaded, torch.device("cpu"))
    assert known.targets == {}
    few = "not learnt, 110 sentences in the dev set, 111 are needed"
    assert said == [f"confidence to de: {few}", f"confidence to en: {few}"]


def test_a_model_that_ends_nothing_is_not_asked_for_everything(
    run: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """After two steps of training, 500 endless translations would take longer than the training."""
    asked: list[int] = []

    def endless(_: Translator, sources: list[str], *__: object, **___: object) -> list[Translation]:
        asked.append(len(sources))
        flags = ["unfinished"] * 11 + [""] * 9
        return [replace(blank(""), flags=(flag,)) for flag in flags]

    monkeypatch.setattr(Translator, "translate_detailed", endless)
    config, loaded = read_config(run / "config.json"), load_model(run / "model")
    known, said = calibrated(config, run, loaded, torch.device("cpu"))
    assert (known.targets, asked) == ({}, [20, 20])
    why = "not learnt, most of the first 20 translations come to no end"
    assert said == [f"confidence to de: {why}", f"confidence to en: {why}"]
