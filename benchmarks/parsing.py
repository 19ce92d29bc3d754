"""Constituency parsing, section 6.3: the Transformer beside an LSTM with attention, one budget.

    python benchmarks/parsing.py --runs runs/parsing --minutes 60

Needs $HEEDFUL_DATA/treebank. Both learn from the CRAFT articles that are not held out and from the
sample of the Wall Street Journal (sections 0 and 1), without any sentence that a test set has too;
both are measured on section 22 and on the CRAFT articles held out, beam 21, length penalty 0.3, at
most 300 pieces more than the sentence has, among lines of symbols that are trees; section 22 also
among all lines, as in the paper. A run that has ended is measured alone, if its settings are those
that are asked for, and trees that the same weights have found by the same search
(runs/parsing/MODEL.SET.trees) are scored alone. --no-training and --no-parsing part the work
between two machines. Writes results/parsing.json after each model, and the tables of
docs/parsing.md by tools/parsing_table.py.
"""

import argparse
import hashlib
import json
import os
import runpy
import time
from pathlib import Path
from typing import Any

from machine import data_folder, log_of, record, recorded, train

from heedful.bracket_scores import figures, score_trees
from heedful.data.formats.trees import trees_of
from heedful.model_folder import load_model
from heedful.model_path import model_path
from heedful.text.trees import Tree, bracketed

FREE = "wsj_22"
"""The test set that is searched freely, too."""
HELD_OUT_EACH = 10
"""Every so many'th CRAFT article, in the order of their names, is for testing."""
MODELS = {"transformer": "parse", "lstm": "parse-lstm"}
TABLES = Path(__file__).parents[1] / "tools" / "parsing_table.py"


def main() -> None:
    options = _options()
    folder = data_folder(__file__)
    if folder is None:
        return
    options.runs.mkdir(parents=True, exist_ok=True)
    described, tests = write_data(folder / "treebank", options.runs, options.sentences)
    words = ["--data", str(options.runs / "train.trees"), "--data.held-out", "300"]
    words += ["--training.max-minutes", str(options.minutes), "--training.max-steps", "100000"]
    words += options.settings
    shown = " ".join(words).replace(str(options.runs), "runs/parsing")
    command = f"heed train --recipe RECIPE {shown} --out runs/parsing/MODEL"
    search = {"beam": options.beam, "length_penalty": 0.3, "max_extra": 300}
    whole = {"command": command, "note": options.note, "data": described, "search": search}
    before = recorded("parsing")
    alike = all(before.get(key) == whole[key] for key in ("command", "data", "search"))
    results: dict[str, Any] = before["models"] if alike else {}
    results = {name: one for name, one in results.items() if "free" in one}
    for name in options.models:
        run, recipe = options.runs / name, MODELS[name]
        if not options.no_training:
            train(run, ["--recipe", recipe, *words])
        if options.no_parsing:
            continue
        results[name] = {"recipe": recipe} | training_of(run)
        for test, trees in tests.items():
            results[name][test] = measured(options, name, test, trees, free=False)
        results[name]["free"] = measured(options, name, FREE, tests[FREE], free=True)
        if options.sentences is None:
            record(
                "parsing",
                whole | {"models": {one: results[one] for one in MODELS if one in results}},
            )
            runpy.run_path(str(TABLES), run_name="__main__")


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--runs", type=Path, default=Path("runs/parsing"))
    parser.add_argument("--models", nargs="+", choices=MODELS, default=[*MODELS])
    parser.add_argument("--minutes", type=float, default=60.0, help="of training, for each model")
    parser.add_argument("--settings", nargs=argparse.REMAINDER, default=[], help="more, for both")
    parser.add_argument("--beam", type=int, default=21)
    parser.add_argument("--parse-tokens", type=int, help="pieces times beam parsed at once")
    parser.add_argument("--device", default="auto", help="to parse on")
    parser.add_argument("--sentences", type=int, help="of each test set at most, to try it out")
    parser.add_argument("--no-training", action="store_true", help="measure what is there")
    parser.add_argument("--no-parsing", action="store_true", help="train alone")
    parser.add_argument("--note", default="", help="what a reader must know of this run")
    return parser.parse_args()


