"""SentencePiece files cut texts as the library that wrote them does, and no damage gets through."""

import io
import json
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tokenizers import Tokenizer as Backend

from heedful.errors import ModelError
from heedful.text.pieces import CONTROL
from heedful.text.sentence_pieces import SentencePieces
from heedful.text.sentencepiece_file import (
    BYTE_PIECES,
    Kind,
    Learnt,
    SentencePieceModel,
    read_model,
    written,
)
from heedful.text.tokenizer import Tokenizer
from tests.interop.opus import SOURCE, TARGET, cutter, texts_of

LINES = [
    "the cat sat on the mat",
    "der Hund läuft über die Straße",
    "Good morning, how are you?",
    "Guten Morgen, wie geht es dir?",
    "the dog sat on the log while the rain came down",
    "Die Katze saß auf der Matte.",
]
ODD = "the cat ſüß▁ \u3000\u00a0\t猫ﬁ½\x07\u200be\u0301.,?´Å™…"
"""Letters that are normalised, joined, left out or unknown."""


def _file(folder: Path, **changes: Any) -> Path:
    """Return a file that the library has learnt, with its table of characters."""
    library = pytest.importorskip("sentencepiece", reason="needs sentencepiece (the dev group)")
    learnt = io.BytesIO()
    library.SentencePieceTrainer.train(
        sentence_iterator=iter(LINES * 3),
        model_writer=learnt,
        hard_vocab_limit=False,
        normalization_rule_name="nmt_nfkc",
        minloglevel=2,
        **{"vocab_size": 90} | changes,
    )
    path = folder / "source.spm"
    path.write_bytes(learnt.getvalue())
    return path


@pytest.fixture(scope="module")
def file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return _file(tmp_path_factory.mktemp("spm"))


@pytest.fixture(scope="module")
def byte_file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return one with pieces for bytes and, as mT5's, with sentinels behind the others."""
    path = _file(tmp_path_factory.mktemp("bytes"), vocab_size=340, byte_fallback=True)
    model = read_model(path)
    last = [Learnt(f"▁<extra_id_{n}>", 0.0, Kind.USER_DEFINED) for n in (1, 0)]
    path.write_bytes(written(model._replace(pieces=[*model.pieces, *last])))
    return path


def side_of(model: SentencePieceModel, skipped: int = 0) -> SentencePieces:
    """Return a side whose translation model lacks some of the pieces."""
    return SentencePieces([*CONTROL, *texts_of(model)[skipped:]], model)


def test_texts_are_cut_as_by_the_library(file: Path) -> None:
    import sentencepiece

    library = sentencepiece.SentencePieceProcessor(model_file=str(file))
    side = side_of(read_model(file), skipped=5)
    known = set(side.pieces)

    @settings(max_examples=400, deadline=None)
    @given(st.text(alphabet=ODD) | st.text() | st.sampled_from(LINES))
    def agree(text: str) -> None:
        expected = [
            piece if piece in known else "<unk>" for piece in library.encode(text, out_type=str)
        ]
        [ids] = side.encode([text])
        assert [side.pieces[number] for number in ids] == expected

    agree()
    assert "<unk>" in [side.pieces[number] for number in side.encode(["猫 ½ the"])[0]]


def whole_side(model: SentencePieceModel) -> tuple[SentencePieces, list[int]]:
    """Return a side with all pieces of a model, and their numbers there in our order."""
    numbers = [at for at, piece in enumerate(model.pieces) if piece.kind not in (2, 3)]
    names = [*CONTROL, *(model.pieces[at].text for at in numbers)]
    return SentencePieces(names, model), [-1, -1, -1, model.unknown, *numbers]


RARE = [*LINES, "a<0x41> <0x41>", "the <extra_id_0> sat <extra_id_1>", "x<extra_id_0>", "▁▁ the"]
"""Texts with letters that no piece spells, and such as look like pieces."""


