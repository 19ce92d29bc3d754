"""Shakespeare, character by character: heedful's recipe gpt-char beside nanoGPT's own loop.

    python benchmarks/gpt_char.py                 # 3 seeds, about 10 minutes on two cores

The same sizes, steps, rates and data: 4 layers of 128, a context of 64, 12 windows a batch, 2,000
steps. nanoGPT's loop is `gpt/nanogpt.py`, in plain PyTorch, in float32 as it does on a CPU;
heedful runs the same model in float32, and its recipe as it is: rotary positions, a moving average
of the weights, and bf16 where the machine has it. Each training is a fresh process, and they take
turns. Both losses are of all of the last tenth of the text, in
float32, in windows one behind the other. Needs $HEEDFUL_DATA/tinyshakespeare/input.txt. Writes
results/gpt_char.json and results/gpt_char.md; with fewer seeds or steps only prints them.
"""

import argparse
import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from machine import RESULTS, data_folder, record

SEEDS, STEPS = (1, 2, 3), 2000
NANO, SAME, OURS = "nanoGPT's loop", "heedful, the same model in float32", "heedful, gpt-char"
SYSTEMS = (NANO, SAME, OURS)
LIKE_NANO = {
    "model": {"position": {"kind": "learned"}},
    "training": {"precision": "float32", "moving_average": None},
}
GOAL = 1.88
WINDOW = 64


def main() -> None:
    arguments = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    arguments.add_argument("--seeds", type=int, nargs="+", default=list(SEEDS))
    arguments.add_argument("--steps", type=int, default=STEPS)
    arguments.add_argument("--threads", type=int, default=os.cpu_count())
    arguments.add_argument("--systems", nargs="+", default=list(SYSTEMS), choices=SYSTEMS)
    arguments.add_argument("--one", help=argparse.SUPPRESS)
    options = arguments.parse_args()
    data = data_folder(__file__)
    if data is None:
        return
    text = data / "tinyshakespeare" / "input.txt"
    if not text.is_file():
        print("gpt_char: skipped, tinyshakespeare/input.txt is not in the folder with the data")
        return
    if options.one:
        print(json.dumps(one(options.one, text, options.seeds[0], options.steps, options.threads)))
        return
    runs = [measured(system, seed, options) for seed in options.seeds for system in options.systems]
    table = markdown(runs, options.threads)
    print(table)
    whole = (options.seeds, options.steps, options.systems) == (list(SEEDS), STEPS, list(SYSTEMS))
    if whole:
        record("gpt_char", {"threads": options.threads, "goal": GOAL, "runs": runs})
        (RESULTS / "gpt_char.md").write_text(table, "utf-8")


def measured(system: str, seed: int, options: argparse.Namespace) -> dict[str, Any]:
    """Train in a fresh process."""
    words = ["--one", system, "--seeds", seed, "--steps", options.steps]
    words += ["--threads", options.threads]
    threads = {name: str(options.threads) for name in ("OMP_NUM_THREADS", "MKL_NUM_THREADS")}
    command = [sys.executable, __file__, *map(str, words)]
    done = subprocess.run(
        command, stdout=subprocess.PIPE, text=True, check=True, env=os.environ | threads
    )
    found: dict[str, Any] = json.loads(done.stdout)
    print(json.dumps({k: v for k, v in found.items() if k != "sample"}), file=sys.stderr)
    return found


def one(system: str, text: Path, seed: int, steps: int, threads: int) -> dict[str, Any]:
    """Train, and measure what came of it."""
    import torch

    torch.set_num_threads(threads)
    with tempfile.TemporaryDirectory() as folder:
        made = nanogpt if system == NANO else heedful
        started, cpu = time.perf_counter(), time.process_time()
        found, logits, ids, sample = made(text, Path(folder), seed, steps, same=system == SAME)
        found["seconds"] = time.perf_counter() - started
        found["cpu_seconds"] = time.process_time() - cpu
        loss = exact(logits, ids)
        return {"system": system, "seed": seed, **found, "loss": loss, "sample": sample()}


Made = tuple[dict[str, Any], Callable[[Any], Any], Any, Callable[[], str]]


