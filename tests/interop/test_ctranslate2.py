"""CTranslate2 with our weights gives our numbers, for every variant, or refuses it by name."""

import json
import random
import subprocess
import sys
from pathlib import Path
from typing import Any, Literal

import pytest
import torch

from heedful.decode.engine import decode
from heedful.errors import ModelError
from heedful.interop import ctranslate2 as exporter
from heedful.interop.ctranslate2 import Engine, export
from heedful.model_folder import LoadedModel
from heedful.models.transformer import TransformerConfig
from heedful.nn.attention import GroupedQuery
from heedful.nn.embedding import ThreeWay, Untied
from heedful.nn.feedforward import SwiGLU
from heedful.nn.norm import LayerNorm, PreNorm, RMSNorm
from heedful.nn.position import Llama3Scaling, Rotary
from heedful.search import Beam, Greedy, Limits
from heedful.settings import Settings
from heedful.text.pieces import END, START
from heedful.text.tokenizer import Tokenizer
from heedful.translator import load
from tests.contract.test_families import MODEL_FAMILIES, label, members
from tests.interop.models import (
    EVERY_VARIANT,
    SOURCES,
    log_probs,
    random_model,
    searched,
    tokenizer_of,
)

ctranslate2 = pytest.importorskip("ctranslate2", reason="needs the extra interop")

TOGETHER = [
    {"position": Rotary(theta=500), "attention": GroupedQuery(), "norm": RMSNorm(eps=0.1)},
    {"feed_forward": SwiGLU(), "residual": PreNorm(), "norm": LayerNorm(eps=0.1)},
    {"encoder_layers": 3, "decoder_layers": 1, "d_model": 40, "n_heads": 5},
]


@pytest.fixture(scope="module")
def tokenizer() -> Tokenizer:
    return tokenizer_of()


def variant(settings: Settings) -> dict[str, Any]:
    """Return the member under the name of its family."""
    (name,) = (name for name, family in MODEL_FAMILIES.items() if type(settings) in members(family))
    return {name: settings}


def agree(folder: Path, loaded: LoadedModel) -> None:
    """Compare scores, greedy search and beam search, all sources in one padded batch."""
    export(folder, loaded)
    engine = Engine(folder, loaded.tokenizer)
    sources = [[engine.source[number] for number in source] for source in SOURCES]
    targets = [[20, 30, 40], [5] * 12, [], [270, 8, 99, 100, 7], [6]]
    scored = engine.translator.score_batch(
        sources, [[engine.target[number] for number in target] for target in targets]
    )
    for source, target, result in zip(SOURCES, targets, scored, strict=True):
        expected = log_probs(loaded, source, [*target, END])
        torch.testing.assert_close(torch.tensor(result.log_probs), expected, rtol=0, atol=1e-4)
    common = {
        "min_decoding_length": 0,
        "max_decoding_length": 20,
        "length_penalty": 0,
        "return_scores": True,
        "return_end_token": True,
    }
    greedy = engine.translator.translate_batch(sources, beam_size=1, **common)
    for ours, theirs in zip(searched(loaded, Greedy()), greedy, strict=True):
        found = [engine.ids[piece] for piece in theirs.hypotheses[0]]
        assert found == [*ours.tokens, *[END] * ours.finished]
        assert theirs.scores[0] == pytest.approx(ours.log_prob, abs=1e-4)
    beam = engine.translator.translate_batch(sources, beam_size=4, **common)
    same = 0
    for source, ours, theirs in zip(
        SOURCES, searched(loaded, Beam(length_penalty=0)), beam, strict=True
    ):
        found = [engine.ids[piece] for piece in theirs.hypotheses[0]]
        own = float(log_probs(loaded, source, found).sum())
        assert theirs.scores[0] == pytest.approx(own, abs=1e-4)
        same += found == [*ours.tokens, *[END] * ours.finished]
    assert same == len(SOURCES)


@pytest.mark.parametrize("settings", EVERY_VARIANT)
def test_every_variant_is_the_same_there_or_refused_by_name(
    settings: Settings, tokenizer: Tokenizer, tmp_path: Path
) -> None:
    loaded = random_model(tokenizer, **variant(settings))
    try:
        exporter.specification(loaded)
    except ModelError:
        kind = settings.model_dump().get("kind")
        with pytest.raises(ModelError, match=f'"{kind}"|model.opening|embedding.scaled_output'):
            export(tmp_path / "out", loaded)
        assert list(tmp_path.iterdir()) == []
    else:
        agree(tmp_path / "out", loaded)


