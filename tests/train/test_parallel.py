"""Two processes train as one does: DDP and FSDP2 over gloo, started by `heed train --nproc`."""

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from types import SimpleNamespace
from typing import Any, get_args

import pytest
import torch
from safetensors.torch import load_file

from heedful.cli import main
from heedful.config import RunConfig, merged
from heedful.progress import Progress
from heedful.run_task import Site
from heedful.run_translation import TranslationTask
from heedful.train.checkpoint import Checkpoints
from heedful.train.parallel import Parallel
from heedful.train.processes import Processes
from heedful.train.settings import Gone
from tests.train.tracing import trace, without_clock, words_of

KINDS = [one.model_fields["kind"].default for one in get_args(get_args(Parallel)[0])]
SETTINGS = {"max_steps": 12, "log_every": 1, "shards": 2, "save_every": 4, "validate_every": 6}


def words(config: RunConfig, corpus: Path, **changes: Any) -> list[str]:
    return words_of(merged(config, {"training": SETTINGS | changes}), corpus)


def heed(*given: str, **environment: str) -> "subprocess.CompletedProcess[str]":
    return subprocess.run(
        [sys.executable, "-m", "heedful", "train", *given],
        env=os.environ | environment,
        capture_output=True,
        text=True,
        check=False,
        timeout=240,
    )


def at_start(folder: Path, code: str) -> dict[str, str]:
    """Return the environment in which every Python runs this code before all else."""
    (folder / "sitecustomize.py").write_text(code)
    return {"PYTHONPATH": os.pathsep.join([str(folder), os.environ.get("PYTHONPATH", "")])}


def log(folder: Path) -> list[dict[str, Any]]:
    lines = (folder / "log.jsonl").read_text("utf-8").splitlines()
    return [without_clock(json.loads(line)) for line in lines]


