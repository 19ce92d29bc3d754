"""BART, mBART, M2M100 and NLLB come in with transformers' logits and choices, and go out again."""

import base64
import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import load_file

from heedful.careful import Care
from heedful.decode.engine import decode
from heedful.errors import HeedfulError, ModelError
from heedful.interop import importing
from heedful.interop.huggingface.seq2seq import export, load
from heedful.interop.huggingface.seq2seq.bart import described
from heedful.interop.huggingface.seq2seq.languages import NLLB
from heedful.interop.huggingface.seq2seq.marian import NETWORKS
from heedful.model_folder import LoadedModel
from heedful.models.opening import Opening
from heedful.models.seq2seq import forward
from heedful.nn.norm import PostNorm, PreNorm
from heedful.nn.position import Learned, Sinusoidal
from heedful.search import Beam, Greedy
from heedful.text.framing import direction
from heedful.text.pieces import END, PAD, START
from heedful.text.sentencepiece_file import read_model
from heedful.translator import Translator, limits_of
from tests.interop.fairseq import KINDS, PAIR, make_fairseq
from tests.interop.models import random_model, tokenizer_of
from tests.interop.opus import resave

transformers = pytest.importorskip("transformers", reason="needs transformers (the dev group)")
pytest.importorskip("sentencepiece", reason="needs sentencepiece (the dev group)")

SENTENCES = ["the cat sat on the mat", "wo ist der Bahnhof?", "rain"]


