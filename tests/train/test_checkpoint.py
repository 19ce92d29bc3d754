"""Checkpoints survive crashes, full disks and damage: whole or not there at all.

The fault tests follow SQLite's: the Nth call of the system fails, for N = 1, 2, ... until a save
meets no fault.
"""

import errno
import os
import random
import resource
import shutil
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors import SafetensorError
from safetensors.torch import save_file

from heedful.errors import ModelError, OutputError
from heedful.train import checkpoint as module
from heedful.train.checkpoint import Checkpoint, Checkpoints, average

FILES = {"manifest.json", "model.safetensors", "optimizer.safetensors", "state.json"}


def made(step: int, size: int = 5) -> Checkpoint:
    numbers = torch.Generator().manual_seed(step)
    return Checkpoint(
        step=step,
        model={"a": torch.randn(size, generator=numbers), "b": torch.full((2, 2), float(step))},
        optimizer={"a/step": torch.tensor(step), "random/cpu": torch.arange(9, dtype=torch.uint8)},
        state={"step": step, "recent": [0.1, step / 3]},
    )


def same(one: Checkpoint, other: Checkpoint) -> bool:
    return (one.step, one.state) == (other.step, other.state) and all(
        left.keys() == right.keys() and all(torch.equal(left[name], right[name]) for name in left)
        for left, right in ((one.model, other.model), (one.optimizer, other.optimizer))
    )


@pytest.fixture
def saved(tmp_path: Path) -> Checkpoints:
    """Return checkpoints of steps 9 and 10."""
    checkpoints = Checkpoints(tmp_path / "checkpoints")
    for step in (9, 10):
        checkpoints.save(made(step))
    return checkpoints


def test_round_trip(saved: Checkpoints) -> None:
    assert saved.steps() == [9, 10]
    assert same(saved.load(9), made(9))
    newest, said = saved.newest()
    assert same(newest, made(10))
    assert said == []
    assert torch.equal(saved.load_weights(9)["a"], made(9).model["a"])
    assert {path.name for path in saved.path(9).iterdir()} == FILES


def test_same_bytes_each_time(saved: Checkpoints, tmp_path: Path) -> None:
    again = Checkpoints(tmp_path / "again")
    again.save(made(9))
    for name in FILES:
        assert (again.path(9) / name).read_bytes() == (saved.path(9) / name).read_bytes()


