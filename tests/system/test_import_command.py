"""`heed import`, and the other commands on what it writes of a tiny random Marian."""

import json
from pathlib import Path

import pytest
import torch

from heedful.cli import main
from heedful.model_folder import load_model
from tests.interop.fairseq import make_fairseq
from tests.interop.opus import make_opus
from tests.interop.t5_folders import make_t5

pytest.importorskip("transformers", reason="needs transformers (the dev group)")
PAIRS = [
    ("the cat sat on the mat", "die Katze saß auf der Matte"),
    ("the house is small", "das Haus ist klein"),
    ("good morning", "guten Morgen"),
    ("where is the station", "wo ist der Bahnhof"),
    ("my dog is small", "mein Hund ist klein"),
    ("the dog sat on the mat", "der Hund saß auf der Matte"),
]


@pytest.fixture(scope="module")
def brought(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("import")
    shape = {"d_model": 32, "encoder_ffn_dim": 48, "decoder_ffn_dim": 48}
    make_opus(folder / "opus", pieces=260, max_position_embeddings=256, **shape)
    assert main(["import", str(folder / "opus"), "-o", str(folder / "ours")]) == 0
    return folder / "ours"


def test_it_says_what_it_wrote(
    brought: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    source = brought.parent / "opus"
    assert main(["import", str(source), "-o", str(tmp_path / "again")]) == 0
    weights = sum(w.numel() for w in load_model(tmp_path / "again").model.parameters())
    assert capsys.readouterr().out == f"{tmp_path / 'again'}: {weights:,} weights, 264 pieces\n"
    assert main(["import", str(source), "-o", str(tmp_path / "again")]) == 2
    assert "something of that name already" in capsys.readouterr().err


def test_tags_and_languages_are_said(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    make_opus(tmp_path / "opus", tags=(">>de<<", ">>nl<<"))
    asked = ["import", str(tmp_path / "opus"), "-o", str(tmp_path / "ours")]
    assert main([*asked, "--to", "de"]) == 2
    assert "tags for its target languages" in capsys.readouterr().err
    assert main([*asked, "--from", "e n"]) == 2
    assert '"e n" cannot be a language code' in capsys.readouterr().err
    assert main(asked) == 0
    assert capsys.readouterr().out.endswith("pieces, --to de or --to nl\n")
    given = ["translate", "--model", str(tmp_path / "ours"), "the cat"]
    assert main(given) == 2
    assert "give --to de or --to nl" in capsys.readouterr().err
    assert main([*given, "--from", "fr", "--to", "nl"]) == 2
    assert 'no language "fr"' in capsys.readouterr().err
    assert main([*given, "--from", "en", "--to", "nl"]) == 0


def test_rows_that_spell_nothing_are_counted(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    make_fairseq(tmp_path / "bart", "bart")
    assert main(["import", str(tmp_path / "bart"), "-o", str(tmp_path / "ours")]) == 0
    said = "left out: 1 of the embedding's rows, which spell nothing (<mask>, filling)\n"
    assert capsys.readouterr().out.endswith(f" 330 pieces\n{said}")
    assert (tmp_path / "ours" / "README.md").read_text("utf-8").endswith(f"\n{said}")


def test_what_is_no_model_is_refused(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    for folder in (tmp_path / "nothing", tmp_path):
        assert main(["import", str(folder), "-o", str(tmp_path / "ours")]) == 2
        assert capsys.readouterr().err.count("\n") == 1
    (tmp_path / "config.json").write_text(json.dumps({"model_type": "led"}))
    assert main(["import", str(tmp_path), "-o", str(tmp_path / "ours")]) == 2
    assert "known: marian" in capsys.readouterr().err
    assert not (tmp_path / "ours").exists()


def test_a_model_of_heedful_is_not_imported(
    brought: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    run = tmp_path / "run"
    run.mkdir()
    (run / "model").symlink_to(brought)
    for folder in (brought, run):
        assert main(["import", str(folder), "-o", str(tmp_path / "again")]) == 2
        said = f"heed: {folder}: this is a model of heedful already; use it as it is: --model"
        assert capsys.readouterr().err.startswith(said)
    assert not (tmp_path / "again").exists()


def test_a_long_way(brought: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Fine-tune it on a TSV; translate, look at, measure and export what comes out."""
    data, dev, run = tmp_path / "ours.tsv", tmp_path / "dev.tsv", tmp_path / "run"
    data.write_text("".join(f"{a}\t{b}\n" for a, b in PAIRS), "utf-8")
    dev.write_text("the cat is small\tdie Katze ist klein\nmy house\tmein Haus\n", "utf-8")
    asked = ["train", "--start", str(brought), "--data", str(data), "--dev", str(dev)]
    settings = "--training.max-steps 100 --training.batch-tokens 400 --model.dropout 0 --quiet"
    settings += " --schedule.kind linear --schedule.peak 0.02 --schedule.warmup-steps 10"
    assert main([*asked, "--out", str(run), *settings.split()]) == 0
    tuned = load_model(run / "model")
    before = load_model(brought)
    assert tuned.tokenizer.fingerprint() == before.tokenizer.fingerprint()
    assert not torch.equal(tuned.model.tables.source.weight, before.model.tables.source.weight)
    capsys.readouterr()

    assert main(["translate", "--model", str(run), *(source for source, _ in PAIRS)]) == 0
    found = capsys.readouterr().out.splitlines()
    assert sum(line == target for line, (_, target) in zip(found, PAIRS, strict=True)) >= 5

    sentence, target = PAIRS[0]
    assert main(["inspect", "--model", str(run), sentence, "--target", target]) == 0
    assert "Katze" in capsys.readouterr().out
    for engine in ("ctranslate2", "huggingface"):
        out = str(tmp_path / engine)
        assert main(["export", "--model", str(run), "--to", engine, "-o", out]) == 0
        assert "8 of 8 test sentences equal" in capsys.readouterr().out
    assert main(["export", "--model", str(run), "--to", "onnx", "-o", str(tmp_path / "x")]) == 2
    assert "SentencePiece" in capsys.readouterr().err


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore::UserWarning")
def test_a_t5_learns_by_lora(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Import it with words before each source, tune it, translate, look inside, send it back."""
    shape = {"d_model": 32, "d_kv": 8, "d_ff": 48, "num_heads": 4, "n_positions": 256}
    make_t5(tmp_path / "t5", num_decoder_layers=2, sentinels=160, **shape)
    asked = ["import", str(tmp_path / "t5"), "--from", "en", "--to", "de", "-o"]
    words = ["--prefix", "translate English to German:"]
    assert main([*asked, str(tmp_path / "ours"), *words]) == 0
    assert (
        main(["translate", "--model", str(tmp_path / "ours"), "--precision", "int8", "my cat"]) == 0
    )
    data, dev, run = tmp_path / "ours.tsv", tmp_path / "dev.tsv", tmp_path / "run"
    dev.write_text("the cat is small\tdie Katze ist klein\n", "utf-8")
    data.write_text("".join(f"{a}\t{b}\n" for a, b in PAIRS), "utf-8")
    train = ["train", "--start", str(tmp_path / "ours"), "--data", str(data), "--dev", str(dev)]
    settings = "--training.max-steps 150 --training.batch-tokens 400 --model.dropout 0 --quiet"
    settings += " --training.lora-rank 16 --schedule.kind linear --schedule.peak 0.02"
    settings += " --schedule.warmup-steps 10 --from en --to de"
    assert main([*train, "--out", str(run), *settings.split()]) == 0
    before, after = load_model(tmp_path / "ours"), load_model(run / "model")
    assert after.tokenizer.fingerprint() == before.tokenizer.fingerprint()
    assert after.tokenizer.prefix == words[1]
    capsys.readouterr()
    assert main(["translate", "--model", str(run), *(source for source, _ in PAIRS)]) == 0
    found = capsys.readouterr().out.splitlines()
    assert sum(line == target for line, (_, target) in zip(found, PAIRS, strict=True)) >= 4
    assert main(["inspect", "--model", str(run), PAIRS[0][0], "--target", PAIRS[0][1]]) == 0
    assert "Katze" in capsys.readouterr().out
    out = str(tmp_path / "out")
    assert main(["export", "--model", str(run), "--to", "huggingface", "-o", out]) == 0
    assert "8 of 8 test sentences equal" in capsys.readouterr().out
    assert main(["export", "--model", str(run), "--to", "ctranslate2", "-o", out + "2"]) == 2
    assert "CTranslate2 has" in capsys.readouterr().err


@pytest.mark.slow
def test_a_multilingual_one_is_tuned_with_lora(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    pytest.importorskip("sentencepiece", reason="needs sentencepiece (the dev group)")
    ours, data, dev, run = (tmp_path / name for name in ("ours", "a.tsv", "dev.tsv", "run"))
    make_fairseq(tmp_path / "nllb", "nllb", max_position_embeddings=300, d_model=32)
    asked = ["import", str(tmp_path / "nllb"), "-o", str(ours)]
    assert main([*asked, "--from", "english"]) == 2
    assert 'knows no language "english"' in capsys.readouterr().err
    assert main([*asked, "--from", "eng_Latn"]) == 0
    data.write_text("".join(f"{a}\t{b}\n" for a, b in PAIRS), "utf-8")
    dev.write_text("the cat is small\tdie Katze ist klein\nmy house\tmein Haus\n", "utf-8")
    way = ["--from", "eng_Latn", "--to", "deu_Latn"]
    asked = ["train", "--start", str(ours), "--data", str(data), "--dev", str(dev), *way]
    settings = "--training.max-steps 150 --training.batch-tokens 400 --model.dropout 0 --quiet"
    settings += " --training.lora-rank 16 --schedule.kind linear --schedule.peak 0.02"
    settings += " --schedule.warmup-steps 10"
    assert main([*asked, "--out", str(run), *settings.split()]) == 0
    capsys.readouterr()
    scores = []
    for model in (ours, run):
        assert main(["score", "--model", str(model), "--data", str(data), *way]) == 0
        means = [float(line.split("\t")[1]) for line in capsys.readouterr().out.splitlines()]
        scores.append(sum(means) / len(means))
    assert scores[0] < -4.0, "log-probabilities of a piece, before"
    assert scores[1] > -2.0, "and after"
    sentence, target = PAIRS[0]
    assert main(["translate", "--model", str(run), *way, sentence]) == 0
    assert main(["translate", "--model", str(run), "--to", "fra_Latn", sentence]) == 0
    assert main(["inspect", "--model", str(run), *way, sentence, "--target", target]) == 0
    assert "Katze" in capsys.readouterr().out
    assert main(["heads", str(ours), "--to", "deu_Latn", "--data", str(data), "--quiet"]) == 0
    assert " · eng_Latn → deu_Latn · heads: " in capsys.readouterr().out
    out = tmp_path / "out"
    assert main(["export", "--model", str(run), "--to", "huggingface", "-o", str(out)]) == 0
    assert "8 of 8 test sentences equal" in capsys.readouterr().out
    assert main(["export", "--model", str(run), "--to", "ctranslate2", "-o", str(run / "x")]) == 2
    assert "knows no model.opening" in capsys.readouterr().err
