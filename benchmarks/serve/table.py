"""Measurements become rows, rows become the tables."""

__all__ = ["agreement", "markdown", "row_of"]

from collections.abc import Mapping, Sequence
from dataclasses import asdict
from statistics import median
from typing import Any

from serve.spec import CEILING, DOCUMENT, OURS, SENTENCE, Asking, search_name

Rows = Sequence[dict[str, Any]]
Answers = Mapping[tuple[str, int], Mapping[str, str]]
"""By system and beam: the translation of each sentence, by its number."""

HEADS = (
    *("search", "clients", "system", "requests/s", "(range)", "p50, ms", "p95, ms", "p99, ms"),
    *("errors", "texts a batch", "server, cores", "clients, cores"),
)


def row_of(asking: Asking, runs: Rows) -> dict[str, Any]:
    """Return the medians over the rounds of one measurement, and all its errors."""
    good = [run for run in runs if run["requests"]]
    errors = sum(sum(run["errors"].values()) for run in runs)
    row = asdict(asking) | {"rounds": len(good), "errors": errors}
    kinds = sorted({kind for run in runs for kind in run["errors"]})
    if kinds:
        row["error_kinds"] = kinds
    if not good:
        return row
    rates = [run["requests"] / run["seconds"] for run in good]
    row |= {"requests_per_second": median(rates), "lowest": min(rates), "highest": max(rates)}
    row |= {f"{name}_ms": median(run["ms"][name] for run in good) for name in ("p50", "p95", "p99")}
    row["others_cores"] = max(run["others_cores"] for run in good)
    for name in ("server_cores", "client_cores", "texts_a_batch"):
        values = [run[name] for run in good if run.get(name) is not None]
        if values:
            row[name] = median(values)
    return row


def agreement(answers: Answers) -> list[dict[str, Any]]:
    """Return what share of each system's translations are ours, letter for letter."""
    found = []
    for (system, beam), texts in answers.items():
        ours = answers.get((OURS, beam), {})
        both = texts.keys() & ours.keys()
        if system == OURS or not both:
            continue
        equal = sum(texts[number] == ours[number] for number in both)
        found.append(
            {"system": system, "beam": beam, "sentences": len(both), "equal": equal / len(both)}
        )
    return sorted(found, key=lambda row: (row["beam"], row["system"]))


def markdown(result: Mapping[str, Any]) -> str:
    """Return everything that was measured, in tables."""
    rows: Rows = result["rows"]
    compared = {row["clients"] for row in rows if row["system"] != OURS}
    sentences = [row for row in rows if row["kind"] in (SENTENCE, CEILING)]
    first = [row for row in sentences if row["clients"] in compared]
    parts = [
        _about(result),
        "## Ours and others",
        _table(HEADS, map(_cells, sorted(first, key=_order))),
        "## How many clients ours bears",
        _sizing([row for row in sentences if row["system"] == OURS and row["kind"] != CEILING]),
        f"## A document: {result['document']} sentences in one request",
        _table(
            ("search", "system", "seconds", "sentences/s"),
            (_document(row, result["document"]) for row in rows if row["kind"] == DOCUMENT),
        ),
        "## Servers",
        _table(
            ("system", "ready after, s", "peak memory, MB", "what it is"),
            (
                (x["system"], f"{x['ready_seconds']:.1f}", f"{x['peak_rss_mb']:,.0f}", x["about"])
                for x in result["servers"]
            ),
        ),
        "## Translations equal to ours",
        _table(
            ("search", "system", "sentences", "equal"),
            (
                (search_name(x["beam"]), x["system"], str(x["sentences"]), f"{x['equal']:.1%}")
                for x in result["agreement"]
            ),
        ),
    ]
    return "\n\n".join(part.strip() for part in parts) + "\n"


def _about(result: Mapping[str, Any]) -> str:
    versions = ", ".join(f"{name} {version}" for name, version in result["versions"].items())
    machine = result.get("machine", {})
    where = f"{machine['cpu']}; torch {machine['torch']}, " if machine else ""
    others = max((row["others_cores"] for row in result["rows"] if row["rounds"]), default=0.0)
    return (
        f"Each client asks again as soon as it is answered, one sentence a request "
        f"({result['sentences']} of {result['pieces']:.1f} pieces on average), over a connection "
        f"of its own; medians of {result['rounds']} rounds of {result['seconds']:g} s, in which "
        f"the systems take turns. Clients and server share the machine: {where}{versions}. "
        f"All other processes together took at most {others:.2f} cores."
    )


def _table(heads: Sequence[str], rows: Any) -> str:
    lines = ["| " + " | ".join(heads) + " |", "|" + "---|" * len(heads)]
    lines += ["| " + " | ".join(cells) + " |" for cells in rows]
    return "\n".join(lines)


def _order(row: dict[str, Any]) -> tuple[Any, ...]:
    return (row["beam"] == 0, row["beam"], row["clients"], -row.get("requests_per_second", 0))


def _cells(row: dict[str, Any]) -> list[str]:
    cells = [search_name(row["beam"]), str(row["clients"]), row["system"]]
    if not row["rounds"]:
        return [*cells, *[""] * 5, str(row["errors"]), *[""] * 3]
    return [
        *cells,
        f"{row['requests_per_second']:.1f}",
        f"{row['lowest']:.1f} to {row['highest']:.1f}",
        *(f"{row[f'{name}_ms']:.1f}" for name in ("p50", "p95", "p99")),
        str(row["errors"]),
        f"{row['texts_a_batch']:.1f}" if "texts_a_batch" in row else "",
        f"{row['server_cores']:.2f}",
        f"{row['client_cores']:.2f}",
    ]


def _sizing(rows: Rows) -> str:
    """Return a line for every number of clients, both searches beside each other."""
    beams = sorted({row["beam"] for row in rows})
    known = {(row["clients"], row["beam"]): row for row in rows if row["rounds"]}
    heads = ["clients"]
    for beam in beams:
        name = search_name(beam)
        heads += [f"{name}: sentences/s", "p95, ms", "texts a batch"]
    lines = []
    for clients in sorted({row["clients"] for row in rows}):
        cells = [str(clients)]
        for beam in beams:
            row = known.get((clients, beam))
            if row is None:
                cells += ["", "", ""]
                continue
            cells += [f"{row['requests_per_second']:.1f}", f"{row['p95_ms']:.1f}"]
            cells.append(f"{row['texts_a_batch']:.1f}")
        lines.append(cells)
    return _table(heads, lines)


def _document(row: dict[str, Any], sentences: int) -> list[str]:
    if not row["rounds"]:
        return [search_name(row["beam"]), row["system"], "", ""]
    seconds = row["p50_ms"] / 1000
    return [search_name(row["beam"]), row["system"], f"{seconds:.2f}", f"{sentences / seconds:.1f}"]
