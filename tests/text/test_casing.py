"""Capitals are taken from what is shouted or titled, and from nothing that is protected."""

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from heedful.text.casing import is_shouted, is_titled, shouted, unshouted, untitled
from heedful.text.protect import spans

PARTS = [
    "%s",
    "%(Name)d",
    "<B>",
    "http://X.org/A",
    "{Name}",
    "A@B.de",
    " ",
    ". ",
    "I'M",
    "NEW",
    "ß",
]
PARTS += ["ΟΔΟΣ", "İ", "ﬁ", "New", "row", "ŉ", "猫", "3D", "$Ab", "\n"]
texts = st.text() | st.lists(st.sampled_from(PARTS)).map("".join)


@pytest.mark.parametrize("change", [unshouted, shouted, untitled])
@given(text=texts)
def test_spans_and_lengths_stay(change: object, text: str) -> None:
    assert callable(change)
    changed = change(text)
    assert len(changed) == len(text)
    for span in spans(text):
        assert changed[span.start : span.end] == span.text
    assert changed.casefold().replace("ς", "σ") == text.casefold().replace("ς", "σ")
    assert change(change(changed)) == change(changed)


@given(texts)
def test_shouting_comes_back(text: str) -> None:
    """What is in capitals is so again after both ways."""
    capitals = shouted(text)
    if is_shouted(capitals) and spans(unshouted(capitals)) == spans(capitals):
        assert shouted(unshouted(capitals)) == capitals


@pytest.mark.parametrize(
    ("text", "small"),
    [
        ("DO NOT ENTER", "Do not enter"),
        ("WARNING: %s IS FULL!", "Warning: %s is full!"),
        ("STOP. THE END. I'M HERE", "Stop. The end. I'm here"),
        ("%s FILES WERE LOST", "%s files were lost"),
        ("3 FILES", "3 files"),
        ("DIE STRAßE", "Die straße"),
        ("СТОЙ, ОПАСНО", "Стой, опасно"),
        ("Η ΟΔΟΣ ΜΟΥ", "Η οδος μου"),
        ("<b>BEWARE</b> OF THE DOG", "<b>Beware</b> of the dog"),
    ],
)
def test_shouted_texts(text: str, small: str) -> None:
    assert is_shouted(text)
    assert unshouted(text) == small
    assert not is_shouted(small)


CALM = ["NASA", "USB 3.0", "A4", "OK", "I", "I A", "", "猫", "%PRODUCTNAME", "http://X", "Hello"]
CALM += ["HELLO world", "12:30", "{NAME} <B>", "iOS APP STORE"]


@pytest.mark.parametrize("text", CALM)
def test_calm_texts(text: str) -> None:
    assert not is_shouted(text)


def test_an_address_keeps_its_letters_whatever_its_scheme_has() -> None:
    assert unshouted("SEE PAGES AT HTTP://X.ORG/A") == "See pages at HTTP://X.ORG/A"
    assert untitled("Read Https://x.org/Cats And Www.x.org/Dogs Now") == (
        "Read Https://x.org/Cats and Www.x.org/Dogs now"
    )


def test_sharp_s_has_a_capital() -> None:
    assert shouted("Straße") == "STRAẞE"
    assert shouted("Straße").lower() == "straße"


@pytest.mark.parametrize(
    ("text", "plain"),
    [
        ("Insert New Table Row", "Insert new table row"),
        ("Insert the SQL Query of a View", "Insert the SQL query of a view"),
        ("Open Recent LibreOffice File", "Open recent LibreOffice file"),
        ("GNU C Library Development Files", "GNU C library development files"),
        ("Set %PRODUCTNAME Default Language", "Set %PRODUCTNAME default language"),
    ],
)
def test_titles(text: str, plain: str) -> None:
    assert is_titled(text)
    assert untitled(text) == plain
    assert not is_titled(plain)


PLAIN = [
    "Insert new row",
    "John Smith",
    "Is Tom from Boston?",
    "INSERT NEW ROW",
    "insert New Row Now",
]
PLAIN += ["", "猫", "%s %d", "PDF HTML XML", "He lives in New York City"]
PLAIN += ["Yes. No. Maybe. Stop. Go.", "Tom Left. Mary Stayed. Good."]


@pytest.mark.parametrize("text", PLAIN)
def test_no_titles(text: str) -> None:
    assert not is_titled(text)


def test_sentences_are_neither(data_folder: Path) -> None:
    lines = (data_folder / "tatoeba_en_de" / "dev.tsv").read_text("utf-8").split("\n")
    for text in (side for line in lines for side in line.split("\t")[:2]):
        assert not is_shouted(text)
