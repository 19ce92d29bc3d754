"""What a teacher translates becomes pairs to learn from: distillation and back-translation.

The settings of a run come in, its corpus with files of such pairs in the run folder goes out;
`heedful.run_data` reads them like any others. What was translated before a kill is not again.
"""

__all__ = ["FOLDER", "taught"]

import json
import re
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from hashlib import blake2b
from pathlib import Path

from heedful.careful import REPEATS
from heedful.config import RunConfig
from heedful.data.corpus import DataConfig
from heedful.data.formats.reading import ReadCounts, RowError, lines, refuse, text_of
from heedful.data.report import write_whole
from heedful.data.survey import Source
from heedful.errors import ModelError, OutputError, SettingError
from heedful.model_header import read_header
from heedful.model_path import model_path
from heedful.progress import Progress
from heedful.resuming import Left, Part
from heedful.translation import UNFINISHED, Translation
from heedful.translator import Translator

FOLDER = "taught"
"""In the run folder."""
_MODEL = ("model.safetensors", "tokenizer.json")
"""The files by which a teacher is told from others."""
_BAD = "bad"
"""Note of a text whose translation is left out."""


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
        return filter(None, self.lines(data))

    def specs(self, data: DataConfig) -> tuple[str, ...]:
        """Return the files that the texts stand in."""
        return data.train if self.name == "distilled" else (self.spec,)

    def lines(self, data: DataConfig, counts: Sequence[ReadCounts] | None = None) -> Iterator[str]:
        """Yield all texts, blank ones too; `counts` are of the files that they stand in."""
        if self.name == "distilled":
            rows = Source(data.train, data.columns, data.skip_bad).rows(counts)
            found: Iterator[str] = (row.source for _, row in rows)
        else:
            (read,) = counts or (ReadCounts(),)
            found = _lines(Path(self.spec), read, skip_bad=data.skip_bad)
        return (text.strip() for text in found)

    def pair(self, text: str, translation: str) -> tuple[str, str]:
        """Return source and target."""
        return (translation, text) if self.back else (text, translation)


@dataclass(frozen=True)
class _Job:
    """A task, where its pairs are to stand, and what is known of its texts."""

    task: _Task
    path: Path
    count: int
    facts: dict[str, str]
    """What tells the texts and their teacher from others."""
    left_out: tuple[str, ...]
    """What there is to be said of rows and lines that are not translated."""

    @property
    def note(self) -> Path:
        """The file that tells the facts of the pairs that are there."""
        return self.path.with_suffix(".made-with.json")

    def is_done(self) -> bool:
        """Return whether the pairs are there, of these texts and this teacher."""
        try:
            known = json.loads(self.note.read_text("utf-8"))
        except (OSError, ValueError):
            return False
        return self.path.exists() and all(known.get(name) == x for name, x in self.facts.items())


def taught(
    config: RunConfig, folder: Path, progress: Progress, look: Callable[[], object]
) -> DataConfig:
    """Return the corpus's settings with what the teacher has made among the training files.

    `look` is called before anything is translated: what it raises is known while it costs nothing.
    Raises SettingError for a teacher that does not translate between the languages, ModelError for
    one that is needed and not there, DataError for texts that cannot be read.
    """
    data = config.data
    if not data.teacher:
        return data
    plain = next(iter(data.of_languages().values()))
    jobs = [_job(task, plain, folder / FOLDER) for task in _tasks(plain)]
    if missing := [job for job in jobs if not job.is_done()]:
        look()
        translator = _teacher(config, [job.task for job in missing])
        (folder / FOLDER).mkdir(exist_ok=True)
        for job in missing:
            _make(config, job, plain, translator, progress)
    kept = () if data.distil else data.train
    return data.model_copy(update={"train": (*kept, *(str(job.path) for job in jobs))})


def _teacher(config: RunConfig, tasks: list[_Task]) -> Translator:
    """Return the teacher; it must translate what it is to translate."""
    name = config.data.teacher
    translator = Translator.load(name, config.device)
    try:
        for task in tasks:
            translator.target(task.to or None, task.from_ or None)
    except SettingError as error:
        pair = f"{task.from_ or 'the first column'} to {task.to or 'the second'}"
        raise SettingError(
            f"it cannot translate {pair}: {error.problem}",
            where=f"--teacher {name}",
            fix="take another teacher, or give --from and --to",
        ) from error
    translator.settle()
    return translator


