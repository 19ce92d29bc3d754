"""The smallest case of each claim that trains translators and decoders, and what they rest on."""

import math
from pathlib import Path
from typing import Any

import pytest
import torch

from heedful.claims import (
    learning,
    material,
    order,
    peeking,
    scaling,
    sweep,
    table3,
    translation,
    tuning,
)
from heedful.claims.claim import Case, Claim, Figures, Measured, Place
from heedful.claims.contenders import FACTORS, MODELS, solved
from heedful.claims.contestants import parameters
from heedful.claims.material import LOTS, MULTI30K, ROLES, roles, shuffled
from heedful.claims.rates import best
from heedful.claims.results import read_results
from heedful.errors import DataError
from heedful.models.transformer import TransformerConfig
from heedful.progress import Progress
from heedful.run_task import RunResult
from heedful.search import Greedy
from heedful.train.doctor import Diverged, Doctor
from heedful.train.loop import Outcome

STEPS = 4


@pytest.fixture
def place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Place:
    """A place with a Multi30k and a Shakespeare of our own, where trainings are short."""
    data = tmp_path / "data"
    (data / "multi30k").mkdir(parents=True)
    (data / "tinyshakespeare").mkdir()
    for part, count in (("train", 300), ("val", 5), ("test_2016_flickr", 5)):
        for side, texts in zip(("en", "de"), zip(*roles(count), strict=True), strict=True):
            (data / "multi30k" / f"{part}.{side}").write_text("\n".join(texts) + "\n")
    text = "".join(f"{source}. {target}.\n" for source, target in roles(400))
    (data / "tinyshakespeare" / "input.txt").write_text(text)
    monkeypatch.setattr(material, "_SENTENCES", dict.fromkeys(("quick", "full"), (300, 5, 5)))
    short: dict[str, Any] = {"max_steps": STEPS, "batch_tokens": 300, "max_pieces": 30}
    for key, shape in list(material._SHAPES.items()):
        small = {"encoder_layers": 1, "decoder_layers": 1}
        changed = shape | {"training": short, "model": shape["model"] | small | {"max_length": 32}}
        monkeypatch.setitem(material._SHAPES, key, changed)
    monkeypatch.setitem(scaling.LENGTHS, "quick", [2, STEPS])
    scale = table3.Scale(16, 2, STEPS, 2, 0.3, 300, 400, 30, Greedy())
    monkeypatch.setitem(table3.SCALES, "quick", scale)
    folder = tmp_path / "case"
    folder.mkdir()
    return Place(torch.device("cpu"), Progress(quiet=True), folder, data)


def measured(claim: Claim, place: Place, number: int = 0) -> tuple[Case, Figures]:
    """Run a case of the quick form; the report must take it alone."""
    case = claim.cases("quick")[number]
    figures = claim.run(case, place)
    report = claim.report([Measured(case, figures)])
    assert report.tables[0].rows
    assert not (place.folder / "run").exists()
    assert [point[0] for point in figures["curve"]] == list(range(1, STEPS + 1))
    assert all(math.isfinite(figures[key]) for key in ("train_loss", "dev_loss", "seconds"))
    return case, figures


def test_order_without_positions_is_no_order(place: Place) -> None:
    case, figures = measured(order.CLAIM, place)
    assert case["model"] == "no positions"
    assert figures["in_order"] == figures["shuffled"]


def test_peeking_is_trained_without_the_mask_and_measured_with_it(place: Place) -> None:
    _, figures = measured(peeking.CLAIM, place, 1)
    assert figures["dev_loss_masked"] != figures["dev_loss"]
    assert 0 < figures["least_loss"] < math.log(8)


def test_a_translator_before_the_transformer(place: Place) -> None:
    case, figures = measured(translation.CLAIM, place, 1)
    assert case["model"] == "LSTM"
    assert all(point[4] is not None for point in figures["curve"])  # BLEU on the way


