"""A model folder keeps a model exactly, and any damage to it is one plain ModelError."""

import hashlib
import json
import math
import resource
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
import torch
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from safetensors.torch import load_file, save_file

from heedful.decode.packed import pack
from heedful.errors import ModelError, OutputError
from heedful.model_folder import LoadedModel, load_model, save_model
from heedful.model_header import Languages, other_files
from heedful.models.seq2seq import forward
from heedful.models.transformer import Transformer, TransformerConfig
from heedful.nn.embedding import TwoWay
from heedful.text.tokenizer import BPE, Tokenizer

LANGUAGES = Languages(source="en", target="de", both_directions=True)
WEIGHTS, TOKENIZER, CONFIG, CARD = FILES = (
    "model.safetensors",
    "tokenizer.json",
    "config.json",
    "README.md",
)
WORDS = "the cat sat on the mat and the dog sat on the log while the rain came down"


def tokenizer_of(size: int, shared: bool = True) -> Tokenizer:
    return Tokenizer.train(
        lambda: [(WORDS, WORDS.upper())] * 3, BPE(vocabulary_size=size, shared=shared)
    )


def model_for(tokenizer: Tokenizer, **shape: Any) -> Transformer:
    torch.manual_seed(0)
    shape = {"d_model": 16, "d_ff": 24, "n_heads": 2, "max_length": 32} | shape
    shape = {"encoder_layers": 1, "decoder_layers": 2} | shape
    return TransformerConfig(**shape).build(tokenizer.source_size, tokenizer.target_size)


@pytest.fixture(scope="module")
def tokenizer() -> Tokenizer:
    return tokenizer_of(280)


@pytest.fixture(scope="module")
def model(tokenizer: Tokenizer) -> Transformer:
    return model_for(tokenizer).eval()


@pytest.fixture(scope="module")
def pristine(
    tmp_path_factory: pytest.TempPathFactory, model: Transformer, tokenizer: Tokenizer
) -> Path:
    folder = tmp_path_factory.mktemp("saved") / "model"
    save_model(folder, model, tokenizer, LANGUAGES, card="# A card\n")
    return folder


@pytest.fixture
def folder(pristine: Path, tmp_path: Path) -> Path:
    """Return a copy to be damaged."""
    return Path(shutil.copytree(pristine, tmp_path / "model"))


def logits(model: Transformer) -> torch.Tensor:
    source = torch.tensor([[5, 9, 21, 7, 8, 2], [17, 3, 2, 0, 0, 0]])
    target = torch.tensor([[1, 6, 6, 23, 11], [1, 8, 7, 4, 9]])
    with torch.no_grad():
        return forward(model, source, source != 0, target)


def refused(folder: Path) -> str:
    """Load the folder, which must fail with one plain sentence; return it."""
    with pytest.raises(ModelError) as caught:
        load_model(folder)
    text = str(caught.value)
    assert "\n" not in text
    assert str(folder) in text
    assert len(text) < 600
    return text


def loaded_or_refused(folder: Path) -> LoadedModel | None:
    """Return what can be loaded, None after a plain refusal; anything else is a failure."""
    try:
        return load_model(folder)
    except ModelError:
        refused(folder)
        return None


def change_config(folder: Path, change: Callable[[dict[str, Any]], object]) -> None:
    path = folder / CONFIG
    data = json.loads(path.read_text("utf-8"))
    change(data)
    path.write_text(json.dumps(data), "utf-8")


def sign_again(folder: Path, name: str) -> None:
    """Write the file's new size and hash into config.json, as a forger would."""
    content = (folder / name).read_bytes()
    entry = {"bytes": len(content), "sha256": hashlib.sha256(content).hexdigest()}
    change_config(folder, lambda data: data["files"].update({name: entry}))


# Round trips


def test_a_round_trip_is_exact(pristine: Path, model: Transformer, tokenizer: Tokenizer) -> None:
    assert sorted(path.name for path in pristine.iterdir()) == sorted(FILES)
    assert (pristine / CARD).read_text("utf-8") == "# A card\n"
    loaded = load_model(pristine)
    assert not loaded.model.training
    assert loaded.languages == LANGUAGES
    assert loaded.model.config == model.config
    assert loaded.tokenizer.fingerprint() == tokenizer.fingerprint()
    for (name, weight), (other_name, other) in zip(
        model.named_parameters(), loaded.model.named_parameters(), strict=True
    ):
        assert name == other_name
        assert torch.equal(weight, other)
    assert torch.equal(logits(loaded.model), logits(model))


