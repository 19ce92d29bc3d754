"""`heed evaluate`: how good a model is on a test set, or whether one is better than another.

Reads pairs, translates the sources and prints what `heedful.evaluate` says of the translations.
"""

__all__ = ["ACCEPTS_SETTINGS", "EXAMPLES", "Options", "run"]

import json
import os
import re
from dataclasses import asdict, dataclass, fields
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

import tyro

from heedful.errors import DataError, OutputError, SettingError
from heedful.output import is_plain, open_output, refuse_read

if TYPE_CHECKING:
    from heedful.data.glossary import Glossary
    from heedful.progress import Progress
    from heedful.scored_results import Results
    from heedful.scored_systems import How, Pairs, System
    from heedful.search import SearchConfig

ACCEPTS_SETTINGS = True

_LINE_END = re.compile(r"\s*\n\s*")

_SHOWN = 5
"""Sentences shown of those that gained most, and of those that lost most."""

EXAMPLES = """\
heed evaluate --model runs/mine --data test.tsv
heed evaluate --data test.tsv --to de -o hypotheses.txt
heed evaluate --model runs/mine --data test.en,test.de --beam 1 --json
heed evaluate --data test.tsv --compare runs/old runs/new
heed evaluate --data test.tsv --to de --compare theirs.txt ours.txt --show 10
heed evaluate --data test.tsv --to de --glossary terms.tsv --use-glossary
heed evaluate --data test.tsv --to de --search.kind mbr --search.count 16
heed evaluate --data test.tsv --to de --html side-by-side.html
heed evaluate --model runs/g2p --data test.tsv --exact
heed evaluate --model runs/mine --data dev.tsv --calibrate
heed evaluate --model runs/shakespeare --data text.txt --stride 32
"""


@dataclass(frozen=True, kw_only=True)
class Options:
    """Score a model on a test set: BLEU, chrF, what is lost, and speed; or compare two.

    A decoder, which goes on with texts, is given a text: its perplexity and bits a byte are told.
    """

    data: str
    """The test set: a.tsv, a.jsonl, a.csv, a.parquet, or a.en,a.de for two files; or a text."""
    model: str | None = None
    """A model folder, a run folder or a bundled name; the bundled model if not given."""
    compare: Annotated[tuple[str, str] | None, tyro.conf.arg(metavar="A B")] = None
    """Two models, or two files with a translation a line, to be compared on the test set."""
    show: Annotated[int | None, tyro.conf.arg(metavar="N")] = None
    """With --compare: how many sentences to show of those that B does best and worst (5)."""
    glossary: Annotated[Path | None, tyro.conf.arg(metavar="FILE")] = None
    """Count how many of its terms are translated so: source<TAB>target, other forms after a |."""
    from_: Annotated[str | None, tyro.conf.arg(name="from")] = None
    """Language to translate from, such as en."""
    to: str | None = None
    """Language to translate to. The columns change places when it is that of the first one."""
    columns: str | None = None
    """Which two columns hold the model's first and second language, such as 1,2 or en,de."""
    skip_bad: bool = False
    """Drop rows that cannot be read, and count them, instead of stopping."""
    output: Annotated[Path | None, tyro.conf.arg(aliases=["-o"], metavar="FILE")] = None
    """Write the translations there, one a line, as many as the test set has rows."""
    beam: int | None = None
    """Beam size (default 4); 1 is greedy search. Other searches: --search.kind."""
    tokenize: Literal["13a", "intl", "char", "zh", "none"] | None = None
    """How BLEU cuts words (default: as the target language asks); none: the text is tokenised."""
    exact: bool = False
    """Count exact answers too, and edits of tokens and characters, for tasks with one right answer
    or a few: rows with the same source are one question."""
    use_glossary: bool = False
    """Translate with the terms of --glossary, too."""
    protect: bool = False
    """Keep placeholders, tags, addresses, numbers and marks of shortcuts as they are."""
    raw: bool = False
    """Leave the output as the search finds it: no care for capitals and endless repetition."""
    stride: int | None = None
    """Of a decoder: pieces from one window to the next; the context if not given, less is slower
    and gives each piece more before it."""
    device: str = "auto"
    """auto, cpu or cuda."""
    precision: str = "auto"
    """float32, on CPU int8, on a GPU bf16; auto is int8 or bf16 where there is one."""
    fast: bool = False
    """Choose among the likely pieces of each sentence alone, which the model's shortlist knows."""
    overlap: bool = False
    """Score sentences too that the model has learnt from, as far as its run folder tells."""
    seed: int = 12345
    """Decides the resamples of intervals and tests; sacreBLEU's own default."""
    html: Annotated[Path | None, tyro.conf.arg(metavar="FILE")] = None
    """Write a page there that shows the translations side by side with their references."""
    calibrate: bool = False
    """Let the model learn from this set, best a dev set, how good its translations are; see
    `heed translate --confidence`."""
    json: bool = False
    """Print one JSON object instead of a table."""
    quiet: bool = False
    """Show no progress."""


