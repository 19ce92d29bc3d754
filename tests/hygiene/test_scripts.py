"""Scripts outside the package are run seldom: what they import from it must be there."""

import ast
import pkgutil
from importlib import import_module
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
SCRIPTS = sorted([*(ROOT / "tools").glob("*.py"), *(ROOT / "benchmarks").rglob("*.py")])


@pytest.mark.parametrize("path", SCRIPTS, ids=lambda path: str(path.relative_to(ROOT)))
def test_what_a_script_imports_is_there(path: Path) -> None:
    for node in ast.walk(ast.parse(path.read_text("utf-8"))):
        if isinstance(node, ast.ImportFrom) and (node.module or "").split(".")[0] == "heedful":
            module = import_module(str(node.module))
            inside = {one.name for one in pkgutil.iter_modules(getattr(module, "__path__", ()))}
            names = {alias.name for alias in node.names}
            missing = [name for name in names - inside if not hasattr(module, name)]
            assert missing == [], f"{node.module} has no {missing}"
