"""Runs become rows, rows become the table: for the terminal, for markdown, for the README."""

__all__ = ["BY_HAND", "GOALS", "OURS", "cells", "heads", "markdown", "rows_of", "verdicts"]

from collections.abc import Iterable
from statistics import median
from typing import Any

OURS = "heedful"
"""The name of this package in the table."""
BY_HAND = "torch.nn by hand"
"""torch.nn with what heedful does of itself, set up by its user: no peer, but told beside them."""
GOALS = {"bf16": 1.75, "float32": 1.4}
"""Times the best peer."""
PEAK_GOALS = {"cpu": 0.6, "cuda": 0.5}
"""Share of the bf16 matrix rate: every size on CPU, `big` on a GPU."""
Row = dict[str, Any]


def rows_of(runs: list[dict[str, Any]], peaks: dict[str, dict[str, Any]]) -> list[Row]:
    """Return a row for each size, precision and implementation; heedful first, then by speed."""
    rows = []
    for size, precision in _in_order((run["size"], run["precision"]) for run in runs):
        group = [run for run in runs if (run["size"], run["precision"]) == (size, precision)]
        made = [
            _row([run for run in group if run["implementation"] == name], peaks[precision])
            for name in _in_order(run["implementation"] for run in group)
        ]
        others = [row for row in made if row["implementation"] not in (OURS, BY_HAND)]
        peers = [row for row in others if "tokens" in row]
        best = max(peers, key=lambda row: row["tokens"], default=None)
        for row in made:
            if best is not None and "tokens" in row:
                row["best_peer"] = best["implementation"]
                row["ratio"] = row["tokens"] / best["tokens"]
                row["tie"] = row is not best and _tie(row, best)
        rows += sorted(made, key=lambda row: (row["implementation"] != OURS, -row.get("tokens", 0)))
    return rows


def _row(runs: list[dict[str, Any]], peak: dict[str, Any]) -> Row:
    """Return one row; one that only says why, where the implementation did not run."""
    row = {name: runs[0][name] for name in ("size", "precision", "implementation", "settings")}
    good = [run["result"] for run in runs if "failed" not in run["result"]]
    good = [result for result in good if "absent" not in result]
    if not good:
        first = runs[0]["result"]
        return row | {"why": first.get("absent") or first["failed"]}
    speeds = [result["target_tokens_per_second"] for result in good]
    flops = median(result["useful_flops_per_second"] for result in good)
    gpu = [result["peak_gpu_mb"] for result in good if "peak_gpu_mb" in result]
    return row | {
        "rounds": len(good),
        "tokens": median(speeds),
        "lowest": min(speeds),
        "highest": max(speeds),
        "flops": flops,
        "peak_share": flops / peak["flops_per_second"],
        "memory_mb": max(gpu or [result["peak_rss_mb"] for result in good]),
        "fill": median(result["fill"] for result in good),
        "steps": good[0]["steps"],
        "weights": good[0]["weights"],
        "foreign_cores": max(result["foreign_cores"] for result in good),
    }


def _tie(row: Row, other: Row) -> bool:
    """Tell whether two medians differ by less than either's spread."""
    spread = max(one["highest"] - one["lowest"] for one in (row, other))
    return bool(abs(row["tokens"] - other["tokens"]) < spread)


def cells(row: Row) -> list[str]:
    """Return a row as text."""
    head = [row["size"], row["precision"], row["implementation"]]
    if "tokens" not in row:
        return [*head, "not measured", "", "", "", "", row["why"]]
    ratio = f"{row['ratio']:.2f}" if "ratio" in row else ""
    once = "" if row["rounds"] > 1 else " (one round)"
    return [
        *head,
        f"{row['tokens']:,.0f} ({row['lowest']:,.0f} to {row['highest']:,.0f}){once}",
        f"{row['flops'] / 1e9:,.0f}",
        f"{row['peak_share']:.0%}",
        f"{row['memory_mb']:,.0f}",
        f"{ratio} (tie)" if row.get("tie") else ratio,
        row["settings"],
    ]


def heads(device: str) -> list[str]:
    """Return the titles of the columns."""
    return [
        *("size", "precision", "implementation", "target tokens/s", "useful GFLOP/s"),
        "of the matrix peak" if device == "cpu" else "model-FLOP utilisation",
        "peak RSS, MB" if device == "cpu" else "peak GPU memory, MB",
        *("to the best peer", "settings"),
    ]


def markdown(rows: list[Row], peaks: dict[str, dict[str, Any]], device: str) -> str:
    """Return the table with what a reader needs to know to read it."""
    titles = heads(device)
    lines = [f"| {' | '.join(titles)} |", f"|{'---|' * len(titles)}"]
    lines += [f"| {' | '.join(cells(row))} |" for row in rows]
    rates = " and ".join(
        f"{peak['flops_per_second'] / 1e9:,.0f} GFLOP/s in {name}" for name, peak in peaks.items()
    )
    lines += ["", *(f"- {sentence}" for sentence in verdicts(rows, device)), ""]
    lines += [
        "Target tokens/s are real tokens, medians of the rounds (lowest to highest). Useful FLOPs "
        "are 6 x weights x real tokens: padding and attention scores do not count. The matrix "
        f"peak was measured in the same run: {rates}. Peers stand with the fastest settings that "
        "a search found (all of them are in the JSON); the two fastest of the first round were "
        'measured in all rounds, the others in one. "torch.nn by hand" is its loop with what '
        "heedful does of itself: a process for each core (DistributedDataParallel), and the "
        "C library told to keep freed memory.",
    ]
    return "\n".join(lines) + "\n"


def verdicts(rows: list[Row], device: str) -> list[str]:
    """Return a sentence for each goal: held, or missed by how much."""
    said = []
    for row in rows:
        if row["implementation"] != OURS or "tokens" not in row:
            continue
        where = f"{row['size']}, {row['precision']}"
        if device == "cpu" and "ratio" in row:
            what = f"{row['ratio']:.2f} times the best peer ({row['best_peer']})"
            tie = ", a tie" if row["tie"] else ""
            said.append(f"{where}: {what}{tie}; {_goal(row['ratio'], GOALS[row['precision']])}")
        if row["precision"] == "bf16" and (device == "cpu" or row["size"] == "big"):
            what = f"{row['peak_share']:.0%} of the matrix peak"
            said.append(f"{where}: {what}; {_goal(row['peak_share'], PEAK_GOALS[device])}")
    return said


def _goal(value: float, goal: float) -> str:
    wanted = f"{goal:.0%}" if goal < 1 else f"{goal:g} times"
    if value >= goal:
        return f"the goal of {wanted} is held"
    return f"the goal of {wanted} is missed by {1 - value / goal:.0%} of it"


def _in_order(names: Iterable[Any]) -> list[Any]:
    return list(dict.fromkeys(names))