def run(options: Options, settings: dict[str, Any]) -> int:
    """Translate, score, print; raises a HeedfulError for a bad test set, model or option."""
    from heedful.data.glossary import Glossary
    from heedful.interop.writers import writes
    from heedful.progress import Progress
    from heedful.scored_systems import read_pairs, system
    from heedful.search_options import search_of

    if options.model is not None and writes(Path(options.model)):
        return _foretell(options, settings)
    _check(options)
    search = search_of(settings, beam=options.beam)
    progress = Progress(quiet=options.quiet)
    glossary = None if options.glossary is None else Glossary.load(options.glossary)
    test = read_pairs(options.data, options.columns, skip_bad=options.skip_bad)
    names = options.compare or (options.model,)
    how = _how(options, search, glossary)
    systems = [system(name, how, test, progress) for name in names]
    if options.output is not None:
        _write(options.output, systems[0].lines, progress)
    if systems[0].swapped != systems[-1].swapped:
        problem = f"{systems[0].direction} and {systems[1].direction} cannot be compared"
        raise SettingError(problem, where="--compare", fix="give --to")
    results = _results(options, test, systems, glossary)
    if options.calibrate:
        _calibrate(options, systems[0], results, progress)
    text = "\n".join(_as_text(options, search, test, systems, results))
    if options.html is not None:
        from heedful.evaluation_page import Column, write_page

        texts = (results.sources, results.references)
        parts = zip(systems, results.lines, results.chrf, results.expected, strict=True)
        columns = [Column(one.name, lines, chrf, known) for one, lines, chrf, known in parts]
        write_page(options.html, options.data, text, results.rows, texts, columns)
    if options.json:
        print(json.dumps(_as_json(options, search, test, systems, results), ensure_ascii=False))
    else:
        print(text)
    return 0


_OF_TEXT = ("data", "model", "stride", "device", "json", "quiet")
"""The options of a decoder."""


def _foretell(options: Options, settings: dict[str, Any]) -> int:
    """Tell how well a decoder foretells a text."""
    from heedful.device import pick_device
    from heedful.interop.writers import load_writer
    from heedful.perplexity import measure
    from heedful.progress import Progress

    names = [field.name for field in fields(options) if field.name not in _OF_TEXT]
    others = [name for name in names if getattr(options, name) != getattr(Options, name)]
    if others or settings:
        name = [*others, *settings][0]
        raise SettingError(
            "it is for translations, and this model goes on with texts",
            where="--" + name.rstrip("_").replace("_", "-"),
            fix="leave it out",
        )
    writer = load_writer(Path(str(options.model)), pick_device(options.device))
    found = measure(writer, options.data, options.stride, Progress(quiet=options.quiet))
    if options.json:
        told = {"data": options.data, "name": options.model} | found.to_json()
        print(json.dumps(told, ensure_ascii=False))
    else:
        print("\n".join([f"{options.data}, {options.model}", *found.table()]))
    return 0


def _how(options: Options, search: "SearchConfig", glossary: "Glossary | None") -> "How":
    """Return how models translate."""
    from heedful.scored_systems import How
    from heedful.translator import Care

    if options.use_glossary and glossary is None:
        raise SettingError("there is none", where="--use-glossary", fix="give --glossary FILE")
    care = Care(options.protect, capitals=not options.raw, loops=not options.raw)
    return How(
        {"search": search, "care": care, "glossary": glossary if options.use_glossary else None},
        options.to,
        options.from_,
        options.device,
        options.precision,
        options.fast,
        every_row=options.output is not None,
        calibrating=options.calibrate,
        overlap=options.overlap,
    )


def _results(
    options: Options, test: "Pairs", systems: "list[System]", glossary: "Glossary | None"
) -> "Results":
    """Score, check and compare the translations."""
    from heedful.scored_results import Asked, results_of

    asked = Asked(
        options.to or "",
        options.tokenize,
        options.seed,
        comparing=options.compare is not None,
        show=_SHOWN if options.show is None else options.show,
        glossary=glossary,
        exact=options.exact,
    )
    return results_of(test, systems, asked)


def _calibrate(options: Options, made: "System", results: "Results", progress: "Progress") -> None:
    """Learn how good the model's translations are, and write it into its folder."""
    from heedful.confidence import FEWEST, learn
    from heedful.model_path import writable_path

    folder = writable_path(str(options.model))
    if len(results.rows) < FEWEST:
        raise DataError(
            f"{len(results.rows)} sentences are too few to learn from",
            where=options.data,
            fix=f"give a set of {FEWEST} or more",
        )
    fit = learn(folder, made.tag, made.log_probs, results.chrf[0])
    progress.say(f"{folder}: calibrated, {fit} that it was learnt from")


