"""Which pronoun a translation says, and how often that is right, against counting by hand."""

import pytest

from heedful.inspect.heads.behaviour import behaviour, said
from heedful.inspect.heads.pronouns import Example, example, examples

CAT = example("en", "cat", "fish", "hungry")
ENGLISH = examples("en")


@pytest.mark.parametrize(
    ("translation", "pronoun", "before"),
    [
        ("Die Katze aß den Fisch, weil sie hungrig war.", "sie", "Die Katze aß den Fisch, weil"),
        ("Er aß den Fisch, da es ihn gab, und er war gut.", "es", "Er aß den Fisch, da"),
        ("Die Katze aß er, weil der Fisch gut war.", None, ""),
        ("Sie war satt.", None, ""),
        ("Es aß sie, und er schlief.", "er", "Es aß sie, und"),
        ("Die Wiese weilt, sie, er.", "er", "Die Wiese weilt, sie,"),
        ("", None, ""),
    ],
)
def test_the_pronoun(translation: str, pronoun: str | None, before: str) -> None:
    found = said(CAT, translation)
    assert (found.pronoun, found.before) == (pronoun, before)


@pytest.mark.parametrize(
    ("translation", "named"),
    [
        ("Die Katze aß den Fisch.", True),
        ("Der Fisch der Katze.", True),
        ("Die Katzen aßen den Fisch.", False),
        ("Die Katze fraß einen Hering.", False),
        ("Wegen des Fisches kam die Katze.", True),
    ],
)
def test_the_nouns(translation: str, named: bool) -> None:
    assert said(CAT, translation).named is named


def test_a_noun_in_another_case() -> None:
    bear = example("en", "bear", "fish", "hungry")
    assert said(bear, "Der Fisch wurde von dem Bären gegessen.").named


def spoken(one: Example, pronoun: str) -> str:
    return f"{one.german} {pronoun} so war."


def test_a_model_that_always_picks_one() -> None:
    translations = [said(one, spoken(one, "es")) for one in ENGLISH]
    found = behaviour(ENGLISH, translations, [0.0] * len(ENGLISH))
    share = sum(one.right == "es" for one in ENGLISH) / len(ENGLISH)
    assert found.right.value == pytest.approx(share) == found.always["es"]
    assert found.both_right.value == 0
    assert found.counts == {"er": 0, "sie": 0, "es": len(ENGLISH), "none": 0}
    assert not found.resolves


def test_a_model_that_knows() -> None:
    translations = [said(one, spoken(one, str(one.right))) for one in ENGLISH]
    found = behaviour(ENGLISH, translations, [1.0] * len(ENGLISH))
    assert found.both_right == found.both_right_named == found.likelier == (1, 1, 1)
    assert found.named == 1
    assert sum(found.always.values()) == pytest.approx(1)
    assert found.resolves


def test_a_model_that_takes_the_first_noun() -> None:
    """Every second sentence is right, and never both of a pair."""
    translations = [
        said(one, spoken(one, str(one.right if one.antecedent < one.distractor else one.wrong)))
        for one in ENGLISH
    ]
    found = behaviour(ENGLISH, translations, [0.0] * len(ENGLISH))
    assert found.right.value == 0.5
    assert found.both_right.value == 0


def test_a_model_that_knows_every_second_pair() -> None:
    translations = [
        said(one, spoken(one, str(one.right if one.pair % 2 else one.wrong))) for one in ENGLISH
    ]
    differences = [1.0 if one.pair % 3 else -1.0 for one in ENGLISH]
    found = behaviour(ENGLISH, translations, differences)
    assert found.pairs == 210
    assert found.both_right.value == pytest.approx(105 / 210)
    assert found.likelier.value == pytest.approx(140 / 210)


def test_of_pairs_with_other_nouns_nothing_is_known() -> None:
    found = behaviour(ENGLISH, [said(one, "Ja.") for one in ENGLISH], [0.0] * len(ENGLISH))
    assert found.both_right_named.value != found.both_right_named.value
    assert found.counts["none"] == len(ENGLISH)
