"""`heed demo` from the command line, with a training of a second or two."""

import re
import subprocess
import sys
from pathlib import Path

import pytest

from heedful import pretrained
from heedful.cli import main
from heedful.demo import training
from heedful.demo.dates import generate
from heedful.demo.training import ask, learn
from heedful.progress import Progress
from heedful.translator import BUNDLED

HAS_BUNDLED = (Path(pretrained.__file__).parent / BUNDLED / "config.json").is_file()


@pytest.fixture
def temporary(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The folder that `tempfile` uses, also in processes started by a test."""
    monkeypatch.setenv("TMPDIR", str(tmp_path))
    monkeypatch.setattr("tempfile.tempdir", None)
    return tmp_path


def test_demo_in_a_pipe(temporary: Path) -> None:
    done = subprocess.run(
        [sys.executable, "-m", "heedful", "demo", "--seconds", "1", "Where", "is", "the", "cat?"],
        capture_output=True,
        check=False,
    )
    out, err = done.stdout.decode(), done.stderr.decode()
    assert done.returncode == 0, err
    assert "\x1b" not in out + err
    if HAS_BUNDLED:
        assert "Where is the cat?" in out
    else:
        assert "No translation model is bundled" in out
    assert "new dates, in forms it never saw" in out
    assert "step 1/" in err
    (folder,) = temporary.glob("heedful-demo-*")
    assert str(folder) in out
    assert (folder / "run" / "model" / "config.json").is_file()
    assert not (folder / "run" / "checkpoints").exists()
    # what it says to type next can be typed
    evaluate = next(line.split() for line in out.split("\n") if line.startswith("  heed evaluate"))
    small = folder / "unseen-forms.tsv"
    rows = small.read_text("utf-8").split("\n")
    small.write_text("\n".join(rows[:9]) + "\n", encoding="utf-8")
    assert main([*evaluate[1:], "--beam", "1", "--quiet"]) == 0


def test_an_interrupted_demo_leaves_nothing(
    temporary: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(training, "learn", lambda *args, **named: None)
    monkeypatch.setattr("heedful.demo.translating.SAMPLES", {})
    assert main(["demo", "--quiet"]) == 130
    assert "interrupted" in capsys.readouterr().out
    assert list(temporary.iterdir()) == []


def test_a_failed_demo_leaves_nothing(
    temporary: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def stop(*args: object, **named: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(training, "learn", stop)
    monkeypatch.setattr("heedful.demo.translating.SAMPLES", {})
    assert main(["demo", "--quiet"]) == 130
    capsys.readouterr()
    assert list(temporary.iterdir()) == []


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["--seconds", "0"], "--seconds: 0 is not between 1 and 3,600"),
        (["--seed", "-1"], "--seed: -1 is no seed"),
        (["--model", "nowhere"], "nowhere: there is no such folder"),
    ],
)
def test_bad_input(
    temporary: Path, capsys: pytest.CaptureFixture[str], words: list[str], said: str
) -> None:
    assert main(["demo", "--seconds", "1", "--quiet", *words]) == 2
    err = capsys.readouterr().err
    assert said in err
    assert err.count("\n") == 1
    assert list(temporary.iterdir()) == []


def test_answers_come_in_order(tmp_path: Path) -> None:
    task = generate(1, 2000, 30)
    model = learn(task, tmp_path, seconds=1, seed=1, progress=Progress(quiet=True))
    assert model is not None
    answers = ask(model, task.unseen_forms)
    assert [answer.question for answer in answers] == list(task.unseen_forms)
    assert all(answer.right == (answer.given == answer.question.iso) for answer in answers)


def test_threads_are_given_back(
    temporary: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    import torch

    used: list[int] = []
    before = torch.get_num_threads()
    torch.set_num_threads(2)
    monkeypatch.setattr(training, "learn", lambda *a, **b: used.append(torch.get_num_threads()))
    monkeypatch.setattr("heedful.demo.translating.SAMPLES", {})
    main(["demo", "--quiet"])
    after = torch.get_num_threads()
    torch.set_num_threads(before)
    capsys.readouterr()
    assert (used, after) == ([1], 2)


@pytest.mark.slow
def test_the_model_learns_dates(tmp_path: Path) -> None:
    """All its updates, however long they take here."""
    task = generate(1, training.N_TRAIN, training.N_TEST)
    model = learn(task, tmp_path, seconds=3600, seed=1, progress=Progress(quiet=True))
    assert model is not None
    assert sum(answer.right for answer in ask(model, task.unseen_dates)) > 0.95 * training.N_TEST
    assert sum(answer.right for answer in ask(model, task.unseen_forms)) > 0.5 * training.N_TEST
    log = (tmp_path / "run" / "log.jsonl").read_text("utf-8")
    assert re.search(f'"step": {training.STEPS}\\b', log)