def test_what_no_piece_spells_is_cut_to_its_bytes_as_by_the_library(byte_file: Path) -> None:
    import sentencepiece

    library = sentencepiece.SentencePieceProcessor(model_file=str(byte_file))
    side, numbers = whole_side(read_model(byte_file))

    @settings(max_examples=400, deadline=None)
    @given(st.text(alphabet=f"{ODD}🙂€<0xE7>A", max_size=30) | st.text() | st.sampled_from(RARE))
    def agree(text: str) -> None:
        [ids] = side.encode([text])
        assert [numbers[id_] for id_ in ids] == library.encode(text)
        assert side.decode_batch([ids]) == [library.decode(library.encode(text))]

    agree()
    [ids] = side.encode(["猫 <extra_id_0>"])
    cut = ["▁", *(BYTE_PIECES[byte] for byte in "猫".encode()), "▁<extra_id_0>"]
    assert [side.pieces[id_] for id_ in ids] == cut


def test_the_tokenizers_library_falls_back_to_the_same_bytes(byte_file: Path) -> None:
    """Where its own way to normalise plays no part; one that cuts alone has other numbers."""
    side, _ = whole_side(read_model(byte_file))
    whole = Backend.from_str(side.in_order())
    cuts, writes = (Backend.from_str(side.for_library(decodes=which)) for which in (False, True))

    @settings(max_examples=400, deadline=None)
    @given(st.text(alphabet="the cat onßü猫🙂€<0xE7>A", max_size=30) | st.sampled_from(RARE[:-1]))
    def agree(text: str) -> None:
        [ids] = side.encode([text])
        assert whole.encode(text, add_special_tokens=False).ids == ids
        assert cuts.encode(text).tokens == [side.pieces[id_] for id_ in ids]
        assert whole.decode(ids) == writes.decode(ids) == side.decode_batch([ids])[0]

    agree()


def test_bytes_of_no_character_are_written_as_by_the_library(byte_file: Path) -> None:
    import sentencepiece

    library = sentencepiece.SentencePieceProcessor(model_file=str(byte_file))
    side, numbers = whole_side(read_model(byte_file))
    odd = [BYTE_PIECES[byte] for byte in b"\xc3\xa9\xe7\x8c\xab\x80\xf0\x9f\x99\x82\xed\xa0A "]

    @settings(max_examples=300, deadline=None)
    @given(st.lists(st.sampled_from(["▁the", *odd]), max_size=12))
    def agree(names: list[str]) -> None:
        ids = [side.pieces.index(name) for name in ("▁the", *names)]
        assert side.decode_batch([ids]) == [library.decode([numbers[id_] for id_ in ids])]

    agree()


def test_a_file_is_written_as_the_library_reads_it(file: Path, tmp_path: Path) -> None:
    import sentencepiece

    model = read_model(file)
    (tmp_path / "again.spm").write_bytes(written(model))
    assert read_model(tmp_path / "again.spm") == model
    before, after = (
        sentencepiece.SentencePieceProcessor(model_file=str(path))
        for path in (file, tmp_path / "again.spm")
    )
    for text in (*LINES, ODD):
        assert before.encode(text) == after.encode(text)


def two_sided() -> Tokenizer:
    source, target = cutter(SOURCE), cutter(TARGET)
    every = list(dict.fromkeys([*texts_of(target), *texts_of(source)]))
    pieces = [*CONTROL, ">>de<<", ">>nl<<", *every]
    return Tokenizer(SentencePieces(pieces, source), SentencePieces(pieces, target))


def test_two_sides_share_their_pieces_and_cut_differently() -> None:
    tokenizer = two_sided()
    assert tokenizer.shared
    assert tokenizer.languages == ("de", "nl")
    [ids] = tokenizer.encode_source(["the  猫 >>nl<< </s>"], "nl")
    assert ids[0] == 5
    assert ids[-1] == 2
    assert not {0, 1, 2, 4, 5} & set(ids[1:-1])
    assert tokenizer.source_pieces(ids)[1:4] == ["▁the", "▁", "<unk>"]
    [target] = tokenizer.encode_target(["die Matte"])
    assert tokenizer.target_pieces(target) == ["▁die", "▁Matte", "</s>"]
    assert tokenizer.decode_target([target]) == ["die Matte"]
    assert tokenizer.target_bytes()[target[1]] == b" Matte"


