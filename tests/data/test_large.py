"""A corpus larger than memory becomes a run in bounded memory (check D6); takes an hour."""

import os
import shutil
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest

from heedful.data.store import TokenStore

GIGABYTES = float(os.environ.get("HEEDFUL_LARGE_GB", "10"))
CAP = 2e9
"""Bytes that all processes of the run may hold together, what the system can take back apart."""
WORDS, LETTERS, WORDS_A_SIDE = 5000, 12, 15
ROW = 2 * WORDS_A_SIDE * (LETTERS + 1)


def write(path: Path, rows: int) -> None:
    """Write rows of random words, all of a length, so that no two rows are equal."""
    random = np.random.default_rng(1706)
    words = np.full((WORDS, LETTERS + 1), ord(" "), np.uint8)
    words[:, :LETTERS] = random.integers(ord("a"), ord("z") + 1, (WORDS, LETTERS))
    with path.open("wb") as file:
        for start in range(0, rows, 2**16):
            chosen = random.integers(0, WORDS, (min(2**16, rows - start), 2 * WORDS_A_SIDE))
            text = words[chosen]
            text[:, WORDS_A_SIDE - 1, LETTERS] = ord("\t")
            text[:, -1, LETTERS] = ord("\n")
            file.write(text.tobytes())


def held(process: int) -> int:
    """Return the bytes that a process and those it started hold, files that are mapped apart."""
    try:
        status = Path(f"/proc/{process}/status").read_text()
        children = Path(f"/proc/{process}/task/{process}/children").read_text().split()
    except OSError:
        return 0
    own = next((line for line in status.split("\n") if line.startswith("RssAnon")), "RssAnon: 0")
    return 1024 * int(own.split()[1]) + sum(held(int(child)) for child in children)


@pytest.mark.slow
@pytest.mark.skipif(not Path("/proc/self/task").exists(), reason="memory is read from /proc")
def test_memory_is_bounded(tmp_path: Path) -> None:
    rows = int(GIGABYTES * 1e9) // ROW
    needed = 2.2e9 * GIGABYTES
    if shutil.disk_usage(tmp_path).free < needed:
        pytest.skip(f"needs {needed / 1e9:.0f} GB of disk")
    corpus = tmp_path / "large.tsv"
    write(corpus, rows)
    words = ["--data", str(corpus), "--out", str(tmp_path / "run"), "--recipe", "tiny"]
    words += ["--training.max-steps", "2", "--device", "cpu", "--tokenizer.vocabulary-size", "6000"]
    log = tmp_path / "log"
    peak = 0
    with (
        log.open("wb") as file,
        subprocess.Popen([sys.executable, "-m", "heedful", "train", *words], stderr=file) as run,
    ):
        while run.poll() is None:
            peak = max(peak, held(run.pid))
            time.sleep(0.2)
    assert run.returncode == 0, log.read_text("utf-8")[-2000:]
    print(f"{rows:,} rows of {GIGABYTES:g} GB: at most {peak / 1e9:.2f} GB held")
    store = TokenStore.open(tmp_path / "run" / "store" / "train")
    held_out = 2 * min(1000, rows // 20)
    assert len(store) + store.too_long == rows - held_out
    assert peak < CAP
