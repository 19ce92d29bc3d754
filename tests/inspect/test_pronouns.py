"""The pronoun templates: what is claimed of every sentence is true, and no half knows the other."""

import re
from collections import Counter

import pytest

from heedful.inspect.heads.nouns import NOUNS
from heedful.inspect.heads.pronouns import Example, examples, tour

ENGLISH, CHINESE = examples("en"), examples("zh")
EVERY = [*ENGLISH, *CHINESE]

DER = """Bär Hund Esel Affe Apfel Kuchen Käse Fisch Kaffee Saft Tee Wein Wald Fluss Hügel Berg Baum
Ball Stuhl Sessel Schrank Stein Koffer Tisch Tunnel Regenschirm Schirm"""
DIE = """Katze Kuh Maus Banane Karotte Möhre Suppe Limonade Milch Brücke Wüste Straße Mauer Wand
Flasche Kiste Schachtel Box Puppe Tür Türe Schublade Gitarre Leiter Lampe Maschine"""
DAS = """Tier Pferd Schwein Brot Ei Fleisch Bier Wasser Feld Dach Bett Buch Auto Tor Klavier Bild
Fenster"""


def test_genders() -> None:
    """Against a list of the dictionary's articles, typed in by itself."""
    by_article = {"er": DER.split(), "sie": DIE.split(), "es": DAS.split()}
    gender = {word: pronoun for pronoun, words in by_article.items() for word in words}
    used = {noun for frame in ENGLISH for noun in frame.named}
    assert used <= set(NOUNS.values())
    for noun in NOUNS.values():
        for form in (noun.german, *noun.others):
            if form != noun.oblique:
                assert gender[form] == noun.gender, form


def test_counts() -> None:
    assert len({one.pair for one in ENGLISH}) == 210
    assert len({one.pair for one in CHINESE}) >= 100
    assert Counter(Counter(one.pair for one in EVERY if one.language == "en").values()) == {2: 210}
    assert min(Counter(one.half for one in EVERY).values()) >= 100
    assert len({one.text for one in EVERY}) == len(EVERY)


@pytest.mark.parametrize("language", ["en", "zh"])
def test_pairs_are_minimal(language: str) -> None:
    """The members differ in what is said of the noun alone, and then mean the other noun."""
    pairs: dict[int, list[Example]] = {}
    for one in examples(language):
        pairs.setdefault(one.pair, []).append(one)
    for first, second in pairs.values():
        assert first.words[: first.pronoun + 1] == second.words[: first.pronoun + 1]
        assert first.words != second.words
        assert (first.antecedent, first.distractor) == (second.distractor, second.antecedent)
        assert (first.right, first.wrong) == (second.wrong, second.right)
        assert first.unit == second.unit
        assert first.german == second.german


def test_both_orders() -> None:
    """Of every pair of nouns each stands first as often, and each is meant as often."""
    units: dict[int, list[Example]] = {}
    for one in ENGLISH:
        units.setdefault(one.unit, []).append(one)
    for four in units.values():
        assert len(four) == 4
        assert Counter(one.antecedent < one.distractor for one in four) == {True: 2, False: 2}
        assert Counter(one.antecedent == one.agent for one in four) == {True: 2, False: 2}
        assert len({frozenset(one.named) for one in four}) == 1


@pytest.mark.parametrize("language", ["en", "zh"])
def test_no_leak_between_the_halves(language: str) -> None:
    halves = {
        half: [one for one in examples(language) if one.half == half] for half in ("dev", "test")
    }
    dev, test = halves["dev"], halves["test"]
    for of in (
        lambda one: one.frame,
        lambda one: one.unit,
        lambda one: frozenset((one.words[one.antecedent], one.words[one.distractor])),
    ):
        assert not {of(one) for one in dev} & {of(one) for one in test}


def test_words_are_what_they_are_said_to_be() -> None:
    pronouns = {"en": "it", "zh": "它"}
    for one in [*EVERY, *tour("en"), *tour("zh")]:
        assert one.words[one.pronoun] == pronouns[one.language]
        assert one.words.count(pronouns[one.language]) == 1
        assert {one.agent} <= {one.antecedent, one.distractor}
        assert one.content[[one.antecedent, one.distractor]].all()
        assert not one.content[one.pronoun]
        if one.language == "en":
            mine, other = one.named
            assert NOUNS[one.words[one.antecedent]] == mine
            assert NOUNS[one.words[one.distractor]] == other
            assert (one.right, one.wrong) == (mine.gender, other.gender)
            assert one.right != one.wrong


def test_spans() -> None:
    for one in EVERY:
        raw = one.text.encode()
        assert [raw[span.start : span.end].decode() for span in one.spans] == list(one.words)
        between = b"".join(
            raw[a.end : b.start] for a, b in zip(one.spans, one.spans[1:], strict=False)
        )
        assert not between.strip()
        assert raw[one.spans[-1].end :] == b""


def test_text() -> None:
    assert [one.text for one in tour("en")] == [
        "The animal didn't cross the street because it was too tired.",
        "The animal didn't cross the street because it was too wide.",
        "The cat ate the fish because it was hungry.",
        "The cat ate the fish because it was tasty.",
    ]
    assert [one.text for one in tour("zh")] == ["猫吃鱼,因为它饿了。", "猫吃鱼,因为它很新鲜。"]
    for one in ENGLISH:
        assert re.fullmatch(r"The [a-z' ]+ because it was [a-z ]+\.", one.text)
    for one in CHINESE:
        assert re.fullmatch(r"[\u4e00-\u9fff]+，因为它[\u4e00-\u9fff]+。", one.text)


ARTICLES = {
    "er": {"der", "dem", "den"},
    "sie": {"die", "der"},
    "es": {"das", "dem"},
}


def test_german_beginnings_agree() -> None:
    """Every noun has an article of its gender before it, the first a nominative."""
    for one in ENGLISH:
        words = re.findall(r"\w+", one.german)
        assert one.german[0].isupper()
        assert words[-1] == "weil"
        assert words[0].lower() in {"der", "die", "das"}
        for noun in one.named:
            [place] = [n for n, word in enumerate(words) if word in (noun.german, noun.oblique)]
            assert words[place - 1].lower() in ARTICLES[noun.gender]
