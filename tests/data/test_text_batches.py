"""Windows of a stream: contiguous, each piece once an epoch, the same by (seed, epoch)."""

from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from heedful.data.stream import Stream
from heedful.data.text_batches import UNASKED, TextBatch, WindowPlan, every_window
from heedful.errors import DataError, OutputError
from heedful.text.pieces import UNKNOWN


def stream(count: int) -> Stream:
    """Return ids that tell their place."""
    return Stream(np.arange(10, 10 + count, dtype=np.uint32), "", 0)


@given(st.integers(2, 300), st.integers(1, 20), st.integers(1, 7), st.integers(0, 5))
def test_an_epoch_has_each_window_once(pieces: int, window: int, rows: int, epoch: int) -> None:
    if pieces <= window:
        with pytest.raises(DataError, match="needs one more"):
            WindowPlan(stream(pieces), window, rows, seed=3)
        return
    plan = WindowPlan(stream(pieces), window, rows, seed=3)
    batches = plan.epoch(epoch)
    again = WindowPlan(stream(pieces), window, rows, seed=3).epoch(epoch)
    assert [one.tolist() for one in again] == [one.tolist() for one in batches]
    places = np.sort(np.concatenate(batches))
    assert (np.diff(places) % window == 0).all()
    assert len(set(places.tolist())) == len(places)
    assert places[0] >= 0
    assert places[-1] + window < pieces
    first = int(places[0]) % window
    every = every_window(pieces, window, first)
    assert set(places.tolist()) <= set(every.tolist())
    if len(batches[0]) == rows:
        assert {len(one) for one in batches} == {rows}
        assert len(every) - len(places) < rows + (first == 0)
    for one in batches:
        batch = plan.batch(one)
        assert batch.target_in.tolist() == [list(range(10 + p, 10 + p + window)) for p in one]
        assert torch.equal(batch.target_out, batch.target_in + 1)
        assert batch.n_target == batch.target_out.numel()


def test_epochs_and_seeds_differ() -> None:
    plans = [WindowPlan(stream(2000), 16, 4, seed) for seed in (1, 2)]
    orders = [np.concatenate(plan.epoch(n)).tolist() for plan in plans for n in (0, 1)]
    assert len({tuple(order) for order in orders}) == 4


def test_unknown_pieces_are_read_and_not_predicted() -> None:
    ids = np.array([5, UNKNOWN, 6, 7, UNKNOWN, 8, 9], np.uint16)
    batch = WindowPlan(Stream(ids, "", 2), 3, 2, 1).batch([0, 3])
    assert batch.target_in.tolist() == [[5, UNKNOWN, 6], [7, UNKNOWN, 8]]
    assert batch.target_out.tolist() == [[UNASKED, 6, 7], [UNASKED, 8, 9]]
    assert batch.n_target == 4


@given(st.integers(1, 9), st.integers(1, 9))
def test_a_batch_is_divided_by_rows(rows: int, parts: int) -> None:
    ids = torch.arange(rows * 3).view(rows, 3)
    answers = torch.where(ids % 2 == 1, ids, UNASKED)
    batch = TextBatch(ids, answers, int((answers >= 0).sum()))
    some = batch.split(min(parts, rows))
    assert torch.equal(torch.cat([one.target_in for one in some]), ids)
    assert sum(one.n_target for one in some) == batch.n_target
    assert max(one.rows for one in some) - min(one.rows for one in some) <= 1


def test_a_stream_is_built_once_and_mapped(tmp_path: Path) -> None:
    parts = [np.array([4, 3, 9]), np.array([3, 70_000])]
    built = Stream.build(tmp_path / "s", parts, 70_001, UNKNOWN, "a text")
    assert (built.ids.tolist(), built.unknown, len(built)) == ([4, 3, 9, 3, 70_000], 2, 5)
    before = (tmp_path / "s" / "ids.bin").stat().st_mtime_ns
    assert len(Stream.build(tmp_path / "s", [], 70_001, UNKNOWN, "a text")) == 5
    assert (tmp_path / "s" / "ids.bin").stat().st_mtime_ns == before
    other = Stream.build(tmp_path / "s", [np.array([7])], 300, UNKNOWN, "another")
    assert (other.ids.tolist(), other.ids.dtype) == ([7], np.uint16)
    assert not (tmp_path / "s.new").exists()


@pytest.mark.parametrize("change", [b"", b"\1", b"\xff\xff" * 3])
def test_a_damaged_stream_is_refused(tmp_path: Path, change: bytes) -> None:
    Stream.build(tmp_path / "s", [np.array([4, 5, 6])], 10, UNKNOWN, "x")
    (tmp_path / "s" / "ids.bin").write_bytes(change)
    with pytest.raises(DataError, match="damaged"):
        Stream.open(tmp_path / "s")


def test_what_is_no_stream_is_not_overwritten(tmp_path: Path) -> None:
    (tmp_path / "s").mkdir()
    (tmp_path / "s" / "letter.txt").write_text("dear")
    with pytest.raises(OutputError, match="will not be overwritten"):
        Stream.build(tmp_path / "s", [np.array([4])], 10, UNKNOWN, "x")
