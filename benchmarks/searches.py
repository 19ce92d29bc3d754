"""Every search on two test sets: quality, speed, and how unlike the translations of a list are.

    python benchmarks/searches.py --multi30k runs/multi30k/model     # 20 minutes on two quiet cores
    python benchmarks/searches.py --show                             # table and plot once more

Multi30k test_2016_flickr by a model trained on it, and Tatoeba, English to German, by the bundled
model: 1,000 sentences of each, of Tatoeba's, which are sorted by length, evenly spread. Lists of
five and minimum Bayes risk take long, and see every fifth of them (--part); so chrF is compared
with that of beam 4 on the sentences that a search has seen. A run each, after a warm-up, without
care for the output. Needs $HEEDFUL_DATA and, for the plot, matplotlib (pip install --group bench).
Writes results/searches.json, docs/searches.svg, and the tables in docs/searching.md.
"""

import argparse
import importlib.util
import json
import os
import time
from pathlib import Path
from statistics import fmean
from typing import Any

from machine import RESULTS, record
from search.plot import draw
from search.table import fill

from heedful.evaluate import compare, score
from heedful.search import Beam, DiverseBeam, Greedy, MinimumBayesRisk, Sample, SearchConfig
from heedful.text.chrf import chrf_matrix
from heedful.translator import BUNDLED, Care, Translation, Translator, load

DOCS = Path(__file__).parents[1] / "docs"
RAW = Care(capitals=False, loops=False)
BASE = "beam 4"
LISTED = 5
WARM = 20
"""Sentences translated before the clock starts."""

ONES: dict[str, SearchConfig] = {
    "greedy": Greedy(),
    BASE: Beam(),
    "beam 8": Beam(beam_size=8),
    "beam 16": Beam(beam_size=16),
    "beam 4, length penalty 0": Beam(length_penalty=0),
    "beam 4, length penalty 1": Beam(length_penalty=1),
    "beam 4, coverage 0.2": Beam(coverage_penalty=0.2),
    "beam 4, no 3-gram twice": Beam(no_repeat_ngram=3),
    "diverse beam, 4 groups of 2": DiverseBeam(beam_size=8, groups=4, diversity=0.5),
    "sampling": Sample(),
    "sampling, temperature 0.7": Sample(temperature=0.7),
    "sampling, top-k 10": Sample(top_k=10),
    "sampling, top-p 0.9": Sample(top_p=0.9),
    "sampling, min-p 0.1": Sample(min_p=0.1),
    "sampling, typical 0.9": Sample(typical_p=0.9),
}
"""What is measured on all sentences."""
RISKS = {f"mbr, {count} samples": MinimumBayesRisk(count=count) for count in (16, 32, 64)}
"""What is measured on a part of them; its five best are asked for in the same run."""


