"""`heed heads`: what each attention head of a model is for, and whether any follows "it"."""

__all__ = ["EXAMPLES", "Options", "run"]

import json
import os
import sys
from collections import Counter
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import tyro

from heedful.errors import DataError, OutputError, SettingError
from heedful.output import refuse_read

if TYPE_CHECKING:
    from heedful.inspect.heads.measure import Report, Texts
    from heedful.translator import Translator
    from heedful.writer import Writer

EXAMPLES = """
heed heads --to de
heed heads --from zh --to en
heed heads runs/mine --data my.tsv
heed heads runs/mine --json
heed heads --to de -o heads.html
heed heads --to de -o heads.svg
heed heads --model gpt2
heed heads --model gpt2 --data texts.txt --json
"""

_TEMPLATES = 100
"""Of which it is measured how heads look back."""

ENDINGS = (".html", ".json", ".svg", ".png")


@dataclass(frozen=True, kw_only=True)
class Options:
    """Measure every attention head: what it is for, and whether any follows "it" to its noun.

    Roles (positional, syntactic, rare-word, coreference, sink) are given by rules with baselines.
    Whether a model resolves "it" is said only where attention, what cutting it changes, and the
    gender of the German output agree. Of a decoder such as GPT-2 or Llama, from a folder of Hugging
    Face, it is measured how its heads look back: to the piece before, to the first, and to what is
    to be copied (induction). Layers and heads are counted from 0.
    """

    named: tyro.conf.Positional[tuple[str, ...]] = ()
    """A model folder, a run folder or a bundled name; the bundled model if not given."""
    model: str | None = None
    """The same model by name."""
    data: str | None = None
    """Sentences to measure positions, rare words and specials on, in place of the templates: a
    corpus of the model's pair, such as dev.tsv, dev.jsonl, or dev.en,dev.de for two files; for a
    model that goes on with texts a file with a text a line."""
    columns: str | None = None
    """Which two columns hold the model's first and second language, such as 1,2 or en,de."""
    skip_bad: bool = False
    """Drop rows of --data that cannot be read, and count them, instead of stopping."""
    from_: Annotated[str | None, tyro.conf.arg(name="from")] = None
    """Language that is translated from, such as en."""
    to: str | None = None
    """Language that is translated to."""
    output: Annotated[Path | None, tyro.conf.arg(aliases=["-o"], metavar="FILE")] = None
    """Write a page, data or a picture there, as the ending says: .html, .json, .svg or .png."""
    device: str = "auto"
    """auto, cpu or cuda."""
    json: bool = False
    """Print one JSON object instead of tables."""
    quiet: bool = False
    """Show no progress."""


def run(options: Options) -> int:
    """Measure, print, write; raises a HeedfulError for a bad model, language, corpus or file."""
    from heedful.interop.writers import writes
    from heedful.model_path import BUNDLED

    if options.output is not None:
        _check_output(options.output, options.data)
    model = _model(options) or BUNDLED
    return _back(options, model) if writes(model) else _translating(options, model)


def _translating(options: Options, model: str) -> int:
    """Measure what heads are for in a model that translates."""
    from heedful.inspect.heads.measure import measure
    from heedful.inspect.heads.table import lines, plain
    from heedful.progress import Progress
    from heedful.translator import Translator

    translator = Translator.load(model, options.device, "float32")
    tag, way = _way(options, translator)
    texts = None if options.data is None else _texts(options, translator, tag)
    progress = Progress(quiet=options.quiet)
    progress.say(f"{model}: reading sentences and measuring every head, about half a minute")
    report = measure(translator, tag, way, texts, model)
    if options.output is not None:
        _write(options.output, report)
    if options.json:
        print(json.dumps(plain(report), ensure_ascii=False))
    else:
        print("\n".join(lines(report)))
    return 0


def _back(options: Options, model: str) -> int:
    """Measure how the heads of a model look back that goes on with texts."""
    from heedful.device import pick_device
    from heedful.inspect.heads.back import look_back
    from heedful.inspect.heads.back_table import lines, page, plain
    from heedful.interop.writers import load_writer
    from heedful.output import write_whole
    from heedful.progress import Progress

    for name in ("to", "from_", "columns", "skip_bad"):
        if getattr(options, name) not in (None, False):
            option = f"--{name.rstrip('_').replace('_', '-')}"
            problem = f"{model} goes on with a text, which has no use for it"
            raise SettingError(problem, where=option, fix="leave it out")
    if options.output is not None and options.output.suffix not in (".html", ".json"):
        raise SettingError(
            "there is no such picture of a model that goes on with texts",
            where=f"--output {options.output}",
            fix="end the name in .html or .json",
        )
    writer = load_writer(Path(model), pick_device(options.device))
    Progress(quiet=options.quiet).say(f"{model}: reading texts and measuring every head")
    report = look_back(writer, *_lines_of(options, writer), model)
    data = json.dumps(plain(report), ensure_ascii=False, indent=None if options.json else 2)
    if options.output is not None:
        text = page(report) if options.output.suffix == ".html" else data + "\n"
        write_whole(options.output, text.encode())
    print(data if options.json else "\n".join(lines(report)))
    return 0


