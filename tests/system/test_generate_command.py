"""`heed generate` on small random folders: what is printed, where, and with which exit code."""

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from heedful.cli import main
from tests.interop.folders import LLAMA, make_folder


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("generate")
    make_folder(folder / "gpt2")
    make_folder(folder / "llama", LLAMA)
    make_folder(folder / "long", LLAMA, max_position_embeddings=100_000, eos_token_id=None)
    (folder / "prompts.txt").write_text("the cat\n\nonce upon a time\n", "utf-8")
    return folder


@pytest.fixture(autouse=True)
def in_folder(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(folder)


def said(capsys: pytest.CaptureFixture[str], *words: str) -> str:
    assert main(["generate", *words]) == 0
    return capsys.readouterr().out


def records(capsys: pytest.CaptureFixture[str], *words: str) -> list[dict[str, object]]:
    return [json.loads(line) for line in said(capsys, *words, "--json").splitlines()]


@pytest.mark.parametrize("model", ["gpt2", "llama"])
def test_a_text_is_printed_as_it_is(capsys: pytest.CaptureFixture[str], model: str) -> None:
    words = ("--model", model, "-p", "the cat", "--max-new", "12")
    (record,) = records(capsys, *words)
    assert record["prompt"] == "the cat"
    assert said(capsys, *words) == f"{record['text']}\n"
    assert said(capsys, *words, "-o", "out.txt") == ""
    assert Path("out.txt").read_bytes() == f"{record['text']}\n".encode()


def test_prompts_of_a_file_are_gone_on_with_in_order(capsys: pytest.CaptureFixture[str]) -> None:
    words = ("--model", "gpt2", "--max-new", "9")
    together = records(capsys, *words, "-i", "prompts.txt")
    assert [one["prompt"] for one in together] == ["the cat", "", "once upon a time"]
    alone = [records(capsys, *words, "-p", str(one["prompt"])) for one in together]
    assert together == [one for (one,) in alone]
    lines = said(capsys, *words, "-i", "prompts.txt").split("\n")
    shown = [str(one["text"]).replace("\\", "\\\\").replace("\n", "\\n") for one in together]
    assert lines == [*shown, ""]


def test_prompts_come_by_a_pipe(folder: Path) -> None:
    words = [sys.executable, "-m", "heedful", "generate", "--model", "gpt2", "--json"]
    given = (folder / "prompts.txt").read_bytes()
    done = subprocess.run(words, input=given, capture_output=True, check=True)
    assert len(done.stdout.splitlines()) == 3
    assert done.stderr.decode().startswith("3 texts, ")


def test_drawing_depends_on_the_seed_alone(capsys: pytest.CaptureFixture[str]) -> None:
    words = ("--model", "llama", "-p", "the cat", "--max-new", "16")
    one = records(capsys, *words, "--temperature", "0.9", "--seed", "3")
    assert records(capsys, *words, "--temperature", "0.9", "--seed", "3") == one
    assert records(capsys, *words, "--temperature", "0.9", "--seed", "4") != one
    assert records(capsys, *words, "--top-k", "1") == records(capsys, *words)
    several = records(capsys, *words, "-n", "4")
    assert len(several) == 4
    assert len({str(x["text"]) for x in several}) > 1


def test_stop_strings_and_rules(capsys: pytest.CaptureFixture[str]) -> None:
    words = ("--model", "gpt2", "-p", "the cat", "--max-new", "20")
    (plain,) = records(capsys, *words)
    stop = str(plain["text"])[4]
    (stopped,) = records(capsys, *words, "--stop", "never so", "--stop", stop)
    assert stopped["text"] == str(plain["text"]).partition(stop)[0]
    assert stopped["ended"] == "stop"
    (varied,) = records(capsys, *words, "--no-repeat-ngram", "1")
    assert varied["text"] != plain["text"]


def test_what_is_cut_is_said(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["generate", "--model", "long", "-p", "a", "--max-new", "3"]) == 0
    assert "1 text, 3 pieces in " in (err := capsys.readouterr().err)
    assert err.endswith("; ended at --max-new: 1\n")
    assert main(["generate", "--model", "long", "-p", "a", "--max-new", "3", "--quiet"]) == 0
    assert capsys.readouterr().err == ""


@pytest.mark.parametrize(
    ("words", "sentence"),
    [
        (["--model", "none", "-p", "x"], "none: there is no such folder; "),
        (["--model", ".", "-p", "x"], ".: there is no config.json in it; "),
        (["-p", "x"], "heed generate: --model is missing"),
        (
            ["--model", "gpt2", "-p", "~" * 60],
            "--prompt: the prompt has 60 pieces and the model rea",
        ),
        (["--model", "gpt2", "-p", "x", "-i", "y"], "--prompt and --input are both given; "),
        (["--model", "gpt2", "-i", "none.txt"], "none.txt: cannot be read: "),
        (["--model", "gpt2", "-p", "x", "--stop", ""], "--stop: a stop string is empty; "),
        (["--model", "gpt2", "-p", "x", "--max-new", "0"], "--max-new: 0 is not from 1 to 100,000"),
        (["--model", "gpt2", "-p", "x", "--temperature", "0"], "--temperature: input should be gr"),
        (["--model", "gpt2", "-p", "x", "--top-p", "2"], "--top-p: input should be less than or"),
        (["--model", "gpt2", "-p", "x", "-n", "0"], "--samples: input should be greater than"),
        (["--model", "gpt2", "-p", "a\udc80"], "--prompt: this holds bytes that are not UTF-8; "),
        (["--model", "gpt2", "-p", "x", "--device", "tpu"], 'device: there is no device "tpu"; '),
        (["--model", "gpt2", "-p", "x", "-o", "none/x"], "none/x: cannot be written: "),
    ],
)
def test_mistakes_are_one_sentence(
    words: list[str], sentence: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["generate", *words]) == 2
    out, err = capsys.readouterr()
    assert out == ""
    assert err.startswith(f"heed: {sentence}")
    assert err.count("\n") == 1


def test_a_prompt_of_a_file_that_is_too_long_is_named(capsys: pytest.CaptureFixture[str]) -> None:
    Path("long.txt").write_text("the cat\n" + "~" * 60 + "\n", "utf-8")
    assert main(["generate", "--model", "gpt2", "-i", "long.txt"]) == 2
    assert capsys.readouterr().err.startswith("heed: long.txt:2: the prompt has 60 pieces and the")


def test_an_interruption_ends_the_line(folder: Path) -> None:
    words = ["generate", "--model", "long", "-p", "the cat", "--max-new", "90000"]
    started = subprocess.Popen(
        [sys.executable, "-m", "heedful", *words],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        env=os.environ | {"PYTHONUNBUFFERED": "1"},
    )
    assert started.stdout is not None
    first = started.stdout.read(1)  # it comes while the rest is written
    time.sleep(0.2)
    started.send_signal(signal.SIGINT)
    out, err = started.communicate(timeout=60)
    assert started.returncode == 130
    assert (first + out).endswith(b"\n")
    assert err.decode() == "heed: interrupted\n"
