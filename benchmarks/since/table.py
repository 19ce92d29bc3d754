"""Trainings become a Markdown table, which takes its place in a page of the documents."""

__all__ = ["fill", "summary"]

from pathlib import Path
from statistics import fmean
from typing import Any, NamedTuple

from pages import begin, end, put
from since.variants import FIRST, RATES, VARIANTS

SCRIPT = Path(__file__).parents[1] / "since_2017.py"
BEGIN, END = begin(SCRIPT), end(SCRIPT)


class Summary(NamedTuple):
    """What the trainings of a variant gave."""

    name: str
    bleus: list[float]
    chrf: float
    against: list[float]
    """BLEU minus that of 2017 with the same seed."""
    steps: float


def summary(rows: list[dict[str, Any]]) -> list[Summary]:
    """Return a line for each variant that was trained, in their order."""
    base = {row["seed"]: row["bleu"] for row in rows if row["variant"] == FIRST}
    found = []
    for name in VARIANTS:
        its = sorted((row for row in rows if row["variant"] == name), key=lambda row: row["seed"])
        if its:
            bleus = [row["bleu"] for row in its]
            against = [row["bleu"] - base[row["seed"]] for row in its if row["seed"] in base]
            chrf, steps = (fmean(row[what] for row in its) for what in ("chrf", "steps"))
            found.append(Summary(name, bleus, chrf, against, steps))
    return found


def fill(page: Path, rows: list[dict[str, Any]]) -> str:
    """Put the plot, if it is there, and the table between two comments; return the table."""
    text = "\n".join([*_lines(summary(rows)), *_at_other_rates(rows)])
    put(page, SCRIPT, f"{text}\n", "BLEU against that of 2017")
    return text


def _lines(every: list[Summary]) -> list[str]:
    lines = [
        "| change | BLEU | least to most | against 2017 | least to most | chrF | steps | seeds |"
    ]
    lines += ["|---|---|---|---|---|---|---|---|"]
    for one in every:
        against = one.against or [0.0]
        lines.append(
            f"| {one.name} | {fmean(one.bleus):.1f} | {min(one.bleus):.1f} to {max(one.bleus):.1f} "
            f"| {fmean(against):+.1f} | {min(against):+.1f} to {max(against):+.1f} "
            f"| {one.chrf:.1f} | {one.steps:,.0f} | {len(one.bleus)} |"
        )
    return lines


def _at_other_rates(rows: list[dict[str, Any]]) -> list[str]:
    """Say what the same gave at other learning rates, of one seed."""
    found = [f"{row['variant']}: {row['bleu']:.1f}" for row in rows if row["variant"] in RATES]
    return ["", f"BLEU at other learning rates, of one seed: {'; '.join(found)}."] if found else []
