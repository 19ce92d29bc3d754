"""Checkpoints of a run in progress: `checkpoints/step-N/`, safetensors and JSON, never a pickle.

A checkpoint is written into a temporary folder, sealed with a manifest of SHA-256 sums, flushed to
the disk and only then renamed; older ones are removed after that. Reading verifies the manifest,
so a damaged one is set aside and the one before it is used. The loop saves, `heedful.run` reads.
"""

__all__ = ["Checkpoint", "Checkpoints", "average"]

import json
import os
import re
import shutil
from collections.abc import Collection, Iterable
from contextlib import suppress
from dataclasses import dataclass
from itertools import count
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError
from safetensors.torch import load_file, save_file

from heedful.errors import ModelError, OutputError
from heedful.model_folder import sha256

_FILES = ("model.safetensors", "optimizer.safetensors", "state.json")


@dataclass(frozen=True)
class Checkpoint:
    """All that a run needs to go on as if nothing had happened."""

    step: int
    model: dict[str, torch.Tensor]
    optimizer: dict[str, torch.Tensor]
    state: dict[str, Any]


class Checkpoints:
    """The checkpoints of one run."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

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
        try:
            self._sweep()
            fresh.mkdir(parents=True)
            save_file(checkpoint.model, fresh / "model.safetensors")
            save_file(checkpoint.optimizer, fresh / "optimizer.safetensors")
            (fresh / "state.json").write_text(json.dumps(checkpoint.state, indent=1), "utf-8")
            manifest = {
                name: {"bytes": (fresh / name).stat().st_size, "sha256": sha256(fresh / name)}
                for name in _FILES
            }
            (fresh / "manifest.json").write_text(json.dumps(manifest, indent=1), "utf-8")
            for path in (*fresh.iterdir(), fresh):
                _flush(path)
            self._remove(checkpoint.step)
            fresh.rename(self.path(checkpoint.step))
            _flush(self.folder)
        except (OSError, SafetensorError) as error:
            shutil.rmtree(fresh, ignore_errors=True)
            raise OutputError(
                f"the checkpoint of step {checkpoint.step} cannot be saved ({error})",
                where=str(self.folder),
                fix="make room and go on with --resume: earlier checkpoints are untouched",
            ) from error

    def rotate(self, keep: int, protected: Collection[int]) -> None:
        """Remove all but the newest `keep` and the protected steps."""
        for step in self.steps()[:-keep]:
            if step not in protected:
                self._remove(step)

    def _remove(self, step: int) -> None:
        """Take a checkpoint's name away first, so that what bears it is always whole."""
        gone = self.folder / f".tmp-gone-{step}"
        with suppress(OSError):
            self.path(step).rename(gone)
        shutil.rmtree(gone, ignore_errors=True)

    def _sweep(self) -> None:
        """Remove what a killed process left half-written or half-removed."""
        for stray in self.folder.glob(".tmp-*"):
            shutil.rmtree(stray, ignore_errors=True)

    def load(self, step: int) -> Checkpoint:
        """Read a checkpoint; raises ModelError if a file is missing or altered."""
        folder = self.path(step)
        self._verify(step)
        return Checkpoint(
            step=step,
            model=load_file(folder / "model.safetensors"),
            optimizer=load_file(folder / "optimizer.safetensors"),
            state=json.loads((folder / "state.json").read_text("utf-8")),
        )

    def load_weights(self, step: int) -> dict[str, torch.Tensor]:
        """Read only the model's weights of a checkpoint; raises ModelError if it is damaged."""
        self._verify(step)
        return load_file(self.path(step) / "model.safetensors")

    def is_whole(self, step: int) -> bool:
        """Return whether every file of a checkpoint is as it was written."""
        try:
            self._verify(step)
        except ModelError:
            return False
        return True

    def newest(self) -> tuple[Checkpoint, list[str]]:
        """Return the newest whole checkpoint, and what was said of damaged ones set aside.

        Raises ModelError when there is none: a resumed run never starts over silently.
        """
        said: list[str] = []
        for step in reversed(self.steps()):
            try:
                return self.load(step), said
            except ModelError as error:
                said.append(f"{error}; set aside as {self._set_aside(step)}")
        raise ModelError(
            "no whole checkpoint to resume from",
            where=str(self.folder),
            fix="start anew in another folder with --out",
        )

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

    def _verify(self, step: int) -> None:
        folder = self.path(step)
        try:
            manifest = json.loads((folder / "manifest.json").read_text("utf-8"))
            whole = set(manifest) == set(_FILES) and all(
                (folder / name).stat().st_size == entry["bytes"]
                and sha256(folder / name) == entry["sha256"]
                for name, entry in manifest.items()
            )
            whole = whole and json.loads((folder / "state.json").read_text("utf-8"))["step"] == step
        except (OSError, ValueError, KeyError, TypeError, AttributeError, RecursionError):
            whole = False
        if not whole:
            raise ModelError("the checkpoint is damaged", where=str(folder))


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


def _flush(path: Path) -> None:
    handle = os.open(path, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
