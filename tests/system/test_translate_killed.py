"""`heed translate --resume` ends with the bytes of one uninterrupted run, after any kill (D5)."""

import os
import random
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from heedful.cli import main
from tests.system.test_translate_command import LINES, model

assert model  # a fixture

EVERY_MOMENT = Path(__file__).with_name("killed_translating.py")


def source_of(folder: Path, lines: int) -> Path:
    """Write and return a file to translate, of odd lines and plain ones."""
    source = folder / "in.txt"
    draw = random.Random(3)
    plain = ["the house", "good friend", "small morning is good", "where"]
    drawn = [
        draw.choice([*plain, *plain, *plain, *LINES]) + f" {n}" * (n % 3) for n in range(lines)
    ]
    source.write_bytes("\r\n".join(drawn).encode())
    return source


def test_every_moment(tmp_path: Path) -> None:
    source, folder = source_of(tmp_path, 8), tmp_path / "killed"
    folder.mkdir()
    words = [str(folder), "-i", str(source), "--to", "de", "--nbest", "3"]
    done = subprocess.run(
        [sys.executable, str(EVERY_MOMENT), *words],
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    said = done.stdout.splitlines()
    places = sorted(folder.iterdir(), key=lambda path: int(path.name))
    assert len(places) == len(said) + 1, "the last one lived"
    moments = {line.split()[0] for line in said}
    assert moments == {"open", "add", "flush", "fsync", "os.rename", "os.remove"}
    whole = (places[-1] / "out.txt").read_bytes()
    assert len(whole.splitlines()) >= 8
    for place in places:
        assert [path.name for path in place.iterdir()] == ["out.txt"]
        assert (place / "out.txt").read_bytes() == whole, place.name


def start(model: str, *words: str) -> subprocess.Popen[bytes]:
    command = [sys.executable, "-m", "heedful", "translate", "--model", model, "--beam", "1"]
    return subprocess.Popen([*command, "--quiet", *words], stderr=subprocess.PIPE)


def kept(out: Path) -> int:
    """Return how many results of a run under way are in its journal."""
    journal = out.with_name(f".{out.name}.part.lines")
    return max(journal.read_bytes().count(b"\n") - 1, 0) if journal.exists() else 0


def translate(model: str, *words: str) -> None:
    assert main(["translate", "--model", model, "--beam", "1", "--quiet", *words]) == 0


def test_ctrl_c_keeps_what_is_done(model: str, tmp_path: Path) -> None:
    """A pipe with a name keeps the run from ending before the signal comes."""
    source, out, pipe = source_of(tmp_path, 200), tmp_path / "out.txt", tmp_path / "pipe"
    os.mkfifo(pipe)
    process = start(model, "-i", str(pipe), "-o", str(out))
    assert process.stderr
    with pipe.open("wb") as writing:
        writing.write(b"".join(source.read_bytes().splitlines(keepends=True)[:100]))
        writing.flush()
        while kept(out) < 100:  # then it waits for more
            assert process.poll() is None
            time.sleep(0.01)
        process.send_signal(signal.SIGINT)
        said = process.stderr.read().decode()
    process.stderr.close()
    assert process.wait() == 130
    assert said == "heed: interrupted; kept: 100 lines, with which --resume goes on\n"
    assert not out.exists()
    translate(model, "-i", str(source), "-o", str(out), "--resume")
    translate(model, "-i", str(source), "-o", str(tmp_path / "whole.txt"))
    assert out.read_bytes() == (tmp_path / "whole.txt").read_bytes()
    assert len(out.read_bytes().splitlines()) == 200
    assert len(list(tmp_path.iterdir())) == 4


@pytest.mark.slow
def test_20_kills(model: str, tmp_path: Path) -> None:
    """Of the real thing, by the clock or when there is progress; begun anew where it is done."""
    source, out, whole = source_of(tmp_path, 3000), tmp_path / "out.txt", tmp_path / "whole.txt"
    words = ["--json", "-i", str(source)]
    translate(model, *words, "-o", str(whole))
    draw, kills = random.Random(5), 0
    while kills < 20 or not out.exists():
        if out.exists():
            assert out.read_bytes() == whole.read_bytes()
            out.unlink()
        process = start(model, *words, "-o", str(out), "--resume")
        assert process.stderr
        before, until = kept(out), time.monotonic() + draw.choice([5, 1000]) * draw.random()
        while kills < 20 and kept(out) <= before and time.monotonic() < until:
            if process.poll() is not None:
                break
            time.sleep(0.01)
        if kills < 20:
            process.send_signal(draw.choice([signal.SIGKILL, signal.SIGKILL, signal.SIGTERM]))
        said = process.stderr.read().decode()
        process.stderr.close()
        code = process.wait()
        assert code in (0, -signal.SIGKILL, -signal.SIGTERM), said
        kills += code != 0
    assert out.read_bytes() == whole.read_bytes()
    assert {path.name for path in tmp_path.iterdir()} == {"in.txt", "out.txt", "whole.txt"}
