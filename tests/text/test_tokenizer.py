"""The tokenizer loses nothing, obeys no text, and agrees with its definition done by hand."""

import itertools
import json
import math
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tokenizers import Tokenizer as Backend
from tokenizers import pre_tokenizers

from heedful.errors import DataError, OutputError, SettingError
from heedful.text.pieces import BYTE_LETTERS, CONTROL, language_tag, readable
from heedful.text.tokenizer import BPE, SIDES, Tokenizer, TokenizerConfig, Unigram
from heedful.text.train_tokenizer import train_backend

VARIANTS = ["bpe-shared", "bpe-separate", "unigram-shared", "unigram-separate"]
TRAPS = [
    "猫",
    "<0x41>",
    "▁x",
    " leading",
    "  two leading",
    "trailing ",
    ">>de<<",
    ">>de<< the old house",
    "</s>",
    "<s>",
    "<pad>",
    "<unk>",
    "a</s>b",
    "the</s> <pad><pad>>>zh_CN<<",
    "",
    " ",
    "\t",
    "\n",
    "\r\n",
    "\x00",
    "\ufeff",
    "\u00a0",
    "\u3000全角",
    "ﬁ e\u0301 é \u212b",
    "👩‍👩‍👧 🇩🇪",
    "\U0010ffff\uffff",
    "Ġ",
    "it's they'LL",
]
anything = st.text(st.characters(exclude_categories=["Cs"]))
near_control = st.lists(st.sampled_from([*"<>/s pad unk▁Ġde", "</s>", ">>de<<", "<0x41>"])).map(
    "".join
)


def source_round_trip(tokenizer: Tokenizer, text: str) -> tuple[str, list[int]]:
    """Decode the source's ids with the source's own backend: shared or not, nothing is lost."""
    ids = tokenizer.encode_source([text], to="de")[0]
    return tokenizer._source.decode(ids, skip_special_tokens=True), ids


@pytest.mark.parametrize("text", TRAPS)
def test_a_trap_comes_back_as_typed_and_is_no_control(tokenizer: Tokenizer, text: str) -> None:
    target = tokenizer.encode_target([text])[0]
    assert tokenizer.decode_target([target]) == [text]
    assert min(target[:-1], default=99) >= len(CONTROL)
    assert target[-1] == tokenizer.end_id == 2
    back, source = source_round_trip(tokenizer, text)
    assert back == text
    assert min(source[1:-1], default=99) >= len(CONTROL) + len(tokenizer.languages)


@pytest.mark.parametrize("variant", VARIANTS)
@settings(deadline=None)
@given(text=anything | near_control)
def test_every_text_comes_back(tokenizers: dict[str, Tokenizer], variant: str, text: str) -> None:
    tokenizer = tokenizers[variant]
    target = tokenizer.encode_target([text])[0]
    assert tokenizer.decode_target([target]) == [text]
    assert min(target[:-1], default=99) >= len(CONTROL)
    back, source = source_round_trip(tokenizer, text)
    assert back == text
    assert min(source[1:-1], default=99) >= len(CONTROL) + len(tokenizer.languages)


@pytest.mark.parametrize("variant", ["bpe-shared", "unigram-shared"])
def test_every_character_comes_back(tokenizers: dict[str, Tokenizer], variant: str) -> None:
    letters = [chr(code) for code in range(0x110000) if not 0xD800 <= code <= 0xDFFF]
    texts = ["".join(letters[start : start + 256]) for start in range(0, len(letters), 256)]
    tokenizer = tokenizers[variant]
    assert tokenizer.decode_target(tokenizer.encode_target(texts)) == texts


@settings(deadline=None)
@given(texts=st.lists(anything))
def test_a_batch_is_its_texts_one_by_one(
    tokenizers: dict[str, Tokenizer], texts: list[str]
) -> None:
    tokenizer = tokenizers["bpe-shared"]
    one_by_one = [tokenizer.encode_target([text])[0] for text in texts]
    assert tokenizer.encode_target(texts) == one_by_one


