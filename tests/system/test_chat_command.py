"""`heed chat` on a small random model: what is printed, where, and what Ctrl-C does."""

import io
import json
import os
import pty
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

pytest.importorskip("gguf", reason="needs gguf (the dev group)")

from heedful.cli import main
from tests.interop.folders import LLAMA, make_folder
from tests.interop.gguf_files import TEMPLATE, make_gguf


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("chat")
    make_gguf(folder / "talk.gguf", context=300)
    make_gguf(folder / "plain.gguf", template=None)
    make_folder(folder / "llama", LLAMA, max_position_embeddings=300)
    named = {"chat_template": TEMPLATE, "eos_token": "<|end|>"}
    (folder / "llama" / "tokenizer_config.json").write_text(json.dumps(named))
    return folder


@pytest.fixture(autouse=True)
def in_folder(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(folder)


def typed(monkeypatch: pytest.MonkeyPatch, text: str) -> None:
    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(text.encode())))


@pytest.mark.parametrize("model", ["talk.gguf", "llama"])
@pytest.mark.parametrize("precision", ["auto", "float32", "int8"])
def test_each_line_is_answered(
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
    model: str,
    precision: str,
) -> None:
    words = ["chat", "--model", model, "--max-new", "6", "--precision", precision]
    typed(monkeypatch, "the cat\n\nthe mat\n")
    assert main([*words, "--json"]) == 0
    told = capsys.readouterr()
    records = [json.loads(line) for line in told.out.splitlines()]
    assert [one["turn"] for one in records] == ["the cat", "the mat"]
    assert records[1]["read"] > records[0]["read"]
    assert records[1]["computed"] < records[1]["read"]
    assert "positions computed; ended at --max-new)" in told.err
    typed(monkeypatch, "the cat\n\nthe mat\n")
    assert main([*words, "--quiet"]) == 0
    told = capsys.readouterr()
    assert told.out == "".join(f"{one['text']}\n" for one in records)
    assert told.err == ""


def answers(capsys: pytest.CaptureFixture[str], *words: str) -> list[dict[str, object]]:
    base = ["chat", "--model", "talk.gguf", "--max-new", "5", "--json", "-i", "turns.txt"]
    assert main([*base, *words]) == 0
    return [json.loads(line) for line in capsys.readouterr().out.splitlines()]


def test_commands(capsys: pytest.CaptureFixture[str]) -> None:
    Path("turns.txt").write_text("the cat\n/new\nthe cat\n/system Be a fish.\nthe cat\n//a\n")
    first, anew, fish, slash = answers(capsys)
    assert (first["read"], first["text"]) == (anew["read"], anew["text"])
    assert slash["turn"] == "/a"
    Path("turns.txt").write_text("the cat\n")
    (told,) = answers(capsys, "--system", "Be a fish.")
    assert (told["read"], told["text"]) == (fish["read"], fish["text"])
    Path("turns.txt").write_text("/help\n")
    assert main(["chat", "--model", "talk.gguf", "-i", "turns.txt"]) == 0
    assert "/system TEXT" in capsys.readouterr().err


def test_what_is_drawn_depends_on_the_seed(capsys: pytest.CaptureFixture[str]) -> None:
    Path("turns.txt").write_text("the cat\nthe cat\n")
    one, same, other = (answers(capsys, "--seed", seed) for seed in "778")
    assert one == same
    assert one != other


REFUSED = [
    ((), "/what\n", "turns.txt:1: there is no command \"/what\"; known: /help, /new, /system; a t"),
    ((), "hi\n/systen x\n", 'turns.txt:2: there is no command "/systen"; did you mean "/system"?'),
    ((), "/system\n", "turns.txt:1: /system is without a text"),
    ((), f"{'the cat sat ' * 99}\n", "turns.txt:1: the conversation has"),
    (("--precision", "int4"), "a\n", '--precision: there is no precision "int4"'),
    (("--max-new", "0"), "a\n", "--max-new: 0 is not from 1"),
    (("--top-p", "3"), "a\n", "--top-p: "),
    (("--model", "plain.gguf"), "a\n", "--model: this model has no chat template"),
    (("--model", "nothing.gguf"), "a\n", "nothing.gguf: there is no such folder"),
    (("-i", "nothing.txt"), "a\n", "nothing.txt: cannot be read"),
]  # fmt: skip


