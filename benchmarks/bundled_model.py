"""The bundled English-German model on both test sets and in both directions, and its card.

    python benchmarks/bundled_model.py

Run it with the Python of an environment in which the built wheel is installed. Needs the test
sets in $HEEDFUL_DATA. Writes results/bundled_model.json and results/bundled_model.md: scores and
50 random, untouched outputs, the measured part of src/heedful/pretrained/en-de/README.md.
"""

import json
import os
import random
import tempfile
from pathlib import Path
from typing import Any

from machine import RESULTS, heed, record

TESTS = {"Tatoeba": "tatoeba_en_de", "Debian descriptions": "debian_descriptions_en_de"}
SAMPLES = 50


def main() -> None:
    data = os.environ.get("HEEDFUL_DATA")
    if data is None:
        print("bundled_model: skipped, HEEDFUL_DATA does not name the folder with the data")
        return
    scores: dict[str, Any] = {}
    outputs: list[tuple[str, str, str, str]] = []
    for name, folder in TESTS.items():
        path = f"{data}/{folder}/test.tsv"
        rows = [line.split("\t") for line in Path(path).read_text("utf-8").strip().split("\n")]
        for source, target in (("en", "de"), ("de", "en")):
            key = f"{name} {source}-{target}"
            scores[key], hypotheses = measured(path, source, target)
            swap = source == "de"
            outputs += [
                (key, *((row[1], row[0]) if swap else (row[0], row[1])), hypothesis)
                for row, hypothesis in zip(rows, hypotheses, strict=True)
            ]
    record("bundled_model", {"beam": 4, "scores": scores})
    (RESULTS / "bundled_model.md").write_text(card(scores, outputs), "utf-8")


def measured(path: str, source: str, target: str) -> tuple[dict[str, Any], list[str]]:
    """Return the scores of one direction and the translations."""
    with tempfile.TemporaryDirectory() as folder:
        out = Path(folder) / "out.txt"
        words = ["--data", path, "--from", source, "--to", target, "--json", "-o", str(out)]
        found = json.loads(heed("evaluate", *words))
        return found, out.read_text("utf-8").removesuffix("\n").split("\n")


def card(scores: dict[str, Any], outputs: list[tuple[str, str, str, str]]) -> str:
    """Return the measured part of the model card."""
    lines = ["| test set | sacreBLEU | chrF | sentences | confidence |", "|---|---|---|---|---|"]
    for key, found in scores.items():
        bleu, chrf, sure = found["bleu"], found["chrf"], found["confidence"]
        lines.append(
            f"| {key} | {bleu['value']:.1f} ({bleu['low']:.1f} to {bleu['high']:.1f}) "
            f"| {chrf['value']:.1f} | {found['sentences']:,} "
            f"| correlation {sure['correlation']:.2f}, error {sure['error']:.0f} |"
        )
    first = next(iter(scores.values()))
    lines += ["", f"Signatures: `{first['bleu']['signature']}`, `{first['chrf']['signature']}`", ""]
    lines += [f"### {SAMPLES} random outputs, untouched", ""]
    for key, source, reference, hypothesis in random.Random(0).sample(outputs, SAMPLES):
        lines += [f"- {key}", f"  - source: {source}", f"  - model: {hypothesis}"]
        lines += [f"  - reference: {reference}"]
    return "\n".join(lines) + "\n"


if __name__ == "__main__":
    main()
