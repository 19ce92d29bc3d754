# ruff: noqa: E501
"""GGUF files: the logits are transformers', the numbers ggml's, and no file is believed."""

import contextlib
import struct
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from heedful.errors import HeedfulError, ModelError
from heedful.interop.gguf import load, load_model
from heedful.interop.gguf.header import BLOCKS, read_header
from heedful.interop.writers import load_writer
from heedful.models.gpt import GPT

gguf = pytest.importorskip("gguf", reason="needs gguf (the dev group)")

from tests.interop.gguf_files import CONTROL, make_gguf, pieces, theirs  # noqa: E402


@torch.no_grad()
def logits_of(model: GPT, text: torch.Tensor) -> torch.Tensor:
    return model.project(model.hidden(text))


@pytest.fixture(scope="module")
def plain(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_gguf(tmp_path_factory.mktemp("gguf") / "plain.gguf")


@pytest.mark.parametrize(
    ("architecture", "how"),
    [
        ("llama", {}),
        ("llama", {"tied": False, "kind": "F16"}),
        ("llama", {"groups": 4, "kind": "Q8_0"}),
        ("llama", {"kind": "BF16", "groups": 1}),
        ("gpt2", {}),
        ("gpt2", {"kind": "Q4_0", "tied": False}),
        ("qwen2", {}),
    ],
)
@torch.no_grad()
def test_logits_are_those_of_transformers(
    architecture: str, how: dict[str, Any], tmp_path: Path
) -> None:
    pytest.importorskip("transformers", reason="needs transformers (the dev group)")
    path = make_gguf(tmp_path / "x.gguf", architecture, **how)
    text = torch.randint(0, 280, (2, 30), generator=torch.Generator().manual_seed(1))
    expected = theirs(path)(text).logits
    assert expected.std() > 0.3
    found = logits_of(load_model(path)[0], text)
    torch.testing.assert_close(found, expected, atol=1e-3, rtol=0)


KINDS = sorted(kind for kind, _, _ in BLOCKS.values())


@pytest.mark.parametrize("kind", KINDS)
def test_numbers_of_each_type_are_those_of_ggml(kind: str, tmp_path: Path) -> None:
    """Random bytes, as every type has them, multiplied out by the library from the whole tensor."""
    its = gguf.GGMLQuantizationType[kind]
    in_block, size = gguf.GGML_QUANT_SIZES[its]
    assert {name: (n, b) for name, n, b in BLOCKS.values()}[kind] == (in_block, size)
    path = make_gguf(tmp_path / "x.gguf", d_model=256, d_ff=256, layers=1)
    held = read_header(path).tensors["blk.0.ffn_up.weight"]
    drawn = np.random.default_rng(5)
    raw = drawn.integers(0, 256, (256, 256 // in_block * size), dtype=np.uint8)
    if kind not in ("F32", "F16", "BF16"):  # scales that are numbers: halves of like size
        raw = (
            gguf.quants.quantize(drawn.standard_normal((256, 256)).astype(np.float32), its)
            if kind in ("Q4_0", "Q4_1", "Q5_0", "Q5_1", "Q8_0")
            else _tame(raw, size)
        )
    else:
        values = drawn.standard_normal((256, 256)).astype(np.float32)
        raw = gguf.quants.quantize(values, its).view(np.uint8)
    from heedful.interop.gguf.weights import _part

    other = tmp_path / "raw.bin"
    other.write_bytes(b"before" + raw.tobytes())
    with other.open("rb") as file:
        one = held._replace(kind=kind, start=6, row_bytes=raw.shape[1])
        found = np.concatenate([_part(file, one, first, 64) for first in range(0, 256, 64)])
    expected = gguf.quants.dequantize(raw, its)
    assert np.isfinite(expected).all()
    assert np.array_equal(found, expected)


def _tame(raw: np.ndarray, size: int) -> np.ndarray:
    """Return random bytes whose 16-bit scales, wherever they stand, are no NaN."""
    calm = raw & 0x3F
    return calm.reshape(len(raw), -1, size).reshape(raw.shape)


def test_blocks_computed_by_hand(tmp_path: Path) -> None:
    """Q8_0: d q; Q4_0: d (q - 8); Q4_1: d q + m, low halves of the bytes before the high ones."""
    from heedful.interop.gguf.header import Held
    from heedful.interop.gguf.weights import _part

    half, minus = np.float16(0.5).tobytes(), np.float16(-1.25).tobytes()
    nibbles = bytes((15 - at) << 4 | at for at in range(16))
    digits = np.array([*range(16), *range(15, -1, -1)], np.float32)
    blocks = {
        "Q8_0": (half + bytes(range(32)), 0.5 * np.arange(32, dtype=np.float32)),
        "Q4_0": (half + nibbles, 0.5 * (digits - 8)),
        "Q4_1": (half + minus + nibbles, 0.5 * digits - 1.25),
        "Q5_0": (half + b"\xff\xff\x00\x00" + nibbles,
                 0.5 * (digits + 16 * (np.arange(32) < 16) - 16)),
        "Q5_1": (half + minus + b"\x00\x00\xff\xff" + nibbles,
                 0.5 * (digits + 16 * (np.arange(32) >= 16)) - 1.25),
    }  # fmt: skip
    for kind, (raw, expected) in blocks.items():
        path = tmp_path / kind
        path.write_bytes(raw)
        with path.open("rb") as file:
            found = _part(file, Held(kind, (1, 32), 0, len(raw)), 0, 1)
        assert np.array_equal(found[0], expected.astype(np.float32)), kind


def test_words_become_the_pieces_of_the_file(plain: Path) -> None:
    writer = load(plain)
    tokens, _, _ = pieces()
    text = "the cat sat on the mat\n猫 Zoë <|im_end|>"
    ids = writer.vocabulary.encode(text)
    assert writer.vocabulary.continuation([], ids) == text
    assert not {tokens.index(name) for name in CONTROL} & {*ids}
    assert writer.end_ids == (len(tokens) - 1, 0)
    assert writer.context == 64
    assert writer.template is not None


def test_a_beginning_stands_before_a_text(tmp_path: Path) -> None:
    path = make_gguf(tmp_path / "x.gguf", fields={"tokenizer.ggml.add_bos_token": True})
    assert load(path).vocabulary.encode("the cat")[0] == 0


def test_pieces_with_scores(tmp_path: Path) -> None:
    """The vocabulary of SentencePiece: the merges with the better scores come first."""
    from heedful.interop.gguf.pieces import tokenizer_of
    from heedful.text.vocabulary import Vocabulary

    bytes_ = [f"<0x{byte:02X}>" for byte in range(256)]
    tokens = ["<unk>", "<s>", "</s>", *bytes_, "▁", "a", "b", "c", "ab", "bc", "▁a", "▁ab", "abc"]
    scores = [0.0] * 259 + [-9.0, -9.0, -9.0, -9.0, -2.0, -1.0, -3.0, -4.0, -5.0]
    fields = {
        "tokenizer.ggml.model": "llama",
        "tokenizer.ggml.tokens": tokens,
        "tokenizer.ggml.scores": scores,
        "tokenizer.ggml.token_type": [2, 3, 3] + [6] * 256 + [1] * 9,
        "tokenizer.ggml.bos_token_id": 1,
    }
    ours = Vocabulary.of(tokenizer_of(fields, "x"), len(tokens), "x")
    names = [tokens[piece] for piece in ours.encode("abc ab é")]
    assert names == ["<s>", "▁a", "bc", "▁ab", "▁", "<0xC3>", "<0xA9>"]
    assert ours.continuation([1], ours.encode("abc ab é")[1:]) == "abc ab é"


def test_the_rates_of_llama_3_are_known(tmp_path: Path) -> None:
    from heedful.nn.position import Llama3Scaling, Rotary

    scaling = Llama3Scaling(
        factor=32.0, low_freq_factor=1.0, high_freq_factor=4.0, original_length=8192
    )
    rate = 5000.0 ** (-torch.arange(0, 16, 2) / 16)
    divided = (rate / scaling.scaled(rate)).numpy().astype(np.float32)
    path = make_gguf(tmp_path / "x.gguf", extra={"rope_freqs.weight": divided})
    position = load_model(path)[0].config.position
    assert isinstance(position, Rotary)
    assert position.scaling == scaling
    path = make_gguf(tmp_path / "y.gguf", extra={"rope_freqs.weight": divided * 1.5})
    with pytest.raises(ModelError, match="stretches positions as neither"):
        load_model(path)


def test_a_folder_with_one_file_means_it(plain: Path, tmp_path: Path) -> None:
    assert load_writer(plain.parent).context == 64
    for name in ("a.gguf", "b.gguf"):
        (tmp_path / name).write_bytes(plain.read_bytes())
    with pytest.raises(ModelError, match=r"2 GGUF files in it \(a.gguf, b.gguf\); name one"):
        load_writer(tmp_path)


REFUSED = {
    "architecture": ({"architecture": "rwkv6"}, 'the architecture "rwkv6" is not known here; known: llama'),
    "unknown key": ({"fields": {"llama.logit_scale": 2.0}}, 'the key "logit_scale"'),
    "experts": ({"fields": {"llama.expert_count": 8}}, '"expert_count" is 8'),
    "scaling": ({"fields": {"llama.rope.scaling.type": "yarn"}}, '"rope.scaling.type" is "yarn"'),
    "stretched": ({"fields": {"llama.rope.scaling.factor": 4.0}}, '"rope.scaling.factor" is 4.0'),
    "window": ({"fields": {"llama.attention.sliding_window": 16}}, '"attention.sliding_window" is 16'),
    "part rotated": ({"fields": {"llama.rope.dimension_count": 8}}, '"rope.dimension_count" is 8'),
    "heads": ({"groups": 3, "d_model": 64}, "not divisible|has the shape"),
    "more": ({"extra": {"blk.0.attn_q_norm.weight": np.ones(16, np.float32)}}, "none that heedful knows"),
    "words": ({"pre": "tekken"}, 'the way "tekken", which is not known here; known: gpt-2'),
    "kind": ({"kind_of_pieces": "bert"}, 'its vocabulary is of the kind "bert"; known: gpt2, llama'),
}  # fmt: skip


@pytest.mark.parametrize("name", REFUSED)
def test_what_is_not_known_is_named(name: str, tmp_path: Path) -> None:
    how, said = REFUSED[name]
    path = make_gguf(tmp_path / "x.gguf", **how)
    with pytest.raises(ModelError, match=said) as caught:
        load(path)
    assert "\n" not in str(caught.value)


def test_a_type_that_is_not_known_is_named(plain: Path, tmp_path: Path) -> None:
    data = plain.read_bytes()
    name = b"blk.0.ffn_up.weight"
    at = data.index(name) + len(name) + 4 + 16
    path = tmp_path / "x.gguf"
    path.write_bytes(data[:at] + struct.pack("<I", 16) + data[at + 4 :])
    with pytest.raises(ModelError, match=r"is of the type IQ2_XXS, which heedful cannot.*Q4_K"):
        load(path)


def test_what_is_no_gguf_is_said(tmp_path: Path) -> None:
    path = tmp_path / "x.gguf"
    for content, said in [
        (b"", "no GGUF file"),
        (b"PK\3\4" + b"x" * 99, "no GGUF file"),
        (b"GGUF" + struct.pack("<IQQ", 1, 0, 0), "version 1"),
        (b"GGUF" + struct.pack(">IQQ", 3, 0, 0), "big-endian"),
        (b"GGUF" + struct.pack("<IQQ", 3, 1 << 60, 0), "promises 1,152,921"),
        (b"GGUF" + struct.pack("<IQQ", 3, 0, 1 << 60), "promises 1,152,921"),
        (b"GGUF" + struct.pack("<IQQQ", 3, 0, 1, 1 << 62) + b"x" * 60, "promises 4,611"),
    ]:
        path.write_bytes(content)
        with pytest.raises(ModelError, match=said):
            load(path)
    with pytest.raises(ModelError, match="no such f"):
        load_writer(tmp_path / "nothing.gguf")


def test_a_file_cut_anywhere_is_refused(plain: Path, tmp_path: Path) -> None:
    data, path = plain.read_bytes(), tmp_path / "x.gguf"
    for size in [*range(0, 400, 7), *range(400, len(data), len(data) // 60), len(data) - 1]:
        path.write_bytes(data[:size])
        with pytest.raises(ModelError):
            load(path)


@given(
    st.lists(
        st.tuples(st.integers(0, 1 << 20), st.binary(min_size=1, max_size=8)),
        min_size=1,
        max_size=3,
    )
)
@settings(max_examples=60, deadline=None)
def test_a_damaged_file_is_read_or_refused_in_a_sentence(
    plain: Path, tmp_path_factory: pytest.TempPathFactory, changes: list[tuple[int, bytes]]
) -> None:
    data = bytearray(plain.read_bytes())
    for at, new in changes:
        place = at % 14_000  # the header alone has so many
        data[place : place + len(new)] = new
    path = tmp_path_factory.getbasetemp() / "damaged.gguf"
    path.write_bytes(data)
    with contextlib.suppress(HeedfulError):  # whatever else is a failure
        load(path)


def test_numbers_that_are_none_are_refused(plain: Path, tmp_path: Path) -> None:
    held = read_header(plain).tensors["blk.1.ffn_down.weight"]
    data = bytearray(plain.read_bytes())
    data[held.start + 4 : held.start + 8] = struct.pack("<f", float("nan"))
    path = tmp_path / "x.gguf"
    path.write_bytes(data)
    with pytest.raises(ModelError, match=r"ffn_down\.weight.* holds NaN or infinity"):
        load(path)


def test_without_the_package_it_is_asked_for(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = make_gguf(tmp_path / "x.gguf", kind="Q8_0")
    for name in ("gguf", "gguf.quants", "gguf.constants"):
        monkeypatch.setitem(sys.modules, name, None)
    with pytest.raises(
        HeedfulError, match=r'Q8_0 need the package gguf; pip install "heedful\[chat\]"'
    ):
        load(path)
