"""Copies: whatever their capitals and spaces, and only where something was to be translated."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from heedful.text.copied import is_copied


@pytest.mark.parametrize(
    ("source", "translation"),
    [("Page", "Page"), ("~Page %1:", "~page %1"), ("猫。", "猫"), ("Open  it!", "open it .")],
)
def test_copies(source: str, translation: str) -> None:
    assert is_copied(source, translation)


@pytest.mark.parametrize(
    ("source", "translation"),
    [
        ("Page", "Seite"),
        ("12.5", "12.5"),
        ("%s: {name}", "%s: {name}"),
        ("https://example.org", "https://example.org"),
        ("max@example.org", "max@example.org"),
        ("<b>", "<b>"),
        ("", ""),
        ("...", "..."),
    ],
)
def test_no_copies(source: str, translation: str) -> None:
    assert not is_copied(source, translation)


@given(st.text(max_size=30), st.sampled_from(["%s", "{name}", "17", "<b>"]))
def test_a_text_is_its_own_copy_where_it_has_letters(text: str, span: str) -> None:
    assert is_copied(f"{text} word {span}", f"{text} word {span}")
