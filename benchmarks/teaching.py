"""What a bundled model gains from a small corpus of a domain in some minutes, and what it forgets.

    python benchmarks/teaching.py            # all that is missing
    python benchmarks/teaching.py --show     # the table once more

Begins with the bundled model, teaches it strings of LibreOffice's user interface or descriptions of
Debian packages, and compares both models on held-out texts of that kind and on Tatoeba. Each
training has one core, and its minutes are those of the processor. Needs $HEEDFUL_DATA. Writes
results/teaching.json after each training and the table in docs/teaching.md.
"""

import argparse
import json
import os
import tempfile
from pathlib import Path
from typing import Any

from machine import log_of, one_core, record, recorded, train_if_asked
from pages import put

from heedful.model_path import BUNDLED

NAME, MINUTES = "teaching", 20.0
DOCS = Path(__file__).parents[1] / "docs"
LIBREOFFICE = ["--data", "{data}/libreoffice_ui_en_de/ui.en,{data}/libreoffice_ui_en_de/ui.de"]
DEBIAN = [
    *("--data", "{data}/debian_descriptions_en_de/train.tsv"),
    *("--dev", "{data}/debian_descriptions_en_de/dev.tsv"),
    *("--test", "{data}/debian_descriptions_en_de/test.tsv"),
]
MIXED = ["--mix", "{data}/tatoeba_en_de/train.tsv"]
TAUGHT: dict[str, list[str]] = {
    "LibreOffice": [*LIBREOFFICE, *MIXED],
    "LibreOffice, nothing mixed in": LIBREOFFICE,
    "LibreOffice, LoRA of rank 16": [*LIBREOFFICE, *MIXED, "--training.lora-rank", "16"],
    "Debian descriptions": [*DEBIAN, *MIXED],
}


def main() -> None:
    """Teach what is missing, or only show."""
    train_if_asked()
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    first = min(os.sched_getaffinity(0))
    parser.add_argument("--core", type=int, default=first, help="which to use")
    parser.add_argument("--show", action="store_true", help="train nothing")
    options = parser.parse_args()
    data = os.environ.get("HEEDFUL_DATA")
    rows = known()
    for name in TAUGHT if data is not None and not options.show else ():
        if name not in {row["name"] for row in rows}:
            rows.append(taught(name, str(data), options.core))
            record(NAME, {"minutes": MINUTES, "taught": TAUGHT, "rows": rows})
    if data is None:
        print("teaching: HEEDFUL_DATA does not name the folder with the data")
    if rows:
        put(DOCS / "teaching.md", Path(__file__), "\n".join(table(rows)) + "\n", "")


def known() -> list[dict[str, Any]]:
    """Return the trainings made so far; those of other settings are forgotten."""
    found = recorded(NAME)
    if found.get("minutes") != MINUTES:
        return []
    return [row for row in found["rows"] if found["taught"][row["name"]] == TAUGHT.get(row["name"])]


def taught(name: str, data: str, core: int) -> dict[str, Any]:
    """Train, and return what has been gained and lost."""
    with tempfile.TemporaryDirectory() as folder:
        words = ["train", "--quiet", "--start", BUNDLED, "--from", "en", "--to", "de"]
        words += [word.format(data=data) for word in TAUGHT[name]]
        words += ["--general", f"{data}/tatoeba_en_de/test.tsv", "--out", f"{folder}/run"]
        words += ["--training.max-minutes", str(MINUTES)]
        one_core(__file__, core, words)
        gains = json.loads(Path(f"{folder}/run/gains.json").read_text("utf-8"))
        steps = log_of(Path(folder) / "run")[-1]["step"]
    return {"name": name, "steps": steps, "gains": gains}


def table(rows: list[dict[str, Any]]) -> list[str]:
    """Return a line for each training."""
    lines = ["| taught | steps | its texts: BLEU | chrF | Tatoeba: BLEU | chrF |"]
    lines.append("|---|---|---|---|---|---|")
    for row in rows:
        cells = [
            f"{before:.1f} → {after:.1f}"
            for gain in row["gains"]
            for before, after in zip(gain["before"], gain["after"], strict=True)
        ]
        lines.append(f"| {row['name']} | {row['steps']:,} | {' | '.join(cells)} |")
    return lines


if __name__ == "__main__":
    main()
