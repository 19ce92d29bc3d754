"""The pre-flight report: what a corpus holds, what is wrong with it, what cleaning drops and why.

Filled by `heedful.data.corpus`; printed by `heed report`, saved beside every run as JSON and HTML.
"""

__all__ = [
    "FileReport",
    "Finding",
    "Leak",
    "Report",
    "SideReport",
    "SplitReport",
    "letter_shares",
    "outcome",
    "share_text",
    "shorten",
    "write_whole",
]

import contextlib
import json
import os
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from heedful.data.characters import OddCharacter
from heedful.data.formats.reading import BadRow
from heedful.data.survey import Example
from heedful.errors import OutputError


@dataclass(frozen=True)
class FileReport:
    """One corpus (a file, or two line-parallel ones) as it was read."""

    spec: str
    lines: int
    rows: int
    bom: int
    crlf: int
    bad_rows: int
    """Rows that cannot be read: a wrong number of fields, invalid UTF-8, NUL ..."""
    bad_examples: tuple[BadRow, ...]


@dataclass(frozen=True)
class Finding:
    """One kind of thing found in rows; `dropped` of them leave the split because of it.

    A row with several findings is dropped for the first of them only, so the numbers dropped add
    up to the rows that are gone.
    """

    name: str
    title: str
    rows: int
    dropped: int
    mended: bool
    """Whether the rows are used in a mended form (white space trimmed)."""
    examples: tuple[Example, ...]


@dataclass(frozen=True)
class SideReport:
    """The texts of one side."""

    name: str
    characters: int
    distinct_characters: int
    median_length: float
    longest: int
    """In characters, as the median."""
    lengths: dict[str, int]
    """Rows by length in characters, such as `{"1-10": 52, "11-20": 310}`."""
    words: int
    scripts: dict[str, int]
    """Characters of each script, most frequent first."""
    odd_characters: tuple[OddCharacter, ...]


@dataclass(frozen=True)
class SplitReport:
    """Train, dev or test: of `rows` read some are kept, some held out, the others dropped."""

    name: str
    files: tuple[FileReport, ...]
    """Empty for a split held out of train."""
    rows: int
    kept: int
    held_out: int
    """Rows of train that became dev or test."""
    findings: tuple[Finding, ...]
    sides: tuple[SideReport, ...]


@dataclass(frozen=True)
class Leak:
    """Rows of `split` whose source also stands in `seen_in`, before anything is dropped."""

    split: str
    seen_in: str
    rows: int
    same_pair: int
    """Of these, the rows whose target is the same as well."""
    examples: tuple[Example, ...]


@dataclass(frozen=True)
class Report:
    """All of it; `notes` are the sentences a person should read first."""

    splits: tuple[SplitReport, ...]
    leaks: tuple[Leak, ...]
    typical_ratio: float
    """Characters of target to a character of source, the median over rows."""
    cleaning: dict[str, Any]
    notes: tuple[str, ...]

    @property
    def first_bad_row(self) -> BadRow | None:
        """Return the first row that could not be read, if any."""
        files = [file for split in self.splits for file in split.files]
        return next((bad for file in files for bad in file.bad_examples), None)

    def to_json(self) -> str:
        """Return the report as indented JSON."""
        record = {"format": "heedful-data-report", "version": 1, **asdict(self)}
        return json.dumps(record, ensure_ascii=False, indent=2) + "\n"

    def to_html(self) -> str:
        """Return the report as one page that needs nothing else."""
        from heedful.data.report_page import page

        return page(self)

    def summary(self) -> str:
        """Return the report for a terminal, some twenty lines."""
        return "\n".join(_summary(self)) + "\n"

    def save(self, folder: Path) -> None:
        """Write `data-report.json` and `data-report.html` into a folder."""
        write_whole(folder / "data-report.json", self.to_json())
        write_whole(folder / "data-report.html", self.to_html())


