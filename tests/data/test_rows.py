"""Rows for an encoder: every row once, hardly any padding, masks as the paper says."""

from collections import Counter

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from heedful.data.rows import Masking, RowPlan, RowStore
from heedful.text.wordpiece import Framed, WordPieces
from tests.interop.readers import vocabulary, words

PIECES = WordPieces(vocabulary(), "test")
CLS, SEP = words().index("[CLS]"), words().index("[SEP]")


def store_of(lengths: list[int], pairs: bool = False) -> RowStore:
    store = RowStore(np.int64)
    for number, length in enumerate(lengths):
        body = [(7 * number + place) % 40 + 6 for place in range(length)]
        second = body[: length // 2] if pairs else None
        store.append(PIECES.framed(body, second), number)
    return store.finish()


@settings(max_examples=30)
@given(
    lengths=st.lists(st.integers(1, 30), min_size=1, max_size=60),
    rows=st.integers(1, 9),
    epoch=st.integers(0, 3),
    pairs=st.booleans(),
)
def test_every_row_comes_once_as_it_is(
    lengths: list[int], rows: int, epoch: int, pairs: bool
) -> None:
    store = store_of(lengths, pairs)
    plan = RowPlan(store, rows, 3, PIECES.pad_id, None)
    batches = plan.epoch(epoch)
    assert sorted(np.concatenate(batches)) == list(range(len(lengths)))
    assert all(len(batch) <= rows for batch in batches)
    for numbers in batches:
        batch = plan.batch(numbers, epoch)
        assert batch.targets.tolist() == numbers.tolist()
        assert batch.n_target == batch.rows == len(numbers)
        assert batch.longest == int(store.lengths[numbers].max())
        for at, number in enumerate(numbers):
            body = [(7 * number + place) % 40 + 6 for place in range(lengths[number])]
            row = PIECES.framed(body, body[: len(body) // 2] if pairs else None)
            length = len(row.ids)
            assert batch.ids[at, :length].tolist() == row.ids
            assert batch.segments[at, :length].tolist() == row.segments
            assert batch.mask[at].tolist() == [True] * length + [False] * (batch.longest - length)
            assert not batch.segments[at, length:].any()


def test_the_order_is_of_seed_and_epoch_alone() -> None:
    plan = RowPlan(store_of(list(range(1, 60))), 8, 3, PIECES.pad_id, None)
    first = [batch.tolist() for batch in plan.epoch(0)]
    assert first == [batch.tolist() for batch in plan.epoch(0)]
    assert first != [batch.tolist() for batch in plan.epoch(1)]


def test_there_is_hardly_any_padding() -> None:
    random = np.random.default_rng(0)
    store = store_of(random.integers(3, 60, 2000).tolist())
    plan = RowPlan(store, 32, 1, PIECES.pad_id, None)
    epoch = plan.epoch(0)
    assert plan.fill(epoch) > 0.97
    mixed = np.array_split(random.permutation(2000), 63)
    assert plan.fill(mixed) < 0.6


def test_a_batch_divides_into_what_it_was() -> None:
    plan = RowPlan(store_of([3, 9, 4, 7, 1]), 5, 1, PIECES.pad_id, None)
    whole = plan.batch([0, 1, 2, 3, 4])
    parts = whole.split(3)
    assert [part.rows for part in parts] == [2, 2, 1]
    assert [part.longest for part in parts] == [11, 9, 3]
    assert torch.cat([part.targets for part in parts]).tolist() == whole.targets.tolist()
    masking = Masking(PIECES, 0.3, whole_words=False)
    masked = RowPlan(plan.store, 5, 1, PIECES.pad_id, masking).batch([0, 1, 2, 3, 4])
    assert sum(part.n_target for part in masked.split(2)) == masked.n_target


@settings(max_examples=30)
@given(st.lists(st.integers(1, 40), min_size=1, max_size=8), st.integers(0, 5), st.booleans())
def test_what_is_masked(lengths: list[int], epoch: int, whole_words: bool) -> None:
    store = store_of(lengths)
    masking = Masking(PIECES, 0.15, whole_words)
    plain = RowPlan(store, 8, 1, PIECES.pad_id, None).batch(range(len(lengths)))
    plan = RowPlan(store, 8, 1, PIECES.pad_id, masking)
    batch = plan.batch(range(len(lengths)), epoch)
    asked = batch.targets >= 0
    assert torch.equal(batch.ids[~asked], plain.ids[~asked])
    assert torch.equal(batch.targets[asked], plain.ids[asked])
    assert not (asked & ~plain.mask).any()
    assert not set(batch.targets[asked].tolist()) & {CLS, SEP}
    assert batch.n_target == int(asked.sum())
    again = plan.batch(range(len(lengths)), epoch)
    assert torch.equal(batch.ids, again.ids)
    assert torch.equal(batch.targets, again.targets)
    for row, length in enumerate(lengths):
        count = int(asked[row].sum())
        wanted = max(1, round(0.15 * length))
        assert count == wanted if not whole_words else count >= wanted
        if whole_words:
            starts = [
                place
                for place in range(1, length + 1)
                if place == 1 or not words()[plain.ids[row, place]].startswith("##")
            ]
            for begin, end in zip(starts, [*starts[1:], length + 1], strict=True):
                assert len(set(asked[row, begin:end].tolist())) == 1


def test_eight_of_ten_are_masked_one_is_another_and_one_stays() -> None:
    store = store_of([40] * 2000)
    masking = Masking(PIECES, 0.15, whole_words=False)
    batch = RowPlan(store, 2000, 1, PIECES.pad_id, masking).batch(range(2000))
    asked = batch.targets >= 0
    now, before = batch.ids[asked], batch.targets[asked]
    assert len(now) == 2000 * 6
    assert (now == PIECES.mask_id).float().mean().item() == pytest.approx(0.8, abs=0.015)
    others = now[(now != PIECES.mask_id) & (now != before)]
    assert len(others) / len(now) == pytest.approx(0.1 * 42 / 43, abs=0.015)
    seen = Counter(others.tolist())
    assert set(seen) == set(range(5, 48))  # any piece but control pieces


def test_a_store_knows_its_rows() -> None:
    one, same, other = store_of([3, 4]), store_of([3, 4]), store_of([3, 5])
    assert one.fingerprint() == same.fingerprint() != other.fingerprint()
    store = RowStore(np.float32)
    store.append(Framed([CLS, 7, SEP], [0, 0, 0]), 0.25)
    assert RowPlan(store.finish(), 1, 1, 0, None).batch([0]).targets.tolist() == [0.25]
