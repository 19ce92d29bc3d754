"""The ONNX graphs in onnxruntime give our numbers, step by step, for every variant."""

import random
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from heedful.decode.engine import decode
from heedful.decode.steppers import ModelStepper
from heedful.errors import ModelError
from heedful.interop import onnx as exporter
from heedful.interop.onnx import Engine, export
from heedful.model_folder import LoadedModel
from heedful.nn.attention import GroupedQuery
from heedful.nn.embedding import Untied
from heedful.nn.feedforward import SwiGLU
from heedful.nn.norm import PreNorm, RMSNorm
from heedful.nn.position import Rotary
from heedful.search import Greedy, Limits
from heedful.settings import Settings
from heedful.text.pieces import END, PAD, START
from heedful.text.tokenizer import Tokenizer
from heedful.translator import load
from tests.interop.models import EVERY_VARIANT, SOURCES, random_model, searched, tokenizer_of
from tests.interop.test_ctranslate2 import run_readme, variant

for package in ("onnx", "onnxruntime", "onnxscript"):
    pytest.importorskip(package, reason="needs the extra interop")


@pytest.fixture(scope="module")
def tokenizer() -> Tokenizer:
    return tokenizer_of()


@torch.no_grad()
def agree(folder: Path, loaded: LoadedModel) -> None:
    """Compare the logits of a padded batch at every step, rows reordered on the way."""
    export(folder, loaded)
    engine = Engine(folder)
    length = max(map(len, SOURCES))
    padded = torch.tensor([[*row, *[PAD] * (length - len(row))] for row in SOURCES])
    mask = torch.tensor([[at < len(row) for at in range(length)] for row in SOURCES])
    stepper = ModelStepper(loaded.model, loaded.model.encode(padded, mask), 1, 40)
    state = engine.start(SOURCES)
    tokens = [START] * len(SOURCES)
    drawn = random.Random(3)
    for at in range(12):
        ours = stepper.step(np.array(tokens))
        theirs = torch.from_numpy(engine.step(tokens, state))
        torch.testing.assert_close(theirs, ours, rtol=0, atol=1e-4)
        tokens = ours.argmax(dim=-1).tolist() if at % 2 else drawn.choices(range(4, 280), k=5)
        if at == 5:
            order = [4, 0, 3, 1, 2]
            stepper.select(np.array(order), np.array(order))
            state = {name: np.ascontiguousarray(value[order]) for name, value in state.items()}
    for source, expected in zip(SOURCES, searched(loaded, Greedy()), strict=True):
        assert engine.greedy(source, 20) == [*expected.tokens, *[END] * expected.finished]


def test_variants_together(tokenizer: Tokenizer, tmp_path: Path) -> None:
    settings: dict[str, Any] = {
        "position": Rotary(),
        "attention": GroupedQuery(),
        "norm": RMSNorm(),
        "feed_forward": SwiGLU(),
        "residual": PreNorm(),
        "embedding": Untied(),
        "encoder_layers": 1,
        "decoder_layers": 1,
    }
    loaded = random_model(tokenizer, **settings)
    agree(tmp_path / "out", loaded)
    limits = Limits(START, END, (0, 1, 3), 40)
    sources = tokenizer.encode_source(["the cat"])
    (found,) = decode(loaded.model, sources, Greedy(), limits=limits)
    said = run_readme(tmp_path / "out", "the cat")
    assert said == tokenizer.decode_target([found[0].tokens])[0].rstrip("\n")


@pytest.mark.slow
@pytest.mark.parametrize("settings", EVERY_VARIANT)
def test_every_variant(settings: Settings, tokenizer: Tokenizer, tmp_path: Path) -> None:
    loaded = random_model(tokenizer, **variant(settings))
    if not loaded.model.config.plain_ends:
        with pytest.raises(ModelError, match="knows no model"):
            export(tmp_path / "out", loaded)
        return
    agree(tmp_path / "out", loaded)


@pytest.mark.slow
def test_the_bundled_model_and_its_readme(tmp_path: Path) -> None:
    translator = load("everyday", "cpu")
    loaded = LoadedModel(translator.model, translator.tokenizer, translator.languages)
    agree(tmp_path / "out", loaded)
    text = "Where is the station?"
    expected = translator.translate([text], "de", search=Greedy())
    assert run_readme(tmp_path / "out", text) == expected[0]


def test_what_cannot_be_traced_is_refused(
    tokenizer: Tokenizer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*_: Any, **__: Any) -> None:
        raise torch.onnx.OnnxExporterError("no such operator\nand much more")

    monkeypatch.setattr(torch.onnx, "export", fail)
    with pytest.raises(ModelError, match=r"torch.onnx cannot express the model \(no such operator"):
        export(tmp_path / "out", random_model(tokenizer))
    assert list(tmp_path.iterdir()) == []


def test_an_export_that_translates_otherwise_is_not_written(
    tokenizer: Tokenizer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def write(folder: Path, model: Any) -> None:
        (folder / "encoder.onnx").touch()

    class Wrong:
        def __init__(self, folder: Path) -> None:
            pass

        def greedy(self, source: list[int], most: int) -> list[int]:
            return [5] * most

        def log_probs(self, source: list[int], target: list[int]) -> list[float]:
            return [-1.0] * len(target)

    monkeypatch.setattr(exporter, "_write", write)
    monkeypatch.setattr(exporter, "Engine", Wrong)
    with pytest.raises(ModelError, match=r"onnxruntime translates otherwise .* nothing was"):
        export(tmp_path / "out", random_model(tokenizer))
    assert list(tmp_path.iterdir()) == []
