"""The frame of a web page: no script, no font, no picture from elsewhere.

A title and a body come in, HTML goes out; the pages of reports and of the server are made with it.
"""

__all__ = ["document", "policy"]

from base64 import b64encode
from hashlib import sha256
from html import escape

_STYLE = """
:root { color-scheme: light dark; --paper: #fbfaf8; --card: #fff; --ink: #22242a; --soft: #666b76;
  --line: #e4e1da; --used: #2f6f8f; --held: #c9962c; --gone: #b4483c; --bar: #9db8c6; }
@media (prefers-color-scheme: dark) { :root { --paper: #15171b; --card: #1d2026; --ink: #e6e4df;
  --soft: #9a9fa9; --line: #31353d; --used: #5aa3c4; --held: #d9ae52; --gone: #dd7468;
  --bar: #46606d; } }
* { box-sizing: border-box; }
body { margin: 0; background: var(--paper); color: var(--ink);
  font: 16px/1.5 system-ui, -apple-system, "Segoe UI", Roboto, "Noto Sans", sans-serif; }
main { max-width: 60rem; margin: 0 auto; padding: 2rem 1rem 4rem; }
h1 { font-size: 1.7rem; margin: 0 0 .2rem; }
h2 { font-size: 1.25rem; margin: 0 0 .8rem; }
h3 { font-size: .95rem; margin: 1.4rem 0 .4rem; color: var(--soft); font-weight: 600; }
p { margin: .3rem 0; }
.soft { color: var(--soft); }
section { background: var(--card); border: 1px solid var(--line); border-radius: .6rem;
  padding: 1.2rem; margin: 1.2rem 0; }
ul.notes { margin: 0; padding-left: 1.2rem; }
ul.notes li { margin: .3rem 0; }
.bar { display: flex; height: .8rem; border-radius: .4rem; overflow: hidden;
  background: var(--line); margin: .5rem 0 .4rem; }
.bar i { display: block; min-width: 2px; }
.used { background: var(--used); } .held { background: var(--held); }
.gone { background: var(--gone); }
.key span { display: inline-block; margin-right: 1.2rem; }
.key b { display: inline-block; width: .7rem; height: .7rem; border-radius: .2rem;
  margin-right: .4rem; }
.scroll { overflow-x: auto; }
table { border-collapse: collapse; width: 100%; font-variant-numeric: tabular-nums; }
th { text-align: left; font-weight: 600; font-size: .85rem; color: var(--soft); }
th, td { padding: .35rem .8rem .35rem 0; border-bottom: 1px solid var(--line);
  vertical-align: top; }
tr:last-child > td { border-bottom: 0; }
td.n, th.n { text-align: right; white-space: nowrap; }
code, .where { font: .85em ui-monospace, "SF Mono", Menlo, Consolas, monospace;
  overflow-wrap: anywhere; }
.where { color: var(--soft); }
details { margin: .2rem 0; }
summary { cursor: pointer; color: var(--soft); font-size: .9rem; }
.example { border-left: 3px solid var(--line); padding: .1rem 0 .1rem .7rem; margin: .5rem 0;
  overflow-wrap: anywhere; }
.example bdi { display: block; }
.sides { display: grid; grid-template-columns: repeat(auto-fit, minmax(16rem, 1fr)); gap: 0 2rem; }
.columns { display: flex; align-items: flex-end; gap: 3px; height: 5rem; margin-top: .5rem; }
.columns i { flex: 1; background: var(--bar); border-radius: 3px 3px 0 0; min-height: 1px; }
.labels { display: flex; gap: 3px; font-size: .62rem; color: var(--soft); }
.labels span { flex: 1; text-align: center; white-space: nowrap; overflow: hidden; }
"""


def document(title: str, body: str, style: str = "") -> str:
    """Return the whole page; `body` is HTML, `style` is added to what all pages share."""
    return (
        '<!doctype html>\n<html lang="en"><head><meta charset="utf-8">\n'
        '<meta name="viewport" content="width=device-width, initial-scale=1">\n'
        f"<title>{escape(title)}</title>\n<style>{_STYLE}{style}</style></head>\n"
        f"<body><main>\n{body}\n</main></body></html>\n"
    )


def policy(page: str) -> str:
    """Return the Content-Security-Policy that allows a page its own style, and nothing else."""
    style = page.partition("<style>")[2].partition("</style>")[0]
    digest = b64encode(sha256(style.encode()).digest()).decode()
    nothing = "default-src 'none'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
    return f"{nothing}; style-src 'sha256-{digest}'"
