"""`heed report` as a person runs it: what goes where, and how it ends on bad input."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

from heedful.cli import main


@pytest.fixture
def corpus(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Return `my.tsv` of 40 rows in the working folder."""
    monkeypatch.chdir(tmp_path)
    path = tmp_path / "my.tsv"
    path.write_text("".join(f"sentence {n}\tSatz {n}\n" for n in range(40)))
    return path


def refused(words: list[str], capsys: pytest.CaptureFixture[str]) -> str:
    """Run a command that must end with exit code 2 and one line of error; return the line."""
    assert main(words) == 2
    said = capsys.readouterr().err
    assert said.startswith("heed: ")
    assert said.count("\n") == 1
    return said


def test_summary(corpus: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["report", "my.tsv"]) == 0
    out, err = capsys.readouterr()
    assert out.startswith("train: 36 rows used of 40 (4 held out)\n  my.tsv: 40 lines\n")
    assert err == ""


def test_json_and_html(corpus: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["report", "my.tsv", "--json", "--html", "out.html"]) == 0
    record = json.loads(capsys.readouterr().out)
    assert [split["name"] for split in record["splits"]] == ["train", "dev", "test"]
    assert Path("out.html").read_text("utf-8").startswith("<!doctype html>")
    assert sorted(path.name for path in corpus.parent.iterdir()) == ["my.tsv", "out.html"]


def test_a_page_goes_where_a_link_leads(corpus: Path) -> None:
    Path("link.html").symlink_to("out.html")
    assert main(["report", "my.tsv", "--html", "link.html"]) == 0
    assert Path("link.html").is_symlink()
    assert Path("out.html").read_text("utf-8").startswith("<!doctype html>")


def test_dev_test_and_columns(corpus: Path, capsys: pytest.CaptureFixture[str]) -> None:
    Path("dev.tsv").write_text("1\tsentence 1\tSatz\n")
    Path("test.tsv").write_text("1\tsentence 2\tanders\n2\tneu\tnew\n")
    Path("more.tsv").write_text("1\tsentence 1\tSatz 1\n2\tx\ty\n")
    words = ["report", "more.tsv", "--dev", "dev.tsv", "--test", "test.tsv", "--columns", "2,3"]
    assert main([*words, "--json"]) == 0
    record = json.loads(capsys.readouterr().out)
    assert {split["name"]: split["kept"] for split in record["splits"]} == {
        "train": 1,
        "dev": 1,
        "test": 2,
    }
    assert [leak["rows"] for leak in record["leaks"]] == [1, 0, 0]


def test_the_same_seed_gives_the_same_report(
    corpus: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    outs = []
    for _ in range(2):
        assert main(["report", "my.tsv", "--json", "--seed", "5"]) == 0
        outs.append(capsys.readouterr().out)
    assert outs[0] == outs[1]


def test_bad_rows_are_reported_and_then_an_error(
    corpus: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    corpus.write_bytes(corpus.read_bytes() + b"a\tb\tc\ncaf\xe9\tx\n")
    assert main(["report", "my.tsv"]) == 2
    out, err = capsys.readouterr()
    assert "my.tsv: 42 lines, 2 bad rows" in out
    assert "my.tsv:42: invalid UTF-8: byte 0xE9" in out
    assert err.startswith(
        "heed: my.tsv:41: the row has 3 fields, 2 are needed; pick two with --col"
    )
    assert main(["report", "my.tsv", "--skip-bad"]) == 0
    assert capsys.readouterr().err == ""


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["none.tsv"], "none.tsv: no such file; the working folder is "),
        (["."], ".: is a directory"),
        (["empty.tsv"], "empty.tsv: the corpus is empty"),
        (["a.en,a.de"], "a.en: has 2 lines but a.de has 1; line n of one must translate"),
        (["three.tsv"], "three.tsv:1: the row has 3 fields, 2 are needed"),
        (["one.tsv"], "one.tsv:1: the row has 1 field, 2 are needed"),
        (["cut.tsv.gz"], "cut.tsv.gz: the gz file is cut off or damaged"),
        (["my.tsv", "--columns", "1"], 'columns: "1" does not fit my.tsv; give two numbers'),
        (["my.tsv", "--dev", "none.tsv"], "none.tsv: no such file"),
        (["my.tsv", "--html", "none/a.html"], "none/a.html: cannot be written"),
        (["my.tsv", "--html", "."], ".: cannot be written: is a directory"),
        (["my.tsv", "--html", "/"], "/: cannot be written: is a directory"),
        ([], "heed report: names no corpus; try heed report my.tsv"),
    ],
)
def test_bad_input(
    words: list[str], said: str, corpus: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    Path("empty.tsv").write_bytes(b"")
    Path("a.en").write_text("one\ntwo\n")
    Path("a.de").write_text("eins\n")
    Path("three.tsv").write_text("a\tb\tc\n" * 3)
    Path("one.tsv").write_text("a\n" * 3)
    Path("cut.tsv.gz").write_bytes(b"\x1f\x8b\x08\x00\x00")
    before = sorted(corpus.parent.rglob("*"))
    assert refused(["report", *words], capsys).startswith(f"heed: {said}")
    assert sorted(corpus.parent.rglob("*")) == before


def test_a_corpus_of_a_megabyte_line(corpus: Path, capsys: pytest.CaptureFixture[str]) -> None:
    corpus.write_bytes(corpus.read_bytes() + b"a" * 1_000_000 + b"\tb\n")
    assert main(["report", "my.tsv"]) == 0
    out = capsys.readouterr().out
    assert "too long: 1 (dropped)" in out
    assert len(out) < 2000


def test_the_report_loads_no_torch(corpus: Path) -> None:
    code = (
        "import sys; from heedful.cli import main;"
        "code = main(['report', 'my.tsv', '--html', 'a.html']);"
        "sys.exit(code or ('torch' in sys.modules) or ('pyarrow' in sys.modules))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr) == (0, "")
