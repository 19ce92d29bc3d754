"""A text that is learnt as it runs: files come in, their characters go out, portion by portion.

`TextData` names the files; `survey` reads them once and says what is in them, `portions` reads a
part of them. `heedful.run_text` calls both. All needs no torch and no more memory than a portion.
"""

__all__ = ["Part", "TextData", "TextReport", "portions", "survey"]

import hashlib
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any, Literal, NamedTuple

from pydantic import Field

from heedful.data.formats import FORMATS
from heedful.data.formats.reading import ReadCounts, RowError, lines, open_bytes, text_of
from heedful.errors import DataError
from heedful.settings import Settings

PORTION = 2**20
"""Characters of a portion, at least."""
_TABBED = 20
"""Lines from which on a tab in each of them looks like pairs."""


class TextData(Settings):
    """Files of running text, and which part of it is only measured."""

    kind: Literal["text"] = "text"
    train: tuple[str, ...] = ()
    """Text files to learn from, one behind the other."""
    dev: tuple[str, ...] = ()
    """Text files to choose the best weights by; the end of the text to learn from if not given."""
    held_out: float = Field(0.1, gt=0, lt=1)
    """Share of the text's characters that are held out for that, from its end."""


class Part(NamedTuple):
    """Some characters of the files, one behind the other: from `first` on, up to `end`."""

    files: tuple[str, ...]
    first: int
    end: int

    @property
    def size(self) -> int:
        """Characters."""
        return self.end - self.first


@dataclass
class TextReport:
    """What is in the files of a text."""

    files: tuple[str, ...]
    characters: int = 0
    lines: int = 0
    crlf: int = 0
    """Lines that ended in CR LF, read as LF."""
    bom: int = 0
    """Files that began with a byte order mark, which is left out."""
    seen: Counter[str] = field(default_factory=Counter)
    """How often each character occurs."""
    tabbed: int = 0
    """Lines with exactly one tab."""
    sha256: str = ""
    """Of the characters."""

    def summary(self) -> str:
        """Say it in one line."""
        said = f"{self.characters:,} characters, {len(self.seen):,} distinct, {self.lines:,} lines"
        if self.crlf:
            said += f"; {self.crlf:,} CR LF are read as LF"
        return said

    def looks_like_pairs(self) -> bool:
        """Return whether every line has one tab."""
        return self.lines >= _TABBED and self.tabbed == self.lines

    def to_json(self) -> dict[str, Any]:
        """Return all of it, the characters by how often they occur."""
        return asdict(self) | {"seen": dict(self.seen.most_common())}


def survey(files: Sequence[str]) -> TextReport:
    """Read the files once; raises DataError for what is no UTF-8 text, empty, or a corpus of pairs.

    What ends in .tsv, .csv, .jsonl or .parquet is one: a text has another name.
    """
    endings = {ending for kind in FORMATS for ending in kind.extensions}
    found, digest = TextReport(tuple(files)), hashlib.sha256()
    for name in files:
        ending = Path(name.removesuffix(".gz")).suffix.lower()
        if ending in endings:
            raise DataError(
                f"{ending} holds pairs of sentences, and running text is asked for",
                where=name,
                fix="give a .txt; pairs are for translators",
            )
        counts, before = ReadCounts(), found.characters
        for text in _lines(name, counts):
            found.characters += len(text)
            found.seen.update(text)
            found.tabbed += text.count("\t") == 1
            digest.update(text.encode())
        if found.characters == before:
            raise DataError("the file is empty", where=name, fix="give a text")
        found.lines += counts.lines
        found.crlf += counts.crlf
        found.bom += counts.bom
    found.sha256 = digest.hexdigest()
    return found


def portions(part: Part, size: int = PORTION) -> Iterator[str]:
    """Yield the characters of a part, cut in front of white space that follows something else.

    There byte-pair encoding of the whole would cut too, so that portions can be coded one by one.
    """
    kept = ""
    for text in _between(_every_line(part.files), part.first, part.end):
        kept += text
        if len(kept) >= size and (at := _place(kept)):
            yield kept[:at]
            kept = kept[at:]
    if kept:
        yield kept


def _place(text: str) -> int:
    """Return the last place where a space or a line break follows something else, 0 if none does.

    >>> _place("one two  \\n"), _place("one")
    (7, 0)
    """
    at = len(text)
    while at > 0:
        at = max(text.rfind(" ", 0, at), text.rfind("\n", 0, at))
        if at > 0 and not text[at - 1].isspace():
            return at
    return 0


def _between(texts: Iterable[str], first: int, end: int) -> Iterator[str]:
    """Yield the characters `first` to `end` of the texts.

    >>> "".join(_between(["abc", "def", "ghi"], 2, 7))
    'cdefg'
    """
    at = 0
    for text in texts:
        if at + len(text) > first:
            yield text[max(0, first - at) : end - at]
        at += len(text)
        if at >= end:
            return


def _every_line(files: Iterable[str]) -> Iterator[str]:
    for name in files:
        yield from _lines(name, ReadCounts())


def _lines(name: str, counts: ReadCounts) -> Iterator[str]:
    """Yield the lines of a file, each with its LF; the last has one only if the file ends so."""
    path = Path(name)
    last = _ends_in_a_line_break(path)
    before: str | None = None
    for number, raw in lines(path, counts):
        try:
            text = text_of(raw)
        except RowError as error:
            raise DataError(error.problem, where=f"{path}:{number}", fix=error.fix) from None
        if before is not None:
            yield before + "\n"
        before = text
    if before is not None:
        yield before + "\n" * last


def _ends_in_a_line_break(path: Path) -> bool:
    last = b""
    with open_bytes(path) as file:
        while block := file.read(1 << 20):
            last = block[-1:]
    return last == b"\n"
