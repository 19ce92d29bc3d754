"""`heed sweep`: many trainings that differ in one thing each, such as the rows of Table 3."""

__all__ = ["EXAMPLES", "Options", "run"]

import os
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import tyro

from heedful.errors import SettingError, did_you_mean

if TYPE_CHECKING:
    from heedful.claims.claim import Claim

EXAMPLES = """
heed sweep table3
heed sweep table3 --quick
heed sweep table3 --rows A B --jobs 2
heed sweep table3 --full --train wmt.tsv --dev newstest2013.tsv --from en --to de
"""

SWEEPS = ("table3",)


@dataclass(frozen=True, kw_only=True)
class Options:
    """Train every row of the paper's Table 3, and set its figures beside the paper's.

    On Multi30k in small, by one stated rule, for hours on two cores; with --full the paper's own
    sizes and schedule, on a corpus of yours, for a GPU and weeks. Each row is written when it is
    done: the same command once more goes on where the first one was stopped.
    """

    name: tyro.conf.Positional[str]
    """Which sweep: table3."""
    rows: tuple[str, ...] = ()
    """Rows to train, by their letters (A to E) or names ("B: d_k=16"); all if none is named."""
    quick: bool = False
    """Four small rows in minutes, to see how it goes."""
    full: bool = False
    """The paper's sizes and 100,000 steps a row; needs --train, --dev, --from and --to."""
    train: str | None = None
    """With --full: the corpus to learn from, such as a.tsv or a.en,a.de."""
    dev: str | None = None
    """With --full: the corpus that rows are measured on."""
    from_: Annotated[str | None, tyro.conf.arg(name="from")] = None
    """With --full: language of the first column, such as en."""
    to: str | None = None
    """With --full: language of the second column, such as de."""
    data: Path | None = None
    """The folder that holds multi30k/; the one that HEEDFUL_DATA names if not given."""
    out: Path | None = None
    """Where figures go: sweep-quick, sweep or, with --full, sweep-full if not given."""
    device: str = "auto"
    """auto (a GPU if there is one), cpu or cuda."""
    jobs: int = 1
    """How many rows at a time, each in a process of its own; not with --full."""
    quiet: bool = False
    """Show no progress."""


def run(options: Options) -> int:
    """Train what is missing and print; raises a HeedfulError for what cannot be asked for."""
    from heedful.claims.claim import Size
    from heedful.claims.page import lines
    from heedful.claims.running import measure, render, where
    from heedful.progress import Progress

    size: Size = "quick" if options.quick else "full"
    form = "-quick" if options.quick else "-full" if options.full else ""
    folder = options.out or Path(f"sweep{form}")
    claim = _asked(options, folder)
    known = os.environ.get("HEEDFUL_DATA")
    data = options.data or (None if known is None else Path(known))
    progress = Progress(quiet=options.quiet)
    results = measure(claim, size, folder, where(options.device, progress, data, options.jobs))
    if found := results.known(claim):
        print("\n".join(lines(claim, render(claim, found, folder))), flush=True)
        progress.say(f"figures are in {folder}")
    return 2 if results.failed or not found else 0  # it has been said why


def _asked(options: Options, folder: Path) -> "Claim":
    """Return the sweep that the options ask for."""
    from heedful.claims.sweep import CLAIM, of_rows, paper_claim

    if options.name not in SWEEPS:
        fix = did_you_mean(options.name, SWEEPS)
        raise SettingError(f'there is no sweep "{options.name}"', where="heed sweep", fix=fix)
    own = {
        "train": options.train,
        "dev": options.dev,
        "source_language": options.from_,
        "target_language": options.to,
    }
    claim = CLAIM
    if options.full:
        if options.quick:
            raise SettingError("--quick and --full exclude each other", fix="leave one of them out")
        if options.jobs > 1:
            fix = "leave it out: a row of the paper's size fills a GPU"
            raise SettingError("--full trains one row at a time", where="--jobs", fix=fix)
        corpora = {name: _given(_OPTIONS[name], value) for name, value in own.items()}
        claim = paper_claim(corpora, folder / "runs")
    elif named := next((name for name, value in own.items() if value is not None), None):
        fix = "add --full or leave it out"
        raise SettingError("it is for --full alone", where=_OPTIONS[named], fix=fix)
    if options.quick:
        _refuse_slow(claim, options.rows)
    return of_rows(claim, options.rows) if options.rows else claim


def _refuse_slow(claim: "Claim", rows: tuple[str, ...]) -> None:
    """Raise SettingError for rows that are not among the quick ones, or are in no Table 3."""
    from heedful.claims.sweep import of_rows

    for name in rows:
        if not of_rows(claim, [name]).cases("quick"):
            quick = ", ".join(case["row"] for case in claim.cases("quick"))
            problem, fix = f'--quick does not train the row "{name}"', f"its rows are {quick}"
            raise SettingError(problem, where="--rows", fix=fix)


_OPTIONS = {
    "train": "--train",
    "dev": "--dev",
    "source_language": "--from",
    "target_language": "--to",
}


def _given(name: str, value: str | None) -> str:
    if value is None:
        raise SettingError("--full learns a corpus of yours", where=name, fix=f"give {name} too")
    return value
