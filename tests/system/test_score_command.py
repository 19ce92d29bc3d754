"""`heed score` on a small model with random weights: its numbers are the softmax of the model."""

import json
import math
from pathlib import Path

import pytest
import torch

from heedful.cli import main
from heedful.model_folder import load_model
from tests.system.test_evaluate_command import make_model

PAIRS = [
    ("The cat sleeps in Boston.", "Die Katze schläft in Boston."),
    ("Where is the cat?", "Wo ist die Katze?"),
    ("The mouse and the cat sleep.", "Die Maus und die Katze schlafen. 猫"),
]


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("score")
    make_model(folder / "one-way", 1, both=False)
    make_model(folder / "both-ways", 2, both=True)
    rows = "".join(f"{source}\t{target}\n" for source, target in PAIRS)
    (folder / "test.tsv").write_text(rows, encoding="utf-8")
    return folder


@pytest.fixture(autouse=True)
def in_folder(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(folder)


def expected(model: str, source: str, target: str, to: str | None = None) -> list[float]:
    """Return the log-probability of each piece, from one pass over one pair."""
    loaded = load_model(Path(model))
    ids = torch.tensor(loaded.tokenizer.encode_source([source], to))
    answer = torch.tensor(loaded.tokenizer.encode_target([target]))
    before = torch.cat([torch.tensor([[loaded.tokenizer.start_id]]), answer[:, :-1]], dim=1)
    memory = loaded.model.eval().encode(ids, torch.ones_like(ids, dtype=torch.bool))
    logits = loaded.model.project(loaded.model.hidden(before, memory))
    return logits.log_softmax(-1).gather(-1, answer[:, :, None]).flatten().tolist()


@pytest.mark.parametrize(
    ("model", "to", "side"), [("one-way", None, 0), ("both-ways", "de", 0), ("both-ways", "en", 1)]
)
def test_lines_and_sums(
    capsys: pytest.CaptureFixture[str], model: str, to: str | None, side: int
) -> None:
    """With --to of the first column's language the columns change places."""
    words = ["score", "--model", model, "--data", "test.tsv", *(["--to", to] if to else [])]
    assert main(words) == 0
    out, err = capsys.readouterr()
    wanted = [expected(model, pair[side], pair[1 - side], to) for pair in PAIRS]
    for line, log_probs in zip(out.splitlines(), wanted, strict=True):
        total = sum(log_probs)
        mean = total / len(log_probs)
        numbers = [float(number) for number in line.split("\t")]
        assert numbers == pytest.approx([total, mean, math.exp(-mean)], rel=1e-4, abs=1e-3)
    pieces = sum(map(len, wanted))
    characters = sum(len(pair[1 - side]) + 1 for pair in PAIRS)
    total = sum(map(sum, wanted))
    said = err.splitlines()[-1].replace(",", "")
    assert said.startswith("3 pairs: log-probability -")
    assert f" of {pieces} pieces; " in said
    assert f" of {characters} characters (" in said
    bits = float(said.rpartition("(")[2].split()[0])
    assert bits == pytest.approx(-total / characters / math.log(2), abs=1e-3)
    assert float(said.split("perplexity ")[1].split()[0]) == pytest.approx(
        math.exp(-total / pieces), rel=1e-4
    )


def test_json_and_a_file(capsys: pytest.CaptureFixture[str]) -> None:
    words = ["--model", "one-way", "--data", "test.tsv", "--json", "--quiet", "-o", "scores.json"]
    assert main(["score", *words]) == 0
    assert capsys.readouterr() == ("", "")
    records = [json.loads(line) for line in Path("scores.json").read_text("utf-8").splitlines()]
    tokenizer = load_model(Path("one-way")).tokenizer
    for number, (record, (source, target)) in enumerate(zip(records, PAIRS, strict=True), start=1):
        assert (record["line"], record["source"], record["target"]) == (number, source, target)
        names, log_probs = zip(*record["pieces"], strict=True)
        assert list(names) == tokenizer.target_pieces(tokenizer.encode_target([target])[0])
        assert names[-1] == "</s>"
        assert list(log_probs) == pytest.approx(expected("one-way", source, target), abs=1e-4)
        assert record["log_prob"] == pytest.approx(sum(log_probs))
        assert record["mean"] == pytest.approx(sum(log_probs) / len(names))
        assert record["perplexity"] == pytest.approx(math.exp(-record["mean"]))


def test_pairs_that_cannot_be_scored(capsys: pytest.CaptureFixture[str]) -> None:
    """One sentence with file and line, or left out and named."""
    long, good = "cat " * 90, "The cat\tDie Katze"
    bad = {2: "\tDie Katze", 3: "The cat\t ", 4: f"The cat\t{long}", 5: f"{long}\tKatze", 6: "one"}
    Path("bad.tsv").write_text("\n".join([good, *bad.values(), good, ""]))
    reasons = {}
    for number, row in bad.items():
        Path("one.tsv").write_text(f"{good}\n{row}\n")
        assert main(["score", "--model", "one-way", "--data", "one.tsv", "--quiet"]) == 2
        said = capsys.readouterr().err
        assert said.startswith("heed: one.tsv:2: ")
        assert "drop such rows with --skip-bad\n" in said
        reasons[number] = said.removeprefix("heed: one.tsv:2: ").partition(";")[0]
    assert reasons[2] == "the source is empty"
    assert reasons[3] == "the target is empty"
    assert reasons[4].startswith("the target has ")
    assert reasons[5].endswith(" pieces and the model knows 80")
    assert main(["score", "--model", "one-way", "--data", "bad.tsv", "--skip-bad"]) == 0
    out, err = capsys.readouterr()
    first, second = out.splitlines()
    assert first == second
    assert "2 pairs: log-probability" in err
    told = "".join(f"  bad.tsv:{number}: {reason}\n" for number, reason in reasons.items())
    assert err.endswith(f"left out: 5 pairs\n{told}")


def test_refusals(capsys: pytest.CaptureFixture[str]) -> None:
    Path("none.tsv").write_text("")
    for words, said in [
        (["--model", "both-ways", "--data", "test.tsv"], "give --to en or --to de"),
        (["--model", "one-way", "--data", "test.tsv", "--to", "fr"], "only from en to de"),
        (["--model", "one-way", "--data", "none.tsv"], "none.tsv: no pair can be scored"),
        (["--model", "one-way", "--data", "no.tsv"], "no such file"),
        (["--model", "one-way", "--data", "test.tsv", "--batch-tokens", "0"], "0 is less than 1"),
        (["--model", "one-way", "--data", "test.tsv", "-o", "no/x"], "no/x: cannot be written"),
    ]:
        assert main(["score", *words, "--quiet"]) == 2
        out, err = capsys.readouterr()
        assert (out, err.count("\n")) == ("", 1)
        assert said in err


def test_the_pairs_are_not_written_over(capsys: pytest.CaptureFixture[str]) -> None:
    before = Path("test.tsv").read_bytes()
    assert main(["score", "--model", "one-way", "--data", "test.tsv", "-o", "./test.tsv"]) == 2
    assert "test.tsv is read, and would be written over" in capsys.readouterr().err
    assert Path("test.tsv").read_bytes() == before
