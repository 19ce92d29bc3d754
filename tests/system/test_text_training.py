"""A text is learnt through the command line: trained, resumed exactly, measured, written with."""

import io
import json
from pathlib import Path
from typing import Any

import pytest
import torch

from heedful.cli import main
from heedful.config import TextRunConfig, merged
from heedful.data.text_batches import UNASKED, TextBatch
from heedful.objectives import Causal
from heedful.progress import Progress
from heedful.recipes import recipe
from heedful.run import train
from heedful.text_data import prepare_text
from heedful.train.gradient import Gradients
from heedful.train.loop import Trainer
from tests.train.tracing import trace

TEXT = "".join(f"{n}: the cat sat on the mat, and then it sat on mat {n % 7}.\n" for n in range(60))
TINY = [
    *("--recipe", "gpt_char", "--device", "cpu", "--quiet", "--training.max-steps", "9"),
    *("--model.d-model", "16", "--model.d-ff", "32", "--model.n-layers", "2"),
    *("--model.max-length", "16", "--training.save-every", "3", "--training.validate-every", "4"),
    *("--model.dropout", "0.1", "--training.log-every", "2"),
]
QUIET = Progress(quiet=True)


@pytest.fixture
def text(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    Path("input.txt").write_text(TEXT, "utf-8")
    return Path("input.txt")


def said(capsys: pytest.CaptureFixture[str], *words: str) -> str:
    assert main([*words]) == 0
    return capsys.readouterr().out


def refused(capsys: pytest.CaptureFixture[str], *words: str) -> str:
    assert main([*words]) == 2
    err = capsys.readouterr().err
    assert err.count("\n") == 1
    return err


def test_from_a_text_to_a_writer(text: Path, capsys: pytest.CaptureFixture[str]) -> None:
    out = said(capsys, "train", *TINY, "--data", "input.txt", "--out", "run")
    assert out == "run/model\n"
    report = json.loads(Path("run/data-report.json").read_text("utf-8"))
    assert report["text"]["characters"] == len(TEXT)
    cut = int(len(TEXT) * 0.9)
    assert report["pieces"] == {"train": cut, "dev": len(TEXT) - cut}
    assert report["vocabulary"] == len(set(TEXT[:cut])) + 4
    card = Path("run/model/README.md").read_text("utf-8")
    assert "# A decoder that goes on with texts" in card
    written = said(capsys, "generate", "--model", "run", "-p", "the", "--seed", "1", "--quiet")
    assert set(written) <= set(TEXT)
    Path("end.txt").write_text(TEXT[cut:], "utf-8")
    found = json.loads(
        said(capsys, "evaluate", "--model", "run", "--data", "end.txt", "--json", "--quiet")
    )
    assert found["pieces"] == len(TEXT) - cut - 1
    assert f"loss {found['loss']:.2f}"[:-1] in card


def config(**training: Any) -> TextRunConfig:
    base = recipe("gpt-char")
    assert isinstance(base, TextRunConfig)
    model = {"d_model": 16, "d_ff": 32, "n_layers": 2, "max_length": 16, "dropout": 0.2}
    told = {"max_steps": 10, "save_every": 4, "validate_every": 4, "log_every": 2, **training}
    changes = {"data": {"train": ["input.txt"]}, "model": model, "training": told, "device": "cpu"}
    return merged(base, changes)


def test_characters_that_are_new_are_said(text: Path, tmp_path: Path) -> None:
    """A run that goes on with another text keeps its vocabulary."""
    prepare_text(config(), tmp_path, QUIET)
    text.write_text(f"Ω{TEXT}ж", "utf-8")
    told = io.StringIO()
    prepare_text(config(), tmp_path, Progress(stream=told), accept_changes=True)
    for which, letter in (("text to learn from", "Ω"), ("dev text", "ж")):
        assert f"the {which} has 1 characters that the vocabulary does not have ({letter!r})" in (
            told.getvalue()
        )


@pytest.mark.parametrize("step", [2, 6, 9])
def test_a_resumed_run_is_the_same_run(
    text: Path, step: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Cut at a step, dropout on, with several epochs: a batch has all of a window's length."""
    settings = config(batch_windows=100, shards=2)
    train(settings, Path("whole"), QUIET)
    with monkeypatch.context() as patch:
        update = Trainer._update

        def dying(self: Trainer, portion: Any) -> Any:
            if self.state.step + 1 == step:
                raise KeyboardInterrupt
            return update(self, portion)

        patch.setattr(Trainer, "_update", dying)
        with pytest.raises(KeyboardInterrupt):
            train(settings, Path("cut"), QUIET)
    train(settings, Path("cut"), QUIET, resume=True)
    assert trace(Path("cut")) == trace(Path("whole"))


def test_another_text_is_not_gone_on_with(text: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["train", *TINY, "--data", "input.txt", "--out", "run"]) == 0
    text.write_text(TEXT + "and more\n", "utf-8")
    capsys.readouterr()
    again = ("train", "--out", "run", "--resume", "--quiet")
    assert "the corpus has changed since this run began" in refused(capsys, *again)


@pytest.mark.parametrize("answers", [None, 3])
def test_the_loss_is_torchs_cross_entropy(answers: int | None) -> None:
    """Over all pieces, and over the answers alone if no more is asked; so its gradients."""
    torch.manual_seed(1)
    model = config().model.model_copy(update={"dropout": 0.0}).build(30)
    ids = torch.randint(4, 30, (3, 17))
    after = ids[:, 1:].clone()
    after[:, : -(answers or 99)] = UNASKED
    batch = TextBatch(ids[:, :-1], after, int((after >= 0).sum()))
    gradients = Gradients(model, Causal(), "float32", torch.device("cpu"), 1, print)
    sums = gradients.add(batch, batch.n_target)
    found = [weight.grad.clone() for weight in model.parameters() if weight.grad is not None]
    model.zero_grad()
    logits = model.project(model.hidden(batch.target_in)).flatten(0, 1)
    target = after.flatten().where(after.flatten() >= 0, -100)
    mean = torch.nn.functional.cross_entropy(logits, target)
    mean.backward()
    torch.testing.assert_close(sums[1] / batch.n_target, mean.detach())
    for weight, own in zip(model.parameters(), found, strict=True):
        torch.testing.assert_close(own, weight.grad, atol=1e-6, rtol=1e-4)


def test_characters_of_the_end_alone_are_said(
    text: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    text.write_text(TEXT + "Zoë ate 猫猫\n", "utf-8")
    words = [word for word in TINY if word != "--quiet"]
    assert main(["train", *words, "--data", "input.txt", "--out", "run"]) == 0
    err = capsys.readouterr().err
    assert "the dev text has 4 characters that the vocabulary does not have ('猫'" in err


@pytest.mark.parametrize(
    ("content", "words", "says"),
    [
        ("", [], "input.txt: the file is empty"),
        ("short text", [], "needs one more than that; give a longer text"),
        (TEXT, ["--model.max-length", "2000"], "the text held out as dev text has"),
        (TEXT, ["--test", "x.txt"], "--test: it is for pairs of sentences"),
        (TEXT, ["--from", "en"], "--from: it is for pairs of sentences"),
        (TEXT, ["--batch-tokens", "99"], "give --training.batch-windows"),
        (TEXT, ["--objective.kind", "translation"], "--objective.kind"),
        (TEXT, ["--dev", "none.txt"], "none.txt: no such file"),
        (TEXT, ["--data", "pairs.tsv"], "pairs.tsv: .tsv holds pairs of sentences"),
    ],
)
def test_what_cannot_be_learnt_is_refused(
    text: Path, capsys: pytest.CaptureFixture[str], content: str, words: list[str], says: str
) -> None:
    text.write_text(content, "utf-8")
    data = [] if "--data" in words else ["--data", "input.txt"]
    assert says in refused(capsys, "train", *TINY, *data, "--out", "run", *words)
    assert not Path("run").exists()


def test_pairs_in_a_text_are_pointed_out(text: Path, capsys: pytest.CaptureFixture[str]) -> None:
    text.write_text("one cat\teine Katze\n" * 60, "utf-8")
    assert main(["train", *TINY, "--data", "input.txt", "--out", "run"]) == 0
    assert "every line has a tab: if these are pairs" in capsys.readouterr().err


def test_a_plan_of_it_is_refused(capsys: pytest.CaptureFixture[str]) -> None:
    assert "gpt-char is no translator" in refused(capsys, "plan", "gpt-char")
