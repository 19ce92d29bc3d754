"""A report on heads as lines for a terminal, and as data that JSON can hold.

A `Report` comes in, lines or a dictionary go out; `heed heads` prints them and the page shows them.
"""

__all__ = ["ABOUT", "RULES", "lines", "percent", "plain", "tables"]

import dataclasses
import math
from collections.abc import Iterator, Sequence
from typing import Any

from heedful.inspect.heads.causal import Causal
from heedful.inspect.heads.coreference import Coreference
from heedful.inspect.heads.intervals import Estimate
from heedful.inspect.heads.measure import Report, Toured
from heedful.inspect.heads.roles import Role, Roles
from heedful.inspect.names import Head

ABOUT = "Layers and heads are counted from 0. Brackets hold 95% bootstrap intervals."

RULES: dict[Role, str] = {
    "positional": "looks at one offset from at least 90% of the pieces",
    "syntactic": "finds a relation 10 points more often than the best fixed offset",
    "rare-word": "looks at the rarest piece at least half of the time, and 10 points more often "
    "than the best fixed offset would",
    "coreference": 'finds what "it" stands for 10 points more often than any place does',
    "sink": "gives more than half to </s>, <s> and the language tag",
}
"""What gives a head its role."""

Table = tuple[str, Sequence[Sequence[str]]]
"""A title, and rows of cells, the first of them the head of the columns."""


def lines(report: Report) -> list[str]:
    """Return all there is to say, for a terminal."""
    said = [_about(report), ABOUT, ""]
    for title, rows in tables(report):
        said += [title, *_aligned(rows), ""]
    for one in report.tour:
        said += [one.text, f"  {one.translation}", f"  {toured(one, report)}"]
    if report.tour:
        said.append("")
    return [*said, conclusion(report)]


def conclusion(report: Report) -> str:
    """Return the verdict, or why there is none."""
    if report.verdict is not None:
        return report.verdict.said
    if report.kind != "transformer":
        return (
            f"This model is {report.kind}: it has attention to the source alone. Whether a head "
            'follows "it", and the roles of heads within a sentence, are not there to be measured.'
        )
    language = report.way[0] or "a language that nobody named"
    return (
        f"Templates are English and Chinese, and this model reads {language}: only the roles that "
        "need none were measured."
    )


def tables(report: Report) -> Iterator[Table]:
    """Yield the tables: heads, relations, pronouns, cuts, and what is said."""
    yield f"Heads, {_measured_on(report)}", [_HEADS, *(_head(one, report) for one in report.roles)]
    if report.relations:
        yield (
            "Relations, in sentences of the templates",
            [
                ("", "instances", "best offset", "untrained", "best head", ""),
                *(
                    (
                        one.name,
                        f"{one.count:,}",
                        f"{one.offset:+d}: {one.by_offset:.0%}",
                        "" if one.untrained is None else f"{one.untrained:.0%}",
                        f"{one.heads[one.best]:.0%}",
                        str(one.best),
                    )
                    for one in report.relations
                ),
            ],
        )
    if report.coreference is not None:
        yield _pronouns(report.coreference)
    if report.causal is not None:
        yield _cuts(report.causal)
    if report.behaviour is not None:
        yield _outputs(report)


_HEADS = ("head", "roles", "offset", "at it", "rarest", "specials", "surest", 'at "it"')


def _head(one: Roles, report: Report) -> tuple[str, ...]:
    habit = one.habit
    found = report.coreference
    at_it = ""
    if found is not None and one.head.kind == "encoder":
        at_it = f"{found.of(one.head).content.value:.0%}"
    return (
        str(one.head),
        named(one),
        f"{habit.offset:+d}",
        f"{habit.at_offset:.0%}",
        f"{habit.rare:.0%}",
        f"{habit.specials:.0%}",
        f"{habit.confidence:.2f}",
        at_it,
    )


def named(one: Roles) -> str:
    """Return a head's roles in words."""
    words: dict[Role, str] = {
        "positional": f"positional ({one.habit.offset:+d})",
        "syntactic": f"syntactic ({one.relation})",
    }
    return ", ".join(words.get(role, role) for role in one.roles) or "none"


def _about(report: Report) -> str:
    count = {kind: 0 for kind in ("encoder", "decoder", "cross")}
    for one in report.roles:
        count[one.head.kind] += 1
    heads = ", ".join(f"{number} {kind}" for kind, number in count.items())
    source, target = (language or "?" for language in report.way)
    return f"{report.model} · {source} → {target} · heads: {heads}"


def _measured_on(report: Report) -> str:
    left_out = f" ({report.left_out:,} are too long)" if report.left_out else ""
    cut_off = f"; {report.cut_off:,} translations did not end" if report.cut_off else ""
    return (
        f"on {report.sentences:,} sentences of {report.measured_on}{left_out}{cut_off}; how rare a "
        f"piece is tells its {report.rarity}"
    )


