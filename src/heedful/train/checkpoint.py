"""Checkpoints of a run in progress: `checkpoints/step-N/`, safetensors and JSON, never a pickle.

A checkpoint is written into a temporary folder, sealed with a manifest of SHA-256 sums, flushed to
the disk and only then renamed; older ones are removed after that. Reading verifies the manifest,
so a damaged one is set aside and the one before it is used. The loop saves, `heedful.run` reads.
Where weights are divided among processes, each writes its own part and reads its own rows; any
number of processes reads the parts of any other.
"""

__all__ = ["Checkpoint", "Checkpoints", "average"]

import errno
import json
import os
import re
import shutil
from collections.abc import Callable, Collection, Iterable
from contextlib import suppress
from dataclasses import dataclass
from itertools import count
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError
from safetensors.torch import load_file, save_file

from heedful.errors import ModelError, OutputError
from heedful.model_header import sha256
from heedful.train.processes import Processes
from heedful.train.sharding import Shapes, read

State = dict[str, Any]
_KINDS = ("model", "optimizer")
_ALONE = Processes()


@dataclass(frozen=True)
class Checkpoint:
    """All that a run needs to go on as if nothing had happened."""

    step: int
    model: dict[str, torch.Tensor]
    optimizer: dict[str, torch.Tensor]
    state: State
    shapes: Shapes | None = None
    """Where each process holds a part: the shapes of the whole tensors, of both kinds."""

    def weight_shapes(self) -> Shapes:
        """Return the shapes of the whole weights."""
        if self.shapes is None:
            return {name: list(weight.shape) for name, weight in self.model.items()}
        return {name: self.shapes[name] for name in self.model}


