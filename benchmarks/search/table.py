"""Results become Markdown tables, and take their place in a page of the documents."""

__all__ = ["BEGIN", "END", "fill", "tables"]

from pathlib import Path
from typing import Any

from pages import begin, end, put

SCRIPT = Path(__file__).parents[1] / "searches.py"
BEGIN, END = begin(SCRIPT), end(SCRIPT)


def fill(page: Path, sets: dict[str, Any]) -> str:
    """Put the plot, if it is there, and the tables between two comments; return the tables."""
    text = tables(sets)
    put(page, SCRIPT, text, "chrF against sentences a second")
    return text


def tables(sets: dict[str, Any]) -> str:
    """Return a table of quality and speed, and one of lists, for each test set."""
    parts = []
    for name, searches in sets.items():
        parts += [f"{name}, the best translation:", "", *ones(searches), ""]
        parts += [f"{name}, five translations of a sentence:", "", *lists(searches), ""]
    return "\n".join(parts)


def ones(searches: dict[str, Any]) -> list[str]:
    """Return the lines of the table of quality and speed."""
    lines = ["| search | BLEU | chrF | chrF against beam 4 | sentences/s | sentences |"]
    lines += ["|---|---|---|---|---|---|"]
    for name, row in searches.items():
        more = row["chrf against beam 4"]
        lines.append(
            f"| {name} | {row['bleu']:.1f} | {row['chrf']:.1f} "
            f"| {more['value']:+.1f} ({more['low']:+.1f} to {more['high']:+.1f}) "
            f"| {row['sentences_per_second']:.1f} | {row['sentences']:,} |"
        )
    return lines


def lists(searches: dict[str, Any]) -> list[str]:
    """Return the lines of the table of lists."""
    lines = ["| search | 100 - chrF | distinct | chrF of the first | of the best |"]
    lines += ["|---|---|---|---|---|"]
    for name, row in searches.items():
        if found := row.get("list"):
            lines.append(
                f"| {name} | {found['unlike']:.1f} | {found['distinct']:.0%} "
                f"| {found['chrf of the first']:.1f} | {found['chrf of the best']:.1f} |"
            )
    return lines
