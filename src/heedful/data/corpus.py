"""The files of a run become train, dev and test pairs: read twice, never held in memory.

`Corpus.examine` (the first reading) makes the report and decides about every row; `Corpus.pairs`
(every later one) streams the rows of a split. Called by `heed train` and `heed report`.
"""

__all__ = ["Corpus", "DataConfig", "Split", "count_rows", "named_language"]

import hashlib
import json
import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray
from pydantic import Field, field_validator, model_validator

from heedful.data.clean import CleanConfig, RowColumns, typical_ratio
from heedful.data.describe import TITLES, held_report, leak_between, notes, split_report
from heedful.data.judge import DEV, KEPT, TEST, Judgement, hold_out, judge, keep_apart
from heedful.data.report import Leak, Report
from heedful.data.survey import Source, Survey
from heedful.errors import DataError, SettingError
from heedful.progress import Progress
from heedful.settings import Settings

Split = Literal["train", "dev", "test"]

_LISTS = ("train", "dev", "test", "mix", "general", "source_texts", "target_texts")
_BEARS = re.compile(r"([a-z]{2,3}(?:[-_][A-Za-z]{2,4})?)=")
_FATE: dict[Split, int] = {"train": KEPT, "dev": DEV, "test": TEST}


class DataConfig(Settings):
    """Which files a run learns from and is measured on, and how they are read and cleaned.

    A corpus is named `a.tsv`, `a.jsonl`, `a.csv`, `a.parquet` or `a.en,a.de` (two line-parallel
    files); a text stands for a list of one. One of train, dev or test whose second column is
    another language than `target_language` bears its code in front: `zh=a.tsv`.
    """

    train: tuple[str, ...] = ()
    """The corpora to learn from."""
    dev: tuple[str, ...] = ()
    """The corpora to choose the best checkpoint by; none: held out of train."""
    test: tuple[str, ...] = ()
    """The corpora for the final scores; none: held out of train."""
    mix: tuple[str, ...] = ()
    """Other corpora, of which as many rows are learnt with those of train, against forgetting."""
    teacher: str = ""
    """A model that translates what is learnt from."""
    distil: bool = False
    """Learn the teacher's translations of the sources of train, not those that stand there."""
    source_texts: tuple[str, ...] = ()
    """Files of texts of the source language, one a line, for the teacher to translate."""
    target_texts: tuple[str, ...] = ()
    """The same of the target language: the teacher's translations are learnt from, not to."""
    general: tuple[str, ...] = ()
    """Further test sets, on which a model is compared with the one that it began as."""
    columns: tuple[str, ...] | None = None
    """Which two fields hold source and target: numbers from 1 (TSV, CSV) or names."""
    skip_bad: bool = False
    """Drop and count rows that cannot be read, instead of stopping at the first."""
    source_language: str = ""
    """Such as `en`; tells the directions of a model apart."""
    target_language: str = ""
    """Such as `de`."""
    both_directions: bool = False
    """Learn target to source as well."""
    temperature: float = Field(default=1.0, ge=1, le=100)
    """Of several second languages: above 1, the rows of small ones are learnt more than once."""
    held_out: int = Field(default=1000, ge=0)
    """Sources held out for dev and for test each, at most one in 20; 0: none."""
    clean: CleanConfig = CleanConfig()
    """What is dropped from train."""

    @field_validator(*_LISTS, mode="before")
    @classmethod
    def _one_is_a_list(cls, value: Any) -> Any:
        return (value,) if isinstance(value, str) else value

    @field_validator("columns", mode="before")
    @classmethod
    def _columns_from_text(cls, value: Any) -> Any:
        parts = value.split(",") if isinstance(value, str) else value
        if isinstance(parts, (list, tuple)):
            return tuple(
                str(part).strip() if isinstance(part, (int, str)) else part for part in parts
            )
        return parts

    @model_validator(mode="after")
    def _others_fit(self) -> "DataConfig":
        if others := self.other_languages():
            given = f"{others[0]}=FILE"
            if not self.both_directions:
                raise ValueError(
                    f"{given} is for a model of --both-directions: add it, or write ./{given} for "
                    "a file of that name"
                )
            if self.source_language in others:
                raise ValueError(f"{given} names the first column's language: name the second's")
            for language in (*others, None):
                if not any(self._language(spec) == language for spec in self.train):
                    wanted = f"{language}=FILE" if language else "the language of --to: FILE alone"
                    raise ValueError(f"--data has no corpus of {wanted}")
        return self

    @model_validator(mode="after")
    def _teacher_fits(self) -> "DataConfig":
        tasks = {
            "--distil": self.distil,
            "--source-texts": bool(self.source_texts),
            "--target-texts": bool(self.target_texts),
        }
        if any(tasks.values()) != bool(self.teacher):
            some = next((name for name, given in tasks.items() if given), None)
            raise ValueError(
                f"{some} is for a teacher: give --teacher MODEL"
                if some
                else f"--teacher has nothing to do: give {', '.join(tasks)}"
            )
        if self.teacher and not (self.dev and self.test):
            raise ValueError("--teacher needs --dev and --test: nothing of its own may judge")
        if self.distil and self.other_languages():
            raise ValueError("--distil is for corpora of one second language")
        return self

    def other_languages(self) -> tuple[str, ...]:
        """Return the languages that corpora bear in front of their names, in their order."""
        specs = (*self.train, *self.dev, *self.test)
        return tuple(dict.fromkeys(filter(None, map(self._language, specs))))

    def of_languages(self) -> dict[str, "DataConfig"]:
        """Return the settings of the corpora of each second language, those without one first.

        >>> config = DataConfig(
        ...     train=("a.tsv", "zh=b.tsv"),
        ...     source_language="en",
        ...     target_language="de",
        ...     both_directions=True,
        ... )
        >>> {language: one.train for language, one in config.of_languages().items()}
        {'de': ('a.tsv',), 'zh': ('b.tsv',)}
        """
        found = {}
        for language in (None, *self.other_languages()):
            chosen = {
                split: tuple(_plain(spec) for spec in specs if self._language(spec) == language)
                for split, specs in _files(self).items()
            }
            alone = {} if language is None else {"target_language": language, "mix": ()}
            every = {"train": (), "dev": (), "test": ()} | chosen | alone
            found[language or self.target_language] = self.model_copy(update=every)
        return found

    def _language(self, spec: str) -> str | None:
        """Return the second language of a corpus; None: that of --to, also where it is named."""
        found = named_language(spec)
        return None if found == self.target_language else found