def _pronouns(found: Coreference) -> Table:
    """Return what the chosen head does at pronouns, and what needs no understanding."""
    chosen = found.of(found.chosen)
    rows = [
        ("", "most of all content words", "more than the other noun"),
        (f"{found.chosen}", percent(chosen.content), percent(chosen.candidates)),
        *((name, percent(value), "") for name, value in found.baselines.items()),
        ("best of all heads, labels drawn", percent(found.shuffled), ""),
    ]
    extra = [
        (f"{found.chosen}, against itself, too", percent(chosen.with_self), ""),
        ("  mean weight", number(chosen.mass), ""),
        ("  mean rank of content words", number(chosen.rank), ""),
        ("  mean margin", number(chosen.margin), ""),
    ]
    title = (
        f'What "it" stands for gets, in {found.test} sentences of other frames than those that '
        f"the head was chosen on ({found.dev} sentences, {found.chosen_dev:.0%})"
    )
    return title, [*rows, *extra]


def _cuts(found: Causal) -> Table:
    rows = [
        ("", "costs its pronoun", "at the other noun", "more than that"),
        _effects(
            f"{found.head} cannot look at the antecedent",
            (found.edge, found.control_edge, found.edge_above_control),
        ),
        _effects(
            "the antecedent is silent in that layer",
            (found.silent, found.control_silent, found.silent_above_control),
        ),
        _effects(
            "no head can look at the antecedent",
            (found.everywhere, found.control_everywhere, found.everywhere_above_control),
        ),
        (f"{found.head} hands on its mean", number(found.ablated), "", ""),
    ]
    title = (
        f'What "it" loses, in nats of log p(right pronoun) - log p(wrong), {number(found.clean)} '
        f"as the model is; {found.own} of {found.sentences} after the model's own words"
    )
    return title, rows


def _effects(what: str, effects: Sequence[Estimate]) -> tuple[str, ...]:
    return (what, *(number(effect) for effect in effects))


def _outputs(report: Report) -> Table:
    found = report.behaviour
    assert found is not None
    total = sum(found.counts.values())
    rows = [
        ("", "share"),
        ("both members of a pair right (chance 25%)", percent(found.both_right)),
        ("  of pairs with the expected nouns", percent(found.both_right_named)),
        ("both right pronouns likelier than the wrong ones", percent(found.likelier)),
        ("single sentences right", percent(found.right)),
        *((f"  always {name} would get", f"{share:.0%}") for name, share in found.always.items()),
        *((f"says {name}", f"{count / total:.0%}") for name, count in found.counts.items()),
        ("both nouns as expected", f"{found.named:.0%}"),
    ]
    return f"What the output says, {found.pairs} minimal pairs", rows


def toured(one: Toured, report: Report) -> str:
    """Say what was measured in one sentence."""
    assert report.coreference is not None
    head = report.coreference.chosen
    said = f"{head} gives most to {one.looks_at} ({one.weight:.3f})"
    if one.looks_at != one.antecedent:
        said += f", to {one.antecedent}, which is meant, {one.on_antecedent:.3f}"
    if one.right is not None:
        lost = 0.0 if one.cut is None else round(one.cut, 3) + 0.0
        output = one.pronoun or "none of er, sie, es"
        said += f"; if it cannot, {one.right} loses {lost:.3f} nats; "
        said += f"the output says {output}, {one.right} would be right"
    return (
        f"{said}. Of all heads {one.most_of} gives most to {one.antecedent} ({one.most:.3f}), "
        f"{one.other_most_of} to {one.other} ({one.other_most:.3f})."
    )


def percent(found: Estimate) -> str:
    """Return a share with its interval.

    >>> percent(Estimate(0.5, 0.42, 0.58)), percent(Estimate(math.nan, math.nan, math.nan))
    ('50% (42 to 58)', 'unknown')
    """
    if math.isnan(found.value):
        return "unknown"
    value, low, high = (100 * part for part in found)
    return f"{value:.0f}% ({low:.0f} to {high:.0f})"


def number(found: Estimate) -> str:
    """Return a number with its interval.

    >>> number(Estimate(0.5, -0.1, -0.0001))
    '0.500 (-0.100 to 0.000)'
    """
    value, low, high = (f"{round(part, 3) + 0.0:.3f}" for part in found)
    return f"{value} ({low} to {high})"


def _aligned(rows: Sequence[Sequence[str]]) -> list[str]:
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    return [
        "  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip()
        for row in rows
    ]


def plain(value: Any) -> Any:
    """Return a report, or a part of it, as what JSON can hold; what is not known is null.

    >>> plain({Head("encoder", 0, 1): Estimate(0.5, 0.4, math.nan)})
    {'encoder.0.1': {'value': 0.5, 'low': 0.4, 'high': None}}
    """
    if isinstance(value, Head):
        return str(value)
    if dataclasses.is_dataclass(value):
        return {one.name: plain(getattr(value, one.name)) for one in dataclasses.fields(value)}
    if isinstance(value, tuple) and hasattr(value, "_asdict"):
        return plain(value._asdict())
    if isinstance(value, dict):
        return {str(name): plain(one) for name, one in value.items()}
    if isinstance(value, tuple | list):
        return [plain(one) for one in value]
    return None if isinstance(value, float) and math.isnan(value) else value