@pytest.fixture(scope="module", params=KINDS)
def case(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Any:
    """Return the kind, its folder, its model in transformers, and ours."""
    folder = tmp_path_factory.mktemp("fairseq")
    reference = make_fairseq(folder, request.param)
    return request.param, folder, reference, load(folder)


def asked(kind: str) -> str | None:
    source, target = PAIR[kind]
    return direction(source, target) if source else None


def their_rows(folder: Path, kind: str, loaded: LoadedModel) -> list[int]:
    """Return their row of each piece of ours, by the conventions of fairseq."""
    from sentencepiece import SentencePieceProcessor

    names = loaded.tokenizer.vocabularies()[0]
    if kind == "bart":
        numbers = json.loads((folder / "vocab.json").read_text("utf-8"))
        return [numbers[name] for name in names]
    cutter = SentencePieceProcessor(model_file=str(folder / "sentencepiece.bpe.model"))
    fixed = {"<s>": 0, "<pad>": 1, "</s>": 2, "<unk>": 3}
    learnt = {cutter.id_to_piece(at): at + 1 for at in range(3, len(cutter))}
    tags = {
        f">>{code}<<": len(cutter) + 1 + at for at, code in enumerate(loaded.tokenizer.languages)
    }
    return [(fixed | learnt | tags)[name] for name in names]


def their_source(ids: list[int], kind: str, rows: list[int]) -> list[int]:
    return [rows[piece] for piece in (ids if kind == "bart" else ids[1:])]


def opened(kind: str, ids: list[int], rows: list[int]) -> list[int]:
    """Return what their decoder begins with for a source of ours."""
    tag = rows[ids[0]]
    return {"bart": [2, 0], "mbart": [tag]}.get(kind, [2, tag])


@torch.no_grad()
def test_logits_are_transformers(case: Any) -> None:
    kind, folder, reference, loaded = case
    rows = their_rows(folder, kind, loaded)
    written = [9, 12, 30, 7, 11]
    for ids in loaded.tokenizer.encode_source(SENTENCES, asked(kind)):
        row = torch.tensor([ids])
        ours = forward(loaded.model, row, row >= 0, torch.tensor([[START, *written]]))[0]
        begun = opened(kind, ids, rows)
        theirs = reference(
            input_ids=torch.tensor([their_source(ids, kind, rows)]),
            decoder_input_ids=torch.tensor([[*begun, *(rows[piece] for piece in written)]]),
        ).logits[0, len(begun) - 1 :]
        torch.testing.assert_close(ours, theirs[:, rows], atol=1e-4, rtol=1e-4)


def test_greedy_output_is_transformers(case: Any) -> None:
    kind, folder, reference, loaded = case
    rows = their_rows(folder, kind, loaded)
    limits = limits_of(loaded.tokenizer, 40)
    never = {*range(reference.config.vocab_size)} - {*rows} | {
        rows[one] for one in limits.forbidden
    }
    sources = loaded.tokenizer.encode_source(SENTENCES, asked(kind))
    for ids, (found,) in zip(
        sources, decode(loaded.model, sources, Greedy(max_extra=10), limits=limits), strict=True
    ):
        begun = opened(kind, ids, rows)
        theirs = reference.generate(
            input_ids=torch.tensor([their_source(ids, kind, rows)]),
            decoder_input_ids=torch.tensor([begun]),
            num_beams=1,
            do_sample=False,
            max_new_tokens=len(ids) + 10,
            bad_words_ids=[[one] for one in sorted(never - {2})],
            forced_eos_token_id=None,
            forced_bos_token_id=None,
        )[0, len(begun) :].tolist()
        assert [rows[piece] for piece in (*found.tokens, *[END] * found.finished)] == theirs


def test_a_batch_a_beam_and_a_pass_without_a_cache_agree(case: Any) -> None:
    kind, _, _, loaded = case
    limits = limits_of(loaded.tokenizer, 20)
    sources = loaded.tokenizer.encode_source(SENTENCES, asked(kind))
    together = decode(loaded.model, sources, Beam(beam_size=2), limits=limits)
    for ids, found in zip(sources, together, strict=True):
        [alone] = decode(loaded.model, [ids], Beam(beam_size=2), limits=limits)
        assert [one.tokens for one in alone] == [one.tokens for one in found]
        row, best = torch.tensor([ids]), found[0]
        target = [*best.tokens, *[END] * best.finished]
        with torch.no_grad():
            logits = forward(loaded.model, row, row >= 0, torch.tensor([[START, *target[:-1]]]))[0]
        log_probs = logits.log_softmax(-1).gather(1, torch.tensor(target)[:, None])
        assert float(log_probs.sum()) == pytest.approx(best.log_prob, abs=1e-3)


def test_pieces_are_those_of_their_library(case: Any) -> None:
    from sentencepiece import SentencePieceProcessor
    from tokenizers import ByteLevelBPETokenizer

    kind, folder, _, loaded = case
    rows = their_rows(folder, kind, loaded)
    texts = [*SENTENCES, "Straße, xylophon  ﬁ ½", " the the", "aaaa 猫 lalala", ""]
    found = loaded.tokenizer.encode_target(texts)
    if kind == "bart":
        files = [str(folder / name) for name in ("vocab.json", "merges.txt")]
        library = ByteLevelBPETokenizer(*files)
        expected = [library.encode(text).ids for text in texts]
        assert loaded.tokenizer.decode_target(found) == texts
    else:
        cutter = SentencePieceProcessor(model_file=str(folder / "sentencepiece.bpe.model"))
        expected = [[id_ + 1 if id_ else 3 for id_ in cutter.encode(text)] for text in texts]
    assert [[rows[piece] for piece in ids[:-1]] for ids in found] == expected
    assert all(ids[-1] == END for ids in found)


def test_out_and_in_again_is_the_same_bit_by_bit(case: Any, tmp_path: Path) -> None:
    *_, loaded = case
    difference = export(tmp_path / "out", loaded)
    assert difference.equal == difference.sentences
    again = load(tmp_path / "out")
    assert again.model.config == loaded.model.config
    assert again.languages == loaded.languages
    assert again.tokenizer.fingerprint() == loaded.tokenizer.fingerprint()
    assert again.tokenizer.framing == loaded.tokenizer.framing
    ours, theirs = dict(loaded.model.named_parameters()), dict(again.model.named_parameters())
    assert ours.keys() == theirs.keys()
    assert all(torch.equal(ours[name], theirs[name]) for name in ours)
    read_by_transformers(case, tmp_path / "out")


def read_by_transformers(case: Any, folder: Path) -> None:
    """Their tokenizer and their search, as the folder's README has it, give what ours do."""
    kind, _, _, loaded = case
    fast = transformers.AutoTokenizer.from_pretrained(folder)
    model = transformers.AutoModelForSeq2SeqLM.from_pretrained(folder)
    swapped = {0: 1, 1: 0}  # <pad> and <s>
    source, target = PAIR[kind]
    limits = limits_of(loaded.tokenizer, 14)
    first = loaded.tokenizer.languages[0] if source else ""
    asking = direction(first, target) if source else None
    for text in SENTENCES[:2]:
        [ids] = loaded.tokenizer.encode_source([text], asking)
        read = ids if kind == "bart" else ids[1:]
        given = fast(text, return_tensors="pt", return_token_type_ids=False)
        assert given["input_ids"][0].tolist() == [swapped.get(piece, piece) for piece in read]
        begun = {}
        if source:
            name = "decoder_start_token_id" if kind == "mbart" else "forced_bos_token_id"
            begun = {name: fast.convert_tokens_to_ids(f">>{target}<<")}
        length = 14
        theirs = model.generate(**given, **begun, num_beams=1, max_length=length)[0].tolist()
        [[found]] = decode(loaded.model, [ids], Greedy(max_extra=40), limits=limits)
        ours = [*found.tokens, *[END] * found.finished]
        skipped = 1 if kind == "mbart" else 2
        assert theirs[skipped:] == ours[: length - skipped]


def test_an_imported_one_translates_where_it_is_asked_to(case: Any, tmp_path: Path) -> None:
    kind, folder, _, loaded = case
    source, target = PAIR[kind]
    importing.bring(folder, tmp_path / "ours", source or None, None)
    translator = Translator.load(tmp_path / "ours", device="cpu", precision="float32")
    options: Any = {"care": Care(loops=False), "search": Greedy(max_extra=10)}
    [found] = translator.translate(["the cat"], target or None, from_=source or None, **options)
    ids = loaded.tokenizer.encode_source(["the cat"], asked(kind))
    [[best]] = decode(loaded.model, ids, options["search"], limits=translator.limits)
    assert found == " ".join(loaded.tokenizer.decode_target([best.tokens])[0].split())
    if not source:
        return
    assert translator.target(target) == asked(kind), "the source is the one that was named"
    for to, from_, said in (
        ("xx", source, 'knows no language "xx"'),
        (target, "xx", 'knows no language "xx"'),
        (source, None, "told which language a text is in"),
        (source, source, "both are"),
    ):
        with pytest.raises(HeedfulError, match=said):
            translator.target(to, from_)


def test_weights_in_a_tokenizer_json_alone_are_numbered_by_it(tmp_path: Path) -> None:
    """As transformers 5 saves them: no SentencePiece file, languages among the added pieces."""
    make_fairseq(tmp_path / "spm", "nllb")
    expected = load(tmp_path / "spm")
    folder = tmp_path / "json"
    shutil.copytree(tmp_path / "spm", folder)
    (folder / "sentencepiece.bpe.model").unlink()
    merges = nllb_json(tmp_path / "spm", folder / "tokenizer.json")
    assert merges
    (folder / "tokenizer_config.json").write_text('{"src_lang": "eng_Latn"}')
    found = load(folder)
    assert found.languages.source == "eng_Latn"
    assert found.tokenizer.languages == NLLB
    asked = "eng_Latn>fra_Latn"
    for one in SENTENCES:
        ours, theirs = (each.tokenizer.encode_source([one], asked) for each in (expected, found))
        assert ours == theirs
    weights = expected.model.tables.target.weight, found.model.tables.target.weight
    assert torch.equal(*weights)


def nllb_json(folder: Path, path: Path) -> list[list[str]]:
    """Write what the library makes of the SentencePiece file."""
    from sentencepiece import SentencePieceProcessor

    cutter = SentencePieceProcessor(model_file=str(folder / "sentencepiece.bpe.model"))
    learnt = [cutter.id_to_piece(at) for at in range(3, len(cutter))]
    pieces = ["<s>", "<pad>", "</s>", "<unk>", *learnt]
    merges = [
        [piece[:at], piece[at:]]
        for piece in learnt  # in the order of their scores
        for at in range(1, len(piece))
        if {piece[:at], piece[at:]} <= {*learnt}
    ]
    rows = {piece: row for row, piece in enumerate(pieces)}
    added = {code: len(rows) + at for at, code in enumerate((*NLLB, "<mask>"))}
    data = {
        "added_tokens": [{"id": row, "content": piece} for piece, row in added.items()],
        "normalizer": {"type": "Precompiled", "precompiled_charsmap": charsmap(folder)},
        "model": {"type": "BPE", "vocab": rows, "merges": [" ".join(pair) for pair in merges]},
    }
    path.write_text(json.dumps(data), "utf-8")
    return merges


def charsmap(folder: Path) -> str:
    return base64.b64encode(read_model(folder / "sentencepiece.bpe.model").charsmap).decode()


OURS: dict[str, dict[str, Any]] = {
    "bart": {"residual": PostNorm(), "position": Learned(), "embedding_norm": True},
    "mbart": {"residual": PreNorm(), "position": Learned(), "embedding_norm": True},
    "m2m_100": {
        "residual": PreNorm(),
        "position": Sinusoidal(layout="halves", rates="closed", first=2),
        "opening": Opening(before=(END,)),
    },
}


@pytest.mark.parametrize("kind", OURS)
def test_a_model_of_ours_goes_out_with_equal_logits(kind: str, tmp_path: Path) -> None:
    loaded = random_model(tokenizer_of(), **OURS[kind])
    difference = export(tmp_path / "out", loaded)
    assert difference.equal == difference.sentences
    said = json.loads((tmp_path / "out" / "config.json").read_text())
    assert said["model_type"] == kind
    again = load(tmp_path / "out")
    source, target = torch.tensor([[5, 9, 21, 7, END]]), torch.tensor([[START, 30, 8, 99]])
    ours, theirs = (forward(one.model, source, source >= 0, target) for one in (loaded, again))
    torch.testing.assert_close(ours, theirs, atol=1e-4, rtol=1e-4)
    assert again.tokenizer.fingerprint() == loaded.tokenizer.fingerprint()


@pytest.mark.parametrize(
    ("settings", "said"),
    [
        ({"opening": Opening(before=(END,))}, 'opening "before"'),
        ({"embedding_norm": True}, 'position "sinusoidal"'),
        ({"position": Sinusoidal(first=2)}, 'position "sinusoidal"'),
        (OURS["m2m_100"] | {"residual": PostNorm()}, 'residual "post'),
        (OURS["bart"] | {"opening": Opening(before=(END, PAD))}, 'opening "before"'),
    ],
)
def test_what_transformers_lacks_is_refused_by_name(
    settings: dict[str, Any], said: str, tmp_path: Path
) -> None:
    with pytest.raises(ModelError) as raised:
        export(tmp_path / "out", random_model(tokenizer_of(), **settings))
    assert said in str(raised.value)


@pytest.mark.parametrize("to", ["ctranslate2", "onnx"])
def test_other_formats_say_what_they_lack(to: str, tmp_path: Path) -> None:
    from heedful.interop import ctranslate2, onnx

    loaded = random_model(tokenizer_of(), **OURS["bart"])
    with pytest.raises(ModelError, match=r"knows no model\.embedding_norm"):
        {"ctranslate2": ctranslate2, "onnx": onnx}[to].export(tmp_path / "out", loaded)


# Bad input


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    made = {kind: tmp_path_factory.mktemp("whole") / kind for kind in ("bart", "mbart50", "m2m100")}
    for kind, folder in made.items():
        make_fairseq(folder, kind)
    return made


@pytest.mark.parametrize(
    ("kind", "changes", "said"),
    [
        ("bart", {"model_type": "led"}, "known: marian, pegasus, bart, mbart, m2m_100, t5, mt5"),
        ("bart", {"normalize_before": True}, '"normalize_before" is true'),
        ("bart", {"decoder_start_token_id": 9}, '"decoder_start_token_id" is none of'),
        ("bart", {"forced_bos_token_id": 9}, '"forced_bos_token_id" is 9'),
        ("bart", {"pad_token_id": 5}, '"<pad>" is 1 and config.json says 5'),
        ("bart", {"max_position_embeddings": 40}, "has the shape [50, 16], and [42, 16]"),
        ("mbart50", {"vocab_size": 300}, "and [300, 16] where config.json is followed"),
        ("mbart50", {"tie_word_embeddings": False}, '"tie_word_embeddings" is false'),
        ("m2m100", {"d_model": 15}, '"d_model" is 15, which is odd'),
        ("m2m100", {"eos_token_id": 7}, '"</s>" is 2 and config.json says 7'),
        ("m2m100", {"encoder_layers": 3}, "is missing"),
    ],
)
def test_a_config_of_something_else_is_refused(
    whole: dict[str, Path], tmp_path: Path, kind: str, changes: dict[str, Any], said: str
) -> None:
    shutil.copytree(whole[kind], tmp_path / kind)
    path = tmp_path / kind / "config.json"
    path.write_text(json.dumps(json.loads(path.read_text()) | changes))
    with pytest.raises(ModelError) as raised:
        load(tmp_path / kind)
    assert said in str(raised.value)


@pytest.mark.parametrize("kind", ["bart", "mbart", "m2m_100"])
def test_what_a_config_leaves_out_is_as_transformers_has_it(kind: str, tmp_path: Path) -> None:
    """M2M100 has another activation than its kin."""
    usual = transformers.AutoConfig.for_model(kind)
    told = usual.to_dict() | {"encoder_layers": 1, "decoder_layers": 1}
    left_out = ("activation_function", "scale_embedding", "max_position_embeddings", "dropout")
    path = tmp_path / "config.json"
    path.write_text(json.dumps({name: it for name, it in told.items() if name not in left_out}))
    found = described(path).model
    assert found.feed_forward == NETWORKS[usual.activation_function]
    assert (found.embedding.scaled, found.dropout) == (usual.scale_embedding, usual.dropout)
    assert found.max_length + len(found.opening.before) == usual.max_position_embeddings


def _tied(folder: Path) -> None:
    shared = load_file(folder / "model.safetensors")["model.shared.weight"]
    resave(folder, **{"lm_head.weight": shared + 1})


def _more_pieces(folder: Path) -> None:
    path = folder / "vocab.json"
    numbers = json.loads(path.read_text("utf-8"))
    path.write_text(json.dumps(numbers | {f"▁{at}": len(numbers) + at for at in range(90)}))


DAMAGE: dict[str, tuple[str, Callable[[Path], object], str]] = {
    "tied twice": ("bart", _tied, "are one, and they differ"),
    "no merges": ("bart", lambda f: (f / "merges.txt").unlink(), "neither vocab.json with merges"),
    "merges": ("bart", lambda f: (f / "merges.txt").write_text("a b c\n"), "is not a pair"),
    "no pieces": ("mbart50", lambda f: (f / "sentencepiece.bpe.model").unlink(), "there is no"),
    "more pieces": ("m2m100", _more_pieces, "it belongs to another model"),
    "positions": (
        "m2m100",
        lambda f: resave(f, **{"model.encoder.embed_positions.weights": torch.zeros(50, 16)}),
        "does not hold the sinusoids that m2m_100 computes",
    ),
    "norm": (
        "mbart50",
        lambda f: resave(f, **{"model.decoder.layernorm_embedding.bias": None}),
        'tensor "model.decoder.layernorm_embedding.bias" of the shape [16] is missing',
    ),
    "extra": ("m2m100", lambda f: resave(f, extra=torch.zeros(3)), 'tensor "extra" is none of a'),
    "other pieces": (
        "mbart50",
        lambda f: (f / "sentencepiece.bpe.model").write_bytes(b"\x08\x01"),
        "not a SentencePiece model",
    ),
}


@pytest.mark.parametrize("name", DAMAGE)
def test_a_damaged_folder_is_refused(whole: dict[str, Path], tmp_path: Path, name: str) -> None:
    kind, damage, said = DAMAGE[name]
    folder = tmp_path / kind
    shutil.copytree(whole[kind], folder)
    damage(folder)
    with pytest.raises(ModelError) as raised:
        load(folder)
    assert said in str(raised.value)
