"""Sources waiting for threads: each is taken once, the longest first, shared where they are few."""

from concurrent.futures import ThreadPoolExecutor

import pytest
from hypothesis import given
from hypothesis import strategies as st

from heedful.decode.waiting import LEAST, Begun, Waiting, places


def test_places() -> None:
    """As many as the budget holds, at least one; short sources count more than they are long."""
    assert places(40, rows=1, batch_tokens=400) == 10
    assert places(40, rows=4, batch_tokens=400) == 2
    assert places(1, rows=1, batch_tokens=10 * LEAST) == 10
    assert places(500, rows=4, batch_tokens=400) == 1


@given(
    lengths=st.lists(st.integers(1, 80), min_size=1, max_size=60),
    threads=st.integers(1, 4),
    rows=st.integers(1, 4),
    batch_tokens=st.integers(16, 2000),
)
def test_every_source_is_taken_once(
    lengths: list[int], threads: int, rows: int, batch_tokens: int
) -> None:
    order = sorted(range(len(lengths)), key=lambda row: -lengths[row])
    waiting = Waiting(order, lengths, threads, rows, batch_tokens)
    taken: list[int] = []

    def work() -> None:
        while begun := waiting.begin():
            assert 0 < len(begun.rows) <= begun.places
            longest = lengths[begun.rows[0]]
            assert begun.places <= places(longest, rows, batch_tokens)
            mine = [*begun.rows]
            for under_way in [*range(begun.places, -1, -1), 0]:
                fresh = waiting.more(begun, under_way)
                assert len(fresh) <= begun.places - under_way
                assert all(lengths[row] <= longest for row in fresh)
                mine += fresh
            taken.extend(mine)

    with ThreadPoolExecutor(threads) as pool:
        for running in [pool.submit(work) for _ in range(threads)]:
            running.result()
    assert sorted(taken) == list(range(len(lengths)))


def test_few_sources_are_shared() -> None:
    """Neither thread gets all of the long ones."""
    waiting = Waiting([0, 1, 2, 3], [9, 8, 7, 6], 2, 1, 4096)
    first, second = waiting.begin(), waiting.begin()
    assert first is not None
    assert second is not None
    assert (first.rows, second.rows) == ([0, 2], [1, 3])


@pytest.mark.parametrize(("under_way", "given"), [(8, 0), (7, 0), (6, 2), (0, 8)])
def test_places_are_given_away_when_a_quarter_is_free(under_way: int, given: int) -> None:
    waiting = Waiting(range(8, 100), [LEAST] * 100, 1, 1, 8 * LEAST)
    begun = Begun(list(range(8)), places=8)
    assert len(waiting.more(begun, under_way)) == given


def test_who_could_have_twice_the_places_begins_anew() -> None:
    lengths = [4 * LEAST] * 4 + [LEAST] * 40
    waiting = Waiting(range(44), lengths, 1, 1, 16 * LEAST)
    begun = waiting.begin()
    assert begun is not None
    assert begun.places == 4
    assert waiting.more(begun, 0) == []
    again = waiting.begin()
    assert again is not None
    assert again.places == 16


def test_given_up() -> None:
    waiting = Waiting([0, 1], [5, 5], 1, 1, 100)
    waiting.give_up()
    assert waiting.begin() is None
