"""The corpus of normal forms: no contradiction, nothing of the tests in the training."""

import random
from decimal import Decimal
from pathlib import Path

import pytest

from heedful.tasks import normalise
from heedful.tasks.normalise import main, make
from heedful.tasks.written import FORMS, HELD_OUT_FORMS, KINDS, write


@pytest.fixture(scope="module")
def parts() -> dict[str, list[tuple[str, str]]]:
    return make(3000, seed=3, n_test=300)


def test_a_text_has_one_normal_form(parts: dict[str, list[tuple[str, str]]]) -> None:
    """What the rules decide (3/4 is March, pounds are money) is decided everywhere."""
    known: dict[str, str] = {}
    for text, normal in (pair for pairs in parts.values() for pair in pairs):
        assert known.setdefault(text, normal) == normal, text


def test_no_value_of_a_test_is_learnt(parts: dict[str, list[tuple[str, str]]]) -> None:
    learnt = {normal for _, normal in parts["train"]}
    for name in ("dev", "test", "test-forms"):
        assert not learnt & {normal for _, normal in parts[name]}


def test_no_row_stands_twice_and_forms_held_out_write_no_text_that_is_learnt(
    parts: dict[str, list[tuple[str, str]]],
) -> None:
    assert all(len(set(pairs)) == len(pairs) for pairs in parts.values())
    asked: dict[str, set[str]] = {}
    for text, normal in parts["test-forms"]:
        asked.setdefault(normal, set()).add(text)
    chance, met = random.Random(2), set()
    for _ in range(20_000):
        name = chance.choice(tuple(KINDS))
        value = KINDS[name].draw(chance)
        if (normal := KINDS[name].normal(value)) in asked:
            met.add(normal)
            known = {write(pattern, KINDS[name].fields(value)) for pattern in FORMS[name]}
            assert not known & asked[normal]
    assert len(met) > 50


@pytest.mark.parametrize(
    ("number", "unit", "names"),
    [
        ("1", "in", ("inch", "inch")),
        ("-1", "°C", ("degree Celsius", "degree Celsius")),
        ("1", "km/h", ("kilometre per hour", "kilometer per hour")),
        ("2", "ft", ("feet", "feet")),
    ],
)
def test_one_of_a_unit(number: str, unit: str, names: tuple[str, str]) -> None:
    fields = KINDS["measure"].fields((Decimal(number), unit))
    assert (fields["name"], fields["american"]) == names


def test_every_form_suits_some_value_and_none_is_on_both_sides() -> None:
    chance = random.Random(1)
    for name, kind in KINDS.items():
        assert not set(FORMS[name]) & set(HELD_OUT_FORMS[name])
        drawn = [kind.fields(kind.draw(chance)) for _ in range(3000)]
        for pattern in FORMS[name] + HELD_OUT_FORMS[name]:
            assert any(write(pattern, fields) for fields in drawn), pattern


@pytest.mark.parametrize(
    ("kind", "value", "text", "normal"),
    [
        ("time", 9 * 60 + 15, "a quarter past nine", "09:15"),
        ("time", 20 * 60 + 45, "a quarter to nine in the evening", "20:45"),
        ("time", 0, "midnight", "00:00"),
        ("time", 12 * 60, "12 o'clock pm", "12:00"),
    ],
)
def test_times_by_hand(kind: str, value: int, text: str, normal: str) -> None:
    made = KINDS[kind]
    forms = (*FORMS[kind], *HELD_OUT_FORMS[kind])
    assert text in [write(pattern, made.fields(value)) for pattern in forms]
    assert made.normal(value) == normal


def test_a_seed_gives_the_same_files(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(normalise, "N_TEST", 20)
    for name in ("a", "b"):
        assert main(["--rows", "50", "--seed", "5", "--out", str(tmp_path / name)]) == 0
    names = ("train.tsv", "dev.tsv", "test.tsv", "test-forms.tsv")
    for name in names:
        assert (tmp_path / "a" / name).read_bytes() == (tmp_path / "b" / name).read_bytes()
    assert "50 rows" in capsys.readouterr().out
    assert main(["--rows", "0", "--out", str(tmp_path)]) == 2
    assert main(["--rows", "5", "--out", str(tmp_path / "a" / "train.tsv")]) == 2
    assert "--rows: 0 is less than 1; give 1 or more" in capsys.readouterr().err
