"""`heed embed`, `heed fill`, `heed classify` on small random folders: what is printed, where."""

import json
from pathlib import Path

import numpy as np
import pytest

from heedful.cli import main
from tests.interop.folders import LLAMA, make_folder
from tests.interop.readers import make_reader


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("readers")
    make_reader(folder / "plain")
    make_reader(folder / "words", "BertForMaskedLM")
    make_reader(folder / "mood", "BertForSequenceClassification", id2label={"0": "no", "1": "yes"})
    make_reader(folder / "number", "BertForSequenceClassification", num_labels=1)
    make_folder(folder / "llama", LLAMA)
    (folder / "texts.txt").write_text("the cat\n\n" + "the dog " * 20 + "\n猫 ate fish", "utf-8")
    (folder / "pairs.tsv").write_text("the cat\tthe dog\na dog\tis good\n", "utf-8")
    return folder


@pytest.fixture(autouse=True)
def in_folder(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(folder)


def said(capsys: pytest.CaptureFixture[str], *words: str) -> str:
    assert main([*words]) == 0
    return capsys.readouterr().out


# heed embed


def test_each_text_becomes_a_vector_of_length_1(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["embed", "--model", "plain", "-i", "texts.txt"]) == 0
    out, err = capsys.readouterr()
    records = [json.loads(line) for line in out.splitlines()]
    assert [one["text"] for one in records][:2] == ["the cat", ""]
    lengths = [np.linalg.norm(one["vector"]) for one in records]
    np.testing.assert_allclose(lengths, 1, atol=1e-4)
    assert err == (
        "heed: 1 text lost its end: the model reads 32 pieces, text 3 is the first with more (42)\n"
        "4 texts, 16 numbers each\n"
    )


def test_the_company_of_a_text_changes_nothing(capsys: pytest.CaptureFixture[str]) -> None:
    both = said(capsys, "embed", "--model", "plain", "the cat", "a very good dog sat").splitlines()
    for line, text in zip(both, ("the cat", "a very good dog sat"), strict=True):
        alone = json.loads(said(capsys, "embed", "--model", "plain", text))
        together = json.loads(line)
        np.testing.assert_allclose(alone["vector"], together["vector"], atol=1e-5)


def test_an_array_in_a_file(capsys: pytest.CaptureFixture[str]) -> None:
    words = ("embed", "--model", "plain", "-i", "texts.txt", "-o", "a.npy", "--raw")
    assert said(capsys, *words, "--pooling", "first") == ""
    found = np.load("a.npy", allow_pickle=False)
    assert found.shape == (4, 16)
    assert found.dtype == np.float32
    assert not np.allclose(np.linalg.norm(found, axis=1), 1)
    said(capsys, *words, "--pooling", "max")
    assert not np.allclose(np.load("a.npy", allow_pickle=False), found)


def test_where_no_array_can_be_written_is_said_before_any_text_is_read(
    capsys: pytest.CaptureFixture[str],
) -> None:
    """The text that is none would be the first to be refused otherwise."""
    assert main(["embed", "--model", "plain", "-o", "none/x.npy", "a\udc80"]) == 2
    assert capsys.readouterr().err.startswith("heed: none/x.npy: cannot be written: ")


# heed fill


def test_pieces_for_every_mask(capsys: pytest.CaptureFixture[str]) -> None:
    text = "The [MASK] sat on the [MASK]."
    out = said(capsys, "fill", "--model", "words", text, "-k", "3")
    blocks = out.rstrip("\n").split("\n\n")
    assert [len(block.splitlines()) for block in blocks] == [3, 3]
    record = json.loads(said(capsys, "fill", "--model", "words", text, "-k", "48", "--json"))
    for block, mask in zip(blocks, record["masks"], strict=True):
        likely = [f"{one['probability']:.4f}\t{one['piece']}" for one in mask[:3]]
        assert block.splitlines() == likely
        assert sum(one["probability"] for one in mask) == pytest.approx(1, abs=1e-3)


# heed classify


def test_labels_of_texts_and_pairs(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["classify", "--model", "mood", "-i", "texts.txt"]) == 0
    out, err = capsys.readouterr()
    lines = [line.split("\t") for line in out.splitlines()]
    assert {label for label, _ in lines} <= {"no", "yes"}
    assert all(0.5 <= float(probability) <= 1 for _, probability in lines)
    counts = {label: [x for x, _ in lines].count(label) for label in ("no", "yes")}
    assert err.endswith(f"4 texts; no: {counts['no']}, yes: {counts['yes']}\n")
    words = ("classify", "--model", "mood", "-i", "pairs.tsv", "--pairs", "--json")
    records = [json.loads(line) for line in said(capsys, *words).splitlines()]
    assert [(one["text"], one["text_b"]) for one in records][1] == ("a dog", "is good")
    assert all(sum(x["probabilities"].values()) == pytest.approx(1, abs=1e-5) for x in records)
    single = json.loads(said(capsys, "classify", "--model", "mood", "--json", "the cat"))
    assert single["probabilities"] != records[0]["probabilities"]


def test_a_number(capsys: pytest.CaptureFixture[str]) -> None:
    line = said(capsys, "classify", "--model", "number", "the cat")
    record = json.loads(said(capsys, "classify", "--model", "number", "the cat", "--json"))
    assert float(line) == pytest.approx(record["value"], abs=1e-4)


def test_how_right_a_model_is(capsys: pytest.CaptureFixture[str]) -> None:
    """Labels are what the model says itself, but for one of the four rows."""
    texts = ["the cat", "a dog", "zoe ate fish", "not bad"]
    lines = said(capsys, "classify", "--model", "mood", *texts).splitlines()
    labels = [line.split("\t")[0] for line in lines]
    labels[3] = {"no": "yes", "yes": "no"}[labels[3]]
    rows = "".join(f"{label},{text}\n" for label, text in zip(labels, texts, strict=True))
    Path("right.csv").write_text(f"mood,words\n{rows}", "utf-8")
    words = ("classify", "--model", "mood", "--data", "right.csv", "--columns", "words,mood")
    figures = dict(line.split("\t") for line in said(capsys, *words).splitlines())
    assert list(figures) == ["accuracy", "Matthews", "F1"]
    assert float(figures["accuracy"]) == 0.75
    Path("numbers.tsv").write_text("the cat\t0.5\na dog\t-1\n", "utf-8")
    numbers = said(capsys, "classify", "--model", "number", "--data", "numbers.tsv")
    assert [line.split("\t")[0] for line in numbers.splitlines()] == ["Pearson", "squared error"]
    assert main(["classify", "--model", "mood", "--data", "numbers.tsv"]) == 2
    err = capsys.readouterr().err
    assert err == 'heed: numbers.tsv:1: the model has no label "0.5"; known: no, yes\n'
    Path("bad.csv").write_bytes(Path("right.csv").read_bytes() + b"\xff,yes\n")
    bad = ["bad.csv" if word == "right.csv" else word for word in words]
    assert main([*bad, "--skip-bad", "--quiet"]) == 0
    out, err = capsys.readouterr()
    assert dict(line.split("\t") for line in out.splitlines()) == figures
    assert err.startswith("heed: bad.csv: 1 bad row left out, the first bad.csv:")


@pytest.mark.parametrize(
    ("words", "sentence"),
    [
        (["embed", "--model", "none", "x"], "none: there is no such folder; "),
        (
            ["embed", "--model", "llama", "x"],
            'llama/config.json: the architecture "llama" is a d',
        ),
        (["embed", "--model", "plain", "x", "-i", "y"], "texts and --input are both given; "),
        (["embed", "--model", "plain", "-i", "none.txt"], "none.txt: cannot be read: "),
        (["embed", "--model", "plain", "a\udc80"], "text 1: invalid UTF-8: byte 0x80; "),
        (
            ["embed", "--model", "plain", "x", "--pooling", "last"],
            '--pooling: "last" is not',
        ),
        (["embed", "--model", "plain", "x", "-o", "none/x.npy"], "none/x.npy: cannot be written: "),
        (["fill", "--model", "words", "the cat"], "text 1: there is no [MASK] in it; write [MASK]"),
        (
            ["fill", "--model", "words", "[MASK] " + "the " * 40],
            "text 1: it has 43 pieces and the model reads 32; shorten it",
        ),
        (["fill", "--model", "plain", "[MASK]"], "the model has no head for masked words; "),
        (["fill", "--model", "words", "[MASK]", "-k", "0"], "--top: 0 is not from 1 to 10,000"),
        (["fill", "--model", "words", "-i", "texts.txt"], "texts.txt:1: there is no [MASK] in it"),
        (["classify", "--model", "plain", "x"], "the model has no head for labels of texts (it"),
        (["classify", "--model", "mood", "x", "--skip-bad"], "--skip-bad: it is for --data; "),
        (
            ["classify", "--model", "mood", "--data", "x.tsv", "--json"],
            "--json: it is about ",
        ),
        (["classify", "--model", "mood", "--data", "x.tsv", "--pairs"], "--pairs: it is about "),
        (
            ["classify", "--model", "mood", "--pairs", "x"],
            "text 1: the line has 1 field, 2 are",
        ),
    ],
)
def test_mistakes_are_one_sentence(
    words: list[str], sentence: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(words) == 2
    out, err = capsys.readouterr()
    assert out == ""
    assert err.startswith(f"heed: {sentence}")
    assert err.count("\n") == 1
