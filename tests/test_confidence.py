"""What a model knows of its own quality: the curve, its file, and what is said of it."""

import json
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from heedful.confidence import FILE, Calibration, Confidence, Fit
from heedful.errors import ModelError, SettingError
from heedful.model_folder import save_model
from heedful.model_header import Languages, add_file
from heedful.models.transformer import TransformerConfig
from heedful.text.tokenizer import BPE, Tokenizer
from heedful.translator import load

numbers = st.floats(-50, 0, allow_nan=False)
scores = st.floats(0, 100, allow_nan=False)


@given(st.lists(st.tuples(numbers, scores), min_size=1, max_size=20, unique_by=lambda x: x[0]))
def test_no_rising_curve_is_nearer(pairs: list[tuple[float, float]]) -> None:
    """Of at most as many sentences as groups, against the min-max formula of isotonic regression.

    Source: Robertson, Wright and Dykstra, Order Restricted Statistical Inference, 1988.
    """
    pairs.sort()
    values = np.array([score for _, score in pairs])
    count = len(values)
    expected = [
        max(min(values[a : b + 1].mean() for b in range(at, count)) for a in range(at + 1))
        for at in range(count)
    ]
    curve = Calibration.fit(*zip(*pairs, strict=True))
    assert curve.chrf == pytest.approx(expected, abs=1e-9)
    assert curve.log_probs == pytest.approx([place for place, _ in pairs])


@given(st.lists(st.tuples(numbers, scores), min_size=1, max_size=300), st.lists(numbers))
def test_the_likelier_is_never_trusted_less(
    pairs: list[tuple[float, float]], asked: list[float]
) -> None:
    curve = Calibration.fit(*zip(*pairs, strict=True))
    found = curve(sorted(asked)).tolist()
    assert found == sorted(found)
    assert all(0 <= one <= 100 for one in found)
    assert (curve.sentences, len(curve.chrf)) == (len(pairs), min(20, len(pairs)))


def test_the_curve_finds_what_there_is() -> None:
    random = np.random.default_rng(1)
    places = random.uniform(-3, 0, 4000)
    truth = 90 / (1 + np.exp(-3 * (places + 1.5)))
    curve = Calibration.fit(places.tolist(), (truth + random.normal(0, 10, 4000)).tolist())
    inside = np.linspace(-2.8, -0.2, 50)
    expected = 90 / (1 + np.exp(-3 * (inside + 1.5)))
    assert np.abs(curve(inside.tolist()) - expected).max() < 5
    assert Fit.of(curve(places.tolist()).tolist(), truth.tolist()).correlation > 0.99


def test_what_does_not_vary_has_no_correlation() -> None:
    assert Fit.of([5.0, 5.0], [1.0, 3.0]) == Fit(0.0, 3.0, 2)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    pairs = [("The house is small.", "Das Haus ist klein.")] * 4
    tokenizer = Tokenizer.train(lambda: pairs, BPE(vocabulary_size=280))
    config = TransformerConfig(
        d_model=8, d_ff=8, n_heads=1, encoder_layers=1, decoder_layers=1, max_length=16
    )
    model = config.build(tokenizer.source_size, tokenizer.target_size)
    save_model(tmp_path / "model", model, tokenizer, Languages(source="en", target="de"))
    return tmp_path / "model"


def test_it_stands_in_the_model_folder(folder: Path) -> None:
    assert Confidence.load(folder).targets == {}
    with pytest.raises(SettingError, match=r"does not know how good .* --calibrate learns it"):
        load(folder, "cpu").translate(["x"], confidence=True)
    one, other = Calibration.fit([-1.0], [10.0]), Calibration.fit([-2.0, -1.0], [0.0, 50.0])
    Confidence({}).with_target("", one).save(folder)
    known = Confidence.load(folder)
    assert known.targets == {"": one}
    known.with_target("", other).with_target("zh", one).save(folder)
    assert Confidence.load(folder).targets == {"": other, "zh": one}


def test_a_translation_carries_it(folder: Path) -> None:
    Confidence({"": Calibration((-9.0, 0.0), (0.0, 90.0), 200)}).save(folder)
    translator = load(folder, "cpu")
    texts = ["The house", " "]
    plain = translator.translate_detailed(texts)
    assert [one.confidence for one in plain] == [None, None]
    found, blank = translator.translate_detailed(texts, confidence=True)
    assert blank.confidence is None
    mean = found.hypotheses[0].log_prob / found.hypotheses[0].pieces
    assert found.confidence == pytest.approx(max(0.0, 90 + 10 * mean))
    *_, last = translator.partial("The house", confidence=True)
    assert last == found


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"[]",
        b'{"format": "heedful-confidence-2", "targets": {}}',
        b'{"format": "heedful-confidence-1", "targets": []}',
        json.dumps(
            {
                "format": "heedful-confidence-1",
                "targets": {"": {"mean_log_prob": [0, -1], "chrf": [1, 2], "sentences": 2}},
            }
        ).encode(),
        b'{"format": "heedful-confidence-1", "targets": {"": {"mean_log_prob": [], "chrf": [],'
        b'"sentences": 0}}}',
    ],
)
def test_a_damaged_file_is_said(folder: Path, content: bytes) -> None:
    add_file(folder, FILE, content)
    translator = load(folder, "cpu")
    translator.translate(["x"])
    with pytest.raises(ModelError, match=r"cannot be used .* heed evaluate --calibrate"):
        translator.translate(["x"], confidence=True)
