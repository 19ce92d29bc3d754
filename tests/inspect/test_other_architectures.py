"""What is shown of models that are no Transformers, and what is refused, in a sentence."""

import json
from pathlib import Path

import numpy as np
import pytest
import torch

from heedful.config import RunConfig
from heedful.data.batches import Batch
from heedful.errors import ModelError, SettingError
from heedful.inspect.heads.measure import Texts, measure
from heedful.inspect.heads.table import lines
from heedful.inspect.trace import Trace, trace
from heedful.interop import ctranslate2, onnx
from heedful.interop.huggingface import seq2seq
from heedful.model_folder import LoadedModel
from heedful.model_header import Languages
from heedful.models.architecture import as_transformer
from heedful.models.convolutional import ConvolutionalConfig
from heedful.models.recurrent import RecurrentConfig
from heedful.models.wiring import NoAttention
from heedful.objectives import Translation
from heedful.playground.handlers import Played, Playground
from heedful.serve.limits import ServerLimits
from heedful.text.tokenizer import BPE, Tokenizer
from heedful.train.parallel import FSDP
from heedful.train.settings import TrainingConfig
from heedful.translator import Translator
from tests.models.architectures import ATTENTIVE, MODELS, SHAPES, SOURCE, TARGET

TEXT, GIVEN = "the cat sat on the mat", "the dog sat"


@pytest.fixture(scope="module")
def tokenizer() -> Tokenizer:
    words = "the cat sat on the mat and the dog sat on the log"
    return Tokenizer.train(lambda: [(words, words)] * 3, BPE(vocabulary_size=270))


def seen(name: str, tokenizer: Tokenizer) -> Trace:
    torch.manual_seed(0)
    shape = SHAPES[name].model_copy(update={"max_length": 64})
    model = shape.build(tokenizer.source_size, tokenizer.target_size).eval()
    return trace(
        Translator(LoadedModel(model, tokenizer, Languages()), precision="float32"), TEXT, GIVEN
    )


OTHERS = [name for name in SHAPES if name != "Transformer"]
LOOKING = [name for name in OTHERS if name in ATTENTIVE]


@pytest.mark.parametrize("name", LOOKING)
def test_their_attention_to_the_source_is_shown_and_edited(
    name: str, tokenizer: Tokenizer, tmp_path: Path
) -> None:
    found = seen(name, tokenizer)
    maps = found.maps("cross")
    layers = found.model.config.source_looks
    assert maps.shape == (layers, 1, len(found.target.ids), len(found.source.ids))
    np.testing.assert_allclose(maps.sum(-1), 1, atol=1e-5)
    with pytest.raises(SettingError, match="no attention of that kind; it has cross"):
        found.attention("encoder", 0)
    for method in ("occlusion", "value_zeroing", "grad_x_input"):
        assert np.isfinite(found.attribute(1, method).source).all()
    told = found.importance()
    assert told.keys() == {"cross"}
    assert np.isfinite(told["cross"]).all()
    found.save(tmp_path / "trace.json")
    [written] = json.loads((tmp_path / "trace.json").read_text())["attention"]
    assert written["kind"] == "cross"
    found.save(tmp_path / "trace.npz")
    np.testing.assert_array_equal(np.load(tmp_path / "trace.npz")["cross"], maps)
    for method in ("rollout", "chefer"):
        with pytest.raises(ModelError, match=f"{method} looks inside a Transformer"):
            found.attribute(1, method)
    found.save(tmp_path / "trace.html")
    assert '"kind": "cross"' in (tmp_path / "trace.html").read_text()


@pytest.mark.parametrize("name", [name for name in OTHERS if name not in ATTENTIVE])
def test_without_attention_steps_are_shown_all_the_same(
    name: str, tokenizer: Tokenizer, tmp_path: Path
) -> None:
    found = seen(name, tokenizer)
    assert len(found.steps()) == len(found.target.ids)
    assert np.isfinite(found.attribute(1, "occlusion").source).all()
    with pytest.raises(SettingError, match="no attention at all"):
        found.attention("cross", 0)
    with pytest.raises(ModelError, match="no attention to draw"):
        found.save(tmp_path / "trace.svg")


