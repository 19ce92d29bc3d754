"""A report on heads as one web page: the heads in a grid, coloured by role, then the figures.

A `Report` comes in, HTML goes out; `heed heads -o heads.html` writes it. Every text is escaped and
nothing comes from elsewhere; a colour never stands alone, the role is written in the cell.
"""

__all__ = ["COLOURS", "page"]

from collections.abc import Sequence
from html import escape

from heedful.inspect.heads.measure import Report
from heedful.inspect.heads.roles import Role, Roles
from heedful.inspect.heads.table import ABOUT, RULES, conclusion, named, tables, toured
from heedful.inspect.names import KINDS, TITLES, Kind
from heedful.web_page import document

COLOURS: dict[Role, str] = {
    "positional": "#56b4e9",
    "syntactic": "#009e73",
    "rare-word": "#e69f00",
    "coreference": "#cc79a7",
    "sink": "#999999",
}
"""Those of Okabe and Ito, which people of every colour vision tell apart."""

_STYLE = """
main { max-width: 80rem; }
table.grid { table-layout: fixed; } table.grid td { border: 1px solid var(--line);
  border-top-width: .35rem; padding: .3rem .5rem; font-size: .8rem; overflow-wrap: anywhere; }
table.grid th { width: 5rem; } .figures td, .figures th { font-size: .85rem; }
.key b { width: 1rem; }
"""


def page(report: Report) -> str:
    """Return the page."""
    source, target = (language or "?" for language in report.way)
    title = f"The heads of {report.model}, {source} → {target}"
    grids = "".join(_grid(kind, report) for kind in KINDS)
    key = "".join(
        f'<p><b style="background: {COLOURS[role]}"></b>{role}: {escape(rule)}</p>'
        for role, rule in RULES.items()
    )
    figures = "".join(_figures(name, rows) for name, rows in tables(report))
    shown = "".join(
        f'<div class="example"><bdi>{escape(one.text)}</bdi><bdi>{escape(one.translation)}</bdi>'
        f'<p class="soft">{escape(toured(one, report))}</p></div>'
        for one in report.tour
    )
    return document(
        title,
        f'<h1>{escape(title)}</h1>\n<p class="soft">{escape(ABOUT)}</p>\n'
        f"<section><h2>What was found</h2><p>{escape(conclusion(report))}</p>{shown}</section>\n"
        f'<section><h2>Roles</h2><div class="key">{key}</div>{grids}</section>\n{figures}',
        style=_STYLE,
    )


def _grid(kind: Kind, report: Report) -> str:
    rows: dict[int, list[Roles]] = {}
    for one in report.roles:
        if one.head.kind == kind:
            rows.setdefault(one.head.layer, []).append(one)
    heads = "".join(f"<th>head {number}</th>" for number in range(len(rows.get(0, ()))))
    body = "".join(
        f'<tr><th scope="row">layer {layer}</th>{"".join(_cell(one) for one in line)}</tr>'
        for layer, line in rows.items()
    )
    return (
        f"<h3>{TITLES[kind].capitalize()}</h3>"
        f'<div class="scroll"><table class="grid"><thead><tr><th></th>'
        f"{heads}</tr></thead><tbody>{body}</tbody></table></div>"
    )


def _cell(one: Roles) -> str:
    colour = f' style="border-top-color: {COLOURS[one.roles[0]]}"' if one.roles else ""
    soft = "" if one.roles else ' class="soft"'
    return f"<td{colour}{soft}>{escape(named(one))}</td>"


def _figures(title: str, rows: Sequence[Sequence[str]]) -> str:
    head, *body = (
        "".join(f"<{tag}>{escape(cell)}</{tag}>" for cell in row)
        for tag, row in [("th", rows[0]), *(("td", row) for row in rows[1:])]
    )
    lines = "\n".join(f"<tr>{row}</tr>" for row in body)
    return (
        f'<section><h2>{escape(title)}</h2><div class="scroll"><table class="figures"><thead><tr>'
        f"{head}</tr></thead><tbody>\n{lines}\n</tbody></table></div></section>\n"
    )
