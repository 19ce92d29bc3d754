"""Decoding speed on a GPU: recorded steps (CUDA graphs) against the eager engine and transformers.

    python benchmarks/gpu_decode_speed.py --model DIR --sources test.en --references test.de

Translates the sources, repeated, with the model given, and as many of the same lengths with the
paper's base model, untrained, to answers of 30 pieces; greedily and with beam 4. All take turns for
three rounds, each with the batch size that was fastest for it in a first try. Measured: sentences
and pieces a second, one sentence alone, BLEU of the trained model, where references are given.
transformers' Marian runs only models of the paper's kind. Prints the table and writes
results/gpu_decode_speed.{json,md}; with --profile it prints where the GPU's time goes instead.
"""

import argparse
import cProfile
import pstats
import random
import statistics
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch
from decode.models import FIXED
from decode.worker import Inputs, Translate
from machine import RESULTS, lines_of, record

from heedful.decode import engine as engine_module
from heedful.decode.engine import Engine
from heedful.device import pick_device
from heedful.model_folder import load_model
from heedful.models.transformer import Transformer
from heedful.recipes import paper_base
from heedful.search import Beam, Greedy, Limits
from heedful.text.pieces import END, PAD, START, UNKNOWN

SIZES = (65_536, 131_072)
"""Batch sizes, in source pieces times rows, that every engine is tried with."""
SINGLE = 20
REPEATED = 4
VOCABULARY = 37_000

Load = Callable[[Transformer, Inputs], Translate]


def ours(precision: str, *, recorded: bool) -> Load:
    """Return what loads our engine, with recorded steps or the eager way."""

    def load(model: Transformer, inputs: Inputs) -> Translate:
        engine = Engine(model, pick_device("cuda"), precision=precision)  # type: ignore[arg-type]
        whether = engine_module.recordable
        never = (*inputs.forbidden, *([END] if inputs.fixed else []))
        limits = Limits(START, END, never, inputs.max_length)

        def translate(sources: list[list[int]], beam: int, batch_tokens: int) -> list[list[int]]:
            if not recorded:
                engine_module.recordable = lambda *_: False  # type: ignore[assignment]
            try:
                most = inputs.fixed
                search = Greedy(max_length=most) if beam == 1 else Beam(max_length=most)
                found = engine.decode(sources, search, limits, batch_tokens)
            finally:
                engine_module.recordable = whether
            return [list(best[0].tokens) for best in found]

        return translate

    return load


def marian(model: Transformer, inputs: Inputs) -> Translate:
    """Return transformers' Marian with our weights, in bf16."""
    from decode.marian import build, translating

    theirs = build(model.cpu()).cuda().bfloat16()
    model.cuda()
    return translating(theirs, inputs)


ENGINES: dict[str, Load] = {
    "heedful, bf16": ours("bf16", recorded=True),
    "heedful, float32": ours("float32", recorded=True),
    "heedful eager, bf16": ours("bf16", recorded=False),
    "transformers, bf16": marian,
}


def timed(run: Callable[[], Any]) -> tuple[float, Any]:
    """Return the seconds that it takes, and what comes of it."""
    torch.cuda.synchronize()
    begun = time.perf_counter()
    found = run()
    torch.cuda.synchronize()
    return time.perf_counter() - begun, found


def measure(name: str, model: Transformer, inputs: Inputs, rounds: int) -> list[dict[str, Any]]:
    """Return a row for every engine and beam."""
    rows: list[dict[str, Any]] = []
    loaded: dict[str, Translate] = {}
    for label, load in ENGINES.items():
        if label.startswith("transformers") and model.config.residual.kind != "post_norm":
            continue
        loaded[label] = load(model, inputs)
    for beam in (1, 4):
        sizes = {label: fastest(one, inputs, beam) for label, one in loaded.items()}
        times: dict[str, list[float]] = {label: [] for label in loaded}
        answers: dict[str, list[list[int]]] = {}
        for _ in range(rounds):
            for label, one in loaded.items():
                run = lambda: one(inputs.sources, beam, sizes[label])  # noqa: B023, E731
                seconds, answers[label] = timed(run)
                times[label].append(seconds)
        for label, one in loaded.items():
            seconds = statistics.median(times[label])
            singles = [timed(lambda: one([x], beam, 4096))[0] for x in inputs.sources[:SINGLE]]  # noqa: B023
            rows.append(
                {
                    "model": name,
                    "beam": beam,
                    "engine": label,
                    "batch_tokens": sizes[label],
                    "sentences_per_second": len(inputs.sources) / seconds,
                    "pieces_per_second": sum(map(len, answers[label])) / seconds,
                    "single_ms": 1000 * statistics.median(singles),
                    "answers": answers[label],
                }
            )
            print({key: value for key, value in rows[-1].items() if key != "answers"}, flush=True)
    return rows


