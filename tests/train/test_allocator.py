"""Keeping freed memory changes nothing but speed, and what was freed can be given back."""

import subprocess
import sys
from pathlib import Path

import pytest

SCRIPT = """
from pathlib import Path
from heedful.train.allocator import keep_freed_memory, release_gaps

def resident():
    pages = int(Path("/proc/self/statm").read_text("utf-8").split()[1])
    return pages * 4096 >> 20

assert keep_freed_memory()
blocks = [bytearray(1 << 20) for _ in range(400)]
full = resident()
last = blocks.pop()  # stands at the end, so that only a gap is left below it
del blocks
kept = resident()
release_gaps()
print(full, kept, resident())
"""


@pytest.mark.skipif(not Path("/proc/self/statm").exists(), reason="tells of Linux's memory")
def test_freed_memory_is_kept_until_released() -> None:
    command = [sys.executable, "-c", SCRIPT]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    full, kept, released = map(int, done.stdout.split())
    assert kept > full - 50
    assert released < full - 300
