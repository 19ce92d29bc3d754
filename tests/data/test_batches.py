"""Batches hold every row once, keep their budget, waste little, and repeat by (seed, epoch)."""

import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from heedful.data import columns
from heedful.data.batches import Batch, BatchPlan, _cut
from heedful.data.store import TokenStore
from heedful.errors import DataError
from heedful.progress import Progress
from heedful.text.tokenizer import BPE, Tokenizer


class Rows:
    """A stand-in for a store: rows of these lengths, with ids that tell row and place."""

    def __init__(self, lengths: list[tuple[int, int]]) -> None:
        self._lengths = np.array(lengths, np.int64).reshape(-1, 2)

    def lengths(self) -> tuple[np.ndarray, np.ndarray]:
        return self._lengths[:, 0], self._lengths[:, 1]

    def source(self, row: int) -> np.ndarray:
        length = self._lengths[row, 0]
        return np.array([*range(4 + row, 3 + row + length), 2], np.uint16)

    def target(self, row: int) -> np.ndarray:
        length = self._lengths[row, 1]
        return np.array([*range(40 + row, 39 + row + length), 2], np.uint16)

    def padded(self, side: int, rows: np.ndarray, width: int) -> np.ndarray:
        found = np.zeros((len(rows), width), np.int64)
        for into, row in zip(found, rows.tolist(), strict=True):
            ids = (self.source, self.target)[side](row)
            into[: len(ids)] = ids
        return found


lengths = st.lists(st.tuples(st.integers(1, 30), st.integers(1, 30)), max_size=120)


def likely_lengths(rows: int) -> list[tuple[int, int]]:
    """Lengths as sentences have them: long-tailed, the two sides much alike."""
    random = np.random.default_rng(5)
    source = np.clip(random.gamma(4, 4, rows), 2, 100)
    target = np.clip(source * random.normal(1.1, 0.12, rows), 2, 120)
    return list(zip(source.astype(int).tolist(), target.astype(int).tolist(), strict=True))


@pytest.mark.parametrize("at_once", [2**22, 50])
@settings(deadline=None)
@given(lengths=lengths, budget=st.integers(30, 500), seed=st.integers(0, 9))
def test_every_row_is_in_one_batch_and_budgets_are_kept(
    lengths: list[tuple[int, int]], budget: int, seed: int, at_once: int
) -> None:
    """Also where only some rows at a time are sorted, as of more than memory can sort."""
    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(columns, "ROWS_AT_ONCE", at_once)
        batches = BatchPlan(Rows(lengths), budget, seed).epoch(3)
    assert sorted(row for batch in batches for row in batch) == list(range(len(lengths)))
    for batch in batches:
        assert len(batch)
        assert len(batch) * max(max(lengths[row]) for row in batch) <= budget


@given(
    longer=st.lists(st.integers(1, 20), min_size=1, max_size=60).map(sorted),
    budget=st.integers(1, 200),
    data=st.data(),
)
def test_a_cut_takes_all_that_fits(longer: list[int], budget: int, data: st.DataObject) -> None:
    start = data.draw(st.integers(0, len(longer) - 1))
    end = start + 1
    while end < len(longer) and longer[end] * (end + 1 - start) <= budget:
        end += 1
    assert _cut(np.array(longer), start, budget) == end


def as_sets(batches: list[np.ndarray]) -> set[frozenset[int]]:
    return {frozenset(batch.tolist()) for batch in batches}


def test_epochs_and_seeds_differ_and_repeat() -> None:
    rows = Rows(likely_lengths(3000))
    first = BatchPlan(rows, 1000, seed=1).epoch(0)
    again = BatchPlan(rows, 1000, seed=1).epoch(0)
    assert [batch.tolist() for batch in first] == [batch.tolist() for batch in again]
    for other in (BatchPlan(rows, 1000, 1).epoch(1), BatchPlan(rows, 1000, 2).epoch(0)):
        common = as_sets(first) & as_sets(other)
        assert len(common) < 0.1 * len(first)


def test_short_and_long_batches_come_mixed() -> None:
    plan = BatchPlan(Rows(likely_lengths(3000)), 1000, seed=1)
    longest = [int(plan._longer[batch].max()) for batch in plan.epoch(0)]
    assert longest not in (sorted(longest), sorted(longest, reverse=True))


def test_another_process_makes_the_same_batches(tmp_path: Path) -> None:
    pairs = [(f"{'a' * (n % 17)}", f"{'b' * (n % 13)}") for n in range(200)]
    tokenizer = Tokenizer.train(lambda: pairs, BPE(vocabulary_size=262))
    store = TokenStore.build(
        tmp_path / "store", pairs, tokenizer, [(0, None)], 99, Progress(quiet=True)
    )
    code = (
        "import sys, pathlib; from heedful.data.batches import BatchPlan;"
        "from heedful.data.store import TokenStore;"
        "store = TokenStore.open(pathlib.Path(sys.argv[1]));"
        "print([rows.tolist() for rows in BatchPlan(store, 90, 7).epoch(2)])"
    )
    command = [sys.executable, "-c", code, str(tmp_path / "store")]
    out = subprocess.run(command, check=True, capture_output=True, text=True).stdout
    assert out.strip() == str([rows.tolist() for rows in BatchPlan(store, 90, 7).epoch(2)])


def test_likely_lengths_fill_the_batches() -> None:
    plan = BatchPlan(Rows(likely_lengths(100_000)), 4096, seed=1)
    batches = plan.epoch(0)
    assert plan.fill(batches) > 0.97
    full = [len(batch) * plan._longer[batch].max() / 4096 for batch in batches]
    assert np.mean(full) > 0.97


