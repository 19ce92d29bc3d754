"""Kernels that this machine has compiled before are called without numba: a start without it.

numba, with all it knows of types, costs a process 100 MB of memory and half a second. Its cache
holds machine code, and that is all a process needs that compiles nothing: `keep` takes it from
there and writes one file beside it, `kept` reads that in a later process and has it linked. The
file is a JSON header and object code, with a SHA-256, and is used only while all that it was made
of is as it was (`heedful.kernels.stamp`). Where anything is missing, or is not as it was, nothing
is kept, and numba does what it does without this.
"""

__all__ = ["KERNELS", "Kept", "keep", "kept"]

import contextlib
import hashlib
import json
import os
import struct
import sys
import tempfile
import threading
from collections.abc import Callable, Iterator
from functools import cache
from importlib import import_module
from importlib.metadata import PackageNotFoundError
from itertools import islice
from pathlib import Path
from typing import Any, NamedTuple

from heedful.kernels.kinds import Kinds, as_json, from_json
from heedful.kernels.linked import Code, link, names_of
from heedful.kernels.stamp import folder, stamp

KERNELS = {
    "attend_across": "attention",
    "attend_back": "attention",
    "attend_within": "attention",
    "keep_memory": "attention",
    "beam_steps": "beam_steps",
    "decoder_step": "decoder_step",
    "encoder_pass": "encoder_pass",
    "greedy_steps": "greedy_steps",
    "listed": "listed",
    "listed_whole": "listed",
    "union": "listed",
    "multiply_whole": "product",
    "activate": "rows",
    "add_and_normalise": "rows",
    "best_of_rows": "rows",
    "embed": "rows",
    "log_softmax": "rows",
    "normalise": "rows",
    "text_step": "text_step",
}
"""The kernels that translating calls, and the files that they are in."""

_MAGIC = b"heedful kernels 1\n"

_AMISS = (
    *(AttributeError, AssertionError, ImportError, IndexError, KeyError, OSError, TypeError),
    *(ValueError, RuntimeError, RecursionError, PackageNotFoundError, struct.error),
)
"""What is raised where files, numba or LLVM are not as this file knows them."""

Ways = list[tuple[Kinds, Callable[..., Any]]]
"""What a kernel takes, and the function for that."""


class Kept(NamedTuple):
    """What an earlier process has compiled."""

    machine: tuple[str, str, str]
    """What numba compiles for: system, processor and what that can."""
    ways: dict[str, Ways]
    """Of each kernel."""


_LOCK = threading.Lock()


def kept() -> Kept | None:
    """Return all kernels, called without numba, or None where they are not kept; read once."""
    with _LOCK:
        return _kept()


@cache
def _kept() -> Kept | None:
    try:
        machine, codes = _read(_file().read_bytes())
        functions = link(codes)
    except _AMISS:
        return None
    ways: dict[str, Ways] = {}
    for code, function in zip(codes, functions, strict=True):
        ways.setdefault(code.name, []).append((code.takes, function))
    return Kept(machine, ways) if ways.keys() == KERNELS.keys() else None


def keep() -> bool:
    """Write what numba's cache has of the kernels that it has loaded; return whether that is done.

    What stands there is replaced in one step.
    """
    try:
        header, objects = _collected()
        path, state = _file(), stamp()
        content = json.dumps({"stamp": state, **header}).encode()
        content = len(content).to_bytes(8, "little") + content + b"".join(objects)
        _replace(path, _MAGIC + hashlib.sha256(content).digest() + content)
    except _AMISS:
        return False
    return True


def _file() -> Path:
    """Return where they are kept for this Python and this processor."""
    processor = hashlib.sha256(json.dumps(stamp()["processor"]).encode()).hexdigest()[:12]
    return folder() / f"translating.{sys.implementation.cache_tag}-{processor}.kept"


def _read(content: bytes) -> tuple[tuple[str, str, str], list[Code]]:
    """Return what a file holds; raises ValueError, KeyError, ... unless it is whole and of now."""
    start = len(_MAGIC) + 32
    if content[:start] != _MAGIC + hashlib.sha256(content[start:]).digest():
        raise ValueError("this file is damaged")
    begin = start + 8
    begin += int.from_bytes(content[start:begin], "little")
    header = json.loads(content[start + 8 : begin])
    if header["stamp"] != stamp():
        raise ValueError("this has been compiled of something else")
    codes = []
    for one in header["kernels"]:
        code = content[begin : begin + one["size"]]
        begin += len(code)
        names = (one["wrapper"], one["environment"], one["needs"])
        codes.append(Code(one["name"], from_json(one["takes"]), *names, code))
    system, processor, features = header["machine"]
    return (system, processor, features), codes


def _collected() -> tuple[dict[str, Any], list[bytes]]:
    """Return what numba's cache has: all but the stamp of the header, and the object codes."""
    from numba.core.registry import cpu_target

    codegen = cpu_target.target_context.codegen()
    entries, objects = [], []
    for name, file in KERNELS.items():
        kernel = getattr(import_module(f"heedful.kernels.{file}"), name)
        found = list(_codes_of(kernel, codegen))
        if not found:
            raise ValueError(f"nothing is kept of {name}")
        for entry, code in found:
            entries.append({"name": name, "size": len(code), **entry})
            objects.append(code)
    return {"machine": codegen.magic_tuple(), "kernels": entries}, objects


def _codes_of(kernel: Any, codegen: Any) -> Iterator[tuple[dict[str, Any], bytes]]:
    """Yield the code of a kernel from numba's cache, for all types that it has been called with.

    Types that are not known here are left out: only tests have called it so.
    """
    index = kernel._cache._cache_file
    if Path(index._cache_path) != folder():
        raise OSError("numba keeps its code somewhere else")
    files = index._load_index()
    for signature in islice(kernel.overloads, 8):
        with contextlib.suppress(ValueError):
            takes = as_json(signature)
            data = index._load_data(files[kernel._cache._index_key(signature, codegen)])
            (_, form, code), descriptor, environment = data[:3]
            if form != "object" or environment.consts:
                raise ValueError("this needs more than its code")
            defined, needed = names_of(code[0])
            inside = {
                "wrapper": descriptor.llvm_cpython_wrapper_name,
                "environment": descriptor.env_name,
            }
            if not defined.issuperset(inside.values()):
                raise ValueError("this is the code of something else")
            yield {"takes": takes, **inside, "needs": sorted(needed)}, code[0]


def _replace(path: Path, content: bytes) -> None:
    with tempfile.NamedTemporaryFile(dir=path.parent, prefix=f"{path.name}.", delete=False) as file:
        try:
            file.write(content)
            file.close()
            os.replace(file.name, path)  # noqa: PTH105
        except BaseException:
            Path(file.name).unlink(missing_ok=True)
            raise
