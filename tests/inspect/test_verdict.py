"""That a model resolves "it" is said where attention, cuts and output agree, and nowhere else."""

from dataclasses import fields, replace
from itertools import product

import numpy as np
import pytest

from heedful.inspect.heads.behaviour import Behaviour
from heedful.inspect.heads.causal import Causal
from heedful.inspect.heads.coreference import Coreference, HeadMeasure
from heedful.inspect.heads.intervals import Estimate
from heedful.inspect.heads.verdict import verdict
from heedful.inspect.names import Head

HEAD = Head("encoder", 4, 2)
NOTHING, CLEAR = Estimate(0.0, -0.1, 0.1), Estimate(0.5, 0.3, 0.7)
UNKNOWN = Estimate(np.nan, np.nan, np.nan)


def attention(accuracy: float = 0.8, low: float = 0.7) -> Coreference:
    found = Estimate(accuracy, low, 0.9)
    measure = HeadMeasure(HEAD, found, found, found, CLEAR, CLEAR, CLEAR)
    baselines = {
        "nearest noun": Estimate(0.5, 0.5, 0.5),
        "mean of all heads": Estimate(0.9, 0.9, 1),
    }
    return Coreference("en", 180, 240, HEAD, 0.8, (measure,), baselines, NOTHING)


def cuts(**changed: Estimate) -> Causal:
    names = [one.name for one in fields(Causal)][3:]
    effects = dict.fromkeys(names, NOTHING)
    return Causal(HEAD, 240, 200, **(effects | changed))


MATTERS = cuts(edge=CLEAR, edge_above_control=CLEAR)


def output(low: float = 0.4) -> Behaviour:
    counts = {"er": 50, "sie": 50, "es": 100, "none": 0}
    always = {"er": 0.3, "sie": 0.3, "es": 0.4}
    both = Estimate(0.5, low, 0.6)
    return Behaviour(100, both, both, counts, always, 0.9, UNKNOWN, both)


@pytest.mark.parametrize("evidence", list(product([True, False], repeat=3)))
def test_all_three_must_agree(evidence: tuple[bool, bool, bool]) -> None:
    looks, matters, shows = evidence
    found = verdict(
        attention(*((0.8, 0.7) if looks else (0.55, 0.5))),
        MATTERS if matters else cuts(),
        output(0.4 if shows else 0.2),
        ("en", "de"),
    )
    assert (found.attention, found.causal, found.output) == evidence
    assert found.resolves is all(evidence)
    assert found.said.startswith("The model resolves" if all(evidence) else "It is not shown")


@pytest.mark.parametrize(
    ("accuracy", "low", "enough"),
    [(0.6, 0.51, True), (0.59, 0.55, False), (0.7, 0.5, False), (0.9, 0.8, True)],
)
def test_attention_must_be_ten_points_above_any_place(
    accuracy: float, low: float, enough: bool
) -> None:
    """The mean of all heads is no place: it may know more than one head."""
    assert attention(accuracy, low).is_coreference(HEAD) is enough


@pytest.mark.parametrize(
    ("found", "matters"),
    [
        (cuts(), False),
        (MATTERS, True),
        (cuts(silent=CLEAR, silent_above_control=CLEAR), True),
        (cuts(edge=CLEAR), False),
        (cuts(edge_above_control=CLEAR), False),
        (cuts(edge=CLEAR, silent_above_control=CLEAR), False),
        (cuts(everywhere=CLEAR, everywhere_above_control=CLEAR), False),
    ],
)
def test_cuts_matter_beyond_their_controls(found: Causal, matters: bool) -> None:
    assert found.matters is matters


def test_what_was_measured_is_said() -> None:
    said = verdict(attention(), cuts(everywhere=CLEAR), output(), ("en", "de")).said
    assert "encoder.4.2, points to the antecedent in 80% (70 to 90) of 240" in said
    assert "cutting that edge changes nothing measurable (0.000 nats)" in said
    assert "cutting the edge in all heads costs its pronoun 0.500 nats, not measurably more" in said
    assert "both members of 50% (40 to 60) of 100 minimal pairs come out right" in said


def test_a_habit_is_said() -> None:
    counts = {"er": 1, "sie": 1, "es": 98, "none": 0}
    found = verdict(attention(), MATTERS, replace(output(), counts=counts), ("en", "de"))
    assert "98% of all say es" in found.said


@pytest.mark.parametrize(
    ("way", "sentence"),
    [
        (("zh", "en"), "this language pair does not force a choice: 它 becomes it"),
        (("en", "zh"), "from English to German alone, not from en to zh"),
    ],
)
def test_where_the_output_cannot_show_it(way: tuple[str, str], sentence: str) -> None:
    found = verdict(attention(), None, None, way)
    assert sentence in found.said
    assert not found.resolves
    assert (found.causal, found.output) == (None, None)
    assert "the model resolves" not in found.said.lower()
