"""Code that is not needed any more leaves memory, and works when it is called again."""

import subprocess
import sys

import pytest

PROGRAM = """
import torch
from heedful.kernels.resident import let_go_of_code


def resident():
    with open("/proc/self/smaps") as maps:
        sizes, ours = 0, False
        for line in maps:
            if "-" in line.split()[0]:
                ours = "libtorch_cpu" in line and " r-xp " in line
            elif ours and line.startswith("Rss:"):
                sizes += int(line.split()[1])
    return sizes


before = resident()
let_go_of_code()
print(before, resident())
left, right = torch.arange(6.0).view(2, 3), torch.ones(3, 2)
print((left @ right).tolist())
"""


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux is asked")
def test_code_is_let_go_and_comes_back() -> None:
    """PyTorch's own computes as before once it is needed."""
    ran = subprocess.run(
        [sys.executable, "-c", PROGRAM], capture_output=True, text=True, check=True
    )
    sizes, product = ran.stdout.splitlines()
    before, after = map(int, sizes.split())
    assert after < before / 4
    assert product == "[[3.0, 3.0], [12.0, 12.0]]"


def test_elsewhere_nothing_is_done(monkeypatch: pytest.MonkeyPatch) -> None:
    """There is no /proc on other systems."""
    from heedful.kernels import resident

    monkeypatch.setattr(sys, "platform", "darwin")
    monkeypatch.setattr(resident, "Path", None)
    resident.let_go_of_code()
