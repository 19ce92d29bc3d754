"""`heed inspect` as a person runs it: what it shows, what it writes, every way to ask wrongly."""

import json
from pathlib import Path

import numpy as np
import pytest

from heedful.cli import main
from heedful.inspect import Trace, trace
from heedful.translator import load

CAT = "The cat ate the fish because it was hungry."


@pytest.fixture(scope="module")
def seen() -> Trace:
    return trace(load(), CAT, to="de")


def printed(capsys: pytest.CaptureFixture[str], *words: str) -> str:
    assert main(["inspect", *words]) == 0
    return capsys.readouterr().out


def test_the_overview(capsys: pytest.CaptureFixture[str], seen: Trace) -> None:
    out = printed(capsys, "--to", "de", CAT)
    assert out.splitlines()[:2] == [
        f"source       {CAT}",
        f"translation  {seen.target.text}",
    ]
    for number, step in enumerate(seen.steps()):
        line = next(line for line in out.splitlines() if line.startswith(f"{number:4} "))
        assert line.split()[1:4] == [step.reads, step.predicts, f"{np.exp(step.log_prob):.1%}"]
    assert "no proof" in out


def test_a_word_is_looked_from(capsys: pytest.CaptureFixture[str], seen: Trace) -> None:
    out = printed(capsys, "everyday", CAT, "--to", "de", "--word", "it").splitlines()
    first = seen.looks_at("it")[0]
    word, share = first.words[0]
    assert out[0].startswith('head         looks from "it" at')
    assert out[1].startswith(f"encoder.{first.layer}.{first.head}  {word} {share:.1%}")
    assert len([line for line in out if line.startswith("encoder.")]) == 24


@pytest.mark.parametrize("asked", ["hungrig", "8"])
def test_a_prediction_is_explained(
    capsys: pytest.CaptureFixture[str], seen: Trace, asked: str
) -> None:
    out = printed(capsys, CAT, "--to", "de", "--explain", asked)
    assert out.startswith('what step 8, "▁hungrig", rests on by occlusion')
    scores = seen.attribute(8, "occlusion").source
    for piece, score in zip(seen.source.tokens, scores, strict=True):
        assert any(line.split() == [piece, f"{score:.3f}"] for line in out.splitlines())


def test_changes(capsys: pytest.CaptureFixture[str], seen: Trace) -> None:
    out = printed(capsys, CAT, "--to", "de", "--replace", "hungry=tasty", "--ablate", "cross.0")
    found = seen.what_if(ablate=["cross.0"], replace={"hungry": "tasty"})
    assert f"after   {found.after.target.text}" in out
    assert str(found) in out


def test_a_given_target_and_json(capsys: pytest.CaptureFixture[str]) -> None:
    out = printed(capsys, CAT, "--to", "de", "--target", "Die Katze schläft.", "--json")
    wire = json.loads(out)
    assert wire["forced"]
    assert wire["target"]["text"] == "Die Katze schläft."
    assert [one["kind"] for one in wire["attention"]] == ["encoder", "decoder", "cross"]


def test_files(
    capsys: pytest.CaptureFixture[str], seen: Trace, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    for ending in ("json", "npz"):
        out = printed(capsys, CAT, "--to", "de", "-o", f"seen.{ending}")
        assert f"seen.{ending}: written" in out
    arrays = np.load("seen.npz")
    np.testing.assert_array_equal(arrays["cross"][1, 2], seen.attention("cross", 1, 2))
    assert arrays["source_pieces"].tolist() == list(seen.source.tokens)
    pytest.importorskip("matplotlib")
    for ending, magic in (("svg", b"<?xml"), ("png", b"\x89PNG")):
        printed(capsys, CAT, "--to", "de", "-o", f"seen.{ending}")
        assert Path(f"seen.{ending}").read_bytes().startswith(magic)
    text = Path("seen.svg").read_text("utf-8")
    assert seen.target.text in text
    assert len(list(tmp_path.iterdir())) == 4


@pytest.mark.parametrize(
    ("words", "message"),
    [
        ([], "the sentence is missing"),
        (["a", "b", "c"], "there are too many words"),
        (["--to", "de", ""], "there is nothing to look at"),
        ([CAT], "the model translates into several languages"),
        (["--to", "fr", CAT], 'no language "fr"'),
        (["nobody", CAT], "nobody"),
        (["everyday", CAT, "--model", "everyday"], "the model is named twice"),
        (["--to", "de", CAT, "--word", "dog"], 'there is no word "dog"'),
        (["--to", "de", CAT, "--word", "99"], "there is no word 99"),
        (["--to", "de", CAT, "--explain", "99"], "there is no step 99"),
        (["--to", "de", CAT, "--explain", "Hund"], 'there is no word "Hund"'),
        (["--to", "de", CAT, "--explain", "es", "--method", "magic"], 'no method "magic"'),
        (["--to", "de", CAT, "--ablate", "encoder.9.0"], "there is no layer 9"),
        (["--to", "de", CAT, "--ablate", "encoder"], "write kind.layer.head"),
        (["--to", "de", CAT, "--replace", "hungry"], "write word=other"),
        (["--to", "de", CAT, "--replace", "dog=cat"], 'there is no word "dog"'),
        (["--to", "de", CAT, "--json", "--word", "it"], "--json"),
        (["--to", "de", CAT, "-o", "x.gif"], 'there is no format ".gif"'),
        (["--to", "de", CAT, "-o", "nowhere/x.json"], "cannot be written"),
        (["--to", "de", "word " * 600], "more than the 512"),
        (["--to", "de", CAT, "--beam", "0"], "heed: --beam: input should be greater than or equal"),
        (["--to", "de", CAT, "--replace", "it=he", "it=she"], '"it" is replaced twice'),
        (["--to", "de", CAT, "--kind", "cross"], "--kind: it is for --word"),
        (["--to", "de", CAT, "--method", "rollout"], "--method: it is for --explain"),
        (["--to", "de", CAT, "--replace", "it=he", "--how", "zero"], "--how: it is for --ablate"),
    ],
)
def test_what_cannot_be_done(
    words: list[str],
    message: str,
    capsys: pytest.CaptureFixture[str],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """One sentence on standard error, exit code 2, nothing left behind."""
    monkeypatch.chdir(tmp_path)
    assert main(["inspect", *words]) == 2
    out, err = capsys.readouterr()
    assert message in err
    assert len(err.splitlines()) == 1
    assert not out
    assert not list(tmp_path.iterdir())
