"""`heed train` itself gets SIGKILL at calls drawn by seed, and ends bit-equal (checks R1, R2)."""

import random
import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from heedful.cli import main
from heedful.config import RunConfig, merged
from heedful.train.checkpoint import Checkpoints
from tests.train.tracing import trace, words_of

KILLED = Path(__file__).with_name("killed.py")
SEED = 1706
SAVES = 28
"""Calls of one commit and the rotation after it, about."""

Kill = Callable[[str, int], str]


def killer(words: list[str], folder: Path) -> Kill:
    """Return what starts or resumes the run and lets it be killed at a call."""

    def kill(place: str, number: int) -> str:
        begun = (folder / "config.json").exists()
        asked = ["--out", str(folder), *(["--resume", "--quiet"] if begun else words)]
        found = subprocess.run(
            [sys.executable, str(KILLED), place, str(number), *asked],
            capture_output=True,
            text=True,
            check=False,
        )
        assert found.returncode in (0, -signal.SIGKILL), found.stderr
        return "" if found.returncode == 0 else found.stderr.strip().rpartition("\n")[2]

    return kill


def check(
    config: RunConfig, corpus: Path, tmp_path: Path, places: list[tuple[str, int]]
) -> list[str]:
    """Kill one run at all these places, let it end, and compare it with one left alone."""
    steps = 6 * len(places)
    every = {"max_steps": steps, "save_every": 3, "validate_every": 7, "average_last": 2}
    words = words_of(merged(config, {"training": every}), corpus)
    folder = tmp_path / "run"
    kill = killer(words, folder)
    said = []
    for place, number in places:
        before = Checkpoints(folder / "checkpoints").steps()
        said.append(kill(place, number))
        after = Checkpoints(folder / "checkpoints").steps()
        assert not before or after, "a kill left no checkpoint"
        assert all(Checkpoints(folder / "checkpoints").is_whole(step) for step in after)
    assert main(["train", "--out", str(folder), "--resume", "--quiet"]) == 0
    assert not list(folder.rglob(".tmp-*"))
    assert not list(folder.rglob("*.new"))
    assert not list(folder.rglob("*.partial"))
    assert main(["train", "--out", str(tmp_path / "whole"), *words]) == 0
    assert trace(folder) == trace(tmp_path / "whole")
    return said


def drawn(count: int, inside: int) -> list[tuple[str, int]]:
    """Return `count` places drawn by seed, `inside` of them in the making of a checkpoint."""
    chance = random.Random(SEED)
    places = [("save", chance.randint(1, 2 * SAVES)) for _ in range(inside)]
    places += [("step", chance.randint(1, 6)) for _ in range((count - inside) // 2)]
    places += [("any", chance.randint(1, 60)) for _ in range(count - len(places))]
    chance.shuffle(places)
    return places


def test_three_kills(config: RunConfig, corpus: Path, tmp_path: Path) -> None:
    said = check(config, corpus, tmp_path, drawn(3, 1))
    assert all(line.startswith("killed at") for line in said), said


@pytest.mark.slow
def test_25_kills(config: RunConfig, corpus: Path, tmp_path: Path) -> None:
    """At least 10 of them inside the making, keeping and removing of checkpoints."""
    said = check(config, corpus, tmp_path, drawn(25, 12))
    assert sum(line.startswith("killed at") for line in said) == 25, said
    assert sum("checkpoints" in line or "flushed" in line for line in said) >= 10, said
