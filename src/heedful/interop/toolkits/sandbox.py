"""A checkpoint that is a pickle is read by a process of its own; what it leaves is checked here.

A file comes in, the tensors of a safetensors file and plain settings go out.
"""

__all__ = ["Opened", "opened"]

import json
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, NamedTuple

from heedful.errors import ModelError
from heedful.interop.huggingface.config import read_json
from heedful.interop.huggingface.folder import Held, outline
from heedful.interop.toolkits.child import ERROR, SAID, WEIGHTS

_SLOWEST = 20e6
"""Bytes a second that the slowest machine reads, converts and writes."""


class Opened(NamedTuple):
    """What a checkpoint holds."""

    said: dict[str, Any]
    """`toolkit`, `settings`, and what else the child found."""
    held: dict[str, Held]
    checkpoint: Path


@contextmanager
def opened(checkpoint: Path, config: Path | None = None) -> Iterator[Opened]:
    """Yield what a checkpoint holds, which is gone when the block ends.

    Raises ModelError where it cannot be read, names what it must not, or needs too much.
    """
    with TemporaryDirectory(prefix="heedful-import-") as name:
        folder = Path(name)
        _read_apart(checkpoint, folder, config)
        said = read_json(folder / SAID)
        if config is not None:
            said["config"] = str(config)
        yield Opened(said, outline(folder / WEIGHTS), checkpoint)


def _read_apart(checkpoint: Path, folder: Path, config: Path | None) -> None:
    where = str(checkpoint)
    paths = [str(path.absolute()) for path in (checkpoint, folder, config) if path is not None]
    command = [sys.executable, "-P", "-m", "heedful.interop.toolkits.child", *paths]
    longest = 300 + checkpoint.stat().st_size / _SLOWEST
    try:
        done = subprocess.run(command, capture_output=True, timeout=longest, check=False)
    except subprocess.TimeoutExpired:
        problem = f"reading it took more than {longest:.0f} seconds, and was stopped"
        raise ModelError(problem, where=where) from None
    if done.returncode == 0:
        return
    try:
        told = json.loads((folder / ERROR).read_text("utf-8"))
        problem, fix = str(told["problem"]), str(told.get("fix", ""))
    except (OSError, ValueError, KeyError):
        problem = f"the process that reads it ended ({done.returncode}); the file may be damaged"
        fix = "fetch it again"
    raise ModelError(problem, where=where, fix=fix or None)