@pytest.mark.parametrize("settings", TOGETHER)
def test_variants_together(settings: dict[str, Any], tokenizer: Tokenizer, tmp_path: Path) -> None:
    agree(tmp_path / "out", random_model(tokenizer, **settings))


def test_all_but_what_other_toolkits_models_have_can_be_expressed(tokenizer: Tokenizer) -> None:
    refused = set()
    for case in EVERY_VARIANT:
        try:
            exporter.specification(random_model(tokenizer, **variant(case.values[0])))
        except ModelError:
            refused.add(label(case.values[0]))
    assert refused == REFUSED


REFUSED = {
    *("Bucketed", "GEGLU", "MultiHead-scaled=False", "Opening-tag=True"),
    *(f"{name}-scaled_output=True" for name in ("OneInput", "ThreeWay", "TwoWay", "Untied")),
}
"""What T5 and multilingual models have."""


class _Unheard(Settings):
    kind: Literal["unheard"] = "unheard"
    final_norm: bool = False
    eps: float = 1e-5


@pytest.mark.parametrize("family", sorted(MODEL_FAMILIES.keys() - {"embedding", "opening"}))
def test_a_variant_without_counterpart_is_refused_by_name(
    family: str, tokenizer: Tokenizer, tmp_path: Path
) -> None:
    loaded = random_model(tokenizer)
    loaded.model.config = loaded.model.config.model_copy(update={family: _Unheard()})
    with pytest.raises(ModelError, match=f'model.{family}.kind: .* "unheard"; train with another'):
        export(tmp_path / "out", loaded)
    assert list(tmp_path.iterdir()) == []


def test_stretched_positions_are_refused_by_name(tokenizer: Tokenizer, tmp_path: Path) -> None:
    loaded = random_model(tokenizer, position=Rotary(scaling=Llama3Scaling()))
    with pytest.raises(ModelError, match=r'nothing like position\.scaling "llama3"'):
        export(tmp_path / "out", loaded)
    assert list(tmp_path.iterdir()) == []


def test_two_vocabularies(tmp_path: Path) -> None:
    tokenizer = tokenizer_of(shared=False)
    agree(tmp_path / "out", random_model(tokenizer, embedding=Untied()))
    names = {path.name for path in (tmp_path / "out").iterdir()}
    assert {"source_tokenizer.json", "target_tokenizer.json"} <= names
    assert {"source_vocabulary.json", "target_vocabulary.json"} <= names


def test_decoding_starts_from_the_row_of_the_start_piece(
    tokenizer: Tokenizer, tmp_path: Path
) -> None:
    """The stock converter of Marian models starts from zeros, which cost a real model 8 BLEU."""
    loaded = random_model(tokenizer, embedding=Untied())
    row = loaded.model.tables.target.weight
    with torch.no_grad():
        row[START] = 3 * torch.randn(row.shape[1], generator=torch.Generator().manual_seed(5))
    agree(tmp_path / "out", loaded)
    before = searched(loaded, Greedy())
    with torch.no_grad():
        row[START] = 0
    assert searched(loaded, Greedy()) != before, "the row matters"


