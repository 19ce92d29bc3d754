"""What nine years of changes to the paper's model and training give, each at equal time.

    python benchmarks/since_2017.py                 # all that is missing, 3 minutes a training
    python benchmarks/since_2017.py --most 5        # five more trainings, then stop
    python benchmarks/since_2017.py --cores 0 1     # two at a time, each on a core of its own
    python benchmarks/since_2017.py --show          # table and plot once more

Multi30k English to German from scratch, scored on test_2016_flickr: first the model and training of
2017, then the same with one change. Each training has one core and one thread, and its minutes
are those of the processor, so that other work on other cores changes little. Needs
$HEEDFUL_DATA and, for the plot, matplotlib (pip install --group bench). Writes
results/since_2017.json after each training, docs/since-2017.svg and the table in
docs/since-2017.md.
"""

import argparse
import importlib.util
import json
import os
import tempfile
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor, as_completed
from pathlib import Path
from queue import Queue
from typing import Any

from machine import ONE_THREAD, heed, log_of, one_core, record, recorded, train_if_asked
from since.plot import draw
from since.table import fill
from since.variants import BASE, RATES, SEEDS, VARIANTS

DOCS = Path(__file__).parents[1] / "docs"
MINUTES = 3.0
NAME = "since_2017"


def main() -> None:
    """Train what is missing, or only show."""
    train_if_asked()
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--most", type=int, default=1000, help="trainings to make, at most")
    cores = sorted(os.sched_getaffinity(0))
    parser.add_argument("--cores", type=int, nargs="+", default=cores[:1], help="which to use")
    parser.add_argument("--show", action="store_true", help="train nothing")
    options = parser.parse_args()
    data = os.environ.get("HEEDFUL_DATA")
    if data is None and not options.show:
        print("since_2017: skipped, HEEDFUL_DATA does not name the folder with the data")
        return
    rows = known()
    if data is not None and not options.show:
        for row in trained(missing(rows)[: options.most], options.cores, Path(data) / "multi30k"):
            rows.append(row)
            record(
                NAME, {"minutes": MINUTES, "base": BASE, "variants": VARIANTS | RATES, "rows": rows}
            )
    show(rows)


def known() -> list[dict[str, Any]]:
    """Return the trainings made so far; those of other settings are forgotten."""
    found = recorded(NAME)
    if (found.get("minutes"), found.get("base")) != (MINUTES, BASE):
        return []
    now = VARIANTS | RATES
    same = {name for name, words in now.items() if found["variants"].get(name) == words}
    return [row for row in found["rows"] if row["variant"] in same]


def missing(rows: list[dict[str, Any]]) -> list[tuple[str, int]]:
    """Return what is still to be trained, all variants with one seed before the next."""
    done = {(row["variant"], row["seed"]) for row in rows}
    every = [(variant, seed) for seed in SEEDS for variant in VARIANTS]
    every += [(variant, SEEDS[0]) for variant in RATES]
    return [one for one in every if one not in done]


def trained(
    wanted: list[tuple[str, int]], cores: list[int], data: Path
) -> Iterator[dict[str, Any]]:
    """Train each of these, as many at a time as there are cores; yield what was measured."""
    free: Queue[int] = Queue()
    for core in cores:
        free.put(core)

    def one(variant: str, seed: int) -> dict[str, Any]:
        core = free.get()
        try:
            return measured(variant, seed, core, data)
        finally:
            free.put(core)

    with ThreadPoolExecutor(len(cores)) as pool:
        for done in as_completed([pool.submit(one, *which) for which in wanted]):
            yield done.result()


def measured(variant: str, seed: int, core: int, data: Path) -> dict[str, Any]:
    """Train a variant on one core and return its scores."""
    pairs = {
        name: f"{data}/{name}.en,{data}/{name}.de" for name in ("train", "val", "test_2016_flickr")
    }
    with tempfile.TemporaryDirectory() as folder:
        words = ["train", "--quiet", "--data", pairs["train"], "--dev", pairs["val"]]
        words += ["--from", "en", "--to", "de", "--seed", str(seed), "--out", f"{folder}/run"]
        words += ["--training.max-minutes", str(MINUTES), *BASE, *(VARIANTS | RATES)[variant]]
        one_core(__file__, core, words)
        test = ["--data", pairs["test_2016_flickr"], "--beam", "4", "--json"]
        found = json.loads(heed("evaluate", "--model", f"{folder}/run", *test, **ONE_THREAD))
        end = log_of(Path(folder) / "run")[-1]
    row = {
        "variant": variant,
        "seed": seed,
        "bleu": found["bleu"]["value"],
        "chrf": found["chrf"]["value"],
        "steps": end["step"],
        "minutes": end["seconds"] / 60,
        "target_tokens_per_second": end["tokens_per_second"],
    }
    print(row, flush=True)
    return row


def show(rows: list[dict[str, Any]]) -> None:
    """Write the plot and the table of what was measured."""
    if not rows:
        return
    if importlib.util.find_spec("matplotlib") is not None:
        draw(rows, DOCS / "since-2017.svg")
    print(fill(DOCS / "since-2017.md", rows))


if __name__ == "__main__":
    main()
