"""`heed export --to heedful`: another precision, the rest as it was, checked when written."""

import json
from pathlib import Path

import pytest
import torch

from heedful.cli import main
from heedful.errors import OutputError
from heedful.interop import heedful as own
from heedful.interop.checking import Difference
from heedful.model_folder import LoadedModel, load_model, save_model
from heedful.model_header import Languages
from heedful.nn.embedding import Untied
from tests.interop.models import random_model, tokenizer_of

LANGUAGES = Languages(source="en", target="de", both_directions=True)


@pytest.fixture
def model(tmp_path: Path) -> Path:
    """Return a model folder with a card and a further file."""
    tokenizer = tokenizer_of(languages=("en", "de"))
    (tmp_path / "more.bin").write_bytes(b"more")
    found = random_model(tokenizer, encoder_layers=1, decoder_layers=1, max_length=12).model
    save_model(
        tmp_path / "model",
        found,
        tokenizer,
        LANGUAGES,
        card="# A card\n",
        added={"more.bin": (tmp_path / "more.bin").read_bytes()},
    )
    return tmp_path / "model"


def config_of(folder: Path) -> dict[str, object]:
    found: dict[str, object] = json.loads((folder / "config.json").read_text("utf-8"))
    return found


@pytest.mark.parametrize(
    ("given", "kept", "share"),
    [([], "float32", 1.0), (["bfloat16"], "bfloat16", 0.6), (["int8"], "int8", 0.5)],
)
def test_all_but_the_weights_is_kept(
    model: Path,
    given: list[str],
    kept: str,
    share: float,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    out = tmp_path / "new" / "small"
    words = ["export", "--model", str(model), "--to", "heedful", "-o", str(out)]
    assert main([*words, *(["--quantization", *given] if given else [])]) == 0
    said = capsys.readouterr().out
    assert said.startswith(f"{out}: heedful, {kept}; ")
    assert " of 8 test sentences equal, log-probabilities off by up to " in said
    assert [path.name for path in out.parent.iterdir()] == ["small"]
    assert sorted(path.name for path in out.iterdir()) == sorted(x.name for x in model.iterdir())
    for name in ("tokenizer.json", "more.bin"):
        assert (out / name).read_bytes() == (model / name).read_bytes()
    card = (out / "README.md").read_text("utf-8")
    assert card.startswith("# A card\n\nExported by heedful ")
    assert kept in card
    before, after = config_of(model), config_of(out)
    assert before["model"] == after["model"]
    assert before["languages"] == after["languages"]
    assert after.get("weights") == ("int8" if kept == "int8" else None)
    assert after["version"] == (2 if kept == "int8" else 1)
    sizes = [(x / "model.safetensors").stat().st_size for x in (model, out)]
    assert sizes[1] <= share * sizes[0]
    if kept == "float32":
        assert (out / "model.safetensors").read_bytes() == (
            model / "model.safetensors"
        ).read_bytes()


def test_two_vocabularies_and_no_card(tmp_path: Path) -> None:
    tokenizer = tokenizer_of(shared=False)
    found = random_model(tokenizer, embedding=Untied(), max_length=12).model
    save_model(tmp_path / "model", found, tokenizer, Languages())
    (tmp_path / "model" / "README.md").unlink()
    difference = own.export(tmp_path / "out", tmp_path / "model", "int8")
    assert isinstance(difference, Difference)
    assert 0 < difference.farthest < float("inf")
    assert (tmp_path / "out" / "README.md").read_text("utf-8").startswith("Exported by heedful ")


def test_noise_is_told_and_never_refused(tmp_path: Path) -> None:
    """One outlier a row, so that int8 keeps hardly anything of the rest."""
    loaded = random_model(tokenizer_of(), max_length=12)
    with torch.no_grad():
        for weight in loaded.model.parameters():
            if weight.dim() == 2:
                weight[:, 0] = 50.0
    save_model(tmp_path / "model", loaded.model, loaded.tokenizer, Languages())
    difference = own.export(tmp_path / "out", tmp_path / "model", "int8")
    assert not difference.explained
    load_model(tmp_path / "out")


def test_other_weights_than_were_written_are_refused(
    model: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def wrong(folder: Path) -> LoadedModel:
        found = load_model(folder)
        if folder != model:
            with torch.no_grad():
                found.model.encoder[0].get_submodule("attention").query_proj.weight[3, 4] += 0.2
        return found

    monkeypatch.setattr(own, "load_model", wrong)
    for kept in own.QUANTIZATIONS:
        with pytest.raises(OutputError, match="the weights read back are not those"):
            own.export(tmp_path / "out", model, kept)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["model", "more.bin"]


def test_an_interrupted_export_leaves_nothing(
    model: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def interrupted(*words: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr("heedful.model_header.sha256", interrupted)
    with pytest.raises(KeyboardInterrupt):
        own.export(tmp_path / "out", model, "int8")
    assert sorted(path.name for path in tmp_path.iterdir()) == ["model", "more.bin"]
