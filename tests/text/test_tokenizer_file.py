"""A damaged or hostile tokenizer.json is a ModelError of one sentence, never a panic."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from heedful.errors import ModelError
from heedful.text import tokenizer_file
from heedful.text.tokenizer import Tokenizer

VARIANTS = ["bpe-shared", "bpe-separate", "unigram-shared", "unigram-separate"]
Change = Callable[[dict[str, Any]], object]


@pytest.fixture(scope="session")
def saved(tokenizers: dict[str, Tokenizer], tmp_path_factory: pytest.TempPathFactory) -> Any:
    folder = tmp_path_factory.mktemp("tokenizers")
    files = {}
    for variant, tokenizer in tokenizers.items():
        tokenizer.save(folder / variant)
        files[variant] = (folder / variant).read_bytes()
    return files


def load_bytes(content: bytes, folder: Path) -> Tokenizer:
    path = folder / "tokenizer.json"
    path.write_bytes(content)
    return Tokenizer.load(path)


def check_one_sentence(failure: ModelError, where: Path) -> None:
    text = str(failure)
    assert text.startswith(str(where / "tokenizer.json"))
    assert "\n" not in text


@pytest.mark.parametrize("variant", VARIANTS)
@settings(deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(data=st.data())
def test_a_truncated_file(saved: Any, tmp_path: Path, variant: str, data: st.DataObject) -> None:
    content = saved[variant]
    end = data.draw(st.integers(0, len(content) - 1))
    with pytest.raises(ModelError) as caught:
        load_bytes(content[:end], tmp_path)
    check_one_sentence(caught.value, tmp_path)


@pytest.mark.parametrize("variant", VARIANTS)
@settings(deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(data=st.data())
def test_a_flipped_bit_loads_soundly_or_is_refused(
    saved: Any, tmp_path: Path, variant: str, data: st.DataObject
) -> None:
    content = bytearray(saved[variant])
    place = data.draw(st.integers(0, len(content) - 1))
    content[place] ^= 1 << data.draw(st.integers(0, 7))
    try:
        tokenizer = load_bytes(bytes(content), tmp_path)
    except ModelError as failure:
        check_one_sentence(failure, tmp_path)
    else:
        texts = ["the old 猫 </s>", " >>de<< "]
        assert tokenizer.decode_target(tokenizer.encode_target(texts)) == texts


def change_model(key: str, value: object) -> Change:
    return lambda data: data["model"].__setitem__(key, value)


def change(key: str, value: object) -> Change:
    return lambda data: data.__setitem__(key, value)


def change_token(key: str, value: object) -> Change:
    return lambda data: data["added_tokens"][1].__setitem__(key, value)


# Of these, "precompiled", "prefix" and "sliced prefix" make the library itself panic.
CHANGES: dict[str, Change] = {
    "precompiled": change("normalizer", {"type": "Precompiled", "precompiled_charsmap": "AA=="}),
    "prefix": change_model("continuing_subword_prefix", "#####"),
    "sliced prefix": change_model("continuing_subword_prefix", "é"),
    "truncation": change("truncation", {"max_length": 3, "strategy": "LongestFirst"}),
    "padding": change("padding", {"strategy": {"Fixed": 2**60}}),
    "no normalizer": change("normalizer", None),
    "normalizer": change("normalizer", {"type": "Lowercase"}),
    "pre-tokenizer": change("pre_tokenizer", {"type": "Whitespace"}),
    "post-processor": change("post_processor", {"type": "BertProcessing"}),
    "decoder": change("decoder", {"type": "Sequence", "decoders": [{"type": "ByteLevel"}]}),
    "dropout": change_model("dropout", 0.5),
    "byte fallback": change_model("byte_fallback", True),
    "no model": change("model", None),
    "model kind": change_model("type", "WordLevel"),
    "no vocabulary": change_model("vocab", None),
    "empty vocabulary": change_model("vocab", {}),
    "foreign ids": change_model("vocab", {"a": -1}),
    "true as id": change_model("vocab", {"a": False, "b": True}),
    "no merges": change_model("merges", None),
    "odd merge": lambda data: data["model"]["merges"].append(["a"]),
    "number merge": lambda data: data["model"]["merges"].append([1, 2]),
    "list merge": lambda data: data["model"]["merges"].append([["a"], "b"]),
    "unknown merge": lambda data: data["model"]["merges"].append(["zq", "qz"]),
    "gap in ids": lambda data: data["model"]["vocab"].pop("a"),
    "no added tokens": change("added_tokens", None),
    "text as tokens": change("added_tokens", "abc"),
    "other start": change_token("content", "<start>"),
    "number as content": change_token("content", 7),
    "huge id": change_token("id", 2**70),
    "not special": change_token("special", False),
    "stripping": change_token("lstrip", True),
    "word as tag": lambda data: data["added_tokens"][-1].__setitem__("content", "the"),
    "one token too many": lambda data: data["added_tokens"].append(data["added_tokens"][0]),
}
BPE_ONLY = {"prefix", "sliced prefix", "dropout", "no merges", "gap in ids"}
BPE_ONLY |= {name for name in CHANGES if name.endswith("merge")}


@pytest.mark.parametrize("name", CHANGES)
@pytest.mark.parametrize("variant", ["bpe-shared", "unigram-shared", "bpe-separate"])
def test_hostile_contents(
    saved: Any, tmp_path: Path, capfd: pytest.CaptureFixture[str], variant: str, name: str
) -> None:
    if name in BPE_ONLY and variant == "unigram-shared":
        return
    data = json.loads(saved[variant])
    CHANGES[name](data["target"] if variant.endswith("separate") else data)
    with pytest.raises(ModelError) as caught:
        load_bytes(json.dumps(data).encode(), tmp_path)
    check_one_sentence(caught.value, tmp_path)
    assert capfd.readouterr() == ("", "")


UNIGRAM_PIECES = {
    "no pair": "x",
    "triple": ["x", 0, 0],
    "text as score": ["x", "y"],
    "true as score": ["x", True],
    "nan": ["x", float("nan")],
    "infinite": ["x", float("-inf")],
    "huge": ["x", 10**400],
    "number as piece": [7, -1.0],
    "empty piece": ["", -1.0],
    "not bytes": ["猫", -1.0],
    "surrogate": ["\ud800", -1.0],
    "twice": ["a", -1.0],
    "control": ["</s>", -1.0],
}


@pytest.mark.parametrize("name", UNIGRAM_PIECES)
def test_hostile_unigram_pieces(saved: Any, tmp_path: Path, name: str) -> None:
    data = json.loads(saved["unigram-shared"])
    data["model"]["vocab"].append(UNIGRAM_PIECES[name])
    with pytest.raises(ModelError) as caught:
        load_bytes(json.dumps(data).encode(), tmp_path)
    check_one_sentence(caught.value, tmp_path)


def test_a_byte_without_a_piece(saved: Any, tmp_path: Path) -> None:
    data = json.loads(saved["unigram-shared"])
    data["model"]["vocab"] = [entry for entry in data["model"]["vocab"] if entry[0] != "ç"]
    with pytest.raises(ModelError, match="a byte has no piece"):
        load_bytes(json.dumps(data).encode(), tmp_path)


@pytest.mark.parametrize(
    "content",
    [
        *(b"", b"{", b"null", b"[]", b"{}", b"7", b'{"a":1}', b"\xff\xfe"),
        b"[" * 100_000,
        b"9" * 9999,
        b'{"format":"heedful-two-sided"}',
        b'{"format":"heedful-two-sided","source":{},"target":[]}',
    ],
    ids=lambda content: repr(content[:30]),
)
def test_what_is_no_tokenizer(tmp_path: Path, content: bytes) -> None:
    with pytest.raises(ModelError) as caught:
        load_bytes(content, tmp_path)
    check_one_sentence(caught.value, tmp_path)


def test_a_missing_file_and_a_folder(tmp_path: Path) -> None:
    for path in (tmp_path / "none.json", tmp_path):
        with pytest.raises(ModelError, match="cannot be read"):
            Tokenizer.load(path)


def test_a_panic_of_the_library_is_a_model_error(
    saved: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    class PanicError(BaseException):
        """Like pyo3's PanicException: no Exception."""

    def panic(model: object) -> None:
        raise PanicError

    monkeypatch.setattr(tokenizer_file, "new_backend", panic)
    with pytest.raises(ModelError, match="library cannot read it"):
        load_bytes(saved["bpe-shared"], tmp_path)
