"""The small LSTM that is to stand beside the bundled model: trained, made int8, scored.

    python benchmarks/bundled_lstm.py --out RUN --folder src/heedful/pretrained/everyday_lstm

Sutskever's model without attention: whatever the decoder knows of a sentence fits into the states
that the encoder ends with. Learns Tatoeba, English and German both ways, from
$HEEDFUL_DATA/tatoeba_en_de; needs no network. `--steps` shortens it, for a trial. Writes the model
folder with int8 matrices and, beside the run, results/bundled_lstm.json: BLEU both ways.
"""

import argparse
import json
import shutil
import tempfile
from pathlib import Path

from machine import data_folder, heed, record, train

MOST_BYTES = 3_000_000
"""What the folder may take of a package."""

PURPOSE = """\
# An LSTM without attention, English and German both ways

It stands beside the bundled Transformer in the tour of `heed play`, to show what one list of
numbers can hold of a sentence. Whoever wants to translate takes the other. The sentences are of
the contributors of Tatoeba (tatoeba.org), pairs selected by manythings.org, CC BY 2.0 FR; the
weights are distributed under Apache-2.0.
"""
"""What stands at the head of its card."""

ABSENT = ("- vocabulary shortlist", "- confidence")
"""Lines of the card about files that the folder does not get."""

SHAPE = {
    "d-model": "240",
    "encoder-layers": "2",
    "decoder-layers": "2",
    "attention.kind": "none",
    "direction": "backward",
    "dropout": "0.1",
}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--out", type=Path, required=True, help="folder of the run")
    parser.add_argument("--folder", type=Path, required=True, help="where the model is put")
    parser.add_argument("--steps", type=int, default=6000)
    parser.add_argument("--vocabulary", type=int, default=3000)
    options = parser.parse_args()
    data = data_folder(__file__)
    if data is None:
        return
    corpus = data / "tatoeba_en_de"
    train(options.out, words(corpus, options.steps, options.vocabulary))
    with tempfile.TemporaryDirectory() as scratch:
        small = Path(scratch) / "small"
        shrink(options.out / "model", small, data)
        size = sum(file.stat().st_size for file in small.iterdir())
        if size > MOST_BYTES:
            raise SystemExit(f"{size:,} bytes are more than the {MOST_BYTES:,} of the bundled LSTM")
        scores = {way: scored(small, corpus, *way.split("-")) for way in ("en-de", "de-en")}
        shutil.rmtree(options.folder, ignore_errors=True)
        shutil.copytree(small, options.folder)
    with (options.folder / "README.md").open("a", encoding="utf-8") as card:
        card.write(table(scores))
    record("bundled_lstm", {"bytes": size, "steps": options.steps, "scores": scores})
    for way, found in scores.items():
        print(way, found["bleu"]["value"], flush=True)


def shrink(trained: Path, small: Path, data: Path) -> None:
    """Write a model anew with int8 matrices, without the shortlist, which is for int8 kernels.

    Its card says what it is for, and names the corpora as they lie in the data folder.
    """
    import torch

    from heedful.model_folder import load_model, save_model

    found = load_model(trained)
    save_model(small, found.model, found.tokenizer, found.languages, dtype=torch.int8)
    card = (trained / "README.md").read_text("utf-8").replace(f"{data}/", "")
    kept = [line for line in card.split("\n") if not line.startswith(ABSENT)]
    (small / "README.md").write_text(PURPOSE + "\n".join(kept[1:]), "utf-8")


def words(corpus: Path, steps: int, vocabulary: int) -> list[str]:
    """Return what `heed train` is given: the recipe lstm, smaller, on large batches."""
    given = ["--recipe", "lstm", "--from", "en", "--to", "de", "--both-directions"]
    for option, part in (("--data", "train"), ("--dev", "dev"), ("--test", "test")):
        given += [option, str(corpus / f"{part}.tsv")]
    for name, value in SHAPE.items():
        given += [f"--model.{name}", value]
    settings = {
        "tokenizer.vocabulary-size": vocabulary,
        "training.max-steps": steps,
        "training.batch-tokens": 12_000,
        "training.max-pieces": 128,
        "training.validate-every": max(steps // 8, 1),
        "training.save-every": max(steps // 8, 1),
        "training.average-last": 3,
    }
    for name, number in settings.items():
        given += [f"--{name}", str(number)]
    return given


def table(scores: dict[str, dict[str, dict[str, float]]]) -> str:
    """Return the scores as the last part of its card."""
    made = "\n| set, beam 4 | way | BLEU | chrF |\n|---|---|---|---|\n"
    for way, found in scores.items():
        bleu, chrf = found["bleu"], found["chrf"]
        said = f"{bleu['value']:.1f} ({bleu['low']:.1f} to {bleu['high']:.1f})"
        made += f"| Tatoeba, test | {way} | {said} | {chrf['value']:.1f} |\n"
    return made


def scored(model: Path, corpus: Path, source: str, target: str) -> dict[str, dict[str, float]]:
    """Return BLEU and chrF of one direction on the test set."""
    asked = f"evaluate --model {model} --data {corpus / 'test.tsv'} --from {source} --to {target}"
    found = json.loads(heed(*asked.split(), "--json"))
    return {name: found[name] for name in ("bleu", "chrf")}


if __name__ == "__main__":
    main()
