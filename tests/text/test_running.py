"""Vocabularies of running text: characters and BPE, lossless, and the same in portions."""

from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from heedful.data import running_text
from heedful.data.running_text import Part, portions, survey
from heedful.errors import DataError
from heedful.text.pieces import CONTROL, UNKNOWN
from heedful.text.train_tokenizer import Characters, RunningBPE
from heedful.text.vocabulary import Vocabulary

TEXT = "To be, or not to be, that is the question:\n\nWhether 'tis nobler  in the mind\n" * 3
texts = st.text(st.characters(exclude_categories=["Cs"]), min_size=1)


@given(texts, texts)
def test_characters_come_back_and_others_are_unknown(text: str, other: str) -> None:
    """The table and the library agree, which looks up one character after the other."""
    known = Vocabulary.train([text], Characters())
    assert known.of_characters
    assert known.size == len(CONTROL) + len(set(text))
    assert known.continuation([], known.running(text).tolist()) == text
    assert known.running(other).tolist() == known._backend.encode(other).ids
    strange = [character not in set(text) for character in other]
    assert (known.running(other) == UNKNOWN).tolist() == strange


def test_an_unknown_character_of_a_prompt_is_named() -> None:
    with pytest.raises(DataError, match="never seen the character 'é'"):
        Vocabulary.train(["cafe"], Characters()).encode("café")


@pytest.mark.parametrize("settings", [Characters(), RunningBPE(vocabulary_size=300)])
def test_a_vocabulary_is_the_same_from_its_file(
    settings: Characters | RunningBPE, tmp_path: Path
) -> None:
    known = Vocabulary.train([TEXT], settings)
    known.save(tmp_path / "tokenizer.json")
    again = Vocabulary.load(tmp_path / "tokenizer.json", known.size)
    assert again.fingerprint() == known.fingerprint()
    assert again.of_characters == isinstance(settings, Characters)
    assert again.encode(TEXT) == known.encode(TEXT) == known.running(TEXT).tolist()
    assert again.continuation([], again.encode(TEXT)) == TEXT


BYTES = Vocabulary.train([TEXT], RunningBPE(vocabulary_size=300))
words = st.lists(
    st.sampled_from(["to", "be", "'tis", "12", "!?", "é猫", " ", "  ", "\n", "\t", "\u3000"])
)


@given(words.map("".join), st.integers(1, 9))
def test_portions_are_coded_as_the_whole(text: str, size: int) -> None:
    """Byte-pair encoding cuts in front of white space by itself."""
    parts = list(cut(text, size))
    assert "".join(parts) == text
    coded = [BYTES.running(part) for part in parts]
    whole = BYTES.running(text)
    assert np.concatenate([whole[:0], *coded]).tolist() == whole.tolist()


def cut(text: str, size: int) -> list[str]:
    """Cut as `portions` does, whose lines these are."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(running_text, "_every_line", lambda _: iter(text.splitlines(keepends=True)))
        return list(portions(Part((), 0, len(text)), size))


@pytest.mark.parametrize("end", ["", "\n"])
def test_a_file_is_read_as_it_stands(tmp_path: Path, end: str) -> None:
    path = tmp_path / "a.txt"
    path.write_bytes(b"\xef\xbb\xbf" + f"one\r\n\ntwo three{end}".encode())
    text = f"one\n\ntwo three{end}"
    report = survey([str(path), str(path)])
    assert (report.characters, report.crlf, report.bom) == (2 * len(text), 2, 2)
    assert sum(report.seen.values()) == report.characters
    assert report.lines == 6
    both = "".join(portions(Part((str(path), str(path)), 0, report.characters)))
    assert both == 2 * text
    assert "".join(portions(Part((str(path), str(path)), 3, 17))) == both[3:17]


@pytest.mark.parametrize(
    ("name", "content", "says"),
    [
        ("a.txt", b"", "a.txt: the file is empty"),
        ("a.txt", b"one\ntw\xff\n", "a.txt:2: invalid UTF-8: byte 0xFF at byte 3"),
        ("a.txt", b"one\0", "a.txt:1: a NUL character"),
        ("a.tsv", b"one\teins\n", "a.tsv: .tsv holds pairs of sentences"),
        ("a.jsonl.gz", b"", "a.jsonl.gz: .jsonl holds pairs of sentences"),
    ],
)
def test_what_is_no_text_is_refused(tmp_path: Path, name: str, content: bytes, says: str) -> None:
    (tmp_path / name).write_bytes(content)
    with pytest.raises(DataError) as caught:
        survey([str(tmp_path / name)])
    assert says in str(caught.value)
