"""What is to be scored: a test set, and the systems that translate it.

Files come in, rows of text and their translations by each system go out; `heed evaluate` scores
them.
"""

__all__ = ["How", "Pairs", "System", "read_pairs", "system"]

import time
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path

from heedful.confidence import Calibration
from heedful.data.formats import ReadCounts, open_corpus
from heedful.data.formats.reading import RowError, lines, text_of
from heedful.errors import DataError
from heedful.model_path import model_path
from heedful.overlap import learnt
from heedful.progress import Progress
from heedful.text.framing import parted
from heedful.translation import Translation
from heedful.translator import BUNDLED, Options, Translator


@dataclass
class Pairs:
    """The rows of the test set, as they stand in the file."""

    first: list[str] = field(default_factory=list)
    second: list[str] = field(default_factory=list)
    left_out: dict[str, int] = field(default_factory=dict)
    """Rows without a source or without a reference, and rows that could not be read."""

    def sides(self, swapped: bool) -> tuple[list[str], list[str]]:
        """Return sources and references."""
        return (self.second, self.first) if swapped else (self.first, self.second)

    def scored(self) -> list[int]:
        """Return the rows that have both texts."""
        both = zip(self.first, self.second, strict=True)
        return [row for row, (one, two) in enumerate(both) if one.strip() and two.strip()]


@dataclass
class System:
    """One model or file of translations, and what it gave."""

    name: str
    lines: list[str]
    """One a row of the test set."""
    swapped: bool = False
    language: str = ""
    """The target's, as far as it is known."""
    direction: str = ""
    precision: str | None = None
    """Of a model, what it computes in."""
    seconds: float | None = None
    log_probs: list[float] = field(default_factory=list)
    """Of a model that is calibrated or is to be: a piece's mean one, of each scored row."""
    tag: str = ""
    """Of a model, the target language that it is asked for."""
    known: Calibration | None = None
    """Of a model, what it knows of its own quality."""
    flags: dict[str, int] = field(default_factory=dict)
    """How many texts each flag was given to."""


@dataclass(frozen=True)
class How:
    """How models translate."""

    options: Options
    to: str | None
    from_: str | None
    device: str
    precision: str
    fast: bool
    every_row: bool
    """Whether rows that are not scored are translated too."""
    calibrating: bool = False
    """Whether the model is to learn of its own quality, whatever it knows of it."""
    overlap: bool = False
    """Whether rows that a model has learnt from may be scored."""


def read_pairs(data: str, columns: str | None, *, skip_bad: bool) -> Pairs:
    """Read the test set whole; raises DataError when not a row can be scored."""
    counts = ReadCounts()
    chosen = columns.split(",") if columns else None
    test = Pairs()
    for row in open_corpus(data, columns=chosen, skip_bad=skip_bad, counts=counts):
        test.first.append(row.source)
        test.second.append(row.target)
    empty_first = sum(not text.strip() for text in test.first)
    test.left_out = {
        "empty_first": empty_first,
        "empty_second": len(test.first) - len(test.scored()) - empty_first,
        "unreadable": counts.skipped_bad,
    }
    if not test.scored():
        raise DataError(
            "no row has both a source and a reference",
            where=data,
            fix="give a test set of pairs",
        )
    return test


def system(name: str | None, how: How, test: Pairs, progress: Progress) -> System:
    """Return the translations of a model, or those of a file where `name` is one."""
    if name is not None and Path(name).is_file():
        return System(name, _lines(Path(name), len(test.first)), language=how.to or "")
    name = BUNDLED if name is None else name
    translator = Translator.load(name, how.device, how.precision, how.fast)
    if (glossary := how.options.get("glossary")) is not None:
        translator.check_glossary(glossary)
    made = System(name, [""] * len(test.first), precision=translator.precision)
    tag = _direct(made, translator, how)
    made.tag = tag or ""
    made.known = None if how.calibrating else translator.calibration(tag)
    sources = test.sides(made.swapped)[0]
    rows = test.scored()
    if not how.overlap:
        _refuse_learnt(name, translator, [sources[row].strip() for row in rows], tag)
    started = time.perf_counter()
    found = _translate(made, translator, sources, rows, (tag, how), progress)
    made.seconds = time.perf_counter() - started
    if how.calibrating or made.known:
        made.log_probs = translator.mean_log_probs(found)
    if how.every_row:
        rest = sorted(set(range(len(sources))) - set(rows))
        _translate(made, translator, sources, rest, (tag, how), progress)
    return made


def _refuse_learnt(name: str, translator: Translator, sources: list[str], tag: str | None) -> None:
    """Raise DataError where sentences of the test set stand in what the model has learnt from."""
    found = learnt(model_path(name), translator.tokenizer, sources, tag)
    if found:
        raise DataError(
            f"{len(found):,} of {len(sources):,} sources are in the corpus that the model has "
            f'learnt from, such as "{sources[found[0]]:.60}"',
            where=name,
            fix="give a test set of other sentences, or --overlap to score it all the same",
        )


def _direct(made: System, translator: Translator, how: How) -> str | None:
    """Set which column is the source and what the target is; return the tag to ask for."""
    languages = translator.languages
    named = bool(languages.target) or translator.tokenizer.framing.directed
    tag = translator.target(*((how.to, how.from_) if named else (None, None)))
    told, asked = parted(tag)
    target = asked or languages.target
    made.swapped = languages.swapped(asked)
    made.language = target if named else how.to or ""
    if named:
        source = told or how.from_ or languages.known_source(asked)
        made.direction = f"{source or '?'} → {target}"
    return tag


def _translate(
    made: System,
    translator: Translator,
    sources: list[str],
    rows: list[int],
    asked: tuple[str | None, How],
    progress: Progress,
) -> list[Translation]:
    """Put the translations of rows in their places, and return them."""
    tag, how = asked
    stream = translator.stream((sources[row] for row in rows), tag, **how.options)
    flags: Counter[str] = Counter(made.flags)
    found = list(progress.track(stream, f"translating with {made.name}", total=len(rows)))
    for row, translation in zip(rows, found, strict=True):
        made.lines[row] = translation.text
        flags.update(translation.flags)
    made.flags = dict(flags)
    return found


def _lines(path: Path, rows: int) -> list[str]:
    """Read a file of translations; raises DataError when it has not one for every row."""
    found = []
    for number, raw in lines(path, ReadCounts()):
        try:
            found.append(text_of(raw))
        except RowError as error:
            raise DataError(error.problem, where=f"{path}:{number}", fix=error.fix) from None
    if len(found) != rows:
        raise DataError(
            f"has {len(found):,} lines where the test set has {rows:,} rows",
            where=str(path),
            fix="give one translation a line, in the order of the test set",
        )
    return found
