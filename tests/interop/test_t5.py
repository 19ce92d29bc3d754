"""T5 of transformers comes in with its logits and its choices, and goes out again."""

import json
import random
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import load_file

from heedful.decode.engine import decode
from heedful.decode.fused import fusible
from heedful.errors import HeedfulError, ModelError, SettingError
from heedful.interop import importing
from heedful.interop.huggingface.seq2seq import export, load
from heedful.model_folder import LoadedModel, load_model
from heedful.models.seq2seq import forward
from heedful.nn.attention import MultiHead
from heedful.nn.embedding import ThreeWay, Untied
from heedful.nn.feedforward import GEGLU, ReLU
from heedful.nn.norm import PreNorm, RMSNorm
from heedful.nn.position import Bucketed
from heedful.search import Beam, Greedy
from heedful.text.pieces import END, START
from heedful.translator import Translator, limits_of
from tests.interop.fairseq import make_fairseq
from tests.interop.models import random_model, tokenizer_of
from tests.interop.opus import resave
from tests.interop.t5_folders import make_t5, mt5_cutter

transformers = pytest.importorskip("transformers", reason="needs transformers (the dev group)")
pytestmark = pytest.mark.filterwarnings("ignore::UserWarning")

CASES: dict[str, dict[str, Any]] = {
    "v1.0": {},
    "v1.1": {"feed_forward_proj": "gated-gelu", "tie_word_embeddings": False, "apart": True},
    "mT5": {
        "kind": "MT5",
        "cutter": mt5_cutter(),
        "sentinels": 0,
        "tie_word_embeddings": False,
        "apart": True,
    },
}
SENTENCES = [
    "the cat sat on my mat",
    "translate English to German: the dog <extra_id_0> on the  log.",
    "Straße, xylophon",
    "my 猫🙂 <0x41> \u0301",
    "where is the station the log and the house is small good morning my red cat sat on the mat",
]
PREFIX = "translate English to German: "


