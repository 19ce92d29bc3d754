"""A trace on the screen: below the cell of a notebook, or in the browser.

A trace comes in; its page is shown in a frame that may draw, but not reach what is around it.
"""

__all__ = ["framed", "show"]

import sys
import tempfile
import webbrowser
from html import escape
from importlib import import_module
from pathlib import Path

from heedful.inspect.page import page
from heedful.inspect.saving import save
from heedful.inspect.trace import Trace
from heedful.inspect.wire import to_wire

HEIGHT = 900
"""Pixels of the frame."""


def show(seen: Trace, name: str = "") -> None:
    """Show the page: in a notebook below its cell, elsewhere in the browser, from a new file.

    `name` is the model's.
    """
    ipython = sys.modules.get("IPython")
    if ipython is not None and ipython.get_ipython() is not None:
        display = import_module("IPython.display")
        display.display(display.HTML(framed(seen, name)))
        return
    path = Path(tempfile.mkdtemp(prefix="heedful-")) / "trace.html"
    save(seen, path, name)
    webbrowser.open(path.as_uri())


def framed(seen: Trace, name: str = "") -> str:
    """Return the page in a frame of its own; raises DataError for a trace that is too large."""
    return (
        f'<iframe sandbox="allow-scripts" title="heedful: a trace" srcdoc="'
        f'{escape(page(to_wire(seen, name)))}" style="width: 100%; height: {HEIGHT}px; '
        'border: 0"></iframe>'
    )
