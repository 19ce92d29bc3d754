"""`heed evaluate`: how good a model is on a test set, or whether one is better than another.

Reads pairs, translates the sources and prints what `heedful.evaluate` says of the translations.
"""

__all__ = ["EXAMPLES", "Options", "run"]

import json
import os
import time
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import tyro

from heedful.errors import DataError, OutputError, SettingError

if TYPE_CHECKING:
    from heedful.data.glossary import Glossary
    from heedful.evaluate import Changed, Comparison, Scores
    from heedful.output_checks import Checks
    from heedful.progress import Progress
    from heedful.search import Beam, Greedy
    from heedful.translator import Translator

_SHOWN = 5
"""Sentences shown of those that gained most, and of those that lost most."""

EXAMPLES = """\
heed evaluate --model runs/mine --data test.tsv
heed evaluate --data test.tsv --to de -o hypotheses.txt
heed evaluate --model runs/mine --data test.en,test.de --beam 1 --json
heed evaluate --data test.tsv --compare runs/old runs/new
heed evaluate --data test.tsv --to de --compare theirs.txt ours.txt --show 10
heed evaluate --data test.tsv --to de --glossary terms.tsv
"""


@dataclass(frozen=True, kw_only=True)
class Options:
    """Score a model on a test set: BLEU, chrF, what is lost, and speed; or compare two."""

    data: str
    """The test set: a.tsv, a.jsonl, a.csv, a.parquet, or a.en,a.de for two files."""
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
    beam: int = 4
    """Beam size; 1 is greedy search."""
    device: str = "auto"
    """auto, cpu or cuda."""
    precision: str = "auto"
    """float32, on CPU int8, on a GPU bf16; auto is int8 on CPU (fastest) and float32 on a GPU."""
    fast: bool = False
    """Choose among the likely pieces of each sentence alone, which the model's shortlist knows."""
    seed: int = 12345
    """Decides the resamples of intervals and tests; sacreBLEU's own default."""
    json: bool = False
    """Print one JSON object instead of a table."""
    quiet: bool = False
    """Show no progress."""


@dataclass
class _Pairs:
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
class _System:
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
    flags: dict[str, int] = field(default_factory=dict)
    """How many texts were split or ended unfinished."""


@dataclass
class _Results:
    """What is known of the systems, over the rows that are scored."""

    rows: list[int]
    sources: list[str]
    references: list[str]
    lines: list[list[str]]
    """Of each system."""
    scores: "list[Scores]"
    checks: "list[Checks]"
    """Of each system, then those of the references."""
    comparison: "Comparison | None"

    def changed(self) -> "list[tuple[int, Changed, list[str]]]":
        """Return the sentences that changed most: row from 1, scores, source, reference, A, B."""
        texts = (self.sources, self.references, *self.lines)
        return [
            (self.rows[one.row] + 1, one, [side[one.row] for side in texts])
            for one in (self.comparison.changed if self.comparison else ())
        ]


def run(options: Options) -> int:
    """Translate, score, print; raises a HeedfulError for a bad test set, model or option."""
    from heedful.data.glossary import Glossary
    from heedful.progress import Progress

    _check(options)
    progress = Progress(quiet=options.quiet)
    glossary = None if options.glossary is None else Glossary.load(options.glossary)
    test = _read(options)
    names = options.compare or (options.model,)
    systems = [_system(name, options, test, progress) for name in names]
    if options.output is not None:
        _write(options.output, systems[0].lines)
    if systems[0].swapped != systems[-1].swapped:
        problem = f"{systems[0].direction} and {systems[1].direction} cannot be compared"
        raise SettingError(problem, where="--compare", fix="give --to")
    results = _results(options, test, systems, glossary)
    if options.json:
        print(json.dumps(_as_json(options, test, systems, results), ensure_ascii=False))
    else:
        print("\n".join(_as_text(options, test, systems, results)))
    return 0


def _results(
    options: Options, test: _Pairs, systems: list[_System], glossary: "Glossary | None"
) -> _Results:
    """Score, check and compare the translations of the rows that have both texts."""
    from heedful.evaluate import compare, score
    from heedful.output_checks import check

    rows = test.scored()
    sources, references = ([side[row] for row in rows] for side in test.sides(systems[0].swapped))
    lines = [[system.lines[row] for row in rows] for system in systems]
    language = next((s.language for s in systems if s.language), options.to or "")
    scores = [
        score(chosen, references, language=language, seconds=system.seconds, seed=options.seed)
        for system, chosen in zip(systems, lines, strict=True)
    ]
    checks = [
        check(sources, chosen, language=language, glossary=glossary)
        for chosen in (*lines, references)
    ]
    comparison = None
    if options.compare:
        show = _SHOWN if options.show is None else options.show
        comparison = compare(references, *lines, language=language, seed=options.seed, show=show)
    return _Results(rows, sources, references, lines, scores, checks, comparison)


def _check(options: Options) -> None:
    if options.compare and (options.model is not None or options.output is not None):
        what = "--model" if options.model is not None else "--output"
        raise SettingError(f"--compare takes no {what}", fix="name both models after --compare")
    if options.show is not None and options.compare is None:
        raise SettingError("shows what two systems differ in", where="--show", fix="add --compare")
    if options.show is not None and options.show < 0:
        raise SettingError(f"{options.show} is less than 0", where="--show", fix="give 0 or more")
    if not 1 <= options.beam <= 1024:
        raise SettingError(
            f"{options.beam} is not a beam size", where="--beam", fix="give 1 to 1024"
        )
    if options.seed < 0:
        raise SettingError(f"{options.seed} is less than 0", where="--seed", fix="give 0 or more")
    if options.output is not None:
        folder = options.output.parent
        if not folder.is_dir() or not os.access(folder, os.W_OK):
            raise OutputError("its folder cannot be written to", where=str(options.output))


