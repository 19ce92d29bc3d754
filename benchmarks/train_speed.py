"""Training speed against torch.nn.Transformer, MarianMT, x-transformers and JoeyNMT.

    python benchmarks/train_speed.py                     # about 45 minutes on two cores
    python benchmarks/train_speed.py --device cuda       # model-FLOP utilisation of base and big

The same model on the same batches for everybody. Peers are first searched for their fastest
settings, then measured in rounds, alternating with heedful, each run in a fresh process. Needs
the data in $HEEDFUL_DATA/multi30k (or --data synthetic) and the peers (`make bench-train`; one
that is not installed is left out, and the table says so). Writes results/train_speed.json and
results/train_speed.md; a part (--only, --no-search) goes to the --work folder instead.
"""

import argparse
import importlib.util
import json
import os
import sys
import tempfile
import time
from contextlib import suppress
from dataclasses import replace
from pathlib import Path
from typing import Any

from machine import RESULTS, record
from train.run import measured_peak, run
from train.search import Trial, best_settings
from train.spec import DEFAULT_BATCH_TOKENS, SIZES, Settings, Task
from train.table import BY_HAND, OURS, cells, heads, markdown, rows_of

PEERS = ("torch.nn", BY_HAND, "MarianMT", "x-transformers", "JoeyNMT")
WARMUP = {"tiny": 2, "small": 10, "base": 3, "big": 3}
"""Steps before the clock starts: a loop's first ones also ask the system for its memory."""
CONTENDERS = 2
"""So many peers, the fastest of the first round, are measured in all rounds; the others once."""
DISTURBED = 0.2
"""Cores used by other programs on average, above which a run is made again."""
REPEATS = 1
GPU_WARMUP = 60
GPU_BATCH_TOKENS = 25_000


