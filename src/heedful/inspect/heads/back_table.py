"""A report on heads that look back as lines for a terminal, as data, and as a page.

A `BackReport` comes in, lines, a dictionary or HTML go out; `heed heads` shows them.
"""

__all__ = ["RULES", "lines", "page", "plain"]

import dataclasses
from html import escape
from typing import Any

from heedful.inspect.heads.back import Back, BackReport, Role
from heedful.web_page import document

RULES: dict[Role, str] = {
    "previous": "gives more than half to the piece before",
    "first": "gives more than half to the first piece, where heads rest",
    "same": "gives more than half to the same piece, where it stood before",
    "induction": "gives more than half to the piece behind that one, which is the one to copy",
}
"""What gives a head its role."""

_HEAD = ("head", "role", "previous", "first", "same", "induction", "spread", "distance")
_STYLE = "main { max-width: 60rem; } td, th { font-size: .9rem; }"


def lines(report: BackReport) -> list[str]:
    """Return all there is to say, for a terminal."""
    rows = [_HEAD, *map(_cells, report.heads)]
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    aligned = [
        "  ".join(
            cell.ljust(width) if place < 2 else cell.rjust(width)
            for place, (cell, width) in enumerate(zip(row, widths, strict=True))
        ).rstrip()
        for row in rows
    ]
    rules = [f"{role}: {rule}" for role, rule in RULES.items()]
    return [*_about(report), "", *aligned, "", *rules, "", _conclusion(report)]


def plain(report: BackReport) -> dict[str, Any]:
    """Return the report as data that JSON can hold."""
    heads = [
        dataclasses.asdict(one) | {"head": str(one.head), "roles": list(one.roles)}
        for one in report.heads
    ]
    return dataclasses.asdict(report) | {"heads": heads}


def page(report: BackReport) -> str:
    """Return the page; every text is escaped, and nothing comes from elsewhere."""
    title = f"The heads of {report.model}"
    head = "".join(f'<th scope="col">{cell}</th>' for cell in _HEAD)
    body = "".join(
        f'<tr><th scope="row">{first}</th>{"".join(f"<td>{cell}</td>" for cell in rest)}</tr>'
        for first, *rest in map(_cells, report.heads)
    )
    about = "".join(f"<p>{escape(line)}</p>" for line in (*_about(report), _conclusion(report)))
    rules = "".join(f"<p>{role}: {escape(rule)}</p>" for role, rule in RULES.items())
    return document(
        title,
        f"<h1>{escape(title)}</h1>{about}<section><table><thead><tr>{head}</tr></thead>"
        f'<tbody>{body}</tbody></table></section><div class="soft">{rules}</div>',
        _STYLE,
    )


def _about(report: BackReport) -> tuple[str, str]:
    left = f" ({report.left_out:,} left out for their length)" if report.left_out else ""
    return (
        f"{report.model}: {report.texts:,} texts of {report.measured_on}{left}, and "
        f"{report.twice} times {report.pieces} random pieces that come twice",
        "Shares are means of a head's weight; spread is 0 where it goes to one piece and 1 where "
        "it goes to all alike; distance is in pieces. Layers and heads are counted from 0.",
    )


def _cells(one: Back) -> tuple[str, ...]:
    shares = (one.previous, one.first, one.same, one.induction)
    return (
        *(str(one.head), " ".join(one.roles) or "-"),
        *(f"{share:.0%}" for share in shares),
        *(f"{one.spread:.2f}", f"{one.distance:.1f}"),
    )


def _conclusion(report: BackReport) -> str:
    """Return whether any head copies, and which does it most."""
    best = max(report.heads, key=lambda one: one.induction)
    found = sum("induction" in one.roles for one in report.heads)
    most = f"{best.head} gives most to what is to be copied, {best.induction:.0%}"
    if not found:
        return f"No induction head was found; {most}."
    return f"Induction heads: {found}; {most}. That it looks there does not prove that it copies."