def _read(options: Options) -> _Pairs:
    """Read the test set whole; raises DataError when not a row can be scored."""
    from heedful.data.formats import ReadCounts, open_corpus

    counts = ReadCounts()
    columns = options.columns.split(",") if options.columns else None
    test = _Pairs()
    for row in open_corpus(options.data, columns=columns, skip_bad=options.skip_bad, counts=counts):
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
            where=options.data,
            fix="give a test set of pairs",
        )
    return test


def _system(name: str | None, options: Options, test: _Pairs, progress: "Progress") -> _System:
    """Return the translations of a model, or those of a file where `name` is one."""
    if name is not None and Path(name).is_file():
        return _System(name, _lines(Path(name), len(test.first)), language=options.to or "")
    from heedful.search import Beam, Greedy
    from heedful.translator import BUNDLED, Translator

    name = BUNDLED if name is None else name
    translator = Translator.load(name, options.device, options.precision, options.fast)
    search = Greedy() if options.beam == 1 else Beam(beam_size=options.beam)
    system = _System(name, [""] * len(test.first), precision=translator.precision)
    tag = _direct(system, translator, options)
    sources = test.sides(system.swapped)[0]
    rows = test.scored()
    started = time.perf_counter()
    _translate(system, sources, rows, (translator, tag, search), progress)
    system.seconds = time.perf_counter() - started
    if options.output is not None:
        rest = sorted(set(range(len(sources))) - set(rows))
        _translate(system, sources, rest, (translator, tag, search), progress)
    return system


def _direct(system: _System, translator: "Translator", options: Options) -> str | None:
    """Set which column is the source and what the target is; return the tag to ask for."""
    languages = translator.languages
    named = bool(languages.target)
    tag = translator.target(*((options.to, options.from_) if named else (None, None)))
    target = tag or languages.target
    system.swapped = languages.both_directions and target == languages.source
    system.language = target if named else options.to or ""
    if named:
        source = languages.target if system.swapped else languages.source
        system.direction = f"{source or '?'} → {target}"
    return tag


def _translate(
    system: _System,
    sources: list[str],
    rows: list[int],
    how: "tuple[Translator, str | None, Greedy | Beam]",
    progress: "Progress",
) -> None:
    translator, tag, search = how
    found = translator.stream((sources[row] for row in rows), tag, search=search)
    flags: Counter[str] = Counter(system.flags)
    shown = progress.track(found, f"translating with {system.name}", total=len(rows))
    for row, translation in zip(rows, shown, strict=True):
        system.lines[row] = translation.text
        flags.update(translation.flags)
    system.flags = dict(flags)


def _lines(path: Path, rows: int) -> list[str]:
    """Read a file of translations; raises DataError when it has not one for every row."""
    from heedful.data.formats.reading import ReadCounts, RowError, lines, text_of

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


def _write(path: Path, lines: list[str]) -> None:
    from heedful.data.report import write_whole

    write_whole(path, "".join(line + "\n" for line in lines))


def _as_json(
    options: Options, test: _Pairs, systems: list[_System], results: _Results
) -> dict[str, Any]:
    *checks, references = results.checks
    plain = [
        {
            "name": system.name,
            "direction": system.direction,
            "beam": None if system.seconds is None else options.beam,
            "precision": system.precision,
            "fast": None if system.seconds is None else options.fast,
            "flags": system.flags,
            **scores.to_json(),
            "checks": checked.to_json(references),
        }
        for system, scores, checked in zip(systems, results.scores, checks, strict=True)
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
    comparison = results.comparison.to_json()
    return head | {"a": plain[0], "b": plain[1], "comparison": comparison, "changed": changed}


def _as_text(
    options: Options, test: _Pairs, systems: list[_System], results: _Results
) -> list[str]:
    from heedful.score_table import changed_lines, checks_table, comparison_table, scores_table

    scored = len(results.rows)
    lines = [f"{options.data}: {len(test.first):,} rows, {scored:,} scored{_left_out(test)}"]
    for system, found in zip(systems, results.scores, strict=True):
        lines.append(_about(system, found, options))
    *checks, references = results.checks
    lines += ["", *checks_table(checks, references), ""]
    if results.comparison is None:
        return lines + scores_table(results.scores[0])
    changed = results.changed()
    shown = [*changed_lines(changed), ""] if changed else []
    names = (systems[0].name, systems[1].name)
    return lines + shown + comparison_table(results.comparison, names)


def _left_out(test: _Pairs) -> str:
    """Name the rows that were left out, if any."""
    reasons = {
        "empty_first": "with an empty first column",
        "empty_second": "with an empty second column",
        "unreadable": "that could not be read",
    }
    said = [f"{n:,} {reasons[why]}" for why, n in test.left_out.items() if n]
    return f" (left out: {', '.join(said)})" if said else ""


def _about(system: _System, scores: "Scores", options: Options) -> str:
    """Say what translated, how fast, and what is odd about the result."""
    parts = [system.name]
    if system.direction:
        parts.append(system.direction)
    if system.seconds is not None:
        how = "greedy" if options.beam == 1 else f"beam {options.beam}"
        how = f"{system.precision}{' with a shortlist' * options.fast}, {how}"
        speed = f"{system.seconds:.1f} s, {scores.sentences_per_second:.1f} sentences/s"
        parts.append(f"{how}, {speed}")
    parts += [f"{n:,} {flag}" for flag, n in sorted(system.flags.items())]
    if scores.empty_hypotheses:
        parts.append(f"{scores.empty_hypotheses:,} empty translations")
    return " · ".join(parts)
