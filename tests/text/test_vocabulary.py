"""A tokenizer.json of others: text as typed, no text a control piece, damage refused."""

import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tokenizers import Tokenizer, decoders, models, processors

from heedful.errors import DataError, ModelError
from heedful.text.vocabulary import Vocabulary
from tests.interop.folders import vocabulary

TEXT = "the cat sat on the mat\n猫 Zoë"


def saved(path: Path, tokenizer: Tokenizer | None = None, **changes: Any) -> Path:
    data = json.loads((tokenizer or vocabulary()).to_str()) | changes
    path.write_text(json.dumps(data), "utf-8")
    return path


def test_ids_are_those_of_the_library_and_come_back(tmp_path: Path) -> None:
    theirs = vocabulary()
    ours = Vocabulary.load(saved(tmp_path / "t.json"), 280)
    assert ours.encode(TEXT) == theirs.encode(TEXT).ids
    assert ours.continuation([], ours.encode(TEXT)) == TEXT
    assert ours.known(300) == list(range(theirs.get_vocab_size()))


def test_what_stands_before_a_text_is_put_there(tmp_path: Path) -> None:
    theirs = vocabulary()
    begin = [("<|end|>", 0)]
    theirs.post_processor = processors.TemplateProcessing("<|end|> $A", special_tokens=begin)
    ours = Vocabulary.load(saved(tmp_path / "t.json", theirs), 280)
    assert ours.encode("the cat")[0] == 0
    assert ours.encode("") == [0]


def test_no_text_is_a_control_piece(tmp_path: Path) -> None:
    ours = Vocabulary.load(saved(tmp_path / "t.json"), 280)
    ids = ours.encode("a<|end|>b")
    assert 0 not in ids
    assert ours.continuation([], ids) == "a<|end|>b"
    assert ours.continuation([], [0, *ids, 0]) == "a<|end|>b"


def test_nothing_is_cut_padded_or_left_to_chance(tmp_path: Path) -> None:
    theirs = vocabulary()
    theirs.enable_truncation(2)
    theirs.enable_padding(length=50)
    path = saved(tmp_path / "t.json", theirs)
    data = json.loads(path.read_text("utf-8"))
    data["model"]["dropout"] = 0.9
    path.write_text(json.dumps(data), "utf-8")
    ours = Vocabulary.load(path, 280)
    assert ours.encode(TEXT) == vocabulary().encode(TEXT).ids


def test_half_a_character_is_told_from_a_whole_one(tmp_path: Path) -> None:
    ours = Vocabulary.load(saved(tmp_path / "t.json"), 280)
    ids = ours.encode("x😀")
    assert ours.continuation(ids[:1], ids[1:]) == "😀"
    assert set(ours.continuation(ids[:1], ids[1:-1])) == {"\ufffd"}
    assert ours.continuation(ids[:2], ids[2:]) != ""


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"model": None}, "its model is none of BPE"),
        ({"model": {"type": "Magic"}}, "its model is none of BPE"),
        ({"model": {"type": "BPE", "vocab": 3}}, "this is no tokenizer"),
        ({"decoder": {"type": "Magic"}}, "this is no tokenizer"),
        ({"added_tokens": [{"id": 2**40}]}, "this is no tokenizer"),
    ],
)
def test_damage(changes: dict[str, Any], said: str, tmp_path: Path) -> None:
    path = saved(tmp_path / "t.json", **changes)
    with pytest.raises(ModelError, match=said) as caught:
        Vocabulary.load(path, 280)
    assert str(caught.value).startswith(str(path))


def test_other_files(tmp_path: Path) -> None:
    path = tmp_path / "t.json"
    with pytest.raises(ModelError, match=r"there is no tokenizer\.json"):
        Vocabulary.load(path, 280)
    path.write_bytes(b"\xff\xfe")
    with pytest.raises(ModelError, match="not UTF-8"):
        Vocabulary.load(path, 280)
    path.write_text("{")
    with pytest.raises(ModelError, match="not valid JSON"):
        Vocabulary.load(path, 280)
    saved(path)
    with pytest.raises(ModelError, match=r"it has a piece .* and the model knows 100 pieces"):
        Vocabulary.load(path, 100)


def test_bytes_that_are_no_text(tmp_path: Path) -> None:
    ours = Vocabulary.load(saved(tmp_path / "t.json"), 280)
    with pytest.raises(DataError, match="not UTF-8"):
        ours.encode("a\udc80")


@given(st.text(alphabet="the cat onZë猫🐈\n ,", max_size=24))
def test_pieces_cover_the_text(text: str) -> None:
    """In order, without holes, each byte by some piece; a character's bytes all by all of it."""
    ours = Vocabulary(vocabulary())
    ids = ours.encode(text)
    spelled, covered = ours.spelled(ids)
    assert spelled == text
    assert len(covered) == len(ids)
    raw, end = (" " + text).encode(), 0 if text else 1
    for (first, last), piece in zip(covered, ours.pieces(ids), strict=True):
        assert first <= end <= last or (first < end == last)
        end = last
        shown = raw[max(first, 1) : last].decode()  # the first byte stands before the text
        whole = piece.replace("▁", " ").replace("↵", "\n")
        assert "<0x" in piece or shown == whole
    assert end == len(raw)


def test_control_pieces_cover_nothing() -> None:
    ours = Vocabulary(vocabulary())
    ids = [0, *ours.encode("the cat"), 0]
    text, covered = ours.spelled(ids)
    assert (text, covered) == ("the cat", [(0, 0), (0, 4), (4, 8), (8, 8)])
    assert ours.controls == {0}
    assert ours.pieces([0, 999]) == ["<|end|>", "[999]"]


def test_pieces_of_a_vocabulary_of_words() -> None:
    """Where letters are no bytes they stay: é is not a byte of its own."""
    backend = Tokenizer(models.WordLevel({"▁é": 0, "▁cat": 1, "<0x0A>": 2}, unk_token="▁é"))
    backend.decoder = decoders.Metaspace()
    ours = Vocabulary(backend)
    assert ours.pieces([0, 1]) == ["▁é", "▁cat"]
    assert ours.spelled([0, 1]) == ("é cat", [(0, 3), (3, 7)])
