"""What a module loads when imported: proved on `sys.modules` of a fresh process, not on time."""

import subprocess
import sys

import pytest

HEAVY = {
    "torch",
    "fastapi",
    "pydantic",
    "tyro",
    "rich",
    "numpy",
    "tokenizers",
    "pyarrow",
    "sacrebleu",
}


def loaded_by(code: str) -> set[str]:
    """Return the top-level packages in `sys.modules` after a fresh Python ran the code."""
    ask = f"{code}\nimport sys\nprint(*{{name.split('.')[0] for name in sys.modules}}, sep='\\n')"
    done = subprocess.run([sys.executable, "-c", ask], capture_output=True, text=True, check=True)
    return set(done.stdout.split("\n"))


def test_import_heedful_is_light() -> None:
    assert not loaded_by("import heedful") & HEAVY


@pytest.mark.parametrize("words", [[], ["--help"], ["tranlsate"]])
def test_overview_is_light(words: list[str]) -> None:
    code = f"from heedful.cli import main\nmain({words!r})"
    assert not loaded_by(code) & HEAVY


@pytest.mark.parametrize(
    "module",
    [
        "heedful.data.clean",
        "heedful.data.formats",
        "heedful.data.report",
        "heedful.errors",
        "heedful.evaluate",
        "heedful.options",
        "heedful.progress",
        "heedful.settings",
        "heedful.text.tokenizer",
    ],
)
def test_imports_no_torch(module: str) -> None:
    loaded = loaded_by(f"import {module}")
    assert not loaded & {"torch", "pyarrow"}


def test_help_of_a_command_is_light() -> None:
    code = "from heedful.cli import COMMANDS, main\nfor name in COMMANDS: main([name, '--help'])"
    assert not loaded_by(code) & {"torch", "pyarrow", "pydantic"}
