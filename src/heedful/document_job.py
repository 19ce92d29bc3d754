"""`heed translate notes.md -o notes.de.md`: a file of a known format becomes one, translated.

Words of the command line and a translator come in; a file goes out, and a line on standard error
that says what was done. `heed translate` calls it; `heedful.serve` reads bytes and tells what was
done as it does.
"""

__all__ = ["Job", "job_of", "remarks", "text_of"]

import sys
import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

from heedful.documents import ENDINGS, NAMES, Kind, Report, read, translated
from heedful.errors import DataError, OutputError, SettingError
from heedful.output import open_output
from heedful.progress import Progress
from heedful.request import Request
from heedful.text.framing import parted
from heedful.translated_line import notes
from heedful.translation import Translation

if TYPE_CHECKING:
    from heedful.translator import Options, Translator

_LINES_SHOWN = 5


@dataclass(frozen=True)
class Job:
    """A document to translate, and where to."""

    source: Path
    target: Path
    kind: Kind

    def refuse(self, options: Mapping[str, bool]) -> None:
        """Raise SettingError for the first option that is given and is of lines alone."""
        for option, given in options.items():
            if given:
                raise SettingError(
                    f"it is for lines of text, and {self.source} is a document",
                    where=option,
                    fix=f"leave it out, or give -i {self.source}",
                )

    def run(
        self,
        translator: "Translator",
        to: str | None,
        from_: str | None,
        ask: Callable[[str], Request],
        given: "Options",
        *,
        quiet: bool,
    ) -> None:
        """Translate and write, whole or not at all; placeholders are always protected.

        Raises DataError for a file that is not UTF-8, or subtitles that are none, OutputError where
        nothing can be written.
        """
        if self.target.exists() and self.target.samefile(self.source):
            problem = "the document would be written over"
            raise OutputError(problem, where=str(self.target), fix="choose another output")
        language = parted(translator.target(to, from_))[1] or translator.languages.target
        text = text_of(_bytes_of(self.source), str(self.source))
        document = read(text, self.kind, name=str(self.source), language=language)
        progress = Progress(quiet=quiet)

        def watch(some: Iterable[Translation], count: int) -> Iterator[Translation]:
            return progress.track(some, "translating", count)

        if "care" in given:
            given = {**given, "care": replace(given["care"], protect=True)}
        started = time.perf_counter()
        with open_output(self.target) as out:
            text, report = translated(
                document, translator, to, from_=from_, ask=ask, watch=watch, **given
            )
            out.write(text)
        if not quiet:
            print(self._told(report, time.perf_counter() - started), file=sys.stderr)

    def _told(self, report: Report, seconds: float) -> str:
        """Return what was done, in one line."""
        size = f"{_counted(report.texts, 'text')} of {_counted(report.words, 'word')}"
        head = f"{self.source}: translated as {NAMES[self.kind]}, {size} in {seconds:.1f} s"
        return "; ".join([head, *remarks(report, str(self.target))])


def remarks(report: Report, name: str = "") -> list[str]:
    """Return what a reader of a translated document should know: flags, and what could not be kept.

    `name` is what the new document is called, whose lines are given.

    >>> remarks(Report(kept=[3, 7]))[0].endswith("into the translation: lines 3, 7")
    True
    """
    told = notes(report.flags)
    if report.kept:
        shown = ", ".join(f"{line:,}" for line in report.kept[:_LINES_SHOWN])
        lines = f"line{'s' * (len(report.kept) > 1)} {shown}"
        more = " ..." if len(report.kept) > _LINES_SHOWN else ""
        told.append(
            f"{len(report.kept):,} kept as they are, since their markup could not be put "
            f"into the translation: {name}{', ' * bool(name)}{lines}{more}"
        )
    return told


def text_of(content: bytes, name: str) -> str:
    """Return what the bytes of a document say; `name` is what it is called in errors.

    Raises DataError, with line and byte, where they are not UTF-8.

    >>> text_of("Grüße".encode(), "a.txt")
    'Grüße'
    """
    try:
        return content.decode("utf-8")
    except UnicodeDecodeError as error:
        line = content.count(b"\n", 0, error.start) + 1
        byte = f"byte 0x{content[error.start]:02X}"
        raise DataError(
            f"invalid UTF-8: {byte}", where=f"{name}:{line}", fix="save it as UTF-8"
        ) from None


def job_of(texts: Sequence[str], output: Path | None, *, quiet: bool) -> Job | None:
    """Return the job if a single word is a file, and both it and the output end in one format.

    Otherwise the words are texts; a note on standard error tells of each that is a document's name.
    """
    documents = [Path(text) for text in texts if _is_document(text)]
    if len(texts) == len(documents) == 1 and output is not None:
        kind = _kind(documents[0])
        if kind is not None and _kind(output) == kind:
            return Job(documents[0], output, kind)
    for source in documents if not quiet else ():
        print(
            f"{source} is a file, and its name is translated; for what is in it give it alone, "
            f"with -o FILE{source.suffix}",
            file=sys.stderr,
        )
    return None


def _kind(path: Path) -> Kind | None:
    return ENDINGS.get(path.suffix.lower())


def _is_document(name: str) -> bool:
    try:
        return Path(name).is_file() and _kind(Path(name)) is not None
    except OSError:  # a long text is no name
        return False


def _counted(number: int, what: str) -> str:
    return f"{number:,} {what}{'s' * (number != 1)}"


def _bytes_of(path: Path) -> bytes:
    """Return what is in a file; raises DataError where it cannot be read."""
    try:
        return path.read_bytes()
    except OSError as error:
        reason = (error.strerror or str(error)).lower()
        raise DataError(f"cannot be read: {reason}", where=str(path)) from None
