"""An encoder on disk: it comes back as it was, and whatever is amiss with its folder is said."""

import json
from pathlib import Path

import numpy as np
import pytest
import torch

from heedful.errors import ModelError, OutputError
from heedful.interop.encoders import open_reader
from heedful.model_folder import load_model
from heedful.models.bert_heads import Labels
from heedful.reader import Cut, Reader, Sentences
from heedful.reader_folder import load_reader, save_reader
from tests.interop.readers import make_reader


@pytest.fixture
def reader(tmp_path: Path) -> Reader:
    found = open_reader(make_reader(tmp_path / "hf", "BertForSequenceClassification"))
    found.sentences = Sentences(max_length=12, pooling="max", normalised=False)
    return found


def test_it_comes_back_as_it_was(reader: Reader, tmp_path: Path) -> None:
    save_reader(tmp_path / "model", reader, "a card")
    again = load_reader(tmp_path / "model")
    assert again.model.config == reader.model.config
    assert isinstance(again.model.config.head, Labels)
    assert again.sentences == reader.sentences
    assert (tmp_path / "model" / "README.md").read_text() == "a card"
    texts = ["the cat", "a very good dog sat on the mat and so on", ""]
    one, other = Cut(12), Cut(12)
    np.testing.assert_array_equal(again.embed(texts, one), reader.embed(texts, other))
    assert one.said() == other.said() != ""
    np.testing.assert_array_equal(again.classify(texts), reader.classify(texts))


@pytest.mark.parametrize("name", ["model.safetensors", "tokenizer.json"])
def test_a_damaged_file_is_said(name: str, reader: Reader, tmp_path: Path) -> None:
    save_reader(tmp_path / "model", reader)
    path = tmp_path / "model" / name
    content = bytearray(path.read_bytes())
    content[-2] ^= 1
    path.write_bytes(content)
    with pytest.raises(ModelError, match=f"{name}: the file's content has changed"):
        load_reader(tmp_path / "model")
    path.unlink()
    with pytest.raises(ModelError, match=f"{name}: the file is missing"):
        load_reader(tmp_path / "model")


@pytest.mark.parametrize(
    ("key", "value", "sentence"),
    [
        ("vocabulary_size", 47, "it has a piece 47 and the model knows 47 pieces"),
        ("vocabulary_size", 0, "vocabulary_size: Input should be greater"),
        ("pooling", "last", "pooling: Input should be 'mean', 'first' or 'max'"),
        ("version", 9, "format version 9 is not known here"),
        ("odd", 1, "odd: Extra inputs are not permitted"),
    ],
)
def test_settings_that_are_wrong(
    key: str, value: object, sentence: str, reader: Reader, tmp_path: Path
) -> None:
    save_reader(tmp_path / "model", reader)
    path = tmp_path / "model" / "config.json"
    path.write_text(json.dumps(json.loads(path.read_text()) | {key: value}))
    with pytest.raises(ModelError, match=sentence):
        load_reader(tmp_path / "model")


def test_shapes_that_are_wrong_are_said_before_anything_is_made(
    reader: Reader, tmp_path: Path
) -> None:
    save_reader(tmp_path / "model", reader)
    path = tmp_path / "model" / "config.json"
    data = json.loads(path.read_text())
    data["model"]["d_ff"] = 1_000_000
    path.write_text(json.dumps(data))
    with pytest.raises(ModelError, match="where the settings and the tokenizer need"):
        load_reader(tmp_path / "model")


def test_it_is_no_translator(reader: Reader, tmp_path: Path) -> None:
    save_reader(tmp_path / "model", reader)
    with pytest.raises(ModelError, match="this model reads texts and writes none; ask it"):
        load_model(tmp_path / "model")


def test_something_else_of_that_name_stays(reader: Reader, tmp_path: Path) -> None:
    (tmp_path / "model").mkdir()
    (tmp_path / "model" / "thesis.txt").write_text("years of work")
    with pytest.raises(OutputError, match="there is something else than a model of that name"):
        save_reader(tmp_path / "model", reader)
    assert (tmp_path / "model" / "thesis.txt").read_text() == "years of work"


def test_a_run_folder_stands_for_the_model_in_it(reader: Reader, tmp_path: Path) -> None:
    save_reader(tmp_path / "run" / "model", reader)
    again = open_reader(tmp_path / "run")
    assert torch.equal(again.model.words.weight, reader.model.words.weight)
