"""Rows of a table become examples: a text, perhaps a second one, and what is to be said of them.

A TSV or CSV file and the names or numbers of its columns come in; `heedful.reading_data` and
`heed classify` take what goes out.
"""

__all__ = ["Columns", "Example", "ReadingData", "label_number", "read_examples"]

import math
from collections.abc import Iterator, Sequence
from contextlib import suppress
from pathlib import Path
from typing import NamedTuple

from pydantic import Field

from heedful.data.formats.csv import records
from heedful.data.formats.reading import (
    ReadCounts,
    RowError,
    lines,
    refuse,
    sound_text,
    text_of,
)
from heedful.errors import DataError, SettingError, did_you_mean
from heedful.settings import Settings

_NAMES = (("text", "label"), ("text", "text_b", "label"))
"""The columns that are meant where none are named."""


class ReadingData(Settings):
    """What an encoder learns from, and what it is measured on."""

    train: tuple[str, ...] = ()
    """Files to learn from: tables with texts and labels (.tsv, .csv), or texts for masked words."""
    dev: tuple[str, ...] = ()
    """Files to choose the best weights by; held out of `train` if not given."""
    columns: tuple[str, ...] | None = None
    """Columns of text and label, or of text, second text and label: names in the first row, or
    numbers from 1."""
    numbers: bool = False
    """Whether labels are numbers that shall be said themselves, such as how alike two texts are."""
    held_out: float = Field(0.1, ge=0, lt=1)
    """Share of the rows that are held out where there are no `dev` files."""
    skip_bad: bool = False
    """Leave out rows that cannot be read, and count them."""


class Example(NamedTuple):
    """One row."""

    text: str
    text_b: str | None
    label: str
    line: int


class Columns(NamedTuple):
    """Where text, second text and label stand, from 0, and how many fields a row then needs."""

    text: int
    text_b: int | None
    label: int
    header: bool
    """Whether the first row holds names."""
    most: int | None = None
    """Fields of a row, at most; none: those that --columns does not name may be any."""

    @property
    def needed(self) -> int:
        """Fields of a row, at least."""
        return max(self.text, self.label, self.text_b or 0) + 1


def read_examples(
    path: Path, columns: Sequence[str] | None, *, skip_bad: bool, counts: ReadCounts
) -> Iterator[Example]:
    """Yield the examples of a file, read as they are asked for.

    `columns` are the names in its first row, or numbers from 1, of text and label, or of text,
    second text and label. Without them, a first row of two fields or three that
    names a `label`, or of more that names `text`, perhaps `text_b`, and `label`, is a header; else
    the rows have two fields or three, in that order. Raises DataError
    for a bad row, unless `skip_bad`, SettingError for a column that is not there.
    """
    found: Columns | None = None
    for number, fields in _rows(path, counts):
        try:
            if isinstance(fields, RowError):
                raise fields
            if found is None:
                found = _columns(path, fields, columns)
                if found.header:
                    continue
            if not any(fields):
                raise RowError("the row is empty", "remove it")
            example = _example(fields, found, number)
        except RowError as problem:
            refuse(problem, f"{path}:{number}", skip_bad=skip_bad, counts=counts)
            continue
        counts.rows += 1
        yield example


def _rows(path: Path, counts: ReadCounts) -> Iterator[tuple[int, list[str] | RowError]]:
    """Yield the number and the fields of each row."""
    ending = (path.with_suffix("") if path.suffix == ".gz" else path).suffix.lower()
    if ending == ".csv":
        for number, record in records(path, counts):
            if isinstance(record, RowError):
                yield number, record
                continue
            try:
                yield number, [sound_text(field) for field in record]
            except RowError as wrong:
                yield number, wrong
        return
    if ending != ".tsv":
        problem = "no table is known by the ending of its name (known: .tsv .csv; also .gz)"
        raise DataError(problem, where=str(path), fix="save it as one of them")
    for number, raw in lines(path, counts):
        try:
            yield number, text_of(raw).split("\t")
        except RowError as wrong:
            yield number, wrong


def _columns(path: Path, first: list[str], columns: Sequence[str] | None) -> Columns:
    """Return where the columns are, given the first row."""
    names = [name.strip() for name in first]
    if columns is None:
        return _found(path, names)._replace(most=len(first))
    if len(columns) not in (2, 3):
        problem = f"{len(columns)} columns are named, and 2 or 3 are needed"
        fix = "give text and label, or text, second text and label: --columns text,label"
        raise SettingError(problem, where="--columns", fix=fix)
    if len(set(columns)) < len(columns):
        problem = f'"{",".join(columns)}" names a column twice'
        raise SettingError(problem, where="--columns", fix="name each once")
    if all(name.isdecimal() for name in columns):
        places = [int(name) - 1 for name in columns]
        if min(places) < 0 or max(places) >= len(first):
            problem = f"the rows of {path} have {len(first)} fields"
            raise SettingError(problem, where="--columns", fix="count them from 1")
        return _placed(places, header=False)
    for name in columns:
        if name not in names:
            problem = f'there is no column "{name}" in the first row of {path}'
            known = [known[:40] for known in names[:10]]
            raise SettingError(problem, where="--columns", fix=did_you_mean(name, known))
    return _placed([names.index(name) for name in columns], header=True)


def _found(path: Path, names: list[str]) -> Columns:
    """Return where the columns are, as nobody has named them."""
    for wanted in reversed(_NAMES):
        if set(wanted) <= set(names):
            return _placed([names.index(name) for name in wanted], header=True)
    if len(names) not in (2, 3):
        problem = f"the first row has {len(names)} field{'s' * (len(names) != 1)}"
        fix = "say which hold text and label: --columns text,label or --columns 1,2"
        raise DataError(problem, where=f"{path}:1", fix=fix)
    lower = [name.lower() for name in names]
    if lower.count("label") == 1:
        label = lower.index("label")
        texts = [place for place in range(len(names)) if place != label]
        return _placed([*texts, label], header=True)
    return _placed(range(len(names)), header=False)


def _placed(places: Sequence[int], *, header: bool) -> Columns:
    text, *second, label = places
    return Columns(text, second[0] if second else None, label, header)


def _example(fields: list[str], columns: Columns, number: int) -> Example:
    if len(fields) < columns.needed:
        problem = f"the row has {len(fields)} of the {columns.needed} fields that are needed"
        raise RowError(problem, "pick others with --columns")
    if columns.most is not None and len(fields) > columns.most:
        problem = f"the row has {len(fields)} fields, the first row has {columns.most}"
        raise RowError(problem, "take what parts them out of the text, or name --columns")
    label = fields[columns.label].strip()
    if not label:
        raise RowError("the row has no label", "give it one")
    second = None if columns.text_b is None else fields[columns.text_b]
    return Example(fields[columns.text], second, label, number)


def label_number(label: str, where: str) -> float:
    """Return a label that is a number; raises DataError, naming the place, for another."""
    with suppress(ValueError):
        value = float(label)
        if math.isfinite(value) and abs(value) < 1e30:
            return value
    fix = "leave out --data.numbers true if labels are names"
    raise DataError(f'the label "{label[:50]}" is no number', where=where, fix=fix)