class Benchmark:
    """What is asked for, and all that was found so far."""

    def __init__(self, options: argparse.Namespace, work: Path) -> None:
        self.options = options
        self.work = work
        self.gpu = options.device == "cuda"
        self.started = time.monotonic()
        self.names = options.only or ([OURS, "torch.nn"] if self.gpu else [OURS, *PEERS])
        self.start = Settings(threads=options.threads, batch_tokens=options.batch_tokens)
        self.peaks: dict[str, dict[str, Any]] = {}
        self.searched: list[dict[str, Any]] = []
        self.runs: list[dict[str, Any]] = []
        self.best: dict[tuple[str, str], Settings] = {}
        self.behind: set[tuple[str, str]] = set()
        """Peers that were not among the fastest in this precision at a smaller size."""
        self.absent: dict[str, dict[str, Any]] = {}
        """Peers that are not installed, with the reason."""
        self.complete = False

    def everything(self) -> None:
        """Measure all sizes and precisions; what was found is written also when interrupted."""
        try:
            self.measure_peaks()
            for size in self.options.sizes:
                for precision in self.options.precisions:
                    self.group(size, precision)
                    self.publish()
            self.measure_peaks()
            self.complete = True
        finally:
            self.publish()

    def measure_peaks(self) -> None:
        """Measure the matrix products, at the start and at the end; the better rate counts."""
        for precision in self.options.precisions:
            found = measured_peak(precision, self.options.device, self.options.threads)
            known = self.peaks.get(precision, found)
            better = max(known, found, key=lambda peak: peak["flops_per_second"])
            self.peaks[precision] = better
            self.say(f"{precision} matrix peak: {found['flops_per_second'] / 1e9:,.0f} GFLOP/s")

    def group(self, size: str, precision: str) -> None:
        """Search, then measure, one size in one precision."""
        searched = {name: self.search(name, size, precision) for name in self.names}
        peers = [speed or 0.0 for name, speed in searched.items() if name not in (OURS, BY_HAND)]
        fastest = max(peers, default=0.0) or searched.get(OURS) or 1.0
        tokens = int(self.options.seconds * fastest)
        behind = {name for name in self.names if (name, precision) in self.behind}
        names = [name for name in self.names if searched[name] is not None or name in behind]
        for number in range(self.options.rounds):
            speeds = {}
            for name in names if number % 2 == 0 else names[::-1]:
                task = self.task(name, size, precision, self.best[name, precision])
                task = replace(task, target_tokens=tokens)
                found = self.run(self.runs, task, f"round {number + 1}")
                speeds[name] = found.get("target_tokens_per_second", 0.0)
            if number == 0:
                others = [name for name in names if name not in (OURS, BY_HAND)]
                ranked = sorted(others, key=speeds.__getitem__)
                self.behind |= {(name, precision) for name in ranked[:-CONTENDERS]}
                names = [name for name in names if name not in ranked[:-CONTENDERS]]

    def search(self, name: str, size: str, precision: str) -> float | None:
        """Find the settings for the rounds; return their speed, None where nothing runs."""
        task = replace(
            self.task(name, size, precision, self.start),
            warmup=GPU_WARMUP if self.gpu else 1,
            seconds=self.options.seconds / 6,
            min_steps=1,
        )

        def attempt(settings: Settings) -> Trial:
            found = self.run(self.searched, replace(task, settings=settings), "search")
            return Trial(settings, found.get("target_tokens_per_second"), found)

        start = self.best.setdefault((name, precision), self.start_of(name))
        if name in self.absent:
            self.runs.append(self.entry(task, self.absent[name]))
        if name in self.absent or (name, precision) in self.behind:
            return None
        if name in (OURS, BY_HAND) or self.gpu or self.options.no_search:
            trials = [attempt(start)]
        else:
            trials = best_settings(name, start, size in self.options.sizes[:1], attempt)
        if trials[0].speed is None:
            self.leave_out(name, task, trials[0].result)
        self.best[name, precision] = trials[0].settings
        return trials[0].speed

    def start_of(self, name: str) -> Settings:
        """Return the settings that a search begins with; of BY_HAND they are all there is."""
        if name != BY_HAND:
            return self.start
        return replace(self.start, threads=1, processes=self.start.threads, keep_memory=True)

    def leave_out(self, name: str, task: Task, found: dict[str, Any]) -> None:
        """Do without a peer that does not run; heedful itself must."""
        if name == OURS:
            raise RuntimeError(f"heedful does not train: {found}")
        self.runs.append(self.entry(task, found))
        if "absent" in found:
            self.absent[name] = found

    def task(self, name: str, size: str, precision: str, settings: Settings) -> Task:
        """Return a run of the rounds."""
        return Task(
            implementation=name,
            size=size,
            precision=precision,
            settings=settings,
            device=self.options.device,
            data=self.options.data,
            work=str(self.work),
            warmup=GPU_WARMUP if self.gpu else WARMUP[size],
            seconds=self.options.seconds,
        )

    def entry(self, task: Task, found: dict[str, Any]) -> dict[str, Any]:
        """Return a run as it is recorded."""
        names = ("size", "precision", "implementation")
        named = {name: getattr(task, name) for name in names}
        return named | {"settings": task.settings.words(), "result": found}

    def run(self, into: list[dict[str, Any]], task: Task, why: str) -> dict[str, Any]:
        """Run a task, again where other programs disturbed it, and keep the quietest result."""
        tried: list[dict[str, Any]] = []
        while len(tried) < 1 + REPEATS:
            tried.append(run(task))
            self.note(task, tried[-1], why)
            if self.gpu or tried[-1].get("foreign_cores", 0.0) <= DISTURBED:
                break
        found = min(tried, key=lambda result: ("failed" in result, result.get("foreign_cores", 0)))
        into.append(self.entry(task, found))
        return found

    def note(self, task: Task, found: dict[str, Any], why: str) -> None:
        """Put a run on disk at once and say so."""
        entry = self.entry(task, found)
        with (self.work / "runs.jsonl").open("a", encoding="utf-8") as file:
            file.write(json.dumps(entry | {"why": why}) + "\n")
        speed = found.get("target_tokens_per_second")
        what = f"{speed:,.0f} tokens/s" if speed else found.get("absent") or found["failed"]
        foreign = found.get("foreign_cores", 0.0)
        loud = f", while other programs used {foreign:.2f} cores" if foreign > DISTURBED else ""
        head = f"{task.size} {task.precision} {why}: {task.implementation}"
        self.say(f"{head} ({entry['settings']}): {what}{loud}")

    def say(self, line: str) -> None:
        """Print a line of progress."""
        print(f"[{(time.monotonic() - self.started) / 60:5.1f} min] {line}", flush=True)

    def publish(self) -> None:
        """Write what was found so far."""
        rows = rows_of(self.runs, self.peaks)
        result = {
            "complete": self.complete,
            "minutes": round((time.monotonic() - self.started) / 60, 1),
            "data": self.options.data,
            "seconds": self.options.seconds,
            "sizes": {size: vars(SIZES[size]) for size in self.options.sizes},
            "rows": rows,
            "peak": self.peaks,
            "search": self.searched,
            "runs": self.runs,
        }
        text = markdown(rows, self.peaks, self.options.device)
        if self.options.only or self.options.no_search:
            (self.work / "train_speed.json").write_text(json.dumps(result, indent=2), "utf-8")
            (self.work / "train_speed.md").write_text(text, "utf-8")
            return
        name = "train_speed_cuda" if self.gpu else "train_speed"
        record(name, result)
        (RESULTS / f"{name}.md").write_text(text, "utf-8")

    def show(self) -> list[dict[str, Any]]:
        """Print the table and how the goals stand; return the rows."""
        from rich.console import Console
        from rich.table import Table

        rows = rows_of(self.runs, self.peaks)
        table = Table(*heads(self.options.device))
        for row in rows:
            table.add_row(*cells(row))
        Console(width=None if sys.stdout.isatty() else 200).print(table)
        print(markdown(rows, self.peaks, self.options.device).split("\n\n", 1)[1])
        return rows


