"""A corpus named by a short text (`a.tsv`, `a.en,a.de`, `a.jsonl.gz`) becomes rows.

Each format stands in a file of its own; the family is the union `Format` at the foot.
Called by `heedful.data.corpus` and by every command that takes `--data`.
"""

__all__ = [
    "FORMATS",
    "Csv",
    "Format",
    "Jsonl",
    "Parquet",
    "ReadCounts",
    "Row",
    "TextPair",
    "Trees",
    "Tsv",
    "corpus_paths",
    "of_trees",
    "open_corpus",
]

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Annotated

from pydantic import Field, ValidationError

from heedful.data.formats.csv import Csv
from heedful.data.formats.jsonl import Jsonl
from heedful.data.formats.parquet import Parquet
from heedful.data.formats.reading import ReadCounts, Row, open_bytes
from heedful.data.formats.text_pair import TextPair
from heedful.data.formats.trees import Trees
from heedful.data.formats.tsv import Tsv
from heedful.errors import DataError, SettingError


def open_corpus(
    spec: str,
    *,
    columns: Sequence[str] | None = None,
    skip_bad: bool = False,
    counts: ReadCounts | None = None,
) -> Iterator[Row]:
    """Return the rows of a corpus, read as they are asked for.

    `counts` is filled on the way. Raises DataError for a file that cannot be opened, is damaged or
    holds a bad row (unless `skip_bad`), SettingError for columns that the format does not have.
    """
    paths = corpus_paths(spec)
    for path in paths:
        with open_bytes(path):
            pass
    format_ = _format(spec, paths, columns)
    return format_.rows(
        paths, skip_bad=skip_bad, counts=counts if counts is not None else ReadCounts()
    )


def corpus_paths(spec: str) -> tuple[Path, ...]:
    """Return the one file or the two files of a corpus.

    >>> [str(path) for path in corpus_paths("train.en,train.de")]
    ['train.en', 'train.de']
    """
    if "," not in spec or Path(spec).is_file():
        return (Path(spec),)
    pairs = [(spec[:at], spec[at + 1 :]) for at, letter in enumerate(spec) if letter == ","]
    if len(pairs) > 1:  # a folder may have a comma, too
        pairs = [pair for pair in pairs if all(Path(name).is_file() for name in pair)]
    if len(pairs) != 1 or not all(pairs[0]):
        n_names = spec.count(",") + 1
        problem = f"a comma joins two line-parallel files, here it makes {n_names} names"
        raise DataError(problem, where=spec, fix="write it as train.en,train.de")
    ((source, target),) = pairs
    return Path(source), Path(target)


def of_trees(spec: str) -> bool:
    """Return whether a corpus is of trees.

    >>> of_trees("bank/wsj.mrg.gz"), of_trees("train.en,train.de")
    (True, False)
    """
    return isinstance(_format(spec, corpus_paths(spec), None), Trees)


def _format(spec: str, paths: tuple[Path, ...], columns: Sequence[str] | None) -> "Format":
    """Choose the format by the ending of the name."""
    endings = [(path.with_suffix("") if path.suffix == ".gz" else path).suffix for path in paths]
    fitting = [[f for f in FORMATS if ending.lower() in f.extensions] for ending in endings]
    matching = next(iter(fitting[0]), None)
    if len(paths) == 2:
        if all(fitting):
            problem = "a comma joins two line-parallel text files"
            fix = "give corpora apart, with a space between"
            raise DataError(problem, where=spec, fix=fix)
        matching = TextPair
    if matching is None:
        known = " ".join(ending for f in FORMATS for ending in f.extensions)
        problem = f"no format is known by the ending of its name (known: {known}; also .gz)"
        raise DataError(problem, where=spec, fix="two text files are joined: train.en,train.de")
    given = ",".join(columns or ())
    if columns and len(set(columns)) < len(columns):
        problem = f'"{given}" names the same field twice'
        raise SettingError(problem, where="columns", fix=f"give {matching.columns_are}")
    try:
        return matching.model_validate({"columns": tuple(columns) if columns else None})
    except ValidationError:
        problem = f'"{given}" does not fit {spec}'
        raise SettingError(problem, where="columns", fix=f"give {matching.columns_are}") from None


FORMATS: tuple[
    type[Tsv] | type[TextPair] | type[Jsonl] | type[Csv] | type[Parquet] | type[Trees], ...
]
FORMATS = (Tsv, TextPair, Jsonl, Csv, Parquet, Trees)

Format = Annotated[Tsv | TextPair | Jsonl | Csv | Parquet | Trees, Field(discriminator="kind")]
