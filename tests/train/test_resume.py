"""A resumed run is the same run: weights, moments, random states, log and final model, bit for bit.

Runs are cut at a step by an exception that stands for a crash, by signals, and by SIGKILL.
"""

import json
import os
import random
import shlex
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from functools import cache
from pathlib import Path
from typing import Any

import pytest
import torch

from heedful.cli import main
from heedful.config import RunConfig, merged, read_config
from heedful.data.corpus import Corpus
from heedful.errors import HeedfulError, ModelError, SettingError
from heedful.progress import Progress
from heedful.run import RunResult, train
from heedful.text.tokenizer import BPE, Tokenizer
from heedful.train.checkpoint import Checkpoint, Checkpoints
from heedful.train.log import TrainLog
from heedful.train.loop import Trainer
from tests.train.tracing import agrees, trace, words_of

QUIET = Progress(quiet=True)


class Crash(BaseException):
    """Stands for a process that ends at once."""


def die(*_: Any) -> None:
    raise Crash


def train_and_crash(config: RunConfig, folder: Path, step: int, *, resume: bool = False) -> None:
    """Train until the process ends while the weights of a step are being computed."""
    update = Trainer._update

    def dying(self: Trainer, batches: Any) -> Any:
        return die() if self.state.step + 1 == step else update(self, batches)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(Trainer, "_update", dying)
        with pytest.raises(Crash):
            train(config, folder, QUIET, resume=resume)


def signal_at(monkeypatch: pytest.MonkeyPatch, step: int, number: signal.Signals) -> None:
    """Let a signal come right after a step."""
    show = TrainLog.show

    def noisy(self: TrainLog, at: int, *others: Any) -> None:
        show(self, at, *others)
        if at == step:
            signal.raise_signal(number)

    monkeypatch.setattr(TrainLog, "show", noisy)


@pytest.fixture(autouse=True)
def heard_signals() -> Iterator[None]:
    """Let SIGINT act as on a terminal: a shell makes what it starts with & deaf to it."""
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    yield
    signal.signal(signal.SIGINT, before)


@pytest.fixture(scope="module")
def uncut(tmp_path_factory: pytest.TempPathFactory) -> Callable[[RunConfig], dict[str, Any]]:
    """Return what gives the trace of a run that nothing disturbed, made once."""

    @cache
    def trace_of(settings: str) -> dict[str, Any]:
        folder = tmp_path_factory.mktemp("uncut") / "run"
        result = train(RunConfig.model_validate_json(settings), folder, QUIET)
        assert result.outcome.finished
        return trace(folder)

    return lambda config: trace_of(config.model_dump_json())


Uncut = Callable[[RunConfig], dict[str, Any]]


VARIANTS: dict[str, dict[str, Any]] = {
    "plain": {},
    "accumulate": {"training": {"accumulate": 4}},
    "bf16, BLEU": {"training": {"precision": "bf16", "bleu_sentences": 2}},
    "adamw, linear, learned positions": {
        "optimizer": {"kind": "adamw"},
        "schedule": {"kind": "linear", "warmup_steps": 4},
        "model": {"position": {"kind": "learned"}, "embedding": {"kind": "untied"}},
    },
    "muon, R-Drop, moving average, BPE dropout": {
        "optimizer": {"kind": "muon"},
        "objective": {"r_drop": 1},
        "training": {"moving_average": 0.9, "bpe_dropout": 0.2},
    },
    "both directions": {"data": {"both_directions": True}},
}


