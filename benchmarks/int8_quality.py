"""What int8 and a shortlist cost: scores in float32, in int8, and with --fast; sizes on disk.

    python benchmarks/int8_quality.py --multi30k runs/multi30k/model
    python benchmarks/int8_quality.py --multi30k runs/multi30k/model --device cuda

Scores the bundled model on Tatoeba, in both directions, and a model trained on Multi30k on
test_2016_flickr, by `heed evaluate` with beam 4 and greedily; the shortlists are learnt from the
training parts, into copies of the models. `heed export` writes the models in every precision.
Needs $HEEDFUL_DATA. Writes results/int8_quality.json; on a GPU the scores of float32 and of bf16
to results/gpu_quality.json.
"""

import argparse
import json
import shutil
import tempfile
from pathlib import Path
from typing import Any

from machine import data_folder, heed, record

from heedful.model_path import BUNDLED, model_path

WAYS = {
    "cpu": {
        "float32": ("--precision", "float32"),
        "int8": ("--precision", "int8"),
        "int8 and a shortlist": ("--precision", "int8", "--fast"),
    },
    "cuda": {
        "float32": ("--device", "cuda", "--precision", "float32"),
        "bf16": ("--device", "cuda", "--precision", "bf16"),
    },
}


def main() -> None:
    """Measure and write."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--multi30k", help="a model trained on Multi30k, English to German")
    parser.add_argument("--device", choices=tuple(WAYS), default="cpu")
    options = parser.parse_args()
    data = data_folder(__file__)
    if data is None:
        return
    tatoeba, flickr = data / "tatoeba_en_de", data / "multi30k"
    learnt = (str(tatoeba / "train.tsv"), f"zh={data / 'tatoeba_en_zh' / 'train.tsv'}")
    tests: dict[str, tuple[str, tuple[str, ...], str, tuple[str, str]]] = {
        "Tatoeba, en-de": (BUNDLED, learnt, str(tatoeba / "test.tsv"), ("en", "de")),
        "Tatoeba, de-en": (BUNDLED, learnt, str(tatoeba / "test.tsv"), ("de", "en")),
    }
    if options.multi30k:
        train, test = (
            f"{flickr / part}.en,{flickr / part}.de" for part in ("train", "test_2016_flickr")
        )
        tests["Multi30k, en-de"] = (options.multi30k, (train,), test, ("en", "de"))
    found = {name: measured(options.device, *test) for name, test in tests.items()}
    if options.device == "cuda":
        print(json.dumps(found, indent=2))
        record("gpu_quality", {"gpu": gpu(), "scores": found})
        return
    models = [BUNDLED, *([options.multi30k] if options.multi30k else [])]
    names = ("bundled", "Multi30k en-de")
    files = {name: sizes(model) for name, model in zip(names, models, strict=False)}
    print(json.dumps(found | files, indent=2))
    record("int8_quality", {"scores": found, "bytes": files})


def gpu() -> str:
    """Return the name of the GPU."""
    import torch

    return torch.cuda.get_device_name()


def sizes(model: str) -> dict[str, int]:
    """Return the bytes of model.safetensors in every precision."""
    found = {}
    with tempfile.TemporaryDirectory() as place:
        for kept in ("float32", "bfloat16", "int8"):
            folder = Path(place) / kept
            words = ("--to", "heedful", "--quantization", kept, "-o", str(folder))
            heed("export", "--model", model, *words)
            found[kept] = (folder / "model.safetensors").stat().st_size
    return found


def measured(
    device: str, model: str, learnt: tuple[str, ...], test: str, way: tuple[str, str]
) -> dict[str, Any]:
    """Return BLEU and chrF of every way, greedily and with beam 4."""
    scores: dict[str, Any] = {}
    with tempfile.TemporaryDirectory() as folder:
        copy = shutil.copytree(model_path(model), Path(folder) / "model")
        if device == "cpu":
            heed("shortlist", "--model", str(copy), "--data", *learnt, "--quiet")
        for name, words in WAYS[device].items():
            for beam in ("1", "4"):
                asked = ("--data", test, "--from", way[0], "--to", way[1], "--beam", beam)
                said = json.loads(
                    heed("evaluate", "--model", str(copy), *asked, "--json", "--quiet", *words)
                )
                scores[f"{name}, beam {beam}"] = {
                    score: said[score] for score in ("bleu", "chrf", "sentences")
                }
    return scores


if __name__ == "__main__":
    main()
