"""What every benchmark records about where it ran, and how it writes its result."""

__all__ = ["ONE_THREAD", "RESULTS", "heed", "one_core", "record", "train_if_asked"]

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