@settings(deadline=None)
@given(ids=st.lists(st.integers(0, 289)))
def test_whatever_a_model_says_becomes_text(
    tokenizers: dict[str, Tokenizer], ids: list[int]
) -> None:
    tokenizer = tokenizers["bpe-shared"]
    raw = b"".join(
        bytes(BYTE_LETTERS[letter] for letter in piece)
        for piece in map(tokenizer._target.id_to_token, ids)
        if piece not in CONTROL and not piece.startswith(">>")
    )
    expected = raw.decode("utf-8", "replace")
    assert tokenizer.decode_target([ids]) == [expected.removeprefix(" ")]


def test_control_pieces_have_fixed_ids(tokenizer: Tokenizer) -> None:
    assert (tokenizer.pad_id, tokenizer.start_id, tokenizer.end_id) == (0, 1, 2)
    assert tokenizer.source_pieces(range(6)) == [*CONTROL, ">>de<<", ">>zh_CN<<"]
    assert tokenizer.target_pieces(range(4)) == list(CONTROL)
    assert tokenizer.languages == ("de", "zh_CN")
    assert tokenizer.source_size == tokenizer.target_size == 290


def test_the_tag_comes_first_and_no_start_is_put_before(tokenizer: Tokenizer) -> None:
    german, chinese = (tokenizer.encode_source(["a"], to=to)[0] for to in ("de", "zh_CN"))
    assert (german[0], chinese[0]) == (4, 5)
    assert german[1:] == chinese[1:]
    assert tokenizer.encode_source([""], to="de") == [[4, 2]]
    assert tokenizer.encode_target([""]) == [[2]]
    assert tokenizer.encode_target([]) == []


def test_a_word_at_the_start_is_the_piece_of_the_middle(tokenizer: Tokenizer) -> None:
    once, twice = tokenizer.encode_target(["dog", "dog dog"])
    assert twice[:-1] == 2 * once[:-1]


def test_pieces_are_shown_readably(tokenizer: Tokenizer) -> None:
    shown = tokenizer.target_pieces(tokenizer.encode_target(["the 猫"])[0])
    assert shown[-5:] == ["▁", "<0xE7>", "<0x8C>", "<0xAB>", "</s>"]
    assert "".join(shown[:-5]) == "▁the"
    assert tokenizer.source_pieces([99_999]) == ["<unk>"]


def test_the_byte_letters_are_those_of_the_library() -> None:
    assert set(BYTE_LETTERS) == set(pre_tokenizers.ByteLevel.alphabet())
    pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False)
    for text in ("aé猫\n", "👩 \x00"):
        letters = pre_tokenizer.pre_tokenize_str(text)[0][0]
        assert bytes(BYTE_LETTERS[letter] for letter in letters) == text.encode()
        assert readable(letters) == text.replace(" ", "▁")


def bpe_by_hand(word: str, merges: dict[tuple[str, str], int]) -> list[str]:
    """Sennrich et al. (2016): again and again join the pair that was learnt first."""
    pieces = list(word)
    while len(pieces) > 1:
        pairs = list(itertools.pairwise(pieces))
        place = min(range(len(pairs)), key=lambda i: (merges.get(pairs[i], math.inf), i))
        if pairs[place] not in merges:
            break
        pieces[place : place + 2] = ["".join(pairs[place])]
    return pieces


def segmentations(word: str, pieces: dict[str, float]) -> list[list[str]]:
    if not word:
        return [[]]
    return [
        [word[:end], *rest]
        for end in range(1, len(word) + 1)
        if word[:end] in pieces
        for rest in segmentations(word[end:], pieces)
    ]


words = st.lists(
    st.text("adeghilnorstuw", min_size=1, max_size=9)
    | st.sampled_from(["the", "teacher", "house", "garden", "neighbour", "watches", "forgets"]),
    min_size=1,
    max_size=3,
)


