"""`heed heads` as a person runs it: what it prints and writes, and every way to ask wrongly."""

import json
from pathlib import Path

import pytest

from heedful.cli import main
from heedful.inspect.heads import pronouns
from heedful.model_folder import Languages, save_model
from tests.inspect.planted import tiny, tokenizer

ROWS = "The cat ate the fish.\tDie Katze aß den Fisch.\nThe dog ate.\tDer Hund aß.\n"


@pytest.fixture(scope="module")
def models(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a folder with models of English and German, of French, and of nobody knows what."""
    folder = tmp_path_factory.mktemp("models")
    loaded = tiny(tokenizer())
    languages = {
        "mine": Languages(source="en", target="de", both_directions=True),
        "french": Languages(source="fr", target="de"),
        "nameless": Languages(),
    }
    for name, known in languages.items():
        save_model(folder / name, loaded.model, loaded.tokenizer, known)
    return folder


@pytest.fixture(autouse=True)
def in_folder(models: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Work beside the models with few templates."""
    for name in ("mine", "french", "nameless"):
        (tmp_path / name).symlink_to(models / name)
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(pronouns, "PAIRS", {"en": 1, "zh": 1})
    monkeypatch.setattr("heedful.inspect.heads.grammar.SENTENCES", 10)
    Path("my.tsv").write_text(ROWS, encoding="utf-8")


def heads(words: str, capsys: pytest.CaptureFixture[str]) -> str:
    assert main(["heads", *words.split(), "--quiet"]) == 0
    out, err = capsys.readouterr()
    assert err == ""
    return out


def test_tables(capsys: pytest.CaptureFixture[str]) -> None:
    out = heads("--model mine --to de", capsys)
    assert out.startswith("mine · en → de · heads: 8 encoder, 4 decoder, 4 cross\n")
    assert "Heads, on 28 sentences of the templates" in out
    assert "The animal didn't cross the street because it was too tired.\n" in out
    assert 'It is not shown that the model resolves "it": attention, encoder.' in out


def test_json_and_file_are_the_same(capsys: pytest.CaptureFixture[str]) -> None:
    out = heads("--model mine --to de --json -o heads.json", capsys)
    assert json.loads(out) == json.loads(Path("heads.json").read_text("utf-8"))
    assert json.loads(out)["verdict"]["resolves"] is False


def test_page_and_pictures(capsys: pytest.CaptureFixture[str]) -> None:
    pytest.importorskip("matplotlib")
    begins = {"html": b"<!doctype html>", "svg": b"<?xml"}
    for ending, first in begins.items():
        heads(f"--model mine --to de -o heads.{ending}", capsys)
        assert Path(f"heads.{ending}").read_bytes().startswith(first)
    assert not [path for path in Path().iterdir() if path.name.startswith(".")]


def test_a_corpus(capsys: pytest.CaptureFixture[str]) -> None:
    out = heads("--model mine --to de --data my.tsv", capsys)
    assert "on 2 sentences of my.tsv" in out
    assert "how rare a piece is tells its count in my.tsv" in out


def test_the_way_back_reads_the_second_column(capsys: pytest.CaptureFixture[str]) -> None:
    found = json.loads(heads("--model mine --to en --data my.tsv --json", capsys))
    assert found["way"] == ["de", "en"]
    assert found["coreference"] is None
    assert found["sentences"] == 2


def test_other_languages(capsys: pytest.CaptureFixture[str]) -> None:
    out = heads("--model french --to de --data my.tsv", capsys)
    assert "this model reads fr: only the roles that need none were measured." in out
    out = heads("--model nameless --to de --data my.tsv", capsys)
    assert "a language that nobody named" in out


def test_it_says_what_it_does(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["heads", "--model", "mine", "--to", "de"]) == 0
    assert capsys.readouterr().err.startswith("mine: reading sentences and measuring every head")


def test_rows_that_cannot_be_read_are_counted(capsys: pytest.CaptureFixture[str]) -> None:
    rows = f"one column\n{ROWS}".encode() + b"\xff\xfe\tx\n"
    Path("bad.tsv").write_bytes(rows)
    words = "--model mine --to de --json --skip-bad --quiet --data"
    assert main(["heads", *words.split(), "bad.tsv"]) == 0
    skipped, err = capsys.readouterr()
    assert err.startswith("heed: bad.tsv: 2 bad rows left out, the first bad.tsv:1: ")
    whole = json.loads(heads("--model mine --to de --json --data my.tsv", capsys))
    assert json.loads(skipped.replace("bad.tsv", "my.tsv")) == whole


@pytest.mark.parametrize(
    ("words", "sentence"),
    [
        ("--model none --to de", "none: there is no such folder"),
        ("none --to de", "none: there is no such folder"),
        ("mine --model mine --to de", "heed heads: more than one model is named"),
        ("--model mine", "the model translates into several languages; give --to en or --to de"),
        ("mine --to xx", '--to: the model knows no language "xx"'),
        ("--model mine --to de --from xx", '--from: the model knows no language "xx"'),
        ("--to en", "--to en: the model translates into en from de and zh; give --from de or"),
        ("--model mine --to en", '--data: the model reads "de", of which there are no sentences'),
        ("--model french --to de", '--data: the model reads "fr", of which there are no sentences'),
        ("--model mine --to de --data none.tsv", "none.tsv: no such file"),
        ("--model mine --to de --data bad.tsv", "bad.tsv:1: "),
        ("--model mine --to de --data garbage.tsv", "garbage.tsv:1: "),
        ("--model mine --to de --data blank.tsv", "blank.tsv: no row has a source"),
        ("--model mine --to de --data my.tsv --columns 1,7", "7"),
        ("--model mine --to de -o heads.txt", "--output heads.txt: its ending says what to write"),
        ("--model mine --to de -o folder.html", "folder.html: this is a folder"),
        ("--model mine --to de -o no/heads.html", "no/heads.html: its folder cannot be written"),
    ],
)
def test_mistakes(words: str, sentence: str, capsys: pytest.CaptureFixture[str]) -> None:
    Path("bad.tsv").write_text("one column\n", encoding="utf-8")
    Path("garbage.tsv").write_bytes(b"\xff\xfe\x00\x80\n" * 3)
    Path("blank.tsv").write_text(" \tDie Katze\n", encoding="utf-8")
    Path("folder.html").mkdir()
    assert main(["heads", *words.split(), "--quiet"]) == 2
    out, err = capsys.readouterr()
    assert out == ""
    assert err.startswith("heed: ")
    assert err.count("\n") == 1
    assert sentence in err
