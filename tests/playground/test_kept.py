"""Sixteen traces are kept, those asked for last; the newest question of a page wins."""

import threading

import pytest

from heedful.inspect import Trace
from heedful.playground.kept import MOST, Kept, Pages, Traced, _bytes
from heedful.search import Client
from heedful.serve.refusal import RefusalError
from tests.inspect.test_importance import pair


@pytest.fixture(scope="module")
def seen() -> Trace:
    return pair("the paper's")


def filled(kept: Kept, seen: Trace, count: int) -> list[str]:
    names = []
    for _ in range(count):
        names.append(kept.name())
        kept.keep(names[-1], Traced("tiny", seen))
    return names


def test_the_oldest_leave(seen: Trace) -> None:
    kept = Kept()
    names = filled(kept, seen, MOST)
    assert kept.find(names[0]).trace is seen  # and so it is the newest
    names += filled(kept, seen, 1)
    assert len(kept) == MOST
    kept.find(names[0])
    with pytest.raises(RefusalError, match="no longer kept"):
        kept.find(names[1])
    assert len(set(names)) == len(names)
    assert not {Kept().name() for _ in range(9)} & set(names), "another process has other names"


def test_what_is_large_leaves_earlier(seen: Trace) -> None:
    kept = Kept(most_bytes=3 * _bytes(seen))
    names = filled(kept, seen, 5)
    assert len(kept) == 3
    kept.find(names[-1])
    small = Kept(most_bytes=1)
    [name] = filled(small, seen, 1)
    assert small.find(name).trace is seen  # the newest always stays


def test_many_threads(seen: Trace) -> None:
    kept, found = Kept(), []

    def work() -> None:
        for _ in range(200):
            found.extend(filled(kept, seen, 1))

    threads = [threading.Thread(target=work) for _ in range(8)]
    for one in threads:
        one.start()
    for one in threads:
        one.join()
    assert len(found) == len(set(found)) == 1600
    assert len(kept) == MOST


def test_the_newest_question_of_a_page() -> None:
    pages, clients = Pages(), [Client() for _ in range(600)]
    pages.ask("one", clients[0])
    pages.ask("two", clients[1])
    pages.ask("one", clients[2])
    assert [client.gone for client in clients[:3]] == [True, False, False]
    for number, client in enumerate(clients[3:]):
        pages.ask(f"page {number}", client)
    assert not any(client.gone for client in clients[1:])
    assert len(pages._newest) == 256
