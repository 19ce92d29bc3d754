"""The log of a training: records whole lines, forgets what a resumed run will do again."""

import io
import json
from pathlib import Path

from heedful.progress import Progress
from heedful.train.log import TrainLog


def lines(folder: Path) -> list[dict]:
    text = (folder / "log.jsonl").read_text("utf-8")
    assert text.endswith("\n")
    return [json.loads(line) for line in text.split("\n")[:-1]]


def test_records(tmp_path: Path) -> None:
    log = TrainLog(tmp_path, Progress(quiet=True))
    log.record("train", 1, loss=2.5, epoch=0)
    log.record("validation", 10, loss=2.0, bleu=None)
    log.close()
    assert lines(tmp_path) == [
        {"kind": "train", "step": 1, "loss": 2.5, "epoch": 0},
        {"kind": "validation", "step": 10, "loss": 2.0, "bleu": None},
    ]


def test_later_records_are_forgotten(tmp_path: Path) -> None:
    first = TrainLog(tmp_path, Progress(quiet=True))
    for step in (1, 5, 9, 10, 100):
        first.record("train", step, loss=1.0)
    with (tmp_path / "log.jsonl").open("ab") as file:
        file.write(b'not a record\n5\n{"kind": "train"}\n{"step": "x"}\n\xff{"kind": "trai')
    second = TrainLog(tmp_path, Progress(quiet=True), after_step=9)
    assert [record["step"] for record in lines(tmp_path)] == [1, 5, 9]
    second.record("train", 10, loss=1.0)
    assert [record["step"] for record in lines(tmp_path)] == [1, 5, 9, 10]
    TrainLog(tmp_path, Progress(quiet=True))
    assert not (tmp_path / "log.jsonl").read_bytes()


def test_plain_lines_in_a_pipe(tmp_path: Path) -> None:
    stream = io.StringIO()
    log = TrainLog(tmp_path, Progress(stream=stream, interval=0.0))
    log.show(12, 3000, 4.56789, 1234.5, 3 * 60)
    log.say("a line that stays")
    log.show(13, 3000, 4.5, 1234.5, 59)
    log.close()
    assert stream.getvalue().split("\n") == [
        "step 12/3,000 · loss 4.568 · 1,234 tokens/s · 3 min left",
        "a line that stays",
        "step 13/3,000 · loss 4.500 · 1,234 tokens/s · 59 s left",
        "",
    ]


def test_few_lines_in_a_pipe(tmp_path: Path) -> None:
    stream = io.StringIO()
    log = TrainLog(tmp_path, Progress(stream=stream, interval=1e9))
    log._shown = float("-inf")
    for step in range(1, 50):
        log.show(step, 50, 1.0, 1.0, 1.0)
    assert stream.getvalue().count("\n") == 1


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


def test_live_line_on_a_terminal(tmp_path: Path) -> None:
    stream = Terminal()
    log = TrainLog(tmp_path, Progress(stream=stream))
    log.show(12, 3000, 4.56789, 1234.5, 100)
    log.say("a line that stays")
    log.close()
    assert "a line that stays" in stream.getvalue()
    log.close()


def test_brackets_and_colons_stay_as_they_are(tmp_path: Path) -> None:
    """A translation may hold any words, and so may the name of a file."""
    words = "[red]one [/two] :smile: \\"
    stream = Terminal()
    log = TrainLog(tmp_path, Progress(stream=stream))
    log.show(12, 3000, 4.56789, 1234.5, 100)
    log.say(words)
    log.close()
    assert words in stream.getvalue()
    stream = Terminal()
    assert list(Progress(stream=stream).track([1, 2], words, 2)) == [1, 2]
    assert words in stream.getvalue()


def test_quiet(tmp_path: Path) -> None:
    stream = io.StringIO()
    log = TrainLog(tmp_path, Progress(quiet=True, stream=stream, interval=0.0))
    log.show(1, 2, 3.0, 4.0, 5.0)
    log.say("nothing")
    assert stream.getvalue() == ""


def test_warnings_are_for_the_quiet_too(tmp_path: Path) -> None:
    """But not for every process: one of many speaks."""
    for quiet, mute, shown in (
        (False, False, "a\nb\n"),
        (True, False, "b\n"),
        (True, True, ""),
    ):
        stream = io.StringIO()
        log = TrainLog(tmp_path, Progress(quiet=quiet, stream=stream), mute=mute)
        log.say("a")
        log.warn("b")
        assert stream.getvalue() == shown
