"""Multi30k English to German from scratch: train within a time limit, score test_2016_flickr.

    python benchmarks/multi30k.py --run runs/multi30k

Needs the data (train, val, test_2016_flickr as .en and .de) in $HEEDFUL_DATA/multi30k. A run
that was stopped goes on; one that has ended is only scored. Writes results/multi30k.json.
"""

import argparse
import json
import os
from pathlib import Path

from machine import heed, record

SETTINGS = ["--schedule.warmup-steps", "1500", "--training.bleu-sentences", "0"]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--run", type=Path, default=Path("runs/multi30k"))
    parser.add_argument("--minutes", type=int, default=68)
    options = parser.parse_args()
    data = os.environ.get("HEEDFUL_DATA")
    if data is None:
        print("multi30k: skipped, HEEDFUL_DATA does not name the folder with the data")
        return
    pair = {
        name: f"{data}/multi30k/{name}.en,{data}/multi30k/{name}.de"
        for name in ("train", "val", "test_2016_flickr")
    }
    words = ["train", "--recipe", "low-resource", "--data", pair["train"], "--dev", pair["val"]]
    words += ["--test", pair["test_2016_flickr"], "--from", "en", "--to", "de", *SETTINGS]
    words += ["--out", str(options.run), "--training.max-minutes", str(options.minutes)]
    if not (options.run / "model").exists():
        again = (options.run / "config.json").exists()
        heed(*(["train", "--resume", "--out", str(options.run)] if again else words))
    scores = {
        f"beam {beam}": json.loads(
            heed(
                *("evaluate", "--model", str(options.run), "--data", pair["test_2016_flickr"]),
                *("--beam", str(beam), "--json"),
            )
        )
        for beam in (1, 4)
    }
    lines = (options.run / "log.jsonl").read_text("utf-8").strip().split("\n")
    log = [json.loads(line) for line in lines]
    last = [entry for entry in log if entry["kind"] == "train"][-1]
    command = " ".join(["heed", *words]).replace(data, "$HEEDFUL_DATA")
    record(
        "multi30k",
        {
            "command": command,
            "training": {
                "minutes": round(last["seconds"] / 60, 1),
                "steps": last["step"],
                "epochs": last["epoch"],
                "target_tokens_per_second": round(last["tokens_per_second"]),
                "threads": os.environ.get("OMP_NUM_THREADS", "all"),
            },
            "validation": [entry for entry in log if entry["kind"] == "validation"],
            "test_2016_flickr": scores,
        },
    )


if __name__ == "__main__":
    main()