class Checkpoints:
    """The checkpoints of one run; with several `processes` all of them save and read together.

    Where these divide weights among them (`divided`), each reads only its own rows.
    """

    def __init__(
        self, folder: Path, processes: Processes = _ALONE, *, divided: bool = False
    ) -> None:
        self.folder = folder
        self.processes = processes
        self.divided = divided

    def steps(self) -> list[int]:
        """Return the steps saved, in numerical order."""
        names = [path.name for path in self.folder.glob("step-*")]
        numbers = [name.removeprefix("step-") for name in names]
        return sorted(int(number) for number in numbers if _NUMBER.fullmatch(number))

    def begun(self) -> bool:
        """Return whether anything was ever saved, whole or damaged."""
        return bool(self.steps()) or any(self.folder.glob("corrupt-*"))

    def path(self, step: int) -> Path:
        """Return the folder of a step's checkpoint."""
        return self.folder / f"step-{step}"

    def save(self, checkpoint: Checkpoint) -> None:
        """Commit a checkpoint: after this it is whole on disk, or an OutputError was raised."""
        fresh = self.folder / f".tmp-step-{checkpoint.step}"
        failure: Exception | None = None
        for part in (self._begin, self._write, self._commit):
            try:
                part(checkpoint, fresh)
            except (OSError, SafetensorError) as error:
                failure = error
            if self.processes.any(failure is not None):
                break
        else:
            return
        if self.processes.lead:
            shutil.rmtree(fresh, ignore_errors=True)
        why = _reason(failure) if failure else "another process could not write its part"
        raise OutputError(
            f"the checkpoint of step {checkpoint.step} cannot be saved ({why})",
            where=str(self.folder),
            fix="make room and go on with --resume: earlier checkpoints are untouched",
        ) from failure

    def _begin(self, checkpoint: Checkpoint, fresh: Path) -> None:
        if self.processes.lead:
            self._sweep()
            fresh.mkdir(parents=True)
            _require_room(checkpoint, fresh, self.processes.size)

    def _write(self, checkpoint: Checkpoint, fresh: Path) -> None:
        """Write this process's files: the lead's alone where no tensor is cut."""
        if checkpoint.shapes is None and not self.processes.lead:
            return
        ending = ""
        if checkpoint.shapes is not None:
            ending = f"-{self.processes.rank}-of-{self.processes.size}"
            (fresh / f"shapes{ending}.json").write_text(json.dumps(checkpoint.shapes), "utf-8")
            _flush(fresh / f"shapes{ending}.json")
        for kind in _KINDS:
            path = fresh / f"{kind}{ending}.safetensors"
            save_file(getattr(checkpoint, kind), path)
            _flush(path)

    def _commit(self, checkpoint: Checkpoint, fresh: Path) -> None:
        if not self.processes.lead:
            return
        (fresh / "state.json").write_text(json.dumps(checkpoint.state, indent=1), "utf-8")
        manifest = {
            path.name: {"bytes": path.stat().st_size, "sha256": sha256(path)}
            for path in sorted(fresh.iterdir())
        }
        (fresh / "manifest.json").write_text(json.dumps(manifest, indent=1), "utf-8")
        for path in (fresh / "state.json", fresh / "manifest.json", fresh):
            _flush(path)
        self._remove(checkpoint.step)
        fresh.rename(self.path(checkpoint.step))
        _flush(self.folder)

    def note_returns(self, step: int, returns: int) -> None:
        """Keep how often a diverging training has gone back to this step, whatever happens next."""
        if not self.processes.lead:
            return
        path = self.folder / "returns.json"
        fresh = path.with_name(".tmp-returns.json")
        fresh.write_text(json.dumps({"step": step, "returns": returns}), "utf-8")
        _flush(fresh)
        fresh.replace(path)
        _flush(self.folder)

    def returns(self, step: int) -> int:
        """Return what was kept of this step; 0 if nothing was."""
        try:
            kept = json.loads((self.folder / "returns.json").read_text("utf-8"))
            return int(kept["returns"]) if kept["step"] == step else 0
        except (OSError, ValueError, KeyError, TypeError):
            return 0

    def rotate(self, keep: int, protected: Collection[int]) -> None:
        """Remove all but the newest `keep` and the protected steps."""
        if not self.processes.lead:
            return
        for step in self.steps()[:-keep]:
            if step not in protected:
                self._remove(step)

    def forget_after(self, step: int) -> None:
        """Remove what is newer: nobody is to go on from it."""
        if self.processes.lead:
            for newer in [one for one in self.steps() if one > step]:
                self._remove(newer)

    def _remove(self, step: int) -> None:
        """Take a checkpoint's name away first, so that what bears it is always whole."""
        gone = self.folder / f".tmp-gone-{step}"
        with suppress(OSError):
            self.path(step).rename(gone)
        shutil.rmtree(gone, ignore_errors=True)

    def _sweep(self) -> None:
        """Remove what a killed process left half-written or half-removed."""
        for stray in self.folder.glob(".tmp-*"):
            if stray.is_dir():
                shutil.rmtree(stray, ignore_errors=True)
            else:
                stray.unlink(missing_ok=True)

    def load(self, step: int) -> Checkpoint:
        """Read a checkpoint, whole or this process's rows; ModelError if a file is damaged."""
        return self._load(step, self._verify(step))

    def load_weights(self, step: int) -> dict[str, torch.Tensor]:
        """Read all of a checkpoint's weights and nothing else; ModelError if a file is damaged."""
        return self._whole(step, "model", self._verify(step))

    def load_moments(self, step: int) -> dict[str, torch.Tensor]:
        """Read all of a checkpoint's optimizer state alone; ModelError if a file is damaged."""
        return self._whole(step, "optimizer", self._verify(step))

    def _load(self, step: int, parts: int | None) -> Checkpoint:
        state = self._state(step)
        if not self.divided:
            model, optimizer = (self._whole(step, kind, parts) for kind in _KINDS)
            return Checkpoint(step, model, optimizer, state)
        place = (self.processes.rank, self.processes.size)
        (model, shapes), (optimizer, others) = (
            read(*self._files(step, kind, parts), *place) for kind in _KINDS
        )
        return Checkpoint(step, model, optimizer, state, shapes | others)

    def _whole(self, step: int, kind: str, parts: int | None) -> dict[str, torch.Tensor]:
        if parts is None:
            return load_file(self.path(step) / f"{kind}.safetensors")
        return read(*self._files(step, kind, parts))[0]

    def _files(self, step: int, kind: str, parts: int | None) -> tuple[list[Path], Shapes | None]:
        """Return the files of a kind, in the order of their writers, and shapes if in parts."""
        folder = self.path(step)
        if parts is None:
            return [folder / f"{kind}.safetensors"], None
        endings = [f"-{rank}-of-{parts}" for rank in range(parts)]
        shapes = json.loads((folder / f"shapes{endings[0]}.json").read_text("utf-8"))
        return [folder / f"{kind}{ending}.safetensors" for ending in endings], shapes

    def is_whole(self, step: int) -> bool:
        """Return whether every file of a checkpoint is as it was written."""
        try:
            self._verify(step)
        except ModelError:
            return False
        return True

    def newest(self, fit: Callable[[State], bool] | None = None) -> tuple[Checkpoint, list[str]]:
        """Return the newest whole checkpoint, and what was said of damaged ones set aside.

        Rather an older one whose state is `fit`, if there is such a one. The lead looks for it,
        every byte of it, and tells the others. Raises ModelError when there is none: a resumed run
        never starts over silently.
        """
        said: list[str] = []
        chosen = self._chosen(said, fit) if self.processes.lead else 0
        step = int(self.processes.of_lead(chosen)[0])
        if step < 0:
            raise ModelError(
                "no whole checkpoint to resume from",
                where=str(self.folder),
                fix="start anew in another folder with --out",
            )
        try:
            parts = self._verify(step, lengths_only=True)
            return self._load(step, parts), said
        except (ModelError, OSError, SafetensorError) as error:
            raise ModelError(
                f"process {self.processes.rank} does not read what the first process has verified",
                where=str(self.path(step)),
                fix="let the folder of the run be the same for all of them",
            ) from error

    def _chosen(self, said: list[str], fit: Callable[[State], bool] | None) -> int:
        """Return the newest step that is whole, -1 if none is, and set damaged ones aside."""
        newest = -1
        for step in reversed(self.steps()):
            try:
                self._verify(step)
            except ModelError as error:
                said.append(f"{error}; set aside as {self._set_aside(step)}")
                continue
            if fit is None or fit(self._state(step)):
                return step
            newest = max(newest, step)
        return newest

    def _state(self, step: int) -> State:
        state: State = json.loads((self.path(step) / "state.json").read_text("utf-8"))
        return state

    def _set_aside(self, step: int) -> str:
        """Give a damaged checkpoint another name, never one that is taken, and return it."""
        names = (f"corrupt-step-{step}" + (f"-{n}" if n else "") for n in count())
        aside = next(path for name in names if not (path := self.folder / name).exists())
        try:
            self.path(step).rename(aside)
        except OSError as error:
            raise OutputError(
                f"the damaged checkpoint cannot be set aside ({error.strerror})",
                where=str(self.path(step)),
                fix="make the run folder writable",
            ) from error
        return aside.name

    def _verify(self, step: int, *, lengths_only: bool = False) -> int | None:
        """Return the number of parts, None if there is one; raise ModelError for a damaged one.

        `lengths_only` takes the word of another process for the bytes.
        """
        folder = self.path(step)
        try:
            manifest = json.loads((folder / "manifest.json").read_text("utf-8"))
            parts = _parts(set(manifest))
            whole = all(
                (folder / name).stat().st_size == entry["bytes"]
                and (lengths_only or sha256(folder / name) == entry["sha256"])
                for name, entry in manifest.items()
            )
            whole = whole and json.loads((folder / "state.json").read_text("utf-8"))["step"] == step
        except (OSError, ValueError, KeyError, TypeError, AttributeError, RecursionError):
            whole = False
        if not whole:
            raise ModelError("the checkpoint is damaged", where=str(folder))
        return parts


