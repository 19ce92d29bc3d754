"""A shortlist gives a sentence's candidates, counts what they cover, and survives being saved."""

import json
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from safetensors.numpy import save, save_file

from heedful.decode import shortlist
from heedful.decode.shortlist import FILE, Coverage, Shortlist
from heedful.errors import ModelError
from heedful.model_folder import load_model, save_model
from heedful.model_header import Languages, add_file
from tests.interop.models import random_model, tokenizer_of

SOURCE, TARGET = 5, 9

list_of_ids = st.lists(st.integers(0, TARGET - 1), max_size=6)
all_lists = st.lists(list_of_ids, min_size=SOURCE, max_size=SOURCE)
sentences = st.lists(st.integers(0, SOURCE - 1), max_size=6)


def shortlist_of(lists: list[list[int]], always: list[int], target_size: int = TARGET) -> Shortlist:
    arrays = [np.array(ids, np.int32) for ids in lists]
    return Shortlist.of(arrays, np.array(always, np.int32), target_size)


@pytest.fixture(scope="module")
def pristine(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("one") / "model"
    tokenizer = tokenizer_of()
    save_model(folder, random_model(tokenizer).model, tokenizer, Languages())
    return folder


@pytest.fixture
def folder(pristine: Path, tmp_path: Path) -> Path:
    """Return a model folder to be changed."""
    return Path(shutil.copytree(pristine, tmp_path / "model"))


@given(lists=all_lists, always=list_of_ids, source=sentences)
def test_candidates(lists: list[list[int]], always: list[int], source: list[int]) -> None:
    """With the kernel and without it."""
    for there in (False, True):
        with pytest.MonkeyPatch.context() as patched:
            patched.setattr(shortlist, "are_ready", lambda there=there: there)
            found = shortlist_of(lists, always).candidates(source)
        assert found.dtype == np.int32
        assert found.tolist() == sorted({*always, *(t for s in source for t in lists[s])})


@pytest.mark.parametrize("there", [False, True])
@pytest.mark.parametrize("piece", [-9, SOURCE])
def test_a_source_piece_that_is_not_known(
    there: bool, piece: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(shortlist, "are_ready", lambda: there)
    with pytest.raises(IndexError):
        shortlist_of([[1]] * SOURCE, [0]).candidates([0, piece])


@given(
    lists=all_lists,
    always=list_of_ids,
    pairs=st.lists(st.tuples(sentences, list_of_ids), max_size=4),
)
def test_coverage(
    lists: list[list[int]], always: list[int], pairs: list[tuple[list[int], list[int]]]
) -> None:
    """Counted once more, piece by piece."""
    covered = pieces = length = 0
    for source, target in pairs:
        known = {*always, *(t for s in source for t in lists[s])}
        length += len(known)
        for piece in target:
            pieces += 1
            covered += piece in known
    by_hand = (covered / pieces if pieces else 1.0, length / len(pairs) if pairs else 0.0)
    assert shortlist_of(lists, always).coverage(pairs) == pytest.approx(Coverage(*by_hand))


@pytest.mark.parametrize(("target_size", "kind"), [(9, np.uint16), (70_000, np.int32)])
def test_a_round_trip_is_exact(folder: Path, target_size: int, kind: Any) -> None:
    highest = target_size - 1
    made = shortlist_of([[], [highest, 3], [], [0, 1, 2], []], [2, highest], target_size)
    made.save(folder)
    found = Shortlist.load(folder)
    assert found is not None
    assert (found.source_size, found.target_size) == (5, target_size)
    for name in ("starts", "targets", "always"):
        assert np.array_equal(getattr(found, name), getattr(made, name))
    assert found.targets.dtype == kind
    assert found.candidates([1, 3]).tolist() == [0, 1, 2, 3, highest]
    load_model(folder)


def test_a_folder_without_one(folder: Path) -> None:
    assert Shortlist.load(folder) is None
    (folder / FILE).write_bytes(b"left by somebody")
    assert Shortlist.load(folder) is None


def test_damage(folder: Path) -> None:
    """Cut off, altered or gone, it is refused; translating without it goes on."""
    shortlist_of([[1]] * SOURCE, [2]).save(folder)
    path = folder / FILE
    whole = path.read_bytes()
    for content, problem in (
        (whole[:-1], "bytes where config.json says"),
        (whole[:-1] + b"x", "SHA-256 differs"),
        (None, "the file is missing"),
    ):
        path.unlink()
        if content is not None:
            path.write_bytes(content)
        with pytest.raises(ModelError, match=problem) as caught:
            Shortlist.load(folder)
        assert str(path) in str(caught.value)
        load_model(folder)


GOOD = {
    "starts": np.array([0, 1, 2], np.int32),
    "targets": np.array([1, 2], np.uint16),
    "always": np.array([2], np.int32),
}
HEADER = {"format": "heedful-shortlist", "version": 1, "target_size": 3}


@pytest.mark.parametrize(
    ("tensors", "header", "problem"),
    [
        ({}, {"version": 2}, "format version 2 is not known here"),
        ({}, {"format": "other"}, "is not known here"),
        ({}, {"target_size": 2}, "a piece is not of the vocabulary"),
        ({"always": np.array([-1], np.int32)}, {}, "a piece is not of the vocabulary"),
        ({"starts": np.array([0, 2, 1], np.int32)}, {}, "do not fit together"),
        ({"starts": np.array([0, 3, 2], np.int32)}, {}, "do not fit together"),
        ({"starts": np.array([1, 1, 2], np.int32)}, {}, "do not fit together"),
        ({"starts": np.array([], np.int32)}, {}, "do not fit together"),
        ({"targets": np.array([[1, 2]], np.uint16)}, {}, "of another shape"),
        ({"targets": np.array([1, 2], np.float32)}, {}, "of another type"),
        ({"starts": np.array([0, 1, 2], np.int64)}, {}, "of another type"),
    ],
)
def test_what_does_not_fit(
    folder: Path, tensors: dict[str, Any], header: dict[str, Any], problem: str
) -> None:
    add_file(folder, FILE, save(GOOD | tensors, {"shortlist": json.dumps(HEADER | header)}))
    with pytest.raises(ModelError, match=problem) as caught:
        Shortlist.load(folder)
    assert str(caught.value).endswith("learn it again: heed shortlist")


@pytest.mark.parametrize("content", [b"", b"no safetensors", b"{}" * 100])
def test_no_safetensors(folder: Path, content: bytes) -> None:
    add_file(folder, FILE, content)
    with pytest.raises(ModelError, match="this shortlist cannot be used"):
        Shortlist.load(folder)


def test_no_header(folder: Path, tmp_path: Path) -> None:
    save_file(GOOD, tmp_path / "bare")
    add_file(folder, FILE, (tmp_path / "bare").read_bytes())
    with pytest.raises(ModelError, match="this shortlist cannot be used"):
        Shortlist.load(folder)
