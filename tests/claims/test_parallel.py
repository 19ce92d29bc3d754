"""Parallel training: what waits is counted, lines cross where they cross, a case is measured."""

import math
from pathlib import Path

import pytest
import torch

from heedful.claims import parallel
from heedful.claims.claim import Measured, Place
from heedful.claims.contestants import CONTESTANTS, contestant
from heedful.claims.parallel import crossing, sequential_steps, waits
from heedful.progress import Progress


@pytest.mark.parametrize("name", CONTESTANTS)
def test_what_is_counted_in_the_model_is_the_formula(name: str) -> None:
    make, multiple = contestant(name, 2, 24)
    config = make(8 * multiple)
    model = config.build(30, 30)
    counts = {length: sequential_steps(model, length) for length in (5, 10, 20)}
    assert {n: one["recurrent"] for n, one in counts.items()} == {
        length: waits(config, length) for length in counts
    }
    stepwise = counts[20]["products"] > counts[10]["products"]
    assert stepwise == (name == "LSTM + Bahdanau")


def test_lines_cross_between_points() -> None:
    lengths = [10, 100, 1000]
    assert crossing(lengths, [1.0, 1.0, 1.0], [0.1, 10.0, 100.0]) == pytest.approx([10**1.5])
    assert crossing(lengths, [1.0, 1.0, 1.0], [2.0, 3.0, 4.0]) == []


def test_a_tiny_case_is_measured_and_told(tmp_path: Path) -> None:
    known = []
    for name in ("Transformer", "LSTM + Luong"):
        case = {
            "device": "cpu",
            "precision": "float32",
            "model": name,
            "length": 8,
            "width": 64,
            "layers": 1,
            "tokens": 16,
            "seconds": 0.0,
            "seed": 1,
        }
        place = Place(torch.device("cpu"), Progress(quiet=True), tmp_path)
        known.append(Measured(case, parallel.CLAIM.run(case, place)))
    ours, theirs = (one.figures for one in known)
    assert abs(theirs["parameters"] / ours["parameters"] - 1) <= 0.05
    assert ours["tokens_per_second"] * ours["seconds"] == pytest.approx(16)
    report = parallel.CLAIM.report(known)
    ratio = theirs["seconds"] / ours["seconds"]
    assert f"LSTM + Luong {ratio:.2f} at 8" in report.sentences[0]
    assert math.isclose(report.plots[0].lines[1].points[0].y, theirs["tokens_per_second"])
