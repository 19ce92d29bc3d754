"""All measurements of one model together: what is there, what is not, and how it is shown."""

import json
import re
from collections.abc import Iterator
from copy import copy
from dataclasses import replace

import pytest

from heedful.errors import DataError, SettingError
from heedful.inspect.heads import pronouns
from heedful.inspect.heads.measure import LONGEST, Report, Texts, measure
from heedful.inspect.heads.page import page
from heedful.inspect.heads.picture import picture
from heedful.inspect.heads.roles import ROLES
from heedful.inspect.heads.table import lines, plain
from heedful.model_folder import LoadedModel
from heedful.text.framing import Framing
from heedful.translator import Translator
from tests.inspect.planted import tiny, tokenizer

CORPUS = Texts(
    "my.tsv",
    ["The cat ate the fish.", "The dog ate.", "fish " * 60],
    ["Die Katze", "Der Hund", "Fisch"],
    (0, 1, 2),
)


@pytest.fixture(scope="module")
def loaded() -> LoadedModel:
    return tiny(tokenizer())


@pytest.fixture(scope="module", autouse=True)
def few() -> Iterator[None]:
    """Let there be fewer templates."""
    with pytest.MonkeyPatch.context() as changed:
        changed.setattr(pronouns, "PAIRS", {"en": 2, "zh": 2})
        changed.setattr("heedful.inspect.heads.grammar.SENTENCES", 20)
        yield


@pytest.fixture(scope="module")
def translator(loaded: LoadedModel) -> Translator:
    return Translator(loaded, precision="float32")


@pytest.fixture(scope="module")
def report(translator: Translator) -> Report:
    return measure(translator, "de", ("en", "de"), name="tiny")


def test_a_random_model_gets_no_verdict(report: Report) -> None:
    assert report.verdict is not None
    assert not report.verdict.resolves
    assert report.verdict.said.startswith("It is not shown that the model resolves")
    assert not any("coreference" in one.roles for one in report.roles)
    assert len(report.roles) == 8 + 4 + 4
    assert report.measured_on == "the templates"
    assert report.sentences == 7 * 2 * 4
    assert report.causal is not None
    assert report.behaviour is not None
    assert report.causal.head == report.coreference.chosen
    assert [one.text for one in report.tour] == [one.text for one in pronouns.tour("en")]
    for one in report.tour:
        assert 0 <= one.on_antecedent <= one.most <= 1
        assert one.on_antecedent <= one.weight
        assert one.other != one.antecedent


def test_a_corpus_takes_the_place_of_the_templates(translator: Translator) -> None:
    found = measure(translator, "de", ("en", "de"), CORPUS)
    assert (found.measured_on, found.rarity) == ("my.tsv", "count in my.tsv")
    assert (found.sentences, found.left_out) == (2, 1)
    assert found.coreference is not None
    text = "\n".join(lines(found))
    assert "on 2 sentences of my.tsv (1 are too long)" in text
    assert f"; {found.cut_off} translations did not end;" in text


def test_another_target_language_shows_no_gender(translator: Translator) -> None:
    found = measure(translator, "de", ("en", "fr"))
    assert found.coreference is not None
    assert (found.causal, found.behaviour) == (None, None)
    assert all(one.cut is None and one.pronoun is None for one in found.tour)
    assert "from English to German alone" in found.verdict.said


def test_another_source_language_has_roles_alone(translator: Translator) -> None:
    with pytest.raises(DataError, match='--data: the model reads "fr", of which there are no'):
        measure(translator, "de", ("fr", "de"))
    with pytest.raises(DataError, match="a language that nobody named"):
        measure(translator, "de", ("", ""))
    found = measure(translator, "de", ("fr", "de"), CORPUS)
    assert found.coreference is None
    assert found.relations == found.tour == ()
    assert not {role for one in found.roles for role in one.roles} & {"syntactic", "coreference"}
    assert lines(found)[-1] == (
        "Templates are English and Chinese, and this model reads fr: only the roles that need none "
        "were measured."
    )
    assert "What was found" in page(found)
    json.dumps(plain(found), allow_nan=False)


