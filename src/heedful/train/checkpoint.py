"""Checkpoints of a run in progress: `checkpoints/step-N/`, safetensors and JSON, never a pickle.

A checkpoint is written into a temporary folder, flushed to the disk, sealed with a manifest of
SHA-256 sums and only then renamed; older ones are removed after that. Reading verifies the
manifest, so a damaged one is set aside and the one before it is used.
"""

__all__ = ["Checkpoint", "Checkpoints"]

import json
import os
import shutil
from collections.abc import Collection
from dataclasses import dataclass
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
        names = (path.name.removeprefix("step-") for path in self.folder.glob("step-*"))
        return sorted(int(name) for name in names if name.isdecimal())

    def path(self, step: int) -> Path:
        """Return the folder of a step's checkpoint."""
        return self.folder / f"step-{step}"

    def save(self, checkpoint: Checkpoint) -> None:
        """Commit a checkpoint: after this it is whole on disk, or an OutputError was raised."""
        fresh = self.folder / f".tmp-step-{checkpoint.step}"
        try:
            shutil.rmtree(fresh, ignore_errors=True)
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
            shutil.rmtree(self.path(checkpoint.step), ignore_errors=True)
            fresh.rename(self.path(checkpoint.step))
            _flush(self.folder)
        except (OSError, SafetensorError) as error:
            shutil.rmtree(fresh, ignore_errors=True)
            raise OutputError(
                f"the checkpoint of step {checkpoint.step} cannot be saved ({error})",
                where=str(self.folder),
                fix="free some space and go on with --resume; earlier checkpoints are untouched",
            ) from error

    def rotate(self, keep: int, protected: Collection[int]) -> None:
        """Remove all but the newest `keep` and the protected steps."""
        for step in self.steps()[:-keep]:
            if step not in protected:
                shutil.rmtree(self.path(step), ignore_errors=True)

    def load(self, step: int) -> Checkpoint:
        """Read a checkpoint; raises ModelError if a file is missing or altered."""
        folder = self.path(step)
        self._verify(folder)
        state = json.loads((folder / "state.json").read_text("utf-8"))
        return Checkpoint(
            step=step,
            model=load_file(folder / "model.safetensors"),
            optimizer=load_file(folder / "optimizer.safetensors"),
            state=state,
        )

    def load_weights(self, step: int) -> dict[str, torch.Tensor]:
        """Read only the model's weights of a checkpoint."""
        self._verify(self.path(step))
        return load_file(self.path(step) / "model.safetensors")

    def newest(self) -> tuple[Checkpoint, list[str]]:
        """Return the newest whole checkpoint, and what was said of damaged ones set aside.

        Raises ModelError when there is none: a resumed run never starts over silently.
        """
        said = []
        for step in reversed(self.steps()):
            try:
                return self.load(step), said
            except ModelError as error:
                aside = self.folder / f"corrupt-step-{step}"
                shutil.rmtree(aside, ignore_errors=True)
                self.path(step).rename(aside)
                said.append(f"{error}; set aside as {aside.name}")
        raise ModelError(
            "no whole checkpoint to resume from",
            where=str(self.folder),
            fix="start anew in another folder with --out",
        )

    def _verify(self, folder: Path) -> None:
        try:
            manifest = json.loads((folder / "manifest.json").read_text("utf-8"))
            whole = set(manifest) == set(_FILES) and all(
                (folder / name).stat().st_size == entry["bytes"]
                and sha256(folder / name) == entry["sha256"]
                for name, entry in manifest.items()
            )
        except (OSError, ValueError, KeyError, TypeError):
            whole = False
        if not whole:
            raise ModelError("the checkpoint is damaged", where=str(folder))


def average(weights: list[dict[str, torch.Tensor]]) -> dict[str, torch.Tensor]:
    """Return the mean of several checkpoints' weights (section 6.1), summed in float64."""
    return {
        name: (torch.stack([one[name].double() for one in weights]).mean(0)).to(tensor.dtype)
        for name, tensor in weights[0].items()
    }


def _flush(path: Path) -> None:
    handle = os.open(path, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