def named_language(spec: str) -> str | None:
    """Return the language that a corpus bears in front of its name."""
    found = _BEARS.match(spec)
    return found[1] if found else None


def _plain(spec: str) -> str:
    found = _BEARS.match(spec)
    return spec[found.end() :] if found else spec


def count_rows(config: DataConfig) -> int:
    """Return the rows of all training files; raises DataError as `Corpus.examine` does."""
    every = config.of_languages().values()
    return sum(1 for one in every for _ in _source(one, one.train).rows())


@dataclass(frozen=True)
class _Part:
    """Where the rows of a split stand: those of a survey's rows that have one fate."""

    survey_source: Source
    state: list[tuple[int, int]]
    fates: NDArray[np.uint8]
    fate: int
    trim: bool

    def __len__(self) -> int:
        return int(np.count_nonzero(self.fates == self.fate))

    def pairs(self) -> Iterator[tuple[str, str]]:
        """Yield the pairs in file order; raises DataError if the files have changed."""
        where = " ".join(self.survey_source.specs)
        changed = DataError("changed since it was examined", where=where, fix="start again")
        if self.survey_source.state() != self.state:
            raise changed
        fates, fate = self.fates.data, self.fate
        try:
            for row_fate, (_, row) in zip(fates, self.survey_source.rows(), strict=True):
                if row_fate == fate:
                    yield (row.source.strip(), row.target.strip()) if self.trim else row[:2]
        except ValueError:
            raise changed from None
        if self.survey_source.state() != self.state:
            raise changed


@dataclass(frozen=True)
class Corpus:
    """Train, dev and test, examined; nothing of the text is held in memory."""

    config: DataConfig
    report: Report
    parts: dict[Split, _Part]
    digest: str

    @classmethod
    def examine(
        cls,
        config: DataConfig,
        *,
        seed: int,
        progress: Progress,
        scratch: Path | None = None,
        guarded: tuple[str, ...] = (),
    ) -> "Corpus":
        """Read every file once, decide about every row and make the report.

        What is noted of the rows of a large corpus stands in nameless files in the folder
        `scratch`, 45 bytes a row, so that memory is bounded. `guarded` are further corpora whose
        sentences are not learnt: the tests of other languages.

        Raises DataError for a file that is missing, damaged, empty or holds a bad row (unless
        `skip_bad`), and when no usable row is left; SettingError without training files.
        """
        if not config.train:
            raise SettingError("no training files", where="data.train", fix="give --data FILE")
        surveys = {
            split: Survey.read(_source(config, specs), split, progress, scratch)
            for split, specs in _files(config).items()
        }
        judged = {
            split: judge(survey.rows, config.clean, cleaned=split == "train", scratch=scratch)
            for split, survey in surveys.items()
        }
        for split, survey in surveys.items():
            _require_usable(survey, judged[split])
        own: tuple[Split, ...] = ("dev", "test")
        missing = tuple(split for split in own if split not in surveys)
        leaks = _leaks(surveys)
        tests = Survey.read(_source(config, guarded), "other tests", progress, scratch).rows
        each = _divide(config, surveys, judged, missing, seed, tests)
        _require_usable(surveys["train"], judged["train"])
        report = _report(config, surveys, judged, leaks, missing, each)
        parts = _parts(config, surveys, judged, missing if each else ())
        return cls(config, report, parts, _digest(config, surveys, judged))

    def pairs(self, split: Split) -> Iterator[tuple[str, str]]:
        """Yield (source, target) of a split in file order; nothing for a missing split."""
        if split in self.parts:
            yield from self.parts[split].pairs()

    def size(self, split: Split) -> int:
        """Return the number of pairs that `pairs` yields."""
        return len(self.parts[split]) if split in self.parts else 0

    def fingerprint(self) -> str:
        """Return a SHA-256 that changes with any pair of any split; paths do not enter it."""
        return self.digest


