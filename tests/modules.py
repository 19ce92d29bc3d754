"""Every module of the package that can be loaded here."""

__all__ = ["every_module"]

import importlib
import pkgutil
from collections.abc import Iterator
from types import ModuleType

import heedful


def every_module() -> Iterator[ModuleType]:
    """Yield all modules but `__main__`, and those whose own package, such as triton, is missing."""
    for found in pkgutil.walk_packages(heedful.__path__, "heedful."):
        if found.name.endswith("__main__"):
            continue
        try:
            yield importlib.import_module(found.name)
        except ModuleNotFoundError as error:
            if (error.name or "").startswith("heedful"):
                raise
