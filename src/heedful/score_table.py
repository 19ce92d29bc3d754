"""Scores and comparisons as a table to read in a terminal.

What `heedful.evaluate` returns comes in, lines of text go out; `heed evaluate` prints them.
"""

__all__ = ["comparison_table", "scores_table"]

from collections.abc import Sequence

from heedful.evaluate import Comparison, Paired, Score, Scores

SIGNIFICANT = 0.05


def scores_table(scores: Scores) -> list[str]:
    """Return the metrics with their intervals, then their signatures."""
    metrics = (scores.bleu, scores.chrf, scores.bleu_lower)
    head = ("", "score", "95 % interval")
    rows = [
        (metric.name, f"{metric.value:.2f}", _range(metric.low, metric.high, ""))
        for metric in metrics
    ]
    return [*_aligned([head, *rows]), "", *_signatures(metrics)]


def comparison_table(comparison: Comparison, names: tuple[str, str]) -> list[str]:
    """Return both systems side by side, the chance that they differ by luck, and what it means."""
    head = ("", "A", "B", "B - A", "95 % interval", "p bootstrap", "p randomisation")
    metrics = (comparison.bleu, comparison.chrf)
    rows = [
        (
            paired.a.name,
            f"{paired.a.value:.2f}",
            f"{paired.b.value:.2f}",
            f"{paired.difference:+.2f}",
            _range(paired.low, paired.high, "+"),
            f"{paired.p_bootstrap:.4f}",
            f"{paired.p_randomisation:.4f}",
        )
        for paired in metrics
    ]
    return [
        f"A  {names[0]}",
        f"B  {names[1]}",
        "",
        *_aligned([head, *rows]),
        "",
        *(f"{paired.a.name}: {_verdict(paired)}" for paired in metrics),
        "",
        f"paired bootstrap: {comparison.resamples:,} resamples; approximate randomisation: "
        f"{comparison.trials:,} trials; seed {comparison.seed}",
        *_signatures([paired.a for paired in metrics]),
    ]


def _verdict(paired: Paired) -> str:
    """Say in words what the randomisation test found."""
    p = paired.p_randomisation
    if paired.difference == 0:
        return "A and B score the same"
    better = "B" if paired.difference > 0 else "A"
    if p < SIGNIFICANT:
        return f"{better} is better, and luck hardly explains it (p = {p:.4f})"
    return f"{better} scores higher, but luck may explain it (p = {p:.4f})"


def _range(low: float | None, high: float | None, sign: str) -> str:
    if low is None or high is None:
        return ""
    return f"{low:{sign}.2f} to {high:{sign}.2f}"


def _signatures(metrics: Sequence[Score]) -> list[str]:
    lines = _aligned([(metric.name, metric.signature) for metric in metrics], left=2)
    return ["to be quoted with the scores:", *(f"  {line}" for line in lines)]


def _aligned(rows: Sequence[Sequence[str]], left: int = 1) -> list[str]:
    """Pad the cells; the first `left` columns stand left, the others right.

    >>> _aligned([("", "score"), ("BLEU", "1.00")])
    ['      score', 'BLEU   1.00']
    """
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    return [
        "  ".join(
            cell.ljust(width) if column < left else cell.rjust(width)
            for column, (cell, width) in enumerate(zip(row, widths, strict=True))
        ).rstrip()
        for row in rows
    ]
