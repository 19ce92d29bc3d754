"""`heed report DATA...`: what a corpus holds and what a training would make of it.

Prints the report of `heedful.data.report`; a corpus with rows that cannot be read ends in an error
after the report, since a training would stop there.
"""

__all__ = ["EXAMPLES", "Options", "run"]

from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

import tyro

EXAMPLES = """\
heed report my.tsv
heed report train.en,train.de --dev val.en,val.de --test test.en,test.de
heed report more.csv --columns en,de --html report.html
heed report my.tsv --json > report.json
"""


@dataclass(frozen=True, kw_only=True)
class Options:
    """Look a corpus over before training."""

    data: Annotated[tyro.conf.Positional[tuple[str, ...]], tyro.conf.arg(metavar="DATA")]
    """The corpora to train on: a.tsv, a.jsonl, a.csv (each also .gz), a.parquet, or two
    line-parallel files joined by a comma: a.en,a.de"""
    dev: tuple[str, ...] = ()
    """Corpora to validate on; none: held out of DATA."""
    test: tuple[str, ...] = ()
    """Corpora to test on; none: held out of DATA."""
    columns: str | None = None
    """Which two fields hold source and target: 1,2 (numbers) or en,de (names)."""
    skip_bad: bool = False
    """Rows that cannot be read are dropped and counted, and are no error."""
    both_directions: bool = False
    """Judge for a model that translates both ways."""
    seed: int = 1
    """Chooses the rows that are held out."""
    json: bool = False
    """Print the report as JSON."""
    html: Annotated[Path | None, tyro.conf.arg(metavar="FILE")] = None
    """Write the report as one page."""
    quiet: bool = False
    """Show no progress."""


def run(options: Options) -> int:
    """Examine, print, save; raises DataError when a training would refuse the corpus."""
    from heedful.data.corpus import Corpus, DataConfig, named_language
    from heedful.data.formats import corpus_paths
    from heedful.errors import DataError, SettingError
    from heedful.output import refuse_read, write_whole
    from heedful.progress import Progress

    if not options.data:
        raise SettingError("names no corpus", where="heed report", fix="try heed report my.tsv")
    for spec in (*options.data, *options.dev, *options.test):
        if language := named_language(spec):
            problem = "one pair of languages is examined at a time"
            fix = f"leave {language}= out, or write ./{spec} for a file of that name"
            raise SettingError(problem, where=spec, fix=fix)
        refuse_read(options.html, corpus_paths(spec))
    config = DataConfig(
        train=options.data,
        dev=options.dev,
        test=options.test,
        columns=tuple(options.columns.split(",")) if options.columns else None,
        skip_bad=True,
        both_directions=options.both_directions,
    )
    report = Corpus.examine(
        config, seed=options.seed, progress=Progress(quiet=options.quiet)
    ).report
    if options.html is not None:
        write_whole(options.html, report.to_html().encode())
    print(report.to_json() if options.json else report.summary(), end="")
    bad = report.first_bad_row
    if bad is not None and not options.skip_bad:
        raise DataError(bad.reason, where=bad.where, fix=bad.fix)
    return 0
