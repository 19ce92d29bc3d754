"""The measured rate of matrix products, which no training step on this machine can exceed.

`python -m train.peak PRECISION DEVICE THREADS START` multiplies matrices of the shapes of a
Transformer, each in its slot of time counted from START, and prints FLOP/s a shape. Several of
these processes, one thread each and the same START, load all cores at once.
"""

__all__ = ["SLOT", "rates"]

import json
import sys
import time
from collections.abc import Callable

import torch

SHAPES = {
    "cpu": [
        (2048, 2048, 2048),
        (4096, 256, 1024),
        (4096, 1024, 256),
        (4096, 512, 512),
        (4096, 512, 2048),
        (4096, 2048, 512),
    ],
    "cuda": [(8192, 8192, 8192), (4096, 4096, 4096), (25600, 1024, 4096), (25600, 4096, 1024)],
}
SLOT = 0.8


def rates(precision: str, device: str, start: float) -> dict[str, float]:
    """Return the FLOP/s reached for every shape; the first tenth of a slot warms up."""
    dtype = {"float32": torch.float32, "bf16": torch.bfloat16}[precision]
    found = {}
    for number, (rows, inner, columns) in enumerate(SHAPES[device]):
        left = torch.randn(rows, inner, dtype=dtype, device=device)
        right = torch.randn(inner, columns, dtype=dtype, device=device)
        out = torch.empty(rows, columns, dtype=dtype, device=device)
        begin = start + number * SLOT
        per_second = _repeat(lambda a=left, b=right, c=out: torch.mm(a, b, out=c), begin, device)
        found[f"{rows}x{inner}x{columns}"] = per_second * 2 * rows * inner * columns
    return found


def _repeat(work: Callable[[], object], begin: float, device: str) -> float:
    """Return how often a second the work is done within its slot."""
    work()
    while time.time() < begin + SLOT / 10:
        work()
        _wait(device)
    at_once = 10 if device == "cuda" else 1
    started = time.time()
    done = 0
    while time.time() < begin + 0.9 * SLOT or not done:
        for _ in range(at_once):
            work()
        _wait(device)
        done += at_once
    return done / (time.time() - started)


def _wait(device: str) -> None:
    if device == "cuda":
        torch.cuda.synchronize()


if __name__ == "__main__":
    torch.set_num_threads(int(sys.argv[3]))
    time.sleep(max(0.0, float(sys.argv[4]) - time.time()))
    print(json.dumps(rates(sys.argv[1], sys.argv[2], float(sys.argv[4]))))