def nanogpt(text: Path, folder: Path, seed: int, steps: int, *, same: bool) -> Made:
    import numpy as np
    from gpt.nanogpt import train

    model, files, _, seconds = train(text.read_text("utf-8"), folder, seed, steps, fused=True)
    model.eval()
    ids = np.fromfile(files.val, np.uint16).astype(np.int64)
    return {"training_seconds": seconds}, model, ids, lambda: ""


def heedful(text: Path, folder: Path, seed: int, steps: int, *, same: bool) -> Made:
    from machine import log_of

    from heedful.config import merged
    from heedful.interop.writers import load_writer
    from heedful.progress import Progress
    from heedful.recipes import recipe
    from heedful.run import train

    config = merged(recipe("gpt-char"), LIKE_NANO if same else {})
    changes = {"data": {"train": [str(text)]}, "training": {"max_steps": steps}}
    run = folder / "run"
    train(merged(config, changes | {"seed": seed}), run, Progress(quiet=True))
    seconds = [entry["seconds"] for entry in log_of(run) if entry["kind"] == "train"][-1]
    writer = load_writer(run)
    whole = text.read_text("utf-8")
    ids = writer.vocabulary.running(whole[int(len(whole) * 0.9) :])
    model = writer.model
    return (
        {"training_seconds": seconds},
        lambda some: model.project(model.hidden(some)),
        ids.astype("int64"),
        lambda: sample_of(writer),
    )


def sample_of(writer: Any, characters: int = 500) -> str:
    """Let it write behind a line break, going on behind the last half of its context."""
    from heedful.search import Sample

    text = "\n"
    while len(text) <= characters:
        prompt = writer.vocabulary.encode(text[-WINDOW // 2 :])
        search = Sample(temperature=0.8, seed=len(text))
        ((found,),) = writer.write([prompt], search, WINDOW // 2)
        text += found.text or "\n"
    return text[1 : characters + 1]


def exact(logits: Callable[[Any], Any], ids: Any) -> float:
    """Return the mean loss over the whole windows of the ids, one behind the other."""
    import numpy as np
    import torch
    from torch.nn import functional as F

    starts = np.arange(0, len(ids) - WINDOW, WINDOW)[:, None]
    windows = torch.from_numpy(ids[starts + np.arange(WINDOW + 1)])
    with torch.inference_mode():
        sums = [
            F.cross_entropy(
                logits(some[:, :-1]).flatten(0, 1), some[:, 1:].flatten(), reduction="sum"
            )
            for some in windows.split(64)
        ]
    return float(sum(sums)) / (len(windows) * WINDOW)


def markdown(runs: list[dict[str, Any]], threads: int) -> str:
    """Return the table, the goals, and what heedful wrote."""
    lines = [
        f"Medians of {len({run['seed'] for run in runs})} seeds, {threads} threads.",
        "",
        "| loop | validation loss | seconds of training | seconds in all |",
        "|---|---|---|---|",
    ]
    medians: dict[str, dict[str, float]] = {}
    for system in dict.fromkeys(run["system"] for run in runs):
        own = [run for run in runs if run["system"] == system]
        names = ("loss", "training_seconds", "seconds")
        found = medians[system] = {n: statistics.median(run[n] for run in own) for n in names}
        cells = (f"{found['loss']:.4f}", *(f"{found[name]:.1f}" for name in names[1:]))
        lines.append(f"| {' | '.join((system, *cells))} |")
    lines.append("")
    if {OURS, NANO} <= medians.keys():
        ours, theirs = medians[OURS], medians[NANO]
        times = theirs["seconds"] / ours["seconds"]
        held = "held" if ours["loss"] <= GOAL else "missed"
        faster = "held" if times > 1 else "missed"
        lines += [
            f"- the goal of a loss of {GOAL} is {held}: {ours['loss']:.4f}, nanoGPT's loop "
            f"{theirs['loss']:.4f}",
            f"- the goal of less time is {faster}: {times:.2f} times as fast in all",
            "",
        ]
    samples = [run["sample"] for run in runs if run["sample"]]
    if samples:
        lines += ["What heedful's last model writes, at a temperature of 0.8:", "", "```text"]
        lines += [samples[-1].rstrip(), "```", ""]
    return "\n".join(lines)


if __name__ == "__main__":
    main()