def test_bf16_is_the_weights_rounded_and_half_the_size(
    pristine: Path, tmp_path: Path, model: Transformer, tokenizer: Tokenizer
) -> None:
    save_model(tmp_path / "model", model, tokenizer, LANGUAGES, dtype=torch.bfloat16)
    loaded = load_model(tmp_path / "model").model
    for weight, other in zip(model.parameters(), loaded.parameters(), strict=True):
        assert other.dtype == torch.float32
        assert torch.equal(weight.bfloat16().float(), other)
    sizes = [(x / WEIGHTS).stat().st_size for x in (pristine, tmp_path / "model")]
    assert sizes[1] < 0.6 * sizes[0]
    assert model.tables.source.weight.dtype == torch.float32  # the one that was saved is untouched


def test_int8_is_every_matrix_in_whole_numbers_and_a_quarter_of_the_size(
    tmp_path: Path, tokenizer: Tokenizer
) -> None:
    model = model_for(tokenizer, d_model=64, d_ff=128, n_heads=4).eval()
    for name, dtype in (("whole", torch.int8), ("float", torch.float32)):
        save_model(tmp_path / name, model, tokenizer, LANGUAGES, dtype=dtype)
    loaded = load_model(tmp_path / "whole").model
    for (name, weight), other in zip(model.named_parameters(), loaded.parameters(), strict=True):
        assert other.dtype == torch.float32
        if weight.dim() == 1:
            assert torch.equal(weight, other), name
        else:
            step = weight.abs().amax(dim=1, keepdim=True) / 127
            assert ((weight - other).abs() <= 0.5001 * step).all(), name
            assert ((other / step).round().unique().abs() <= 127).all()
    sizes = [(tmp_path / x / WEIGHTS).stat().st_size for x in ("float", "whole")]
    assert sizes[1] < 0.3 * sizes[0]
    config = json.loads((tmp_path / "whole" / CONFIG).read_text("utf-8"))
    assert (config["version"], config["weights"]) == (2, "int8")


@pytest.mark.parametrize(
    "shape",
    [
        {},
        {"embedding": {"kind": "untied"}, "feed_forward": {"kind": "swiglu"}},
        {"position": {"kind": "learned"}},
        {"position": {"kind": "relative"}},
        {"d_model": 32, "n_heads": 2, "attention": {"kind": "grouped_query", "n_kv_heads": 1}},
    ],
    ids=str,
)
def test_int8_again_is_the_same_file_and_the_same_whole_numbers(
    tmp_path: Path, tokenizer: Tokenizer, shape: dict[str, Any]
) -> None:
    model = model_for(tokenizer, **shape).eval()
    with torch.no_grad():  # a row of zeros, one of hardly more, and a wide range
        table = model.tables.source.weight
        table[5], table[6] = 0.0, table[6] * 1e-32
        table.mul_(10 ** torch.linspace(-6, 6, len(table))[:, None])
    save_model(tmp_path / "one", model, tokenizer, LANGUAGES, dtype=torch.int8)
    again = load_model(tmp_path / "one").model
    save_model(tmp_path / "two", again, tokenizer, LANGUAGES, dtype=torch.int8)
    assert (tmp_path / "one" / WEIGHTS).read_bytes() == (tmp_path / "two" / WEIGHTS).read_bytes()
    before, after = (pack(x, "int8") for x in (model, again))
    rows = torch.arange(table.shape[0]) != 6  # too small to be kept
    assert (before.table[rows] == after.table[rows]).all()
    for one, two in zip(before.decoder.layers, after.decoder.layers, strict=True):
        assert (one.outer.arranged == two.outer.arranged).all()
        assert (one.output.arranged == two.output.arranged).all()


def test_further_files_are_kept_and_signed(
    folder: Path, tmp_path: Path, model: Transformer, tokenizer: Tokenizer
) -> None:
    more = tmp_path / "words.bin"
    more.write_bytes(b"more")
    assert other_files(folder) == []
    save_model(folder, model, tokenizer, LANGUAGES, added={more.name: more.read_bytes()})
    load_model(folder)
    assert other_files(folder) == [folder / "words.bin"]
    assert (folder / "words.bin").read_bytes() == b"more"
    (folder / "words.bin").write_bytes(b"less")
    with pytest.raises(ModelError, match=r"words\.bin: the file's content has changed"):
        other_files(folder)