def test_order_of_commit(
    saved: Checkpoints, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Every file, the manifest last, is flushed, then the folder, then it gets its name."""
    done: list[str] = []
    descriptors: dict[int, str] = {}
    open_, fsync, rename = os.open, os.fsync, Path.rename

    def opening(path: Any, *others: Any, **named: Any) -> int:
        number = open_(path, *others, **named)
        descriptors[number] = Path(path).name
        return number

    def flushing(number: int) -> None:
        fsync(number)
        done.append("flush " + descriptors[number])

    def renaming(self: Path, target: Path) -> Path:
        done.append(f"rename {self.name} {target.name}")
        return rename(self, target)

    monkeypatch.setattr(os, "open", opening)
    monkeypatch.setattr(os, "fsync", flushing)
    monkeypatch.setattr(Path, "rename", renaming)
    saved.save(made(11))
    *files, folder, committed, parent = [step for step in done if "gone" not in step]
    assert set(files) == {f"flush {name}" for name in FILES}
    assert folder == "flush .tmp-step-11"
    assert committed == "rename .tmp-step-11 step-11"
    assert parent == "flush checkpoints"


def test_rotation_counts_by_number(tmp_path: Path) -> None:
    """10000 is newer than 9900, though it stands before it in the alphabet."""
    checkpoints = Checkpoints(tmp_path)
    for step in (900, 9800, 9900, 10000, 10100):
        checkpoints.save(made(step))
    checkpoints.rotate(2, protected=set())
    assert checkpoints.steps() == [10000, 10100]
    checkpoints.save(made(99900))
    assert checkpoints.newest()[0].step == 99900


def test_rotation_keeps_the_protected(tmp_path: Path) -> None:
    checkpoints = Checkpoints(tmp_path)
    for step in range(1, 8):
        checkpoints.save(made(step))
        checkpoints.rotate(1, protected={2, 4})
    assert checkpoints.steps() == [2, 4, 7]
    checkpoints.rotate(5, protected=set())
    assert checkpoints.steps() == [2, 4, 7]


def test_other_names_are_no_checkpoints(saved: Checkpoints) -> None:
    for name in ("step-", "step-x", "step-010", "step--5", "step-٣", "corrupt-step-50", ".tmp-7"):
        (saved.folder / name).mkdir()
    assert saved.steps() == [9, 10]


def damage(path: Path, chance: random.Random) -> Iterator[str]:
    """Cut a file, turn a bit of it, remove it; say how, and put it right again."""
    content = path.read_bytes()
    for size in sorted({0, 1, 8, len(content) // 2, len(content) - 1}):
        path.write_bytes(content[:size])
        yield f"{path.name} cut to {size}"
    for _ in range(250):
        place, bit = chance.randrange(len(content)), chance.randrange(8)
        turned = bytearray(content)
        turned[place] ^= 1 << bit
        path.write_bytes(turned)
        yield f"bit {bit} of byte {place} of {path.name}"
    path.write_bytes(content + b"x")
    yield f"{path.name} longer"
    path.unlink()
    yield f"{path.name} missing"
    path.mkdir()
    yield f"{path.name} a folder"
    path.rmdir()
    path.write_bytes(content)


def test_damage_is_rejected(saved: Checkpoints, monkeypatch: pytest.MonkeyPatch) -> None:
    """Before any tensor is used; 1,000 turned bits among it."""
    with monkeypatch.context() as patch:
        patch.setattr(module, "load_file", failing(AssertionError("a damaged file was read")))
        for name in sorted(FILES):
            for what in damage(saved.path(10) / name, random.Random(name)):
                with pytest.raises(ModelError, match="step-10: the checkpoint is damaged"):
                    saved.load(10)
                assert not saved.is_whole(10), what
    assert same(saved.load(10), made(10))


@pytest.mark.parametrize(
    "manifest",
    [
        "[]",
        "5",
        "null",
        "[" * 100_000,
        '["model.safetensors", "optimizer.safetensors", "state.json"]',
        '{"model.safetensors": 1, "optimizer.safetensors": 2, "state.json": 3}',
    ],
)
def test_damaged_manifest(saved: Checkpoints, manifest: str) -> None:
    (saved.path(10) / "manifest.json").write_text(manifest, "utf-8")
    assert not saved.is_whole(10)


@pytest.mark.parametrize("name", sorted(FILES))
def test_files_of_two_checkpoints_mixed(saved: Checkpoints, name: str) -> None:
    shutil.copyfile(saved.path(9) / name, saved.path(10) / name)
    assert not saved.is_whole(10)


def test_checkpoint_of_another_step(saved: Checkpoints) -> None:
    shutil.copytree(saved.path(9), saved.path(20))
    assert not saved.is_whole(20)


def test_fall_back(saved: Checkpoints) -> None:
    """The damaged one gets another name, and its step can be saved again."""
    for attempt in ("", "-1", "-2"):
        (saved.path(10) / "state.json").unlink()
        newest, (said,) = saved.newest()
        assert same(newest, made(9))
        aside = saved.folder / f"corrupt-step-10{attempt}"
        assert said.endswith(f"step-10: the checkpoint is damaged; set aside as {aside.name}")
        assert (aside / "model.safetensors").exists()
        saved.save(made(10))
        assert same(saved.newest()[0], made(10))


def test_rather_a_fit_one(saved: Checkpoints) -> None:
    """An older one before the newest; the newest if no whole one is fit."""
    assert saved.newest(lambda state: state["step"] == 9)[0].step == 9
    assert saved.newest(lambda _: False)[0].step == 10
    (saved.path(9) / "state.json").unlink()
    newest, said = saved.newest(lambda state: state["step"] == 9)
    assert (newest.step, len(said)) == (10, 1)
    assert same(newest, made(10))


def test_what_is_newer_is_forgotten(saved: Checkpoints) -> None:
    saved.forget_after(10)
    assert saved.steps() == [9, 10]
    saved.forget_after(9)
    assert {path.name for path in saved.folder.iterdir()} == {"step-9"}


def test_all_damaged(saved: Checkpoints) -> None:
    assert saved.begun()
    for step in (9, 10):
        (saved.path(step) / "model.safetensors").unlink()
    for _ in range(2):
        with pytest.raises(ModelError, match="no whole checkpoint to resume from"):
            saved.newest()
        assert saved.begun()
    assert not Checkpoints(saved.folder / "elsewhere").begun()


def test_set_aside_fails(saved: Checkpoints, monkeypatch: pytest.MonkeyPatch) -> None:
    (saved.path(10) / "state.json").unlink()
    monkeypatch.setattr(Path, "rename", failing(OSError(errno.EROFS, os.strerror(errno.EROFS))))
    with pytest.raises(OutputError, match=r"cannot be set aside .* make the run folder writable"):
        saved.newest()


def failing(error: BaseException) -> Callable[..., Any]:
    def fail(*_: Any, **__: Any) -> Any:
        raise error

    return fail


CALLS: list[tuple[Any, str]] = [
    (os, "fsync"),
    (os, "open"),
    (Path, "mkdir"),
    (Path, "rename"),
    (Path, "write_text"),
    (Path, "stat"),
    (Path, "open"),
    (module, "save_file"),
    (shutil, "rmtree"),
]


@contextmanager
def fault_at(number: int, error: BaseException, *, lasting: bool = False) -> Iterator[list[int]]:
    """Let the call of this number, or all from it on, fail, and count the calls."""
    calls = [0]

    def wrapped(original: Callable[..., Any]) -> Callable[..., Any]:
        def call(*given: Any, **named: Any) -> Any:
            calls[0] += 1
            if calls[0] == number or (lasting and calls[0] > number):
                if original is save_file:
                    Path(given[1]).write_bytes(b"half")
                if lasting and named.get("ignore_errors"):
                    return None
                raise error
            return original(*given, **named)

        return call

    with pytest.MonkeyPatch.context() as patch:
        for owner, name in CALLS:
            patch.setattr(owner, name, wrapped(getattr(owner, name)))
        yield calls


class Crash(BaseException):
    """Stands for a process that ends at once."""


FAULTS = [
    *(OSError(n, os.strerror(n)) for n in (errno.ENOSPC, errno.EIO, errno.EDQUOT, errno.EACCES)),
    SafetensorError("I/O error: no space left on device"),
    Crash("killed"),
]


@pytest.mark.parametrize("error", FAULTS, ids=str)
@pytest.mark.parametrize("step", [10, 11])
@pytest.mark.parametrize("lasting", [False, True])
def test_every_call_fails(
    error: BaseException,
    step: int,
    lasting: bool,
    saved: Checkpoints,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Whatever fails while step 11 (or 10 again) is saved, 9 stays whole, and the next try works.

    After a failure nothing half-written is left; after a crash the next save sweeps it away.
    """
    monkeypatch.setattr(os, "fsync", lambda _: None)  # counted, but not waited for
    number = 0
    while True:
        number += 1
        checkpoints = Checkpoints(tmp_path / str(number))
        shutil.copytree(saved.folder, checkpoints.folder)
        with fault_at(number, error, lasting=lasting) as calls:
            try:
                checkpoints.save(made(step))
            except OutputError as failure:
                assert f"the checkpoint of step {step} cannot be saved" in str(failure)  # noqa: PT017
                assert "earlier checkpoints are untouched" in str(failure)  # noqa: PT017
                outcome = "failed"
            except Crash:
                outcome = "crashed"
            else:
                outcome = "saved"
        assert same(checkpoints.load(9), made(9))
        assert all(checkpoints.is_whole(one) for one in checkpoints.steps())
        if outcome == "failed" and not lasting:
            assert not list(checkpoints.folder.glob(".tmp-step-*"))
        if outcome == "saved":
            assert same(checkpoints.load(step), made(step))
        if step == 11:
            assert same(checkpoints.load(10), made(10))
        checkpoints.save(made(12))
        checkpoints.rotate(1, protected=set())
        assert {path.name for path in checkpoints.folder.iterdir()} == {"step-12"}
        if calls[0] < number:
            break
    assert number > 20


def test_rotation_cut_short(saved: Checkpoints) -> None:
    """A crash while an old checkpoint is being removed leaves none that is half there."""
    with fault_at(2, Crash()), pytest.raises(Crash):
        saved.rotate(1, protected=set())
    assert all(saved.is_whole(step) for step in saved.steps())
    assert saved.newest()[0].step == 10
    saved.save(made(11))
    assert not list(saved.folder.glob(".tmp-*"))


def test_disk_really_full(saved: Checkpoints) -> None:
    """The system refuses to write files of more than 40,000 bytes."""
    limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (40_000, limits[1]))
    try:
        with pytest.raises(OutputError, match=r"step 11 cannot be saved .*; make room and go on"):
            saved.save(made(11, size=100_000))
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)
    assert {path.name for path in saved.folder.iterdir()} == {"step-9", "step-10"}
    assert same(saved.newest()[0], made(10))