@pytest.mark.parametrize("name", ["Luong", "ConvS2S"])
def test_what_needs_a_transformer_says_so(name: str, tokenizer: Tokenizer, tmp_path: Path) -> None:
    translator = seen(name, tokenizer).translator
    loaded = LoadedModel(translator.model, tokenizer, Languages())
    kind = translator.model.config.kind
    for act in (
        lambda: ctranslate2.export(tmp_path / "a", loaded, "float32"),
        lambda: onnx.export(tmp_path / "b", loaded),
        lambda: seq2seq.export(tmp_path / "c", loaded),
        lambda: as_transformer(translator.model, "it"),
    ):
        with pytest.raises(ModelError, match=f"inside a Transformer, and this model is {kind}"):
            act()


@pytest.mark.parametrize("name", ["Luong", "ConvS2S", "Sutskever"])
def test_the_playground_asks_them_the_same(name: str, tokenizer: Tokenizer) -> None:
    translator = seen(name, tokenizer).translator
    config = translator.model.config
    play = Playground([Played("old", translator)], ServerLimits())
    told = play.listed()["models"][0]["card"]
    assert (told["kind"], told["position"]) == (config.kind, None)
    assert told["encoder_layers"] == config.encoder_layers
    events = list(play.ask("trace", {"text": TEXT, "target": GIVEN, "beam": 2}))
    kinds = [one["kind"] for one in events if one["event"] == "attention"]
    assert kinds == (["cross"] if config.source_looks else [])
    assert [one["event"] for one in events][-2:] == ["beam", "done"]
    vector = play.ask("embedding", {"id": 260, "place": 1})
    assert vector["values"]
    assert vector["position"]["kind"] == ("learned" if name == "ConvS2S" else "none")
    number = events[0]["id"]
    if kinds:
        assert play.ask("importance", {"id": number, "step": 1})["how"] == "gate gradient"
    else:
        with pytest.raises(SettingError, match="no heads that could matter"):
            play.ask("importance", {"id": number, "step": 1})
    assert "</html>" in play.ask("export", {"id": number})


def test_heads_are_those_that_look_at_the_source(tokenizer: Tokenizer) -> None:
    texts = Texts("mine", [TEXT] * 2, [GIVEN] * 2, (0, 1))
    found = measure(seen("ConvS2S", tokenizer).translator, None, ("", ""), texts)
    assert [str(one.head) for one in found.roles] == ["cross.0.0", "cross.1.0"]
    assert found.roles[0].habit.pieces > 0
    assert "attention to the source alone" in lines(found)[-1]
    with pytest.raises(ModelError, match="the model has none"):
        measure(seen("Sutskever", tokenizer).translator, None, ("", ""), texts)


@pytest.mark.parametrize("name", ATTENTIVE)
def test_attention_can_be_guided(name: str) -> None:
    taught = SHAPES[name].model_copy(update={"alignment_layer": 0})
    torch.manual_seed(1)
    model = taught.build(29, 29)
    alignment = torch.zeros(3, 5, 6)
    alignment[:, :, 0] = 1
    batch = Batch(SOURCE, TARGET, TARGET, 14, 15, alignment)
    guided = Translation(guided_alignment=1.0).loss(model, batch).smoothed
    with torch.no_grad():
        memory = model.encode(SOURCE, SOURCE != 0)
        scores = model.hidden_and_scores(TARGET, memory, 0, 1)[1][:, 0]
        expected = Translation().loss(model, batch).smoothed - scores.log_softmax(-1)[:, :, 0].sum()
    torch.testing.assert_close(guided, expected)


@pytest.mark.parametrize(
    ("settings", "key"),
    [
        ({"training": TrainingConfig(lora_rank=4), "start": "x"}, "--training.lora-rank"),
        ({"parallel": FSDP()}, "--parallel.kind ddp"),
        ({"objective": Translation(guided_alignment=0.05)}, "--objective.guided-alignment"),
    ],
)
def test_a_run_that_does_not_suit_is_refused(settings: dict[str, object], key: str) -> None:
    with pytest.raises(ValueError, match=key):
        RunConfig(model=RecurrentConfig(attention=NoAttention()), **settings)
    RunConfig(model=ConvolutionalConfig())


def test_the_shapes_are_of_every_architecture() -> None:
    assert {type(model).__name__ for model in MODELS.values()} == {
        "Transformer",
        "Recurrent",
        "Convolutional",
    }
