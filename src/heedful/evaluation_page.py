"""Translations side by side, as one web page for human eyes.

A test set and what systems made of it come in, HTML goes out; `heed evaluate --html` writes it.
Nothing on the page comes from elsewhere, every text is escaped, and its short script only sorts
and filters rows.
"""

__all__ = ["MOST", "Column", "page", "write_page"]

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from difflib import SequenceMatcher
from html import escape
from pathlib import Path

from heedful.data.evenly import evenly
from heedful.output import write_whole
from heedful.text.spans import words
from heedful.web_page import document

MOST = 5000
"""Rows on a page, at most; of more, evenly spread ones are shown."""

_STYLE = """
main { max-width: 110rem; }
pre { overflow-x: auto; font-size: .85rem; }
.tools { display: flex; gap: 1rem; flex-wrap: wrap; margin: 0 0 .8rem; }
.tools input, .tools select { font: inherit; padding: .25rem .5rem; border-radius: .4rem;
  border: 1px solid var(--line); background: var(--paper); color: inherit; }
.tools input { flex: 1 1 14rem; }
table { table-layout: fixed; min-width: 50rem; } th.n { width: 4rem; }
td { overflow-wrap: anywhere; } td.n { color: var(--soft); }
mark { background: none; color: inherit; border-bottom: 2px solid var(--held); }
.score { color: var(--soft); font-size: .8rem; display: block; }
.score i { display: inline-block; height: .45rem; border-radius: .2rem; background: var(--used);
  margin-right: .4rem; }
"""

_SCRIPT = """
const body = document.querySelector("tbody"), rows = [...body.rows];
const number = (row, name) => Number(row.dataset[name]);
document.getElementById("order").onchange = event => {
  const [name, sign] = event.target.value.split(" ");
  rows.sort((a, b) => Number(sign) * (number(a, name) - number(b, name)));
  body.append(...rows);
};
document.getElementById("find").oninput = event => {
  const wanted = event.target.value.toLowerCase();
  for (const row of rows) row.hidden = !row.textContent.toLowerCase().includes(wanted);
};
"""


@dataclass(frozen=True)
class Column:
    """What one system made of the rows."""

    name: str
    lines: Sequence[str]
    chrf: Sequence[float]
    """Of each line, from 0 to 100."""
    expected: Sequence[float] | None = None
    """The chrF that the model itself expects of each line, if it is calibrated."""


def write_page(
    path: Path,
    data: str,
    text: str,
    rows: Sequence[int],
    texts: tuple[Sequence[str], Sequence[str]],
    columns: Sequence[Column],
) -> None:
    """Write the page of one system, or of two, which are then called A and B."""
    named = columns
    if len(columns) > 1:
        named = [
            replace(one, name=f"{letter}: {one.name}")
            for letter, one in zip("AB", columns, strict=True)
        ]
    made = page(f"Translations of {data}", text, rows, texts, named)
    write_whole(path, made.encode(errors="backslashreplace"))  # a file's name may be no UTF-8


def page(
    title: str,
    summary: str,
    rows: Sequence[int],
    texts: tuple[Sequence[str], Sequence[str]],
    systems: Sequence[Column],
) -> str:
    """Return the page: the summary as it stands, then a row for each source and reference.

    `rows` are the numbers, from 0, that the rows have in the test set. Words of a translation that
    the reference has not in this order are underlined.
    """
    count = len(rows)
    shown = evenly(count, MOST)
    note = f"{len(shown):,} of {count:,} rows, evenly spread" if count > MOST else f"{count:,} rows"
    names = "".join(f"<th>{escape(system.name)}</th>" for system in systems)
    body = "\n".join(_row(place, rows[place], texts, systems) for place in shown)
    return document(
        title,
        f"<h1>{escape(title)}</h1>\n<section><pre>{escape(summary)}</pre></section>\n"
        f'<section><p class="soft">{note}; words that are not in the reference in this order are '
        f'underlined</p>\n<div class="tools"><input id="find" placeholder="show rows with ..." '
        f'aria-label="show rows with"><select id="order" aria-label="order">'
        f"{''.join(_orders(systems))}</select></div>\n"
        f'<div class="scroll"><table><thead><tr><th class="n">row</th><th>source</th>'
        f"<th>reference</th>{names}</tr></thead><tbody>\n{body}\n</tbody></table></div></section>\n<script>{_SCRIPT}</script>",
        style=_STYLE,
    )


def _orders(systems: Sequence[Column]) -> Iterator[str]:
    """Yield the choices of an order: a row's number, scores, and what two systems differ by."""
    yield '<option value="row 1">in the order of the test set</option>'
    for number, system in enumerate(systems):
        name = escape(system.name)
        yield f'<option value="chrf{number} 1">worst of {name} first</option>'
        yield f'<option value="chrf{number} -1">best of {name} first</option>'
        if system.expected is not None:
            yield f'<option value="expected{number} 1">least trusted of {name} first</option>'
    if len(systems) == 2:
        yield '<option value="gain -1">most gained first</option>'
        yield '<option value="gain 1">most lost first</option>'


def _row(
    place: int, row: int, texts: tuple[Sequence[str], Sequence[str]], systems: Sequence[Column]
) -> str:
    source, reference = (side[place] for side in texts)
    facts = {"row": float(row)}
    for number, system in enumerate(systems):
        facts[f"chrf{number}"] = system.chrf[place]
        if system.expected is not None:
            facts[f"expected{number}"] = system.expected[place]
    if len(systems) == 2:
        facts["gain"] = systems[1].chrf[place] - systems[0].chrf[place]
    data = " ".join(f'data-{name}="{value:.1f}"' for name, value in facts.items())
    cells = "".join(_cell(system, place, reference) for system in systems)
    return (
        f'<tr {data}><td class="n">{row + 1}</td><td><bdi>{escape(source)}</bdi></td>'
        f"<td><bdi>{escape(reference)}</bdi></td>{cells}</tr>"
    )


def _cell(system: Column, place: int, reference: str) -> str:
    chrf = system.chrf[place]
    expected = "" if system.expected is None else f", expected {system.expected[place]:.0f}"
    return (
        f"<td><bdi>{_marked(system.lines[place], reference)}</bdi>"
        f'<span class="score"><i style="width: {chrf / 20:.2f}rem"></i>chrF {chrf:.0f}{expected}'
        f"</span></td>"
    )


def _marked(text: str, reference: str) -> str:
    """Return the text with the words underlined that are not the reference's.

    >>> _marked("a big dog", "a dog")
    'a <mark>big</mark> dog'
    """
    spans = words(text)
    found = SequenceMatcher(
        None,
        [span.word for span in spans],
        [span.word for span in words(reference)],
        autojunk=False,
    )
    alike = {
        block.a + offset for block in found.get_matching_blocks() for offset in range(block.size)
    }
    parts, last = [], 0
    for number, span in enumerate(spans):
        word = escape(span.word)
        shown = word if number in alike else f"<mark>{word}</mark>"
        parts += [escape(text[last : span.start]), shown]
        last = span.end
    return "".join([*parts, escape(text[last:])])