def test_each_model_is_tuned_alike(place: Place) -> None:
    found = [Measured(case, {"dev_loss": loss}) for case, loss in _tried({0.5: 3.0, 1.0: 2.0})]
    assert best(tuning.tries(found)) == dict.fromkeys(MODELS, 1.0)
    case = tuning.CLAIM.cases("quick")[1]
    figures = tuning.CLAIM.run(case | {"factor": 2.0}, place)
    assert figures["steps"] == STEPS // tuning.SHARE
    assert figures["rate"] == 2 * material._SHAPES[MULTI30K, "quick"]["schedule"]["peak"]
    (table,) = tuning.CLAIM.report([Measured(case, figures)]).tables
    assert table.rows[0][0] == "Transformer"


def test_a_rate_with_which_a_training_diverges_is_the_worst(
    place: Place, monkeypatch: pytest.MonkeyPatch
) -> None:
    def look(self: Doctor, pulse: Any, step: int, loss: float, gradient: float) -> None:
        raise Diverged("the loss has blown up", "the rate", "half the learning rate")

    case = tuning.CLAIM.cases("quick")[1]
    known = Measured(case, tuning.CLAIM.run(case, place))
    monkeypatch.setattr(Doctor, "look", look)
    lost = Measured(case | {"factor": 9.0}, tuning.CLAIM.run(case | {"factor": 9.0}, place))
    assert lost.figures["parameters"] == known.figures["parameters"]
    assert best(tuning.tries([lost])) == {}
    assert best(tuning.tries([lost, known])) == {case["model"]: case["factor"]}
    (table,) = tuning.CLAIM.report([known, lost]).tables
    assert table.rows[0][-2:] == ["diverged", f"{case['factor']:g}"]


def _tried(losses: dict[float, float]) -> list[tuple[Case, float]]:
    return [({"model": m, "factor": f}, loss) for m in MODELS for f, loss in losses.items()]


def test_the_rates_are_those_that_the_tuning_found_best() -> None:
    folder = Path(__file__).parents[2] / "benchmarks" / "results" / "claims"
    results = read_results(folder / "tuning.json", "tuning", "full")
    known = results.known(tuning.CLAIM)
    assert len(known) == len(tuning.CLAIM.cases("full"))
    assert best(tuning.tries(known)) == FACTORS


def test_a_decoder_of_some_size(place: Place) -> None:
    _, figures = measured(scaling.CLAIM, place)
    width = scaling.SIZES["quick"][0][1]
    assert figures["weights_of_layers"] == 12 * width**2 + 2 * width  # no biases; two norms
    assert figures["tokens"] == STEPS * 12 * 64


@pytest.mark.slow
def test_a_row_of_table_3_with_narrow_keys(place: Place) -> None:
    case = {"row": "B: d_k=16", "seed": 1, "scale": "quick"}
    figures = sweep.run(case, place)
    base = sweep.run({**case, "row": "base"}, place)
    assert figures["parameters"] < base["parameters"]
    assert 0 <= figures["bleu"] <= 100


def test_all_translators_are_as_large_within_five_percent(place: Place) -> None:
    known = material.material(MULTI30K, "quick", place)
    wanted = parameters(known.config.model, 2000)
    for name in MODELS:
        found = parameters(solved(name, known.config, 2000).model, 2000)
        assert found == pytest.approx(wanted, rel=0.05), name


def test_one_who_peeks_sees_what_is_to_come() -> None:
    shape = TransformerConfig(
        d_model=16, d_ff=32, n_heads=2, encoder_layers=1, decoder_layers=1, max_length=16
    )
    torch.manual_seed(0)
    model = shape.build(20, 20).eval()
    source, real = torch.tensor([[5, 6, 2]]), torch.ones(1, 3, dtype=torch.bool)
    one, other = torch.tensor([[1, 7, 8]]), torch.tensor([[1, 7, 9]])  # alike but for the last

    def first(target: torch.Tensor) -> torch.Tensor:
        return model.hidden(target, model.encode(source, real))[:, :2]

    torch.testing.assert_close(first(one), first(other))
    peeking.unmasked(model)
    assert not torch.allclose(first(one), first(other))
    peeking._put_back(model)
    torch.testing.assert_close(first(one), first(other))