@pytest.mark.parametrize(("words", "turns", "said"), REFUSED)
def test_mistakes_are_a_sentence(
    words: tuple[str, ...], turns: str, said: str, capsys: pytest.CaptureFixture[str]
) -> None:
    Path("turns.txt").write_text(turns)
    base = {"--model": "talk.gguf", "--max-new": "5", "-i": "turns.txt"}
    base |= dict(zip(words[::2], words[1::2], strict=True))
    assert main(["chat", *(word for pair in base.items() for word in pair)]) == 2
    told = capsys.readouterr().err
    assert f"heed: {said}" in told
    assert told.endswith("\n")


SLOW = """
import sys, time
from heedful.decode import alone
plain = alone.Past.read
def slow(past, ids):
    print("reading", file=sys.stderr, flush=True)
    time.sleep(0.05)
    return plain(past, ids)
alone.Past.read = slow
from heedful.cli import main
sys.exit(main(sys.argv[1:]))
"""


class Terminal:
    """A program at a terminal."""

    def __init__(self, *words: str) -> None:
        self.screen, end = pty.openpty()
        words = (sys.executable, "-c", SLOW, *words)
        self.run = subprocess.Popen(
            words, stdin=end, stdout=end, stderr=end, start_new_session=True
        )
        os.close(end)
        self.seen = ""

    def wait_for(self, text: str, times: int = 1) -> None:
        """Read until a text has been shown so often."""
        limit = time.monotonic() + 60
        while self.seen.count(text) < times:
            assert time.monotonic() < limit, self.seen
            try:
                self.seen += os.read(self.screen, 65536).decode("utf-8", "replace")
            except OSError:
                break
        assert self.seen.count(text) >= times, self.seen

    def write(self, text: str) -> None:
        os.write(self.screen, text.encode())


def test_ctrl_c_ends_the_answer_and_then_the_program() -> None:
    talk = Terminal("chat", "--model", "talk.gguf", "--max-new", "250", "--stop", "never")
    talk.wait_for("> ")
    talk.write("the cat\n")
    talk.wait_for("reading", 4)
    talk.run.send_signal(signal.SIGINT)
    talk.wait_for("(broken off)")
    talk.wait_for("> ", 2)
    assert talk.run.poll() is None
    talk.write("/what\n")
    talk.wait_for('there is no command "/what"')
    talk.wait_for("> ", 3)
    talk.run.send_signal(signal.SIGINT)
    talk.wait_for("heed: interrupted")
    assert talk.run.wait(30) == 130


def test_ctrl_c_ends_the_program_where_turns_come_from_a_file() -> None:
    """At a terminal, too: it went on with the next turn, and the one it broke off had no answer."""
    Path("many.txt").write_text("the cat\n" * 9)
    given = ("-i", "many.txt", "--max-new", "250", "--stop", "never")
    talk = Terminal("chat", "--model", "talk.gguf", *given)
    talk.wait_for("reading", 4)
    talk.run.send_signal(signal.SIGINT)
    talk.wait_for("heed: interrupted")
    assert talk.run.wait(30) == 130


def test_ctrl_d_ends_the_conversation() -> None:
    talk = Terminal("chat", "--model", "talk.gguf", "--max-new", "2")
    talk.wait_for("> ")
    talk.write("the cat\n")
    talk.wait_for("positions computed")
    talk.wait_for("> ", 2)
    talk.write("\x04")
    assert talk.run.wait(30) == 0
    assert "Traceback" not in talk.seen
