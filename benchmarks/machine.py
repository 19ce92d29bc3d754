"""What every benchmark records about where it ran, and how it writes its result."""

__all__ = [
    "ONE_THREAD",
    "RESULTS",
    "data_folder",
    "heed",
    "lines_of",
    "log_of",
    "one_core",
    "record",
    "recorded",
    "train",
    "train_if_asked",
]

import datetime
import json
import os
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

RESULTS = Path(__file__).parent / "results"


def heed(*words: str, **environment: str) -> str:
    """Run the command line of the installed package and return what it printed on stdout."""
    command = [sys.executable, "-m", "heedful", *words]
    env = os.environ | environment
    done = subprocess.run(command, stdout=subprocess.PIPE, text=True, check=True, env=env)
    return done.stdout


def data_folder(script: str) -> Path | None:
    """Return the folder with the corpora; None, and say that the script is skipped, without one."""
    given = os.environ.get("HEEDFUL_DATA")
    if given is None:
        name = Path(script).stem
        print(f"{name}: skipped, HEEDFUL_DATA does not name the folder with the data")
        return None
    return Path(given)


def train(run: Path, words: list[str], **environment: str) -> None:
    """Train by these words of `heed train`, go on where a run was stopped, leave one that ended.

    Raises SystemExit where a run stands there that was asked for in other words. A recipe may have
    changed behind the same words: remove its runs then.
    """
    asked = run.with_name(f"{run.name}.asked.json")
    if asked.exists() and json.loads(asked.read_text("utf-8")) != words:
        raise SystemExit(f"{run} was trained by other words, those in {asked}: remove both")
    if (run / "model").exists():
        return
    again = (run / "config.json").exists()
    asked.parent.mkdir(parents=True, exist_ok=True)
    asked.write_text(json.dumps(words), "utf-8")
    heed("train", *(["--resume"] if again else words), "--out", str(run), **environment)


def log_of(run: Path) -> list[dict[str, Any]]:
    """Return the entries of a run's log."""
    return [json.loads(line) for line in lines_of(run / "log.jsonl")]


def lines_of(path: Path) -> list[str]:
    """Return the lines of a file, which only a line feed ends."""
    return path.read_bytes().decode().removesuffix("\n").split("\n")


_CHILD = "--train-on-core"
ONE_THREAD = {"OMP_NUM_THREADS": "1"}


def one_core(script: str, core: int, words: list[str]) -> None:
    """Let a script train in a process of its own, on one core: it calls `train_if_asked`."""
    child = [sys.executable, script, _CHILD, str(core), *words]
    subprocess.run(child, check=True, env=os.environ | ONE_THREAD)


def train_if_asked() -> None:
    """Train and exit where `one_core` started this process, else do nothing.

    The clock is the processor's, so that other work on other cores changes little.
    """
    if sys.argv[1:2] != [_CHILD]:
        return
    from heedful.cli import main as command
    from heedful.train.loop import Trainer

    core, *words = sys.argv[2:]
    os.sched_setaffinity(0, [int(core)])
    defaults = Trainer.__init__.__kwdefaults__
    assert defaults is not None
    defaults["clock"] = time.process_time
    sys.exit(command(words))


def recorded(name: str) -> dict[str, Any]:
    """Return what `record` has written; empty before that."""
    path = RESULTS / f"{name}.json"
    found: dict[str, Any] = json.loads(path.read_text("utf-8")) if path.exists() else {}
    return found


def record(name: str, result: dict[str, Any]) -> Path:
    """Write `results/NAME.json` with the date and the machine added."""
    versions = dict(line.split(maxsplit=1) for line in heed("--version").strip().split("\n"))
    path = RESULTS / f"{name}.json"
    RESULTS.mkdir(exist_ok=True)
    whole = {"date": datetime.date.today().isoformat(), "machine": versions} | result
    text = json.dumps(whole, indent=2, ensure_ascii=False) + "\n"
    for place, name in ((os.environ.get("HEEDFUL_DATA"), "$HEEDFUL_DATA"), (str(Path.cwd()), ".")):
        text = text.replace(place, name) if place else text
    path.write_text(text, "utf-8")
    print(f"written: {path}")
    return path