@pytest.mark.parametrize("name", ["../words.bin", "/etc/passwd", "..", ".", "", "a/b", CONFIG])
def test_further_files_lie_in_the_folder(folder: Path, name: str) -> None:
    change_config(folder, lambda data: data["files"].update({name: {"bytes": 1, "sha256": ""}}))
    with pytest.raises(ModelError, match="is no file beside a model; copy the model folder again"):
        other_files(folder)


def test_a_tied_matrix_is_stored_once_and_is_one_again(pristine: Path) -> None:
    stored = load_file(pristine / WEIGHTS)
    assert [name for name in stored if name.startswith("tables")] == ["tables.source.weight"]
    tables = load_model(pristine).model.tables
    assert tables.source.weight is tables.target.weight is tables.output.weight


def test_two_vocabularies_round_trip(tmp_path: Path) -> None:
    tokenizer = tokenizer_of(270, shared=False)
    model = model_for(tokenizer, embedding=TwoWay()).eval()
    save_model(tmp_path / "model", model, tokenizer, Languages())
    loaded = load_model(tmp_path / "model")
    assert torch.equal(logits(loaded.model), logits(model))
    assert not loaded.tokenizer.shared


def test_loading_leaves_the_random_numbers_alone(pristine: Path) -> None:
    torch.manual_seed(4)
    expected = torch.rand(3)
    torch.manual_seed(4)
    load_model(pristine)
    assert torch.equal(torch.rand(3), expected)


def test_loading_does_not_import_torchs_compiler(pristine: Path) -> None:
    # It takes seconds; building on the meta device imports it for want of care.
    code = (
        "import sys; from pathlib import Path; from heedful.model_folder import load_model; "
        "before = set(sys.modules); load_model(Path(sys.argv[1])); "
        "print(*sorted(x for x in set(sys.modules) - before))"
    )
    words = [sys.executable, "-c", code, str(pristine)]
    new = subprocess.run(words, capture_output=True, text=True, check=True).stdout.split()
    assert not [name for name in new if name.startswith(("sympy", "torch._dynamo"))]
    assert len(new) < 100


def test_a_new_model_replaces_the_older(folder: Path, tokenizer: Tokenizer) -> None:
    other = model_for(tokenizer, d_ff=8).eval()
    save_model(folder, other, tokenizer, Languages())
    assert torch.equal(logits(load_model(folder).model), logits(other))
    assert [path.name for path in folder.parent.iterdir()] == ["model"]


# Damage


@pytest.mark.parametrize("name", FILES)
def test_a_missing_file(folder: Path, name: str) -> None:
    (folder / name).unlink()
    if name == CARD:  # the card is for people
        load_model(folder)
    else:
        assert name in refused(folder)


def test_no_folder_at_all(tmp_path: Path) -> None:
    assert "not a model folder" in refused(tmp_path / "nowhere")
    (tmp_path / "file").write_text("x")
    assert "not a model folder" in refused(tmp_path / "file")


@pytest.mark.parametrize("name", [WEIGHTS, TOKENIZER, CONFIG])
@pytest.mark.parametrize("kept", [0, 1, 7, 8, 0.3, 0.99, -1])
@pytest.mark.parametrize("signed", [False, True], ids=["found", "forged"])
def test_a_truncated_file(folder: Path, name: str, kept: float, signed: bool) -> None:
    content = (folder / name).read_bytes()
    cut = int(kept * len(content)) if isinstance(kept, float) else kept
    (folder / name).write_bytes(content[:cut])
    if signed and name != CONFIG:
        sign_again(folder, name)
    if name == CONFIG and kept == -1:
        load_model(folder)  # its last line feed
    else:
        assert name in refused(folder)


