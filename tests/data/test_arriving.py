"""Lines of a pipe come one by one, and whether the next is there is known without waiting."""

import io
import os
from collections.abc import Iterator
from typing import BinaryIO

import pytest
from hypothesis import given
from hypothesis import strategies as st

from heedful.data import arriving
from heedful.data.arriving import Arriving
from heedful.data.windows import windows


@pytest.fixture
def pipe() -> Iterator[tuple[BinaryIO, BinaryIO]]:
    """Return both ends of a pipe; what is written arrives at once."""
    read, write = os.pipe()
    with os.fdopen(read, "rb") as out, os.fdopen(write, "wb", buffering=0) as into:
        yield out, into


class Slow(io.RawIOBase):
    """A stream that gives so many bytes at a time."""

    def __init__(self, data: bytes, most: int) -> None:
        self.data, self.most, self.at = data, most, 0

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: memoryview) -> int:  # type: ignore[override]
        part = self.data[self.at : self.at + min(self.most, len(buffer))]
        buffer[: len(part)] = part
        self.at += len(part)
        return len(part)


@given(
    data=st.lists(st.sampled_from([b"a", b"bc", b"\n", b"\r", b"\0", b"\x0b"])),
    most=st.integers(1, 9),
)
def test_the_lines_are_those_of_the_file(data: list[bytes], most: int) -> None:
    whole = b"".join(data)
    for ask in (False, True):
        reader = Arriving(io.BufferedReader(Slow(whole, most)))
        found = []
        for line in reader:
            found.append(line)
            assert not ask or reader.ready()
        assert found == list(io.BytesIO(whole))


def test_a_pause_is_noticed_and_the_end_is_none(pipe: tuple[BinaryIO, BinaryIO]) -> None:
    out, into = pipe
    reader = Arriving(out)
    assert not reader.ready()
    into.write(b"one\ntw")
    assert reader.ready()
    lines = iter(reader)
    assert next(lines) == b"one\n"
    assert not reader.ready(), "half a line is none"
    into.write(b"o\nthree")
    assert reader.ready()
    assert next(lines) == b"two\n"
    assert not reader.ready()
    into.close()
    assert reader.ready()
    assert list(lines) == [b"three"]
    assert reader.ready()


def test_an_endless_line_comes_in_parts(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(arriving, "MAX_LINE", 10**6)
    reader = Arriving(io.BytesIO(b"x" * 10**7))  # type: ignore[arg-type]
    assert 10**6 < len(next(iter(reader))) <= 10**6 + arriving.BLOCK


def test_what_has_come_does_not_wait(pipe: tuple[BinaryIO, BinaryIO]) -> None:
    out, into = pipe
    reader = Arriving(out)
    portions = windows((line.decode() for line in reader), None, reader.ready)
    into.write(b"1\n2\n3\n")
    assert next(portions) == ["1\n", "2\n", "3\n"]
    into.write(b"a\n" * 300)
    into.close()
    assert [len(portion) for portion in portions] == [64, 128, 108]


def test_texts_that_drip_do_not_wait_long(monkeypatch: pytest.MonkeyPatch) -> None:
    now = iter(range(10_000))
    monkeypatch.setattr("heedful.data.windows.LONGEST_WAIT", 7)
    monkeypatch.setattr("heedful.data.windows.time.monotonic", lambda: next(now))
    found = list(windows(["a"] * 20, None, lambda: True))
    assert [len(portion) for portion in found] == [8, 8, 4]
