"""What translations repeat, lose and use is counted as a person would count it."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from heedful.data.glossary import Glossary, Term
from heedful.output_checks import Kept, check

SOURCES = ["Delete %s and %d?", "See <b>12</b> at http://x.org.", "The hard disk and the disk"]
GLOSSARY = Glossary([Term("hard disk", ("Festplatte", "Festplatten")), Term("disk", ("Platte",))])


def test_copies_keep_everything() -> None:
    found = check(SOURCES, SOURCES, language="en")
    assert all(kept.kept == kept.of for kept in found.kept.values())
    assert {kind: kept.of for kind, kept in found.kept.items()} == {
        "placeholder": 2,
        "tag": 2,
        "url": 1,
        "number": 1,
    }
    assert found.glossary is None
    assert found.length_ratio(found) == {"characters": 1, "words": 1}


def test_what_is_lost() -> None:
    lines = ["%s löschen?", "Siehe <b>zwölf bei http://x.org", "Die Platte und die Platte"]
    found = check(SOURCES, lines, language="de", glossary=GLOSSARY)
    assert found.kept == {
        "placeholder": Kept(1, 2),
        "tag": Kept(1, 2),
        "url": Kept(1, 1),
        "number": Kept(0, 1),
    }
    assert found.glossary == Kept(1, 2)
    assert check(SOURCES, ["", "", "Platte, Festplatten"], glossary=GLOSSARY).glossary == Kept(2, 2)


@given(st.lists(st.tuples(st.text("ab ", max_size=20), st.text("ab ", max_size=20))))
def test_sums_and_shares(pairs: list[tuple[str, str]]) -> None:
    sources, lines = [a for a, _ in pairs], [b for _, b in pairs]
    found = check(sources, lines)
    assert found.characters == sum(map(len, lines))
    assert found.words == sum(len(line.split()) for line in lines)
    assert 0 <= found.repeated_4grams <= 1
    assert found.kept == {}
    twice = check(sources * 2, lines * 2)
    assert twice.repeated_4grams == pytest.approx(found.repeated_4grams)
    assert twice.loops == 2 * found.loops


def test_repeats() -> None:
    lines = ["a b c d a b c d", "no no no", "nothing"]
    found = check(["x", "x", "x"], lines)
    assert found.repeated_4grams == pytest.approx((1 / 5) / 3)
    assert found.loops == 1
    assert check(["x", "yes, yes, yes", "x"], lines).loops == 0
