"""The page's pure functions pass their own tests, which Node runs; every module can be read."""

import re
import shutil
import subprocess
from pathlib import Path

import pytest

HERE = Path(__file__).parent
STATIC = HERE.parents[1] / "src" / "heedful" / "playground" / "static"
MODULES = sorted(STATIC.glob("*.js"))
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


@pytest.mark.parametrize("path", MODULES, ids=lambda path: path.name)
def test_modules_are_small_and_import_each_other_alone(path: Path) -> None:
    code = path.read_text("utf-8")
    assert code.startswith("/**")
    assert code.count("\n") <= LINES
    assert max(map(len, code.split("\n"))) <= 100
    names = re.findall(r'(?:from|import) "([^"]+)"', code)
    assert {name.removeprefix("heedful/") for name in names} <= {path.name for path in MODULES}


@pytest.mark.parametrize("path", sorted(STATIC.iterdir()), ids=lambda path: path.name)
def test_nothing_is_fetched_or_read_as_html(path: Path) -> None:
    """Texts reach the page as text alone, and nothing of it lies elsewhere."""
    code = path.read_text("utf-8").replace("http://www.w3.org/2000/svg", "")
    for word in ("http:", "https:", "fetch(", "XMLHttpRequest", "@import", "url("):
        assert word not in code
    for word in ("innerHTML", "outerHTML", "insertAdjacentHTML", "document.write", "eval("):
        assert word not in code
