"""Reports as text: for the terminal, and docs/claims.md, which holds full figures alone.

Result files come in, Markdown goes out; the same files give the same page.
"""

__all__ = ["lines", "page"]

import os
from collections.abc import Sequence
from pathlib import Path

from heedful.claims.claim import Claim, Report, Table
from heedful.claims.results import Results, read_results
from heedful.errors import DataError

_HEAD = """\
# What the paper claims, and what was measured

Each claim is an experiment: what is said stands beside what was measured. Models that are compared
have equal parameters (within 5 %) and the same batches; what they learn is measured from three
seeds, with 95 % intervals of the mean. Times of steps and the search for learning rates are
measured once. This page is made from the files in
[benchmarks/results/claims](../benchmarks/results/claims) by

```sh parse
heed claims --document docs/claims.md --out benchmarks/results/claims
```

and holds figures of the full form alone. To see for yourself, in minutes or whole:

```sh parse
heed claims --list
heed claims                                # all, the quick form: 5 minutes on 2 cores
heed claims parallel table-1               # some
heed claims parallel --full --out claims   # whole; goes on where it was stopped
```
"""


def lines(claim: Claim, report: Report) -> list[str]:
    """Return a report for the terminal."""
    made = [claim.title, f"  said: {claim.said}"]
    made += [f"  measured: {sentence}" for sentence in report.sentences]
    for table in report.tables:
        made += ["", f"  {table.title}", *(f"  {line}" for line in _columns(table))]
    return [*made, ""]


def page(claims: Sequence[Claim], folder: Path, target: Path) -> str:
    """Return the page that stands at `target`, of the full results in a folder.

    Raises DataError where there are none, and for a file of the quick form.
    """
    every = [(one, _full(one, folder)) for one in claims]
    measured = [(claim, results) for claim, results in every if results.known(claim)]
    if not measured:
        raise DataError(
            "no claim has full results here", where=str(folder), fix="run heed claims --full first"
        )
    links = os.path.relpath(folder, target.parent)
    parts = [_HEAD, _overview([claim for claim, _ in measured])]
    parts += [_section(claim, results, links) for claim, results in measured]
    missing = [claim.title for claim, results in every if not results.known(claim)]
    if missing:
        parts.append("## Not measured yet\n\n" + "".join(f"- {title}\n" for title in missing))
    return "\n".join(parts)


def _full(claim: Claim, folder: Path) -> Results:
    return read_results(folder / f"{claim.name}.json", claim.name, "full")


def _overview(claims: Sequence[Claim]) -> str:
    rows = [
        f"| [{one.title}](#{_anchor(one.title)}) | `heed claims {one.name}` |" for one in claims
    ]
    return "| claim | command |\n|---|---|\n" + "\n".join(rows) + "\n"


def _section(claim: Claim, results: Results, links: str) -> str:
    """Return what is said of one claim, and what was measured."""
    known = results.known(claim)
    report = claim.report(known)
    said = " ".join(report.sentences)
    parts = [
        f"## {claim.title}",
        f"| said | measured |\n|---|---|\n| {_cell(claim.said)} | {_cell(said)} |",
        claim.how,
    ]
    for plot in report.plots:
        parts.append(f"![{plot.title}]({links}/{claim.name}-{plot.name}.svg)")
    for table in report.tables:
        parts.append(f"{table.title}:\n\n" + "\n".join(_markdown(table)))
    total = len(claim.cases("full"))
    whole = f"all {total:,} cases" if len(known) == total else f"{len(known):,} of {total:,} cases"
    parts.append(
        f"From {whole}, in [{claim.name}.json]({links}/{claim.name}.json), "
        f"measured on {_machines(results)}."
    )
    return "\n\n".join(parts) + "\n"


def _machines(results: Results) -> str:
    """Return on what the cases were measured, and between which days."""
    names = [
        f"{one.get('cuda-0', one.get('cpu', 'a machine')).split(', CUDA')[0]} "
        f"(torch {one.get('torch', '?')})"
        for one in results.machines
    ]
    days = sorted({one["date"] for one in results.cases})
    when = days[0] if len(days) == 1 else f"{days[0]} to {days[-1]}"
    return f"{' and '.join(dict.fromkeys(names))}, {when}"


def _markdown(table: Table) -> list[str]:
    made = [f"| {' | '.join(map(_cell, row))} |" for row in (table.columns, *table.rows)]
    return [made[0], "|" + "---|" * len(table.columns), *made[1:]]


def _columns(table: Table) -> list[str]:
    """Return a table for the terminal, its columns as wide as they must be."""
    rows = [table.columns, *table.rows]
    widths = [max(len(cell) for cell in column) for column in zip(*rows, strict=True)]
    return [
        "  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip()
        for row in rows
    ]


def _cell(text: str) -> str:
    return text.replace("|", r"\|")


def _anchor(title: str) -> str:
    """Return what GitHub makes of a heading.

    >>> _anchor("Table 1: time, memory")
    'table-1-time-memory'
    """
    kept = "".join(one for one in title.lower() if one.isalnum() or one in " -_")
    return kept.replace(" ", "-")
