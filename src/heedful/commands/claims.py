"""`heed claims`: what the paper and everyone say, measured on this machine."""

__all__ = ["EXAMPLES", "Options", "run"]

import json
import os
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import tyro

from heedful.errors import SettingError

if TYPE_CHECKING:
    from heedful.claims.claim import Claim
    from heedful.claims.results import Results

EXAMPLES = """
heed claims --list
heed claims
heed claims parallel table-1
heed claims parallel --full --out claims
heed claims --document claims.md --out claims
"""


@dataclass(frozen=True, kw_only=True)
class Options:
    """Measure what is said of Transformers and of what they replaced; print tables and sentences.

    The quick form takes minutes and shows where it goes; --full is the measurement. Each case is
    written when it is done: the same command once more goes on where the first one was stopped.
    """

    names: tyro.conf.Positional[tuple[str, ...]] = ()
    """Which claims; all if none is named."""
    full: bool = False
    """Measure the full form: hours on a CPU."""
    out: Annotated[Path | None, tyro.conf.arg(metavar="DIR")] = None
    """Where figures and plots go: claims-quick or, with --full, claims if not given."""
    data: Annotated[Path | None, tyro.conf.arg(metavar="DIR")] = None
    """The folder that holds the corpora; the one that HEEDFUL_DATA names if not given."""
    device: str = "auto"
    """auto (the CPU and, if there is one, a GPU as well), cpu or cuda."""
    jobs: int = 1
    """How many trainings at a time, each in a process of its own; what is timed runs alone."""
    list: bool = False
    """Only list the claims, a line each."""
    document: Annotated[Path | None, tyro.conf.arg(metavar="FILE")] = None
    """Measure nothing; write a page in Markdown of the full figures in --out."""
    json: bool = False
    """Print one JSON object with all figures instead of tables."""
    quiet: bool = False
    """Show no progress."""


def run(options: Options) -> int:
    """Measure what is missing and print; 2 where nothing is, for want of a corpus, or a case fails.

    Raises a HeedfulError for a bad name, file or device.
    """
    from heedful.claims import claims_named

    claims = claims_named(options.names)
    if options.list:
        for claim in claims:
            print(f"{claim.name:16}{claim.title}")
        return 0
    folder = options.out or Path("claims" if options.full else "claims-quick")
    if options.document is not None:
        return _document(options.document, options.out or Path("claims"), options.names)
    return _measure(options, claims, folder)


def _measure(options: Options, claims: "list[Claim]", folder: Path) -> int:
    from heedful.claims.page import lines
    from heedful.claims.running import measure, render, where
    from heedful.progress import Progress

    known = os.environ.get("HEEDFUL_DATA")
    data = options.data or (None if known is None else Path(known))
    progress = Progress(quiet=options.quiet)
    site = where(options.device, progress, data, options.jobs)
    found: dict[str, Results] = {}
    for claim in claims:
        found[claim.name] = results = measure(
            claim, "full" if options.full else "quick", folder, site
        )
        measured = results.known(claim)
        if measured:
            report = render(claim, measured, folder)
            if not options.json:
                print("\n".join(lines(claim, report)), flush=True)
    if options.json:
        plain = {name: {"size": one.size, "cases": one.cases} for name, one in found.items()}
        print(json.dumps(plain, ensure_ascii=False))
    if not any(results.cases for results in found.values()):
        return 2  # each has said what it lacks
    if not options.json:
        progress.say(f"figures and plots are in {folder}")
    return 2 if any(results.failed for results in found.values()) else 0


def _document(target: Path, folder: Path, names: tuple[str, ...]) -> int:
    """Write the page of all claims."""
    from heedful.claims import CLAIMS
    from heedful.claims.page import page
    from heedful.output import write_whole

    if names:
        fix = "leave the names out"
        raise SettingError("the page is of all claims", where="--document", fix=fix)
    write_whole(target, page(CLAIMS, folder, target).encode())
    return 0
