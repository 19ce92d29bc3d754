"""The folder of a run: made for it, held against other processes, undone when nothing came of it.

`heedful.run` enters one for as long as it trains. The lock is the system's (flock) on a file, so
that it ends with the process, however that ends; where there is none (Windows, some network
disks) nothing holds a second training back.
"""

__all__ = ["RunFolder", "begun_by_same"]

import os
import platform
import shutil
from contextlib import suppress
from fnmatch import fnmatch
from itertools import chain
from pathlib import Path
from types import TracebackType
from typing import Self, TextIO

from heedful.data.store_writer import JOURNAL
from heedful.errors import DataError, OutputError
from heedful.lock import try_lock
from heedful.taught import FOLDER

LOCK = ".heedful.lock"
_HALF_WRITTEN = (
    ".*.json.*.tmp",
    ".*.html.*.tmp",
    ".*.json.*.partial",
    *("dev.new", "test.new", "log.new", "model.new"),
)
_WORTH = (f"store/*/{JOURNAL}", f"*/store/*/{JOURNAL}")
"""What has taken long: a later start goes on with it."""
_ELSEWHERE = "choose another --out"


class RunFolder:
    """A context: the folder is this process's own inside it.

    Entering raises OutputError when another training is at work in the folder or, unless `resume`,
    when anything else is in it. An error inside it takes away a new run, until `keep` is called
    or a token store has grown so far that it is worth going on with (not with another corpus).
    """

    def __init__(self, path: Path, *, resume: bool) -> None:
        self.path = path
        self._undo = not resume
        self._made: list[Path] = []
        self._lock: TextIO | None = None

    def __enter__(self) -> Self:
        try:
            self._make()
            try:
                self._hold()
            except BaseException:
                self._remove_made()
                raise
        except OSError as error:
            raise OutputError(
                f"the run folder cannot be made ({error.strerror})",
                where=str(self.path),
                fix=_ELSEWHERE,
            ) from error
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, _: TracebackType | None
    ) -> None:
        if self._undo and isinstance(error, Exception):
            grown = any(chain.from_iterable(map(self.path.glob, _WORTH)))
            translated = any(self.path.glob(f"{FOLDER}/*"))
            if not translated and (not grown or isinstance(error, DataError)):
                self._clear()
        if self._lock is not None:
            self._lock.close()

    def keep(self) -> None:
        """Let the folder stay from here on, whatever happens."""
        self._undo = False

    def _make(self) -> None:
        if self.path.exists() and not self.path.is_dir():
            raise OutputError(
                "this is a file, a run needs a folder", where=str(self.path), fix=_ELSEWHERE
            )
        self._made = [path for path in (self.path, *self.path.parents) if not path.exists()]
        self.path.mkdir(parents=True, exist_ok=True)

    def _hold(self) -> None:
        """Lock the folder; nothing is written into one that is somebody else's."""
        lock = self.path / LOCK
        used = self._undo and any(not _nothing(path) for path in self.path.iterdir())
        if lock.exists() or not used:
            self._lock = _locked(lock)
        if used:
            if self._lock is not None:
                self._lock.close()
            raise OutputError(
                "the folder is not empty",
                where=str(self.path),
                fix="go on with the run that is there by --resume, or choose another --out",
            )
        if self._lock is not None:
            self._lock.truncate(0)
            self._lock.write(f"{os.getpid()} {_starter()}")
            self._lock.flush()
        self._sweep()

    def _sweep(self) -> None:
        """Remove what a killed training had half written; nobody else is writing."""
        if self._lock is None:
            return
        for pattern in _HALF_WRITTEN:
            for stray in (*self.path.glob(pattern), *self.path.glob(f"*/{pattern}")):
                _remove(stray)

    def _clear(self) -> None:
        """Empty the folder of a run that never began, and remove the folders made for it."""
        for entry in list(self.path.iterdir()) if self.path.is_dir() else []:
            _remove(entry)
        self._remove_made()

    def _remove_made(self) -> None:
        with suppress(OSError):
            for path in self._made:
                path.rmdir()


def _remove(path: Path) -> None:
    if path.is_dir():
        shutil.rmtree(path, ignore_errors=True)
    else:
        path.unlink(missing_ok=True)


def _locked(path: Path) -> TextIO | None:
    """Return the open lock file, None where the system knows no locks; OutputError if held."""
    file = path.open("a+", encoding="utf-8")
    held = try_lock(file)
    if held:
        return file
    file.seek(0)
    holder = file.read().partition(" ")[0]
    file.close()
    if held is None:
        return None
    raise OutputError(
        "another training is at work in this folder" + (f" (process {holder})" if holder else ""),
        where=str(path.parent),
        fix=f"wait until it ends, or {_ELSEWHERE}",
    )


def _nothing(path: Path) -> bool:
    """Recognise what a run leaves that was killed before its settings were there."""
    return path.name == LOCK or fnmatch(path.name, ".config.json.*.tmp")


def _starter() -> str:
    """Return who started this process: the same for those that an agent starts again."""
    return f"{platform.node()}:{os.getppid()}"


def begun_by_same(path: Path) -> bool:
    """Return whether the run in this folder was begun by the agent that started this process."""
    try:
        return (path / LOCK).read_text("utf-8").split()[1:] == [_starter()]
    except (OSError, ValueError):
        return False
