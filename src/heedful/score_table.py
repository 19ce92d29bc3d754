"""Scores and comparisons as a table to read in a terminal.

What `heedful.evaluate` and `heedful.output_checks` return comes in, lines of text go out; `heed
evaluate` prints them.
"""

__all__ = [
    "about",
    "changed_lines",
    "checks_table",
    "comparison_table",
    "left_out",
    "scores_table",
]

from collections.abc import Sequence
from typing import TYPE_CHECKING

from heedful.evaluate import Changed, Comparison, Paired, Score, Scores
from heedful.exactness import Exactness
from heedful.output_checks import Checks, Kept

if TYPE_CHECKING:
    from heedful.scored_systems import Pairs, System
    from heedful.search import SearchConfig

SIGNIFICANT = 0.05
_KINDS = {"placeholder": "placeholders", "tag": "tags", "url": "URLs"}
_KINDS |= {"email": "e-mail addresses", "number": "numbers"}


def scores_table(scores: Scores, exactness: Exactness | None = None) -> list[str]:
    """Return the metrics with their intervals, then their signatures."""
    metrics = (scores.bleu, scores.chrf, scores.bleu_lower)
    if exactness is not None:
        more = (exactness.exact, exactness.token_errors, exactness.character_errors)
        return [f"{exactness.questions:,} questions", "", *_table_of((*more, *metrics))]
    return _table_of(metrics)


def _table_of(metrics: Sequence[Score]) -> list[str]:
    head = ("", "score", "95 % interval")
    rows = [
        (metric.name, f"{metric.value:.2f}", _range(metric.low, metric.high, ""))
        for metric in metrics
    ]
    return [*_aligned([head, *rows]), "", *_signatures(metrics)]


def comparison_table(
    comparison: Comparison, names: tuple[str, str], exact: Sequence[Paired] = ()
) -> list[str]:
    """Return both systems side by side, the chance that they differ by luck, and what it means.

    `exact` are exact match and two rates of errors, of which less is better.
    """
    head = ("", "A", "B", "B - A", "95 % interval", "p bootstrap", "p randomisation")
    metrics = (*exact, comparison.bleu, comparison.chrf)
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
        *(
            f"{paired.a.name}: {_verdict(paired, less_is_better=paired in exact[1:])}"
            for paired in metrics
        ),
        "",
        f"paired bootstrap: {comparison.resamples:,} resamples; approximate randomisation: "
        f"{comparison.trials:,} trials; seed {comparison.seed}",
        *_signatures([paired.a for paired in metrics]),
    ]


def checks_table(systems: Sequence[Checks], references: Checks) -> list[str]:
    """Return what was counted in the translations and, in the last column, in the references."""
    heads = ["translations"] if len(systems) == 1 else list("AB")
    columns = [*systems, references]
    rows = [
        ["", *heads, "references"],
        ["repeated 4-grams", *(f"{100 * one.repeated_4grams:.2f} %" for one in columns)],
        ["caught in a loop", *(f"{one.loops:,}" for one in columns)],
        ["copied from the source", *(f"{one.copies:,}" for one in columns)],
    ]
    for unit in ("characters", "words"):
        ratios = [f"{one.length_ratio(references)[unit]:.3f}" for one in systems]
        rows.append([f"length in {unit}", *ratios, "1"])
    for kind in references.kept:
        rows.append([f"{_KINDS[kind]} kept", *(_share(one.kept[kind]) for one in columns)])
    if references.glossary is not None:
        terms = [_share(one.glossary) for one in columns if one.glossary is not None]
        rows.append(["terms of the glossary", *terms])
    return _aligned(rows)


def _share(kept: Kept) -> str:
    return f"{kept.kept:,} of {kept.of:,}"


def changed_lines(changed: Sequence[tuple[int, Changed, Sequence[str]]]) -> list[str]:
    """Return the sentences that changed most.

    Of each come its row in the test set, its scores, and source, reference, A and B.
    """
    lines = ["the sentences that changed most, by chrF2 of the sentence:"]
    for row, scores, texts in changed:
        head = f"row {row:,}   A {scores.a:.1f}   B {scores.b:.1f}   {scores.difference:+.1f}"
        shown = zip(("source", "reference", "A", "B"), texts, strict=True)
        lines += ["", head, *(f"  {name:<9}  {text}".rstrip() for name, text in shown)]
    return lines


def _verdict(paired: Paired, *, less_is_better: bool) -> str:
    """Say in words what the randomisation test found."""
    p = paired.p_randomisation
    if paired.difference == 0:
        return "A and B score the same"
    better = "B" if (paired.difference > 0) != less_is_better else "A"
    if p < SIGNIFICANT:
        return f"{better} is better, and luck hardly explains it (p = {p:.4f})"
    return f"{better} scores better, but luck may explain it (p = {p:.4f})"


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


def left_out(test: "Pairs") -> str:
    """Name the rows that were left out, if any."""
    reasons = {
        "empty_first": "with an empty first column",
        "empty_second": "with an empty second column",
        "unreadable": "that could not be read",
    }
    said = [f"{n:,} {reasons[why]}" for why, n in test.left_out.items() if n]
    return f" (left out: {', '.join(said)})" if said else ""


def about(system: "System", scores: "Scores", search: "SearchConfig", *, fast: bool) -> str:
    """Say what translated, how fast, and what is odd about the result."""
    parts = [system.name]
    if system.direction:
        parts.append(system.direction)
    if system.seconds is not None:
        size = getattr(search, "beam_size", "")
        how = f"{system.precision}{' with a shortlist' * fast}, {search.kind} {size}".rstrip()
        speed = f"{system.seconds:.1f} s, {scores.sentences_per_second:.1f} sentences/s"
        parts.append(f"{how}, {speed}")
    parts += [f"{n:,} {flag}" for flag, n in sorted(system.flags.items())]
    if scores.empty_hypotheses:
        parts.append(f"{scores.empty_hypotheses:,} empty translations")
    return " · ".join(parts)
