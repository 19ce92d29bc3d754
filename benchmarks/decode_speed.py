"""Decoding speed on CPU, the same weights in every engine: heedful, CTranslate2, Marian, PyTorch.

    python benchmarks/decode_speed.py --model runs/multi30k/model

Translates Multi30k test_2016_flickr ($HEEDFUL_DATA/multi30k), greedily and with beam 4, in fresh
processes: with the model given, then 64 sentences of it with the paper's base model, untrained, to
answers of 30 pieces, then single texts of up to 1,000 pieces. Each engine, in each layout of
processes and threads, first gets the batch size that is fastest for it on a part of the sentences;
then all take turns for three rounds. Measured: sentences and tokens a second over the whole set,
one sentence alone, start-up, peak memory, BLEU. Greedily all choose the same; a beam is ranked by
each engine's own formula, as its users get it. heedful "fast" chooses among pieces of a shortlist
learned from Multi30k's training pairs. Marian runs only models of the paper's kind
(`heed train --model.residual.kind post_norm`). Prints the tables, and which goals hold; writes
results/decode_speed.{json,md}; of a part (--parts, --only, --sentences) it is just printed.
"""

import argparse
import json
import os
import shutil
import tempfile
from pathlib import Path
from typing import Any

from decode.goals import goals
from decode.models import Part, base_model, learn_shortlist, parts
from decode.run import run
from decode.spec import SLOW, Engine, engines
from decode.table import markdown, row_of
from machine import RESULTS, record

from heedful.data.workers import usable_cores

SAMPLE = 500
"""Sentences on which the batch sizes are tried."""


def main() -> None:
    """Measure everything asked for."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--model", type=Path, default=Path("runs/multi30k/model"))
    parser.add_argument("--sentences", type=int, help="the first so many, to try it out")
    parser.add_argument("--parts", nargs="+", help="small, base, length: those alone")
    parser.add_argument("--only", nargs="+", help="engines whose names hold one of these words")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--cores", type=int, default=usable_cores())
    options = parser.parse_args()
    given = os.environ.get("HEEDFUL_DATA")
    if given is None or not options.model.is_dir():
        print(f"decode_speed: skipped, needs HEEDFUL_DATA and the model folder {options.model}")
        return
    data = Path(given)
    texts = [
        (data / "multi30k" / f"test_2016_flickr.{side}").read_text("utf-8").splitlines()
        for side in ("en", "de")
    ]
    sources, references = (text[: options.sentences] for text in texts)
    rows: list[dict[str, Any]] = []
    with tempfile.TemporaryDirectory(prefix="decode-speed-") as place:
        folder = Path(place)
        small = Path(shutil.copytree(options.model, folder / "small"))
        base = base_model(folder / "base", data)
        for model in (small, base):
            learn_shortlist(model, data)
        for part in parts(small, base, sources, options.rounds):
            if options.parts is None or part.name.split()[0] in options.parts:
                found = measure(part, prepare(part, folder / f"part {part.name}"), options)
                if part.fixed is None:
                    score(found, references, small)
                rows += found
    print(table := markdown(rows))
    print(reached := goals(rows))
    if options.sentences is options.only is options.parts is None:
        (RESULTS / "decode_speed.md").write_text(f"{table}\n{reached}", "utf-8")
        record("decode_speed", {"model": options.model.name, "rows": rows})


def prepare(part: Part, folder: Path) -> dict[str, str]:
    """Export the model, write the sources; return where everything is."""
    from heedful.interop.ctranslate2 import export
    from heedful.model_folder import load_model
    from heedful.translator import limits_of

    folder.mkdir(exist_ok=True)
    loaded = load_model(part.model)
    for quantization in ("float32", "int8"):
        path = folder / f"ctranslate2-{quantization}"
        if not path.exists():
            export(path, loaded, quantization)
    limits = limits_of(loaded.tokenizer, loaded.model.config.max_length)
    known = {"forbidden": limits.forbidden, "max_length": limits.max_length, "fixed": part.fixed}
    for name, count in (("inputs", None), ("sample", SAMPLE), ("fewer", SLOW)):
        some = part.sources[:count]
        (folder / f"{name}.json").write_text(json.dumps({"sources": some} | known), "utf-8")
    return {
        "model": str(part.model),
        "exported": str(folder),
        "inputs": str(folder / "inputs.json"),
    }


def measure(part: Part, files: dict[str, str], options: argparse.Namespace) -> list[dict[str, Any]]:
    """Return a row for each engine and beam, its answers still in it."""
    chosen = [
        (engine, beam)
        for engine in engines(options.cores)
        for beam in engine.beams
        if beam in part.beams
        and not any(word in engine.label for word in part.without)
        and (not options.only or any(word in engine.label for word in options.only))
    ]
    sizes = [_best_size(part, engine, beam, files) for engine, beam in chosen]
    runs: list[list[dict[str, Any]]] = [[] for _ in chosen]
    for number in range(part.rounds):
        for (engine, beam), size, found in zip(chosen, sizes, runs, strict=True):
            result = run(engine, beam, size, _inputs(engine, files), single=part.rounds > 1)
            found.append(result)
            said = result.get("failed") or f"{result['seconds']:.2f} s"
            print(f"{part.name} {number + 1}: {engine.label}, beam {beam}: {said}", flush=True)
    rows = []
    for (engine, beam), size, found in zip(chosen, sizes, runs, strict=True):
        about = {"part": part.name, "engine": engine.label, "beam": beam}
        count = min(len(part.sources), engine.part or len(part.sources))
        row = row_of(found, about | {"batch_tokens": size, "sentences": count})
        answers = [result["answers"] for result in found if "answers" in result]
        scored = answers and part.fixed is None and count == len(part.sources)
        rows.append(row | ({"answers": answers[0]} if scored else {}))
    return rows


def _inputs(engine: Engine, files: dict[str, str]) -> dict[str, str]:
    """Return the files of an engine: one that is slow gets fewer sentences."""
    if engine.part is None:
        return files
    return files | {"inputs": str(Path(files["inputs"]).with_name("fewer.json"))}


def _best_size(part: Part, engine: Engine, beam: int, files: dict[str, str]) -> int:
    """Return the batch size with which an engine is fastest on some of the sentences."""
    if len(part.sizes) == 1:
        return part.sizes[0]
    sample = files | {"inputs": str(Path(files["inputs"]).with_name("sample.json"))}
    tried = {size: run(engine, beam, size, sample, single=False) for size in part.sizes}
    best = min(part.sizes, key=lambda size: tried[size].get("seconds", float("inf")))
    print(f"{part.name}: {engine.label}, beam {beam}: batches of {best}", flush=True)
    return best


def score(rows: list[dict[str, Any]], references: list[str], model: Path) -> None:
    """Put BLEU in the place of the answers."""
    import sacrebleu

    from heedful.text.tokenizer import Tokenizer

    tokenizer = Tokenizer.load(model / "tokenizer.json")
    metric = sacrebleu.BLEU()
    for row in rows:
        if "answers" in row:
            texts = tokenizer.decode_target(row.pop("answers"))
            row["bleu"] = metric.corpus_score(texts, [references]).score
            row["signature"] = str(metric.get_signature())


if __name__ == "__main__":
    main()
