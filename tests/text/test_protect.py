"""Spans are parts of their text, in order; what is kept, lost and added is counted rightly."""

import re
import string
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from heedful.text.protect import _SIGNS, KINDS, _each, added, lost, spans

PARTS = [*"%$#{}<>&;:/.,@ 1aZß猫_=()[]\n", "%s", "%1", "www.", "http://", "{n, plural, one {"]
PARTS += ["} x {", "<b>", "</b>", "<a href='x'>", "a@b.de", "1,000.5", "1 000", "2024-05-01", "&b;"]
tricky = st.lists(st.sampled_from(PARTS), max_size=25).map("".join)


@given(st.text() | tricky)
def test_spans_are_parts_in_order(text: str) -> None:
    end = 0
    for span in spans(text):
        assert span.text == text[span.start : span.end] != ""
        assert span.start >= end
        assert span.kind in KINDS
        end = span.end


@given(st.text(string.printable) | tricky)
def test_a_text_without_signs_has_no_span(text: str) -> None:
    """The quick way out agrees with the whole search."""
    assert spans(text) == list(_each(text))
    assert _SIGNS.search(text) or not list(_each(text))


@given(st.text() | tricky)
def test_nothing_is_lost_or_added_by_copying(text: str) -> None:
    assert lost(text, text, "de") == added(text, text, "de") == []


@given(tricky, tricky)
def test_an_empty_translation_loses_all(source: str, other: str) -> None:
    assert lost(source, "", "de") == spans(source)
    assert added("", other, "de") == spans(other)
    assert lost(source, f"{other}\n{source}\n", "de") == lost(source, f"{source}\n{other}\n", "de")


PLACEHOLDERS = [
    *["%s", "%d", "%5.2f", "%-10s", "%1$s", "%ld", "%(name)s", "%(size)05.1f", "%%", "%@", "%p"],
    *["%{name}", "%PRODUCTNAME", "%MOD1", "%OBJECT_NAME%", "%1", "%L2", "%n", "%filename"],
    *["$(ARG1)", "${name}", "${a.b}", "$name", "$name$", "#type#"],
    *["{}", "{0}", "{name}", "{a.b[0]}", "{name!r:>10}", "{x:.2f}", "{{ name }}", "{{x}}"],
    *["{% block x %}", "<%= name %>", "{n, number}", "{when, date, short}"],
]
TAGS = [
    "<b>",
    "</b>",
    "<br/>",
    "<br />",
    '<a href="x.html">',
    "</none>",
    "&nbsp;",
    "&#12;",
    "&#x1F;",
]
TAGS += ["<x-y z='1'/>", "<wizard_name>", "<BR>", "<!-- b -->"]
URLS = [
    "http://x.org",
    "https://x.org/a_(b)?c=%20&d#e",
    "www.x.org/a",
    "Https://x.org/A",
    "WWW.X.ORG/a",
    "ftp://x.y/z",
    "http://ö.at/ü",
]
NUMBERS = [
    "7",
    "1,000.5",
    "1 000 000,5",
    "1'000",
    "12:30",
    "2024-05-01",
    "5/1/2024",
    "1.2.3",
    "٣٫٥",
]


@pytest.mark.parametrize(
    ("span", "kind"),
    [(text, "placeholder") for text in PLACEHOLDERS]
    + [(text, "tag") for text in TAGS]
    + [(text, "url") for text in URLS]
    + [(text, "email") for text in ("a@b.de", "first.last+x@mail.example.org")]
    + [(text, "number") for text in NUMBERS],
)
@pytest.mark.parametrize("around", ["{}", "({})", "“{}”.", "aus {}, dann", "猫{}猫"])
def test_what_is_a_span(span: str, kind: str, around: str) -> None:
    text = around.replace("{}", span)
    assert [(found.text, found.kind) for found in spans(text)] == [(span, kind)]


WORDS = ["100 % of", "5 %-ige", "10 %ige", "a 3D mp3 A4", "2nd", "30mm", "v1.2.3", "US$", "<none>"]
WORDS += ["<header>", "<All Files>", "a<b and c>d", "_File", "~File", "&File", "AT&T; R&D", "a @ b"]
WORDS += ["{ else }", "{10,}", "# one", "www.", "A$AP", "x_1"]


@pytest.mark.parametrize("text", WORDS)
def test_what_is_no_span(text: str) -> None:
    assert [span.text for span in spans(text) if span.kind != "number"] == []
    assert {span.text for span in spans(text)} <= {"100", "5", "10"} & set(re.findall(r"\d+", text))


def test_inside_of_brackets_that_are_no_tag() -> None:
    assert [span.text for span in spans("<Sequence [%1]> <b of %s>")] == ["%1", "%s"]
    assert [span.text for span in spans("(http://x.org/a). {name}")] == ["http://x.org/a", "{name}"]


def test_the_words_of_an_icu_message_are_left_to_translate() -> None:
    text = "{n, plural, =0 {none} one {# file} other {# files}}"
    found = ["{n, plural, =0 {", "} one {", "} other {", "}}"]
    assert [span.text for span in spans(text)] == found


@pytest.mark.parametrize(
    ("source", "translation", "missing", "new"),
    [
        ("%s of %s", "%s von", ["%s"], []),
        ("%1 by %2", "%2 von %1", [], []),
        ("Delete %d?", "%d %d löschen?", [], ["%d"]),
        ("<b>a</b>", "<b>a", ["</b>"], []),
        ("at 12:30 and 2:30", "um 12.30 und 14:30", [], []),
        ("1,000.5 of 2.5", "1.000,5 von 2,5", [], []),
        ("10,000 men", "10 000 Mann", [], []),
        ("5/1/2024", "1.5.2024", [], []),
        ("2 and 2", "2", ["2"], []),
        ("a 30mm gun", "ein 30 mm Geschütz", [], []),
        ("30 mm", "30mm", [], []),
        ("2 men", "zwei Männer", ["2"], []),
        ("version 1.2.3", "Version 1,2.3", ["1.2.3"], ["1,2.3"]),
        ("see http://x.org/a.", "siehe http://x.org/b.", ["http://x.org/a"], ["http://x.org/b"]),
    ],
)
def test_lost_and_added(source: str, translation: str, missing: list[str], new: list[str]) -> None:
    assert [span.text for span in lost(source, translation, "de")] == missing
    assert [span.text for span in added(source, translation, "de")] == new


PUMPED = [*"%{<$#&}1_a.@", "<a ", "%(", "a@", "a.", "1,", "1 000", "http://)", "{a,plural,", "<!--"]
PUMPED += [
    "#a",
    "{{",
    "%{",
    "} a {",
    "%1$",
    "%5.",
    "www.",
    "<a b=",
    "</a ",
    "<x>",
    "1/",
    "{a:",
    "$a$",
]


@pytest.mark.parametrize("unit", PUMPED)
def test_no_text_takes_long(unit: str) -> None:
    """With quadratic time a text of 100,000 characters would not be done in a minute."""
    text = (unit * 100_000)[:100_000]
    assert all(text.startswith(span.text, span.start) for span in spans(text))


def test_interfaces_keep_their_placeholders(data_folder: Path) -> None:
    """Of LibreOffice's interface nearly all stands in the German one as well."""
    texts = [
        (data_folder / "libreoffice_ui_en_de" / f"ui.{side}").read_text("utf-8").split("\n")
        for side in ("en", "de")
    ]
    wanted = missing = 0
    for source, translation in zip(*texts, strict=True):
        wanted += len(spans(source))
        missing += len(lost(source, translation, "de"))
    assert wanted > 2000
    assert missing < wanted / 100
