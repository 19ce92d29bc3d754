"""Connections: slow clients are cut off, no address holds all of them, garbage is refused."""

import asyncio
import json
import socket
import time
from collections.abc import Iterator
from pathlib import Path

import h11
import pytest

from heedful.serve.limits import ServerLimits
from heedful.serve.protocol import Doorkeeper, GuardedProtocol
from tests.serve.serving import FakeEngine, Live, listening, run

LIMITS = ServerLimits(
    header_seconds=0.5, body_seconds=0.7, write_seconds=0.5, keep_alive_seconds=0.4
)
BODY = json.dumps({"texts": ["a"], "to": "de"}).encode()


@pytest.fixture(scope="module")
def live() -> Iterator[Live]:
    with listening(limits=LIMITS) as one:
        yield one


def head(length: int | str, *more: str) -> bytes:
    lines = ["POST /v1/translate HTTP/1.1", "Host: localhost", "Content-Type: application/json"]
    lines += [f"Content-Length: {length}"] if length != "" else []
    return "\r\n".join([*lines, *more, "", ""]).encode()


def exchange(live: Live, sent: bytes, *, wait: float = 5) -> bytes:
    """Send bytes, return all that comes until the server closes or nothing comes."""
    with socket.create_connection(("127.0.0.1", live.port), timeout=wait) as client:
        client.sendall(sent)
        got = b""
        while True:
            try:
                more = client.recv(65_536)
            except ConnectionResetError:
                return got
            if not more:
                return got
            got += more


def status_of(answer: bytes) -> int:
    return int(answer.split(b" ", 2)[1]) if answer else 0


def test_an_honest_request(live: Live) -> None:
    answer = exchange(live, head(len(BODY), "Connection: close") + BODY)
    assert status_of(answer) == 200
    assert b'"text":"de:a"' in answer


