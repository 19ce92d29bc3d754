"""A process that ends while its kernels are being loaded ends well."""

import subprocess
import sys

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
