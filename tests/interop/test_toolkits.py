"""Old checkpoints come in with the logits and the choices of plain forwards after their code."""

import io
import json
import os
import pickle
import shutil
import subprocess
import sys
import tarfile
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor

from heedful.careful import Care
from heedful.commands.export import Options, run
from heedful.decode.engine import decode
from heedful.errors import ModelError, SettingError
from heedful.interop import importing, toolkits
from heedful.interop.huggingface import seq2seq
from heedful.interop.huggingface.seq2seq import export
from heedful.interop.toolkits import child, sandbox
from heedful.model_folder import save_model
from heedful.models.seq2seq import forward
from heedful.nn.embedding import ThreeWay
from heedful.nn.norm import PreNorm
from heedful.nn.position import Sinusoidal
from heedful.search import Greedy
from heedful.text.pieces import CONTROL, END, START
from heedful.text.subword_pieces import SubwordPieces, merges_of
from heedful.text.tokenizer import Tokenizer
from heedful.translator import Translator, limits_of
from tests.interop import old_checkpoints as old
from tests.interop.models import random_model

SENTENCES = ["the cat", "a dog that", "cad"]
Logits = Callable[[list[int], list[int]], Tensor]


@pytest.fixture(autouse=True)
def near(monkeypatch: pytest.MonkeyPatch, request: pytest.FixtureRequest) -> None:
    """Read within this process, which takes no seconds to start; a test of the child does not."""
    if "child" in request.node.name:
        return

    def read_here(checkpoint: Path, folder: Path, config: Path | None) -> None:
        if child.read(checkpoint, folder, config):
            told = json.loads((folder / child.ERROR).read_text())
            fix = told.get("fix") or None
            raise ModelError(told["problem"], where=str(checkpoint), fix=fix)

    monkeypatch.setattr(sandbox, "_read_apart", read_here)


def _fairseq(folder: Path, **changes: Any) -> tuple[list[str], list[str], Logits, str]:
    state, settings = old.write_fairseq(folder, **changes)
    names = []
    for language in ("de", "en"):
        lines = (folder / f"dict.{language}.txt").read_text().splitlines()
        names.append(["<s>", "<pad>", "</s>", "<unk>", *(line.split(" ")[0] for line in lines)])
    logits = lambda source, target: old.fairseq_logits(state, settings, source, target)  # noqa: E731
    return names[0], names[1], logits, "</s>"


def _opennmt(folder: Path, **changes: Any) -> tuple[list[str], list[str], Logits, str]:
    state, generator, vocab = old.write_opennmt(folder, **changes)
    eps = changes.get("norm_eps", 1e-6)
    logits = lambda *ids: old.opennmt_logits(state, generator, eps, *ids)  # noqa: E731
    return vocab["src"], vocab["tgt"], logits, changes.get("decoder_start_token", "<s>")


def _joey(folder: Path, **changes: Any) -> tuple[list[str], list[str], Logits, str]:
    state, vocab = old.write_joey(folder, **changes)
    return vocab["src"], vocab["trg"], lambda *ids: old.joey_logits(state, *ids), "<s>"


BEFORE = {"encoder_normalize_before": True, "decoder_normalize_before": True}
LEARNED = {"encoder_learned_pos": True, "decoder_learned_pos": True}
SHARED = {"share_all_embeddings": True}
GATED = {
    "pos_ffn_activation_fn": "silu",
    "position_encoding_type": "SinusoidalConcat",
    "decoder_start_token": "</s>",
    "norm_eps": 1e-2,
}
CASES: dict[str, Callable[[Path], tuple[list[str], list[str], Logits, str]]] = {
    "fairseq": lambda f: _fairseq(f),
    "fairseq cfg, pre-norm, gelu": lambda f: _fairseq(
        f, form="cfg", activation_fn="gelu", **BEFORE
    ),
    "fairseq before 0.9, one embedding": lambda f: _fairseq(f, joint=True, **SHARED),
    "fairseq, learned positions, untied": lambda f: _fairseq(
        f, share_decoder_input_output_embed=False, **LEARNED
    ),
    "OpenNMT-py 3.5": lambda f: _opennmt(f),
    "OpenNMT-py 3.0": lambda f: _opennmt(f, self_attn_type="scaled-dot", add_ffnbias=True),
    "OpenNMT-py 3.5, gated, sines first, </s> begins": lambda f: _opennmt(f, tied=True, **GATED),
    "OpenNMT-py 1, one embedding": lambda f: _opennmt(f, form="fields", tied=True),
    "OpenNMT-py 0.9": lambda f: _opennmt(f, form="torchtext"),
    "JoeyNMT 2, pre-norm": lambda f: _joey(f),
    "JoeyNMT 2, post-norm": lambda f: _joey(f, before=False),
    "JoeyNMT 1, one embedding": lambda f: _joey(f, version=1, tied=True),
}


