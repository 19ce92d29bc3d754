"""No code of ours can run what a file says: no pickle, no eval, no unsafe loader (read as AST)."""

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

import heedful

SOURCES = sorted(Path(heedful.__file__).parent.rglob("*.py"))
MODULES = {"pickle", "cPickle", "_pickle", "dill", "cloudpickle", "marshal", "shelve", "joblib"}
NAMES = {"eval", "exec", "__import__"}
CALLS = {"yaml.load", "yaml.unsafe_load", "torch.load", "torch.save", "torch.hub.load"}
PACKAGES = ("torch.distributed.checkpoint",)
READS_OLD_CHECKPOINTS = ("toolkits", "child.py")
"""The one file that may call `torch.load`, in a process of its own, and how it must."""
ARGUMENTS = {"weights_only": False, "allow_pickle": True, "trust_remote_code": True}


def dangers(code: str) -> Iterator[str]:
    """Yield what in a piece of Python could unpickle or run foreign data."""
    for node in ast.walk(ast.parse(code)):
        match node:
            case ast.Import(names=names):
                yield from (name.name for name in names if _forbidden(name.name))
            case ast.ImportFrom(module=str(module), names=names):
                full = [f"{module}.{name.name}" for name in names]
                yield from (name for name in full if _forbidden(name) or name in CALLS)
            case ast.Call(func=func, keywords=keywords):
                called = ast.unparse(func)
                if called in NAMES | CALLS:
                    yield called
                for keyword in keywords:
                    value = keyword.value
                    constant = value.value if isinstance(value, ast.Constant) else None
                    if keyword.arg in ARGUMENTS and constant is ARGUMENTS[keyword.arg]:
                        yield ast.unparse(keyword)
                if called in {"np.load", "numpy.load"} and all(
                    keyword.arg != "allow_pickle" for keyword in keywords
                ):
                    yield f"{called} without allow_pickle=False"


def loads(code: str) -> Iterator[bool]:
    """Yield of each call of `torch.load` whether it says `weights_only=True`."""
    for node in ast.walk(ast.parse(code)):
        if isinstance(node, ast.Call) and ast.unparse(node.func) == "torch.load":
            given = {one.arg: ast.unparse(one.value) for one in node.keywords}
            yield given.get("weights_only") == "True"


def _forbidden(name: str) -> bool:
    return name.split(".")[0] in MODULES or name.startswith(PACKAGES)


@pytest.mark.parametrize("path", SOURCES, ids=lambda path: path.stem)
def test_no_pickle(path: Path) -> None:
    code = path.read_text("utf-8")
    found = list(dangers(code))
    if path.parts[-2:] == READS_OLD_CHECKPOINTS:
        assert found == ["torch.load"]
        found = [] if list(loads(code)) == [True] else found
    assert found == []


@pytest.mark.parametrize(
    "code",
    [
        "import pickle",
        "from pickle import loads",
        "import torch.distributed.checkpoint as dcp",
        "eval(text)",
        "exec(text)",
        "torch.load(path, weights_only=True)",
        "from torch import load",
        "np.load(path)",
        "np.load(path, allow_pickle=True)",
        "read(path, weights_only=False)",
        "yaml.load(text)",
    ],
)
def test_the_search_finds(code: str) -> None:
    assert len(list(dangers(code))) == 1


def test_the_search_lets_pass() -> None:
    assert not list(dangers("np.load(path, mmap_mode='r', allow_pickle=False)\nmodel.eval()"))