def test_room_is_looked_for_before_writing(
    saved: Checkpoints, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The sentence says what is needed and what there is."""
    usage = shutil.disk_usage(saved.folder)._replace(free=300_000)
    monkeypatch.setattr(shutil, "disk_usage", lambda _: usage)
    monkeypatch.setattr(module, "save_file", lambda *_: pytest.fail("it was written"))
    with pytest.raises(OutputError, match=r"\(\d\.\d MB are needed, 0\.3 MB are free\); make room"):
        saved.save(made(11, size=100_000))
    assert {path.name for path in saved.folder.iterdir()} == {"step-9", "step-10"}


def test_folder_cannot_be_made(tmp_path: Path) -> None:
    (tmp_path / "checkpoints").write_text("a file", "utf-8")
    with pytest.raises(OutputError, match="the checkpoint of step 1 cannot be saved"):
        Checkpoints(tmp_path / "checkpoints").save(made(1))


def test_average_is_the_mean() -> None:
    weights = [made(step).model for step in (1, 2, 6)]
    found = average(iter(weights))
    assert found["b"].tolist() == [[3.0, 3.0], [3.0, 3.0]]
    expected = sum(one["a"].double().numpy() for one in weights) / 3
    assert found["a"].dtype == torch.float32
    assert found["a"].tolist() == [pytest.approx(x, abs=1e-7) for x in expected.tolist()]
    alone = average(iter(weights[:1]))
    assert torch.equal(alone["a"], weights[0]["a"])


def test_average_loses_no_small_differences() -> None:
    """Sums are float64: in float32, 2^24 + 1 is 2^24."""
    weights = [{"a": torch.tensor([value])} for value in (2.0**24, 1.0, 1.0)]
    assert average(iter(weights))["a"].item() == (2**24 + 2) / 3
