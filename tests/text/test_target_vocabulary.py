"""A source read byte by byte, a target of which every symbol is one piece."""

import pytest
from pydantic import ValidationError

from heedful.text.tokenizer import BPE, Tokenizer

PAIRS = [("thought", "TH AO T"), ("thaw", "TH AO"), ("tot", "T AO T")] * 3


def test_symbols_become_pieces() -> None:
    config = BPE(vocabulary_size=260, exact=False, shared=False, target_vocabulary_size=300)
    tokenizer = Tokenizer.train(lambda: PAIRS, config)
    assert tokenizer.source_size == 260 < tokenizer.target_size
    (source,) = tokenizer.encode_source(["thought"])
    (target,) = tokenizer.encode_target(["TH AO T"])
    assert (len(source), len(target)) == (1 + len("thought") + 1, 3 + 1)  # a space before, an end
    assert tokenizer.decode_target([target]) == ["TH AO T"]


def test_a_shared_vocabulary_has_one_size() -> None:
    with pytest.raises(ValidationError, match=r"needs --tokenizer.shared false"):
        BPE(target_vocabulary_size=300)
