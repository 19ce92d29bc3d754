"""`heed export` as a person runs it: the result, and every mistake in one sentence."""

import importlib.util
from pathlib import Path

import pytest

from heedful.cli import main
from heedful.interop import folder as places
from heedful.model_folder import save_model
from heedful.model_header import Languages
from tests.interop.models import random_model, tokenizer_of

pytest.importorskip("ctranslate2", reason="needs the extra interop")


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> str:
    """Return the folder of a model."""
    folder = tmp_path_factory.mktemp("one") / "model"
    tokenizer = tokenizer_of()
    save_model(folder, random_model(tokenizer).model, tokenizer, Languages())
    return str(folder)


def refused(words: list[str], capsys: pytest.CaptureFixture[str]) -> str:
    """Run a command that must end with exit code 2 and one sentence; return the sentence."""
    assert main(["export", *words]) == 2
    out, err = capsys.readouterr()
    assert out == ""
    assert err.startswith("heed: ")
    assert err.count("\n") == 1
    return err


def test_it_says_how_near_it_comes(
    model: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    target = tmp_path / "new" / "out"
    assert main(["export", "--model", model, "--to", "ctranslate2", "-o", str(target)]) == 0
    out, err = capsys.readouterr()
    assert out.startswith(f"{target}: ctranslate2, float32; 8 of 8 test sentences equal, ")
    assert err == ""
    names = {"README.md", "config.json", "model.bin", "shared_vocabulary.json", "tokenizer.json"}
    assert {path.name for path in target.iterdir()} == names
    assert [path.name for path in target.parent.iterdir()] == ["out"]
    again = refused(["--model", model, "--to", "ctranslate2", "-o", str(target)], capsys)
    assert again == (
        f"heed: {target}: there is something of that name already; choose another folder, or "
        "remove it first\n"
    )


def test_into_an_empty_folder(model: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    words = ["--model", model, "--to", "ctranslate2", "--quantization", "int8"]
    assert main(["export", *words, "-o", "."]) == 0
    assert (tmp_path / "model.bin").is_file()


def test_a_file_is_not_replaced(
    model: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    target = tmp_path / "notes.txt"
    target.write_text("mine", "utf-8")
    said = refused(["--model", model, "--to", "ctranslate2", "-o", str(target)], capsys)
    assert "there is something of that name already" in said
    assert target.read_text("utf-8") == "mine"


def test_a_place_that_cannot_be_written_to(
    model: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "file").touch()
    target = tmp_path / "file" / "out"
    said = refused(["--model", model, "--to", "ctranslate2", "-o", str(target)], capsys)
    assert f"{target}: the folder cannot be written (Not a directory); " in said


@pytest.mark.parametrize(
    ("words", "sentence"),
    [
        (["--to", "onnx", "--quantization", "int8"], "--quantization: --to onnx keeps the weights"),
        (
            ["--to", "ctranslate2", "--quantization", "int9"],
            'knows no "int9"; did you mean "int8"?',
        ),
        (
            ["--to", "heedful", "--quantization", "int16"],
            'a model folder knows no "int16"; did you mean "int8"?',
        ),
        (["--to", "ggml"], '--to: "ggml" is not one of ctranslate2, onnx, huggingface, heedful'),
        (["--to", "onnx", "--model", "no/such"], "no/such: there is no such folder"),
    ],
)
def test_mistakes(
    words: list[str], sentence: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert sentence in refused([*words, "-o", str(tmp_path / "out")], capsys)
    assert list(tmp_path.iterdir()) == []


def test_not_a_model_folder(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "photos").mkdir()
    words = ["--model", str(tmp_path / "photos"), "--to", "ctranslate2", "-o", str(tmp_path / "x")]
    assert "no model is in this folder; give a folder that `heed train` wrote" in refused(
        words, capsys
    )


@pytest.mark.parametrize(
    ("to", "package"),
    [("ctranslate2", "ctranslate2"), ("onnx", "onnxscript"), ("onnx", "onnxruntime")],
)
def test_without_the_extra(
    to: str,
    package: str,
    model: str,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(
        places,
        "find_spec",
        lambda name: None if name == package else importlib.util.find_spec("os"),
    )
    said = refused(["--model", model, "--to", to, "-o", str(tmp_path / "out")], capsys)
    assert said == (f"heed: the package {package} is not installed; pip install heedful[interop]\n")
    assert list(tmp_path.iterdir()) == []
