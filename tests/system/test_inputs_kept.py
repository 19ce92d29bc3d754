"""No command writes its results over a file that it reads; it says so before it loads a model."""

from pathlib import Path

import pytest

from heedful.cli import main


@pytest.mark.parametrize(
    "words",
    [
        "classify --model m -i read.tsv -o read.tsv",
        "classify --model m --data read.tsv -o ./read.tsv",
        "embed --model m -i read.tsv -o read.tsv",
        "fill --model m -i read.tsv -o read.tsv",
        "generate --model m -i read.tsv -o read.tsv",
        "heads m --data read.tsv -o read.tsv",
        "parse --model m -i read.tsv -o read.tsv",
        "parse --model m -i read.tsv --svg read.tsv",
        "parse --gold read.tsv --found theirs.trees -o read.tsv",
        "parse --gold gold.trees --found read.tsv -o read.tsv",
        "report read.tsv --html read.tsv",
        "report other.tsv --test read.tsv --html read.tsv",
    ],
)
def test_what_is_read_stays(
    words: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    for name in ("read.tsv", "other.tsv"):
        Path(name).write_text("The cat\tDie Katze\n", "utf-8")
    for name in ("gold.trees", "theirs.trees"):
        Path(name).write_text("(S (NN cat))\n", "utf-8")
    assert main(words.split()) == 2
    out, err = capsys.readouterr()
    said = "heed: read.tsv: read.tsv is read, and would be written over; choose another output\n"
    assert (out, err) == ("", said)
    assert Path("read.tsv").read_text("utf-8") == "The cat\tDie Katze\n"
