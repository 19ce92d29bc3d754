"""Where a model lies: what a user names becomes a folder that `heedful.model_folder` reads."""

__all__ = ["BESIDE", "BUNDLED", "bundled", "model_path", "writable_path"]

import os
from pathlib import Path

from heedful import pretrained
from heedful.errors import ModelError, OutputError, did_you_mean

BUNDLED = "everyday"
"""The model that comes with the package."""

BESIDE = "everyday_lstm"
"""The recurrent model that stands beside it in the tour of the playground."""


def bundled() -> list[str]:
    """Return the names of the models that come with the package."""
    return [folder.name for folder in _place().iterdir() if (folder / "config.json").is_file()]


def _place() -> Path:
    """Return the folder where they lie."""
    return Path(pretrained.__file__).parent


def model_path(path_or_name: str | Path) -> Path:
    """Return the model folder that a path, a run folder or a bundled name means."""
    path = Path(path_or_name)
    if (path / "model" / "config.json").is_file():
        return path / "model"
    if (path / "checkpoints").is_dir():
        raise ModelError(
            "this training has not ended, so that it has no model yet",
            where=str(path),
            fix=f"go on with it: heed train --out {path} --resume",
        )
    if (path / "config.json").is_file():
        return path
    names = bundled()
    if str(path_or_name) in names:
        return _place() / str(path_or_name)
    if path.is_dir():
        raise ModelError(
            "no model is in this folder",
            where=str(path),
            fix="give a folder that `heed train` wrote",
        )
    raise ModelError(
        "there is no such folder, and no bundled model of that name",
        where=str(path),
        fix=did_you_mean(str(path_or_name), names) if names else "give the folder of a model",
    )


def writable_path(name: str) -> Path:
    """Return the model folder; raises ModelError when there is none, or it cannot be changed."""
    folder = model_path(name)
    if folder.parent == _place() and not Path(name).exists():
        raise ModelError(
            "this model belongs to the package and is not changed",
            where=name,
            fix=f"copy its folder ({folder}) and give the copy",
        )
    if not os.access(folder, os.W_OK):
        raise OutputError(
            "this folder cannot be written to",
            where=str(folder),
            fix="copy the model to a folder that you can write to",
        )
    return folder
