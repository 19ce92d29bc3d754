"""Runs become rows, rows become the table."""

__all__ = ["markdown", "row_of"]

from statistics import median
from typing import Any

HEADS = (
    *("part", "beam", "engine, processes x threads", "sentences/s", "(range)", "tokens/s", "BLEU"),
    *("one sentence, ms", "95th percentile", "start, s", "memory, MB"),
)


def row_of(runs: list[dict[str, Any]], about: dict[str, Any]) -> dict[str, Any]:
    """Return the medians over the rounds of one engine and beam."""
    good = [run for run in runs if "failed" not in run]
    if not good:
        return about | {"failed": runs[0]["failed"]}
    seconds = [run["seconds"] for run in good]
    count = about["sentences"]
    tokens = sum(len(answer) + 1 for answer in good[0]["answers"])
    alone = [sorted(run["latencies"]) for run in good if "latencies" in run]
    alike = (
        {}
        if not alone
        else {
            "latency_ms": 1000 * median(median(one) for one in alone),
            "latency_95_ms": 1000 * median(one[int(0.95 * (len(one) - 1))] for one in alone),
        }
    )
    return (
        about
        | alike
        | {
            "rounds": len(good),
            "sentences_per_second": count / median(seconds),
            "lowest": count / max(seconds),
            "highest": count / min(seconds),
            "tokens_per_second": tokens / median(seconds),
            "startup_seconds": median(run["startup"] for run in good),
            "peak_rss_mb": max(run["peak_rss_mb"] for run in good),
        }
    )


def markdown(rows: list[dict[str, Any]]) -> str:
    """Return the table, the fastest of each part and beam first."""
    lines = ["| " + " | ".join(HEADS) + " |", "|" + "---|" * len(HEADS)]
    for row in sorted(rows, key=_order):
        cells = [row["part"], str(row["beam"]), row["engine"]]
        if "failed" in row:
            cells += [row["failed"], *[""] * (len(HEADS) - 4)]
        else:
            cells += [
                f"{row['sentences_per_second']:.1f}",
                f"{row['lowest']:.1f} to {row['highest']:.1f}",
                f"{row['tokens_per_second']:,.0f}",
                f"{row['bleu']:.2f}" if "bleu" in row else "",
                f"{row['latency_ms']:.1f}" if "latency_ms" in row else "",
                f"{row['latency_95_ms']:.1f}" if "latency_ms" in row else "",
                f"{row['startup_seconds']:.1f}",
                f"{row['peak_rss_mb']:,.0f}",
            ]
        lines.append("| " + " | ".join(cells) + " |")
    return "\n".join(lines) + "\n"


def _order(row: dict[str, Any]) -> tuple[Any, ...]:
    part, length = [*row["part"].split(), "0"][:2]
    speed = row.get("sentences_per_second", 0)
    return (["small", "base", "length"].index(part), int(length), row["beam"], -speed)