def write_data(
    treebank: Path, runs: Path, most: int | None
) -> tuple[dict[str, Any], dict[str, list[Tree]]]:
    """Write train.trees; return what the data are, and the trees to test with."""
    articles = sorted((treebank / "craft" / "penn").glob("*.tree"))
    held = articles[::HELD_OUT_EACH]
    tests = {
        "wsj_22": list(trees_of(treebank / "wsj_22.trees")),
        "craft": [tree for path in held for tree in trees_of(path)],
    }
    known = {tuple(tree.words) for trees in tests.values() for tree in trees}
    wsj = sorted((treebank / "wsj_sample").glob("*.mrg"))
    parts = {"craft": [path for path in articles if path not in held], "wsj_sample": wsj}
    described: dict[str, Any] = {"craft_held_out": [path.stem for path in held]}
    lines = []
    for name, paths in parts.items():
        trees = [tree for path in paths for tree in trees_of(path)]
        kept = [tree for tree in trees if tuple(tree.words) not in known]
        described[name] = {"trees": len(kept), "in_a_test_set": len(trees) - len(kept)}
        lines += [bracketed(tree) for tree in kept]
    made = runs / f"train.{os.getpid()}.trees"  # another process may be reading train.trees
    made.write_text("\n".join(lines) + "\n", "utf-8")
    made.replace(runs / "train.trees")
    tests = {name: trees[:most] for name, trees in tests.items()}
    return described, tests


def training_of(run: Path) -> dict[str, Any]:
    """Return what the training of a run took, and how many weights it has."""
    log = log_of(run)
    last = [entry for entry in log if entry["kind"] == "train"][-1]
    model = load_model(model_path(run)).model
    return {
        "weights": sum(weight.numel() for weight in model.parameters()),
        "minutes": round(last["seconds"] / 60, 1),
        "steps": last["step"],
        "epochs": last["epoch"],
        "dev_loss": min((one["loss"] for one in log if one["kind"] == "validation"), default=None),
    }


def measured(
    options: argparse.Namespace, name: str, test: str, gold: list[Tree], *, free: bool
) -> dict[str, Any]:
    """Return how right a model's trees of a test set are."""
    kept = options.runs / f"{name}.{test}{'.free' * free}.trees"
    told = kept.with_suffix(".json")
    weights = model_path(options.runs / name) / "model.safetensors"
    by = {
        "weights": hashlib.sha256(weights.read_bytes()).hexdigest(),
        "beam": options.beam,
        "sentences": len(gold),
        "free": free,
    }
    found = json.loads(told.read_text("utf-8")) if told.exists() and kept.exists() else {}
    if found.pop("by", None) != by:
        found = _parse(options, name, gold, kept, free)
        told.write_text(json.dumps(found | {"by": by}), "utf-8")
    scores = score_trees(zip(gold, trees_of(kept), strict=True))
    assert not scores.skipped
    return found | figures(scores)


def _parse(
    options: argparse.Namespace, name: str, gold: list[Tree], kept: Path, free: bool
) -> dict[str, Any]:
    """Write the trees that a model finds; return what was repaired in how many."""
    from heedful.parser import SEARCH, Parser
    from heedful.search import Greedy

    parser = Parser.load(
        options.runs / name, options.device, "float32", batch_tokens=options.parse_tokens
    )
    parser.translator.settle()
    search = SEARCH.model_copy(update={"beam_size": options.beam})
    started = time.perf_counter()
    asked = search if options.beam > 1 else Greedy(max_extra=SEARCH.max_extra)
    found = parser.parse([tree.words for tree in gold], asked, free=free)
    seconds = time.perf_counter() - started
    kinds = sorted({kind for one in found for kind in one.repairs})
    result = {
        "seconds": round(seconds, 1),
        "device": str(parser.translator.device),
        "repaired": sum(bool(one.repairs) for one in found),
        "repairs": {kind: sum(kind in one.repairs for one in found) for kind in kinds},
    }
    kept.write_text("".join(bracketed(one.tree) + "\n" for one in found), "utf-8")
    print(f"{name} on {len(gold)} sentences: {seconds:.0f} s")
    return result


if __name__ == "__main__":
    main()