def _lines_of(options: Options, writer: "Writer") -> tuple[list[str], str]:
    """Return texts to read, and where they are from: evenly spread lines, or the templates.

    Raises DataError, naming the line, for one that the model has no pieces for.
    """
    from heedful.data.evenly import evenly
    from heedful.inspect.heads.measure import SENTENCES
    from heedful.inspect.heads.pronouns import examples
    from heedful.line_input import lines_of, open_input

    if options.data is None:
        where = "the English templates"
        templates = [one.text for one in examples("en")]
        texts = [templates[at] for at in evenly(len(templates), _TEMPLATES)]
        try:
            for text in texts:
                writer.vocabulary.encode(text, where)
        except DataError as error:
            fix = "give --data, a file of texts such as it has learnt"
            raise error.said_of(where, fix) from None
        return texts, where
    with open_input(Path(options.data)) as file:
        lines = enumerate(lines_of(file, options.data, Counter()), start=1)
        known = [(number, text.strip()) for number, text in lines if text.strip()]
    if not known:
        raise DataError("it has no text", where=options.data, fix="give a text a line")
    spread = [known[place] for place in evenly(len(known), SENTENCES)]
    for number, text in spread:
        writer.vocabulary.encode(text, f"{options.data}:{number}")
    return [text for _, text in spread], options.data


def _model(options: Options) -> str | None:
    """Return the model that is named, if one is."""
    given = [*options.named, *([] if options.model is None else [options.model])]
    if len(given) > 1:
        raise SettingError(
            "more than one model is named", where="heed heads", fix="measure one at a time"
        )
    return given[0] if given else None


def _way(options: Options, translator: "Translator") -> tuple[str | None, tuple[str, str]]:
    """Return the tag to ask for, and from which language to which that is.

    Raises SettingError where a model reads several languages and nobody says which.
    """
    from heedful.text.framing import parted

    tag = translator.target(options.to, options.from_)
    languages = translator.languages
    told, target = parted(tag)
    source = options.from_ or told or languages.known_source(tag)
    if not source and languages.source:
        known = [a for a, b in translator.ways() if b == tag]
        raise SettingError(
            f"the model translates into {tag} from {' and '.join(known)}",
            where=f"--to {tag}",
            fix=f"give {' or '.join(f'--from {one}' for one in known)}",
        )
    return tag, (source, target or languages.target)


def _texts(options: Options, translator: "Translator", tag: str | None) -> "Texts":
    """Read evenly spread sentences of the corpus, and all that pieces are counted in."""
    from heedful.data.evenly import evenly
    from heedful.data.formats import open_corpus
    from heedful.data.formats.reading import ReadCounts
    from heedful.inspect.heads.measure import SENTENCES, Texts

    assert options.data is not None
    columns = options.columns.split(",") if options.columns else None
    swapped = translator.languages.swapped(tag)
    sources, targets, counts = [], [], ReadCounts()
    rows = open_corpus(options.data, columns=columns, skip_bad=options.skip_bad, counts=counts)
    for row in rows:
        source, target = (row.target, row.source) if swapped else (row.source, row.target)
        if source.strip():
            sources.append(source.strip())
            targets.append(target.strip())
    if (skipped := counts.skipped(options.data)) is not None:
        print(f"heed: {skipped}", file=sys.stderr)
    if not sources:
        raise DataError("no row has a source", where=options.data, fix="give a file of pairs")
    places = evenly(len(sources), SENTENCES)
    return Texts(options.data, sources, targets, tuple(places))


def _check_output(path: Path, data: str | None) -> None:
    """Raise before any work for a file that cannot be written as its ending says, or is read."""
    refuse_read(path, [Path(data)] if data else [])
    if path.suffix not in ENDINGS:
        raise SettingError(
            "its ending says what to write",
            where=f"--output {path}",
            fix=f"end the name in {', '.join(ENDINGS)}",
        )
    if path.is_dir():
        raise OutputError("this is a folder", where=str(path), fix="name a file in it")
    if not path.parent.is_dir() or not os.access(path.parent, os.W_OK):
        raise OutputError("its folder cannot be written to", where=str(path))


def _write(path: Path, report: "Report") -> None:
    from heedful.inspect.heads.page import page
    from heedful.inspect.heads.picture import picture
    from heedful.inspect.heads.table import plain
    from heedful.output import write_whole

    if path.suffix == ".html":
        write_whole(path, page(report).encode())
    elif path.suffix == ".json":
        write_whole(path, (json.dumps(plain(report), ensure_ascii=False, indent=2) + "\n").encode())
    else:
        write_whole(path, picture(report, "svg" if path.suffix == ".svg" else "png"))
