"""The page's own files, and the lines of heedful's code that the tour points to.

An address comes in, a file of one folder goes out, or none: a name that is not plain, leads out of
the folder or over a link is no file.
"""

__all__ = [
    "CODE",
    "STATIC",
    "code_page",
    "content_type",
    "found",
    "index",
    "lines_of",
    "page_policy",
]

import ast
import base64
import hashlib
import re
from html import escape
from pathlib import Path

import heedful
from heedful.serve.refusal import RefusalError, shown
from heedful.web_page import document

CODE = Path(heedful.__file__).resolve().parent
STATIC = CODE / "playground" / "static"

INDEX = "index.html"

_TYPES = {
    ".css": "text/css; charset=utf-8",
    ".html": "text/html; charset=utf-8",
    ".js": "text/javascript; charset=utf-8",
    ".png": "image/png",
    ".svg": "image/svg+xml",
}
_PLAIN = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_.-]{0,99}", re.ASCII)
_IMPORTS = re.compile(r'<script type="importmap">(.*?)</script>', re.DOTALL)
_STYLE = """
main { max-width: 72rem; }
pre { overflow-x: auto; font: .85rem/1.5 ui-monospace, "SF Mono", Menlo, Consolas, monospace;
  tab-size: 4; }
pre i { display: inline-block; min-width: 3.5em; padding-right: 1em; text-align: right;
  color: var(--soft); font-style: normal; user-select: none; }
"""


def found(root: Path, path: str, endings: tuple[str, ...]) -> Path:
    """Return a file below a folder; raises RefusalError 404 for anything else.

    >>> found(CODE, "../setup.py", (".py",))
    Traceback (most recent call last):
    heedful.serve.refusal.RefusalError: there is nothing at this address
    """
    parts = path.split("/")
    file = root.joinpath(*parts) if all(map(_PLAIN.fullmatch, parts)) else None
    if (
        file is None
        or file.suffix not in endings
        or not file.is_file()
        or file.resolve() != root.resolve().joinpath(*parts)
    ):
        raise RefusalError(404, "there is nothing at this address")
    return file


def content_type(file: Path) -> str:
    """Return what a file is for a browser."""
    return _TYPES[file.suffix]


def index() -> str:
    """Return the page."""
    return found(STATIC, INDEX, (".html",)).read_text("utf-8")


def page_policy(page: str) -> str:
    """Return the Content-Security-Policy of the page: nothing but what this server has."""
    sums = [
        f"'sha256-{base64.b64encode(hashlib.sha256(one.encode()).digest()).decode()}'"
        for one in _IMPORTS.findall(page)
    ]
    return (
        f"default-src 'none'; script-src {' '.join([_SELF, *sums])}; style-src 'self'; img-src "
        "'self' data: blob:; connect-src 'self'; font-src 'self'; base-uri 'none'; "
        "form-action 'none'; frame-ancestors 'none'"
    )


_SELF = "'self'"


def lines_of(code: str, symbol: str) -> tuple[int, int] | None:
    """Return the first and last line of a function or class, `Class.method` within one.

    >>> lines_of("class A:\\n    def f(self):\\n        return 1\\n", "A.f")
    (2, 3)
    """
    body: list[ast.stmt] = ast.parse(code).body
    kinds = (ast.ClassDef, ast.FunctionDef, ast.AsyncFunctionDef)
    found: ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef | None = None
    for name in symbol.split("."):
        found = next((one for one in body if isinstance(one, kinds) and one.name == name), None)
        if found is None:
            return None
        body = found.body
    if found is None or found.end_lineno is None:
        return None
    return min([found.lineno, *(one.lineno for one in found.decorator_list)]), found.end_lineno


def code_page(path: str, first: int | None, last: int | None, symbol: str | None = None) -> str:
    """Return lines of one of heedful's own modules as a page; RefusalError if there is none.

    With a `symbol` they are those of this function or class.
    """
    code = found(CODE, path, (".py",)).read_text("utf-8")
    if symbol:
        named = lines_of(code, symbol)
        if named is None:
            raise RefusalError(404, f"there is no {shown(symbol)} in heedful/{path}")
        first, last = named
    lines = code.splitlines()
    begin = min(max(first or 1, 1), len(lines))
    end = min(max(last or len(lines), begin), len(lines))
    numbered = "\n".join(
        f"<i>{number}</i>{escape(line)}"
        for number, line in enumerate(lines[begin - 1 : end], start=begin)
    )
    where = f"heedful/{path}"
    whole = begin == 1 and end == len(lines)
    said = f"{len(lines)} lines" if whole else f"lines {begin} to {end} of {len(lines)}"
    more = "" if whole else f' <a href="/code/{escape(path)}">the whole file</a>'
    body = (
        f'<h1><code>{escape(where)}</code></h1><p class="soft">{said}{more}</p>'
        f"<section><pre>{numbered}</pre></section>"
    )
    return document(where, body, _STYLE)