def _tasks(data: DataConfig) -> Iterator[_Task]:
    there = (data.target_language, data.source_language)
    if data.distil:
        yield _Task("distilled", " ".join(data.train), *there, back=False)
    for number, spec in enumerate(data.source_texts, start=1):
        yield _Task(f"source-texts-{number}", spec, *there, back=False)
    for number, spec in enumerate(data.target_texts, start=1):
        yield _Task(f"target-texts-{number}", spec, *there[::-1], back=True)


def _job(task: _Task, data: DataConfig, folder: Path) -> _Job:
    """Return a task with what there is to know before it is done: all its texts are read once."""
    checksum, count, blank = blake2b(digest_size=16), 0, 0
    counts = [ReadCounts() for _ in task.specs(data)]
    for text in task.lines(data, counts):
        if not text:
            blank += 1
            continue
        checksum.update(f"{len(text)} {text}".encode())
        count += 1
    facts = {"teacher": data.teacher, "texts with the checksum": checksum.hexdigest()}
    facts["--to"] = task.to
    with suppress(ModelError):  # it may be gone where all is translated
        files = read_header(model_path(data.teacher)).files
        weights = json.dumps([files[name]["sha256"] for name in _MODEL])
        facts["teacher with the checksum"] = blake2b(weights.encode(), digest_size=8).hexdigest()
    read = zip(task.specs(data), counts, strict=True)
    said = [line for spec, one in read if (line := one.skipped(spec))]
    said += [f"{task.spec}: {blank:,} blank text{'s' * (blank != 1)} left out"] if blank else []
    return _Job(task, folder / f"{task.name}.{_ending(data)}", count, facts, tuple(said))


def _make(
    config: RunConfig, job: _Job, data: DataConfig, translator: Translator, progress: Progress
) -> None:
    """Translate into a file of pairs, from where an earlier start was cut off."""
    task = job.task
    for line in job.left_out:
        progress.say(line)
    job.path.unlink(missing_ok=True)
    search = {f"--search.{name}": value for name, value in config.search.model_dump().items()}
    with Part(job.path) as part:
        left = _begun(part, job.facts | search, task, progress)
        bad = left.notes[_BAD]
        found = translator.stream(
            part.after(task.texts(data), task.spec),
            task.to or None,
            from_=task.from_ or None,
            search=config.search,
        )
        what = f"translating {task.spec} with {data.teacher}"
        for translation in progress.track(found, what, job.count - left.lines):
            good = _is_good(translation)
            pair = task.pair(translation.source, translation.text if good else "")
            part.add(translation.source, _written(data, *pair), () if good else (_BAD,))
            bad += not good
        write_whole(job.note, json.dumps(job.facts) + "\n")
    dropped = f"; {bad:,} translations are left out: empty, unfinished or endless" if bad else ""
    progress.say(f"{task.spec}: {job.count:,} texts translated by {data.teacher}{dropped}")


def _begun(part: Part, made_with: Mapping[str, object], task: _Task, progress: Progress) -> Left:
    """Return what an earlier start left; what was made in another way is made anew."""
    try:
        return part.begin(made_with, resume=True)
    except (SettingError, OutputError) as error:
        progress.warn(f"{task.spec} is translated anew: {error.problem}")
        part.begin(made_with, resume=False)
        return Left(0, Counter())


def _is_good(translation: Translation) -> bool:
    """Return whether a translation can be learnt from: it ends, and corpora may hold it."""
    if not translation.text.strip() or {REPEATS, UNFINISHED} & set(translation.flags):
        return False
    try:
        text_of(translation.text.encode())
    except RowError:
        return False
    return True


def _lines(path: Path, counts: ReadCounts, *, skip_bad: bool) -> Iterator[str]:
    for number, raw in lines(path, counts):
        try:
            yield text_of(raw)
        except RowError as wrong:
            refuse(wrong, f"{path}:{number}", skip_bad=skip_bad, counts=counts)


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
            fields[place - 1] = " ".join(re.split(r"[\t\r\n]+", text))
        return "\t".join(fields)
    first, second = data.columns or ("source", "target")
    return json.dumps({first: source, second: target}, ensure_ascii=False)
