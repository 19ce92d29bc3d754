"""Multi30k English to German from scratch, text as it is: an hour on the cores there are.

    python benchmarks/multi30k.py --run runs/multi30k

Needs the data (train, val, test_2016_flickr as .en and .de) in $HEEDFUL_DATA/multi30k. A run
that was stopped goes on; one that has ended is only scored on test_2016_flickr, by cased sacreBLEU.
Writes results/multi30k.json.
"""

import argparse
import json
from pathlib import Path

from machine import data_folder, heed, log_of, record, train


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--run", type=Path, default=Path("runs/multi30k"))
    parser.add_argument("--note", default="", help="what a reader must know of this run")
    options = parser.parse_args()
    data = data_folder(__file__)
    if data is None:
        return
    pair = {
        name: f"{data}/multi30k/{name}.en,{data}/multi30k/{name}.de"
        for name in ("train", "val", "test_2016_flickr")
    }
    words = ["--recipe", "multi30k", "--data", pair["train"], "--dev", pair["val"]]
    words += ["--test", pair["test_2016_flickr"], "--from", "en", "--to", "de"]
    train(options.run, words)
    scores = {
        f"beam {beam}": json.loads(
            heed(
                *("evaluate", "--model", str(options.run), "--data", pair["test_2016_flickr"]),
                *("--beam", str(beam), "--json"),
            )
        )
        for beam in (1, 5)
    }
    log = log_of(options.run)
    last = [entry for entry in log if entry["kind"] == "train"][-1]
    command = " ".join(["heed", "train", *words, "--out", "runs/multi30k"])
    record(
        "multi30k",
        {
            "command": command,
            "note": options.note,
            "training": {
                "minutes": round(last["seconds"] / 60, 1),
                "steps": last["step"],
                "epochs": last["epoch"],
                "target_tokens_per_second": round(last["tokens_per_second"]),
            },
            "validation": [entry for entry in log if entry["kind"] == "validation"],
            "test_2016_flickr": scores,
        },
    )


if __name__ == "__main__":
    main()