def main() -> None:
    """Measure, or only show."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--multi30k", help="a model trained on Multi30k, English to German")
    parser.add_argument("--sentences", type=int, default=1000, help="of each test set, at most")
    parser.add_argument(
        "--part", type=int, default=5, help="lists and mbr: one sentence of so many"
    )
    parser.add_argument("--show", action="store_true", help="measure nothing")
    options = parser.parse_args()
    data = os.environ.get("HEEDFUL_DATA")
    if data is None and not options.show:
        print("searches: skipped, HEEDFUL_DATA does not name the folder with the data")
        return
    if importlib.util.find_spec("matplotlib") is None:
        print("searches: no plot, matplotlib is missing (pip install --group bench)")
    if data is not None and not options.show:
        measure_all(options, Path(data))
    show(json.loads((RESULTS / "searches.json").read_text("utf-8"))["sets"])


def measure_all(options: argparse.Namespace, data: Path) -> None:
    """Measure every search on the test sets and write the results."""
    models = {"Multi30k": options.multi30k} if options.multi30k else {}
    sets = {}
    for name, model in (models | {"Tatoeba": BUNDLED}).items():
        translator = load(model)
        translator.settle()
        pairs = captions(data) if name == "Multi30k" else tatoeba(data)
        sets[name] = measured(translator, evenly(pairs, options.sentences), options.part)
    record("searches", {"part": options.part, "listed": LISTED, "sets": sets})


def show(sets: dict[str, Any]) -> None:
    """Write the plot and the tables of what was measured."""
    if importlib.util.find_spec("matplotlib") is not None:
        draw(sets, DOCS / "searches.svg")
    print(fill(DOCS / "searching.md", sets))


def captions(data: Path) -> list[tuple[str, str]]:
    """Return the pairs of test_2016_flickr."""
    paths = (data / f"multi30k/test_2016_flickr.{side}" for side in ("en", "de"))
    sides = (path.read_text("utf-8").strip("\n").split("\n") for path in paths)
    return list(zip(*sides, strict=True))


def tatoeba(data: Path) -> list[tuple[str, str]]:
    """Return the pairs of the test part."""
    lines = (data / "tatoeba_en_de/test.tsv").read_text("utf-8").strip("\n").split("\n")
    return [(source, target) for source, target, *_ in (line.split("\t") for line in lines)]


def evenly(pairs: list[tuple[str, str]], count: int) -> list[tuple[str, str]]:
    """Return so many of the pairs, evenly spread; all if there are fewer."""
    count = min(count, len(pairs))
    return [pairs[number * len(pairs) // count] for number in range(count)]


def measured(translator: Translator, pairs: list[tuple[str, str]], part: int) -> dict[str, Any]:
    """Return what every search gave on one test set."""
    found: dict[str, dict[str, Any]] = {}
    fewer = pairs[::part]
    base: list[str] = []
    for name, search in ONES.items():
        texts, seconds = run(translator, search, pairs)
        base = [one.text for one in texts] if name == BASE else base
        found[name] = {"texts": [one.text for one in texts], "seconds": seconds}
        if (listing := of_five(search)) is not None:
            found[name]["list"] = listed(run(translator, listing, fewer)[0], fewer)
        print(name, f"{len(pairs) / seconds:.1f} sentences a second", flush=True)
    for name, risk in RISKS.items():
        texts, seconds = run(translator, risk.model_copy(update={"n_best": LISTED}), fewer)
        found[name] = {"texts": [one.text for one in texts], "seconds": seconds}
        found[name]["list"] = listed(texts, fewer)
        print(name, f"{len(fewer) / seconds:.1f} sentences a second", flush=True)
    return {name: judged(one, pairs, base) for name, one in found.items()}


def of_five(search: SearchConfig) -> SearchConfig | None:
    """Return the search that gives five translations of a sentence; None where there are fewer."""
    if isinstance(search, Sample):
        return search.model_copy(update={"count": LISTED})
    if isinstance(search, Beam | DiverseBeam) and search.beam_size >= LISTED:
        return search.model_copy(update={"n_best": LISTED})
    return None


def run(
    translator: Translator, search: SearchConfig, pairs: list[tuple[str, str]]
) -> tuple[list[Translation], float]:
    """Return the translations and the seconds that they took."""
    to = "de" if translator.tokenizer.languages else None
    sources = [source for source, _ in pairs]
    translator.translate_detailed(sources[:: -(-len(sources) // WARM)], to, search=search, care=RAW)
    start = time.perf_counter()
    found = translator.translate_detailed(sources, to, search=search, care=RAW)
    return found, time.perf_counter() - start


def judged(one: dict[str, Any], pairs: list[tuple[str, str]], base: list[str]) -> dict[str, Any]:
    """Return the scores of a search, also against beam 4 on the same sentences."""
    texts, seconds = one.pop("texts"), one.pop("seconds")
    step = len(pairs) // len(texts)
    references, beams = ([target for _, target in pairs][::step], base[::step])
    scores = score(texts, references, language="de", seconds=seconds)
    chrf = compare(references, beams, texts, language="de").chrf
    return {
        "sentences": len(texts),
        "bleu": scores.bleu.value,
        "chrf": scores.chrf.value,
        "chrf against beam 4": {"value": chrf.difference, "low": chrf.low, "high": chrf.high},
        "sentences_per_second": scores.sentences_per_second,
        **one,
    }


def listed(found: list[Translation], pairs: list[tuple[str, str]]) -> dict[str, Any]:
    """Return how unlike the translations of a sentence are, and chrF of the best of them."""
    lists = [[candidate.text for candidate in one.hypotheses] for one in found]
    references = [target for _, target in pairs]
    best = [
        max(texts, key=lambda text, target=target: chrf_matrix([text], [target])[0, 0])
        for texts, target in zip(lists, references, strict=True)
    ]
    return {
        "sentences": len(lists),
        "hypotheses": fmean(len(texts) for texts in lists),
        "unlike": fmean(unlike(texts) for texts in lists),
        "distinct": fmean(len(set(texts)) / LISTED for texts in lists),
        "chrf of the first": score([x[0] for x in lists], references, resamples=0).chrf.value,
        "chrf of the best": score(best, references, resamples=0).chrf.value,
    }


def unlike(texts: list[str]) -> float:
    """Return the mean of 100 - chrF over all pairs of translations; 0 of a single one.

    >>> unlike(["a cat", "a cat"]), unlike(["a cat", "dog"]), unlike(["a cat"])
    (0.0, 100.0, 0.0)
    """
    count = len(texts)
    alike = chrf_matrix(texts, texts)
    pairs = count * (count - 1)
    return float(100 - (alike.sum() - alike.trace()) / pairs) if pairs else 0.0


if __name__ == "__main__":
    main()