def theirs_of(names: list[str], ours: list[str], start: str) -> list[int]:
    """Return their row of each of our pieces; -1 where they have none."""
    called = {"<s>": start, "<pad>": "<blank>" if "<blank>" in names else "<pad>"}
    rows = {name: number for number, name in enumerate(names)}
    quoted = (
        piece.strip('"') if piece.startswith('"<') else called.get(piece, piece) for piece in ours
    )
    return [rows.get(piece, -1) for piece in quoted]


@torch.no_grad()
@pytest.mark.parametrize("name", CASES)
def test_logits_and_choices_are_the_toolkits(name: str, tmp_path: Path) -> None:
    source_names, target_names, logits, start = CASES[name](tmp_path)
    loaded = toolkits.load(tmp_path)
    tokenizer = loaded.tokenizer
    ours = tokenizer.vocabularies()
    read = theirs_of(source_names, ours[0], start)
    write = theirs_of(target_names, ours[1], start)
    target = [START, *(tokenizer.encode_target(["the cab dog"])[0][:-1])]
    limits = limits_of(tokenizer, 64)
    for source in tokenizer.encode_source(SENTENCES):
        assert (source[-1] == END) == ("OpenNMT" not in name)
        row = torch.tensor([source])
        found = forward(loaded.model, row, row >= 0, torch.tensor([target]))[0]
        their_source = [read[piece] for piece in source]
        expected = logits(their_source, [write[piece] for piece in target])
        known = [
            at for at, theirs in enumerate(write) if theirs >= 0 and (at != START or start == "<s>")
        ]
        torch.testing.assert_close(
            found[:, known], expected[:, [write[at] for at in known]], atol=1e-4, rtol=1e-4
        )
        [best] = decode(loaded.model, [source], Greedy(max_extra=6), limits=limits)[0]
        forbidden = [write[piece] for piece in limits.forbidden if piece != START or start == "<s>"]
        chosen = [write[START]]
        for _ in range(len(best.tokens) + best.finished):
            last = logits(their_source, chosen)[-1]
            last[forbidden] = -torch.inf
            chosen.append(int(last.argmax()))
        assert chosen[1:] == [write[piece] for piece in (*best.tokens, *[END] * best.finished)]


def test_the_rows_are_not_all_alike(tmp_path: Path) -> None:
    """What the comparison above compares would notice another start, or another scale."""
    _, _, logits, _ = _fairseq(tmp_path)
    assert (logits([9, 2], [2])[0] - logits([9, 2], [0])[0]).abs().max() > 0.1
    assert (logits([9, 2], [2])[0] - logits([9, 8, 2], [2])[0]).abs().max() > 0.1


@pytest.mark.slow
def test_a_real_child_reads_and_the_folder_translates(tmp_path: Path) -> None:
    old.write_fairseq(tmp_path)
    checkpoint, ours = tmp_path / "checkpoint_best.pt", tmp_path / "ours"
    with pytest.raises(SettingError, match="not of SentencePiece, and puts no words before"):
        importing.bring(checkpoint, ours, None, None, prefix="to English:")
    importing.bring(checkpoint, ours, None, None)
    translator = Translator.load(tmp_path / "ours")
    assert (translator.languages.source, translator.languages.target) == ("de", "en")
    here = toolkits.load(tmp_path)
    [ids] = here.tokenizer.encode_source(["the cat"])
    [best] = decode(here.model, [ids], Greedy(), limits=limits_of(here.tokenizer, 64))[0]
    [text] = here.tokenizer.decode_target([best.tokens])
    raw = Care(capitals=False, loops=False)  # what weights drawn at random write is one long loop
    found = translator.translate(["the cat"], search=Greedy(), care=raw)
    assert found == [" ".join(text.split())]


