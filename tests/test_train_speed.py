"""The benchmark of training speed counts its work right and compares like with like."""

import doctest
import importlib
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from torch.utils.flop_counter import FlopCounterMode

BENCHMARKS = Path(__file__).resolve().parents[1] / "benchmarks"
PRODUCTS = {"mm", "addmm"}
"""What multiplies by weights; attention scores are bmm or one fused operator."""
PEERS = {"torch_nn": None, "marian": "transformers", "xt": "x_transformers", "joey": "joeynmt"}

Part = Callable[[str], Any]


@pytest.fixture
def part(monkeypatch: pytest.MonkeyPatch) -> Part:
    """Return a module of benchmarks/train by its name, with memory left as other tests have it."""
    monkeypatch.syspath_prepend(str(BENCHMARKS))
    monkeypatch.setattr("heedful.train.allocator.keep_freed_memory", lambda: True)
    return lambda name: importlib.import_module(f"train.{name}")


def peer(part: Part, name: str) -> torch.nn.Module:
    """Return the smallest model of a peer, or skip where it is not installed."""
    if PEERS[name] is not None:
        pytest.importorskip(PEERS[name], reason=f"needs {PEERS[name]} (make bench-train)")
    spec = part("spec")
    model: torch.nn.Module = part(name).build(spec.SIZES["tiny"], spec.Settings(threads=1))
    return model


@pytest.mark.parametrize("name", PEERS)
def test_useful_work_is_what_torch_counts(part: Part, name: str) -> None:
    model = peer(part, name)
    spec = part("spec")
    source = torch.randint(4, 8000, (3, 7))
    target = torch.randint(4, 8000, (3, 5))
    with FlopCounterMode(display=False) as counter:
        model(source, target, target).backward()
    counts = counter.get_flop_counts()["Global"]
    products = sum(n for operator, n in counts.items() if operator.__name__ in PRODUCTS)
    assert products == spec.useful_flops(spec.SIZES["tiny"], source.numel(), target.numel())


def test_examples(part: Part) -> None:
    assert doctest.testmod(part("spec")) == (0, 1)


def test_ours_and_the_peers_are_one_model(part: Part, tmp_path: Path) -> None:
    spec, measure = part("spec"), part("measure")
    settings = spec.Settings(threads=1, batch_tokens=256)
    task = spec.Task("heedful", "tiny", "float32", settings, data="synthetic", target_tokens=300)
    ours = part("ours").Ours(task, tmp_path)
    theirs = part("plain").PlainLoop(peer(part, "torch_nn"), task)
    assert ours.weights == theirs.weights
    results = [measure.measure(runner, task) for runner in (ours, theirs)]
    for name in ("source_tokens", "target_tokens", "steps", "fill"):
        assert results[0][name] == results[1][name]
    assert results[0]["target_tokens"] >= 300


def test_marian_is_the_same_model(part: Part) -> None:
    marian, torch_nn = peer(part, "marian"), peer(part, "torch_nn")
    weights = [
        sum(w.numel() for w in model.parameters() if w.requires_grad)
        for model in (marian, torch_nn)
    ]
    assert weights[0] == weights[1]


def test_what_helps_is_combined(part: Part) -> None:
    search, spec = part("search"), part("spec")
    start = spec.Settings(threads=2)
    trials = [
        search.Trial(spec.Settings(threads=2, **change), speed, {})
        for change, speed in (
            ({}, 100.0),
            ({"batch_tokens": 8192}, 104.0),
            ({"batch_tokens": 2048}, 103.0),
            ({"fused": False}, 101.0),
            ({"multiple": 8}, None),
        )
    ]
    divided = spec.Settings(threads=1, processes=2)
    trials.append(search.Trial(divided, 120.0, {}))
    wanted = spec.Settings(threads=1, processes=2, batch_tokens=8192)
    assert search.combined(start, trials) == wanted


def test_a_difference_within_the_spread_is_a_tie(part: Part) -> None:
    def run(name: str, speed: float) -> dict[str, Any]:
        result = {
            "target_tokens_per_second": speed,
            "useful_flops_per_second": speed * 10,
            **dict.fromkeys(("peak_rss_mb", "fill", "steps", "weights", "foreign_cores"), 1),
        }
        named = {"size": "small", "precision": "bf16", "implementation": name}
        return named | {"settings": "", "result": result}

    speeds = {"heedful": (19, 21, 20), "torch.nn": (10, 12, 11), "MarianMT": (10, 10.5, 12)}
    runs = [run(name, speed) for name, found in speeds.items() for speed in found]
    absent = {"size": "small", "precision": "bf16", "implementation": "x", "settings": ""}
    runs.append(absent | {"result": {"absent": "not here"}})
    table = part("table")
    rows = {
        row["implementation"]: row
        for row in table.rows_of(runs, {"bf16": {"flops_per_second": 400}})
    }
    assert rows["heedful"]["ratio"] == pytest.approx(20 / 11)
    assert rows["heedful"]["best_peer"] == "torch.nn"
    assert rows["heedful"]["peak_share"] == 0.5
    assert not rows["heedful"]["tie"]
    assert rows["MarianMT"]["tie"]
    assert rows["x"]["why"] == "not here"
    assert any(
        "1.82 times" in line and "held" in line for line in table.verdicts([*rows.values()], "cpu")
    )
