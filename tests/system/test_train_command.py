"""`heed train` from a file to a model that translates; and every way of asking it wrongly."""

import gzip
import json
import os
import random
import resource
import subprocess
import sys
from itertools import chain
from pathlib import Path
from typing import Any

import pytest
import torch

import heedful
from heedful.cli import main
from heedful.data.store import TokenStore
from heedful.decode.shortlist import Shortlist
from heedful.model_folder import load_model
from heedful.train.checkpoint import Checkpoints
from heedful.train.log import TrainLog
from heedful.train.shortlist import rows_of

SMALL = (
    "--model.d-model=16",
    "--model.d-ff=16",
    "--model.n-heads=2",
    "--model.encoder-layers=1",
    "--model.decoder-layers=1",
    "--tokenizer.vocabulary-size=300",
    "--training.bleu-sentences=0",
)
"""Settings of a model that a step takes a few milliseconds to train."""


def sentences(count: int) -> list[tuple[str, str]]:
    """Return made-up sentence pairs, word for word."""
    chance = random.Random(count)
    parts = ["ba", "ko", "ri", "mus", "ten", "lo", "sha", "vi", "gro", "nel"]
    words = ["".join(chance.choices(parts, k=chance.randint(2, 3))) for _ in range(80)]
    picked = [chance.choices(words, k=chance.randint(3, 7)) for _ in range(count)]
    return [
        (f"The {' '.join(row)} {number}.", f"Das {' '.join(word[::-1] for word in row)} {number}.")
        for number, row in enumerate(picked)
    ]


def as_tsv(rows: list[tuple[str, str]]) -> str:
    return "".join(f"{source}\t{target}\n" for source, target in rows)


@pytest.fixture(autouse=True)
def in_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Work beside `my.tsv`, 120 rows that are enough for the recipe tiny's 500 pieces."""
    monkeypatch.chdir(tmp_path)
    Path("my.tsv").write_text(as_tsv(sentences(120)), encoding="utf-8")


@pytest.fixture
def no_waiting_for_the_disk(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "fsync", lambda _: None)


def started(*words: str) -> "subprocess.CompletedProcess[str]":
    return subprocess.run(
        [sys.executable, "-m", "heedful", *words], capture_output=True, text=True, check=False
    )


def test_one_line_from_a_file_to_a_translator() -> None:
    """`heed train --data my.tsv --out runs/mine` holds out, picks a recipe, says so, and trains."""
    run = started(*["train", "--data", "my.tsv", "--out", "runs/mine", "--training.max-steps", "4"])
    assert (run.returncode, run.stdout) == (0, "runs/mine/model\n"), run.stderr
    assert "120 rows: taking the recipe tiny (choose with --recipe)" in run.stderr
    assert "dev and test: 6 rows each held out" in run.stderr
    assert "step 1/4 · loss " in run.stderr
    assert "Traceback" not in run.stderr
    assert "Warning" not in run.stderr

    folder = Path("runs/mine")
    assert {path.name for path in folder.iterdir()} - {"tensorboard"} == {
        ".heedful.lock",
        "checkpoints",
        "config.json",
        "corpus.json",
        "data-report.html",
        "data-report.json",
        "dev.jsonl",
        "log.jsonl",
        "model",
        "store",
        "test.jsonl",
        "tokenizer.json",
    }
    assert {path.name for path in (folder / "model").iterdir()} == {
        "README.md",
        "config.json",
        "model.safetensors",
        "shortlist.safetensors",
        "tokenizer.json",
    }
    assert json.loads((folder / "config.json").read_text("utf-8"))["recipe"] == "tiny"
    assert Checkpoints(folder / "checkpoints").steps() == [4]
    card = (folder / "model" / "README.md").read_text("utf-8")
    for fact in ("my.tsv", "recipe `tiny`", "4 steps", "dev set: loss", "heed evaluate --model"):
        assert fact in card
    shortlist = Shortlist.load(folder / "model")
    assert shortlist is not None
    share, length = shortlist.coverage(rows_of(TokenStore.open(folder / "store" / "dev")))
    covered = (
        f"{length:.0f} of {shortlist.target_size} pieces a sentence, which hold {share:.1%} of"
    )
    assert covered in card
    assert "learning the vocabulary shortlist from 108 rows" in run.stderr
    assert covered in run.stderr
    texts = [(folder / name).read_text("utf-8") for name in ("dev.jsonl", "test.jsonl")]
    held = [{tuple(json.loads(line).values()) for line in text.split("\n")[:-1]} for text in texts]
    assert [len(rows) for rows in held] == [6, 6]
    assert not held[0] & held[1]
    assert held[0] | held[1] < set(sentences(120))


