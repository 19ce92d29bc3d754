"""The first part of the demo, with a model of random weights: what is shown is what is there."""

import io
from itertools import chain
from pathlib import Path

import pytest
import torch

from heedful.demo import translating
from heedful.demo.screen import Screen
from heedful.demo.translating import SAMPLES, guess_language, show_translations
from heedful.inspect.alignment import align
from heedful.model_folder import LoadedModel
from heedful.model_header import Languages
from heedful.models.transformer import TransformerConfig
from heedful.text.tokenizer import BPE, Tokenizer
from heedful.translator import Translator

PAIRS = [("The cat sleeps in Boston.", "Die Katze schläft in Boston.")] * 10


def translator(*languages: str) -> Translator:
    torch.manual_seed(3)
    tokenizer = Tokenizer.train(lambda: PAIRS, BPE(vocabulary_size=280), languages)
    config = TransformerConfig(d_model=16, d_ff=16, n_heads=2, encoder_layers=1, decoder_layers=1)
    model = config.build(tokenizer.source_size, tokenizer.target_size).eval()
    source, target, *others = languages or ("", "")
    both = bool(languages)
    named = Languages(source=source, target=target, both_directions=both, others=tuple(others))
    return Translator(LoadedModel(model, tokenizer, named))


def shown(model: Translator, typed: str) -> str:
    page = io.StringIO()
    show_translations(model, typed, Screen(page))
    return page.getvalue()


@pytest.mark.parametrize(
    ("text", "language"),
    [
        ("Where is my dog?", "en"),
        ("Wo ist mein Hund?", "de"),
        ("Schöne Grüße", "de"),
        ("Tom", None),
        ("", None),
        ("猫", "zh"),
        ("猫です", None),
        ("What does 猫 mean?", "en"),
        ("汤姆用Linux。", "zh"),
    ],
)
def test_guess_language(text: str, language: str | None) -> None:
    assert guess_language(text) == language


@pytest.mark.parametrize("language", SAMPLES)
def test_samples_are_recognised(language: str) -> None:
    assert all(guess_language(text) == language for text in SAMPLES[language])


def test_samples_are_not_in_the_training_data(data_folder: Path) -> None:
    for corpus in ("tatoeba_en_de", "debian_descriptions_en_de", "tatoeba_en_zh"):
        for file in (data_folder / corpus).glob("*.tsv"):
            text = file.read_text("utf-8")
            for sample in chain.from_iterable(SAMPLES.values()):
                assert sample not in text


def test_samples_go_both_ways() -> None:
    model = translator("en", "de")
    page = shown(model, "")
    assert "\x1b" not in page
    for language, other in (("en", "de"), ("de", "en")):
        for text in SAMPLES[language]:
            assert f"  {language}  {text}\n" in page
            assert f"  {other}  {model.translate([text], other)[0]}"[:40].rstrip() in page


@pytest.mark.parametrize(
    ("typed", "into"),
    [("Where is the cat?", ["de"]), ("Wo ist die Katze?", ["en"]), ("Tom", ["de", "en"])],
)
def test_typed_text_goes_into_the_other_language(
    typed: str, into: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(translating, "SAMPLES", {})
    model = translator("en", "de")
    page = shown(model, typed)
    lines = page.split("\n")
    found = [
        lines[number + 1][2:4]
        for number, line in enumerate(lines)
        if line.endswith(f" {typed}") and line[2:4] in ("en", "de")
    ]
    assert found == into
    for to in into:
        for row in align(
            model.model, model.tokenizer, typed, model.translate([typed], to)[0], to=to
        ):
            assert any(row.source_word in line and f"{row.weight:.0%}" in line for line in lines)


def test_of_three_languages_each_is_translated_where_the_model_does(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    model = translator("en", "de", "zh")
    page = shown(model, "")
    for text in (*SAMPLES["en"] * 2, *SAMPLES["zh"]):
        assert text in page
    assert page.count(f"  en  {SAMPLES['en'][0]}\n") == 2
    monkeypatch.setattr(translating, "SAMPLES", {})
    for typed, pairs in {
        "猫吃鱼": [("zh", "en")],
        "The cat sleeps": [("en", "de"), ("en", "zh")],
        "Tom": [("en", "de"), ("", "en"), ("en", "zh")],
    }.items():
        lines = shown(model, typed).split("\n")
        places = [k for k, line in enumerate(lines) if line[5:] == f" {typed}"]
        found = [(lines[k][2:5].strip(), lines[k + 1][2:5].strip()) for k in places]
        assert found == pairs


def test_a_model_without_names_translates_what_was_typed() -> None:
    page = shown(translator(), "The cat")
    assert page.count("The cat") == 2
    assert SAMPLES["en"][0] not in page


def test_a_long_text_has_no_table() -> None:
    page = shown(translator(), "The cat sleeps in Boston. " * 20)
    assert "too long for a table" in page


def test_square_brackets_are_only_text() -> None:
    assert "[bold]The[/bold] cat [x" in shown(translator(), "[bold]The[/bold] cat [x")
