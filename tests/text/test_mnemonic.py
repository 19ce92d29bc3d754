"""A shortcut's mark is taken off and put back; what only looks like one stays."""

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from heedful.text.mnemonic import returned, taken
from heedful.text.protect import spans

labels = st.text(st.sampled_from("_~&aBé 猫%s.")) | st.text()


@pytest.mark.parametrize(
    ("text", "bare", "mark"),
    [
        ("_Password:", "Password:", "_"),
        ("~File", "File", "~"),
        ("&File", "File", "&"),
        ("Save _As...", "Save As...", "_"),
        ("E&xit", "Exit", "&"),
        ("Page si_ze", "Page size", "_"),
        ("Über _uns", "Über uns", "_"),
        ("1. Which _names do you want?", "1. Which names do you want?", "_"),
        ("~Half an hour. Or more.", "Half an hour. Or more.", "~"),
    ],
)
def test_a_mark_is_taken(text: str, bare: str, mark: str) -> None:
    assert taken(text) == (bare, mark)


WITHOUT = ["file_name", "AT&T", "R&D", "The value of file_name is.", "_a and _b", "a & b", "~5 km"]
WITHOUT += [
    "__x__",
    "ファイル(_F)",
    "&nbsp;",
    "http://x.org/ ~",
    "see http://x.org/_a",
    "%(_name)s",
]
WITHOUT += [
    "plain",
    "",
    "It took ~half an hour.",
    "Noon. It took ~half an hour",
    "A. Research &dev",
]


@pytest.mark.parametrize("text", WITHOUT)
def test_what_is_none_stays(text: str) -> None:
    assert taken(text) == (text, None)


@given(labels)
def test_taking_removes_one_character(text: str) -> None:
    bare, mark = taken(text)
    if mark is None:
        assert bare == text
    else:
        place = text.index(mark)
        assert text[:place] + text[place + 1 :] == bare
        assert taken(bare) == (bare, None)


@given(labels)
def test_returning_adds_one_mark_outside_of_spans(text: str) -> None:
    marked = returned(text, "~")
    if marked == text:
        covered = {place for span in spans(text) for place in range(span.start, span.end)}
        assert not any(c.isalpha() for place, c in enumerate(text) if place not in covered)
    else:
        place = next(n for n, c in enumerate(marked) if text[n : n + 1] != c)
        assert marked[:place] + marked[place + 1 :] == text
        assert marked[place] == "~"
        assert marked[place + 1].isalnum()  # ¼ passes for a letter


def test_labels_of_an_interface(data_folder: Path) -> None:
    """Where the English label has a mark the German one nearly always has the same."""
    both = [
        (data_folder / "libreoffice_ui_en_de" / f"ui.{side}").read_text("utf-8").split("\n")
        for side in ("en", "de")
    ]
    marks = [(taken(source)[1], taken(target)[1]) for source, target in zip(*both, strict=True)]
    marked = [pair for pair in marks if pair[0] is not None]
    assert len(marked) > 2000
    assert sum(source == target for source, target in marked) > 0.9 * len(marked)