def write_whole(path: Path, text: str) -> None:
    """Write a text whole or not at all; raises OutputError naming the path."""
    temporary = path.with_name(f".{path.name}.{os.getpid()}.tmp")
    try:
        temporary.write_text(text, encoding="utf-8", newline="\n")
        temporary.replace(path)
    except OSError as error:
        with contextlib.suppress(OSError):
            temporary.unlink()
        problem = f"cannot be written: {(error.strerror or str(error)).lower()}"
        raise OutputError(problem, where=str(path)) from None


def _summary(report: Report) -> Iterator[str]:
    for split in report.splits:
        yield f"{split.name}: {_shares(split)}"
        for file in split.files:
            yield f"  {file.spec}: {file.lines:,} lines{_oddities(file)}"
            yield from (f"    {bad.where}: {bad.reason}" for bad in file.bad_examples[:5])
        for side in split.sides:
            yield f"  {side.name}: {_side(side)}"
        for finding in split.findings:
            if finding.rows:
                yield from _finding(finding)
    for leak in report.leaks:
        yield (
            f"leak: {leak.rows:,} rows of {leak.split} have a source that is in {leak.seen_in}"
            f" ({leak.same_pair:,} with the same target)"
        )
    yield from (f"note: {note}" for note in report.notes)


def _shares(split: SplitReport) -> str:
    gone = split.rows - split.kept - split.held_out
    parts = [f"{split.held_out:,} held out"] if split.held_out else []
    parts += [f"{gone:,} dropped"] if gone else []
    kept = f"{split.kept:,} rows used"
    return f"{kept} of {split.rows:,} ({', '.join(parts)})" if parts else kept


def _oddities(file: FileReport) -> str:
    parts = [f"{file.bad_rows:,} bad rows"] if file.bad_rows else []
    parts += ["a byte order mark"] if file.bom else []
    parts += [f"{file.crlf:,} CRLF line ends"] if file.crlf else []
    return "".join(f", {part}" for part in parts)


def _side(side: SideReport) -> str:
    shares = ", ".join(f"{name} {share_text(share)}" for name, share in letter_shares(side)[:4])
    return (
        f"{side.characters:,} characters ({side.distinct_characters:,} distinct; {shares}),"
        f" median {side.median_length:.0f} a row, longest {side.longest:,}"
    )


def letter_shares(side: SideReport) -> list[tuple[str, float]]:
    """Return each script's share of the letters, largest first (no digits, marks or signs)."""
    letters = {name: count for name, count in side.scripts.items() if name[:1].isupper()}
    total = sum(letters.values()) or 1
    return [(name, count / total) for name, count in letters.items()]


def share_text(share: float) -> str:
    """Write a share as per cent, never rounding something to nothing.

    >>> share_text(0.5), share_text(0.0001), share_text(1.0)
    ('50 %', '< 0.1 %', '100 %')
    """
    if 0 < share < 0.001:
        return "< 0.1 %"
    return f"{100 * share:.3g} %" if share < 0.999 or share == 1 else "> 99.9 %"


def _finding(finding: Finding) -> Iterator[str]:
    yield f"  {finding.title}: {finding.rows:,} ({outcome(finding)})"
    for example in finding.examples[:1]:
        yield f"    {example.where}: {shorten(example.source, 40)} | {shorten(example.target, 40)}"


def outcome(finding: Finding) -> str:
    """Say what became of the rows: `dropped`, `221 dropped`, `trimmed` or `kept`."""
    if finding.dropped:
        whole = finding.dropped == finding.rows
        return "dropped" if whole else f"{finding.dropped:,} dropped"
    return "trimmed" if finding.mended else "kept"


def shorten(text: str, most: int) -> str:
    r"""Cut a text for display and make what is invisible in it visible.

    >>> shorten("a\tb\x0bc" + "d" * 100, 10)
    'a\\tb\\x0bc…'
    """
    shown = "".join(c if c.isprintable() else ascii(c)[1:-1] for c in text[:most])
    return shown if len(shown) <= most and len(text) <= most else shown[: most - 1] + "…"
