"""The same seed twice gives the same run: every tensor of every checkpoint, bit for bit (R16)."""

import os
import subprocess
import sys
from hashlib import sha256
from pathlib import Path

import pytest
from safetensors.torch import load_file

from heedful.config import RunConfig, merged
from tests.train.tracing import trace, words_of


def hashes(folder: Path) -> dict[str, str]:
    """Return the SHA-256 of every weight, moment and random state of every checkpoint."""
    return {
        f"{path.relative_to(folder)} {name}": sha256(tensor.numpy().tobytes()).hexdigest()
        for path in sorted(folder.glob("checkpoints/step-*/*.safetensors"))
        for name, tensor in load_file(path).items()
    }


@pytest.mark.parametrize("threads", [1, 2])
def test_two_processes_of_their_own(
    threads: int, config: RunConfig, corpus: Path, tmp_path: Path
) -> None:
    """Side by side, with dropout, and with another order of Python's sets in each."""
    assert config.model.dropout > 0
    changes = {"max_steps": 6, "save_every": 2, "average_last": 3, "shards": threads}
    words = words_of(merged(config, {"training": changes}), corpus)
    folders = [tmp_path / "one", tmp_path / "other"]
    started = [
        subprocess.Popen(
            [sys.executable, "-m", "heedful", "train", "--out", str(folder), *words],
            env=os.environ
            | {"OMP_NUM_THREADS": str(threads), "MKL_NUM_THREADS": str(threads)}
            | {"PYTHONHASHSEED": str(number)},
            stdout=subprocess.DEVNULL,
            stderr=subprocess.PIPE,
            text=True,
        )
        for number, folder in enumerate(folders)
    ]
    for process in started:
        said = process.communicate(timeout=240)[1]
        assert process.returncode == 0, said
    one, other = (hashes(folder) for folder in folders)
    assert len(one) > 3 * 3 * 20  # checkpoints, a weight and its moments, weights
    assert len(set(one.values())) > len(one) / 2
    assert one == other
    assert trace(folders[0]) == trace(folders[1])