@pytest.fixture(scope="module", params=CASES)
def case(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Any:
    """Return a folder, its model in transformers, and ours."""
    folder = tmp_path_factory.mktemp("t5")
    reference = make_t5(folder, **CASES[request.param])
    return folder, reference, load(folder)


def rows_of(loaded: LoadedModel) -> list[int]:
    """Return their number of each of our pieces: 0 `<pad>`, 1 `</s>`, 2 `<unk>`, the others."""
    return [0, 0, 1, 2, *range(3, loaded.tokenizer.target_size - 1)]


def encoded(loaded: LoadedModel) -> list[list[int]]:
    return loaded.tokenizer.encode_source(SENTENCES)


@torch.no_grad()
def test_logits_are_transformers(case: Any) -> None:
    _, reference, loaded = case
    rows = rows_of(loaded)
    target = torch.tensor([[START, *random.Random(4).choices(range(4, 60), k=30)]])
    for source in encoded(loaded):
        given = torch.tensor([source])
        ours = forward(loaded.model, given, given >= 0, target)
        theirs = reference(
            input_ids=torch.tensor([[rows[piece] for piece in source]]),
            decoder_input_ids=torch.tensor([[rows[piece] for piece in target[0]]]),
        ).logits[..., rows]
        torch.testing.assert_close(ours, theirs, atol=1e-4, rtol=1e-4)
        assert ours.std() > 0.1


def test_greedy_output_is_transformers(case: Any) -> None:
    _, reference, loaded = case
    rows, answers = rows_of(loaded), set()
    assert not fusible(loaded.model, "cpu")
    limits = limits_of(loaded.tokenizer, 48)
    for source in encoded(loaded):
        [found] = decode(loaded.model, [source], Greedy(max_extra=10), limits=limits)[0]
        theirs = reference.generate(
            input_ids=torch.tensor([[rows[piece] for piece in source]]),
            num_beams=1,
            do_sample=False,
            max_new_tokens=len(source) + 10,
            bad_words_ids=[[0], [2]],
            use_cache=False,  # which it makes for as many layers as the encoder has
        )[0, 1:].tolist()
        assert [rows[piece] for piece in (*found.tokens, *[END] * found.finished)] == theirs
        answers.add(found.tokens)
    assert len(answers) > 1


@pytest.mark.slow
def test_beam_search_finds_what_transformers_finds(case: Any, tmp_path: Path) -> None:
    """Of what was written out, where both have the same pieces; without a length penalty."""
    _, _, loaded = case
    export(tmp_path / "out", loaded)
    reference = transformers.AutoModelForSeq2SeqLM.from_pretrained(tmp_path / "out").eval()
    limits = limits_of(loaded.tokenizer, 48)
    search = Beam(beam_size=4, length_penalty=0.0, max_extra=6)
    for source in encoded(loaded):
        best = decode(loaded.model, [source], search, limits=limits)[0][0]
        theirs = reference.generate(
            input_ids=torch.tensor([source]),
            num_beams=4,
            do_sample=False,
            length_penalty=0.0,
            early_stopping="never",
            max_new_tokens=len(source) + 6,
            bad_words_ids=[[piece] for piece in limits.forbidden],
            use_cache=False,
        )[0, 1:].tolist()
        assert [*best.tokens, *[END] * best.finished] == theirs


def test_pieces_are_t5s(case: Any, tmp_path: Path) -> None:
    library = pytest.importorskip("sentencepiece", reason="needs sentencepiece (the dev group)")
    folder, _, loaded = case
    library = library.SentencePieceProcessor(model_file=str(folder / "spiece.model"))
    falls_back = library.is_byte(3)
    theirs = transformers.T5Tokenizer.from_pretrained(folder, extra_ids=0 if falls_back else 5)
    theirs.save_pretrained(tmp_path / "fast")
    rows = rows_of(loaded)
    expected = [theirs(text)["input_ids"] for text in SENTENCES]
    if falls_back:  # which transformers does not do
        expected = [[*library.encode(text), 1] for text in SENTENCES]
        assert library.piece_to_id("<0xE7>") in expected[3]
    assert [[rows[piece] for piece in ids] for ids in encoded(loaded)] == expected
    # The other file of the same pieces.
    for name in ("config.json", "model.safetensors"):
        (tmp_path / "fast" / name).write_bytes((folder / name).read_bytes())
    assert not (tmp_path / "fast" / "spiece.model").exists()
    assert encoded(load(tmp_path / "fast")) == encoded(loaded)


def test_out_and_in_again_is_the_same_bit_by_bit(case: Any, tmp_path: Path) -> None:
    _, _, loaded = case
    loaded = loaded._replace(tokenizer=loaded.tokenizer.with_prefix(PREFIX))
    export(tmp_path / "out", loaded)
    again = load(tmp_path / "out")
    assert again.model.config == loaded.model.config
    assert again.tokenizer.fingerprint() == loaded.tokenizer.fingerprint()
    ours, theirs = dict(loaded.model.named_parameters()), dict(again.model.named_parameters())
    assert ours.keys() == theirs.keys()
    assert all(torch.equal(ours[name], theirs[name]) for name in ours)
    tables = again.model.tables
    assert (tables.output is tables.source) == isinstance(again.model.config.embedding, ThreeWay)
    fast = transformers.AutoTokenizer.from_pretrained(tmp_path / "out")
    for text, ids in zip(SENTENCES, encoded(loaded), strict=True):
        assert fast(PREFIX + text)["input_ids"] == ids


LIKE_T5: dict[str, Any] = {
    "position": Bucketed(n_buckets=8, max_distance=20),
    "attention": MultiHead(bias=False, scaled=False),
    "norm": RMSNorm(),
    "residual": PreNorm(),
    "feed_forward": GEGLU(),
    "embedding": ThreeWay(scaled=False),
}


def test_a_model_of_ours_goes_out_as_a_t5(tmp_path: Path) -> None:
    loaded = random_model(tokenizer_of(), **LIKE_T5)
    difference = export(tmp_path / "out", loaded)
    assert difference.equal == difference.sentences
    assert load(tmp_path / "out").model.config == loaded.model.config
    for change in ({"embedding": Untied(scaled=False)}, {"feed_forward": ReLU()}):
        with pytest.raises(ModelError, match="T5 of transformers") as raised:
            export(tmp_path / "other", random_model(tokenizer_of(), **LIKE_T5 | change))
        assert f"model.{next(iter(change))}" in str(raised.value)
    assert not (tmp_path / "other").exists()


def test_words_before_each_source_are_kept(whole: Path, tmp_path: Path) -> None:
    folder, loaded = whole, load(whole)
    importing.bring(folder, tmp_path / "ours", "en", "de", prefix=PREFIX)
    kept = load_model(tmp_path / "ours")
    assert kept.tokenizer.encode_source(["my cat"]) == loaded.tokenizer.encode_source(
        [PREFIX + "my cat"]
    )
    assert kept.tokenizer.encode_target(["my cat"]) == loaded.tokenizer.encode_target(["my cat"])
    assert sum(kept.tokenizer.around) == len(kept.tokenizer.encode_source([""])[0])
    with_words = Translator.load(tmp_path / "ours").translate(["my cat"])
    importing.bring(folder, tmp_path / "plain", "en", "de")
    plain = Translator.load(tmp_path / "plain")
    assert with_words == plain.translate([PREFIX + "my cat"])
    path = folder / "config.json"
    before = path.read_text()
    task = {"translation_en_to_de": {"prefix": PREFIX}}
    path.write_text(json.dumps(json.loads(before) | {"task_specific_params": task}))
    importing.bring(folder, tmp_path / "named", "en", "de")
    path.write_text(before)
    assert load_model(tmp_path / "named").tokenizer.prefix == PREFIX.strip()


def test_words_stand_behind_the_marks_of_a_source(tmp_path: Path) -> None:
    """A multilingual model keeps its marks, and the words are between them and the text."""
    make_fairseq(tmp_path / "nllb", "nllb")
    plain = load(tmp_path / "nllb").tokenizer
    importing.bring(tmp_path / "nllb", tmp_path / "ours", "eng_Latn", None, prefix="the dog")
    kept = load_model(tmp_path / "ours").tokenizer
    assert kept.fingerprint() != plain.fingerprint()
    asked = "eng_Latn>deu_Latn"
    assert kept.encode_source(["my cat"], asked) == plain.encode_source(["the dog my cat"], asked)
    before, behind = kept.around
    [ids], [text] = kept.encode_source(["my cat"], asked), plain.encode_target(["my cat"])
    assert [*ids[before : len(ids) - behind], END] == text


def test_words_that_no_tokenizer_puts_there_are_refused(tmp_path: Path) -> None:
    """A folder names them, and its tokenizer is not of SentencePiece."""
    folder = tmp_path / "out"
    export(folder, random_model(tokenizer_of(), **LIKE_T5))
    _config(task_specific_params={"translation_en_to_de": {"prefix": PREFIX}})(folder)
    with pytest.raises(ModelError, match="translate English to German") as raised:
        importing.bring(folder, tmp_path / "ours", "en", "de")
    assert str(raised.value).startswith(f"{folder / 'config.json'}: ")
    assert '--prefix ""' in str(raised.value)
    assert not (tmp_path / "ours").exists()
    importing.bring(folder, tmp_path / "ours", "en", "de", prefix="")
    with pytest.raises(SettingError, match="puts no words before a source"):
        importing.bring(folder, tmp_path / "other", "en", "de", prefix=PREFIX)


@pytest.mark.parametrize(
    ("settings", "said"),
    [
        ({"attention": MultiHead(scaled=False)}, "model.attention.scaled"),
        ({"d_k": 6}, "model.d_k"),
        ({"embedding": ThreeWay(scaled_output=True)}, "model.embedding.scaled_output"),
    ],
)
def test_others_of_transformers_have_none_of_it(
    settings: dict[str, Any], said: str, tmp_path: Path
) -> None:
    with pytest.raises(ModelError, match="no translator of transformers has") as raised:
        export(tmp_path / "out", random_model(tokenizer_of(), **settings))
    assert str(raised.value).startswith(f"{said}: ")


# Bad input


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("whole") / "t5"
    make_t5(folder)
    return folder


def _config(**changes: Any) -> Callable[[Path], object]:
    def change(folder: Path) -> None:
        path = folder / "config.json"
        path.write_text(json.dumps(json.loads(path.read_text()) | changes))

    return change


def _library_file(folder: Path, **model: Any) -> None:
    (folder / "spiece.model").unlink()
    data = {"model": {"type": "Unigram", **model}, "added_tokens": []}
    (folder / "tokenizer.json").write_text(json.dumps(data))


def _shared(folder: Path) -> torch.Tensor:
    return load_file(folder / "model.safetensors")["shared.weight"]


TABLE = "encoder.block.0.layer.0.SelfAttention.relative_attention_bias.weight"
DAMAGE: dict[str, tuple[Callable[[Path], object], str]] = {
    "architecture": (
        _config(model_type="umt5"),
        '"umt5" is not known here; known: marian, pegasus, bart, mbart, m2m_100, t5, mt5',
    ),
    "network": (_config(feed_forward_proj="gated-mish"), '"feed_forward_proj" is "gated-mish"'),
    "width": (_config(d_kv=5), "has the shape"),
    "no width": (_config(d_kv=None), 'the key "d_kv" is missing'),
    "buckets": (_config(relative_attention_num_buckets=7), "n_buckets"),
    "distance": (_config(relative_attention_max_distance=4), "is not above half of n_buckets 8"),
    "decoder": (_config(is_encoder_decoder=False), '"is_encoder_decoder" is false'),
    "pad": (_config(pad_token_id=4), "config.json means <pad>: it belongs to another model"),
    "end": (_config(eos_token_id=10**6), '"eos_token_id" is 1,000,000 and the model has'),
    "table": (lambda f: resave(f, **{TABLE: None}), f'tensor "{TABLE}"'),
    "extra": (lambda f: resave(f, extra=torch.zeros(3)), 'tensor "extra" is none of a'),
    "tied twice": (
        lambda f: resave(f, **{"lm_head.weight": _shared(f) + 1}),
        "are one, and they differ",
    ),
    "output": (
        lambda f: _config(scale_decoder_outputs=None, tie_word_embeddings=False)(f),
        'tensor "lm_head.weight"',
    ),
    "nan": (lambda f: resave(f, **{"shared.weight": _shared(f) * float("nan")}), "holds NaN"),
    "pieces": (
        lambda f: (f / "tokenizer_config.json").write_text('{"extra_ids": 90}'),
        "it belongs to another model",
    ),
    "no pieces": (lambda f: (f / "spiece.model").unlink(), "there is no spiece.model in it"),
    "spm": (lambda f: (f / "spiece.model").write_bytes(b"spm"), "not a SentencePiece model"),
    "library": (lambda f: _library_file(f), "not the tokenizer of a T5"),
    "bytes": (
        lambda f: _library_file(f, byte_fallback=True, unk_id=0, vocab=[["<0x00>", 0.0]]),
        "a byte has no piece",
    ),
}


@pytest.mark.parametrize("name", DAMAGE)
def test_a_damaged_folder_is_refused(whole: Path, tmp_path: Path, name: str) -> None:
    for path in whole.iterdir():
        (tmp_path / path.name).write_bytes(path.read_bytes())
    damage, said = DAMAGE[name]
    damage(tmp_path)
    with pytest.raises(HeedfulError) as raised:
        load(tmp_path)
    assert said in str(raised.value)