def test_a_bag_of_words_leaves_four_sentences() -> None:
    every = roles(2000)
    assert all(sorted(word[::-1] for word in b.split()) == sorted(a.split()) for a, b in every)
    one, two = "red cat sees old dog", "old dog sees red cat"
    assert sorted(one.split()) == sorted(two.split())
    lots = roles(50, lots=True)
    assert len({target.split()[0] for _, target in lots}) == 8
    texts = [source for source, _ in every[:50]]
    mixed = shuffled(texts)
    assert all(sorted(a.split()) == sorted(b.split()) for a, b in zip(texts, mixed, strict=True))
    assert not set(texts) & set(mixed)


@pytest.mark.parametrize("claim", [order.CLAIM, peeking.CLAIM, translation.CLAIM, scaling.CLAIM])
def test_without_data_one_sentence_says_what_is_missing(claim: Claim, tmp_path: Path) -> None:
    for data in (None, tmp_path):
        reason = claim.missing(data, "full")
        assert reason is not None
        assert "it needs" in reason
    if claim.name in ("order", "peeking"):
        assert claim.missing(None, "quick") is None
    folder = Place(torch.device("cpu"), Progress(quiet=True), tmp_path, None)
    with pytest.raises(DataError, match="it needs"):
        claim.run(claim.cases("full")[-1], folder)


def test_full_forms_have_three_seeds_and_quick_ones_a_case_each() -> None:
    for claim in (order.CLAIM, peeking.CLAIM, translation.CLAIM, scaling.CLAIM, sweep.CLAIM):
        assert {case["seed"] for case in claim.cases("full")} == {1, 2, 3}
        assert {case["seed"] for case in claim.cases("quick")} == {1}
    assert {case["task"] for case in order.CLAIM.cases("full")} == {ROLES, MULTI30K}
    assert {case["task"] for case in peeking.CLAIM.cases("full")} == {LOTS, MULTI30K}


def test_a_training_that_diverges_is_not_gone_on_with_at_half_its_rate(
    place: Place, monkeypatch: pytest.MonkeyPatch
) -> None:
    known = material.material(ROLES, "quick", place)
    returns = []

    def seen(config: Any, *_: Any, **__: Any) -> RunResult:
        returns.append(config.training.returns)
        return RunResult(Outcome(False, 1, "interrupted"), None, None)

    monkeypatch.setattr(learning, "train", seen)
    for going_on in (False, True):
        with pytest.raises(KeyboardInterrupt):
            learning.learnt(known.config, known.corpus, place.folder / "run", going_on=going_on)
    assert returns == [0, known.config.training.returns]
    assert returns[1] > 0


@pytest.mark.parametrize("going_on", [False, True])
def test_an_interrupted_training_leaves_its_folder_only_to_go_on(
    going_on: bool, place: Place, monkeypatch: pytest.MonkeyPatch
) -> None:
    known = material.material(ROLES, "quick", place)
    resumed = []

    def interrupted(config: Any, folder: Path, *_: Any, resume: bool, **__: Any) -> RunResult:
        folder.mkdir(exist_ok=True)
        (folder / "config.json").write_text("{}")
        resumed.append(resume)
        return RunResult(Outcome(False, 1, "interrupted"), None, None)

    monkeypatch.setattr(learning, "train", interrupted)
    run = place.folder / "run"
    for _ in range(2):
        with pytest.raises(KeyboardInterrupt):
            learning.learnt(known.config, known.corpus, run, going_on=going_on)
    assert run.exists() == going_on
    assert resumed == [False, going_on]