def test_the_model_is_used_by_every_other_command(capsys: pytest.CaptureFixture[str]) -> None:
    """The run folder is a model's name for `heed translate`, `heed evaluate` and Python."""
    words = "--data my.tsv --out runs/mine --training.max-steps 2 --quiet --from en --to de"
    assert main(["train", "--recipe", "tiny", *words.split(), *SMALL]) == 0
    assert capsys.readouterr() == ("runs/mine/model\n", "")
    texts = [source for source, _ in sentences(3)]
    Path("in.txt").write_text("".join(text + "\n" for text in texts), encoding="utf-8")
    assert main(["translate", "--model", "runs/mine", "-i", "in.txt", "-o", "out.txt"]) == 0
    found = heedful.load("runs/mine").translate(texts)
    assert Path("out.txt").read_text("utf-8") == "".join(line + "\n" for line in found)
    capsys.readouterr()
    words = "evaluate --model runs/mine --data runs/mine/test.jsonl --beam 1 --json --quiet"
    assert main(words.split()) == 0
    assert json.loads(capsys.readouterr().out)["direction"] == "en → de"


def test_a_model_without_a_shortlist(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Learning one needs numba; without it the training says so and gives its model."""
    monkeypatch.setattr("heedful.run_translation.available", lambda: False)
    words = "train --recipe tiny --data my.tsv --out runs/mine --training.max-steps 1"
    assert main([*words.split(), *SMALL]) == 0
    assert "no vocabulary shortlist is learnt: numba is not installed\n" in capsys.readouterr().err
    assert Shortlist.load(Path("runs/mine/model")) is None
    assert "shortlist" not in Path("runs/mine/model/README.md").read_text("utf-8")
    load_model(Path("runs/mine/model"))


@pytest.mark.parametrize("steps", [12, pytest.param(120, marks=pytest.mark.slow)])
def test_the_issues_line(steps: int, no_waiting_for_the_disk: None) -> None:
    """Word for word, and with a tenth of the steps."""
    chance = random.Random(1)
    words = ["".join(chance.choices("abcdefghijklmnop", k=8)) for _ in range(80)]
    pairs = zip(words[::2], words[1::2], strict=True)
    rows = [(f"{one} {two}", f"{two} {one}") for one, two in pairs]
    Path("t.tsv").write_text(as_tsv(rows), encoding="utf-8")
    line = (
        "train --recipe tiny --data t.tsv --out runs/x --seed 7 --training.max-steps 120 "
        "--training.save-every 10 --model.d-model 256"
    )
    assert main(line.replace("120", str(steps)).split()) == 0
    config = json.loads(Path("runs/x/config.json").read_text("utf-8"))
    assert (config["seed"], config["model"]["d_model"]) == (7, 256)
    log = [json.loads(text) for text in Path("runs/x/log.jsonl").read_text("utf-8").splitlines()]
    assert (log[0]["step"], log[-1]["step"]) == (1, steps)
    assert log[-1]["loss"] < log[0]["loss"]
    saved = Checkpoints(Path("runs/x/checkpoints")).steps()
    assert saved == ([110, 120] if steps == 120 else [10, 12])
    assert load_model(Path("runs/x/model")).model.config.d_model == 256


def test_both_directions(capsys: pytest.CaptureFixture[str]) -> None:
    words = "--data my.tsv --out runs/two --training.max-steps 1 --from en --to de"
    assert main(["train", "--recipe", "tiny", *words.split(), "--both-directions", *SMALL]) == 0
    said = capsys.readouterr().err
    assert "216 rows, " in said  # 120 less 6 for dev and 6 for test, each way
    translator = heedful.load("runs/two")
    assert translator.tokenizer.languages == ("en", "de")
    for to in ("en", "de"):
        assert len(translator.translate(["ba ko"], to)) == 1


@pytest.mark.parametrize("spec", ["a.en,a.de", "a.jsonl", "a.csv", "a.tsv.gz"])
def test_formats(spec: str, capsys: pytest.CaptureFixture[str]) -> None:
    """However the same rows are written, the same model comes out."""
    rows = sentences(120)
    Path("a.en").write_text("".join(source + "\n" for source, _ in rows), encoding="utf-8")
    Path("a.de").write_text("".join(target + "\n" for _, target in rows), encoding="utf-8")
    lines = [json.dumps({"source": source, "target": target}) + "\n" for source, target in rows]
    Path("a.jsonl").write_text("".join(lines), encoding="utf-8")
    lines = ["source,target\n"] + [f'"{source}","{target}"\n' for source, target in rows]
    Path("a.csv").write_text("".join(lines), encoding="utf-8")
    Path("a.tsv.gz").write_bytes(gzip.compress(as_tsv(rows).encode()))
    fixed = ["--recipe", "tiny", *SMALL, "--training.max-steps", "1", "--quiet"]
    assert main(["train", "--data", "my.tsv", "--out", "plain", *fixed]) == 0
    assert main(["train", "--data", spec, "--out", "other", *fixed]) == 0
    weights = [load_model(Path(name) / "model").model.state_dict() for name in ("plain", "other")]
    assert all(torch.equal(weights[0][name], weights[1][name]) for name in weights[0])


def test_marks_and_line_ends_are_counted(capsys: pytest.CaptureFixture[str]) -> None:
    """A BOM, CRLF, one line of a megabyte: accepted or left out, but never without a word."""
    rows = [*sentences(120), ("long " * 200_000, "lang")]
    text = as_tsv(rows).replace("\n", "\r\n")
    Path("odd.tsv").write_bytes(b"\xef\xbb\xbf" + text.encode())
    fixed = ["--recipe", "tiny", *SMALL, "--training.max-steps", "1"]
    assert main(["train", "--data", "odd.tsv", "--out", "run", *fixed]) == 0
    said = capsys.readouterr().err
    for fact in ("a byte order mark", "121 CRLF line ends", "too long: 1 (dropped)"):
        assert fact in said, said
    report = json.loads(Path("run/data-report.json").read_text("utf-8"))
    assert json.dumps(report).count("odd.tsv")


def test_bad_rows_are_skipped_when_asked(capsys: pytest.CaptureFixture[str]) -> None:
    Path("bad.tsv").write_bytes(b"one field\n" + Path("my.tsv").read_bytes() + b"\xff\tx\n")
    fixed = ["--recipe", "tiny", *SMALL, "--training.max-steps", "1"]
    assert main(["train", "--data", "bad.tsv", "--out", "run", "--skip-bad", *fixed]) == 0
    said = capsys.readouterr().err
    assert "bad.tsv:1: " in said
    assert "bad.tsv:122: invalid UTF-8" in said


def test_columns_pick_two_of_three(capsys: pytest.CaptureFixture[str]) -> None:
    rows = "".join(
        f"{i}\t{target}\t{source}\n" for i, (source, target) in enumerate(sentences(120))
    )
    Path("three.tsv").write_text(rows, encoding="utf-8")
    fixed = ["--recipe", "tiny", *SMALL, "--training.max-steps", "1", "--quiet"]
    assert main(["train", "--data", "three.tsv", "--columns", "3,2", "--out", "run", *fixed]) == 0
    assert main(["train", "--data", "my.tsv", "--out", "plain", *fixed]) == 0
    models = [Path(name, "model", "model.safetensors").read_bytes() for name in ("run", "plain")]
    assert models[0] == models[1]


def make_bad_files() -> None:
    good = as_tsv(sentences(120))
    Path("empty.tsv").write_text("", encoding="utf-8")
    Path("blank.tsv").write_text("\n\t\n \t \n", encoding="utf-8")
    Path("one.tsv").write_text(good + "a field alone\n", encoding="utf-8")
    Path("three.tsv").write_text("a\tb\tc\n" + good, encoding="utf-8")
    Path("latin.tsv").write_bytes(good.encode() + b"sch\xe4n\tnice\n")
    Path("nul.tsv").write_bytes(b"a\0b\tc\n" + good.encode())
    Path("cut.tsv.gz").write_bytes(gzip.compress(good.encode())[:-20])
    Path("x.en").write_text("a\nb\nc\n", encoding="utf-8")
    Path("x.de").write_text("a\nb\n", encoding="utf-8")
    Path("noise.bin").write_bytes(bytes(range(256)))
    Path("few.tsv").write_text("ab\tcd\n" * 3 + "ef\tgh\n", encoding="utf-8")
    Path("folder.tsv").mkdir()
    Path("used").mkdir()
    Path("used/letter.txt").write_text("keep me", encoding="utf-8")
    Path("file").write_text("keep me", encoding="utf-8")


BAD = {
    "missing file": ("--data gone.tsv", "gone.tsv: no such file"),
    "folder": ("--data folder.tsv", "folder.tsv: is a directory"),
    "empty corpus": ("--data empty.tsv", "empty.tsv: the corpus is empty"),
    "blank rows": ("--data blank.tsv", "blank.tsv: none of 3 rows is usable"),
    "one field": ("--data one.tsv", "one.tsv:121: the row has 1 field"),
    "three fields": ("--data three.tsv", "three.tsv:1: the row has 3 fields"),
    "invalid UTF-8": ("--data latin.tsv", "latin.tsv:121: invalid UTF-8: byte 0xE4"),
    "NUL": ("--data nul.tsv", "nul.tsv:1: a NUL character"),
    "gz cut off": ("--data cut.tsv.gz", "cut.tsv.gz: the gz file is cut off"),
    "unequal": ("--data x.en,x.de", "3 lines"),
    "unknown format": ("--data noise.bin", "noise.bin: no format is known"),
    "missing dev": ("--data my.tsv --dev gone.tsv", "gone.tsv: no such file"),
    "broken test set": ("--data my.tsv --test latin.tsv", "latin.tsv:121: invalid UTF-8"),
    "columns": ("--data my.tsv --columns 1,5", "my.tsv:1: "),
    "one column": ("--data my.tsv --columns 1", "columns"),
    "small corpus": (
        "--data few.tsv --tokenizer.vocabulary-size 500",
        "the corpus is too small for a vocabulary of 500 pieces; use --tokenizer.vocabulary-size",
    ),
    "no data": ("", "--data: there is nothing to learn from"),
    "long sentences": (
        "--data my.tsv --training.max-pieces 4 --tokenizer.vocabulary-size 300",
        "rows of train are longer than 4 pieces",
    ),
    "recipe": ("--data my.tsv --recipe tinny", 'did you mean "tiny"?'),
    "setting": ("--data my.tsv --model.d-modle 8", 'did you mean "d-model"?'),
    "option": ("--data my.tsv --recip tiny", "did you mean"),
    "wrong type": ("--data my.tsv --training.max-steps x", "--training.max-steps: input should"),
    "impossible": ("--data my.tsv --model.d-model 30", "not divisible by n_heads 4"),
    "languages": ("--data my.tsv --both-directions --from a! --to b", '"a!" cannot be a language'),
    "batch": ("--data my.tsv --batch-tokens autto", "give a whole number of at least 8, or auto"),
    "small batch": ("--data my.tsv --batch-tokens 100", "so that the longest sentence fits no"),
    "shards": ("--data my.tsv --training.shards 0", "--training.shards: input should be"),
    "device": ("--data my.tsv --device tpu", "--device"),
    "seed": ("--data my.tsv --seed -1", "--seed"),
    "out used": ("--data my.tsv --out used", "used: the folder is not empty; go on with"),
    "out a file": ("--data my.tsv --out file", "file: this is a file, a run needs a folder"),
    "out under a file": ("--data my.tsv --out file/run", "file/run: the run folder cannot be made"),
    "out nowhere": ("--data my.tsv --out /proc/run/x", "/proc/run/x: the run folder cannot be"),
    "resume": ("--resume", "runs/x: there is no run to resume"),
    "resume elsewhere": ("--resume --out used", "used: there is no run to resume"),
}  # fmt: skip


@pytest.mark.parametrize("quiet", [True, False], ids=["quiet", "told"])
@pytest.mark.parametrize("name", BAD)
def test_bad_input(name: str, quiet: bool, capsys: pytest.CaptureFixture[str]) -> None:
    """Exit code 2, one sentence with the place, and the folder is as it was."""
    make_bad_files()
    before = {path: path.stat().st_mtime_ns for path in Path().rglob("*")}
    words, said = BAD[name]
    fixed = [] if "--out" in words else ["--out", "runs/x"]
    recipe = [] if "--recip" in words or "--resume" in words else ["--recipe", "tiny"]
    code = main(["train", *words.split(), *fixed, *recipe, *(["--quiet"] if quiet else [])])
    out, err = capsys.readouterr()
    assert (code, out) == (2, "")
    assert err.endswith("\n")
    *progress, last = err.rstrip("\n").split("\n")
    assert last.startswith("heed: ")
    assert said in last
    assert "Traceback" not in err
    if quiet:
        assert progress == []
    assert {path: path.stat().st_mtime_ns for path in Path().rglob("*")} == before


@pytest.mark.skipif(torch.cuda.is_available(), reason="there is one")
def test_no_gpu(capsys: pytest.CaptureFixture[str]) -> None:
    words = ["train", "--data", "my.tsv", "--recipe", "tiny", "--out", "run", "--device", "cuda"]
    assert main(words) == 2
    assert "sees no GPU here; use cpu" in capsys.readouterr().err
    assert not Path("run").exists()


def test_batches_as_large_as_memory_holds(capsys: pytest.CaptureFixture[str]) -> None:
    """`auto` becomes a number, said and kept with the run, which can go on with it."""
    words = ["train", "--data", "my.tsv", "--recipe", "tiny", "--out", "run", *SMALL]
    words += ["--training.max-pieces", "64"]
    assert main([*words, "--batch-tokens", "auto", "--training.max-steps", "2"]) == 0
    said = capsys.readouterr().err
    kept = json.loads(Path("run/config.json").read_text("utf-8"))["training"]["batch_tokens"]
    assert isinstance(kept, int)
    assert kept >= 64
    assert f"batches of {kept:,} pieces (--training.batch-tokens auto)" in said
    more = ["--resume", "--batch-tokens", "auto", "--training.max-steps", "4"]
    assert main(["train", "--out", "run", *more]) == 0
    again = json.loads(Path("run/config.json").read_text("utf-8"))["training"]
    assert (again["batch_tokens"], again["max_steps"]) == (kept, 4)


def test_a_corpus_of_one_sentence(capsys: pytest.CaptureFixture[str]) -> None:
    Path("one.tsv").write_text("the cat\tdie Katze\n", encoding="utf-8")
    words = ["train", "--data", "one.tsv", "--out", "run", "--training.max-steps", "2"]
    assert main(words) == 0
    assert "the corpus is one sentence: the model can only learn it by heart\n" in (
        capsys.readouterr().err
    )


def test_bf16_without_hardware_is_said(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("heedful.run.has_bf16", lambda _: False)
    words = ["train", "--data", "my.tsv", "--recipe", "tiny", "--out", "run", *SMALL]
    assert main([*words, "--training.max-steps", "1", "--training.precision", "bf16"]) == 0
    said = "this machine has no bf16 hardware: --training.precision float32 is faster\n"
    assert said in capsys.readouterr().err


def test_out_of_memory_on_the_first_batch(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Not even a sentence fits: one sentence, exit code 2."""

    def full(*_: Any) -> None:
        raise MemoryError

    monkeypatch.setattr("heedful.objectives.Translation.loss", full)
    words = ["train", "--data", "my.tsv", "--recipe", "tiny", "--out", "run", *SMALL]
    assert main([*words, "--quiet"]) == 2
    err = capsys.readouterr().err
    assert err.startswith("heed: --training.max-pieces: a sentence of ")
    assert err.endswith("does not fit in the memory of cpu; lower it, or take a smaller model\n")
    assert err.count("\n") == 1


def test_a_small_corpus_gives_fewer_pieces(capsys: pytest.CaptureFixture[str]) -> None:
    """The recipe's own vocabulary shrinks, and it is said; one asked for does not (see above)."""
    Path("few.tsv").write_text(as_tsv(sentences(8)), encoding="utf-8")
    assert main(["train", "--data", "few.tsv", "--out", "run", "--training.max-steps", "1"]) == 0
    size = load_model(Path("run/model")).tokenizer.target_size
    assert 260 < size < 500
    said = capsys.readouterr().err
    assert "learning 500 pieces" in said
    assert f"the corpus gives {size}" in said


@pytest.mark.parametrize("words", [BAD["missing file"], BAD["empty corpus"], BAD["one field"]])
def test_bad_input_before_the_recipe(
    words: tuple[str, str], capsys: pytest.CaptureFixture[str]
) -> None:
    """Without --recipe the rows are counted first; what is wrong with them is said then."""
    make_bad_files()
    assert main(["train", *words[0].split(), "--out", "runs/x"]) == 2
    assert words[1] in capsys.readouterr().err
    assert not Path("runs").exists()


@pytest.mark.skipif(os.geteuid() == 0, reason="root reads and writes everything")
def test_no_permission(capsys: pytest.CaptureFixture[str]) -> None:
    Path("closed").mkdir(mode=0o500)
    assert (
        main(["train", "--data", "my.tsv", "--recipe", "tiny", "--out", "closed/run", "--quiet"])
        == 2
    )
    assert "closed/run: the run folder cannot be made" in capsys.readouterr().err
    Path("my.tsv").chmod(0)
    assert main(["train", "--data", "my.tsv", "--recipe", "tiny", "--out", "run", "--quiet"]) == 2
    assert "my.tsv: cannot be read: permission denied" in capsys.readouterr().err


def test_an_empty_folder_stays_empty(capsys: pytest.CaptureFixture[str]) -> None:
    """A folder that was there is used, and left as it was when nothing comes of it."""
    Path("ready").mkdir()
    words = ["train", "--recipe", "tiny", "--data", "my.tsv", "--out", "ready", "--quiet"]
    assert main([*words, "--tokenizer.vocabulary-size", "30000"]) == 2
    assert "too small for a vocabulary of 30000 pieces" in capsys.readouterr().err
    assert list(Path("ready").iterdir()) == []
    assert main([*words, *SMALL, "--training.max-steps", "1"]) == 0


def test_disk_full_while_saving(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """The system refuses big files from step 5 on: step 3 is kept, and the run goes on later."""
    words = ["--recipe", "tiny", "--data", "my.tsv", *SMALL, "--quiet"]
    words += ["--training.max-steps", "8", "--training.save-every", "3"]
    assert main(["train", "--out", "whole", *words]) == 0
    limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    show = TrainLog.show

    def filling(self: TrainLog, step: int, *others: Any) -> None:
        if step == 5:
            resource.setrlimit(resource.RLIMIT_FSIZE, (20_000, limits[1]))
        show(self, step, *others)

    capsys.readouterr()
    with monkeypatch.context() as patch:
        patch.setattr(TrainLog, "show", filling)
        try:
            assert main(["train", "--out", "run", *words]) == 2
        finally:
            resource.setrlimit(resource.RLIMIT_FSIZE, limits)
    out, err = capsys.readouterr()
    assert (out, err.count("\n")) == ("", 1)
    assert "run/checkpoints: the checkpoint of step 6 cannot be saved" in err
    assert [path.name for path in Path("run/checkpoints").iterdir()] == ["step-3"]
    assert main(["train", "--out", "run", "--resume", "--quiet"]) == 0
    models = [Path(name, "model", "model.safetensors").read_bytes() for name in ("whole", "run")]
    assert models[0] == models[1]


def test_interrupted_while_preparing(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Ctrl-C before the first step: the command it prints starts the run, tokenizer and all."""
    words = ["--recipe", "tiny", "--data", "my.tsv", "--out", "run", *SMALL, "--quiet"]

    def interrupt(*_: Any, **__: Any) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(TokenStore, "build", interrupt)
        assert main(["train", *words, "--training.max-steps", "1"]) == 130
    err = capsys.readouterr().err
    assert err == "heed: interrupted; go on with: heed train --out run --resume\n"
    assert main(["train", "--out", "run", "--resume", "--quiet"]) == 0
    assert Path("run/model/model.safetensors").exists()


def test_interrupted_before_there_is_a_run(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Ctrl-C while the rows are counted: no --resume is advised, which would be refused."""

    def interrupt(*_: Any) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr("heedful.data.corpus.count_rows", interrupt)
    assert main(["train", "--data", "my.tsv", "--out", "run"]) == 130
    assert capsys.readouterr().err == "heed: interrupted\n"
    assert not Path("run").exists()


@pytest.mark.parametrize("option", ["--data", "--out"])
def test_a_name_that_is_not_utf8(option: str, capsys: pytest.CaptureFixture[str]) -> None:
    Path("caf\udce9.tsv").write_bytes(Path("my.tsv").read_bytes())
    given = {"--data": "my.tsv", "--out": "run", "--recipe": "tiny"} | {option: "caf\udce9.tsv"}
    assert main(["train", *chain.from_iterable(given.items())]) == 2
    assert r"caf\udce9.tsv: the name is not UTF-8" in capsys.readouterr().err
    assert not Path("run").exists()


def test_a_recipes_vocabulary_shrinks_to_the_corpus(
    no_waiting_for_the_disk: None, capsys: pytest.CaptureFixture[str]
) -> None:
    """Nobody asked for the recipe's number of pieces; what was asked for is held."""
    rows = (f"some word {n}\tein Wort {n}\n" for n in range(1200))
    Path("short.tsv").write_text("".join(rows), "utf-8")
    line = "train --data short.tsv --out runs/short --training.max-steps 1"
    assert main(line.split()) == 0
    assert "learning 6,000 pieces\nthe corpus gives " in capsys.readouterr().err
    again = line.replace("runs/short", "runs/asked") + " --tokenizer.vocabulary-size 6000"
    assert main(again.split()) == 2
    assert "too small for a vocabulary of 6000 pieces" in capsys.readouterr().err
    assert not Path("runs/asked").exists()
