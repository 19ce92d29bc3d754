"""Multi30k English to German from scratch, as the published figures are measured.

    python benchmarks/multi30k_protocol.py --device cuda          # three seeds, some 8 minutes each
    python benchmarks/multi30k_protocol.py --raw --device cuda    # the same on the text as it is

Text is lower-cased and cut into words by Moses' rules (sacremoses: pip install --group bench), for
training and test alike, and scored as it is, with beam 5; `--raw` leaves it as it is and scores
it cased. Runs lie in --runs; one that was stopped goes on, one that has ended is only scored. Needs
$HEEDFUL_DATA/multi30k; writes results/multi30k_protocol.json and the table in docs/multi30k.md.
"""

import argparse
import json
import statistics
from collections.abc import Callable
from pathlib import Path
from typing import Any

from machine import data_folder, heed, lines_of, log_of, record, recorded, train
from pages import put

PARTS = ("train", "val", "test_2016_flickr")
NAME = "multi30k_protocol"
PAGE = Path(__file__).parents[1] / "docs" / "multi30k.md"


def main() -> None:
    """Train and score each seed, then write all that is known."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--runs", type=Path, default=Path("runs/multi30k-protocol"))
    parser.add_argument("--seeds", type=int, nargs="+", default=[1, 2, 3])
    parser.add_argument("--raw", action="store_true", help="leave the text as it is")
    parser.add_argument("--device", default="auto")
    parser.add_argument("--note", default="", help="what a reader must know of these runs")
    options = parser.parse_args()
    data = data_folder(__file__)
    if data is None:
        return
    text = "raw" if options.raw else "tokenised"
    corpora = prepared(data / "multi30k", options.runs / text, options.raw)
    rows = [
        row
        for row in recorded(NAME).get("rows", [])
        if (row["text"], row["seed"]) not in {(text, seed) for seed in options.seeds}
    ]
    for seed in options.seeds:
        run = options.runs / text / f"seed-{seed}"
        train(run, words_for(corpora, seed, options.device))
        rows.append({"text": text, "seed": seed, "note": options.note} | scored(run, corpora, text))
        record(NAME, {"rows": rows})
        put(PAGE, Path(__file__), "\n".join(table(rows)) + "\n", "")


def prepared(data: Path, out: Path, raw: bool) -> dict[str, str]:
    """Write the corpora as pairs, a line each; return their paths."""
    out.mkdir(parents=True, exist_ok=True)
    cut = {language: words_of(language, raw) for language in ("en", "de")}
    for part in PARTS:
        sides = [
            [change(line) for line in lines_of(data / f"{part}.{name}")]
            for name, change in cut.items()
        ]
        lines = [f"{source}\t{target}\n" for source, target in zip(*sides, strict=True)]
        (out / f"{part}.tsv").write_text("".join(lines), "utf-8")
    return {part: str(out / f"{part}.tsv") for part in PARTS}


def words_of(language: str, raw: bool) -> Callable[[str], str]:
    """Return what is done to a line before training and test."""
    if raw:
        return lambda line: line.replace("\t", " ").strip()
    from sacremoses import MosesPunctNormalizer, MosesTokenizer

    normalizer, tokenizer = MosesPunctNormalizer(language), MosesTokenizer(language)

    def cut(line: str) -> str:
        clean = normalizer.normalize(line.lower())
        return str(tokenizer.tokenize(clean, escape=False, return_str=True))

    return cut


def words_for(corpora: dict[str, str], seed: int, device: str) -> list[str]:
    """Return the words of `heed train` for a seed."""
    learnt, dev, test = (corpora[part] for part in PARTS)
    words = ["--recipe", "multi30k-protocol", "--data", learnt, "--dev", dev, "--test", test]
    return [*words, "--from", "en", "--to", "de", "--seed", str(seed), "--device", device]


def scored(run: Path, corpora: dict[str, str], text: str) -> dict[str, Any]:
    """Return the scores of a run on the test set, and what its training was."""
    words = ["--model", str(run), "--data", corpora[PARTS[-1]], "--beam", "5", "--json"]
    words += ["--tokenize", "none"] if text == "tokenised" else []
    found = json.loads(heed("evaluate", *words))
    end = [entry for entry in log_of(run) if entry["kind"] == "train"][-1]
    return {
        "bleu": found["bleu"]["value"],
        "chrf": found["chrf"]["value"],
        "signature": found["bleu"]["signature"],
        "steps": end["step"],
        "minutes": end["seconds"] / 60,
        "target_pieces": round(end["seconds"] * end["tokens_per_second"]),
    }


def table(rows: list[dict[str, Any]]) -> list[str]:
    """Return a line for each kind of text."""
    lines = ["| text | seeds | BLEU, mean | BLEU of each | chrF, mean | million target pieces |"]
    lines += ["|---|---|---|---|---|---|"]
    for text in ("tokenised", "raw"):
        own = sorted((row for row in rows if row["text"] == text), key=lambda row: row["seed"])
        if own:
            lines.append(line_of(text, own))
    return lines


def line_of(text: str, rows: list[dict[str, Any]]) -> str:
    """Return the line of the table for these seeds of one kind of text.

    >>> row = {"bleu": 41.0, "chrf": 65.0, "target_pieces": 24_000_000, "seed": 1}
    >>> line_of("raw", [row, row | {"bleu": 42.0}])
    '| as it is, cased | 2 | 41.5 | 41.0, 42.0 | 65.0 | 24 |'
    """
    name = {"tokenised": "lower-cased, Moses tokens", "raw": "as it is, cased"}[text]
    bleu = [row["bleu"] for row in rows]
    each = ", ".join(f"{one:.1f}" for one in bleu)
    chrf, pieces = (statistics.mean(row[key] for row in rows) for key in ("chrf", "target_pieces"))
    return (
        f"| {name} | {len(rows)} | {statistics.mean(bleu):.1f} | {each} | {chrf:.1f} "
        f"| {pieces / 1e6:.0f} |"
    )


if __name__ == "__main__":
    main()