def fastest(translate: Translate, inputs: Inputs, beam: int) -> int:
    """Return the batch size that is fastest the second time it is used."""
    found = {}
    for size in SIZES:
        translate(inputs.sources, beam, size)
        found[size] = timed(lambda: translate(inputs.sources, beam, size))[0]  # noqa: B023
    return min(found, key=found.__getitem__)


def base(lengths: list[int]) -> tuple[Transformer, Inputs]:
    """Return the paper's base model, not trained, and sources of these lengths."""
    torch.manual_seed(0)
    draw = random.Random(0)
    model = paper_base().model.build(VOCABULARY, VOCABULARY).eval()
    sources = [[*(draw.randrange(10, VOCABULARY) for _ in range(n - 1)), END] for n in lengths]
    return model.cuda(), Inputs(sources, (PAD, START), 1024, FIXED)


def markdown(rows: list[dict[str, Any]]) -> str:
    """Return the table."""
    head = "| model | beam | engine | sentences/s | pieces/s | x eager | one sentence, ms | BLEU |"
    lines = [head, "|---|---|---|---|---|---|---|---|"]
    for row in rows:
        alike = [x for x in rows if (x["model"], x["beam"]) == (row["model"], row["beam"])]
        [eager] = [x for x in alike if "eager" in x["engine"]]
        times = row["sentences_per_second"] / eager["sentences_per_second"]
        bleu = f"{row['bleu']:.2f}" if "bleu" in row else ""
        lines.append(
            f"| {row['model']} | {row['beam']} | {row['engine']} "
            f"| {row['sentences_per_second']:,.0f} | {row['pieces_per_second']:,.0f} "
            f"| {times:.2f} | {row['single_ms']:.1f} | {bleu} |"
        )
    return "\n".join(lines) + "\n"


def profile(model: Transformer, inputs: Inputs) -> None:
    """Print where the time of our engine goes, greedily and with a beam."""
    from torch.profiler import ProfilerActivity
    from torch.profiler import profile as watched

    translate = ours("bf16", recorded=True)(model, inputs)
    for beam in (1, 4):
        translate(inputs.sources, beam, 65_536)
        with watched(activities=[ProfilerActivity.CPU, ProfilerActivity.CUDA]) as seen:
            seconds, _ = timed(lambda: translate(inputs.sources, beam, 65_536))  # noqa: B023
        print(f"beam {beam}: {seconds:.3f} s")
        by = {"sort_by": "self_device_time_total", "row_limit": 14, "max_name_column_width": 60}
        print(seen.key_averages().table(**by))
        host = cProfile.Profile()
        host.runcall(translate, inputs.sources, beam, 65_536)
        pstats.Stats(host).sort_stats("tottime").print_stats(16)


def main() -> None:
    """Measure both models."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--model", type=Path, required=True)
    parser.add_argument("--sources", type=Path, required=True)
    parser.add_argument("--references", type=Path)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--profile", action="store_true")
    options = parser.parse_args()
    loaded = load_model(options.model)
    assert isinstance(loaded.model, Transformer)
    sources = loaded.tokenizer.encode_source(lines_of(options.sources))
    inputs = Inputs(sources * REPEATED, (PAD, START, UNKNOWN), 512, None)
    trained = loaded.model.cuda().eval()
    large, other = base([len(source) for source in sources * 2])
    if options.profile:
        profile(trained, inputs)
        profile(large, other)
        return
    rows = measure("small", trained, inputs, options.rounds)
    if options.references is not None:
        import sacrebleu

        references = lines_of(options.references)
        for row in rows:
            texts = loaded.tokenizer.decode_target(row["answers"][: len(sources)])
            row["bleu"] = sacrebleu.corpus_bleu(texts, [references]).score
    rows += measure("base", large, other, options.rounds)
    for row in rows:
        del row["answers"]
    print(table := markdown(rows))
    (RESULTS / "gpu_decode_speed.md").write_text(table, "utf-8")
    record("gpu_decode_speed", {"gpu": torch.cuda.get_device_name(), "rows": rows})


if __name__ == "__main__":
    main()
