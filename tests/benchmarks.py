"""The parts of benchmarks, which are no package, for their tests."""

__all__ = ["Part", "parts_of"]

import importlib
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

BENCHMARKS = Path(__file__).resolve().parents[1] / "benchmarks"
Part = Callable[[str], Any]
"""From a name to the module."""


def parts_of(folder: str, *names: str) -> Part:
    """Return what gives modules of a folder of benchmarks by their names."""
    with pytest.MonkeyPatch.context() as patch:
        patch.syspath_prepend(str(BENCHMARKS))
        modules = {name: importlib.import_module(f"{folder}.{name}") for name in names}
    return modules.__getitem__