@pytest.mark.parametrize(
    ("sent", "status"),
    [
        (b"GARBAGE\r\n\r\n", 400),
        (b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03\r\n\r\n", 400),
        (head(-1), 400),
        (head("1, 2"), 400),
        (head("x"), 400),
        (head(5, "Content-Length: 6"), 400),
        (head("", "Transfer-Encoding: chunked") + b"zz\r\n", 400),
        (head("", "Transfer-Encoding: gzip"), 501),
        (head(10**9), 413),
        (head("", "Transfer-Encoding: chunked") + b"200000\r\n" + b"x" * 0x200000, 413),
        (head(5, "Content-Encoding: gzip") + b"\x1f\x8b\x08\0\0", 415),
        (b"GET /" + b"a" * 70_000, 414),
        (b"GET /" + b"a" * 8_000 + b" HTTP/1.1\r\nHost: localhost\r\n\r\n", 414),
        (b"GET / HTTP/1.1\r\nHost: localhost\r\nX: " + b"a" * 20_000, 431),
        (b"GET / HTTP/1.1\r\nHost: localhost\r\n" + b"X: y\r\n" * 1_000 + b"\r\n", 431),
        (b"GET / HTTP/1.1\r\n\r\n", 400),
        (b"GET / HTTP/1.1\r\nHost: a\r\nHost: b\r\n\r\n", 400),
    ],
    ids=lambda value: str(value)[:60],
)
def test_what_cannot_be_answered(live: Live, sent: bytes, status: int) -> None:
    answer = exchange(live, sent)
    assert status_of(answer) == status
    assert b"application/json" in answer
    assert json.loads(answer.partition(b"\r\n\r\n")[2])["error"]


def test_a_body_longer_than_it_said(live: Live) -> None:
    answers = exchange(live, head(len(BODY)) + BODY + b"more\r\n\r\n")
    assert status_of(answers) == 200
    assert b"HTTP/1.1 400" in answers


def test_a_body_shorter_than_it_said(live: Live) -> None:
    started = time.monotonic()
    answer = exchange(live, head(len(BODY) + 1) + BODY)
    assert status_of(answer) == 408
    assert 0.6 < time.monotonic() - started < 30


def test_memory_stays_flat_while_bodies_are_too_long(live: Live) -> None:
    def resident() -> int:
        return int(Path("/proc/self/statm").read_text("ascii").split()[1]) * 4096

    chunk = b"100000\r\n" + b"x" * 0x100000 + b"\r\n"
    exchange(live, head("", "Transfer-Encoding: chunked") + chunk * 2)
    before = resident()
    for _ in range(5):
        exchange(live, head("", "Transfer-Encoding: chunked") + chunk * 4)
    assert resident() - before < 20 << 20


@pytest.mark.slow  # how fast the honest one is served depends on the machine
def test_slow_clients_are_cut_off_and_an_honest_one_is_served(live: Live) -> None:
    async def slow(first: bytes, drip: bytes) -> tuple[int, float]:
        """Send a byte now and then; return the status and the seconds until it was cut off."""
        started = time.monotonic()
        reader, writer = await asyncio.open_connection("127.0.0.1", live.port)
        writer.write(first)
        cut = asyncio.create_task(reader.read())
        while not cut.done():
            writer.write(drip)
            await asyncio.wait((cut,), timeout=0.05)
        writer.close()
        try:
            answer = cut.result()
        except ConnectionResetError:
            answer = b""
        return status_of(answer), time.monotonic() - started

    async def honest() -> list[float]:
        times = []
        for _ in range(10):
            started = time.monotonic()
            answer = await asyncio.to_thread(
                exchange, live, head(len(BODY), "Connection: close") + BODY
            )
            assert status_of(answer) == 200
            times.append(time.monotonic() - started)
        return times

    async def scenario() -> None:
        headers = [slow(b"GET / HTTP/1.1\r\nX: ", b"a") for _ in range(60)]
        bodies = [slow(head(1000), b" ") for _ in range(60)]
        *cut, times = await asyncio.gather(*headers, *bodies, honest())
        assert {status for status, _ in cut} <= {408, 0}
        assert sum(status == 408 for status, _ in cut) > 60, "most are told why"
        assert max(seconds for _, seconds in cut) < 4
        assert sorted(times)[8] < 1

    run(scenario)


def test_a_client_that_takes_nothing_is_cut_off() -> None:
    large = {"body_bytes": 1 << 25, "characters": 1 << 24, "tokens": 1 << 24}
    with listening(limits=LIMITS.model_copy(update=large)) as live:
        body = json.dumps({"texts": ["a" * (1 << 23)], "to": "de"}).encode()
        with socket.socket() as client:
            client.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
            client.settimeout(10)
            client.connect(("127.0.0.1", live.port))
            client.sendall(head(len(body), "Connection: close") + body)
            time.sleep(1.5)  # takes nothing, for longer than the server waits
            got = 0
            try:
                while more := client.recv(1 << 20):
                    got += len(more)
            except ConnectionResetError:
                pass
            assert 0 < got < 1 << 23, "the rest was thrown away"


def test_a_quiet_connection_is_closed(live: Live) -> None:
    started = time.monotonic()
    answer = exchange(live, head(len(BODY)) + BODY)
    assert status_of(answer) == 200
    assert 0.3 < time.monotonic() - started < 30


def test_several_requests_on_one_connection(live: Live) -> None:
    answers = exchange(live, (head(len(BODY)) + BODY) * 5)
    assert answers.count(b"HTTP/1.1 200") == 5


def test_a_client_that_leaves_takes_its_request_along() -> None:
    engine = FakeEngine()
    with listening(engine) as live:
        batcher = live.models.loaded[0].batcher
        with socket.create_connection(("127.0.0.1", live.port)) as client:
            client.sendall(head(len(BODY)) + BODY)
            wait_for(lambda: batcher.pending == 1)
        wait_for(lambda: batcher.pending == 0)
        engine.open.set()
        wait_for(lambda: batcher.idle)


def wait_for(true) -> None:  # type: ignore[no-untyped-def]
    until = time.monotonic() + 60
    while not true():
        assert time.monotonic() < until
        time.sleep(0.002)


def test_when_all_places_are_taken_the_quiet_give_way() -> None:
    with listening(limits=ServerLimits(connections=5)) as live:
        quiet = [socket.create_connection(("127.0.0.1", live.port)) for _ in range(5)]
        try:
            for one in quiet:
                one.sendall(b"GET / HTTP/1.1\r\n")
            time.sleep(0.05)
            answer = exchange(live, head(len(BODY), "Connection: close") + BODY)
            assert status_of(answer) == 200
        finally:
            for one in quiet:
                one.close()


class FakeConnection:
    """A connection of a doorkeeper."""

    def __init__(self, asks_nothing: bool = False) -> None:
        self.asks_nothing, self.closed = asks_nothing, False

    def give_way(self) -> None:
        self.closed = True


def test_the_doorkeeper_counts_addresses() -> None:
    keeper = Doorkeeper(ServerLimits(per_address=2, retry_seconds=9))
    inside = [FakeConnection() for _ in range(2)]
    assert [keeper.enter(one, "192.0.2.1") for one in inside] == [None, None]
    refusal = keeper.enter(FakeConnection(), "192.0.2.1")
    assert refusal is not None
    assert (refusal.status, refusal.retry) == (429, 9)
    assert keeper.enter(FakeConnection(), "192.0.2.2") is None
    keeper.leave(inside[0])
    keeper.leave(inside[0])
    assert keeper.enter(FakeConnection(), "192.0.2.1") is None
    own = ("127.0.0.1", "::1", "::ffff:127.0.0.1")
    here = [keeper.enter(FakeConnection(), address) for address in own * 3]
    assert here == [None] * 9, "this machine may have more"
    assert len(keeper) == 12


def test_the_doorkeeper_keeps_places() -> None:
    keeper = Doorkeeper(ServerLimits(connections=3))
    busy, first, second = FakeConnection(), FakeConnection(True), FakeConnection(True)
    for one in (busy, first, second):
        assert keeper.enter(one, "::1") is None
    assert keeper.enter(FakeConnection(), "::1") is None
    assert (busy.closed, first.closed, second.closed) == (False, True, False)
    assert keeper.enter(FakeConnection(), "::1") is None
    refusal = keeper.enter(FakeConnection(), "::1")
    assert refusal is not None
    assert refusal.status == 503
    assert len(keeper) == 3


def test_uvicorn_has_what_is_built_upon() -> None:
    names = ("on_response_complete", "timeout_keep_alive_handler", "send_400_response")
    for name in (*names, "pause_writing", "resume_writing", "data_received"):
        assert name in vars(GuardedProtocol.__bases__[0]), name
    assert h11.Connection.next_event
