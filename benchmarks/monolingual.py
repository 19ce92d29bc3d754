"""What texts without translations, and teachers, give where pairs are few.

    python benchmarks/monolingual.py             # all that is missing, 4 minutes a training
    python benchmarks/monolingual.py --most 2    # two more trainings, then stop
    python benchmarks/monolingual.py --show      # the table once more

Of Tatoeba's English-German pairs 20,000 are shown and 40,000 hidden: of those a training sees one
side alone. Each training has one core, and its minutes are those of the processor; what a teacher
writes comes on top. Scored on Tatoeba's test set, English to German, beam 4. Needs $HEEDFUL_DATA.
Runs lie in --runs. Writes results/monolingual.json after each training and the table in
docs/monolingual.md.
"""

import argparse
import json
import os
from pathlib import Path
from typing import Any, NamedTuple

from machine import (
    ONE_THREAD,
    heed,
    lines_of,
    log_of,
    one_core,
    record,
    recorded,
    train_if_asked,
)
from pages import put

NAME, MINUTES = "monolingual", 4.0
PAIRS, HIDDEN = 20_000, 40_000
DOCS = Path(__file__).parents[1] / "docs"
BASE = [
    *("--recipe", "low-resource", "--tokenizer.vocabulary-size", "6000"),
    *("--model.d-model", "128", "--model.d-ff", "512", "--model.dropout", "0.2"),
    *("--model.residual.kind", "pre_norm", "--training.batch-tokens", "1024"),
    *("--schedule.warmup-steps", "400", "--schedule.scale", "0.5"),
    *("--training.validate-every", "100000", "--training.bleu-sentences", "0"),
    *("--training.save-every", "100", "--training.average-last", "5"),
]
"""Words of `heed train`. No validation but that of the end, which chooses among the averages."""


class Training(NamedTuple):
    """One row of the table."""

    pairs: str
    words: list[str]
    teacher: str | None = None
    minutes: float = MINUTES
    ways: tuple[str, str] = ("en", "de")


TRAININGS = {
    "20,000 pairs": Training("shown", []),
    "German to English, the back-translator": Training("shown", [], ways=("de", "en")),
    "and 40,000 German texts, back-translated": Training(
        "shown", ["--target-texts", "{texts}/hidden.de"], "German to English, the back-translator"
    ),
    "and 40,000 English texts, translated by the first row": Training(
        "shown", ["--source-texts", "{texts}/hidden.en"], "20,000 pairs"
    ),
    "20,000 pairs, a teacher of width 256, thrice the time": Training(
        "shown", ["--model.d-model", "256"], minutes=3 * MINUTES
    ),
    "20,000 pairs, distilled from that teacher": Training(
        "shown", ["--distil"], "20,000 pairs, a teacher of width 256, thrice the time"
    ),
    "60,000 pairs, nothing hidden": Training("all", []),
}
"""A teacher stands before those that it teaches."""


def main() -> None:
    """Train what is missing, or only show."""
    train_if_asked()
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    first = min(os.sched_getaffinity(0))
    parser.add_argument("--core", type=int, default=first, help="which to use")
    parser.add_argument("--runs", type=Path, default=Path("runs/monolingual"))
    parser.add_argument("--most", type=int, default=100, help="trainings to make, at most")
    parser.add_argument("--show", action="store_true", help="train nothing")
    options = parser.parse_args()
    data = os.environ.get("HEEDFUL_DATA")
    rows = known()
    if data is None:
        print("monolingual: HEEDFUL_DATA does not name the folder with the data")
    elif not options.show:
        corpora = divided(Path(data) / "tatoeba_en_de", options.runs)
        missing = [name for name in TRAININGS if name not in {row["name"] for row in rows}]
        for name in missing[: options.most]:
            rows.append(measured(name, corpora, options.runs, options.core))
            record(NAME, {"minutes": MINUTES, "base": BASE, "trainings": TRAININGS, "rows": rows})
    if rows:
        put(DOCS / "monolingual.md", Path(__file__), "\n".join(table(rows)) + "\n", "")


def known() -> list[dict[str, Any]]:
    """Return the trainings made so far; those of other settings are forgotten."""
    found = recorded(NAME)
    now = json.loads(json.dumps([MINUTES, BASE, TRAININGS]))
    same = [found.get(key) for key in ("minutes", "base", "trainings")] == now
    rows: list[dict[str, Any]] = found["rows"] if same else []
    return rows


def divided(data: Path, out: Path) -> dict[str, str]:
    """Write the pairs that are shown, one side each of those that are hidden, and all."""
    out.mkdir(parents=True, exist_ok=True)
    lines = lines_of(data / "train.tsv")
    shown, hidden = lines[:PAIRS], lines[PAIRS : PAIRS + HIDDEN]
    texts = {"shown.tsv": shown, "all.tsv": shown + hidden}
    for column, language in enumerate(("en", "de")):
        texts[f"hidden.{language}"] = [line.split("\t")[column] for line in hidden]
    for name, content in texts.items():
        (out / name).write_text("\n".join(content) + "\n", "utf-8")
    files = {"shown": f"{out}/shown.tsv", "all": f"{out}/all.tsv", "texts": str(out)}
    return files | {part: f"{data}/{part}.tsv" for part in ("dev", "test")}


def measured(name: str, corpora: dict[str, str], runs: Path, core: int) -> dict[str, Any]:
    """Train on one core and return the scores."""
    training = TRAININGS[name]
    run = runs / folder_of(name)
    source, target = training.ways
    way = ["--from", source, "--to", target]
    words = ["train", "--quiet", "--data", corpora[training.pairs], "--dev", corpora["dev"]]
    words += ["--test", corpora["test"], *way, *BASE, "--out", str(run)]
    words += [word.format(texts=corpora["texts"]) for word in training.words]
    words += ["--training.max-minutes", str(training.minutes)]
    if source == "de":
        words += ["--columns", "2,1"]
    if training.teacher is not None:
        words += ["--teacher", str(runs / folder_of(training.teacher))]
    one_core(__file__, core, words)
    test = ["--data", corpora["test"], *way, "--beam", "4", "--json"]
    test += ["--columns", "2,1"] if source == "de" else []
    found = json.loads(heed("evaluate", "--model", str(run), *test, **ONE_THREAD))
    row = {
        "name": name,
        "bleu": found["bleu"]["value"],
        "chrf": found["chrf"]["value"],
        "steps": log_of(run)[-1]["step"],
    }
    print(row, flush=True)
    return row


def folder_of(name: str) -> str:
    """Return the name of a training's run folder.

    >>> folder_of("20,000 pairs, distilled")
    '20-000-pairs--distilled'
    """
    return "".join(letter if letter.isalnum() else "-" for letter in name)


def table(rows: list[dict[str, Any]]) -> list[str]:
    """Return a line for each training."""
    lines = ["| learnt from | BLEU | chrF | steps |", "|---|---|---|---|"]
    return lines + [
        f"| {row['name']} | {row['bleu']:.1f} | {row['chrf']:.1f} | {row['steps']:,} |"
        for row in rows
    ]


if __name__ == "__main__":
    main()
