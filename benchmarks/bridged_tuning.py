"""What fine-tuning gives a translator that came from elsewhere, all by the command line.

    python benchmarks/bridged_tuning.py --model runs/multi30k
    python benchmarks/bridged_tuning.py --show       # the table once more

Sends a translator en → de that has learnt Multi30k to Hugging Face as a Marian, imports that, and
teaches it Tatoeba twice: all weights, and by LoRA. All three are scored on held-out rows of Tatoeba
and on Multi30k's test of 2016. Each training has one core, and its minutes are those of the
processor. Needs $HEEDFUL_DATA and transformers. Writes results/bridged_tuning.json after each
training and the table in docs/bridges.md.
"""

import argparse
import json
import os
import tempfile
from pathlib import Path
from typing import Any

from machine import (
    ONE_THREAD,
    data_folder,
    heed,
    lines_of,
    log_of,
    one_core,
    record,
    recorded,
    train_if_asked,
)
from pages import put

NAME, MINUTES = "bridged_tuning", 4.0
ROWS = {"train": 30_000, "dev": 300, "test": 500}
"""Of Tatoeba's files, evenly spread."""
WAYS: dict[str, list[str]] = {
    "all weights": [],
    "LoRA of rank 16": ["--training.lora-rank", "16", "--schedule.peak", "3e-3"],
}
PAGE = Path(__file__).parents[1] / "docs" / "bridges.md"
HEADER = """\
| model | steps | Tatoeba: BLEU | chrF | Multi30k: BLEU | chrF |
|---|---|---|---|---|---|
"""


def main() -> None:
    """Measure, or only show."""
    train_if_asked()
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--model", type=Path, help="a translator en → de of Multi30k, post-norm")
    first = min(os.sched_getaffinity(0))
    parser.add_argument("--core", type=int, default=first, help="which to use")
    parser.add_argument("--show", action="store_true", help="train nothing")
    options = parser.parse_args()
    data = None if options.show else data_folder(__file__)
    if data is not None:
        if options.model is None:
            parser.error("--model is needed: the translator to begin with")
        with tempfile.TemporaryDirectory() as folder:
            measure(options.model, data, Path(folder), options.core)
    if recorded(NAME):
        put(PAGE, Path(__file__), HEADER + "\n".join(map(line, recorded(NAME)["rows"])) + "\n", "")


def measure(model: Path, data: Path, work: Path, core: int) -> None:
    """Export, import, score, teach both ways and score again."""
    for name, count in ROWS.items():
        lines = lines_of(data / "tatoeba_en_de" / f"{name}.tsv")
        chosen = (lines[i * len(lines) // count] + "\n" for i in range(count))
        (work / f"{name}.tsv").write_text("".join(chosen), "utf-8", newline="\n")
    start = str(work / "imported")
    heed("export", "--model", str(model), "--to", "huggingface", "-o", str(work / "marian"))
    said = heed("import", str(work / "marian"), "-o", start)
    rows = [{"name": "as imported", "steps": 0, "scores": scores(start, data, work)}]
    whole = {"base": said.strip().rpartition(": ")[2], "minutes": MINUTES, "of_tatoeba": ROWS}
    for number, (name, settings) in enumerate(WAYS.items()):
        run = work / f"run{number}"
        words = ["train", "--quiet", "--start", start, "--recipe", "tune", "--from", "en"]
        words += ["--to", "de", "--data", str(work / "train.tsv"), "--dev", str(work / "dev.tsv")]
        words += ["--test", str(work / "test.tsv"), "--training.max-minutes", str(MINUTES)]
        one_core(__file__, core, [*words, *settings, "--out", str(run)])
        steps = log_of(run)[-1]["step"]
        rows.append({"name": name, "steps": steps, "scores": scores(str(run), data, work)})
        record(NAME, whole | {"ways": WAYS, "rows": rows})


def scores(model: str, data: Path, work: Path) -> dict[str, dict[str, Any]]:
    """Return BLEU and chrF of a model, with their intervals, on both test sets."""
    pairs = f"{data}/multi30k/test_2016_flickr.en,{data}/multi30k/test_2016_flickr.de"
    found = {}
    for name, test in (("Tatoeba", str(work / "test.tsv")), ("Multi30k", pairs)):
        words = ["evaluate", "--model", model, "--data", test, "--beam", "4", "--json", "--quiet"]
        told = json.loads(heed(*words, **ONE_THREAD))
        found[name] = {"precision": told["precision"], "bleu": told["bleu"], "chrf": told["chrf"]}
    return found


def line(row: dict[str, Any]) -> str:
    """Return a line of the table."""
    cells = [f"{row['steps']:,}"]
    for found in row["scores"].values():
        cells += [f"{found[metric]['value']:.1f}" for metric in ("bleu", "chrf")]
    return f"| {row['name']} | {' | '.join(cells)} |"


if __name__ == "__main__":
    main()
