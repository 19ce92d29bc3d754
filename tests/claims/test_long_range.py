"""Long range: tasks are answerable, gradients are where they are, a tiny case is measured."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from heedful.claims import long_range, recall
from heedful.claims.claim import Measured, Place
from heedful.claims.contestants import contestant
from heedful.claims.rates import best
from heedful.claims.recall import FACTS, PIECES, SYMBOLS, TASKS, accuracy, drawn, slopes
from heedful.claims.results import read_results
from heedful.progress import Progress
from heedful.text.pieces import CONTROL, START
from heedful.train.doctor import DivergedError

FIRST_QUESTION = len(CONTROL)
FIRST_ANSWER = FIRST_QUESTION + SYMBOLS
SIZES = {"parameters": 1, "d_model": 1}


@pytest.fixture
def place(tmp_path: Path) -> Place:
    return Place(torch.device("cpu"), Progress(quiet=True), tmp_path)


@pytest.mark.parametrize("task", TASKS)
@pytest.mark.parametrize("distance", [1, 10])
def test_the_answers_follow_from_the_beginning_alone(task: str, distance: int) -> None:
    batch = drawn(task, np.random.default_rng(1), 50, distance)
    again = drawn(task, np.random.default_rng(1), 50, distance)
    assert torch.equal(batch.source, again.source)
    for source, target_in, answers in zip(
        batch.source.tolist(), batch.target_in.tolist(), batch.target_out.tolist(), strict=True
    ):
        assert target_in == [START, *answers[:-1]]
        facts = source[: len(answers)]
        if task == "copy":
            assert answers == facts
            continue
        kind = {(fact - FIRST_ANSWER) // SYMBOLS: fact for fact in facts}
        assert len(kind) == FACTS
        assert answers == [kind[question - FIRST_QUESTION] for question in source[-FACTS:]]
        assert len(source) == 2 * FACTS + distance
        assert not set(facts) & set(source[FACTS:])


@pytest.mark.parametrize("name", ["Transformer", "LSTM", "LSTM + Luong"])
def test_a_gradient_is_the_change_that_a_change_makes(name: str, place: Place) -> None:
    torch.manual_seed(1)
    make, multiple = contestant(name, 1, 32)
    model = make(4 * multiple if multiple < 32 else 32).build(PIECES, PIECES).double()
    found = slopes(model, "copy", 5, place)
    batch = drawn("copy", np.random.default_rng([17061203, 5]), 8, 5)
    vectors = model.tables.embed_source(batch.source).detach()

    def logits(given: torch.Tensor) -> torch.Tensor:
        vars(model.tables)["embed_source"] = lambda _: given
        with torch.no_grad():
            memory = model.encode(batch.source, batch.source_mask)
            made = model.project(model.hidden(batch.target_in[:, :1], memory))[:, 0]
        del vars(model.tables)["embed_source"]
        return made.gather(1, batch.target_out[:, :1]).squeeze(1)

    for which, at in (("fact", 0), ("last", -1)):
        columns = []
        for column in range(vectors.shape[-1]):
            step = torch.zeros_like(vectors)
            step[:, at, column] = 1e-6
            columns.append((logits(vectors + step) - logits(vectors - step)) / 2e-6)
        numeric = torch.stack(columns, -1).norm(dim=-1).mean()
        assert found[which] == pytest.approx(float(numeric), rel=1e-4)


def test_a_model_that_knows_nothing_is_right_by_chance(place: Place) -> None:
    torch.manual_seed(1)
    make, multiple = contestant("Transformer", 1, 32)
    model = make(multiple).build(PIECES, PIECES)
    assert accuracy(model, "recall", 5, 64, place) < 0.3


def test_tiny_cases_are_measured_and_told(place: Place) -> None:
    common = {"layers": 1, "width": 32, "steps": 2, "rate": 1e-3, "tokens": 64, "asked": 8}
    distances = {"trained": [2], "tested": [2, 4]}
    cases = [
        {"part": "distance", "task": "recall", "model": "LSTM", **distances, **common, "seed": 1},
        {
            "part": "positions",
            "task": "recall",
            "model": "Transformer",
            "position": "rotary",
            **distances,
            **common,
            "seed": 1,
        },
    ]
    known = [Measured(case, long_range.CLAIM.run(case, place)) for case in cases[1:]]
    folder = Place(place.device, place.progress, place.folder / "other")
    folder.folder.mkdir()
    known.append(Measured(cases[0], long_range.CLAIM.run(cases[0], folder)))
    sizes = [one.figures["parameters"] for one in known]
    assert max(sizes) <= 1.05 * min(sizes)
    report = long_range.CLAIM.report(known)
    share = known[1].figures["accuracy"]["4"]
    assert report.tables[0].rows == [
        ["LSTM", *(f"{known[1].figures['accuracy'][n]:.2f} (1 seed)" for n in ("2", "4"))]
    ]
    assert any(f"and {share:.0%} at 4" in sentence for sentence in report.sentences)


def test_each_model_is_tuned_alike() -> None:
    cases = [case for case in long_range.CLAIM.cases("full") if case["part"] == "rates"]
    assert {case["model"] for case in cases} == set(long_range.RATES)
    tried = {case["rate"] for case in cases}
    assert len(cases) == len(tried) * len(long_range.RATES)
    worst = max(tried)
    known = [
        Measured(case, SIZES | {"loss": None if case["rate"] == worst else case["rate"]})
        for case in cases
    ]
    assert best(long_range.tries(known)) == dict.fromkeys(long_range.RATES, min(tried))
    rates = long_range.CLAIM.report(known).tables[0]
    assert all(row[-1] == "diverged" for row in rates.rows)


def test_the_rates_are_those_that_the_tuning_found_best() -> None:
    folder = Path(__file__).parents[2] / "benchmarks" / "results" / "claims"
    results = read_results(folder / "long-range.json", "long-range", "full")
    tuned = [one for one in results.known(long_range.CLAIM) if one.case["part"] == "rates"]
    wanted = [case for case in long_range.CLAIM.cases("full") if case["part"] == "rates"]
    assert len(tuned) == len(wanted)
    assert best(long_range.tries(tuned)) == long_range.RATES


def test_a_rate_that_diverges_is_a_result(place: Place, monkeypatch: pytest.MonkeyPatch) -> None:
    def lost(*_: Any, **__: Any) -> float:
        raise DivergedError("the loss has blown up")

    monkeypatch.setattr(recall, "practise", lost)
    case = long_range.CLAIM.cases("full")[0] | {"tested": [4], "trained": [4]}
    assert long_range.CLAIM.run(case, place)["loss"] is None
    with pytest.raises(DivergedError):
        long_range.CLAIM.run(case | {"part": "distance"}, place)
