"""Perplexity of a text: transformers' loss with the same weights on the same windows."""

import math
from pathlib import Path

import pytest
import torch

from heedful.errors import DataError, SettingError
from heedful.interop.writers import load_writer
from heedful.perplexity import measure
from heedful.progress import Progress
from tests.interop.folders import make_folder

QUIET = Progress(quiet=True)
TEXT = "once upon a time the cat sat on the mat, and Zoë ate 猫 fish\n" * 12


@pytest.mark.parametrize("stride", [None, 48, 20, 1])
def test_it_is_transformers_loss(tmp_path: Path, stride: int | None) -> None:
    """Each window's labels are those that no window before it has foretold."""
    transformers = pytest.importorskip("transformers")
    folder = make_folder(tmp_path / "gpt2")
    (tmp_path / "a.txt").write_text(TEXT, "utf-8")
    writer = load_writer(folder)
    theirs = transformers.GPT2LMHeadModel.from_pretrained(folder).eval()
    ids = torch.tensor([writer.begin_id, *writer.vocabulary.encode(TEXT)])
    context, step = 48, stride or 48
    total, told = 0.0, 0
    for start in range(0, len(ids), step):
        window = ids[start : start + context + 1]
        labels = window[1:].clone()
        labels[: max(0, told - start)] = -100
        with torch.inference_mode():
            logits = theirs(window[None, :-1]).logits[0]
        loss = torch.nn.functional.cross_entropy(logits, labels, reduction="sum")
        total, told = total + float(loss), start + len(window) - 1
        if told == len(ids) - 1:
            break
    found = measure(writer, str(tmp_path / "a.txt"), stride, QUIET)
    assert found.pieces == len(ids) - 1
    assert found.nll == pytest.approx(total, rel=1e-5)
    json = found.to_json()
    assert json["perplexity"] == pytest.approx(math.exp(total / found.pieces), rel=1e-4)
    assert json["bits_per_byte"] == pytest.approx(
        total / math.log(2) / len(TEXT.encode()), rel=1e-4
    )
    assert json["character_perplexity"] == pytest.approx(math.exp(total / len(TEXT)), rel=1e-4)


@pytest.mark.parametrize("length", [1, 30, 49, 97])
def test_a_text_of_any_length_is_foretold_once(tmp_path: Path, length: int) -> None:
    writer = load_writer(make_folder(tmp_path / "gpt2"))
    (tmp_path / "a.txt").write_text("ab" * length, "utf-8")
    every = len(writer.vocabulary.encode("ab" * length))
    for stride in (None, 7, 48):
        assert measure(writer, str(tmp_path / "a.txt"), stride, QUIET).pieces == every


def test_what_does_not_fit_is_refused(tmp_path: Path) -> None:
    writer = load_writer(make_folder(tmp_path / "gpt2"))
    (tmp_path / "a.txt").write_text("a", "utf-8")
    for stride in (0, 49):
        with pytest.raises(SettingError, match=f"{stride} is not from 1 to the context, 48"):
            measure(writer, str(tmp_path / "a.txt"), stride, QUIET)
    writer.begin_id = None
    with pytest.raises(DataError, match="no piece to foretell"):
        measure(writer, str(tmp_path / "a.txt"), None, QUIET)