@settings(deadline=None)
@given(words=words)
def test_bpe_is_what_its_merges_say(tokenizers: dict[str, Tokenizer], words: list[str]) -> None:
    backend = tokenizers["bpe-shared"]._source
    learnt = json.loads(backend.to_str())["model"]["merges"]
    merges = {(left, right): rank for rank, (left, right) in enumerate(learnt)}
    by_hand = [piece for word in words for piece in bpe_by_hand("Ġ" + word, merges)]
    assert backend.encode(" ".join(words)).tokens == by_hand


@settings(deadline=None)
@given(words=words)
def test_unigram_is_the_likeliest_cut(tokenizers: dict[str, Tokenizer], words: list[str]) -> None:
    backend = tokenizers["unigram-shared"]._source
    scores = dict(json.loads(backend.to_str())["model"]["vocab"])
    best = sum(
        max(sum(map(scores.__getitem__, cut)) for cut in segmentations("Ġ" + word, scores))
        for word in words
    )
    found = sum(scores[piece] for piece in backend.encode(" ".join(words)).tokens)
    assert found == pytest.approx(best, abs=1e-6)


def test_saved_and_loaded_it_is_the_same(tokenizer: Tokenizer, tmp_path: Path) -> None:
    path = tmp_path / "tokenizer.json"
    tokenizer.save(path)
    again = Tokenizer.load(path)
    assert again.shared == tokenizer.shared
    assert again.languages == tokenizer.languages
    assert again.fingerprint() == tokenizer.fingerprint()
    assert again.encode_source(TRAPS, to="de") == tokenizer.encode_source(TRAPS, to="de")
    assert again.encode_target(TRAPS) == tokenizer.encode_target(TRAPS)
    again.save(tmp_path / "again.json")
    assert (tmp_path / "again.json").read_bytes() == path.read_bytes()
    assert sorted(p.name for p in tmp_path.iterdir()) == ["again.json", "tokenizer.json"]


def test_a_shared_file_is_one_of_the_library(
    tokenizers: dict[str, Tokenizer], tmp_path: Path
) -> None:
    tokenizer = tokenizers["bpe-shared"]
    tokenizer.save(tmp_path / "tokenizer.json")
    plain = Backend.from_file(str(tmp_path / "tokenizer.json"))
    ids = tokenizer.encode_target(["the old house"])[0]
    assert plain.encode("the old house").ids == ids[:-1]
    assert plain.decode(ids) == "the old house"


def test_fingerprints_tell_tokenizers_apart(tokenizers: dict[str, Tokenizer]) -> None:
    assert len({tokenizer.fingerprint() for tokenizer in tokenizers.values()}) == len(VARIANTS)


def test_bpe_training_repeats_itself() -> None:
    lines = [f"{'ab' * (n % 7)} {'cad' * (n % 5)} {n}" for n in range(200)]
    fingerprints = set()
    for _ in range(3):
        backend = train_backend(lines, BPE(vocabulary_size=290), CONTROL)
        fingerprints.add(Tokenizer(backend, backend).fingerprint())
    assert len(fingerprints) == 1


def test_separate_vocabularies_learn_their_own_side() -> None:
    pairs = [("abab " * 9, "xyxy " * 9)] * 9
    tokenizer = Tokenizer.train(lambda: pairs, BPE(vocabulary_size=261, shared=False))
    assert len(tokenizer.encode_source(["abab"])[0]) < len(tokenizer.encode_source(["xyxy"])[0])
    assert len(tokenizer.encode_target(["xyxy"])[0]) < len(tokenizer.encode_target(["abab"])[0])


