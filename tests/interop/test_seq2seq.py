"""Translators of transformers come in with its logits and its choices, and go out again."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import load_file, save_file

from heedful.decode.engine import decode
from heedful.errors import ModelError
from heedful.interop import importing
from heedful.interop.huggingface.seq2seq import export, load
from heedful.model_folder import LoadedModel, load_model
from heedful.models.seq2seq import forward
from heedful.nn.embedding import ThreeWay, TwoWay, Untied
from heedful.nn.feedforward import GELU, SwiGLU, Swish
from heedful.nn.norm import LayerNorm, PostNorm, PreNorm, RMSNorm
from heedful.nn.position import ALiBi, Sinusoidal
from heedful.search import Greedy
from heedful.text.pieces import END, START
from heedful.translator import limits_of
from tests.interop.models import random_model, tokenizer_of
from tests.interop.opus import config_of, make_opus, resave, write_vocabulary

transformers = pytest.importorskip("transformers", reason="needs transformers (the dev group)")

CASES: dict[str, dict[str, Any]] = {
    "swish": {},
    "relu, unscaled": {"activation_function": "relu", "scale_embedding": False},
    "gelu, two vocabularies": {"activation_function": "gelu", "apart": True},
    "tags": {"tags": (">>de<<", ">>nl<<"), "decoder_layers": 2},
}
SENTENCES = ["the cat sat on my mat", "Straße, xylophon", "good", "where is the station the log"]


@pytest.fixture(scope="module", params=CASES)
def case(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Any:
    """Return a folder, its model in transformers, and ours."""
    folder = tmp_path_factory.mktemp("opus")
    reference = make_opus(folder, **CASES[request.param])
    return folder, reference, load(folder)


def their_ids(folder: Path, loaded: LoadedModel) -> dict[str, int]:
    """Return the number of each piece of the target in vocab.json."""
    apart = (folder / "target_vocab.json").exists()
    name = "target_vocab.json" if apart else "vocab.json"
    numbers: dict[str, int] = json.loads((folder / name).read_text("utf-8"))
    return numbers


def rows_of(loaded: LoadedModel, numbers: dict[str, int], side: int) -> list[int]:
    """Return their row of each of our pieces; `<s>` is their `<pad>`."""
    names = loaded.tokenizer.vocabularies()[side]
    return [numbers["<pad>" if name == "<s>" else name] for name in names]


def source_rows(folder: Path, loaded: LoadedModel) -> list[int]:
    return rows_of(loaded, json.loads((folder / "vocab.json").read_text("utf-8")), 0)


def encoded(loaded: LoadedModel) -> list[list[int]]:
    tags = loaded.tokenizer.languages
    return loaded.tokenizer.encode_source(SENTENCES, tags[-1] if tags else None)


@torch.no_grad()
def test_logits_are_transformers(case: Any) -> None:
    folder, reference, loaded = case
    read, write = source_rows(folder, loaded), rows_of(loaded, their_ids(folder, loaded), 1)
    target = [START, 9, 12, 30, 7, 11]
    for source in encoded(loaded):
        row = torch.tensor([source])
        ours = forward(loaded.model, row, row >= 0, torch.tensor([target]))[0]
        theirs = reference(
            input_ids=torch.tensor([[read[piece] for piece in source]]),
            decoder_input_ids=torch.tensor([[write[piece] for piece in target]]),
        ).logits[0]
        torch.testing.assert_close(ours[:, 1:], theirs[:, write[1:]], atol=1e-4, rtol=1e-4)
        assert (ours[:, 0] == -100).all()
        torch.testing.assert_close(ours.logsumexp(-1), theirs.logsumexp(-1), atol=1e-4, rtol=1e-4)
    start = loaded.model.tables.target.weight[START]
    assert start.abs().max() > 0.1, "the start row is none of zeros"


def test_greedy_output_is_transformers(case: Any) -> None:
    folder, reference, loaded = case
    read, write = source_rows(folder, loaded), rows_of(loaded, their_ids(folder, loaded), 1)
    limits = limits_of(loaded.tokenizer, 48)
    never = [[write[piece]] for piece in limits.forbidden if piece]
    for source in encoded(loaded):
        [found] = decode(loaded.model, [source], Greedy(max_extra=10), limits=limits)[0]
        theirs = reference.generate(
            input_ids=torch.tensor([[read[piece] for piece in source]]),
            num_beams=1,
            do_sample=False,
            max_new_tokens=len(source) + 10,
            bad_words_ids=never,
            forced_eos_token_id=None,
        )[0, 1:].tolist()
        ours = [write[piece] for piece in (*found.tokens, *[END] * found.finished)]
        assert ours == theirs


@pytest.mark.filterwarnings("ignore:Recommended. pip install sacremoses")
def test_pieces_are_marians(case: Any) -> None:
    pytest.importorskip("sentencepiece", reason="needs sentencepiece (the dev group)")
    folder, _, loaded = case
    marian = transformers.MarianTokenizer.from_pretrained(folder)
    read, write = source_rows(folder, loaded), rows_of(loaded, their_ids(folder, loaded), 1)
    tags = loaded.tokenizer.languages
    for text in SENTENCES:
        [ids] = loaded.tokenizer.encode_source([text], tags[-1] if tags else None)
        tagged = f">>{tags[-1]}<< {text}" if tags else text
        assert [read[piece] for piece in ids] == marian(tagged)["input_ids"]
        [ids] = loaded.tokenizer.encode_target([text])
        assert [write[piece] for piece in ids] == marian(text_target=text)["input_ids"]


def test_out_and_in_again_is_the_same_bit_by_bit(case: Any, tmp_path: Path) -> None:
    _, _, loaded = case
    export(tmp_path / "out", loaded)
    again = load(tmp_path / "out")
    assert again.model.config == loaded.model.config
    assert again.languages == loaded.languages
    assert again.tokenizer.fingerprint() == loaded.tokenizer.fingerprint()
    ours, theirs = dict(loaded.model.named_parameters()), dict(again.model.named_parameters())
    assert ours.keys() == theirs.keys()
    assert all(torch.equal(ours[name], theirs[name]) for name in ours)


@pytest.mark.filterwarnings("ignore:Recommended. pip install sacremoses")
def test_transformers_reads_the_pieces_that_go_out(case: Any, tmp_path: Path) -> None:
    pytest.importorskip("sentencepiece", reason="needs sentencepiece (the dev group)")
    _, _, loaded = case
    export(tmp_path / "out", loaded)
    marian = transformers.AutoTokenizer.from_pretrained(tmp_path / "out")
    tags = loaded.tokenizer.languages
    for text, ids in zip(SENTENCES, encoded(loaded), strict=True):
        assert marian(f">>{tags[-1]}<< {text}" if tags else text)["input_ids"] == ids


OUT: dict[str, dict[str, Any]] = {
    "interleaved": {"position": Sinusoidal()},
    "halves, gelu, two-way": {
        "position": Sinusoidal(layout="halves"),
        "feed_forward": GELU(),
        "embedding": TwoWay(output_bias=True),
    },
    "pre-norm": {"residual": PreNorm(), "feed_forward": Swish()},
}


@pytest.mark.parametrize("name", OUT)
def test_a_model_of_ours_goes_out_with_equal_logits(name: str, tmp_path: Path) -> None:
    shared = "two-way" not in name
    loaded = random_model(tokenizer_of(shared), **OUT[name])
    difference = export(tmp_path / "out", loaded)
    assert difference.equal == difference.sentences
    again = load(tmp_path / "out")
    source = torch.tensor([[5, 9, 21, 7, END]])
    target = torch.tensor([[START, 30, 8, 99]])
    ours, theirs = (forward(one.model, source, source >= 0, target) for one in (loaded, again))
    torch.testing.assert_close(ours, theirs, atol=1e-4, rtol=1e-4)
    assert again.tokenizer.fingerprint() == loaded.tokenizer.fingerprint()
    if shared:
        fast = transformers.AutoTokenizer.from_pretrained(tmp_path / "out")
        assert fast("the cat")["input_ids"] == loaded.tokenizer.encode_source(["the cat"])[0]


@pytest.mark.parametrize(
    ("settings", "said"),
    [
        ({"position": ALiBi()}, 'position "alibi"'),
        ({"norm": RMSNorm()}, 'norm "rms_norm"'),
        ({"norm": LayerNorm(eps=1e-6)}, 'norm.eps "1e-06"'),
        ({"feed_forward": SwiGLU()}, 'feed_forward "swiglu"'),
        ({"embedding": Untied()}, 'embedding "untied"'),
        ({"residual": PostNorm(final_norm=True)}, "residual.final_norm"),
        ({"residual": PreNorm(), "embedding": TwoWay()}, "which shares them"),
    ],
)
def test_what_transformers_lacks_is_refused_by_name(
    settings: dict[str, Any], said: str, tmp_path: Path
) -> None:
    with pytest.raises(ModelError) as raised:
        export(tmp_path / "out", random_model(tokenizer_of(), **settings))
    assert said in str(raised.value)
    assert not (tmp_path / "out").exists()


# Bad input


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("whole") / "opus"
    make_opus(folder)
    return folder


@pytest.fixture
def folder(whole: Path, tmp_path: Path) -> Path:
    copied = tmp_path / "opus"
    copied.mkdir()
    for path in whole.iterdir():
        (copied / path.name).write_bytes(path.read_bytes())
    return copied


def refused(folder: Path) -> str:
    with pytest.raises(ModelError) as raised:
        load(folder)
    return str(raised.value)


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"model_type": "led"}, 'the architecture "led" is not known here; known: marian, pegasus'),
        ({"normalize_before": True}, '"normalize_before" is true, which heedful cannot do'),
        ({"tie_word_embeddings": False}, '"tie_word_embeddings" is false, which heedful cannot'),
        ({"d_model": 2**31}, '"d_model" is 2147483648'),
        ({"encoder_layers": 10**9}, '"encoder_layers" is 1000000000'),
        ({"d_model": 20}, "has the shape"),
        ({"encoder_ffn_dim": "wide"}, '"encoder_ffn_dim" is "wide"'),
        ({"activation_function": "mish"}, '"activation_function" is "mish"; known: relu'),
        ({"eos_token_id": [0, 1]}, '"eos_token_id" names 2 pieces'),
        ({"eos_token_id": 5}, '"</s>" is 0 and config.json says 5: it belongs to another model'),
        ({"pad_token_id": 10**6}, '"pad_token_id" is 1,000,000 and the model has'),
        ({"encoder_layers": 3}, "is missing"),
        ({"encoder_layers": 1}, "is none of a"),
        ({"max_position_embeddings": 1}, "max_length"),
        ({"dropout": float("nan")}, '"dropout" is NaN'),
    ],
)
def test_a_config_of_something_else_is_refused(
    folder: Path, changes: dict[str, Any], said: str
) -> None:
    path = folder / "config.json"
    path.write_text(json.dumps(json.loads(path.read_text()) | changes))
    assert said in refused(folder)


def _tied(folder: Path) -> None:
    shared = load_file(folder / "model.safetensors")["model.shared.weight"]
    resave(folder, **{"lm_head.weight": shared + 1})


def _pickle(folder: Path) -> None:
    (folder / "model.safetensors").unlink()
    (folder / "pytorch_model.bin").write_bytes(b"\x80\x04cos\nsystem\n")


def _positions(folder: Path) -> None:
    resave(folder, **{"model.encoder.embed_positions.weight": torch.zeros(48, 16)})


def _vocabulary(folder: Path, change: Callable[[dict[str, Any]], object]) -> None:
    path = folder / "vocab.json"
    numbers = json.loads(path.read_text("utf-8"))
    change(numbers)
    path.write_text(json.dumps(numbers), "utf-8")


DAMAGE: dict[str, tuple[Callable[[Path], object], str]] = {
    "pickle": (_pickle, "its weights are a pickle (pytorch_model.bin)"),
    "tied twice": (_tied, "are one, and they differ"),
    "positions": (_positions, "does not hold the sinusoids"),
    "missing": (lambda f: resave(f, **{"model.shared.weight": None}), "is missing"),
    "extra": (lambda f: resave(f, extra=torch.zeros(3)), 'tensor "extra" is none of a'),
    "shape": (
        lambda f: resave(f, **{"model.shared.weight": torch.zeros(4, 16)}),
        'tensor "model.shared.weight" has the shape [4, 16], and [86, 16]',
    ),
    "nan": (
        lambda f: resave(f, final_logits_bias=torch.full((1, 86), float("nan"))),
        "holds NaN or infinity",
    ),
    "whole numbers": (
        lambda f: resave(f, final_logits_bias=torch.zeros((1, 86), dtype=torch.int64)),
        "is of the type I64",
    ),
    "no vocabulary": (lambda f: (f / "vocab.json").unlink(), "there is no vocab.json in it"),
    "no spm": (lambda f: (f / "source.spm").unlink(), "there is no source.spm in it"),
    "spm": (lambda f: (f / "target.spm").write_bytes(b"spm"), "not a SentencePiece model"),
    "fewer pieces": (
        lambda f: _vocabulary(f, lambda numbers: numbers.popitem()),
        "it has 85 pieces and the weights have 86: it belongs to another model",
    ),
    "gaps": (lambda f: _vocabulary(f, lambda n: n.update({"▁die": 999})), "numbers have gaps"),
    "no numbers": (lambda f: _vocabulary(f, lambda n: n.update({"▁die": "x"})), "does not number"),
    "deep": (lambda f: (f / "vocab.json").write_text("[" * 10**5), "not valid JSON"),
    "apart": (
        lambda f: (f / "tokenizer_config.json").write_text('{"separate_vocabs": true}'),
        "the weights have one embedding for both sides",
    ),
    "cut off": (
        lambda f: (f / "model.safetensors").write_bytes(
            (f / "model.safetensors").read_bytes()[:-9]
        ),
        "not a whole safetensors file",
    ),
    "huge header": (
        lambda f: (f / "model.safetensors").write_bytes(b"\xff" * 7 + b"\0{}"),
        "its header is of 72,057,594,037,927,935 bytes",
    ),
    "another tokenizer of ours": (
        lambda f: tokenizer_of().save(f / "heedful_tokenizer.json"),
        "it has 280 pieces and the weights have 86",
    ),
    "no model": (lambda f: (f / "config.json").unlink(), "there is no config.json in it"),
}


@pytest.mark.parametrize("name", DAMAGE)
def test_a_damaged_folder_is_refused(folder: Path, name: str) -> None:
    damage, said = DAMAGE[name]
    damage(folder)
    assert said in refused(folder)


def test_a_model_of_heedful_is_not_imported(folder: Path) -> None:
    (folder / "config.json").write_text('{"format": "heedful-model"}')
    assert "this is a model of heedful" in refused(folder)


def test_two_vocabularies_of_ours_need_two_embeddings(tmp_path: Path) -> None:
    export(tmp_path / "out", random_model(tokenizer_of()))
    tokenizer_of(shared=False).save(tmp_path / "out" / "heedful_tokenizer.json")
    assert "it has two vocabularies" in refused(tmp_path / "out")


def test_what_is_stored_twice_and_alike_comes_in(folder: Path) -> None:
    expected = load(folder).model.tables.target.weight
    shared = load_file(folder / "model.safetensors")["model.shared.weight"]
    copies = ("lm_head.weight", "model.encoder.embed_tokens.weight")
    resave(folder, **{name: shared.clone() for name in copies})
    assert torch.equal(load(folder).model.tables.target.weight, expected)


def test_an_imported_folder_is_one_of_ours(whole: Path, tmp_path: Path) -> None:
    brought, _ = importing.bring(whole, tmp_path / "ours", "en", None)
    loaded = load_model(tmp_path / "ours")
    assert loaded.languages == brought.languages
    assert loaded.languages.source == "en"
    assert "from `opus`" in (tmp_path / "ours" / "README.md").read_text()
    source = torch.tensor([[5, 9, 21, END]])
    ours, theirs = (
        forward(one.model, source, source >= 0, torch.tensor([[START, 8]]))
        for one in (loaded, brought)
    )
    assert torch.equal(ours, theirs)


def test_missing_bias_is_zeros(tmp_path: Path) -> None:
    size = write_vocabulary(tmp_path)[0]
    model = transformers.MarianMTModel(transformers.MarianConfig(**config_of(size)))
    tensors = {
        name: weight.detach().clone()
        for name, weight in model.named_parameters()
        if "embed_tokens" not in name and "embed_positions" not in name
    }
    save_file(tensors, tmp_path / "model.safetensors", {"format": "pt"})
    (tmp_path / "config.json").write_text(json.dumps(config_of(size)))
    bias = load(tmp_path).model.tables.bias
    assert bias is not None
    assert bias[0] == -100
    assert not bias[1:].any()
    assert isinstance(load(tmp_path).model.config.embedding, ThreeWay)