def _source(config: DataConfig, specs: tuple[str, ...]) -> Source:
    return Source(specs, config.columns, config.skip_bad)


def _files(config: DataConfig) -> dict[Split, tuple[str, ...]]:
    files: dict[Split, tuple[str, ...]]
    files = {"train": config.train, "dev": config.dev, "test": config.test}
    return {split: specs for split, specs in files.items() if specs}


def _require_usable(survey: Survey, judged: Judgement) -> None:
    """Raise DataError, saying why, when a split has no row to use."""
    if np.any(judged.fates == KEPT):
        return
    where = " ".join(survey.source.specs)
    for counts in survey.counts if len(survey.rows) == 0 else ():
        for first in counts.examples:
            problem = f"{first.reason} (no row of {counts.lines:,} lines can be read)"
            raise DataError(problem, where=first.where, fix=first.fix)
    if len(survey.rows) == 0:
        fix = "give a corpus with at least one pair"
        raise DataError("the corpus is empty", where=where, fix=fix)
    dropped = {TITLES[name]: judged.dropped(name) for name in judged.found}
    reasons = ", ".join(f"{title}: {count:,}" for title, count in dropped.items() if count)
    bad = sum(counts.skipped_bad for counts in survey.counts)
    if bad:
        first = next(counts.examples[0] for counts in survey.counts if counts.examples)
        reasons += f", cannot be read: {bad:,}, the first {first.where}: {first.reason}"
    problem = f"none of {len(survey.rows) + bad:,} rows is usable ({reasons})"
    raise DataError(problem, where=where, fix="give other rows, or loosen --data.clean")


def _leaks(surveys: dict[Split, Survey]) -> tuple[Leak, ...]:
    """Compare each split that has files of its own with those before it."""
    order: tuple[Split, ...] = ("train", "dev", "test")
    return tuple(
        leak_between(split, surveys[split], seen_in, surveys[seen_in])
        for place, split in enumerate(order)
        for seen_in in order[:place]
        if split in surveys and seen_in in surveys
    )


def _divide(
    config: DataConfig,
    surveys: dict[Split, Survey],
    judged: dict[Split, Judgement],
    missing: tuple[Split, ...],
    seed: int,
    tests: RowColumns,
) -> int:
    """Hold out what is missing of dev and test, keep train apart; return the rows of each."""
    train, judgement = surveys["train"].rows, judged["train"]
    both = config.both_directions or bool(config.target_texts)  # those may be a test's targets
    own: list[tuple[RowColumns, NDArray[np.bool_]]] = [
        (surveys[split].rows, judged[split].fates == KEPT) for split in surveys if split != "train"
    ]
    own += [(tests, np.ones(len(tests), np.bool_))] if len(tests) else []
    each = 0
    if own:
        keep_apart(judgement, train, own, drop=config.clean.drop_leaks, both_directions=both)
    if missing and config.held_out:
        fates = tuple(_FATE[split] for split in missing)
        each = hold_out(judgement, train, fates, size=config.held_out, seed=seed)
    if each:
        taken = (judgement.fates == DEV) | (judgement.fates == TEST)
        held = [(train, taken)]
        keep_apart(judgement, train, held, drop=True, both_directions=both)
    return each


def _parts(
    config: DataConfig,
    surveys: dict[Split, Survey],
    judged: dict[Split, Judgement],
    held: tuple[Split, ...],
) -> dict[Split, _Part]:
    parts: dict[Split, _Part] = {}
    for split in ("train", "dev", "test"):
        home: Split = "train" if split in held else split
        if home in surveys:
            fate = _FATE[split] if split in held else KEPT
            trim = config.clean.trim and home == "train"
            survey = surveys[home]
            parts[split] = _Part(survey.source, survey.state, judged[home].fates, fate, trim)
    return parts


def _digest(
    config: DataConfig, surveys: dict[Split, Survey], judged: dict[Split, Judgement]
) -> str:
    digest = hashlib.sha256(json.dumps({"trim": config.clean.trim}).encode())
    for split, survey in surveys.items():
        digest.update(f"{split} {survey.digest} {len(survey.rows)} ".encode())
        digest.update(judged[split].fates.data)
    return digest.hexdigest()


def _report(
    config: DataConfig,
    surveys: dict[Split, Survey],
    judged: dict[Split, Judgement],
    leaks: tuple[Leak, ...],
    missing: tuple[Split, ...],
    each: int,
) -> Report:
    splits = [
        split_report(
            split,
            survey,
            judged[split],
            trimmed=config.clean.trim and split == "train",
        )
        for split, survey in surveys.items()
    ]
    splits += [held_report(split, each) for split in missing if each]
    return Report(
        splits=tuple(splits),
        leaks=leaks,
        typical_ratio=typical_ratio(surveys["train"].rows),
        cleaning=config.clean.model_dump(mode="json"),
        notes=tuple(notes(splits, size=config.held_out, missing=missing, each=each)),
    )
