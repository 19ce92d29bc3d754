"""A process that ends while its kernels are being loaded ends well; its streams are its own."""

import subprocess
import sys
from importlib import import_module

import pytest

from heedful.kernels import available

ENDS = """
import atexit, threading, time
from heedful.kernels import warm

begun = []

def call():
    begun.append(None)
    time.sleep(0.01)

def tell():
    alive = any(thread.name == "kernels" for thread in threading.enumerate())
    print(alive, 0 < len(begun) < 100_000, warm.are_ready())

warm.kept = lambda: None  # as on a machine that has compiled none
warm._calls = lambda: (call for _ in range(100_000))
atexit.register(tell)  # what is registered first is called last
warm.ready()
while not begun:
    time.sleep(0.001)
"""


@pytest.mark.skipif(not available(), reason="needs numba")
def test_nothing_is_left_inside_of_a_compiler() -> None:
    done = subprocess.run(
        [sys.executable, "-c", ENDS], capture_output=True, text=True, check=True, timeout=120
    )
    assert done.stdout.split() == ["False", "True", "False"]


def test_what_is_compiled_leaves_the_streams_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    errors = import_module("numba.core.errors")
    import_module("heedful.kernels.compiled")
    before = (sys.stdout, sys.stderr)
    seen = []
    for name in ("init", "reinit", "deinit"):  # colorama's, where it is installed

        def replaces(name: str = name) -> None:
            seen.append(name)

        monkeypatch.setattr(errors, name, replaces, raising=False)
    assert "no such type" in str(errors.TypingError("no such type"))
    assert errors.termcolor().highlight("text") == "text"
    assert (seen, sys.stdout, sys.stderr) == ([], *before)
