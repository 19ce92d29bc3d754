"""What compiled kernels depend on: code that is kept is used only while all of it is as it was."""

__all__ = ["EXTENSIONS", "KNOWN", "extension", "folder", "stamp", "state_of_sources"]

import hashlib
import os
import platform
import sys
from functools import cache
from importlib.machinery import EXTENSION_SUFFIXES
from importlib.metadata import version
from importlib.util import find_spec
from pathlib import Path
from typing import Any

EXTENSIONS = ("numba._helperlib", "numba._dynfunc", "numba.core.runtime._nrt_python")
"""numba's modules in C that kernels call, and are called through."""

KNOWN = "0.68."
"""The versions of numba whose inside is known here begin so."""

_HARMLESS = {"NUMBA_CACHE_DIR", "NUMBA_NUM_THREADS"}
"""Of numba's settings, those that the code of a kernel does not depend on."""

_HERE = Path(os.path.abspath(__file__)).parent  # noqa: PTH100 - as numba says it


@cache
def state_of_sources() -> tuple[float, int]:
    """Return the newest time of a change and the sizes, added up, of the files of kernels."""
    found = [path.stat() for path in _HERE.glob("*.py")]
    return max(file.st_mtime for file in found), sum(file.st_size for file in found)


def folder() -> Path:
    """Return where numba keeps its code of kernels, which this user can write.

    `heedful.kernels.compiled` has the rule. Raises OSError where there is none.
    """
    apart = f"{_HERE.name}_{hashlib.sha1(str(_HERE).encode()).hexdigest()}"
    chosen = os.environ.get("NUMBA_CACHE_DIR")
    own = os.environ.get("XDG_CACHE_HOME", os.path.expanduser("~/.cache"))  # noqa: PTH111
    places = [Path(chosen, apart)] if chosen else [_HERE / "__pycache__", Path(own, "numba", apart)]
    for place in places:
        if os.access(place, os.W_OK | os.X_OK):
            return place
    raise OSError("no folder for compiled kernels")


def extension(name: str) -> Path:
    """Return the file of one of numba's modules in C; numba itself is not imported.

    Raises ImportError where there is none.
    """
    spec = find_spec("numba")
    for place in (spec.submodule_search_locations if spec else None) or []:
        for suffix in EXTENSION_SUFFIXES:
            path = Path(place, *name.split(".")[1:-1], name.split(".")[-1] + suffix)
            if path.exists():
                return path
    raise ImportError(f"there is no {name} here")


def stamp() -> dict[str, Any]:
    """Return all that code depends on which was compiled here, in types that JSON knows.

    Raises ImportError or OSError where something is not there, ValueError where numba has settings
    of its own.
    """
    from llvmlite import binding

    own = {name for name in os.environ if name.startswith("NUMBA_")} - _HARMLESS
    if own or Path(".numba_config.yaml").exists():
        raise ValueError("numba compiles in another way here")
    versions = [version(name) for name in ("numba", "llvmlite", "numpy")]
    if not versions[0].startswith(KNOWN):
        raise ValueError(f"the inside of numba {versions[0]} is not known here")
    files = {name: extension(name).stat() for name in EXTENSIONS}
    return {
        "sources": list(state_of_sources()),
        "python": [sys.version, platform.machine()],
        "versions": versions,
        "files": {name: [file.st_size, file.st_mtime_ns] for name, file in files.items()},
        "processor": [
            binding.get_process_triple(),
            binding.get_host_cpu_name(),
            binding.get_host_cpu_features().flatten(),
        ],
    }
