"""The pre-flight report as one web page: no script, no font, no picture from elsewhere.

Called by `Report.to_html`. Every text of the corpus is escaped and set apart (`bdi`), so that
neither markup nor right-to-left writing in it can disturb the page.
"""

__all__ = ["page"]

from collections.abc import Iterable, Iterator
from html import escape

from heedful.data.report import (
    FileReport,
    Finding,
    Leak,
    Report,
    SideReport,
    SplitReport,
    letter_shares,
    outcome,
    share_text,
    shorten,
)
from heedful.data.survey import Example
from heedful.web_page import document


def page(report: Report) -> str:
    """Return the whole page."""
    body = "\n".join(_body(report))
    return document("Pre-flight report", body)


def _body(report: Report) -> Iterator[str]:
    specs = [file.spec for split in report.splits for file in split.files]
    yield "<header><h1>Pre-flight report</h1>"
    yield f'<p class="where">{escape(" · ".join(specs))}</p></header>'
    if report.notes:
        items = "".join(f"<li>{escape(note)}</li>" for note in report.notes)
        yield f'<section><h2>Read this first</h2><ul class="notes">{items}</ul></section>'
    for split in report.splits:
        yield "<section>" + "".join(_split(split)) + "</section>"
    if report.leaks:
        yield "<section>" + "".join(_leaks(report.leaks)) + "</section>"
    yield "<section>" + "".join(_cleaning(report)) + "</section>"


def _split(split: SplitReport) -> Iterator[str]:
    gone = split.rows - split.kept - split.held_out
    parts = [("used", "used", split.kept), ("held", "held out", split.held_out)]
    parts += [("gone", "dropped", gone)]
    shown = [(kind, name, count) for kind, name, count in parts if count or kind == "used"]
    yield f"<h2>{escape(split.name)}: {split.kept:,} of {split.rows:,} rows</h2>"
    if not split.files:
        yield '<p class="soft">Held out of train.</p>'
        return
    yield '<div class="bar">'
    for kind, _, count in shown:
        yield f'<i class="{kind}" style="width:{100 * count / max(1, split.rows):.3f}%"></i>'
    yield '</div><p class="key soft">'
    for kind, name, count in shown:
        yield f'<span><b class="{kind}"></b>{name} {count:,}</span>'
    yield "</p>"
    yield from _files(split.files)
    yield from _findings([finding for finding in split.findings if finding.rows])
    yield '<div class="sides">' + "".join(map(_side, split.sides)) + "</div>"


def _files(files: tuple[FileReport, ...]) -> Iterator[str]:
    yield "<h3>Files</h3>"
    yield _table(
        ("file", "lines", "bad rows", "CRLF", "BOM"),
        (
            (
                f"<code>{escape(f.spec)}</code>",
                *(f"{n:,}" for n in (f.lines, f.bad_rows, f.crlf, f.bom)),
            )
            for f in files
        ),
    )
    yield from map(_bad, files)


def _bad(file: FileReport) -> str:
    if not file.bad_examples:
        return ""
    items = "".join(
        f'<div class="example"><span class="where">{escape(bad.where)}</span> {escape(bad.reason)}'
        "</div>"
        for bad in file.bad_examples
    )
    return f"<details open><summary>rows that cannot be read</summary>{items}</details>"


def _findings(findings: list[Finding]) -> Iterator[str]:
    yield "<h3>Found in the rows</h3>"
    if not findings:
        yield '<p class="soft">Nothing to remark.</p>'
        return
    yield _table(
        ("what", "rows", "became"),
        (
            (escape(f.title) + _examples(f.examples), f"{f.rows:,}", escape(outcome(f)))
            for f in findings
        ),
    )


def _examples(examples: Iterable[Example]) -> str:
    items = "".join(
        f'<div class="example"><span class="where">{escape(e.where)}</span>'
        f'<bdi dir="auto">{escape(shorten(e.source, 300))}</bdi>'
        f'<bdi dir="auto">{escape(shorten(e.target, 300))}</bdi></div>'
        for e in examples
    )
    return f"<details><summary>examples</summary>{items}</details>" if items else ""


def _side(side: SideReport) -> str:
    most = max(side.lengths.values(), default=0) or 1
    columns = "".join(
        f'<i style="height:{100 * count / most:.1f}%" title="{name}: {count:,} rows"></i>'
        for name, count in side.lengths.items()
    )
    labels = "".join(f"<span>{name.split('-')[0]}</span>" for name in side.lengths)
    shares = ", ".join(f"{escape(n)} {share_text(s)}" for n, s in letter_shares(side)[:6])
    odd = ", ".join(
        f"<code>{o.code}</code> {escape(o.name)} × {o.count:,}" for o in side.odd_characters
    )
    return (
        f"<div><h3>{escape(side.name.capitalize())}</h3>"
        f"<p>{side.characters:,} characters, {side.distinct_characters:,} distinct; "
        f"{side.words:,} words.</p><p>Scripts: {shares or 'no letters'}.</p>"
        + (f"<p>Invisible or broken: {odd}.</p>" if odd else "")
        + f'<div class="columns">{columns}</div><div class="labels">{labels}</div>'
        f'<p class="soft">Rows by characters (from); median {side.median_length:.0f}, longest '
        f"{side.longest:,}.</p></div>"
    )


def _leaks(leaks: Iterable[Leak]) -> Iterator[str]:
    yield "<h2>Leakage</h2><p>Rows whose source also stands in another split, before cleaning.</p>"
    yield _table(
        ("split", "rows", "same pair"),
        (
            (
                f"{escape(leak.split)} in {escape(leak.seen_in)}" + _examples(leak.examples),
                f"{leak.rows:,}",
                f"{leak.same_pair:,}",
            )
            for leak in leaks
        ),
    )


def _cleaning(report: Report) -> Iterator[str]:
    yield "<h2>Cleaning</h2>"
    yield (
        f"<p>Typical length: {report.typical_ratio:.2f} characters of target to one of source. "
        "What a training would use:</p>"
    )
    yield _table(
        ("setting", "value"),
        (
            (f"<code>--data.clean.{name.replace('_', '-')}</code>", escape(_value(value)))
            for name, value in report.cleaning.items()
        ),
    )


def _value(value: object) -> str:
    plain = {True: "yes", False: "no", None: "no limit"}
    return plain[value] if value is None or isinstance(value, bool) else f"{value:,}"


def _table(heads: tuple[str, ...], rows: Iterable[tuple[str, ...]]) -> str:
    """Return a table whose first column is text and whose others stand to the right."""
    kinds = ["", *[' class="n"'] * (len(heads) - 1)]
    head = "".join(f"<th{kind}>{name}</th>" for kind, name in zip(kinds, heads, strict=True))
    body = "".join(
        "<tr>" + "".join(f"<td{k}>{c}</td>" for k, c in zip(kinds, row, strict=True)) + "</tr>"
        for row in rows
    )
    return f'<div class="scroll"><table><tr>{head}</tr>{body}</table></div>'
