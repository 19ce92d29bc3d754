"""Decoding speed on CPU, the same weights in every engine: heedful, CTranslate2, Marian, PyTorch.

    python benchmarks/decode_speed.py --model runs/multi30k/model

Translates Multi30k test_2016_flickr ($HEEDFUL_DATA/multi30k), greedily and with beam 4, in fresh
processes. Each engine, in each layout of processes and threads, first gets the batch size that is
fastest for it on a part of the sentences; then all take turns for three rounds. Measured: sentences
and tokens a second over the whole set, one sentence alone, start-up, peak memory, BLEU. Greedily
all choose the same; a beam is ranked by each engine's own formula, as its users get it. Writes
results/decode_speed.{json,md}; of a part (--sentences, --only, --batch-tokens) the table is just
printed.
"""

import argparse
import json
import os
import tempfile
from pathlib import Path
from typing import Any

from decode.run import run
from decode.spec import TOKENS, Engine, engines
from decode.table import markdown, row_of
from machine import RESULTS, record

from heedful.data.workers import usable_cores

SAMPLE = 300
"""Sentences on which the batch sizes are tried."""


def main() -> None:
    """Measure everything asked for."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--model", type=Path, default=Path("runs/multi30k/model"))
    parser.add_argument("--sentences", type=int, help="the first so many, to try it out")
    parser.add_argument("--only", nargs="+", help="engines whose names hold one of these words")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--batch-tokens", type=int, help="for all, in place of a search")
    parser.add_argument("--cores", type=int, default=usable_cores())
    options = parser.parse_args()
    data = os.environ.get("HEEDFUL_DATA")
    if data is None or not options.model.is_dir():
        print(f"decode_speed: skipped, needs HEEDFUL_DATA and the model folder {options.model}")
        return
    texts = [
        (Path(data) / "multi30k" / f"test_2016_flickr.{side}").read_text("utf-8").splitlines()
        for side in ("en", "de")
    ]
    sources, references = (text[: options.sentences] for text in texts)
    chosen = [
        (engine, beam)
        for engine in engines(options.cores)
        for beam in engine.beams
        if not options.only or any(word in engine.label for word in options.only)
    ]
    with tempfile.TemporaryDirectory(prefix="decode-speed-") as folder:
        files = prepare(options.model.resolve(), Path(folder), sources)
        rows = measure(chosen, files, options, Path(folder))
    score(rows, references, options.model)
    table = markdown(rows)
    print(table)
    if options.sentences is options.only is options.batch_tokens is None:
        (RESULTS / "decode_speed.md").write_text(table, "utf-8")
        record("decode_speed", {"model": options.model.name, "rows": rows})


def prepare(model: Path, folder: Path, texts: list[str]) -> dict[str, str]:
    """Export the model, tokenize the texts; return where everything is."""
    from heedful.interop.ctranslate2 import export
    from heedful.model_folder import load_model
    from heedful.translator import limits_of

    loaded = load_model(model)
    for quantization in ("float32", "int8"):
        export(folder / f"ctranslate2-{quantization}", loaded, quantization)
    limits = limits_of(loaded.tokenizer, loaded.model.config.max_length)
    known = {"forbidden": limits.forbidden, "max_length": limits.max_length}
    ids = loaded.tokenizer.encode_source(texts)
    for name, some in (("inputs", ids), ("sample", ids[:SAMPLE])):
        (folder / f"{name}.json").write_text(json.dumps({"sources": some} | known), "utf-8")
    return {
        "model": str(model),
        "exported": str(folder),
        "inputs": str(folder / "inputs.json"),
    }


def measure(
    chosen: list[tuple[Engine, int]],
    files: dict[str, str],
    options: argparse.Namespace,
    folder: Path,
) -> list[dict[str, Any]]:
    """Return a row for each engine and beam, its answers still in it."""
    sample = files | {"inputs": str(folder / "sample.json")}
    best, runs = {}, {}
    sizes = (options.batch_tokens,) if options.batch_tokens else TOKENS
    for engine, beam in chosen:
        tried = {}
        for tokens in sizes if len(sizes) > 1 else ():
            result = run(engine, beam, tokens, sample, single=False)
            tried[tokens] = result.get("seconds", float("inf"))
        best[engine.label, beam] = min(sizes, key=lambda tokens: tried.get(tokens, 0))
        print(f"{engine.label}, beam {beam}: batches of {best[engine.label, beam]}", flush=True)
    for number in range(options.rounds):
        for engine, beam in chosen:
            key = (engine.label, beam)
            result = run(engine, beam, best[key], files, single=True)
            runs.setdefault(key, []).append(result)
            said = result.get("failed") or f"{result['seconds']:.2f} s"
            print(f"round {number + 1}: {engine.label}, beam {beam}: {said}", flush=True)
    count = len(json.loads(Path(files["inputs"]).read_text("utf-8"))["sources"])
    rows = []
    for engine, beam in chosen:
        key = (engine.label, beam)
        about = {"engine": engine.label, "beam": beam, "batch_tokens": best[key]}
        row = row_of(runs[key], about | {"sentences": count})
        answers = [result["answers"] for result in runs[key] if "answers" in result]
        rows.append(row | ({"answers": answers[0]} if answers else {}))
    return rows


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