def _parts(names: set[str]) -> int | None:
    """Return into how many parts the files divide the tensors; ValueError if they are not all.

    >>> _parts({"state.json", "model.safetensors", "optimizer.safetensors"})
    """
    count = sum(name.startswith("shapes-") for name in names)
    endings = [f"-{rank}-of-{count}" for rank in range(count)]
    wanted = {f"{kind}{ending}.safetensors" for kind in _KINDS for ending in endings or [""]}
    wanted |= {f"shapes{ending}.json" for ending in endings} | {"state.json"}
    if names != wanted:
        raise ValueError("other files than those of a checkpoint")
    return count or None


_NUMBER = re.compile("0|[1-9][0-9]*")


def average(weights: Iterable[dict[str, torch.Tensor]]) -> dict[str, torch.Tensor]:
    """Return the mean of several checkpoints' weights (section 6.1), summed in float64.

    One checkpoint after another is taken, so that memory holds one of them and the sum.
    """
    sums: dict[str, torch.Tensor] = {}
    dtypes: dict[str, torch.dtype] = {}
    n_added = 0
    for one in weights:
        n_added += 1
        for name, tensor in one.items():
            sums[name] = sums[name] + tensor if name in sums else tensor.double()
            dtypes[name] = tensor.dtype
    return {name: (total / n_added).to(dtypes[name]) for name, total in sums.items()}


def _reason(error: Exception) -> str:
    return (error.strerror if isinstance(error, OSError) else None) or str(error)


def _require_room(checkpoint: Checkpoint, folder: Path, processes: int) -> None:
    """Raise OSError before anything is written where the disk has not room for the tensors."""
    tensors = (*checkpoint.model.values(), *checkpoint.optimizer.values())
    parts = 1 if checkpoint.shapes is None else processes
    needed, free = parts * sum(t.nbytes for t in tensors), shutil.disk_usage(folder).free
    if free < needed:
        room = f"{needed / 1e6:,.1f} MB are needed, {free / 1e6:,.1f} MB are free"
        raise OSError(errno.ENOSPC, room)


def _flush(path: Path) -> None:
    handle = os.open(path, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
