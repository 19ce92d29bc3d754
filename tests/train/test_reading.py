"""An encoder learns through the one loop: labels, numbers, masked words; what is refused, and why.

A run that is cut off and gone on with is the same run, bit by bit.
"""

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from safetensors.torch import load_file

from heedful.cli import main
from heedful.data.examples import ReadingData
from heedful.interop.encoders import open_reader
from heedful.reading_data import labelled_rows
from heedful.train.loop import Trainer
from heedful.train.settings import Gone, RowTraining
from tests.interop.readers import make_reader

QUICK = [
    *("--training.max-steps", "12", "--training.batch-rows", "8", "--training.log-every", "1"),
    *("--training.validate-every", "4", "--training.save-every", "4", "--training.epochs", "50"),
    *("--schedule.peak", "3e-3", "--training.shards", "1", "--device", "cpu"),
]
SMALL = [
    *("--model.d-model", "16", "--model.d-ff", "24", "--model.n-heads", "2"),
    *("--model.n-layers", "2", "--model.max-length", "32", "--tokenizer.vocabulary-size", "70"),
    *("--training.max-pieces", "32"),
]


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a folder with a BERT, tables and a text."""
    folder = tmp_path_factory.mktemp("reading")
    make_reader(folder / "bert", hidden_dropout_prob=0.2)
    random = np.random.default_rng(1)
    things, rows, pairs = ["the cat", "a dog", "zoe", "the mat"], [], []
    for _ in range(60):
        one, other = random.choice(things, 2)
        word = str(random.choice(["good", "bad"]))
        text = f"{one} is {'not ' * int(random.integers(3))}very {word}"
        rows.append(f"{text}\t{'yes' if word == 'good' else 'no'}\n")
        pairs.append(f"{one}\t{other}\t{float(one == other):.1f}\n")
    (folder / "train.tsv").write_text("".join(rows[:45]), "utf-8")
    (folder / "dev.tsv").write_text("".join(rows[45:]), "utf-8")
    (folder / "pairs.tsv").write_text("".join(pairs), "utf-8")
    (folder / "text.txt").write_text("".join(row.replace("\t", " ") for row in rows), "utf-8")
    (folder / "one.tsv").write_text("a cat\tyes\na dog\tyes\n", "utf-8")
    (folder / "odd.tsv").write_text("a cat\tyes\na dog\tperhaps\n", "utf-8")
    (folder / "named.csv").write_text("sentence,mood\na cat,yes\na dog,no\n", "utf-8")
    return folder


@pytest.fixture(autouse=True)
def in_folder(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(folder)


def trained(name: str, *words: str) -> Path:
    out = Path("runs") / name
    assert main(["train", "--out", str(out), *words, *QUICK]) == 0
    return out


def records(run: Path, kind: str) -> list[dict[str, Any]]:
    every = [json.loads(line) for line in (run / "log.jsonl").read_text().splitlines()]
    return [one for one in every if one["kind"] == kind]


LABELS = ["--recipe", "bert_classify", "--from", "bert", "--data", "train.tsv", "--dev", "dev.tsv"]


@pytest.fixture(scope="module")
def labelled(folder: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(folder)
        return folder / trained("labels", *LABELS)


def test_labels_are_learnt_and_asked(labelled: Path, capsys: pytest.CaptureFixture[str]) -> None:
    losses = [one["loss"] for one in records(labelled, "train")]
    assert losses[-1] < losses[0]
    measured = records(labelled, "validation")
    assert [one["step"] for one in measured] == [4, 8, 12]
    assert set(measured[0]) == {"kind", "step", "loss", "accuracy", "Matthews", "F1"}
    capsys.readouterr()
    assert main(["classify", "--model", str(labelled), "a dog is good", "--json"]) == 0
    record = json.loads(capsys.readouterr().out)
    assert set(record["probabilities"]) == {"no", "yes"}
    card = (labelled / "model" / "README.md").read_text()
    assert "labels: no, yes" in card
    assert f"accuracy {measured[-1]['accuracy']:.3f}" in card or "weights are those of" in card
    config = json.loads((labelled / "config.json").read_text())
    assert config["training"]["max_steps"] == 12
    assert config["model"]["head"] == {"kind": "labels", "labels": ["no", "yes"]}


def test_what_is_measured_is_what_the_command_measures(
    labelled: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    capsys.readouterr()
    assert main(["classify", "--model", str(labelled), "--data", "dev.tsv"]) == 0
    figures = dict(line.split("\t") for line in capsys.readouterr().out.splitlines())
    card = (labelled / "model" / "README.md").read_text()
    for name, value in figures.items():
        assert f"{name} {float(value):.3f}" in card


def test_a_learnt_model_is_the_same_from_disk(labelled: Path) -> None:
    reader = open_reader(labelled)
    weights = load_file(labelled / "model" / "model.safetensors")
    for name, weight in reader.model.named_parameters():
        assert torch.equal(weight, weights[name])
    first = open_reader(Path("bert"))
    assert reader.vocabulary.fingerprint() == first.vocabulary.fingerprint()


class Crash(BaseException):
    """Stands for a process that ends at once."""


def crashed(name: str, monkeypatch: pytest.MonkeyPatch, *words: str) -> None:
    """Begin a run that ends while the weights of its step 7 are being computed."""
    update = Trainer._update

    def dying(self: Trainer, portion: Any) -> Any:
        if self.state.step + 1 == 7:
            raise Crash
        return update(self, portion)

    with monkeypatch.context() as patch:
        patch.setattr(Trainer, "_update", dying)
        with pytest.raises(Crash):
            trained(name, *words)


def assert_same(one: Path, other: Path) -> None:
    """Check that two runs have the same weights and losses, bit by bit."""
    for name in ("model/model.safetensors", "checkpoints/step-12/model.safetensors"):
        mine, its = load_file(one / name), load_file(other / name)
        assert mine.keys() == its.keys()
        assert all(torch.equal(mine[key], its[key]) for key in mine)
    seen = [[record["loss"] for record in records(run, "train")] for run in (one, other)]
    assert seen[0] == seen[1]


def test_a_run_that_is_gone_on_with_is_the_same_run(
    labelled: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    crashed("cut", monkeypatch, *LABELS)
    assert main(["train", "--out", "runs/cut", "--resume", *LABELS]) == 0
    assert_same(labelled, Path("runs/cut"))


def test_so_is_one_of_masked_words(monkeypatch: pytest.MonkeyPatch) -> None:
    words = ["--recipe", "bert-words", "--data", "text.txt", *SMALL, "--model.dropout", "0.2"]
    whole = trained("whole", *words)
    crashed("half", monkeypatch, *words)
    assert main(["train", "--out", "runs/half", "--resume"]) == 0
    assert_same(whole, Path("runs/half"))


@pytest.mark.parametrize(
    ("epochs", "accumulate", "steps"), [(3, 1, 9), (3, 8, 2), (3, 2, 5), (0.5, 1, 2), (0.1, 4, 1)]
)
def test_epochs_are_as_many_however_batches_are_accumulated(
    epochs: float, accumulate: int, steps: int
) -> None:
    """An update takes batches of two epochs, so nothing is to be rounded up in each of them."""
    training = RowTraining(batch_rows=32, epochs=epochs, accumulate=accumulate)
    assert training.steps(90) == steps


@pytest.mark.parametrize(("accumulate", "rows", "steps"), [(2, 90, 6), (1, 90, 9), (1, 180, 18)])
def test_what_is_left_of_the_epochs_is_learnt(accumulate: int, rows: int, steps: int) -> None:
    """A run of 4 epochs that has learnt two of them, of 3 batches each, two batches at a time."""
    training = RowTraining(batch_rows=32, epochs=4, accumulate=accumulate)
    assert training.steps(rows, Gone(step=3, epoch=1, next_batch=3)) == steps


def test_more_epochs_of_a_run_that_is_gone_on_with(folder: Path) -> None:
    """The steps that its first epochs came to do not hold them back, nor does their warm-up."""
    words = [*LABELS, "--training.batch-rows", "8", "--training.epochs"]
    run = Path("runs/epochs")
    assert main(["train", "--out", str(run), *words, "1", "--training.warmup-share", "0.5"]) == 0
    assert [one["step"] for one in records(run, "train")] == [1, 6]
    assert main(["train", "--out", str(run), "--resume", "--training.epochs", "2"]) == 0
    assert [one["step"] for one in records(run, "train")] == [1, 6, 12]
    config = json.loads((run / "config.json").read_text("utf-8"))
    assert config["schedule"]["warmup_steps"] == 6


def test_epochs_are_whole_with_other_portions_and_other_rows(folder: Path) -> None:
    """What the epochs of an earlier start came to is no limit that was asked for."""
    words = [*LABELS, "--training.batch-rows", "8", "--training.epochs", "1"]
    run = Path("runs/portions")
    assert main(["train", "--out", str(run), *words, "--training.accumulate", "2"]) == 0
    assert [one["step"] for one in records(run, "train")] == [1, 3]
    again = ["train", "--out", str(run), "--resume"]
    assert main([*again, "--training.epochs", "2", "--training.accumulate", "1"]) == 0
    assert [one["step"] for one in records(run, "train")] == [1, 3, 9]
    more = ["--data", "train.tsv", "dev.tsv", "--training.epochs", "3"]
    assert main([*again, "--accept-changes", *more]) == 0
    assert [one["step"] for one in records(run, "train")][-1] == 9 + 3 * 8 - 8 - 6
    config = json.loads((run / "config.json").read_text("utf-8"))
    assert config["training"]["max_steps"] == 100_000


def test_steps_of_warm_up_that_are_asked_for_are_taken() -> None:
    run = trained("warm", *LABELS, "--schedule.warmup-steps", "7")
    config = json.loads((run / "config.json").read_text("utf-8"))
    assert config["schedule"]["warmup_steps"] == 7
    rates = [one["learning_rate"] for one in records(run, "train")]
    assert rates.index(max(rates)) == 6


def test_a_changed_corpus_is_said(labelled: Path, capsys: pytest.CaptureFixture[str]) -> None:
    run = trained("changed", *LABELS[:-2], "--data.held-out", "0.2")
    table = Path("train.tsv")
    before = table.read_text()
    table.write_text(before.replace("cat", "dog", 1))
    try:
        capsys.readouterr()
        assert main(["train", "--out", str(run), "--resume", "--training.max-steps", "14"]) == 2
        assert "the corpus has changed since this run began" in capsys.readouterr().err
    finally:
        table.write_text(before)


def test_numbers_of_pairs(capsys: pytest.CaptureFixture[str]) -> None:
    words = ["--recipe", "bert-classify", "--start", "bert", "--data", "pairs.tsv"]
    run = trained("numbers", *words, "--data.numbers", "true")
    assert {"Pearson", "squared error"} <= set(records(run, "validation")[0])
    capsys.readouterr()
    assert main(["classify", "--model", str(run), "--pairs", "the cat\tthe cat"]) == 0
    assert float(capsys.readouterr().out)


def test_a_model_of_ones_own_goes_on_to_learn(
    labelled: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    capsys.readouterr()
    trained("again", "--recipe", "bert-classify", "--start", str(labelled), "--data", "train.tsv")
    assert "new, not of" not in capsys.readouterr().err
    trained("other", "--recipe", "bert-classify", "--start", str(labelled), "--data", "named.csv",
            "--columns", "sentence,mood", "--data.held-out", "0")  # fmt: skip
    assert "none held out" in capsys.readouterr().err


@pytest.mark.parametrize("whole", ["false", "true"])
def test_masked_words_from_nothing_and_from_a_model(
    whole: str, capsys: pytest.CaptureFixture[str]
) -> None:
    words = ["--recipe", "bert-words", "--data", "text.txt", "--objective.whole-words", whole]
    run = trained(f"words-{whole}", *words, *SMALL)
    losses = [one["loss"] for one in records(run, "train")]
    assert losses[-1] < losses[0]
    capsys.readouterr()
    assert main(["fill", "--model", str(run), "the [MASK] is good", "-k", "2"]) == 0
    assert len(capsys.readouterr().out.splitlines()) == 2
    trained(f"more-{whole}", *words, "--start", "bert")
    assert "new, not of bert: head" in capsys.readouterr().err


def test_labels_and_words_from_nothing_and_from_several_files(
    capsys: pytest.CaptureFixture[str],
) -> None:
    table = ["--recipe", "bert-classify", "--data", "train.tsv", "dev.tsv"]
    run = trained("anew", *table, *SMALL, "--data.held-out", "0.3")
    assert "new, not of" not in capsys.readouterr().err
    assert {"accuracy"} <= set(records(run, "validation")[0])
    text = ["--recipe", "bert-words", "--data", "text.txt", "train.tsv", "--dev", "text.txt"]
    run = trained("two", *text, *SMALL)
    assert records(run, "validation")[0]["perplexity"] > 1


def test_what_there_is_to_say_of_the_data(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    rows = ["the cat is bad\tno\n"] * 1 + [f"the dog is good {'the ' * n}\tyes\n" for n in range(9)]
    Path("skewed.tsv").write_text("".join([*rows, "broken\n"]), "utf-8")
    words = ["--recipe", "bert-classify", "--start", "bert", "--data", "skewed.tsv", "--skip-bad"]
    trained("skewed", *words, "--dev", "dev.tsv", "--training.max-pieces", "10")
    err = capsys.readouterr().err
    assert "2 labels: no: 1, yes: 9" in err
    assert '90 % of the rows have the label "yes"' in err
    assert "skewed.tsv: 1 bad row left out, the first skewed.tsv:11: the row has 1 of" in err
    assert "4 of 10 rows to learn from lost their ends: --training.max-pieces is 10" in err
    assert "the dev set has 15 rows" in err


@pytest.mark.parametrize(("labels", "held"), [(90, 4), (100, 0)])
def test_no_label_is_held_out_with_all_its_rows(labels: int, held: int, folder: Path) -> None:
    table = Path("rare.tsv")
    table.write_text("".join(f"text number {n}\tlabel{n % labels}\n" for n in range(100)), "utf-8")
    vocabulary = open_reader(Path("bert")).vocabulary
    found = labelled_rows(ReadingData(train=(str(table),)), vocabulary, 32, 1, folder)
    assert len(found.labels) == labels
    assert len(found.dev or ()) == held


@pytest.mark.parametrize(
    ("words", "sentence"),
    [
        (["--data", "one.tsv"], 'one.tsv: every row has the label "yes", and there is nothing to'),
        (["--data", "train.tsv", "--dev", "odd.tsv"], 'odd.tsv:2: the label "perhaps" is none of'),
        (["--data", "train.tsv", "--data.numbers", "true"], "is no number; leave out --data.numb"),
        (["--data", "named.csv", "--columns", "text,mood"], '--columns: there is no column "text"'),
        (["--data", "none.tsv"], "none.tsv: no such file"),
        (["--data", "text.txt"], "text.txt: no table is known by the ending of its name"),
        ([], "--data: there is nothing to learn from; give --data FILE"),
        (["--data", "train.tsv", "--dev", "pairs.tsv"], "some rows are one text and some are"),
        (["--data", "train.tsv", "--to", "de"], "--to: it is for pairs of sentences, and --recipe"),
        (
            ["--data", "train.tsv", "--model.d-model", "8"],
            "--model.d-model: a model to begin with ",
        ),
        (["--data", "train.tsv", "--training.max-pieces", "64"], "64 is more than the 32 pieces"),
    ],
)
def test_mistakes_are_one_sentence(
    words: list[str], sentence: str, capsys: pytest.CaptureFixture[str]
) -> None:
    asked = ["train", "--recipe", "bert-classify", "--start", "bert", "--out", "runs/none"]
    assert main([*asked, *words, "--quiet"]) == 2
    err = capsys.readouterr().err
    assert err.startswith("heed: ")
    assert sentence in err
    assert err.count("\n") == 1
    assert not Path("runs/none").exists()


def refused(capsys: pytest.CaptureFixture[str], *words: str) -> str:
    """Return the one sentence about a run that leaves nothing behind."""
    assert main(["train", "--out", "runs/none", "--quiet", *words]) == 2
    err = capsys.readouterr().err
    assert err.count("\n") == 1
    assert not Path("runs/none").exists()
    return err


def test_pairs_are_refused_by_a_model_of_one_text(capsys: pytest.CaptureFixture[str]) -> None:
    make_reader(Path("single"), type_vocab_size=1)
    table = ["--recipe", "bert-classify", "--data", "pairs.tsv"]
    for model in (["--start", "single"], [*SMALL, "--model.n-segments", "1"]):
        said = refused(capsys, *table, *model)
        assert "pairs.tsv: the rows are of two texts, and the model reads one text" in said


@pytest.mark.parametrize("option", ["--columns 1,2", "--skip-bad", "--data.numbers true"])
def test_a_text_is_no_table(option: str, capsys: pytest.CaptureFixture[str]) -> None:
    said = refused(capsys, "--recipe", "bert-words", "--data", "text.txt", *option.split())
    assert "is for tables, and masked words are of texts: leave it out" in said


def test_words_are_not_masked_without_a_piece_for_it(capsys: pytest.CaptureFixture[str]) -> None:
    path = make_reader(Path("maskless")) / "tokenizer.json"
    path.write_text(path.read_text("utf-8").replace("[MASK]", "[X]"), "utf-8")
    words = ["--recipe", "bert-words", "--start", "maskless", "--data", "text.txt"]
    assert "--start maskless: its vocabulary has no [MASK], by which" in refused(capsys, *words)


def test_a_decoder_to_begin_with_is_refused(capsys: pytest.CaptureFixture[str]) -> None:
    from tests.interop.folders import make_folder

    make_folder(Path("gpt"))
    words = ["--recipe", "bert-classify", "--start", "gpt", "--data", "train.tsv", "--out", "no"]
    assert main(["train", *words]) == 2
    assert 'the architecture "gpt2" is a decoder' in capsys.readouterr().err
