"""Shared work gives what `map` gives, in order, whatever becomes of the processes."""

import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from heedful.data.workers import in_order, portions
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


USE = """
import os
from heedful.data.workers import in_order
from tests.data.test_workers import where
print("begun")
found = in_order(where, range(40), print, here=2, processes=2)
print(len({who for _, who in found} - {os.getpid()}))
"""


@pytest.mark.parametrize("way", ["file", "standard input"])
def test_a_script_without_a_guard_is_run_once(way: str, tmp_path: Path) -> None:
    (tmp_path / "script.py").write_text(USE)
    words = [sys.executable, str(tmp_path / "script.py") if way == "file" else "-"]
    environment = os.environ | {"PYTHONPATH": os.pathsep.join(sys.path)}
    run = subprocess.run(
        words, input=USE, capture_output=True, text=True, check=True, env=environment, timeout=300
    )
    begun, others = run.stdout.split()
    assert begun == "begun"
    assert int(others) in (1, 2)
    assert run.stderr == ""


def test_nothing_is_started_for_few_pieces() -> None:
    code = (
        "import multiprocessing.resource_tracker as tracker\n"
        "from heedful.data.workers import in_order\n"
        "assert list(in_order(abs, range(3), print, here=3, processes=2)) == [0, 1, 2]\n"
        "assert tracker._resource_tracker._pid is None"
    )
    subprocess.run([sys.executable, "-c", code], check=True, timeout=300)


def test_processes_end_with_the_one_that_is_killed() -> None:
    code = (
        "from heedful.data.workers import in_order; from tests.data.test_workers import where\n"
        "for _, who in in_order(where, iter(int, 1), print, here=0, processes=2):\n"
        "  print(who, flush=True)"
    )
    with subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE, text=True) as main:
        assert main.stdout is not None
        assert main.stdout.readline()
        main.kill()
        main.communicate(timeout=300)  # the end comes when no process holds the pipe any more


@given(sizes=st.lists(st.integers(0, 9)), count=st.integers(1, 5), most=st.integers(0, 20))
def test_portions_are_small(sizes: list[int], count: int, most: int) -> None:
    found = list(portions(sizes, int, count, most))
    assert [size for portion in found for size in portion] == sizes
    for portion in found:
        assert 0 < len(portion) <= count
        assert sum(portion[:-1]) <= most