# What cuts


def test_merges_cut_as_subword_nmt(tmp_path: Path) -> None:
    """The joins of `the`, `cat`, `that`, `cad` by the ranks of the codes, by hand."""
    (tmp_path / "codes").write_text(old.CODES)
    side = SubwordPieces(
        ["<pad>", "<s>", "</s>", "<unk>", *old.pieces_of()], merges_of(tmp_path / "codes")
    )

    def cut(text: str) -> list[str]:
        return [side.pieces[number] for number in side.encode([text])[0]]

    assert cut("the cat") == ["the", "cat"]
    assert cut("that cad") == ["th@@", "at", "ca@@", "d"]
    assert cut("théorie")[:2] == ["th@@", "<unk>"]
    ids = side.encode(["that  cad dog"])
    assert side.decode_batch(ids) == ["that cad dog"]
    assert SubwordPieces.read(json.loads(side.to_str()), "x").encode(["that cad"]) == side.encode(
        ["that cad"]
    )


@pytest.mark.parametrize("text", ["a\n", "#version: 0.1\na b\n", "e </w>\n", "a b c\n", " b\n"])
def test_other_codes_are_refused(text: str, tmp_path: Path) -> None:
    (tmp_path / "codes").write_text(text)
    with pytest.raises(ModelError):
        merges_of(tmp_path / "codes")


def test_fastbpe_codes_have_counts(tmp_path: Path) -> None:
    (tmp_path / "codes").write_text("t h 812\nth e</w> 77\n")
    assert merges_of(tmp_path / "codes") == [("t", "h"), ("th", "e</w>")]


# What goes out


OUTGOING: dict[str, tuple[Callable[[Path], object], str]] = {
    "fairseq": (lambda f: old.write_fairseq(f, **SHARED), "model.residual"),
    "fairseq, pre-norm": (lambda f: old.write_fairseq(f, **BEFORE, **SHARED), "model.embedding"),
    "OpenNMT-py": (lambda f: old.write_opennmt(f, form="fields", tied=True), "model.norm.eps"),
    "JoeyNMT": (lambda f: old.write_joey(f, before=False), "model.norm.eps"),
}


