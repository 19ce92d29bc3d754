"""A saved trace as one web page, which works from a file, without a server or a network.

A trace as plain data comes in (`heedful.inspect.wire`), HTML goes out. The modules and the style
sheet of `heedful.playground` stand in the page as they are; what the model's texts hold can only be
data: their letters `<`, `>` and `&` are escaped, and the page forbids every connection.
"""

__all__ = ["MODULES", "page"]

import base64
import hashlib
import json
from functools import cache
from html import escape
from importlib.resources import files
from typing import Any

MODULES = "heedful/"
"""What the names of our modules begin with where they import each other."""

_STATIC = "heedful.playground"
_START = f'import "{MODULES}standalone.js";'
_ESCAPED = str.maketrans({letter: f"\\u{ord(letter):04x}" for letter in "<>&\u2028\u2029"})


def page(wire: dict[str, Any]) -> str:
    """Return the page of a trace.

    Its scripts and its style are those whose checksums it names; nothing else may run or be loaded.
    """
    modules, style = _files()
    imports = json.dumps({"imports": modules})
    policy = (
        f"default-src 'none'; script-src data: {_checksum(imports)} {_checksum(_START)}; "
        f"style-src {_checksum(style)}; base-uri 'none'; form-action 'none'"
    )
    source, target = wire["source"]["text"], wire["target"]["text"]
    title = target if "begins" in wire else f"{source} → {target}"
    return (
        '<!doctype html>\n<html lang="en"><head><meta charset="utf-8">\n'
        f'<meta http-equiv="Content-Security-Policy" content="{policy}">\n'
        '<meta name="viewport" content="width=device-width, initial-scale=1">\n'
        f"<title>{escape(title)}</title>\n<style>{style}</style>\n"
        f'<script type="importmap">{imports}</script></head>\n'
        "<body><main><heed-trace><noscript>This page draws with JavaScript, which is switched off "
        "here.</noscript></heed-trace></main>\n"
        f'<script type="application/json" id="trace">{_data(wire)}</script>\n'
        f'<script type="module">{_START}</script></body></html>\n'
    )


def _data(wire: dict[str, Any]) -> str:
    r"""Return JSON in which no text can end its script.

    >>> _data({"text": "</script> & 猫"})
    '{"text": "\\u003c/script\\u003e \\u0026 猫"}'
    """
    return json.dumps(wire, ensure_ascii=False).translate(_ESCAPED)


def _checksum(text: str) -> str:
    """Return how a policy names an inline script or style."""
    digest = base64.b64encode(hashlib.sha256(text.encode()).digest())
    return f"'sha256-{digest.decode()}'"


@cache
def _files() -> tuple[dict[str, str], str]:
    """Return the addresses of the modules, which hold them, and the style sheet."""
    folder = files(_STATIC) / "static"
    modules = {
        f"{MODULES}{path.name}": "data:text/javascript;base64,"
        + base64.b64encode(path.read_bytes()).decode()
        for path in sorted(folder.iterdir(), key=lambda path: path.name)
        if path.name.endswith(".js")
    }
    return modules, (folder / "trace.css").read_text("utf-8")
