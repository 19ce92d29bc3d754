"""The folder of a run: one training at a time, and nothing left of one that never began."""

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from heedful.data.store_writer import JOURNAL
from heedful.errors import DataError, OutputError
from heedful.run_folder import LOCK, RunFolder, begun_by_same

HOLDER = """
import sys, time
from pathlib import Path
from heedful.run_folder import RunFolder
with RunFolder(Path(sys.argv[1]), resume=False):
    print("held", flush=True)
    time.sleep(60)
"""


@pytest.fixture
def held(tmp_path: Path) -> "subprocess.Popen[str]":
    """Return another process that has the folder `run`."""
    words = [sys.executable, "-c", HOLDER, str(tmp_path / "run")]
    process = subprocess.Popen(words, stdout=subprocess.PIPE, text=True)
    assert process.stdout is not None
    assert process.stdout.readline() == "held\n"
    return process


@pytest.mark.parametrize("resume", [False, True])
def test_a_second_process_is_refused(
    held: "subprocess.Popen[str]", tmp_path: Path, resume: bool
) -> None:
    """It is told by whom, and changes nothing; the lock of a killed process is none."""
    folder = tmp_path / "run"
    with held:
        with pytest.raises(OutputError) as caught:
            entered(folder, resume=resume)
        assert str(caught.value) == (
            f"{folder}: another training is at work in this folder (process {held.pid}); "
            "wait until it ends, or choose another --out"
        )
        assert [path.name for path in folder.iterdir()] == [LOCK]
        os.kill(held.pid, signal.SIGKILL)
    with RunFolder(folder, resume=resume):
        assert (folder / LOCK).read_text().split()[0] == str(os.getpid())
        assert begun_by_same(folder)


def entered(folder: Path, *, resume: bool) -> None:
    with RunFolder(folder, resume=resume):
        pass


def test_the_same_process_is_refused_too(tmp_path: Path) -> None:
    with RunFolder(tmp_path, resume=True), pytest.raises(OutputError, match="another training"):
        entered(tmp_path, resume=True)
    entered(tmp_path, resume=True)


def test_another_folder_is_left_as_it_is(tmp_path: Path) -> None:
    texts = {"letter.txt": "dear all", ".lock": "mine", "model.new": "mine", LOCK: "a run's"}
    for name, text in texts.items():
        (tmp_path / name).write_text(text)
        with pytest.raises(OutputError, match="not empty"):
            entered(tmp_path, resume=False)
    assert {path.name: path.read_text() for path in tmp_path.iterdir()} == texts
    assert not begun_by_same(tmp_path)


def failing(folder: Path, error: BaseException, *, resume: bool, keep: bool = False) -> None:
    """Begin a run, and fail."""
    with RunFolder(folder, resume=resume) as held:
        (folder / "store").mkdir()
        (folder / "store" / "ids").write_text("1")
        (folder / "config.json").write_text("{}")
        if keep:
            held.keep()
        raise error


@pytest.mark.parametrize("existed", [False, True])
def test_what_never_began_is_undone(tmp_path: Path, existed: bool) -> None:
    folder = tmp_path / "a" / "b"
    if existed:
        folder.mkdir(parents=True)
    with pytest.raises(ValueError):
        failing(folder, ValueError(), resume=False)
    left = [folder] if existed else []
    assert list((tmp_path / "a").glob("*")) == left
    assert not list(folder.glob("*"))


@pytest.mark.parametrize(
    ("error", "resume", "keep"),
    [
        (ValueError(), False, True),
        (ValueError(), True, False),
        (KeyboardInterrupt(), False, False),
    ],
)
def test_what_began_stays(tmp_path: Path, error: BaseException, resume: bool, keep: bool) -> None:
    """So does a resumed run that fails before its first step, and what was interrupted."""
    with pytest.raises(type(error)):
        failing(tmp_path, error, resume=resume, keep=keep)
    assert (tmp_path / "config.json").exists()


def test_what_a_kill_left_is_swept_away(tmp_path: Path) -> None:
    """Half-written files of a dead process, and nothing else."""
    for name in (LOCK, ".config.json.77.tmp", "dev.new", "notes.new"):
        (tmp_path / name).write_text("half")
    entered(tmp_path, resume=True)
    assert {path.name for path in tmp_path.rglob("*")} == {LOCK, "notes.new"}


@pytest.mark.parametrize(
    ("journal", "error", "kept"),
    [
        (False, OutputError("full"), False),
        (True, OutputError("full"), True),
        (True, DataError("changed since it was examined"), False),
    ],
)
def test_a_store_that_has_grown_is_kept(
    tmp_path: Path, journal: bool, error: Exception, kept: bool
) -> None:
    """An hour of tokenising is not undone by a full disk: --resume goes on with it."""
    run = tmp_path / "run"

    def fail() -> None:
        with RunFolder(run, resume=False):
            (run / "store" / "train.growing").mkdir(parents=True)
            if journal:
                (run / "store" / "train.growing" / JOURNAL).write_text("{}")
            raise error

    with pytest.raises(type(error)):
        fail()
    assert run.exists() == kept


def test_killed_before_its_settings_were_there(tmp_path: Path) -> None:
    """The run can be started as if it never had been."""
    for name in (LOCK, ".config.json.77.tmp"):
        (tmp_path / name).write_text("half")
    entered(tmp_path, resume=False)
    assert [path.name for path in tmp_path.iterdir()] == [LOCK]


def test_places_that_cannot_be(tmp_path: Path) -> None:
    file = tmp_path / "file"
    file.write_text("")
    for place, said in ((file, "this is a file"), (file / "run", "cannot be made")):
        with pytest.raises(OutputError, match=said):
            entered(place, resume=False)
    assert file.read_text() == ""
