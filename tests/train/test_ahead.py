"""Items made ahead come unchanged and in order; errors come in their turn; nothing is left on."""

import threading
from collections.abc import Iterator
from contextlib import closing

import pytest

from heedful.train.ahead import ahead


def test_the_same_items_in_the_same_order() -> None:
    assert list(ahead(iter(range(100)))) == list(range(100))
    assert list(ahead(iter([None, 0, ()]))) == [None, 0, ()]
    assert list(ahead(iter([]))) == []


def test_one_item_is_made_while_another_is_used() -> None:
    made = threading.Semaphore(0)

    def items() -> Iterator[int]:
        for number in range(3):
            made.release()
            yield number

    stream = ahead(items())
    assert next(stream) == 0
    assert made.acquire(timeout=10)
    assert made.acquire(timeout=10), "the second is made though nobody asked for it"
    stream.close()  # type: ignore[attr-defined]


def test_errors_come_in_their_turn() -> None:
    def items() -> Iterator[int]:
        yield 1
        raise ValueError("the disk is gone")

    stream = ahead(items())
    assert next(stream) == 1
    with pytest.raises(ValueError, match="the disk is gone"):
        next(stream)


def test_no_thread_is_left() -> None:
    before = threading.active_count()
    with closing(ahead(iter(range(10)))) as stream:
        next(stream)
    assert threading.active_count() == before
