"""From a text to a model that answers, by the command line; from models of others; bad input."""

import json
from pathlib import Path
from typing import Any

import pytest

from heedful.cli import main
from heedful.decoder_folder import save_decoder
from heedful.models.gpt import GPTConfig
from heedful.text.train_tokenizer import Characters
from heedful.text.vocabulary import Vocabulary
from tests.interop.folders import GPT2, make_folder

TEXT = "0123456789\n" + "".join(
    f"of {n % 7} and {n % 5} the first is {n % 7}. is it? yes!\n" for n in range(60)
)
GPT = [
    *("--recipe", "gpt-char", "--device", "cpu", "--quiet", "--training.max-steps", "4"),
    *("--model.d-model", "16", "--model.d-ff", "32", "--model.n-layers", "2"),
    *("--data", "text.txt", "--out", "gpt"),
]
SHORT = ["--device", "cpu", "--training.max-steps", "6", "--training.batch-rows", "8"]


def talks(name: str, rows: list[Any]) -> None:
    Path(name).write_text("".join(json.dumps(row) + "\n" for row in rows), "utf-8")


def talk(asked: str, said: str) -> dict[str, Any]:
    return {
        "messages": [{"role": "user", "content": asked}, {"role": "assistant", "content": said}]
    }


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    Path("text.txt").write_text(TEXT, "utf-8")
    talks("talks.jsonl", [talk(f"{n % 7} and {n}?", f"{n % 7}!") for n in range(40)])
    pairs = [{"prompt": f"{n}?", "chosen": f"{n % 7}!", "rejected": "is it?"} for n in range(30)]
    talks("pairs.jsonl", pairs)
    return tmp_path


def made() -> None:
    """Make the folder `gpt` of a model that has learnt nothing."""
    known = Vocabulary.train([TEXT], Characters())
    shape = GPTConfig(d_model=16, d_ff=32, n_heads=2, n_layers=1, max_length=64)
    save_decoder(Path("gpt"), shape.build(known.size), known)


def said(capsys: pytest.CaptureFixture[str], *words: str) -> tuple[str, str]:
    assert main([*words]) == 0
    return capsys.readouterr()


def refused(capsys: pytest.CaptureFixture[str], *words: str) -> str:
    assert main([*words]) == 2
    *before, err = capsys.readouterr().err.splitlines()
    assert before in ([], ["gpt has no chat template: it learns one of heedful's own"])
    return err


