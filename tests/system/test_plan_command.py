"""`heed plan` on the command line."""

import json
from typing import Any

import pytest

from heedful.cli import main


def test_the_papers_models(capsys: Any) -> None:
    for name, estimate, share in (("base", "3.3e+18", "29%"), ("big", "2.3e+19", "42%")):
        assert main(["plan", f"paper-{name}", "--gpus", "8", "--gpu", "p100"]) == 0
        said = capsys.readouterr().out
        assert f"= {estimate} FLOP (Table 2)" in said
        assert f"{share} of that rate was used" in said
        assert "Assumed:" in said
        assert "4,096" in said


def test_another_model_is_not_the_papers(capsys: Any) -> None:
    given = ["plan", "paper-base", "--training.max-steps", "10", "--model.encoder-layers", "1"]
    assert main(given) == 0
    assert "Table 2" not in capsys.readouterr().out


def test_json_and_settings(capsys: Any) -> None:
    """A setting changes what is reckoned; a corpus of twice the size takes twice the days."""
    given = ["plan", "small", "--json", "--gpu", "h100", "--gpus", "3"]
    found = []
    for more in (["--corpus-tokens", "1e9"], ["--corpus-tokens", "2e9", "--model.d-ff", "2048"]):
        assert main([*given, *more]) == 0
        found.append(json.loads(capsys.readouterr().out))
    assert found[1]["weights"] > found[0]["weights"]
    assert found[1]["flops"] > 2 * found[0]["flops"]
    row = next(row for row in found[0]["speed"] if row["gpus"] == 3)
    assert row["ddp"]["days"] * row["ddp"]["tokens_per_second"] * 86_400 == pytest.approx(1e9)
    assert set(found[0]["memory"]["fsdp"]) == {
        "weights",
        "gradients",
        "optimizer",
        "activations",
        "logits",
    }


def test_what_does_not_fit_is_said(capsys: Any) -> None:
    assert main(["plan", "paper-big", "--gpu", "p100", "--gpu-tokens", "100000"]) == 0
    assert "ddp: does not fit; lower --gpu-tokens" in capsys.readouterr().out


def test_measured(capsys: Any) -> None:
    given = ["--model.d-model", "32", "--model.d-ff", "32", "--gpu-tokens", "100"]
    assert main(["plan", "tiny", "--measure", "--device", "cpu", *given]) == 0
    said = capsys.readouterr().out
    share = said.partition("GFLOP/s in whole steps, ")[2].partition(" of its matrix rate")[0]
    assert "this machine (cpu): " in said
    assert f"steps reach {share} of that rate (measured on this machine)" in said


@pytest.mark.parametrize(
    ("words", "said"),
    [
        ("paper-bsae", 'did you mean "paper-base"?'),
        ("--gpu h20", '--gpu: no figures are known for "h20"; did you mean "h200"?'),
        ("--gpus 0", "--gpus: 0 is too few; give 1 or more"),
        ("--utilisation 1.5", "--utilisation: this is no share; give 0.01 to 1"),
        ("--corpus-tokens -1", "--corpus-tokens: this is no amount"),
        ("--corpus-tokens nan", "--corpus-tokens: "),
        ("tiny --length 300", "--length: the model knows sentences of 256 pieces at most"),
        ("--training.batch-tokens auto", "--training.batch-tokens: auto is not known yet"),
        ("--model.n-heads 7", "n_heads 7"),
    ],
)
def test_bad_input(words: str, said: str, capsys: Any) -> None:
    assert main(["plan", *words.split()]) == 2
    found = capsys.readouterr()
    assert (found.out, found.err.count("\n")) == ("", 1)
    assert said in found.err
