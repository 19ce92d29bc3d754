"""What a teacher translates becomes pairs to learn from: distillation and back-translation.

The settings of a run come in, its corpus with files of such pairs in the run folder goes out;
`heedful.run_data` reads them like any others. What was translated before a kill is not again.
"""

__all__ = ["FOLDER", "taught"]

import json
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from hashlib import blake2b
from pathlib import Path

from heedful import __version__
from heedful.careful import REPEATS
from heedful.config import RunConfig
from heedful.data.corpus import DataConfig
from heedful.data.report import write_whole
from heedful.data.survey import Source
from heedful.line_input import lines_of, open_input
from heedful.model_header import read_header
from heedful.model_path import model_path
from heedful.progress import Progress
from heedful.resuming import Part
from heedful.translation import UNFINISHED
from heedful.translator import Translator

FOLDER = "taught"
"""In the run folder."""


@dataclass(frozen=True)
class _Task:
    """Texts that the teacher translates into one file of pairs."""

    name: str
    spec: str
    to: str
    from_: str
    back: bool
    """Whether the texts are the targets of the pairs, and their translations the sources."""

    def texts(self, data: DataConfig) -> Iterator[str]:
        """Yield the texts that are not blank."""
        if self.name == "distilled":
            rows = Source(data.train, data.columns, data.skip_bad).rows()
            found: Iterator[str] = (row.source for _, row in rows)
        else:
            found = _lines(Path(self.spec))
        return (text.strip() for text in found if text.strip())

    def pair(self, text: str, translation: str) -> tuple[str, str]:
        """Return source and target."""
        return (translation, text) if self.back else (text, translation)


def taught(config: RunConfig, folder: Path, progress: Progress) -> DataConfig:
    """Return the corpus's settings with what the teacher has made among the training files.

    Raises SettingError for a teacher that does not translate between the languages, or where what
    is there was made by another one; DataError for texts that cannot be read.
    """
    data = config.data
    if not data.teacher:
        return data
    translator = Translator.load(data.teacher, config.device)
    tasks = list(_tasks(data))
    for task in tasks:
        translator.target(task.to or None, task.from_ or None)
    (folder / FOLDER).mkdir(exist_ok=True)
    made = [_made(config, folder / FOLDER, task, translator, progress) for task in tasks]
    kept = () if data.distil else data.train
    return data.model_copy(update={"train": (*kept, *map(str, made))})


def _tasks(data: DataConfig) -> Iterator[_Task]:
    there = (data.target_language, data.source_language)
    if data.distil:
        yield _Task("distilled", " ".join(data.train), *there, back=False)
    for number, spec in enumerate(data.source_texts, start=1):
        yield _Task(f"source-texts-{number}", spec, *there, back=False)
    for number, spec in enumerate(data.target_texts, start=1):
        yield _Task(f"target-texts-{number}", spec, *there[::-1], back=True)


def _made(
    config: RunConfig, folder: Path, task: _Task, translator: Translator, progress: Progress
) -> Path:
    """Return the file of a task's pairs, made now or by an earlier start."""
    data = config.data
    path = folder / f"{task.name}.{_ending(data)}"
    told = path.with_suffix(".made-with.json")
    count, made_with = _made_with(config, task, translator)
    if path.exists() and told.exists() and json.loads(told.read_text("utf-8")) == made_with:
        return path
    path.unlink(missing_ok=True)
    notes: Counter[str] = Counter()
    with Part(path) as part:
        translator.settle()
        left = part.begin(made_with, resume=True)
        notes.update(left.notes)
        rest = part.after(task.texts(data), task.spec)
        found = translator.stream(
            rest, task.to or None, from_=task.from_ or None, search=config.search
        )
        what = f"translating {task.spec} with {data.teacher}"
        for translation in progress.track(found, what, count - left.lines):
            bad = tuple(name for name in (REPEATS, UNFINISHED) if name in translation.flags)
            text = "" if bad else translation.text
            part.add(translation.source, _written(data, *task.pair(translation.source, text)), bad)
            notes.update(bad)
    write_whole(told, json.dumps(made_with) + "\n")
    dropped = f"; {sum(notes.values()):,} of them unfinished or endless, left out" if notes else ""
    progress.say(f"{task.spec}: {count:,} texts translated by {data.teacher}{dropped}")
    return path


def _made_with(
    config: RunConfig, task: _Task, translator: Translator
) -> tuple[int, dict[str, object]]:
    """Return how many texts there are, and what decides what becomes of them."""
    checksum, count = blake2b(digest_size=16), 0
    for text in task.texts(config.data):
        checksum.update(f"{len(text)} {text}".encode())
        count += 1
    header = read_header(model_path(config.data.teacher)).model_dump_json()
    return count, {
        "version of heedful": __version__,
        "teacher with the checksum": blake2b(header.encode(), digest_size=16).hexdigest(),
        "texts with the checksum": checksum.hexdigest(),
        "--to": task.to,
        "device": translator.device.type,
        "precision": translator.precision,
        **{f"--search.{name}": value for name, value in config.search.model_dump().items()},
    }


def _lines(path: Path) -> Iterator[str]:
    with open_input(path) as file:
        yield from lines_of(file, str(path), Counter())


def _numbers(data: DataConfig) -> list[int]:
    """Return the places of the columns, where they are numbers."""
    columns = data.columns or ()
    return [int(one) for one in columns] if all(one.isdecimal() for one in columns) else []


def _ending(data: DataConfig) -> str:
    return "tsv" if _numbers(data) else "jsonl"


def _written(data: DataConfig, source: str, target: str) -> str:
    """Return a line that is read as this pair, with the columns that the corpora are read with."""
    if places := _numbers(data):
        fields = [""] * max(places)
        for place, text in zip(places, (source, target), strict=True):
            fields[place - 1] = text.replace("\t", " ")
        return "\t".join(fields)
    first, second = data.columns or ("source", "target")
    return json.dumps({first: source, second: target}, ensure_ascii=False)