@pytest.mark.parametrize("config", [BPE(), Unigram()])
def test_a_small_corpus_names_the_size_it_can_reach(config: TokenizerConfig) -> None:
    pairs = [("the old house", "das alte Haus"), ("the old dog", "der alte Hund")]
    with pytest.raises(DataError, match=r"--tokenizer\.vocabulary-size \d+") as caught:
        Tokenizer.train(lambda: pairs, config)
    size = int(str(caught.value).split("vocabulary-size ")[1].split()[0])
    reachable = type(config)(vocabulary_size=size)
    assert Tokenizer.train(lambda: pairs, reachable).source_size == size


def test_an_empty_corpus_is_refused() -> None:
    with pytest.raises(DataError, match="no line"):
        Tokenizer.train(list, BPE())


def test_too_few_pieces_for_the_bytes_are_refused() -> None:
    with pytest.raises(SettingError, match=r"at least --tokenizer\.vocabulary-size 261"):
        Tokenizer.train(lambda: [("a", "b")], BPE(vocabulary_size=260), ["de"])


def test_languages_are_asked_for_by_name(tokenizers: dict[str, Tokenizer]) -> None:
    tokenizer = tokenizers["bpe-shared"]
    with pytest.raises(SettingError, match="give one of de, zh_CN"):
        tokenizer.encode_source(["a"])
    with pytest.raises(SettingError, match='did you mean "zh_CN"'):
        tokenizer.encode_source(["a"], to="zh_cn")
    one_way = Tokenizer.train(lambda: [("a b", "c d")] * 3, BPE(vocabulary_size=261))
    with pytest.raises(SettingError, match='leave out the target language "de"'):
        one_way.encode_source(["a"], to="de")


@pytest.mark.parametrize("code", ["", "d e", ">>de<<", "<", "1", "é", "de\n"])
def test_a_language_code_must_make_a_safe_tag(code: str) -> None:
    with pytest.raises(SettingError, match="cannot be a language code"):
        language_tag(code)
    with pytest.raises(SettingError, match="named twice"):
        Tokenizer.train(lambda: [("a", "b")], BPE(), ["de", "de"])


@pytest.mark.parametrize("text", ["a\ud800", None, b"x"])
def test_what_is_no_text_is_refused(tokenizers: dict[str, Tokenizer], text: str) -> None:
    with pytest.raises(DataError, match="text 2"):
        tokenizers["bpe-shared"].encode_target(["a", text])


def test_an_unwritable_place_leaves_nothing(
    tokenizers: dict[str, Tokenizer], tmp_path: Path
) -> None:
    with pytest.raises(OutputError, match="cannot be written"):
        tokenizers["bpe-shared"].save(tmp_path / "missing" / "tokenizer.json")
    (tmp_path / "tokenizer.json").mkdir()
    with pytest.raises(OutputError, match="cannot be written"):
        tokenizers["bpe-shared"].save(tmp_path / "tokenizer.json")
    assert [p.name for p in tmp_path.iterdir()] == ["tokenizer.json"]


def test_the_library_alone_reads_each_side(tokenizer: Tokenizer, tmp_path: Path) -> None:
    tokenizer.save_sides(tmp_path)
    names = sorted(path.name for path in tmp_path.iterdir())
    assert names == (["tokenizer.json"] if tokenizer.shared else sorted(SIDES))
    files = ["tokenizer.json"] * 2 if tokenizer.shared else SIDES
    source, target = (Backend.from_file(str(tmp_path / name)) for name in files)
    source.encode_special_tokens = target.encode_special_tokens = True  # not kept in the file
    for text in [*TRAPS, "the old house <s> in the garden"]:
        assert [*source.encode(text).ids, 2] == tokenizer.encode_source([text], "de")[0][1:]
        assert [*target.encode(text).ids, 2] == tokenizer.encode_target([text])[0]
    for side, pieces in zip((source, target), tokenizer.vocabularies(), strict=True):
        assert len(set(pieces)) == len(pieces) == side.get_vocab_size()
        assert [side.token_to_id(piece) for piece in pieces] == list(range(len(pieces)))
