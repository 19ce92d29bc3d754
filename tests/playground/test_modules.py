"""The page's pure functions pass their own tests, which Node runs; every module can be read."""

import re
import shutil
import subprocess
from pathlib import Path

import pytest

HERE = Path(__file__).parent
STATIC = HERE.parents[1] / "src" / "heedful" / "playground" / "static"
MODULES = sorted(STATIC.rglob("*.js"))
SAVED = sorted(STATIC.glob("*.js"))
"""What a saved page holds, too."""
FILES = sorted(path for path in STATIC.rglob("*") if path.is_file())
ASKS = "live/client.js"
"""The one module that asks the server."""
LINES = 400


def test_functions_keep_their_promises() -> None:
    node = shutil.which("node")
    if node is None:
        pytest.skip("needs Node (https://nodejs.org, or apt install nodejs)")
    tests = sorted(map(str, HERE.glob("*.test.mjs")))
    assert tests
    done = subprocess.run(
        [node, "--import", (HERE / "hooks.mjs").as_uri(), "--test", *tests],
        capture_output=True,
        encoding="utf-8",
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr


def name_of(path: Path) -> str:
    return path.relative_to(STATIC).as_posix()


@pytest.mark.parametrize("path", MODULES, ids=name_of)
def test_modules_are_small_and_import_each_other_alone(path: Path) -> None:
    code = path.read_text("utf-8")
    assert code.startswith("/**")
    assert code.count("\n") <= LINES
    assert max(map(len, code.split("\n"))) <= 100
    known = SAVED if path in SAVED else MODULES
    names = re.findall(r'(?:from|import) "([^"]+)"', code)
    assert {name.removeprefix("heedful/") for name in names} <= set(map(name_of, known))


def imported(name: str, known: set[str]) -> set[str]:
    """Return a module with all that it imports at once, and they."""
    if name not in known:
        known.add(name)
        for one in re.findall(r'(?:from|import) "heedful/([^"]+)"', (STATIC / name).read_text()):
            imported(one, known)
    return known


def test_the_page_names_what_it_needs_at_once() -> None:
    """So that the browser asks for all of it together, and not file by file as they import."""
    page = (STATIC / "index.html").read_text("utf-8")
    named = re.findall(r'rel="modulepreload" href="/static/([^"]+)"', page)
    assert len(named) == len(set(named))
    wanted = imported("live/start.js", imported("live/play.js", set()))
    assert set(named) == wanted, set(named) ^ wanted


@pytest.mark.parametrize("path", FILES, ids=name_of)
def test_nothing_is_fetched_or_read_as_html(path: Path) -> None:
    """Texts reach the page as text alone, and nothing of it lies elsewhere."""
    code = path.read_text("utf-8").replace("http://www.w3.org/2000/svg", "")
    for word in ("http:", "https:", "fetch(", "XMLHttpRequest", "WebSocket", "EventSource"):
        assert word not in code or (word == "fetch(" and name_of(path) == ASKS)
    for word in ("@import", "url(", "sendBeacon"):
        assert word not in code
    for word in ("innerHTML", "outerHTML", "insertAdjacentHTML", "document.write", "eval("):
        assert word not in code
