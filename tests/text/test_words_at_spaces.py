"""A BPE whose words end at spaces alone: frequent symbols are one piece, and nothing is lost."""

import json
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from heedful.errors import ModelError
from heedful.text.pieces import CONTROL
from heedful.text.tokenizer import BPE, Tokenizer

SYMBOLS = "(S (NP PRP$ NN )NP (VP VBD )VP . )S"
PAIRS = [("The cat sat .", SYMBOLS), ("a </s> b", "x</s>y </s> >>de<<")] * 4


@pytest.fixture(scope="module")
def tokenizer() -> Tokenizer:
    config = BPE(vocabulary_size=400, exact=False, shared=False, words="spaces")
    return Tokenizer.train(lambda: iter(PAIRS), config)


def test_symbols_are_pieces(tokenizer: Tokenizer) -> None:
    [ids] = tokenizer.encode_target([SYMBOLS])
    assert tokenizer.target_pieces(ids) == [f"▁{one}" for one in SYMBOLS.split()] + ["</s>"]


def test_kinds_would_part_them() -> None:
    config = BPE(vocabulary_size=400, exact=False, shared=False)
    parted = Tokenizer.train(lambda: iter(PAIRS), config)
    assert len(parted.encode_target(["(NP"])[0]) == 3


def test_no_control_piece_is_learnt(tokenizer: Tokenizer) -> None:
    """Though the texts spell some, in the midst of words."""
    _, pieces = tokenizer.vocabularies()
    assert pieces[: len(CONTROL)] == [*CONTROL]
    assert len(set(pieces)) == len(pieces)
    [ids] = tokenizer.encode_target(["</s>x</s>"])
    assert tokenizer.end_id not in ids[:-1]


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(text=st.text() | st.lists(st.sampled_from(["(NP", "</s>", " ", ")NP"])).map("".join))
def test_nothing_is_lost(tokenizer: Tokenizer, text: str) -> None:
    assert tokenizer.decode_target(tokenizer.encode_target([text])) == [text]


def test_the_file_keeps_it(tokenizer: Tokenizer, tmp_path: Path) -> None:
    path = tmp_path / "tokenizer.json"
    tokenizer.save(path)
    again = Tokenizer.load(path)
    assert again.fingerprint() == tokenizer.fingerprint()
    assert again.encode_target([SYMBOLS, "x"]) == tokenizer.encode_target([SYMBOLS, "x"])


def test_a_file_whose_merges_make_a_control_piece_is_refused(
    tokenizer: Tokenizer, tmp_path: Path
) -> None:
    path = tmp_path / "tokenizer.json"
    tokenizer.save(path)
    data = json.loads(path.read_text("utf-8"))
    model = data["target"]["model"]
    model["vocab"]["</s"] = len(model["vocab"])
    model["merges"] += [["</s", ">"]]
    path.write_text(json.dumps(data), "utf-8")
    with pytest.raises(ModelError, match="a merge makes a control piece"):
        Tokenizer.load(path)
