"""A real browser for tests: Chromium, named by CHROMIUM, or /usr/bin/chromium.

tools/install-browser.sh installs it. Without one these tests are skipped, but fail where CI is set.
"""

__all__ = ["chromium"]

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

CHROMIUM = Path(os.environ.get("CHROMIUM", "/usr/bin/chromium"))


@contextmanager
def chromium(*options: str) -> Iterator[Any]:
    """Yield a browser that is started with these options."""
    try:
        from playwright.sync_api import sync_playwright
    except ImportError:
        _missing("Playwright: pip install playwright")
    if not CHROMIUM.is_file():
        _missing(f"Chromium: there is no {CHROMIUM}; call tools/install-browser.sh")
    root = hasattr(os, "getuid") and os.getuid() == 0
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(
            executable_path=CHROMIUM, args=[*options, *(["--no-sandbox"] if root else [])]
        )
        yield browser
        browser.close()


def _missing(what: str) -> None:
    """Skip, or fail where everything should be there."""
    if os.environ.get("CI"):
        pytest.fail(f"needs {what}")
    pytest.skip(f"needs {what}")