def test_it_is_the_same_from_disk(tmp_path: Path) -> None:
    tokenizer = two_sided()
    tokenizer.save(tmp_path / "tokenizer.json")
    again = Tokenizer.load(tmp_path / "tokenizer.json")
    assert again.shared
    assert again.fingerprint() == tokenizer.fingerprint()
    assert again.encode_source([SOURCE], "de") == tokenizer.encode_source([SOURCE], "de")


def test_the_tokenizers_library_finds_the_same_pieces(tmp_path: Path) -> None:
    tokenizer = two_sided()
    tokenizer.save_sides(tmp_path)
    source, target = (Backend.from_file(str(tmp_path / name)) for name in tokenizer.side_files)
    text = "  the cat   sat on my station "
    [ids] = tokenizer.encode_source([text], "de")
    assert source.encode(text).tokens == tokenizer.source_pieces(ids)[1:-1]
    pieces = ["▁die", "▁Matte", "▁the"]
    assert target.decode([target.token_to_id(piece) for piece in pieces]) == "die Matte the"


@pytest.mark.parametrize("text", ["a\ud800", 3])
def test_what_is_no_text_is_refused(text: object) -> None:
    with pytest.raises(TypeError):
        side_of(cutter(SOURCE)).encode([text])  # type: ignore[list-item]


@settings(max_examples=200, deadline=None)
@given(data=st.data())
def test_a_damaged_file_is_refused_or_read(
    data: st.DataObject, tmp_path_factory: pytest.TempPathFactory
) -> None:
    whole = bytearray(written(cutter(SOURCE)._replace(charsmap=b"\x08\0\0\0" + bytes(20))))
    for _ in range(data.draw(st.integers(1, 4))):
        at = data.draw(st.integers(0, len(whole) - 1))
        whole[at] = data.draw(st.integers(0, 255))
    path = tmp_path_factory.mktemp("bad") / "source.spm"
    path.write_bytes(whole[: data.draw(st.integers(0, len(whole)))])
    with suppress(ModelError):
        side_of(read_model(path)).encode([ODD])


@pytest.mark.parametrize(
    ("kind", "said"),
    [(Kind.BYTE, "not a SentencePiece model"), (Kind.USER_DEFINED, "defined by its user")],
)
def test_what_is_cut_otherwise_is_refused(kind: Kind, said: str, tmp_path: Path) -> None:
    model = cutter(SOURCE)
    odd = model.pieces[5]._replace(kind=kind)
    path = tmp_path / "source.spm"
    path.write_bytes(written(model._replace(pieces=[*model.pieces[:5], odd, *model.pieces[6:]])))
    with pytest.raises(ModelError, match=said):
        read_model(path)


def test_bytes_that_are_joined_are_refused(tmp_path: Path) -> None:
    path = _file(tmp_path, vocab_size=340, byte_fallback=True, model_type="bpe")
    with pytest.raises(ModelError, match="bytes in part, and joined by merges"):
        read_model(path)


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"pieces": ["<s>"]}, "control pieces are not its first"),
        ({"pieces": [*CONTROL, "a", "a"]}, "occurs twice"),
        ({"pieces": [*CONTROL, 3]}, "not a text"),
        ({"pieces": [*CONTROL, "\ud83d"]}, "half a character"),
        ({"model": {"vocab": [["a", 0, 2], ["<0x00>", 0, 6]], "unk_id": 0}}, "a byte has no piece"),
        ({"model": {"vocab": [["a", 0, 9]], "unk_id": 0}}, "a part is missing"),
        ({"model": {"vocab": [["a", 1e40, 1]], "unk_id": 0}}, "not a number"),
        ({"model": {"vocab": [["a", 0, 1]], "unk_id": 1}}, "does not know"),
        ({"charsmap": "AAAA"}, "table of characters is damaged"),
        ({"charsmap": "?"}, "a part is missing"),
    ],
)
def test_a_damaged_tokenizer_is_refused(
    change: dict[str, object], said: str, tmp_path: Path
) -> None:
    data = json.loads(side_of(cutter(SOURCE)).to_str()) | change
    (tmp_path / "tokenizer.json").write_text(json.dumps(data))
    with pytest.raises(ModelError, match=said):
        Tokenizer.load(tmp_path / "tokenizer.json")
