"""`heed shortlist` as a person runs it: what it writes and says, and every way to ask wrongly."""

import os
import shutil
from pathlib import Path

import pytest

from heedful import model_path
from heedful.cli import main
from heedful.decode.shortlist import FILE, Shortlist
from heedful.model_folder import Languages, save_model
from heedful.text.tokenizer import BPE, Tokenizer
from tests.interop.models import random_model
from tests.system.test_train_command import as_tsv, sentences

ROWS = sentences(200)


@pytest.fixture(scope="module")
def models(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a folder with a model of one direction, one of both, one of three languages."""
    folder = tmp_path_factory.mktemp("models")
    for name, languages in (("one", ()), ("both", ("en", "de")), ("three", ("en", "de", "zh"))):
        config = BPE(vocabulary_size=400, exact=False)
        tokenizer = Tokenizer.train(lambda: ROWS, config, languages)
        model = random_model(tokenizer).model
        both, others = bool(languages), languages[2:]
        named = Languages(source="en", target="de", both_directions=both, others=others)
        save_model(folder / name, model, tokenizer, named)
    return folder


@pytest.fixture(autouse=True)
def in_folder(models: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Work beside the models, and `my.tsv` with 200 rows."""
    monkeypatch.chdir(tmp_path)
    for name in ("one", "both", "three"):
        shutil.copytree(models / name, name)
    Path("my.tsv").write_text(as_tsv(ROWS), encoding="utf-8")


def refused(words: str, capsys: pytest.CaptureFixture[str]) -> str:
    """Run a command that must end with exit code 2 and one sentence; return the sentence."""
    assert main(["shortlist", *words.split(), "--quiet"]) == 2
    out, err = capsys.readouterr()
    assert out == ""
    assert err.startswith("heed: ")
    assert err.count("\n") == 1
    return err


def test_of_several_languages_it_learns_from_each(capsys: pytest.CaptureFixture[str]) -> None:
    more = sentences(100)
    Path("zh.tsv").write_text(as_tsv(more), encoding="utf-8")
    assert main(["shortlist", "--model", "three", "--data", "my.tsv", "zh=zh.tsv"]) == 0
    out, _ = capsys.readouterr()
    assert "learnt from 540 rows" in out
    assert Shortlist.load(Path("three")) is not None


@pytest.mark.parametrize("model", ["one", "both"])
def test_it_says_what_it_covers(model: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["shortlist", "--model", model, "--data", "my.tsv"]) == 0
    out, err = capsys.readouterr()
    found = Shortlist.load(Path(model))
    assert found is not None
    rows = 180 if model == "one" else 360
    assert out.startswith(f"{model}/{FILE}: 0.0 MB, learnt from {rows} rows; ")
    assert " target pieces for each source piece; in the held-out rows " in out
    assert out.count("\n") == 1
    assert "dev and test: 10 rows each held out" in err
    assert not [path for path in Path(model).iterdir() if path.name.startswith(".")]


def test_the_figures_are_those_of_the_rows_held_out(capsys: pytest.CaptureFixture[str]) -> None:
    Path("dev.tsv").write_text(as_tsv(sentences(30)), encoding="utf-8")
    words = "shortlist --model one --data my.tsv --dev dev.tsv --quiet"
    assert main(words.split()) == 0
    out, err = capsys.readouterr()
    assert err == ""
    found, tokenizer = Shortlist.load(Path("one")), Tokenizer.load(Path("one/tokenizer.json"))
    assert found is not None
    pairs = [
        (tokenizer.encode_source([source])[0], tokenizer.encode_target([target])[0][:-1])
        for source, target in sentences(30)
    ]
    covered, length = found.coverage(pairs)
    assert f"{length:.0f} of {tokenizer.target_size} pieces a sentence" in out
    assert f"hold {covered:.1%} of the translations' pieces" in out
    assert "learnt from 200 rows" in out


def test_a_second_one_replaces_the_first(capsys: pytest.CaptureFixture[str]) -> None:
    words = ["shortlist", "--model", "one", "--quiet", "--data"]
    assert main([*words, "my.tsv"]) == 0
    first = Path("one", FILE).read_bytes()
    Path("few.tsv").write_text(as_tsv(ROWS[:30]), encoding="utf-8")
    assert main([*words, "few.tsv"]) == 0
    assert Path("one", FILE).read_bytes() != first
    assert main([*words, "my.tsv"]) == 0
    assert Path("one", FILE).read_bytes() == first


def test_a_corpus_too_small_to_hold_rows_out(capsys: pytest.CaptureFixture[str]) -> None:
    Path("few.tsv").write_text(as_tsv(ROWS[:3]), encoding="utf-8")
    assert main(["shortlist", "--model", "one", "--data", "few.tsv", "--quiet"]) == 0
    out = capsys.readouterr().out
    assert "learnt from 3 rows" in out
    assert out.endswith(" target pieces for each source piece\n")


def test_a_large_corpus_is_thinned_out(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr("heedful.train.shortlist.MOST_ROWS", 60)
    assert main(["shortlist", "--model", "both", "--data", "my.tsv"]) == 0
    out, err = capsys.readouterr()
    assert "learning from 30 of 180 pairs" in err
    assert "learnt from 60 rows" in out


@pytest.mark.parametrize(
    ("words", "sentence"),
    [
        ("--model three --data my.tsv", "give texts of zh, too: --data zh=FILE"),
        ("--model three --data zh=my.tsv", "give texts of de, too: --data de=FILE"),
        (
            "--model three --data my.tsv zh=my.tsv --dev my.tsv",
            "give texts of zh, too: --dev zh=FILE",
        ),
        ("--model both --data my.tsv --dev fr=my.tsv", "--dev fr=FILE: the model was not taught"),
        ("--model both --data zh=my.tsv", '--data zh=FILE: the model was not taught "zh"'),
        ("--model one --data none.tsv", "none.tsv: no such file"),
        ("--model one --data empty.tsv", "empty.tsv: the corpus is empty"),
        ("--model one --data bad.tsv", "bad.tsv:1: "),
        ("--model one --data my.tsv --dev empty.tsv", "empty.tsv: the corpus is empty"),
        ("--model one", "--data is missing"),
        ("--data my.tsv", "--model is missing"),
        ("--model none --data my.tsv", "none: there is no such folder"),
        ("--model photos --data my.tsv", "photos: no model is in this folder"),
        ("--model half --data my.tsv", "half: this training has not ended"),
        (
            "--model everyday --data my.tsv",
            "everyday: this model belongs to the package and is not changed; copy its folder (",
        ),
    ],
)
def test_mistakes(words: str, sentence: str, capsys: pytest.CaptureFixture[str]) -> None:
    Path("empty.tsv").touch()
    Path("bad.tsv").write_text("one column\n", encoding="utf-8")
    Path("photos").mkdir()
    Path("half/checkpoints").mkdir(parents=True)
    assert sentence in refused(words, capsys)
    assert not Path("one", FILE).exists()


def test_bad_rows_can_be_left_out(capsys: pytest.CaptureFixture[str]) -> None:
    Path("bad.tsv").write_text("one column\n" + as_tsv(ROWS), encoding="utf-8")
    assert main(["shortlist", "--model", "one", "--data", "bad.tsv", "--skip-bad"]) == 0
    assert "bad.tsv: 201 lines, 1 bad rows" in capsys.readouterr().err


def test_a_damaged_model(capsys: pytest.CaptureFixture[str]) -> None:
    Path("one/tokenizer.json").write_text("{}", encoding="utf-8")
    assert "one/tokenizer.json: the file has 2 bytes" in refused(
        "--model one --data my.tsv", capsys
    )


def test_a_folder_that_is_not_ones_own(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """It is said before anything is learnt."""
    monkeypatch.setattr(model_path.os, "access", lambda *_: False)
    said = refused("--model one --data none.tsv", capsys)
    assert said == (
        "heed: one: this folder cannot be written to; copy the model to a folder that you can "
        "write to\n"
    )


@pytest.mark.skipif(os.geteuid() == 0, reason="root writes everywhere")
def test_no_permission(capsys: pytest.CaptureFixture[str]) -> None:
    Path("one").chmod(0o500)
    assert "one: this folder cannot be written to" in refused("--model one --data my.tsv", capsys)


def test_something_else_of_that_name(capsys: pytest.CaptureFixture[str]) -> None:
    Path("one", FILE).mkdir()
    said = refused("--model one --data my.tsv", capsys)
    assert f"one: {FILE} cannot be written (" in said


def test_without_numba(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    monkeypatch.setattr("heedful.kernels.available", lambda: False)
    said = refused("--model one --data my.tsv", capsys)
    assert said == "heed: the package numba is not installed; pip install numba\n"
