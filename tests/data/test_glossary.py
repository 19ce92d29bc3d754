"""Terms are found where a search through all of them finds them; a bad file is named."""

import re
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from heedful.data.glossary import Glossary, Term
from heedful.errors import DataError, SettingError

WORDS = ["hard", "disk", "Disk", "drive", "e-mail", "C++", "NASA", "硬盘", "盘", "é", "x"]
phrases = st.lists(st.sampled_from(WORDS), min_size=1, max_size=3).map(" ".join)
texts = st.lists(st.sampled_from([*WORDS, "HARD", "diskette", " ", ", ", "("])).map("".join)


def slowly(terms: list[str], text: str) -> list[str]:
    """Try every term at every place, the longest first."""
    found, at = [], 0
    letter = re.compile(r"[^\W硬盘]")
    while at < len(text):
        for term in sorted(terms, key=len, reverse=True):
            part = text[at : at + len(term)]
            exact = any(c.isupper() for c in term[1:])
            same = part == term if exact else part.lower() == term.lower()
            around = [text[max(0, at - 1) : at + 1] if at else "", text[at + len(term) - 1 :][:2]]
            if same and not any(len(two) == 2 and all(map(letter.match, two)) for two in around):
                found.append(term)
                at += len(term) - 1
                break
        at += 1
    return found


@given(st.lists(phrases, max_size=8, unique_by=str.lower), texts)
def test_as_a_slow_search(terms: list[str], text: str) -> None:
    glossary = Glossary(Term(term, ("y",)) for term in terms)
    assert [term.source for term in glossary.terms(text)] == slowly(terms, text)


@given(st.lists(phrases, max_size=8, unique_by=str.lower), st.text() | texts)
def test_places_hold_their_terms(terms: list[str], text: str) -> None:
    end = 0
    for term, start, stop in Glossary(Term(term, ("y",)) for term in terms).places(text):
        assert start >= end
        assert text[start:stop].lower() == term.source.lower()
        end = stop


def load(folder: Path, content: bytes) -> Glossary:
    path = folder / "terms.tsv"
    path.write_bytes(content)
    return Glossary.load(path)


def test_a_file_is_read(tmp_path: Path) -> None:
    content = (
        "\ufeff# comment\r\n\r\n hard disk \tFestplatte| Festplatten\r\nNASA\tNASA\nNASA\tNASA"
    )
    glossary = load(tmp_path, content.encode())
    assert len(glossary) == 2
    assert glossary.terms("The Hard Disk of NASA, not Nasa") == [
        Term("hard disk", ("Festplatte", "Festplatten")),
        Term("NASA", ("NASA",)),
    ]


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (b"a\tb\nc", "terms.tsv:2: the line has 1 field, 2 are needed; write source<TAB>target"),
        (b"a\tb\tc", "terms.tsv:1: the line has 3 fields"),
        (b"a\t ", "terms.tsv:1: the target is empty"),
        (b"\tb", "terms.tsv:1: the source is empty"),
        (b"a\tb||c", "terms.tsv:1: one of the forms"),
        (b"a\tb\n\nA\tc", 'terms.tsv:3: "A" has another target than in line 1; join them'),
        (b"a\tb\xe4", "terms.tsv:1: invalid UTF-8: byte 0xE4 at byte 4; save the file as UTF-8"),
        (b"a\tb\0", "terms.tsv:1: a NUL character"),
        (b"# a\n", "terms.tsv: holds no term"),
    ],
)
def test_bad_files(tmp_path: Path, content: bytes, said: str) -> None:
    with pytest.raises(DataError) as raised:
        load(tmp_path, content)
    assert said in str(raised.value)


def test_a_missing_file(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="no such file"):
        Glossary.load(tmp_path / "none.tsv")


def test_many_terms_cost_no_time() -> None:
    """A search through all terms at every place would not be done in an hour."""
    terms = [Term(f"the term {number}", ("x",)) for number in range(100_000)]
    text = "the term 77, " * 5_000
    assert len(Glossary(terms).terms(text)) == 5_000


def test_a_term_has_one_translation_whoever_gives_it() -> None:
    """Terms from elsewhere than a file, as of a request to the server, are checked too."""
    assert len(Glossary([Term("cat", ("Katze",)), Term("Cat", ("Katze",))])) == 1
    with pytest.raises(SettingError, match='the term "Cat" is given twice, with two translations'):
        Glossary([Term("cat", ("Katze",)), Term("Cat", ("Kater",))])