def close(found: Path, expected: Path) -> None:
    """Compare the logs, number by number, and the models."""
    assert len(log(found)) == len(log(expected))
    for one, other in zip(log(found), log(expected), strict=True):
        assert one.keys() == other.keys()
        for name, value in other.items():
            number = isinstance(value, float)
            same = one[name] == (pytest.approx(value, rel=1e-5) if number else value)
            assert same, (name, one, other)
    ours, theirs = (load_file(folder / "model/model.safetensors") for folder in (found, expected))
    assert ours.keys() == theirs.keys()
    for name, weight in ours.items():
        if not name.endswith("key_proj.bias"):  # its gradient is 0: Adam makes steps of rounding
            torch.testing.assert_close(weight, theirs[name], rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("kind", KINDS)
def test_two_processes_are_as_one(
    kind: str, config: RunConfig, corpus: Path, tmp_path: Path
) -> None:
    """Losses, rates, lengths of gradients and dev losses of every step, dropout, guidance and all.

    Then the run of two is gone on with by one, and the other way round.
    """
    asked = words(merged(config, {"objective": {"guided_alignment": 0.05}}), corpus)
    assert main(["train", "--out", str(tmp_path / "one"), *asked]) == 0
    two = heed("--out", str(tmp_path / "two"), "--nproc", "2", "--parallel.kind", kind, *asked)
    assert two.returncode == 0, two.stderr
    assert two.stdout.strip() == str(tmp_path / "two" / "model"), two.stderr
    close(tmp_path / "two", tmp_path / "one")
    names = {path.name for path in (tmp_path / "two/checkpoints/step-12").iterdir()}
    assert ("model-1-of-2.safetensors" in names) == (kind == "fsdp")
    longer = ["--resume", "--quiet", "--training.max-steps", "16"]
    assert main(["train", "--out", str(tmp_path / "two"), *longer]) == 0
    several = ["--nproc", "2", "--parallel.kind", kind]
    assert heed("--out", str(tmp_path / "one"), *several, *longer).returncode == 0
    close(tmp_path / "two", tmp_path / "one")


def workers(parent: int) -> list[int]:
    """Return the processes that `heed train --nproc` has started, in the order of their ranks."""
    found = {}
    for path in Path("/proc").glob("[0-9]*/environ"):
        try:
            stat = (path.parent / "stat").read_text().rpartition(")")[2].split()
            entries = dict(
                entry.partition("=")[::2] for entry in path.read_text().split("\0") if "=" in entry
            )
        except OSError:
            continue
        if int(stat[1]) == parent and "RANK" in entries and stat[0] != "Z":
            found[int(entries["RANK"])] = int(path.parent.name)
    return [found[rank] for rank in sorted(found)]


def steps(folder: Path) -> int:
    text = (folder / "log.jsonl").read_text("utf-8") if (folder / "log.jsonl").exists() else ""
    whole = [line for line in text.split("\n")[:-1] if line]
    return json.loads(whole[-1])["step"] if whole else 0


def killed_once(folder: Path, rank: int, step: int, asked: list[str]) -> tuple[int, str, float]:
    """Kill a process at a step; return the exit code, what was said and how long it stood still."""
    process = subprocess.Popen(
        [sys.executable, "-m", "heedful", "train", "--out", str(folder), "--nproc", "2", *asked],
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        text=True,
    )
    while steps(folder) < step and process.poll() is None:
        time.sleep(0.005)
    victims = workers(process.pid)
    started = time.monotonic()
    if len(victims) == 2:
        os.kill(victims[rank], signal.SIGKILL)
        while set(workers(process.pid)) & set(victims) and process.poll() is None:
            time.sleep(0.005)
    stood = time.monotonic() - started
    said = process.communicate(timeout=240)[1]
    return process.returncode, said, stood


@pytest.mark.parametrize("rank", [0, pytest.param(1, marks=pytest.mark.slow)])
def test_a_killed_process_is_replaced(
    rank: int, config: RunConfig, corpus: Path, tmp_path: Path
) -> None:
    """All start again from the last checkpoint, and the end is that of a run left alone."""
    asked = words(config, corpus, max_steps=60)
    code, said, _ = killed_once(tmp_path / "killed", rank, 30, asked)
    assert code == 0, said
    assert "; starting all again, 3 left" in said
    assert "a fault of heedful" not in said
    assert heed("--out", str(tmp_path / "whole"), "--nproc", "2", *asked).returncode == 0
    assert trace(tmp_path / "killed") == trace(tmp_path / "whole")


def test_what_ends_badly_after_its_work_is_not_started_again(
    config: RunConfig, corpus: Path, tmp_path: Path
) -> None:
    """As a library's thread can while Python is taken down."""
    here = at_start(tmp_path, "import atexit, os\natexit.register(os.abort)\n")
    asked = words(config, corpus, max_steps=2)
    found = heed("--out", str(tmp_path / "run"), "--nproc", "2", *asked, **here)
    assert "starting all again" not in found.stderr
    assert found.stdout.strip() == str(tmp_path / "run" / "model"), found.stderr


@pytest.mark.slow
def test_killed_20_times(config: RunConfig, corpus: Path, tmp_path: Path) -> None:
    """Never does the other process wait for a dead one for longer than a minute (R13)."""
    asked = words(config, corpus, max_steps=40)
    assert heed("--out", str(tmp_path / "whole"), "--nproc", "2", *asked).returncode == 0
    whole = trace(tmp_path / "whole")
    for number in range(20):
        folder = tmp_path / str(number)
        code, said, stood = killed_once(folder, number % 2, 2 + number, asked)
        assert code == 0, said
        assert "starting all again" in said
        assert stood < 60
        assert trace(folder) == whole


def listening(pids: list[int]) -> set[str]:
    """Return the addresses, as the system writes them, on which these processes listen."""
    inodes = set()
    for pid in pids:
        for link in Path(f"/proc/{pid}/fd").iterdir():
            try:
                inodes.add(str(link.readlink()).removeprefix("socket:[").removesuffix("]"))
            except OSError:
                continue
    found = set()
    for table in ("/proc/net/tcp", "/proc/net/tcp6"):
        for line in Path(table).read_text().splitlines()[1:]:
            fields = line.split()
            if fields[3] == "0A" and fields[9] in inodes:
                found.add(fields[1].partition(":")[0])
    return found


LOOPBACK = {"0100007F", "00000000000000000000000001000000", "0000000000000000FFFF00000100007F"}


@pytest.mark.skipif(not Path("/proc/net/tcp").exists(), reason="needs Linux's /proc")
def test_nothing_listens_outside(config: RunConfig, corpus: Path, tmp_path: Path) -> None:
    """Neither the agent nor the processes, while they train (S10)."""
    asked = words(config, corpus, max_steps=4000)
    process = subprocess.Popen(
        [
            *(sys.executable, "-m", "heedful", "train"),
            *("--out", str(tmp_path / "run"), "--nproc", "2", *asked),
        ],
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        text=True,
    )
    while steps(tmp_path / "run") < 3 and process.poll() is None:
        time.sleep(0.005)
    found = listening([process.pid, *workers(process.pid)])
    process.send_signal(signal.SIGTERM)
    said = process.communicate(timeout=240)[1]
    assert found, "the test finds no listener at all"
    assert found <= LOOPBACK
    assert process.returncode == 130, said
    assert said.count("is saved; go on with: heed train --out") == 1, said
    saved = Checkpoints(tmp_path / "run" / "checkpoints").steps()[-1]
    assert f"step {saved:,} is saved" in said


@pytest.mark.parametrize(
    ("given", "said"),
    [
        (("--nproc", "0"), "--nproc: 0 is too few"),
        (("--accept-changes",), "--accept-changes: a new run has nothing to accept; add --resume"),
        (("--nproc", "2", "--restarts", "-1"), "--restarts: -1 is too few"),
        (("--nproc", "2", "--parallel.kind", "dpp"), 'there is no kind "dpp"; did you mean "ddp"'),
    ],
)
def test_bad_input(given: tuple[str, ...], said: str, corpus: Path, tmp_path: Path) -> None:
    found = heed("--data", str(corpus), "--recipe", "tiny", "--out", str(tmp_path / "x"), *given)
    assert found.returncode == 2
    assert said in found.stderr
    assert not (tmp_path / "x").exists()


def test_the_lead_speaks_however_late(corpus: Path, tmp_path: Path) -> None:
    """The others, which know the mistake as well, leave it the time."""
    slow = "import os, time\nif os.environ.get('RANK') == '0': time.sleep(2)\n"
    here = at_start(tmp_path, slow)
    given = ["--data", str(corpus), "--out", str(tmp_path / "x"), "--parallel.kind", "dpp"]
    found = heed(*given, "--nproc", "2", **here)
    assert found.returncode == 2
    assert 'there is no kind "dpp"; did you mean "ddp"' in found.stderr


@pytest.mark.parametrize(
    ("given", "words"),
    [
        ("--debug train --out x --nproc 2 --data train", "--debug --out x --nproc 2 --data train"),
        ("train --out x --nproc 2 --debug", "--out x --nproc 2 --debug"),
    ],
)
def test_every_process_is_given_all_words(
    given: str, words: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Those before the command too."""
    handed: list[Any] = []
    monkeypatch.setattr("heedful.train.launch.launch", lambda *them: handed.append(them) or 0)
    monkeypatch.setattr(sys, "argv", ["/bin/train/heed", *given.split()])
    assert main() == 0
    assert handed == [(words.split(), 2, 3)]


def test_one_sentence_for_all(tmp_path: Path) -> None:
    """A broken corpus is the lead's to tell; it is not tried again."""
    (tmp_path / "a.tsv").write_text("no tab here\n", "utf-8")
    given = ["--data", str(tmp_path / "a.tsv"), "--recipe", "tiny", "--nproc", "2", "--quiet"]
    found = heed("--out", str(tmp_path / "run"), *given)
    assert found.returncode == 2
    assert found.stderr.count("\n") == 1, found.stderr
    assert "a.tsv:1: " in found.stderr
    assert not (tmp_path / "run").exists()


def test_a_finished_run_is_not_resumed_unasked(
    config: RunConfig, corpus: Path, tmp_path: Path
) -> None:
    """Not even where torchrun starts a refused one again."""
    asked = words(config, corpus, max_steps=2)
    assert main(["train", "--out", str(tmp_path / "run"), *asked]) == 0
    before = trace(tmp_path / "run")
    longer = [*asked, "--training.max-steps", "4"]
    here = {"TORCHELASTIC_RESTART_COUNT": "1", "TORCHELASTIC_RUN_ID": "x", "RANK": "0"}
    found = heed("--out", str(tmp_path / "run"), *longer, **here, WORLD_SIZE="1")
    assert found.returncode == 2
    assert "the folder is not empty" in found.stderr
    assert trace(tmp_path / "run") == before


def test_more_processes_than_sentences(tmp_path: Path) -> None:
    (tmp_path / "a.tsv").write_text("a cat\teine Katze\n", "utf-8")
    given = ["--data", str(tmp_path / "a.tsv"), "--recipe", "tiny", "--nproc", "2", "--quiet"]
    found = heed("--out", str(tmp_path / "run"), *given)
    assert found.returncode == 2
    assert "2 processes are more than the 1 sentences of the corpus; use fewer" in found.stderr
    assert not (tmp_path / "run").exists()


def test_nobody_at_the_meeting_place(config: RunConfig, corpus: Path, tmp_path: Path) -> None:
    """An address where nobody answers ends in one sentence, after the time that was set."""
    here = {"RANK": "1", "WORLD_SIZE": "2", "MASTER_ADDR": "127.0.0.1", "MASTER_PORT": "1"}
    asked = [*words(config, corpus), "--parallel.timeout", "1"]
    found = heed("--out", str(tmp_path / "run"), *asked, **here)
    assert found.returncode == 2, found.stderr
    assert "127.0.0.1:1: process 1 of 2 cannot meet the others" in found.stderr
    assert not (tmp_path / "run").exists()


@pytest.mark.parametrize(("rank", "known"), [(0, 640), (1, "auto"), (1, 640)])
def test_the_lead_alone_may_know_the_batch(
    rank: int,
    known: int | str,
    config: RunConfig,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """So it is when torchrun starts all again: other machines do not look into the run folder."""
    met: list[float] = []

    def of_lead(_: Processes, *values: float) -> list[float]:
        met.extend(values)
        return [640.0]

    monkeypatch.setattr(Processes, "of_lead", of_lead)
    config = merged(config, {"training": {"batch_tokens": known}})
    site = Site(tmp_path, torch.device("cpu"), Processes(rank, 2), Progress(quiet=True))
    task = TranslationTask(config, site)
    task.data = SimpleNamespace(train=range(9))  # type: ignore[assignment]
    task.size(Gone())
    assert task.config.training.batch_tokens == 640
    assert met == [0 if known == "auto" else 640]  # all meet, whatever they know
