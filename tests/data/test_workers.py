"""Shared work gives what `map` gives, in order, whatever becomes of the processes."""

import os
import signal
import subprocess
import sys
from collections.abc import Iterator

import pytest

from heedful.data.workers import in_order
from heedful.errors import DataError


def doubled(number: int) -> int:
    return 2 * number


def where(number: int) -> tuple[int, int]:
    return number, os.getpid()


def dying(number: int) -> tuple[int, int]:
    """Kill the process that takes piece 7, unless it is the one that all began in."""
    if number == 7 and os.environ["HEEDFUL_TEST_PARENT"] != str(os.getpid()):
        os.kill(os.getpid(), signal.SIGKILL)
    return where(number)


def broken(number: int) -> int:
    if number == 9:
        raise DataError("a bad piece", where="here:9", fix="mend it")
    return number


def never(_: str) -> None:
    raise AssertionError("nothing was lost")


@pytest.mark.parametrize("count", [0, 1, 3, 4, 30])
@pytest.mark.parametrize("processes", [1, 2])
def test_as_map(count: int, processes: int) -> None:
    found = in_order(doubled, range(count), never, here=3, processes=processes)
    assert list(found) == [2 * number for number in range(count)]


def test_others_take_part_and_few_pieces_wait() -> None:
    taken: list[int] = []

    def pieces() -> Iterator[int]:
        for number in range(1, 41):
            taken.append(number)
            yield number

    own, others = set(), set()
    for done, (number, process) in enumerate(
        in_order(where, pieces(), never, here=2, processes=2), start=1
    ):
        assert number == done
        assert len(taken) <= done + 8
        (own if done <= 2 else others).add(process)
    assert own == {os.getpid()}
    assert os.getpid() not in others


def test_a_lost_process_loses_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HEEDFUL_TEST_PARENT", str(os.getpid()))
    said: list[str] = []
    found = list(in_order(dying, range(30), said.append, here=2, processes=2))
    assert [number for number, _ in found] == list(range(30))
    assert found[-1][1] == os.getpid()
    assert said == ["a working process was lost: going on without"]


def test_what_fails_there_is_raised_here() -> None:
    found = in_order(broken, range(30), never, here=2, processes=2)
    with pytest.raises(DataError, match=r"here:9: a bad piece; mend it"):
        list(found)


def test_processes_end_with_the_one_that_is_killed() -> None:
    code = (
        "import os; from heedful.data.workers import in_order; from tests.data.test_workers import"
        " where\n"
        "if __name__ == '__main__':\n"
        "  for _, who in in_order(where, iter(int, 1), print, here=0, processes=1 + 1):\n"
        "    print(who, flush=True)"
    )
    with subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE, text=True) as main:
        assert main.stdout is not None
        assert main.stdout.readline()
        main.kill()
        main.wait()
        while main.stdout.read(1 << 16):
            pass  # the end comes when no process holds the pipe any more