@pytest.mark.parametrize("name", [WEIGHTS, TOKENIZER])
@settings(max_examples=15, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(place=st.floats(0, 1, exclude_max=True), bit=st.integers(0, 7))
def test_a_flipped_bit(pristine: Path, tmp_path: Path, name: str, place: float, bit: int) -> None:
    folder = Path(shutil.copytree(pristine, tmp_path / "model", dirs_exist_ok=True))
    content = bytearray((folder / name).read_bytes())
    content[int(place * len(content))] ^= 1 << bit
    (folder / name).write_bytes(content)
    assert "SHA-256" in refused(folder)


@settings(max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(place=st.floats(0, 1, exclude_max=True), bit=st.integers(0, 7))
def test_a_flipped_bit_in_the_settings_is_refused_or_changes_no_weight(
    pristine: Path, tmp_path: Path, place: float, bit: int
) -> None:
    folder = Path(shutil.copytree(pristine, tmp_path / "model", dirs_exist_ok=True))
    content = bytearray((folder / CONFIG).read_bytes())
    content[int(place * len(content))] ^= 1 << bit
    (folder / CONFIG).write_bytes(content)
    loaded = loaded_or_refused(folder)
    if loaded is not None:  # a letter of a language code, a digit of the dropout, a space
        assert sum(x.numel() for x in loaded.model.parameters()) == sum(
            x.numel() for x in load_model(pristine).model.parameters()
        )


def forge(folder: Path, place: float, bit: int, data: st.DataObject) -> None:
    """Flip a bit of the weights and sign the folder again: loaded with numbers, or refused."""
    content = bytearray((folder / WEIGHTS).read_bytes())
    header = 8 + int.from_bytes(content[:8], "little")
    span = header if data.draw(st.booleans()) else len(content)
    content[int(place * span)] ^= 1 << bit
    (folder / WEIGHTS).write_bytes(content)
    sign_again(folder, WEIGHTS)
    loaded = loaded_or_refused(folder)
    if loaded is not None:
        assert all(weight.isfinite().all() for weight in loaded.model.parameters())


@settings(max_examples=40, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(place=st.floats(0, 1, exclude_max=True), bit=st.integers(0, 7), data=st.data())
def test_a_forged_file_of_weights_is_loaded_or_refused(
    pristine: Path, tmp_path: Path, place: float, bit: int, data: st.DataObject
) -> None:
    folder = Path(shutil.copytree(pristine, tmp_path / "model", dirs_exist_ok=True))
    forge(folder, place, bit, data)


@pytest.mark.parametrize("size", [270, 290])
def test_a_swapped_tokenizer(folder: Path, size: int) -> None:
    tokenizer_of(size).save(folder / TOKENIZER)
    assert TOKENIZER in refused(folder)
    sign_again(folder, TOKENIZER)
    assert "use the tokenizer.json that was trained with this model" in refused(folder)


def test_a_swapped_tokenizer_of_the_same_size(folder: Path) -> None:
    other = Tokenizer.train(
        lambda: [("one two three", "eins zwei drei vier fünf sechs")] * 9, BPE(vocabulary_size=280)
    )
    other.save(folder / TOKENIZER)
    assert "config.json" in refused(folder)


def test_a_tokenizer_of_two_vocabularies_for_a_model_of_one(
    folder: Path, tokenizer: Tokenizer
) -> None:
    side = json.loads((folder / TOKENIZER).read_text("utf-8"))
    both = {"format": "heedful-two-sided", "source": side, "target": side}
    (folder / TOKENIZER).write_text(json.dumps(both), "utf-8")
    sign_again(folder, TOKENIZER)
    assert "two" in refused(folder)


@pytest.mark.parametrize(
    ("change", "says"),
    [
        (lambda data: data.update(format="other"), "format"),
        (lambda data: data.pop("format"), "format"),
        (lambda data: data.update(version=5), "version 5 is not known here; install a newer"),
        (lambda data: data.update(version=[]), "version []"),
        (lambda data: data.update(version=2), "weights: Field required"),
        (lambda data: data.update(version=2, weights="int4"), "weights"),
        (lambda data: data.update(weights="int8"), "weights"),
        (lambda data: data.update(version=2, weights="int8"), "does not fit config.json"),
        (lambda data: data.update(version="1"), "version '1'"),
        (lambda data: data.pop("version"), "version None"),
        (lambda data: data["model"].update(kind="recurrent"), "kind"),
        (lambda data: data["model"]["position"].update(kind="sinus"), "position"),
        (lambda data: data["model"]["position"].pop("kind"), "position"),
        (lambda data: data["model"].update(d_modle=16), "d_modle"),
        (lambda data: data["model"].update(d_model="wide"), "d_model"),
        (lambda data: data["model"].update(d_model=15), "d_model 15 is not divisible"),
        (lambda data: data["model"].update(d_model=math.nan), "d_model"),
        (lambda data: data["model"].update(dropout=math.inf), "dropout"),
        (lambda data: data.update(model=[]), "model"),
        (lambda data: data.pop("model"), "model"),
        (lambda data: data.pop("languages"), "languages"),
        (lambda data: data.pop("files"), "files"),
        (lambda data: data.update(files={}), WEIGHTS),
        (lambda data: data["files"].update({WEIGHTS: {}}), WEIGHTS),
        (lambda data: data["files"].update({WEIGHTS: 5}), WEIGHTS),
        (lambda data: data.update(extra=1), "extra"),
    ],
)
def test_settings_that_are_wrong(
    folder: Path, change: Callable[[dict[str, Any]], object], says: str
) -> None:
    change_config(folder, change)
    assert says in refused(folder)


@pytest.mark.parametrize(
    "content", [b"", b"[]", b"null", b"7", b"\xff\xfe", b"{" * 100_000, b'{"a":' * 100_000, b"{}"]
)
def test_settings_that_are_none(folder: Path, content: bytes) -> None:
    (folder / CONFIG).write_bytes(content)
    refused(folder)


@pytest.mark.parametrize(
    "absurd",
    [
        {"d_model": 65_536, "d_ff": 1_048_576},
        {"d_model": 2**40},
        {"d_ff": 1_048_576},
        {"encoder_layers": 1024, "decoder_layers": 1024},
        {"encoder_layers": 10**9},
        {"max_length": 10**9},
        {"n_heads": 10**30},
        {"position": {"kind": "learned"}, "max_length": 65_536, "d_model": 65_536},
        {"position": {"kind": "relative", "max_distance": 10**18}},
        {"position": {"kind": "relative", "max_distance": 65_536}},
        {"decoder_layers": 0},
        {"d_model": -16},
    ],
    ids=str,
)
def test_absurd_sizes_are_refused_before_they_are_allocated(
    folder: Path, absurd: dict[str, Any]
) -> None:
    change_config(folder, lambda data: data["model"].update(absurd))
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    refused(folder)
    grown = (resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before) * 1024  # Linux: KiB
    assert grown < 300e6


def tensors_of(folder: Path) -> dict[str, torch.Tensor]:
    return load_file(folder / WEIGHTS)


@pytest.mark.parametrize("value", [math.nan, math.inf, -math.inf])
@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
def test_weights_that_are_no_numbers(folder: Path, value: float, dtype: torch.dtype) -> None:
    tensors = {name: tensor.to(dtype) for name, tensor in tensors_of(folder).items()}
    name = "decoder.1.feed_forward.outer.weight"
    tensors[name][3, 4] = value
    save_file(tensors, folder / WEIGHTS)
    sign_again(folder, WEIGHTS)
    assert f'tensor "{name}" holds NaN or infinity' in refused(folder)


@pytest.mark.parametrize(
    "dtype", [torch.int64, torch.bool, torch.complex64, torch.float8_e4m3fn], ids=str
)
def test_weights_of_another_type(folder: Path, dtype: torch.dtype) -> None:
    tensors = tensors_of(folder)
    name = "encoder.0.attention.query_proj.weight"
    tensors[name] = tensors[name].to(dtype)
    save_file(tensors, folder / WEIGHTS)
    sign_again(folder, WEIGHTS)
    assert name in refused(folder)


@pytest.mark.parametrize("name", ["encoder.0.attention.query_proj.bias", "tables.source.weight"])
def test_a_tensor_too_few_too_many_or_of_another_shape(folder: Path, name: str) -> None:
    original = tensors_of(folder)
    less = {key: value for key, value in original.items() if key != name}
    for tensors in (less, original | {name + "2": torch.ones(2)}, original | {name: torch.ones(2)}):
        save_file(tensors, folder / WEIGHTS)
        sign_again(folder, WEIGHTS)
        assert name in refused(folder)


def test_a_tensor_with_a_wild_name(folder: Path) -> None:
    save_file(tensors_of(folder) | {"\n" * 5000: torch.ones(1)}, folder / WEIGHTS)
    sign_again(folder, WEIGHTS)
    assert "does not fit config.json" in refused(folder)


def test_a_path_that_is_not_utf8_is_said_to_be_what_is_wrong(folder: Path) -> None:
    odd = folder.rename(folder.with_name("model\udcff"))
    said = refused(odd)
    assert said.endswith("safetensors reads no file whose path is not UTF-8; rename the folder")


def test_a_pickle_is_not_read(folder: Path) -> None:
    torch.save({"a": torch.ones(2)}, folder / WEIGHTS)
    sign_again(folder, WEIGHTS)
    assert "not a safetensors file" in refused(folder)


# Damage to whole numbers


@pytest.fixture
def whole(tmp_path: Path, model: Transformer, tokenizer: Tokenizer) -> Path:
    """Return a folder with int8 weights, to be damaged."""
    save_model(tmp_path / "whole", model, tokenizer, LANGUAGES, dtype=torch.int8)
    return tmp_path / "whole"


MATRIX = "decoder.1.feed_forward.outer.weight"


def put(folder: Path, name: str, change: Callable[[torch.Tensor], torch.Tensor | None]) -> str:
    """Change a tensor, None removes it; return how the folder is then refused."""
    tensors = tensors_of(folder)
    changed = change(tensors.pop(name))
    save_file(tensors if changed is None else tensors | {name: changed}, folder / WEIGHTS)
    sign_again(folder, WEIGHTS)
    return refused(folder)


@pytest.mark.parametrize("value", [math.nan, math.inf, -math.inf, -1e-9])
def test_scales_that_are_none(whole: Path, value: float) -> None:
    def change(scales: torch.Tensor) -> torch.Tensor:
        scales[3] = value
        return scales

    said = put(whole, MATRIX + ".scales", change)
    assert f'tensor "{MATRIX}.scales" holds a number below 0, NaN or infinity' in said


def test_scales_whose_products_are_infinite(whole: Path) -> None:
    said = put(whole, MATRIX + ".scales", lambda x: x * 0 + 3e38)
    assert f'tensor "{MATRIX}" holds NaN or infinity' in said


def test_whole_numbers_that_are_never_written(whole: Path) -> None:
    assert f'"{MATRIX}" holds -128' in put(whole, MATRIX, lambda x: x * 0 - 128)


@pytest.mark.parametrize(
    ("name", "change", "says"),
    [
        (MATRIX + ".scales", lambda x: None, "does not fit config.json"),
        (MATRIX + ".scales", lambda x: x[1:], "has shape [15] where"),
        (MATRIX + ".scales", lambda x: x[:, None], "has shape [16, 1] where"),
        (MATRIX + ".scales", lambda x: x.bfloat16(), "has type BF16"),
        (MATRIX + ".scales", lambda x: x.char(), "has type I8"),
        (MATRIX, lambda x: None, "does not fit config.json"),
        (MATRIX, lambda x: x[1:], "has shape [15, 24] where"),
        (MATRIX, lambda x: x.float(), "has type F32"),
        (MATRIX, lambda x: x.byte(), "has type U8"),
        ("encoder.0.attention.query_proj.bias", lambda x: x.char(), "has type I8"),
        ("encoder.0.attention_block.norm.weight", lambda x: x.char(), "has type I8"),
    ],
)
def test_whole_numbers_and_scales_that_do_not_fit(
    whole: Path, name: str, change: Callable[[torch.Tensor], torch.Tensor | None], says: str
) -> None:
    said = put(whole, name, change)
    assert says in said
    assert name in said


def test_whole_numbers_where_none_are_expected(folder: Path, whole: Path) -> None:
    assert "has type I8" in put(folder, MATRIX, lambda x: x.char())
    change_config(whole, lambda data: (data.update(version=1), data.pop("weights")))
    assert "does not fit config.json" in refused(whole)


@settings(max_examples=40, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(place=st.floats(0, 1, exclude_max=True), bit=st.integers(0, 7), data=st.data())
def test_a_forged_file_of_whole_numbers_is_loaded_or_refused(
    tmp_path: Path,
    model: Transformer,
    tokenizer: Tokenizer,
    place: float,
    bit: int,
    data: st.DataObject,
) -> None:
    folder = tmp_path / "forged"
    save_model(folder, model, tokenizer, LANGUAGES, dtype=torch.int8)
    forge(folder, place, bit, data)


# Saving where it fails


def not_saved(folder: Path, model: Transformer, tokenizer: Tokenizer) -> str:
    with pytest.raises(OutputError) as caught:
        save_model(folder, model, tokenizer, Languages(), card="new")
    assert "\n" not in str(caught.value)
    assert str(folder) in str(caught.value)
    return str(caught.value)


def unchanged(folder: Path, pristine: Path) -> None:
    """Check that the older model is all there is."""
    assert [path.name for path in folder.parent.iterdir()] == [folder.name]
    for name in FILES:
        assert (folder / name).read_bytes() == (pristine / name).read_bytes()


@contextmanager
def full_disk(n_bytes: int) -> Iterator[None]:
    """Let no file grow beyond that size."""
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (n_bytes, hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))


@pytest.mark.parametrize("share", [0.0, 0.5, 0.99], ids=["empty", "half", "nearly"])
@pytest.mark.parametrize("name", [WEIGHTS, TOKENIZER])
def test_a_full_disk_leaves_the_older_model(
    folder: Path, pristine: Path, name: str, share: float, tokenizer: Tokenizer
) -> None:
    shape = {}
    if name == TOKENIZER:  # the larger one, so that it is the one that fails
        shape = {"d_model": 2, "d_ff": 1, "n_heads": 1, "decoder_layers": 1}
        tags = [f"l{number}" for number in range(300)]
        tokenizer = Tokenizer.train(lambda: [(WORDS, WORDS)], BPE(vocabulary_size=561), tags)
    other = model_for(tokenizer, **shape)
    save_model(folder.parent / "probe", other, tokenizer, Languages())
    size = (folder.parent / "probe" / name).stat().st_size
    others = [(folder.parent / "probe" / x).stat().st_size for x in (WEIGHTS, TOKENIZER)]
    assert size == max(others)
    shutil.rmtree(folder.parent / "probe")
    with full_disk(int(size * share)):
        not_saved(folder, other, tokenizer)
    unchanged(folder, pristine)


def test_a_rename_that_fails_brings_the_older_model_back(
    folder: Path,
    pristine: Path,
    model: Transformer,
    tokenizer: Tokenizer,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    rename = Path.rename

    def failing(self: Path, target: Path) -> Path:
        if self.name == "model.new":
            raise OSError(5, "Input/output error")
        return rename(self, target)

    monkeypatch.setattr(Path, "rename", failing)
    assert "Input/output error" in not_saved(folder, model, tokenizer)
    unchanged(folder, pristine)


def test_a_place_that_is_no_folder(
    tmp_path: Path, model: Transformer, tokenizer: Tokenizer
) -> None:
    (tmp_path / "file").write_text("mine")
    not_saved(tmp_path / "file" / "model", model, tokenizer)
    not_saved(tmp_path / "file", model, tokenizer)
    assert (tmp_path / "file").read_text() == "mine"
    assert [path.name for path in tmp_path.iterdir()] == ["file"]


def test_a_folder_of_other_things_is_not_replaced(
    tmp_path: Path, model: Transformer, tokenizer: Tokenizer
) -> None:
    (tmp_path / "thesis").mkdir()
    (tmp_path / "thesis" / "chapter").write_text("years of work")
    not_saved(tmp_path / "thesis", model, tokenizer)
    assert (tmp_path / "thesis" / "chapter").read_text() == "years of work"
    (tmp_path / "empty").mkdir()
    save_model(tmp_path / "empty", model, tokenizer, Languages())
    load_model(tmp_path / "empty")


def test_a_save_cut_off_between_its_renames_is_mended_by_the_next(
    folder: Path, pristine: Path, model: Transformer, tokenizer: Tokenizer
) -> None:
    folder.rename(folder.with_name("model.old"))
    shutil.copytree(pristine, folder.with_name("model.new"))
    with full_disk(10):  # the next save fails: the older model must be back
        not_saved(folder, model, tokenizer)
    unchanged(folder, pristine)
    save_model(folder, model, tokenizer, LANGUAGES, card="# A card\n")
    unchanged(folder, pristine)


def test_what_an_earlier_save_left_behind_is_cleared(
    folder: Path, model: Transformer, tokenizer: Tokenizer
) -> None:
    for name in ("model.new", "model.old"):
        (folder.parent / name).mkdir()
        (folder.parent / name / "half").write_text("x")
    save_model(folder, model, tokenizer, Languages())
    assert [path.name for path in folder.parent.iterdir()] == ["model"]