def test_from_a_text_to_a_model_that_answers(
    folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    said(capsys, "train", *GPT)
    start = ("--from", "gpt", "--data", "talks.jsonl", "--out", "talker")
    out, err = said(capsys, "train", "--objective.kind", "chat", *start, *SHORT)
    assert out == "talker/model\n"
    assert "gpt has no chat template: it learns one of heedful's own" in err
    assert "36 conversations to learn from" in err
    assert "4 rows are held out: their figures are luck under 20" in err
    start = ("--from", "talker", "--data", "pairs.jsonl", "--out", "liked")
    kind = ("--objective.kind", "preference", "--training.lora-rank", "2")
    _, err = said(capsys, "train", *kind, *start, *SHORT, "--training.validate-every", "2")
    assert "asking talker about 30 pairs of answers" in err
    assert "27 pairs of answers to learn from" in err
    log = [json.loads(line) for line in Path("liked/log.jsonl").read_text("utf-8").splitlines()]
    first = next(entry for entry in log if entry["kind"] == "validation")
    assert {"loss", "margin", "accuracy"} <= first.keys()
    assert next(e["loss"] for e in log if e["kind"] == "train") == pytest.approx(0.6931, abs=2e-3)
    card = Path("liked/model/README.md").read_text("utf-8")
    assert "LoRA of rank 2, merged" in card
    assert "beginning with the model `talker`" in card
    Path("turns.txt").write_text("3 and 4?\nis it?\n", "utf-8")
    words = ("--model", "liked", "-i", "turns.txt", "--json", "--max-new", "5", "--quiet")
    out, _ = said(capsys, "chat", *words)
    turns = [json.loads(line) for line in out.splitlines()]
    assert [turn["turn"] for turn in turns] == ["3 and 4?", "is it?"]
    assert turns[0]["read"] == len("3 and 4?") + 2
    out, _ = said(capsys, "generate", "--model", "talker", "-p", "of", "--quiet", "--max-new", "9")
    assert set(out) <= set(TEXT)


def test_from_models_of_others(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """A folder of Hugging Face without a template, and a GGUF file with one, which it keeps."""
    pytest.importorskip("gguf", reason="needs gguf (the dev group)")
    from tests.interop.gguf_files import TEMPLATE, make_gguf

    make_folder(folder / "hf", GPT2 | {"n_positions": 96})
    make_gguf(folder / "x.gguf", context=200)
    for start, asked in (("hf", "User:\n3?\n\nAssistant:\n"), ("x.gguf", None)):
        out = f"of-{start}"
        words = ("--recipe", "chat", "--from", start, "--data", "talks.jsonl", "--out", out)
        _, err = said(capsys, "train", *words, *SHORT)
        assert ("has no chat template" in err) == (asked is not None)
        writing = json.loads(Path(out, "model/config.json").read_text("utf-8"))["writing"]
        assert (writing["template"] == TEMPLATE) == (asked is None)
        Path("turn.txt").write_text("3?\n", "utf-8")
        words = ("--model", out, "-i", "turn.txt", "--json", "--max-new", "2", "--quiet")
        (turn,) = [json.loads(line) for line in said(capsys, "chat", *words)[0].splitlines()]
        assert turn["read"] > 3


@pytest.mark.parametrize(
    ("row", "words", "says"),
    [
        ({"messages": []}, [], 'talks.jsonl:1: "messages" is not a list of messages'),
        (talk("3?", "Zoë"), [], "talks.jsonl:1: the model has never seen the character 'Z'"),
        (talk("3" * 70, "3"), [], "its shortest conversation has 74 pieces and 64 are read"),
        (talk("3?", "3"), ["--recipe", "preference"], 'talks.jsonl:1: no key "chosen"'),
        (talk("3?", "3"), ["--model.n-layers", "3"], "--model.n-layers: a model to begin with"),
        (talk("3?", "3"), ["--test", "x"], "--test: it is for pairs of sentences"),
        (talk("3?", "3"), ["--batch-tokens", "9"], "or give --training.batch-rows"),
        (talk("3?", "3"), ["--training.max-pieces", "99"], "more than the 64 pieces"),
        (talk("3?", "3"), ["--from", "nothing"], "nothing"),
        (talk("3?", "3"), ["--data", "text.txt"], "save a JSON object a line"),
        (
            talk("3?", "3"),
            ["--training.lora-rank", "2", "--optimizer.kind", "muon"],
            "--training.lora-rank is for --optimizer.kind adam",
        ),
    ],
)
def test_what_cannot_be_learnt_is_refused(
    folder: Path, capsys: pytest.CaptureFixture[str], row: Any, words: list[str], says: str
) -> None:
    made()
    talks("talks.jsonl", [row])
    given = {"--recipe": "chat", "--from": "gpt", "--data": "talks.jsonl", "--out": "run"}
    given |= dict(zip(words[::2], words[1::2], strict=True))
    told = [word for pair in given.items() for word in pair]
    assert says in refused(capsys, "train", *told, *SHORT)
    assert not Path("run").exists()


def test_what_is_left_out_is_said(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    made()
    rows = [talk(f"{n % 7}?", "3") for n in range(8)]
    talks("talks.jsonl", [*rows, talk("3" * 70, "3"), talk("Z", "3"), {"text": "x"}])
    words = ("--recipe", "chat", "--from", "gpt", "--data", "talks.jsonl", "--out", "run")
    _, err = said(capsys, "train", *words, *SHORT, "--skip-bad", "--training.epochs", "1")
    assert "2 bad rows left out, the first talks.jsonl:10: the model has never seen" in err
    assert "1 of 9 conversations left out, longer than --training.max-pieces 64" in err


def test_answers_need_a_model_to_begin_with(
    folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    words = ("--objective.kind", "chat", "--data", "talks.jsonl", "--out", "run")
    assert "give --from MODEL to begin with" in refused(capsys, "train", *words)


@pytest.mark.parametrize(
    ("words", "says"),
    [
        ("generate --model gpt -i texts.txt", "texts.txt:2: the model has never seen"),
        ("generate --model gpt -p Zoe", "--prompt: the model has never seen"),
        ("chat --model talker -i texts.txt", "texts.txt:2: the model has never seen"),
        ("chat --model talker -i told.txt", "told.txt:2: the model has never seen"),
        ("chat --model talker -i texts.txt --system Zoe", "--system: the model has never seen"),
        ("heads --model gpt --data texts.txt", "texts.txt:2: the model has never seen"),
        ("heads --model gpt", "the English templates: the model has never seen"),
    ],
)
def test_a_character_that_the_model_lacks_is_said_with_its_place(
    words: str, says: str, folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    made()
    shape = ("--from", "gpt", "--data", "talks.jsonl", "--out", "talker")
    if "talker" in words:
        said(capsys, "train", "--recipe", "chat", *shape, *SHORT)
    Path("texts.txt").write_text("3 and 4?\nZoe?\n", "utf-8")
    Path("told.txt").write_text("3 and 4?\n/system Zoe\n", "utf-8")
    assert main(words.split()) == 2
    assert capsys.readouterr().err.splitlines()[-1].startswith(f"heed: {says} the character")