def parsed() -> argparse.Namespace:
    """Return the options; what depends on another option is filled in."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--sizes", nargs="+", choices=SIZES)
    parser.add_argument("--precisions", nargs="+", choices=["float32", "bf16"])
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--seconds", type=float, default=20.0, help="how long a run measures")
    parser.add_argument("--device", choices=["cpu", "cuda"], default="cpu")
    parser.add_argument("--only", nargs="+", choices=[OURS, *PEERS])
    parser.add_argument("--no-search", action="store_true", help="peers as the search starts")
    parser.add_argument("--data", choices=["multi30k", "synthetic"])
    parser.add_argument("--batch-tokens", type=int, help="of heedful, and where the search starts")
    parser.add_argument("--threads", type=int, default=usable_cores())
    parser.add_argument("--work", type=Path, help="where the tokens are kept for the next time")
    options = parser.parse_args()
    gpu = options.device == "cuda"
    options.sizes = options.sizes or (["base", "big"] if gpu else ["small", "base"])
    options.precisions = options.precisions or (["bf16"] if gpu else ["float32", "bf16"])
    tokens = GPU_BATCH_TOKENS if gpu else DEFAULT_BATCH_TOKENS
    options.batch_tokens = options.batch_tokens or tokens
    if options.data is None:
        absent = gpu and "HEEDFUL_DATA" not in os.environ
        options.data = "synthetic" if absent else "multi30k"
    return options


def usable_cores() -> int:
    """Return how many cores this process may use."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def has_gpu() -> bool:
    """Tell whether torch sees one, without keeping torch in this process."""
    import subprocess

    ask = "import sys, torch; sys.exit(not torch.cuda.is_available())"
    return subprocess.run([sys.executable, "-c", ask], check=False).returncode == 0


def main() -> int:
    options = parsed()
    if importlib.util.find_spec("heedful") is None:
        print("train_speed: heedful is not installed in this Python")
        return 2
    if options.device == "cuda" and not has_gpu():
        print("train_speed: --device cuda was asked for, but torch sees no GPU here")
        return 2
    if options.data == "multi30k" and "HEEDFUL_DATA" not in os.environ:
        print("train_speed: skipped, HEEDFUL_DATA does not name the folder with the data")
        return 0
    with tempfile.TemporaryDirectory(prefix="train-speed-") as folder:
        work = (options.work or Path(folder)).resolve()
        work.mkdir(parents=True, exist_ok=True)
        if options.data == "multi30k":
            from train.data import prepare

            prepare(work)
        benchmark = Benchmark(options, work)
        with suppress(KeyboardInterrupt):
            benchmark.everything()
        rows = benchmark.show()
    ours = [row for row in rows if row["implementation"] == OURS]
    return 0 if benchmark.complete and all("tokens" in row for row in ours) else 1


if __name__ == "__main__":
    sys.exit(main())