def _check(options: Options) -> None:
    if options.compare and (options.model is not None or options.output is not None):
        what = "--model" if options.model is not None else "--output"
        raise SettingError(f"--compare takes no {what}", fix="name both models after --compare")
    if options.show is not None and options.compare is None:
        raise SettingError("shows what two systems differ in", where="--show", fix="add --compare")
    if options.show is not None and options.show < 0:
        raise SettingError(f"{options.show} is less than 0", where="--show", fix="give 0 or more")
    if options.calibrate and options.model is not None:
        from heedful.model_path import writable_path

        writable_path(options.model)
    elif options.calibrate:
        problem = "it is for one model that you can write to"
        raise SettingError(problem, where="--calibrate", fix="give --model FOLDER")
    if options.stride is not None:
        problem = "it is for a decoder's windows, and this model translates"
        raise SettingError(problem, where="--stride", fix="leave it out")
    if options.data.endswith((".txt", ".txt.gz")) and "," not in options.data:
        problem = "this model translates: it is scored on pairs of sentences, and this is one text"
        raise DataError(problem, where=options.data, fix="give pairs, such as test.tsv")
    if options.seed < 0:
        raise SettingError(f"{options.seed} is less than 0", where="--seed", fix="give 0 or more")
    _check_outputs(options)


def _check_outputs(options: Options) -> None:
    """Raise OutputError for a place that cannot be written to, or where something would be lost."""
    from heedful.data.formats import corpus_paths

    compared = [Path(name) for name in options.compare or ()]
    read = [*corpus_paths(options.data), *compared, options.glossary]
    for path in filter(None, (options.output, options.html)):
        _check_output(path)
        refuse_read(path, read)
    if options.output and options.html and options.output.resolve() == options.html.resolve():
        problem = "the page would be written over the translations"
        raise OutputError(problem, where=f"--html {options.html}", fix="choose another output")


def _check_output(path: Path) -> None:
    """Raise OutputError, before any work, for a place that cannot be written to."""
    target = path.resolve()
    if target.is_dir():
        raise OutputError("this is a folder", where=str(path), fix="name a file in it")
    folder = target.parent
    if is_plain(target) and not (folder.is_dir() and os.access(folder, os.W_OK)):
        raise OutputError("its folder cannot be written to", where=str(path))


def _write(path: Path, lines: list[str], progress: "Progress") -> None:
    """Write a line for each row, one of several lines (of JSONL or CSV) too, and say how many."""
    with open_output(path) as out:
        out.writelines(_LINE_END.sub(" ", line) + "\n" for line in lines)
    if joined := sum("\n" in line for line in lines):
        some = f"{joined:,} translation{'s' * (joined != 1)}"
        progress.warn(f"{path}: {some} of several lines put into one line each")


def _as_json(
    options: Options,
    search: "SearchConfig",
    test: "Pairs",
    systems: "list[System]",
    results: "Results",
) -> dict[str, Any]:
    *checks, references = results.checks
    plain = [
        {
            "name": system.name,
            "direction": system.direction,
            "search": None if system.seconds is None else search.model_dump(mode="json"),
            "precision": system.precision,
            "fast": None if system.seconds is None else options.fast,
            "flags": system.flags,
            **scores.to_json(),
            "exactness": exactness and exactness.to_json(),
            "checks": checked.to_json(references),
            "confidence": fit and asdict(fit),
        }
        for system, scores, exactness, checked, fit in zip(
            systems, results.scores, results.exactness, checks, results.fits, strict=True
        )
    ]
    head = {
        "data": options.data,
        "rows": len(test.first),
        "left_out": test.left_out,
        "references": {"checks": references.to_json(references)},
    }
    if results.comparison is None:
        return head | plain[0]
    names = ("source", "reference", "a", "b")
    changed = [
        {"row": row, "chrf_a": one.a, "chrf_b": one.b, "difference": one.difference}
        | dict(zip(names, texts, strict=True))
        for row, one, texts in results.changed()
    ]
    comparison = results.comparison.to_json() | results.paired_json()
    return head | {"a": plain[0], "b": plain[1], "comparison": comparison, "changed": changed}


def _as_text(
    options: Options,
    search: "SearchConfig",
    test: "Pairs",
    systems: "list[System]",
    results: "Results",
) -> list[str]:
    from heedful import score_table as table

    scored = len(results.rows)
    lines = [f"{options.data}: {len(test.first):,} rows, {scored:,} scored{table.left_out(test)}"]
    for system, found in zip(systems, results.scores, strict=True):
        lines.append(table.about(system, found, search, fast=options.fast))
    for system, fit in zip(systems, results.fits, strict=True):
        lines += [f"confidence of {system.name}: {fit}"] if fit else []
    *checks, references = results.checks
    lines += ["", *table.checks_table(checks, references), ""]
    if results.comparison is None:
        return lines + table.scores_table(results.scores[0], results.exactness[0])
    changed = results.changed()
    shown = [*table.changed_lines(changed), ""] if changed else []
    names = (systems[0].name, systems[1].name)
    return lines + shown + table.comparison_table(results.comparison, names, results.paired)