def test_real_captions_fill_the_batches(data_folder: Path, tmp_path: Path) -> None:
    folder = data_folder / "multi30k"
    if not folder.is_dir():
        pytest.skip(f"{folder} is absent")
    sides = [(folder / f"train.{side}").read_text("utf-8").split("\n") for side in ("en", "de")]
    pairs = list(zip(*sides, strict=True))[:-1]
    tokenizer = Tokenizer.train(lambda: pairs, BPE())
    quiet = Progress(quiet=True)
    store = TokenStore.build(tmp_path / "store", pairs, tokenizer, [(0, None)], 250, quiet)
    assert (len(store), store.too_long) == (29_000, 0)
    plan = BatchPlan(store, 4096, seed=1)
    assert plan.fill(plan.epoch(0)) > 0.96


def test_fill_counts_the_padding_of_both_sides() -> None:
    plan = BatchPlan(Rows([(1, 4), (3, 4), (5, 1)]), 100, seed=0)
    assert plan.fill([np.array([0, 1])]) == pytest.approx((1 + 3 + 4 + 4) / (2 * 3 + 2 * 4))
    assert plan.fill([np.array([0, 1]), np.array([2])]) == pytest.approx(18 / 20)
    assert plan.fill([]) == 1.0


@settings(deadline=None)
@given(lengths=lengths)
def test_tensors_are_padded_and_shifted(lengths: list[tuple[int, int]]) -> None:
    assume(lengths)
    rows = Rows(lengths)
    batch = BatchPlan(rows, 30, seed=0).batch(range(len(lengths)))
    longest_source, longest_target = (max(side) for side in zip(*lengths, strict=True))
    for number, (source, target) in enumerate(lengths):
        source_ids = rows.source(number).tolist()
        target_ids = rows.target(number).tolist()
        left = longest_source - source
        assert batch.source[number].tolist() == source_ids + [0] * left
        assert batch.source_mask[number].tolist() == [True] * source + [False] * left
        left = longest_target - target
        assert batch.target_out[number].tolist() == target_ids + [0] * left
        assert batch.target_in[number].tolist() == [1, *target_ids[:-1]] + [0] * left
        assert batch.target_mask[number].tolist() == [True] * target + [False] * left
    assert batch.n_source == sum(source for source, _ in lengths)
    assert batch.n_target == sum(target for _, target in lengths)
    assert {batch.source.dtype, batch.target_in.dtype, batch.target_out.dtype} == {torch.int64}


def test_a_batch_moves_to_a_device() -> None:
    batch = BatchPlan(Rows([(2, 3), (4, 1)]), 30, seed=0).batch([0, 1])
    moved = batch.to("meta")
    assert {moved.source.device.type, moved.target_in.device.type} == {"meta"}
    assert moved.target_out.shape == batch.target_out.shape
    assert (moved.n_source, moved.n_target) == (6, 4)


def test_a_sentence_longer_than_a_batch_is_named() -> None:
    with pytest.raises(DataError, match=r"31 pieces.*allow at least 31 tokens"):
        BatchPlan(Rows([(5, 31), (3, 3)]), 30, seed=0)
    assert len(BatchPlan(Rows([(5, 30), (3, 3)]), 30, seed=0).epoch(0)) == 2


def test_no_rows_make_no_batches() -> None:
    assert BatchPlan(Rows([]), 30, seed=0).epoch(0) == []


@pytest.mark.parametrize("parts", [1, 2, 3, 5])
def test_the_parts_of_a_batch_are_its_rows(parts: int) -> None:
    """In order, none lost, each trimmed to its own longest row, with counts that add up."""
    source = torch.tensor([[5, 6, 2, 0], [7, 2, 0, 0], [5, 5, 5, 2], [9, 2, 0, 0], [2, 0, 0, 0]])
    target_out = torch.tensor([[4, 2, 0], [4, 4, 2], [2, 0, 0], [8, 2, 0], [7, 7, 2]])
    target_in = torch.tensor([[1, 4, 0], [1, 4, 4], [1, 0, 0], [1, 8, 0], [1, 7, 7]])
    whole = Batch(source, target_in, target_out, n_source=12, n_target=11)
    found = whole.split(parts)
    assert len(found) == parts
    assert sum(part.n_source for part in found) == 12
    assert sum(part.n_target for part in found) == 11
    for name in ("source", "target_in", "target_out"):
        sides = [getattr(part, name) for part in found]
        width = getattr(whole, name).shape[1]
        padded = [torch.nn.functional.pad(side, (0, width - side.shape[1])) for side in sides]
        assert torch.equal(torch.cat(padded), getattr(whole, name))
    if parts > 1:
        for part in found:
            assert part.source[:, -1].any()
            assert part.target_out[:, -1].any()
            assert part.source.shape[0] == part.rows


@pytest.mark.parametrize("multiple", [4, 8])
def test_lengths_are_padded_to_a_multiple(multiple: int) -> None:
    """Every row once, no batch over the budget, all widths multiples."""
    store = Rows([(n % 13 + 1, n % 7 + 1) for n in range(60)])
    plan = BatchPlan(store, 64, 3, multiple=multiple)
    rows = [int(row) for batch in plan.epoch(0) for row in batch]
    assert sorted(rows) == list(range(60))
    for chosen in plan.epoch(0):
        batch = plan.batch(chosen)
        widths = batch.source.shape[1], batch.target_in.shape[1]
        assert all(width % multiple == 0 or width == 13 for width in widths)
        assert batch.rows * max(widths) <= 64
        assert batch.n_source == int((batch.source != 0).sum())
