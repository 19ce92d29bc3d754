"""A further file in a model folder: in the manifest like the others, and never half there."""

import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from heedful.errors import ModelError, OutputError
from heedful.model_folder import load_model, save_model
from heedful.model_header import Languages, add_file, added_file
from tests.interop.models import random_model, tokenizer_of

NAME = "more.bin"


@pytest.fixture(scope="module")
def pristine(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("one") / "model"
    tokenizer = tokenizer_of()
    model = random_model(tokenizer).model
    save_model(folder, model, tokenizer, Languages(), added={NAME: b"first"})
    return folder


@pytest.fixture
def folder(pristine: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(pristine, tmp_path / "model"))


def content(folder: Path) -> bytes | None:
    found = added_file(folder, NAME)
    return None if found is None else found.read_bytes()


def names(folder: Path) -> set[str]:
    return {path.name for path in folder.iterdir()}


def test_saved_with_the_model(folder: Path) -> None:
    assert content(folder) == b"first"
    assert names(folder) == {
        NAME,
        "README.md",
        "config.json",
        "model.safetensors",
        "tokenizer.json",
    }
    assert added_file(folder, "other.bin") is None
    load_model(folder)


def test_added_and_replaced(folder: Path) -> None:
    before = json.loads((folder / "config.json").read_text("utf-8"))
    add_file(folder, "other.bin", b"x" * 1000)
    add_file(folder, NAME, b"second")
    assert content(folder) == b"second"
    assert (added_file(folder, "other.bin") or folder).read_bytes() == b"x" * 1000
    after = json.loads((folder / "config.json").read_text("utf-8"))
    del before["files"][NAME], after["files"][NAME], after["files"]["other.bin"]
    assert before == after
    load_model(folder)
    assert not [name for name in names(folder) if name.startswith(".")]


def test_the_next_model_of_that_name_has_none(folder: Path) -> None:
    """It was made for the older one."""
    loaded = load_model(folder)
    save_model(folder, loaded.model, loaded.tokenizer, Languages())
    assert content(folder) is None
    assert NAME not in names(folder)


@pytest.mark.parametrize("new", [True, False])
@pytest.mark.parametrize("failing", [0, 1, 2])
def test_cut_off_anywhere(
    folder: Path, new: bool, failing: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The model can be used, the file is the older one, the newer one or not there."""
    if new:
        loaded = load_model(folder)
        save_model(folder, loaded.model, loaded.tokenizer, Languages())
    renames = iter(range(10))
    replace: Callable[[Path, Any], Path] = Path.replace

    def failing_replace(path: Path, target: Any) -> Path:
        if next(renames) == failing:
            raise OSError(28, "No space left on device")
        return replace(path, target)

    monkeypatch.setattr(Path, "replace", failing_replace)
    if new and failing == 2:
        add_file(folder, NAME, b"second")  # two renames are enough
    else:
        with pytest.raises(
            OutputError, match=r"more.bin cannot be written \(No space left"
        ) as failed:
            add_file(folder, NAME, b"second")
        assert str(folder) in str(failed.value)
    monkeypatch.undo()
    load_model(folder)
    allowed = [b"second"] if new and failing == 2 else [None] if new or failing else [b"first"]
    assert content(folder) in allowed
    assert not [name for name in names(folder) if name.startswith(".")]
    add_file(folder, NAME, b"third")
    assert content(folder) == b"third"


def test_no_model_there(tmp_path: Path) -> None:
    with pytest.raises(ModelError, match="not a model folder"):
        add_file(tmp_path, NAME, b"x")
    assert list(tmp_path.iterdir()) == []


def test_a_folder_in_its_place(folder: Path) -> None:
    (folder / NAME).unlink()
    (folder / NAME).mkdir()
    with pytest.raises(OutputError, match="cannot be written"):
        add_file(folder, NAME, b"x")
    load_model(folder)
