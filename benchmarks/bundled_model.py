"""The bundled model in its four directions, on dev and test sets, and its card.

    python benchmarks/bundled_model.py --beside FOLDER

Run it with the Python of an environment in which the built wheel is installed. Needs the corpora
in $HEEDFUL_DATA, and OpenCC for their Chinese (pip install --group bench), which is partly in
traditional characters and made simplified. `--beside` is another model whose scores stand beside,
such as an earlier edition. Writes results/bundled_model.json and results/bundled_model.md: scores
and random, untouched outputs, the measured part of src/heedful/pretrained/everyday/README.md.
"""

import argparse
import json
import random
import tempfile
from pathlib import Path
from typing import Any, NamedTuple

from machine import RESULTS, data_folder, heed, lines_of, record

SAMPLES = 50


class Corpus(NamedTuple):
    """English and another language, side by side."""

    name: str
    folder: str
    other: str


CORPORA = (
    Corpus("Tatoeba", "tatoeba_en_de", "de"),
    Corpus("Debian descriptions", "debian_descriptions_en_de", "de"),
    Corpus("Tatoeba", "tatoeba_en_zh", "zh"),
)
Output = tuple[str, str, str, str]
"""Corpus, source, translation and reference."""


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--beside", type=Path, help="another model, of English and German")
    options = parser.parse_args()
    data = data_folder(__file__)
    if data is None:
        return
    rows: list[dict[str, Any]] = []
    outputs: dict[str, list[Output]] = {}
    with tempfile.TemporaryDirectory() as scratch:
        for corpus, part in [(corpus, part) for corpus in CORPORA for part in ("test", "dev")]:
            path = simplified(data / corpus.folder / f"{part}.tsv", corpus, Path(scratch))
            for way in (("en", corpus.other), (corpus.other, "en")):
                row, found = measured(path, corpus, part, way, options.beside)
                rows.append(row)
                print(row["corpus"], part, *way, row["scores"]["bleu"]["value"], flush=True)
                if part == "test":
                    outputs.setdefault("-".join(way), []).extend(found)
    record("bundled_model", {"beam": 4, "rows": rows})
    (RESULTS / "bundled_model.md").write_text(card(rows, outputs), "utf-8")


def simplified(path: Path, corpus: Corpus, scratch: Path) -> Path:
    """Return the file, or one whose Chinese is written in simplified characters."""
    if corpus.other != "zh":
        return path
    from opencc import OpenCC

    convert = OpenCC("t2s").convert
    pairs = [line.split("\t") for line in lines_of(path)]
    text = "".join(f"{english}\t{convert(chinese)}\n" for english, chinese in pairs)
    made = scratch / f"zh.{path.name}"
    made.write_text(text, "utf-8")
    return made


def measured(
    path: Path, corpus: Corpus, part: str, way: tuple[str, str], beside: Path | None
) -> tuple[dict[str, Any], list[Output]]:
    """Return what was measured of one direction, and the translations."""
    source, target = way
    words = ["--data", str(path), "--from", source, "--to", target, "--json"]
    with tempfile.TemporaryDirectory() as folder:
        out = Path(folder) / "out.txt"
        found = json.loads(heed("evaluate", *words, "-o", str(out)))
        hypotheses = lines_of(out)
    row = {"corpus": corpus.name, "part": part, "way": "-".join(way), "scores": found}
    if beside is not None and corpus.other == "de":
        row["beside"] = json.loads(heed("evaluate", "--model", str(beside), *words))
    pairs = [line.split("\t") for line in lines_of(path)]
    sides = [pair if source == "en" else pair[::-1] for pair in pairs]
    return row, [
        (corpus.name, one, hypothesis, other)
        for (one, other), hypothesis in zip(sides, hypotheses, strict=True)
    ]


def card(rows: list[dict[str, Any]], outputs: dict[str, list[Output]]) -> str:
    """Return the measured part of the model card."""
    lines = ["| corpus | direction | sacreBLEU | chrF | sentences | first edition | confidence |"]
    lines += ["|---|---|---|---|---|---|---|", *map(line_of, rows)]
    signatures = {row["scores"]["bleu"]["signature"] for row in rows}
    signatures |= {row["scores"]["chrf"]["signature"] for row in rows}
    lines += ["", "Signatures: " + ", ".join(f"`{name}`" for name in sorted(signatures)), ""]
    for way, found in outputs.items():
        lines += [f"### {SAMPLES} random outputs, untouched: {way}", ""]
        for corpus, source, hypothesis, reference in random.Random(0).sample(found, SAMPLES):
            lines += [f"- {corpus}", f"  - source: {source}", f"  - model: {hypothesis}"]
            lines += [f"  - reference: {reference}"]
        lines.append("")
    return "\n".join(lines)


def line_of(row: dict[str, Any]) -> str:
    """Return the line of the table for one direction on one corpus."""
    found = row["scores"]
    bleu, chrf, sure = found["bleu"], found["chrf"], found["confidence"]
    first = "none"
    if "beside" in row:
        first = f"{row['beside']['bleu']['value']:.1f}, chrF {row['beside']['chrf']['value']:.1f}"
    return (
        f"| {row['corpus']}, {row['part']} | {row['way']} "
        f"| {bleu['value']:.1f} ({bleu['low']:.1f} to {bleu['high']:.1f}) | {chrf['value']:.1f} "
        f"| {found['sentences']:,} | {first} "
        f"| correlation {sure['correlation']:.2f}, error {sure['error']:.0f} |"
    )


if __name__ == "__main__":
    main()