@pytest.mark.parametrize(
    ("framing", "tag"),
    [
        (Framing(("<s>",)), None),
        (Framing(("to", "from")), "en>de"),
        (Framing(("to",), ("from",)), "en>de"),
        (Framing(ended=False), "de"),
    ],
)
def test_what_stands_around_a_source_is_no_text(
    loaded: LoadedModel, framing: Framing, tag: str | None
) -> None:
    framed = copy(loaded.tokenizer)
    framed.framing = framing
    framed.languages = framed.languages if tag else ()
    translator = Translator(loaded._replace(tokenizer=framed), precision="float32")
    found = measure(translator, tag, ("fr", "de"), CORPUS)
    ids = loaded.tokenizer.encode_source(CORPUS.sources[:2], "de")
    pieces = sum(len(row) - 2 for row in ids)  # without tag and </s>
    for one in found.roles:
        if one.head.kind == "encoder":
            assert one.habit.pieces == pieces
            assert (one.habit.specials > 0) == (framing.around != (0, 0))


def test_nothing_short_enough(translator: Translator) -> None:
    long = Texts("my.tsv", ["fish " * (LONGEST + 1)], [""], (0,))
    with pytest.raises(DataError, match=r"--data: no sentence has at most \d+ pieces"):
        measure(translator, "de", ("en", "de"), long)


def test_a_model_that_writes_nothing(
    translator: Translator, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(translator, "translate", lambda texts, *_, **__: [""] * len(texts))
    for texts, count in ((None, 56), (CORPUS, 2)):
        with pytest.raises(DataError, match=f"mine: .* writes nothing for any of {count} sentence"):
            measure(translator, "de", ("en", "de"), texts, "mine")


def test_the_model_stays_as_it_is(loaded: LoadedModel, report: Report) -> None:
    assert not loaded.model.training
    for module in loaded.model.modules():
        assert "look" not in vars(module)


def test_data(report: Report) -> None:
    found = json.loads(json.dumps(plain(report), allow_nan=False))
    assert found["verdict"]["said"] == report.verdict.said
    assert found["coreference"]["chosen"] == str(report.coreference.chosen)
    assert [one["habit"]["head"] for one in found["roles"]] == [str(o.head) for o in report.roles]
    baseline = found["coreference"]["baselines"]["nearest noun"]
    assert baseline == report.coreference.baselines["nearest noun"]._asdict()


def test_table_names_every_head_and_figure(report: Report) -> None:
    text = "\n".join(lines(report))
    for one in report.roles:
        assert re.search(rf"^{one.head} ", text, re.MULTILINE)
    for said in ("nearest noun", "a random model's chosen head", "labels drawn", "says none"):
        assert said in text
    assert text.endswith(report.verdict.said)


def test_page_is_whole_and_escaped(report: Report) -> None:
    named = replace(
        report,
        model="<script>x</script>",
        roles=tuple(
            replace(one, roles=(*ROLES,), relation="verb to object") for one in report.roles
        ),
    )
    text = page(named)
    assert "<script" not in text
    assert "http" not in text
    assert text.count("<td") >= len(report.roles)
    assert "positional (" in text
    assert "syntactic (verb to object)" in text
    for one in report.tour:
        assert one.text.replace("'", "&#x27;") in text


def test_picture(report: Report, monkeypatch: pytest.MonkeyPatch) -> None:
    pytest.importorskip("matplotlib")
    everything = tuple(replace(one, roles=ROLES, relation="verb to object") for one in report.roles)
    first = picture(replace(report, roles=everything), "svg")
    assert first == picture(replace(report, roles=everything), "svg")
    assert b"The heads of tiny, en to de" in first
    assert picture(replace(report, coreference=None), "png").startswith(b"\x89PNG")
    monkeypatch.setitem(__import__("sys").modules, "matplotlib", None)
    with pytest.raises(SettingError, match=r"\.svg: pictures need matplotlib"):
        picture(report, "svg")