@pytest.mark.parametrize("name", VARIANTS)
def test_cut_three_times(
    name: str, config: RunConfig, uncut: Uncut, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Crash, interruption, crash, in the middle of an epoch and across its end, then the end."""
    config = merged(config, VARIANTS[name])
    whole = uncut(config)
    chance = random.Random(name)
    folder = tmp_path / "cut"
    train_and_crash(config, folder, chance.randint(4, 6))
    with monkeypatch.context() as patch:
        signal_at(patch, chance.randint(7, 8), signal.SIGINT)
        stopped = train(config, folder, QUIET, resume=True)
    assert (stopped.outcome.finished, stopped.model) == (False, None)
    train_and_crash(config, folder, chance.randint(9, 12), resume=True)
    assert train(config, folder, QUIET, resume=True).outcome.finished
    assert trace(folder) == whole
    assert torch.random.initial_seed() == config.seed


def test_same_seed_same_run(config: RunConfig, tmp_path: Path, uncut: Uncut) -> None:
    train(config, tmp_path / "again", QUIET)
    assert trace(tmp_path / "again") == uncut(config)
    other = uncut(merged(config, {"seed": 5}))
    assert other["model.safetensors"] != uncut(config)["model.safetensors"]


def test_cut_before_the_first_checkpoint(
    config: RunConfig, uncut: Uncut, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: Any
) -> None:
    """There is nothing to go on from: the run starts anew, and says so."""
    whole = uncut(config)
    train_and_crash(config, tmp_path / "cut", 2)
    train(config, tmp_path / "cut", Progress(), resume=True)
    assert "no checkpoint yet: starting from its first step" in capsys.readouterr().err
    assert trace(tmp_path / "cut") == whole


def test_cut_while_preparing(
    config: RunConfig, uncut: Uncut, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    whole = uncut(config)
    save = Tokenizer.save

    def dying(self: Tokenizer, path: Path) -> None:
        save(self, path)
        die()

    with monkeypatch.context() as patch:
        patch.setattr(Tokenizer, "save", dying)
        with pytest.raises(Crash):
            train(config, tmp_path / "cut", QUIET)
    train(config, tmp_path / "cut", QUIET, resume=True)
    assert trace(tmp_path / "cut") == whole


def test_cut_between_training_and_model(
    config: RunConfig, uncut: Uncut, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """All steps are done: resuming makes none, and writes the model that was missing."""
    whole = uncut(config)

    with monkeypatch.context() as patch:
        patch.setattr("heedful.train.finish.average", die)
        with pytest.raises(Crash):
            train(config, tmp_path / "cut", QUIET)
    assert not (tmp_path / "cut" / "model").exists()
    for _ in range(2):
        result = train(config, tmp_path / "cut", QUIET, resume=True)
        assert result.outcome == (True, 12, "12 steps are done")
        assert trace(tmp_path / "cut") == whole


def test_a_torn_log_is_mended(
    config: RunConfig, uncut: Uncut, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    whole = uncut(config)
    train_and_crash(config, tmp_path / "cut", 9)
    with (tmp_path / "cut" / "log.jsonl").open("ab") as file:
        file.write(b'{"kind": "train", "st')
    train(config, tmp_path / "cut", QUIET, resume=True)
    assert trace(tmp_path / "cut") == whole


def test_damaged_checkpoint_is_set_aside(
    config: RunConfig, uncut: Uncut, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: Any
) -> None:
    """The one before it is taken, the same step is saved again, and the end is the same."""
    whole = uncut(config)
    folder = tmp_path / "cut"
    for _ in range(2):
        train_and_crash(config, folder, 11, resume=folder.exists())
        newest = folder / "checkpoints" / "step-10"
        weights = newest / "model.safetensors"
        weights.write_bytes(weights.read_bytes()[:-1])
    train(config, folder, Progress(), resume=True)
    said = capsys.readouterr().err
    assert f"{newest}: the checkpoint is damaged; set aside as corrupt-step-10-1" in said
    assert "going on from step 9" in said
    assert (folder / "checkpoints" / "corrupt-step-10" / "model.safetensors").exists()
    assert trace(folder) == whole


def test_damage_is_said_to_the_quiet(config: RunConfig, tmp_path: Path, capsys: Any) -> None:
    """By --quiet progress is not shown; that a checkpoint is damaged is none."""
    folder = tmp_path / "cut"
    train_and_crash(config, folder, 11)
    damaged = folder / "checkpoints" / "step-10"
    (damaged / "state.json").unlink()
    capsys.readouterr()
    assert main(["train", "--out", str(folder), "--resume", "--quiet"]) == 0
    said = f"{damaged}: the checkpoint is damaged; set aside as corrupt-step-10\n"
    assert capsys.readouterr().err == said


def test_no_whole_checkpoint_is_an_error(
    config: RunConfig, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Never a silent restart, not at the second attempt either."""
    folder = tmp_path / "cut"
    train_and_crash(config, folder, 11)
    log = (folder / "log.jsonl").read_bytes()
    for path in folder.glob("checkpoints/step-*/manifest.json"):
        path.unlink()
    for _ in range(2):
        with pytest.raises(ModelError, match="no whole checkpoint to resume from; start anew"):
            train(config, folder, QUIET, resume=True)
        assert (folder / "log.jsonl").read_bytes() == log
        assert not list(folder.glob("checkpoints/step-*"))


def test_damage_among_those_to_average(config: RunConfig, tmp_path: Path) -> None:
    """What is left is averaged, and the model card says what is missing."""
    config = merged(config, {"data": {"held_out": 0}, "training": {"average_last": 3}})
    train(config, tmp_path / "run", QUIET)
    checkpoints = Checkpoints(tmp_path / "run" / "checkpoints")
    assert checkpoints.steps() == [6, 9, 12]
    (checkpoints.path(9) / "state.json").unlink()
    train(config, tmp_path / "run", QUIET, resume=True)
    card = (tmp_path / "run" / "model" / "README.md").read_text("utf-8")
    assert "the average of 2 checkpoints (steps 6 to 12), 1 damaged ones left out" in card


def test_more_steps(config: RunConfig, tmp_path: Path) -> None:
    """A run that is over goes on when more is asked for."""
    train(config, tmp_path / "run", QUIET)
    longer = merged(config, {"training": {"max_steps": 15}})
    result = train(longer, tmp_path / "run", QUIET, resume=True)
    assert result.outcome.step == 15
    kept = json.loads((tmp_path / "run" / "config.json").read_text("utf-8"))
    assert kept["training"]["max_steps"] == 15


@pytest.mark.parametrize(
    ("words", "said"),
    [
        ("--seed 3", "cannot change --seed"),
        ("--data other.tsv", "cannot change --data"),
        ("--both-directions", "cannot change --data"),
        ("--recipe small", "cannot change --recipe"),
        ("--model.dropout 0.3", "cannot change --model"),
        ("--tokenizer.vocabulary-size 300", "cannot change --tokenizer"),
        ("--objective.label-smoothing 0", "cannot change --objective"),
        ("--optimizer.beta2 0.9", "cannot change --optimizer"),
        ("--training.batch-tokens 400", "cannot change --training.batch-tokens"),
        ("--training.max-pieces 60", "cannot change --training.max-pieces"),
    ],
)
def test_what_a_resumed_run_cannot_change(
    words: str, said: str, config: RunConfig, tmp_path: Path, capsys: Any
) -> None:
    text = config.model_dump_json(indent=2) + "\n"
    (tmp_path / "config.json").write_text(text, "utf-8")
    code = main(["train", "--out", str(tmp_path), "--resume", *words.split()])
    assert (code, (tmp_path / "config.json").read_text("utf-8")) == (2, text)
    assert said in capsys.readouterr().err


def test_changed_corpus_or_tokenizer_is_refused(
    config: RunConfig, corpus: Path, tmp_path: Path
) -> None:
    changing = tmp_path / "pairs.tsv"
    text = corpus.read_text("utf-8")
    changing.write_text(text, "utf-8")
    config = merged(config, {"data": {"train": str(changing)}, "training": {"max_steps": 1}})
    folder = tmp_path / "run"
    train(config, folder, QUIET)
    changing.write_text(text + "a new cat\teine neue Katze\n", "utf-8")
    with pytest.raises(SettingError, match="the corpus has changed since this run began"):
        train(config, folder, QUIET, resume=True)
    changing.write_text(text, "utf-8")
    rows = [tuple(line.split("\t")) for line in text.splitlines()]
    Tokenizer.train(lambda: rows, BPE(vocabulary_size=290)).save(folder / "tokenizer.json")
    with pytest.raises(SettingError, match="the tokenizer has changed since this run began"):
        train(config, folder, QUIET, resume=True)
    (folder / "corpus.json").write_text("[]", "utf-8")
    with pytest.raises(ModelError, match=r"corpus\.json: the file is damaged"):
        train(config, folder, QUIET, resume=True)


def test_a_corpus_as_it_was_is_not_examined_again(
    config: RunConfig, corpus: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A process that is started again after a loss begins at once; a byte changed is noticed."""
    same = tmp_path / "pairs.tsv"
    same.write_bytes(corpus.read_bytes())
    config = merged(config, {"data": {"train": str(same)}, "training": {"max_steps": 1}})
    folder = tmp_path / "run"
    train(config, folder, QUIET)
    examined = []
    examine = Corpus.examine

    def watched(*given: Any, **named: Any) -> Corpus:
        examined.append(given)
        return examine(*given, **named)

    monkeypatch.setattr(Corpus, "examine", watched)
    train(config, folder, QUIET, resume=True)
    assert not examined
    for name in ("store/dev/meta.json", "test.jsonl", "corpus.json"):
        (folder / name).unlink()
        train(config, folder, QUIET, resume=True)
        assert examined.pop()
        assert (folder / name).exists()
    same.write_bytes(same.read_bytes().replace(b"cat", b"cow", 1))
    with pytest.raises(SettingError, match="the corpus has changed"):
        train(config, folder, QUIET, resume=True)


def test_accepted_changes(config: RunConfig, corpus: Path, tmp_path: Path, capsys: Any) -> None:
    """With the flag a run goes on with another corpus and other settings, and says so."""
    changing = tmp_path / "pairs.tsv"
    changing.write_text(corpus.read_text("utf-8"), "utf-8")
    config = merged(config, {"data": {"train": str(changing)}, "training": {"max_steps": 6}})
    folder = tmp_path / "run"
    train(config, folder, QUIET)
    with changing.open("a", encoding="utf-8") as file:
        file.write("a new cat\teine neue Katze\n")
    words = ["train", "--out", str(folder), "--resume", "--training.max-steps", "9"]
    assert main([*words, "--optimizer.beta2", "0.9"]) == 2
    assert "accept it by --accept-changes" in capsys.readouterr().err
    assert main(words) == 2
    assert "go on with the new one by --accept-changes" in capsys.readouterr().err
    assert read_config(folder / "config.json").training.max_steps == 6
    assert main([*words, "--accept-changes", "--optimizer.beta2", "0.9"]) == 0
    said = capsys.readouterr().err
    assert "the corpus has changed since this run began: going on with the new one" in said
    assert "9 steps are done" in said
    kept = read_config(folder / "config.json")
    assert (kept.training.max_steps, kept.optimizer.beta2) == (9, 0.9)
    assert main([*words[:-1], "10"]) == 0  # what was accepted once is not asked for again


@pytest.mark.parametrize(
    ("words", "said"),
    [
        ("--model.d-ff 64", "the checkpoint is of another model"),
        ("--optimizer.kind muon", "go on with the --optimizer.kind that it was made with"),
        ("--tokenizer.vocabulary-size 300", "cannot change --tokenizer; leave it out, or start"),
    ],
)
def test_what_cannot_be_accepted(
    words: str, said: str, config: RunConfig, tmp_path: Path, capsys: Any
) -> None:
    """The run is then as it was."""
    folder = tmp_path / "run"
    train(merged(config, {"training": {"max_steps": 3}}), folder, QUIET)
    before = (folder / "config.json").read_bytes()
    asked = ["train", "--out", str(folder), "--resume", "--accept-changes", *words.split()]
    assert main(asked) == 2
    assert said in capsys.readouterr().err
    assert (folder / "config.json").read_bytes() == before


def test_two_trainings_in_one_folder(config: RunConfig, tmp_path: Path) -> None:
    """The second is refused; the first one ends as if alone."""
    folder = tmp_path / "run"
    update = Trainer._update
    refused: list[str] = []

    def meddling(self: Trainer, batches: Any) -> Any:
        for resume in (False, True):
            with pytest.raises(HeedfulError) as caught:
                train(config, folder, QUIET, resume=resume)
            refused.append(str(caught.value))
        return update(self, batches)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(Trainer, "_update", meddling)
        assert train(config, folder, QUIET).outcome.finished
    assert len(refused) == 24
    assert all("another training is at work in this folder" in said for said in refused)


def test_checkpoint_of_another_model(
    config: RunConfig, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    train(config, tmp_path / "run", QUIET)
    checkpoints = Checkpoints(tmp_path / "run" / "checkpoints")
    old = checkpoints.load(12)
    weights = {name.replace("encoder.0", "encoder.7"): w for name, w in old.model.items()}
    checkpoints.save(Checkpoint(12, weights, old.optimizer, old.state))
    with pytest.raises(ModelError, match="step-12: the checkpoint is of another model"):
        train(config, tmp_path / "run", QUIET, resume=True)


@pytest.mark.parametrize("told", [{"novelty": 1}, {"pulse": {"novelty": 1}}])
def test_checkpoint_of_a_later_version(
    told: dict[str, Any], config: RunConfig, tmp_path: Path
) -> None:
    train(config, tmp_path / "run", QUIET)
    checkpoints = Checkpoints(tmp_path / "run" / "checkpoints")
    old = checkpoints.load(12)
    checkpoints.save(Checkpoint(12, old.model, old.optimizer, old.state | told))
    with pytest.raises(ModelError, match="step-12: another version of heedful wrote it; go on"):
        train(config, tmp_path / "run", QUIET, resume=True)


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_interruption_says_how_to_go_on(
    number: signal.Signals,
    config: RunConfig,
    uncut: Uncut,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: Any,
) -> None:
    """The command it prints, typed as it stands, ends the run as if nothing had happened."""
    whole = uncut(config)
    folder = tmp_path / "two words"
    monkeypatch.setattr("heedful.commands.train._begun", lambda *_: config)
    before = signal.getsignal(number)
    with monkeypatch.context() as patch:
        signal_at(patch, 11, number)
        assert main(["train", "--out", str(folder), "--quiet"]) == 130
    assert signal.getsignal(number) is before
    out, err = capsys.readouterr()
    assert (out, err.count("\n")) == ("", 1)
    said, _, command = err.strip().partition("; go on with: heed ")
    assert said == "heed: interrupted, step 11 is saved"
    assert main([*shlex.split(command), "--quiet"]) == 0
    assert capsys.readouterr().out.strip() == str(folder / "model")
    assert agrees(folder, whole)


@pytest.mark.parametrize("place", ["Trainer._validate", "Checkpoints.save", "Trainer._update"])
def test_interrupted_anywhere(
    place: str, config: RunConfig, uncut: Uncut, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """In a validation, in a save, in a step: what is begun is ended, then all is saved."""
    whole = uncut(config)
    owner, _, name = place.partition(".")
    original = getattr({"Trainer": Trainer, "Checkpoints": Checkpoints}[owner], name)
    raised = []

    def interrupted(self: Any, *given: Any) -> Any:
        steps = self.state.step if owner == "Trainer" else given[0].step
        if steps >= 5 and not raised:
            raised.append(steps)
            signal.raise_signal(signal.SIGTERM)
        return original(self, *given)

    with monkeypatch.context() as patch:
        patch.setattr({"Trainer": Trainer, "Checkpoints": Checkpoints}[owner], name, interrupted)
        stopped = train(config, tmp_path / "cut", QUIET)
    assert (stopped.outcome.finished, stopped.outcome.reason) == (False, "interrupted")
    assert Checkpoints(tmp_path / "cut" / "checkpoints").steps()[-1] == stopped.outcome.step
    assert train(config, tmp_path / "cut", QUIET, resume=True).outcome.finished
    assert agrees(tmp_path / "cut", whole)


def test_second_interruption_acts_at_once(
    config: RunConfig, uncut: Uncut, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: Any
) -> None:
    """Ctrl-C while the first one is being obeyed: earlier checkpoints are good, nothing lost."""
    whole = uncut(config)
    folder = tmp_path / "cut"
    monkeypatch.setattr("heedful.commands.train._begun", lambda *_: config)

    def save(self: Checkpoints, checkpoint: Checkpoint) -> None:
        if checkpoint.step == 7:
            (self.folder / ".tmp-step-7").mkdir()
            signal.raise_signal(signal.SIGINT)
        original(self, checkpoint)

    original = Checkpoints.save
    with monkeypatch.context() as patch:
        signal_at(patch, 7, signal.SIGINT)
        patch.setattr(Checkpoints, "save", save)
        assert main(["train", "--out", str(folder), "--quiet"]) == 130
    err = capsys.readouterr().err
    assert err == f"heed: interrupted; go on with: heed train --out {folder} --resume\n"
    assert Checkpoints(folder / "checkpoints").steps()[-1] == 6
    assert main(["train", "--out", str(folder), "--resume", "--quiet"]) == 0
    assert trace(folder) == whole
    assert not list(folder.glob("checkpoints/.tmp-*"))


def started(*words: str) -> "subprocess.Popen[str]":
    return subprocess.Popen(
        [sys.executable, "-m", "heedful", "train", *words],
        env=os.environ | {"OMP_NUM_THREADS": "1", "MKL_NUM_THREADS": "1"},
        stderr=subprocess.PIPE,
        stdout=subprocess.DEVNULL,
        text=True,
    )


def wait_for_step(process: "subprocess.Popen[str]", folder: Path, step: int) -> None:
    """Wait until the log has a record of this step, or the process has ended."""
    log = folder / "log.jsonl"
    while process.poll() is None:
        lines = log.read_bytes().split(b"\n")[:-1] if log.exists() else []
        if lines and json.loads(lines[-1])["step"] >= step:
            return
        time.sleep(0.002)


def test_sigkill_and_sigint_of_a_real_run(config: RunConfig, corpus: Path, tmp_path: Path) -> None:
    """`heed train` is killed at a random moment, interrupted at another, and ends bit-equal."""
    config = merged(config, {"training": {"max_steps": 45, "save_every": 4, "validate_every": 20}})
    words = words_of(config, corpus)
    chance = random.Random()
    folder = tmp_path / "killed"
    killed = started(*words, "--out", str(folder))
    wait_for_step(killed, folder, chance.randint(1, 25))
    time.sleep(chance.random() / 50)
    killed.kill()
    killed.communicate()
    saved = Checkpoints(folder / "checkpoints").steps()
    interrupted = started("--out", str(folder), "--resume", "--quiet")
    wait_for_step(interrupted, folder, saved[-1] + 5 if saved else 5)
    interrupted.send_signal(signal.SIGINT)
    said = interrupted.communicate()[1]
    if interrupted.returncode != 0:  # it was not over yet
        assert interrupted.returncode == 130, said
        assert said.endswith(f"go on with: heed train --out {folder} --resume\n")
    assert main(["train", "--out", str(folder), "--resume", "--quiet"]) == 0
    assert main(["train", "--out", str(tmp_path / "whole"), *words]) == 0
    assert agrees(folder, trace(tmp_path / "whole"))


def test_errors_of_resuming(config: RunConfig, tmp_path: Path) -> None:
    with pytest.raises(SettingError, match="there is no run to resume; leave out --resume"):
        resumed(config, tmp_path / "nowhere")
    assert not (tmp_path / "nowhere").exists()
    train(merged(config, {"training": {"max_steps": 1}}), tmp_path / "run", QUIET)
    with pytest.raises(HeedfulError, match="the folder is not empty; go on with the run"):
        train(config, tmp_path / "run", QUIET)


def resumed(config: RunConfig, folder: Path) -> RunResult:
    return train(config, folder, QUIET, resume=True)
