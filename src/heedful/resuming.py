"""A file of results in the making, by which a later run goes on after any kill.

Beside `out.txt` grow `.out.txt.part`, the results so far, and `.out.txt.part.lines`, the journal.
Its first line is JSON and says what the results are made with. A line follows for each line of the
input: its hash, the bytes of its result, notes, and a check over all this, the result and the check
before it. What is cut off or altered in either file is thus found, and made again.
"""

__all__ = ["Left", "Part"]

import json
import os
from collections import Counter
from collections.abc import Iterator, Mapping
from contextlib import suppress
from hashlib import blake2b
from itertools import islice
from pathlib import Path
from types import TracebackType
from typing import BinaryIO, NamedTuple, Self

from heedful.errors import DataError, OutputError, SettingError
from heedful.lock import try_lock
from heedful.output import refuse_protected, unwritable

FORMAT = "heedful-part-1"
_ANEW = "leave --resume out to begin anew"
_ROOM = "free some space or choose another place"


class Left(NamedTuple):
    """What an earlier run left that is whole."""

    lines: int
    """Lines of the input whose results are there."""
    notes: Counter[str]
    """How often each note was made of them."""


class Part:
    """A context that owns the file in the making: `begin`, then `add` for each line of the input.

    Leaving it without an error gives the file its name, flushed to the disk, and removes the
    journal. After an error both stay if a single result is in them, and the error is given a note
    that says so. Entering raises OutputError, before any work, where the file cannot be written or
    another process is writing it.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self._target = path.resolve()
        self._part = self._target.with_name(f".{self._target.name}.part")
        self._journal_path = self._part.with_name(f"{self._part.name}.lines")
        self._head = b""
        self._check = b""
        self._begun = self._agreed = False
        self._lines = self._safe = 0

    def __enter__(self) -> Self:
        try:
            refuse_protected(self._target)
            self._journal = self._held()
            try:
                self._file = self._part.open("a+b")
            except OSError:
                self._remove_journal()
                raise
        except OSError as error:
            raise unwritable(self.path, error) from None
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, _: TracebackType | None
    ) -> None:
        if error is not None:
            self._leave(error)
            return
        try:
            self._finish()
        except OSError as failure:
            told = self._failed(failure)
            self._leave(told)
            raise told from failure

    def begin(self, made_with: Mapping[str, object], *, resume: bool) -> Left:
        """Return what an earlier run left: `resume` goes on with it, else the first `add` drops it.

        `made_with` names everything that decides the results. Raises SettingError where the earlier
        run's differs and is to be gone on with, OutputError for a journal that cannot be read.
        """
        self._head = _head(made_with)
        self._journal.seek(0)
        first = self._journal.readline()
        if resume and first.endswith(b"\n"):
            self._compare(first)
        left, ends = self._whole(first)
        if resume and left.lines:
            for file, end in zip((self._journal, self._file), ends, strict=True):
                file.truncate(end)
                file.seek(end)
            self._lines = self._safe = left.lines
            self._begun = True
        return left

    def after(self, texts: Iterator[str], name: str) -> Iterator[str]:
        """Yield the lines of the input behind those whose results are there.

        Raises DataError, with `name` and line, where one of the earlier ones is not what it was.
        """
        with self._journal_path.open("rb") as journal:
            journal.readline()
            for number, line in enumerate(islice(journal, self._lines), start=1):
                text = next(texts, None)
                if text is None:
                    problem = (
                        f"it has {number - 1:,} lines, and results of {self._lines:,} are there"
                    )
                    raise DataError(problem, where=name, fix=_ANEW)
                if not line.startswith(_hash(text.encode())):
                    problem = "the line is not the one that the result is there of"
                    raise DataError(problem, where=f"{name}:{number}", fix=_ANEW)
        self._agreed = True
        yield from texts

    def add(self, source: str, result: str, notes: tuple[str, ...] = ()) -> None:
        """Write the result (lines of text) of the next line of the input, with notes of it."""
        try:
            self._anew()
            written = result.encode() + b"\n"
            entry = b"%s %d %s" % (_hash(source.encode()), len(written), ",".join(notes).encode())
            self._check = _hash(self._check, entry, written)
            self._journal.write(b"%s %s\n" % (entry, self._check))
            self._file.write(written)
        except OSError as error:
            raise self._failed(error) from error
        self._lines += 1

    def flush(self) -> None:
        """Let the system have what was written, so that it outlives this process."""
        try:
            self._flush()
        except OSError as error:
            raise self._failed(error) from error

    def isatty(self) -> bool:
        """Tell, as files do, that nobody is watching."""
        return False

    def _held(self) -> BinaryIO:
        """Return the journal, locked, and not one that its owner has removed meanwhile."""
        while True:
            file = self._journal_path.open("a+b")
            if try_lock(file) is False:
                file.close()
                raise OutputError(
                    "another process is writing it",
                    where=str(self.path),
                    fix="wait until it ends, or choose another output",
                )
            with suppress(FileNotFoundError):
                if os.path.samestat(os.fstat(file.fileno()), self._journal_path.stat()):
                    return file
            file.close()

    def _compare(self, head: bytes) -> None:
        """Refuse to go on with what was made with something else."""
        if head == self._head:
            return
        try:
            found = json.loads(head)
            earlier = found["made with"] if found["format"] == FORMAT else None
        except (ValueError, KeyError, TypeError, RecursionError):
            earlier = None
        if not isinstance(earlier, dict):
            problem = f"what an earlier run left cannot be gone on with: {self._journal_path.name}"
            raise OutputError(f"{problem} is damaged", where=str(self.path), fix=_ANEW)
        now = json.loads(self._head)["made with"]
        for name in {**now, **earlier}:
            if earlier.get(name) != now.get(name):
                raise SettingError(
                    f"what an earlier run left was made with {_said(name, earlier.get(name))}, "
                    f"this run is with {_said(name, now.get(name))}",
                    where=str(self.path),
                    fix=f"give the same, or {_ANEW}",
                )

    def _whole(self, head: bytes) -> tuple[Left, tuple[int, int]]:
        """Return the results that are there undamaged, and where in the two files they end."""
        notes: Counter[str] = Counter()
        check, lines = _hash(head), 0
        ends = [len(head), 0]
        room = os.fstat(self._file.fileno()).st_size
        self._file.seek(0)
        for line in self._journal:
            entry, _, said = line.removesuffix(b"\n").rpartition(b" ")
            _, size, *noted = [*entry.split(b" "), b""]
            if not line.endswith(b"\n") or not size.isdigit() or len(size) > 18:
                break
            if int(size) > room - ends[1]:
                break
            check = _hash(check, entry, self._file.read(int(size)))
            if check != said:
                break
            notes.update(name.decode() for name in noted[0].split(b",") if name)
            lines += 1
            ends = [ends[0] + len(line), ends[1] + int(size)]
            self._check = check
        return Left(lines, notes), (ends[0], ends[1])

    def _anew(self) -> None:
        """Drop what an earlier run left, the first time it is called."""
        if self._begun:
            return
        for file in (self._journal, self._file):
            file.seek(0)
            file.truncate()
        self._begun = self._agreed = True
        self._journal.write(self._head)
        self._check = _hash(self._head)

    def _flush(self) -> None:
        self._journal.flush()
        self._file.flush()
        self._safe = self._lines

    def _finish(self) -> None:
        self._anew()
        self._flush()
        os.fsync(self._file.fileno())
        self._file.close()
        if self._target.exists():
            self._part.chmod(self._target.stat().st_mode)
        self._part.replace(self._target)
        _sync(self._target.parent)
        self._remove_journal()

    def _leave(self, error: BaseException) -> None:
        """Keep what was made, if there is any, and say so."""
        with suppress(OSError, ValueError):  # a full disk has been told of; a file may be closed
            self._flush()
        with suppress(OSError):
            self._file.close()
        if self._safe:
            if self._agreed:
                done = f"{self._safe:,} line{'s' * (self._safe != 1)}"
                error.add_note(f"kept: {done}, with which --resume goes on")
        elif self._begun or not self._part.stat().st_size:
            self._part.unlink(missing_ok=True)
            self._remove_journal()
        with suppress(OSError):
            self._journal.close()

    def _remove_journal(self) -> None:
        if os.name == "nt":
            self._journal.close()  # Windows removes no open file, and has no lock to lose
        self._journal_path.unlink(missing_ok=True)
        self._journal.close()

    def _failed(self, error: OSError) -> OutputError:
        return unwritable(self.path, error, _ROOM)


def _head(made_with: Mapping[str, object]) -> bytes:
    content = {"format": FORMAT, "made with": made_with}
    return json.dumps(content, default=str).encode() + b"\n"


def _hash(*parts: bytes) -> bytes:
    """Return 64 bits of BLAKE2b over all parts, in hexadecimal."""
    state = blake2b(digest_size=8)
    for part in parts:
        state.update(part)
    return state.hexdigest().encode()


def _said(name: str, value: object) -> str:
    """Name an option and its value for a person; what is no option is only named.

    >>> _said("--beam", 4), _said("--fast", True), _said("--fast", False), _said("model", "9f86")
    ('--beam 4', '--fast', 'no --fast', 'the model 9f86')
    """
    if not name.startswith("--"):
        return f"the {name} {value}"
    if value is True:
        return name
    return f"no {name}" if value is None or value is False else f"{name} {value}"


def _sync(folder: Path) -> None:
    """Let the folder's names be safe on the disk, where the system can do that."""
    with suppress(OSError):
        handle = os.open(folder, os.O_RDONLY)
        try:
            os.fsync(handle)
        finally:
            os.close(handle)