@pytest.mark.parametrize("name", OUTGOING)
def test_what_transformers_lacks_of_them_is_refused_by_name(name: str, tmp_path: Path) -> None:
    pytest.importorskip("transformers", reason="needs transformers (the dev group)")
    make, said = OUTGOING[name]
    make(tmp_path)
    with pytest.raises(ModelError) as error:
        export(tmp_path / "out", toolkits.load(tmp_path))
    assert str(error.value).startswith(f"{said}: ")
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize("kind", ["marian", pytest.param("m2m_100", marks=pytest.mark.slow)])
def test_pieces_of_subword_nmt_leave_for_heedful_alone(
    kind: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """No tokenizer of transformers cuts so: the folder has none, and says it."""
    pytest.importorskip("transformers", reason="needs transformers (the dev group)")
    (tmp_path / "codes").write_text(old.CODES)
    side = SubwordPieces([*CONTROL, *old.pieces_of()], merges_of(tmp_path / "codes"))
    settings: dict[str, Any] = {}
    if kind == "m2m_100":
        settings = {"residual": PreNorm(), "embedding": ThreeWay(output_bias=False)}
        settings["position"] = Sinusoidal(layout="halves", rates="closed", first=2)
    loaded = random_model(Tokenizer(side, side), **settings)
    save_model(tmp_path / "ours", *loaded)
    run(Options(to="huggingface", output=tmp_path / "out", model=str(tmp_path / "ours")))
    assert "see its README.md" in capsys.readouterr().out
    assert "take the one of heedful" in (tmp_path / "out" / "README.md").read_text()
    assert json.loads((tmp_path / "out" / "config.json").read_text())["model_type"] == kind
    assert [*(tmp_path / "out").glob("*token*")] == [tmp_path / "out" / "heedful_tokenizer.json"]
    again = seq2seq.load(tmp_path / "out").tokenizer
    assert again.encode_source(SENTENCES) == loaded.tokenizer.encode_source(SENTENCES)


# What is refused


def _resaved(folder: Path, name: str, change: Callable[[dict[str, Any]], object]) -> None:
    with torch.serialization.safe_globals([old.argparse.Namespace]):
        found = torch.load(folder / name, weights_only=True)
    change(found)
    torch.save(found, folder / name)


def _no_dictionary(folder: Path) -> None:
    old.write_fairseq(folder)
    (folder / "dict.en.txt").unlink()


def _no_codes(folder: Path) -> None:
    old.write_joey(folder)
    (folder / "bpecodes").unlink()


def _other_dictionary(folder: Path) -> None:
    old.write_fairseq(folder)
    with (folder / "dict.en.txt").open("a") as file:
        file.write("more 1\n")


def _unknown_keys(folder: Path) -> None:
    torch.save({"state_dict": {}, "epoch": 3}, folder / "a.pt")


def _later_fairseq(folder: Path) -> None:
    old.write_fairseq(folder)
    _resaved(folder, "checkpoint_best.pt", lambda x: x.update(args=None, cfg={"network": 1}))


def _odd_generator(folder: Path) -> None:
    old.write_opennmt(folder)
    _resaved(folder, "model_step_7.pt", lambda x: x.update(generator={"1.w": torch.ones(2)}))


def _features(folder: Path) -> None:
    old.write_opennmt(folder)
    _resaved(folder, "model_step_7.pt", lambda x: x["vocab"].update(src_feats=[["<unk>", "N"]]))


def _joined(folder: Path) -> None:
    old.write_opennmt(folder)

    def join(found: dict[str, Any]) -> None:
        pieces = found["vocab"]["tgt"]
        pieces[:] = [piece.replace("@@", "￭") for piece in pieces]

    _resaved(folder, "model_step_7.pt", join)


def _elsewhere(folder: Path) -> None:
    old.write_opennmt(folder)
    _resaved(folder, "model_step_7.pt", lambda x: (x.pop("model"), x.pop("generator")))


def _nan(folder: Path) -> None:
    old.write_joey(folder)

    def spoil(found: dict[str, Any]) -> None:
        found["model_state"]["src_embed.lut.weight"][3, 3] = float("nan")

    _resaved(folder, "best.ckpt", spoil)


def _two_ties(folder: Path) -> None:
    old.write_fairseq(folder)

    def part(found: dict[str, Any]) -> None:
        found["model"]["decoder.output_projection.weight"][5] += 1

    _resaved(folder, "checkpoint_best.pt", part)


def _missing(folder: Path) -> None:
    old.write_opennmt(folder)
    _resaved(folder, "model_step_7.pt", lambda x: x["model"].pop("encoder.layer_norm.bias"))


def _extra(folder: Path) -> None:
    old.write_joey(folder)
    _resaved(folder, "best.ckpt", lambda x: x["model_state"].update({"../x": torch.ones(1)}))


def _aliases(folder: Path) -> None:
    old.write_joey(folder)
    (folder / "config.yaml").write_text("a: &a [x, x]\nb: [*a, *a]\n")


def _deep(folder: Path) -> None:
    old.write_joey(folder)
    (folder / "config.yaml").write_text("[" * 10_000)


def _object(folder: Path) -> None:
    old.write_joey(folder)
    (folder / "config.yaml").write_text("model: !!python/object/apply:os.system ['true']\n")


def _other_heads(folder: Path, decoder: str) -> None:
    """Say other things of the decoder than how many heads it has, as the encoder does."""
    old.write_joey(folder)
    encoder, key, its = (folder / "config.yaml").read_text().partition("    decoder:")
    its = its.replace("        num_heads: 4\n", decoder)
    (folder / "config.yaml").write_text(encoder + key + its)


def _spaced(folder: Path) -> None:
    """Write the dictionaries of a SentencePiece model that has learnt an `@@`."""
    old.write_fairseq(folder)
    for path in folder.glob("dict.*.txt"):
        others = range(1, len(path.read_text().splitlines()))
        path.write_text("@@ 9\n" + "".join(f"▁{number} 9\n" for number in others), "utf-8")


def _shape(folder: Path) -> None:
    old.write_fairseq(folder, encoder_ffn_embed_dim=23, decoder_ffn_embed_dim=23)


REFUSED: dict[str, tuple[Callable[[Path], object], list[str]]] = {
    "no dictionary": (_no_dictionary, ["dict.en.txt"]),
    "no codes": (_no_codes, ["bpecodes", "--pieces"]),
    "another dictionary": (_other_dictionary, ["belongs to another model", "dict.en.txt"]),
    "no SentencePiece": (_spaced, ["the SentencePiece model are missing", "spm.model"]),
    "heads of one side": (lambda f: _other_heads(f, ""), ["decoder", '"num_heads" is 8', "4"]),
    "an activation of one side": (
        lambda f: _other_heads(f, "        num_heads: 4\n        activation: gelu\n"),
        ['"activation" is gelu here', "relu for the encoder"],
    ),
    "unknown keys": (_unknown_keys, ["epoch, state_dict"]),
    "a form never seen": (_later_fairseq, ["never seen"]),
    "a generator never seen": (_odd_generator, ["never seen", "generator.1.w"]),
    "an LSTM": (lambda f: old.write_opennmt(f, encoder_type="brnn"), ["brnn"]),
    "a BART": (lambda f: old.write_fairseq(f, arch="bart_large"), ["bart_large"]),
    "copying": (lambda f: old.write_opennmt(f, copy_attn=True), ["copy_attn"]),
    "a window": (lambda f: old.write_opennmt(f, sliding_window=128), ["sliding_window"]),
    "another attention": (
        lambda f: old.write_opennmt(f, self_attn_type="average"),
        ["self_attn_type", "scaled-dot-flash"],
    ),
    "features": (_features, ["features"]),
    "joined pieces": (_joined, ["pyonmttok", "known: subword-nmt"]),
    "weights elsewhere": (_elsewhere, ["safetensors", "--save_format"]),
    "adaptive softmax": (
        lambda f: old.write_fairseq(f, adaptive_softmax_cutoff="100,200"),
        ["adaptive_softmax_cutoff"],
    ),
    "NaN": (_nan, ["src_embed.lut.weight", "NaN"]),
    "two for one": (_two_ties, ["decoder.output_projection.weight", "differ"]),
    "a missing tensor": (_missing, ["encoder.layer_norm.bias", "missing"]),
    "one too many": (_extra, ["../x"]),
    "another shape": (_shape, ["fc1", "[24, 16]", "[23, 16]"]),
    "aliases": (_aliases, ["aliases"]),
    "deep YAML": (_deep, ["config.yaml"]),
    "an object in YAML": (_object, ["config.yaml"]),
    "a huge width": (
        lambda f: old.write_fairseq(
            f, **dict.fromkeys(["encoder_embed_dim", "decoder_embed_dim"], 2**31)
        ),
        ["embed_dim"],
    ),
}


def test_a_piece_of_merges_may_have_the_mark_of_sentencepiece(tmp_path: Path) -> None:
    """Texts of the web have a ▁ now and then; the codes were read as a SentencePiece model."""
    old.write_fairseq(tmp_path)
    for path in tmp_path.glob("dict.*.txt"):
        path.write_text(path.read_text().replace("\nz@@ ", "\n▁ "), "utf-8")
    loaded = toolkits.load(tmp_path)
    assert loaded.tokenizer.decode_target(loaded.tokenizer.encode_target(["the ▁"])) == ["the ▁"]


@pytest.mark.parametrize("name", REFUSED)
def test_what_is_refused_is_named(name: str, tmp_path: Path) -> None:
    make, words = REFUSED[name]
    make(tmp_path)
    with pytest.raises(ModelError) as error:
        toolkits.load(tmp_path)
    for word in words:
        assert word in str(error.value)


# Pickles that would run something


class Canary:
    """What it is unpickled to writes a file."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def __reduce__(self) -> tuple[Any, ...]:
        return os.mkdir, (str(self.path),)


def _legacy(path: Path, found: Any) -> None:
    torch.save(found, path, _use_new_zipfile_serialization=False)


def _bare(path: Path, found: Any) -> None:
    path.write_bytes(pickle.dumps(found))


def _tar(path: Path, found: Any) -> None:
    """The form of torch before 0.1.12: a tar with three pickles in it."""
    with tarfile.open(path, "w") as file:
        for name in ("sys_info", "pickle", "storages", "tensors"):
            data = pickle.dumps(found)
            info = tarfile.TarInfo(name)
            info.size = len(data)
            file.addfile(info, io.BytesIO(data))


def _zip(path: Path, found: Any) -> None:
    with zipfile.ZipFile(path, "w") as file:
        file.writestr("archive/data.pkl", pickle.dumps(found, 2))
        file.writestr("archive/version", "3\n")


FORMS = {
    "torch": lambda path, found: torch.save(found, path),
    "legacy": _legacy,
    "bare": _bare,
    "tar": _tar,
    "zip": _zip,
}


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize("place", ["all", "nested"])
@pytest.mark.parametrize("name", ["checkpoint_best.pt", "best.ckpt"])
def test_a_canary_never_runs(name: str, place: str, form: str, tmp_path: Path) -> None:
    canary = Canary(tmp_path / "ran")
    nested = {
        "model": {"w": torch.ones(1)},
        "args": old.argparse.Namespace(x=[canary]),
        "cfg": None,
    }
    FORMS[form](tmp_path / name, canary if place == "all" else nested)
    with pytest.raises(ModelError):
        toolkits.load(tmp_path)
    assert not (tmp_path / "ran").exists()


def test_the_canary_would_run(tmp_path: Path) -> None:
    _bare(tmp_path / "x.pt", Canary(tmp_path / "ran"))
    pickle.loads((tmp_path / "x.pt").read_bytes())
    assert (tmp_path / "ran").exists()


def test_a_child_refuses_by_the_name_of_what_the_pickle_asks_for(tmp_path: Path) -> None:
    torch.save({"model": {}, "args": Canary(tmp_path / "ran")}, tmp_path / "x.pt")
    with pytest.raises(ModelError, match="mkdir"):
        toolkits.load(tmp_path / "x.pt")
    assert not (tmp_path / "ran").exists()


BOUNDED = """
import resource
from heedful.interop.toolkits import child
child._limit(1000)
for name in ("AS", "CPU", "FSIZE", "CORE"):
    soft, hard = resource.getrlimit(getattr(resource, f"RLIMIT_{name}"))
    assert soft == hard != resource.RLIM_INFINITY, name
try:
    bytearray(child._SPARE + 2**26)
except MemoryError:
    print("bounded")
"""
APART = """
import socket
from heedful.interop.toolkits import child
child._leave_the_network()
print([name for _, name in socket.if_nameindex()])
"""


def _in_a_child(program: str) -> str:
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    return done.stdout.strip()


@pytest.mark.skipif(sys.platform != "linux", reason="other systems keep no bound of memory")
def test_a_child_has_bounds() -> None:
    assert _in_a_child(BOUNDED) == "bounded"


def test_a_child_has_no_network() -> None:
    unshare = shutil.which("unshare")
    if unshare is None or subprocess.run([unshare, "-rn", "true"], capture_output=True).returncode:
        pytest.skip("this system lets no process leave the network")
    assert _in_a_child(APART) == "['lo']"


def test_a_child_that_takes_too_long_is_stopped(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def late(command: list[str], timeout: float, **_: Any) -> None:
        raise subprocess.TimeoutExpired(command, timeout)

    (tmp_path / "x.pt").write_bytes(b"x")
    monkeypatch.setattr("heedful.interop.toolkits.sandbox.subprocess.run", late)
    with pytest.raises(ModelError, match="took more than 300 seconds, and was stopped"):
        toolkits.load(tmp_path / "x.pt")


@pytest.mark.parametrize(
    "data", [b"", b"\x80", b"PK\x03\x04", b"not a checkpoint", os.urandom(999)]
)
def test_what_is_no_pickle_is_refused(data: bytes, tmp_path: Path) -> None:
    (tmp_path / "x.pt").write_bytes(data)
    with pytest.raises(ModelError) as error:
        toolkits.load(tmp_path / "x.pt")
    assert "weights_only" not in str(error.value), "torch's own advice is not ours"


def test_old_torch_reads_no_pickle(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    old.write_joey(tmp_path)
    monkeypatch.setattr(torch, "__version__", "2.9.1+cpu")
    with pytest.raises(ModelError, match=r"2\.9\.1"):
        toolkits.load(tmp_path)


def test_several_checkpoints_are_told_apart(tmp_path: Path) -> None:
    for name in ("10.pt", "20.pt"):
        (tmp_path / name).write_bytes(b"x")
    with pytest.raises(ModelError, match=r"10\.pt, 20\.pt"):
        toolkits.load(tmp_path)