def test_an_export_that_translates_otherwise_is_not_written(
    tokenizer: Tokenizer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The fault of the stock converter, made on purpose."""
    honest = exporter.specification

    def from_zeros(loaded: LoadedModel) -> Any:
        spec = honest(loaded)
        spec.decoder.start_from_zero_embedding = True
        return spec

    monkeypatch.setattr(exporter, "specification", from_zeros)
    with pytest.raises(
        ModelError, match=r"CTranslate2 translates otherwise .* nothing was written"
    ):
        export(tmp_path / "out", random_model(tokenizer))
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("quantization", ["float16", "int16", "int8"])
def test_quantized_weights(quantization: str, tokenizer: Tokenizer, tmp_path: Path) -> None:
    loaded = random_model(tokenizer, embedding=ThreeWay())
    before = {name: weight.clone() for name, weight in loaded.model.named_parameters()}
    found = export(tmp_path / "out", loaded, quantization)
    assert 0 < found.farthest < 3
    for name, weight in loaded.model.named_parameters():
        assert torch.equal(weight, before[name]), "our own weights are left alone"
    plain = export(tmp_path / "plain", loaded)
    sizes = [(tmp_path / name / "model.bin").stat().st_size for name in ("out", "plain")]
    assert sizes[0] < 0.8 * sizes[1]
    assert plain.explained


def run_readme(folder: Path, text: str) -> str:
    """Run the example of an exported README with greedy search; return what it prints."""
    readme = (folder / "README.md").read_text("utf-8")
    (code,) = (part.split("```")[0] for part in readme.split("```python\n")[1:])
    code = code.replace('"A sentence."', json.dumps(text)).replace("beam_size=4", "beam_size=1")
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=folder, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    return done.stdout.rstrip("\n")


SUBJECTS = ("The house", "My old friend", "A small dog", "The teacher", "Nobody in the village")
VERBS = ("is standing near", "has never seen", "was looking for", "will come to", "likes")
OBJECTS = ("the station", "a red car", "the three children", "the river", "an empty room")
ENDS = ("", " today", " without any help", ", and it was raining", " in the morning",
        " because of the snow", " again", " at 7:30", ", I think")  # fmt: skip


def sentences(count: int) -> list[str]:
    """Return different simple sentences, the same ones every time."""
    every = [f"{a} {b} {c}{d}." for a in SUBJECTS for b in VERBS for c in OBJECTS for d in ENDS]
    return random.Random(0).sample(every, count)


def same_translations(folder: Path, count: int) -> None:
    """Translate with the bundled model, both engines greedy, and compare every piece."""
    translator = load("everyday", "cpu")
    loaded = LoadedModel(translator.model, translator.tokenizer, translator.languages)
    export(folder, loaded)
    engine = Engine(folder, loaded.tokenizer)
    sources = loaded.tokenizer.encode_source(sentences(count), "de")
    limits = Limits(START, END, translator.limits.forbidden, max(map(len, sources)) + 50)
    ours = decode(loaded.model, sources, Greedy(), limits=limits)
    theirs = engine.translator.translate_batch(
        [[engine.source[number] for number in source] for source in sources],
        beam_size=1,
        min_decoding_length=0,
        max_decoding_length=limits.max_length or 0,
        suppress_sequences=[[engine.target[number]] for number in limits.forbidden],
        max_batch_size=2048,
        batch_type="tokens",
    )
    for number, (mine, other) in enumerate(zip(ours, theirs, strict=True)):
        found = tuple(engine.ids[piece] for piece in other.hypotheses[0])
        assert found == mine[0].tokens, sentences(count)[number]


def test_the_bundled_model_token_for_token(tmp_path: Path) -> None:
    same_translations(tmp_path / "out", 50)
    text = "Where is the station?"
    expected = load("everyday", "cpu").translate([text], "de", search=Greedy())
    assert run_readme(tmp_path / "out", text) == expected[0]


@pytest.mark.slow
def test_the_bundled_model_token_for_token_1000(tmp_path: Path) -> None:
    same_translations(tmp_path / "out", 1000)


@pytest.mark.parametrize("shared", [True, False])
def test_the_readme_tells_how(shared: bool, tmp_path: Path) -> None:
    tokenizer = tokenizer_of(shared)
    loaded = random_model(tokenizer, embedding=Untied(), max_length=12)
    export(tmp_path / "out", loaded)
    text = "the</s>"
    said = run_readme(tmp_path / "out", text)
    limits = Limits(START, END, (0, 1, 3), 12)
    (found,) = decode(loaded.model, tokenizer.encode_source([text]), Greedy(), limits=limits)
    assert said == tokenizer.decode_target([found[0].tokens])[0].rstrip("\n")


def test_settings_of_the_model_are_all_looked_at() -> None:
    """A new setting of TransformerConfig needs a decision here before it can be exported."""
    assert set(TransformerConfig.model_fields) == {
        *("kind", "d_model", "d_ff", "n_heads", "encoder_layers", "decoder_layers", "dropout"),
        *("max_length", "attention", "position", "feed_forward", "norm", "residual", "embedding"),
        "alignment_layer",  # changes no translation
        *("d_k", "embedding_norm", "opening"),  # refused
    }
