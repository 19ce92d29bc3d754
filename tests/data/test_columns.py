"""Columns are the same in memory and in a file, and parts bring equal keys together."""

import errno
from collections.abc import Iterator
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from heedful.data import columns
from heedful.data.columns import Column, blocks, by_key, first_marked, zeros
from heedful.errors import OutputError


@pytest.fixture(scope="module", params=[2**22, 4], autouse=True)
def rows_at_once(request: pytest.FixtureRequest) -> Iterator[int]:
    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(columns, "ROWS_AT_ONCE", request.param)
        yield request.param


@pytest.mark.parametrize("in_memory", [0, 24, 2**24])
def test_what_is_appended_comes_back(
    in_memory: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(columns, "IN_MEMORY", in_memory)
    column = Column(np.uint32, tmp_path)
    for start in range(0, 40, 4):
        column.append(np.arange(start, start + 4, dtype=np.uint32).tobytes())
    assert column.finish().tolist() == list(range(40))
    assert not list(tmp_path.iterdir())


def test_an_empty_column(tmp_path: Path) -> None:
    assert Column(np.bool_, tmp_path).finish().tolist() == []


@pytest.mark.parametrize("in_memory", [0, 2**24])
@pytest.mark.parametrize("reserving", [False, True])
def test_zeros_can_be_written_to(
    in_memory: int, reserving: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(columns, "IN_MEMORY", in_memory)
    if not reserving:  # as where the system cannot
        monkeypatch.delattr(columns.os, "posix_fallocate", raising=False)
    found = zeros(5, np.uint8, tmp_path)
    found[2] |= 3
    assert found.tolist() == [0, 0, 3, 0, 0]


def test_a_full_disk_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(**_: object) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(columns, "IN_MEMORY", 0)
    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(columns.os, "posix_fallocate", lambda *_: full())
        with pytest.raises(OutputError, match=r"No space left on device.*make room"):
            zeros(1, np.uint8, tmp_path)
    monkeypatch.setattr(columns.tempfile, "TemporaryFile", full)
    with pytest.raises(OutputError, match=r"No space left on device.*make room"):
        Column(np.uint8, tmp_path).append(b"x")
    with pytest.raises(OutputError, match=str(tmp_path)):
        zeros(1, np.uint8, tmp_path)


@given(rows=st.integers(0, 40))
def test_blocks_cover_all_rows(rows: int) -> None:
    assert [row for block in blocks(rows) for row in range(rows)[block]] == list(range(rows))


@given(numbers=st.lists(st.integers(0, 2**64 - 1) | st.sampled_from([0, 2**63, 2**64 - 1])))
def test_equal_keys_meet_in_one_part(numbers: list[int]) -> None:
    keys = np.array(numbers, np.uint64)
    parts = [
        (rows.tolist(), found.tolist())
        for rows, found in by_key(len(keys), lambda block: keys[block])
    ]
    assert sorted(row for rows, _ in parts for row in rows) == list(range(len(numbers)))
    for rows, found in parts:
        assert rows == sorted(rows)
        assert found == [numbers[row] for row in rows]
    seen: list[set[int]] = [set(found) for _, found in parts if found]
    for lower, higher in pairwise(seen):
        assert max(lower) < min(higher)


@given(numbers=st.lists(st.integers(0, 2**64 - 1)), data=st.data())
def test_only_wanted_rows_are_divided(numbers: list[int], data: st.DataObject) -> None:
    count = len(numbers)
    wanted = np.array(data.draw(st.lists(st.booleans(), min_size=count, max_size=count)), np.bool_)
    keys = np.array(numbers, np.uint64)
    parts = by_key(count, lambda block: keys[block], lambda block: wanted[block])
    found = sorted(row for rows, _ in parts for row in rows.tolist())
    assert found == np.flatnonzero(wanted).tolist()


@given(marks=st.lists(st.booleans()), count=st.integers(1, 4))
def test_first_marked(marks: list[bool], count: int) -> None:
    expected = [row for row, mark in enumerate(marks) if mark][:count]
    assert first_marked(np.array(marks, np.bool_), count) == expected
