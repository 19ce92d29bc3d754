"""The server as a process: ports, draining, signals, health, what is counted and what is not."""

import http.client
import json
import logging
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from heedful.errors import SettingError
from heedful.serve.limits import ServerLimits, limits_of
from heedful.serve.server import _Server, bound
from tests.serve.serving import FakeEngine, asking, listening, open_engine, run, service_of, until

ROOT = Path(__file__).resolve().parents[2]
ASKED = {"texts": ["a"], "to": "de"}


def ask(port: int, method: str, path: str, what: object = None) -> tuple[int, Any, str]:
    """Return the status, the JSON and the time to come again of one request."""
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=20)
    try:
        body = None if what is None else json.dumps(what)
        connection.request(method, path, body, {"Content-Type": "application/json"})
        answer = connection.getresponse()
        retry = answer.headers.get("Retry-After", "")
        return answer.status, json.loads(answer.read()), retry
    finally:
        connection.close()


def wait_for(true: Callable[[], bool], seconds: float = 60) -> None:
    end = time.monotonic() + seconds
    while not true():
        assert time.monotonic() < end
        time.sleep(0.005)


def test_draining_answers_what_was_asked() -> None:
    engine = FakeEngine()
    with listening(engine) as live, ThreadPoolExecutor(8) as clients:
        asked = [clients.submit(ask, live.port, "POST", "/v1/translate", ASKED) for _ in range(8)]
        wait_for(lambda: live.models.loaded[0].batcher.pending == 8)
        assert ask(live.port, "GET", "/ready")[0] == 200
        live.service.drain()
        status, told, _ = ask(live.port, "GET", "/ready")
        assert (status, told["ready"], told["stopping"]) == (503, False, True)
        assert ask(live.port, "GET", "/health")[0] == 200
        status, told, retry = ask(live.port, "POST", "/v1/translate", ASKED)
        assert (status, told) == (503, {"error": "the server is stopping; try again later"})
        assert retry == "1"
        engine.open.set()
        assert [one.result()[0] for one in asked] == [200] * 8


@contextmanager
def process(drain_seconds: float) -> Iterator[tuple[subprocess.Popen[str], int]]:
    """Run a server of its own process; yield it with its port once it is ready."""
    words = [sys.executable, "-m", "tests.serve.drained", str(drain_seconds)]
    with subprocess.Popen(words, cwd=ROOT, stdout=subprocess.PIPE, text=True) as running:
        try:
            assert running.stdout is not None
            port = int(running.stdout.readline())
            wait_for(lambda: ask(port, "GET", "/ready")[0] == 200)
            yield running, port
        finally:
            running.kill()


def asked_and_pending(clients: ThreadPoolExecutor, port: int) -> "Future[tuple[int, Any, str]]":
    """Send a request that is not answered yet."""
    asked = clients.submit(ask, port, "POST", "/v1/translate", ASKED)

    def pending() -> bool:
        connection = http.client.HTTPConnection("127.0.0.1", port, timeout=5)
        connection.request("GET", "/metrics")
        text = connection.getresponse().read().decode()
        connection.close()
        return 'heed_pending_requests{model="fake"} 1.0' in text

    wait_for(pending)
    return asked


def test_sigterm_answers_what_was_asked_and_ends_well() -> None:
    with process(20) as (server, port), ThreadPoolExecutor() as clients:
        asked = asked_and_pending(clients, port)
        server.send_signal(signal.SIGTERM)
        wait_for(lambda: ask(port, "GET", "/ready")[0] == 503)
        assert ask(port, "POST", "/v1/translate", ASKED)[0] == 503
        server.send_signal(signal.SIGUSR1)
        assert asked.result(10)[0] == 200
        assert server.wait(10) == 0
        with pytest.raises(ConnectionRefusedError):
            ask(port, "GET", "/health")


def test_a_second_signal_ends_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    ends: list[int] = []
    monkeypatch.setattr(os, "_exit", ends.append)
    service, models = service_of(open_engine())
    server = _Server(service, ServerLimits(), lambda: None)
    server.handle_exit(signal.SIGINT, None)
    assert service.draining
    assert not models.ready
    assert ends == []
    server.handle_exit(signal.SIGTERM, None)
    assert ends == [128 + signal.SIGTERM]


def test_draining_does_not_last_for_ever() -> None:
    engine = FakeEngine()
    limits = ServerLimits(drain_seconds=0.2)
    with listening(engine, limits) as live, ThreadPoolExecutor() as clients:
        asked = asked_and_pending(clients, live.port)
        live.service.drain()
        assert asked.exception(10) is not None or asked.result()[0] == 503
        assert not live.service.idle, "the runner ends with 1"


@pytest.mark.slow
def test_a_second_signal_ends_the_process_at_once() -> None:
    with process(20) as (server, port), ThreadPoolExecutor() as clients:
        asked = asked_and_pending(clients, port)
        server.send_signal(signal.SIGTERM)
        wait_for(lambda: ask(port, "GET", "/ready")[0] == 503)
        started = time.monotonic()
        server.send_signal(signal.SIGTERM)
        assert server.wait(10) == 128 + signal.SIGTERM
        assert time.monotonic() - started < 2
        assert isinstance(asked.exception(10), http.client.HTTPException | ConnectionError)


@pytest.mark.slow
def test_draining_has_an_end() -> None:
    with process(0.3) as (server, port), ThreadPoolExecutor() as clients:
        asked = asked_and_pending(clients, port)
        server.send_signal(signal.SIGTERM)
        assert server.wait(10) == 1, "something was not answered"
        assert asked.exception(10) is not None or asked.result()[0] == 503


def test_what_is_sent_goes_at_once() -> None:
    """Without TCP's name asyncio leaves Nagle's algorithm on: 44 ms for every answer."""
    with bound("127.0.0.1", 0) as listener, socket.create_connection(listener.getsockname()):
        connection, _ = listener.accept()
        with connection:
            assert connection.proto == socket.IPPROTO_TCP


def test_ports_that_cannot_be_had() -> None:
    with bound("127.0.0.1", 0) as first:
        port = first.getsockname()[1]
        sentence = (
            f"--port {port}: port {port} is in use by another program; give --port {port + 1}"
        )
        with pytest.raises(SettingError, match=sentence):
            bound("127.0.0.1", port)
    with pytest.raises(SettingError, match="a port is from 0 to 65535"):
        bound("127.0.0.1", 65_536)
    with pytest.raises(SettingError, match=r"--host no\.such\.name\.invalid: no address"):
        bound("no.such.name.invalid", 0)
    with pytest.raises(SettingError, match=r"--host 192\.0\.2\.1: this machine has no address"):
        bound("192.0.2.1", 0)


def test_nothing_but_this_machine_is_listened_to_by_default() -> None:
    with bound("127.0.0.1", 0) as listener:
        assert listener.getsockname()[0] == "127.0.0.1"
        assert listener.family == socket.AF_INET


def test_limits_by_name() -> None:
    assert limits_of({}) == ServerLimits()
    assert limits_of({"limits": {"queue": 3, "drain_seconds": 0.5}}).queue == 3
    for given, sentence in (
        ({"limits": {"queue": 0}}, "--limits.queue: input should be greater than or equal to 1"),
        ({"limits": {"qeue": 3}}, '--limits.qeue: there is no such setting; did you mean "queue"?'),
        ({"limits": 3}, "--limits: this is a group of settings"),
        ({"model": {"d_ff": 3}}, "--model: there is no such setting"),
        ({"limits": {"texts": "x"}}, "--limits.texts: input should be a valid integer"),
    ):
        with pytest.raises(SettingError) as caught:
            limits_of(given)
        assert str(caught.value).startswith(sentence)


def test_ready_only_after_a_translation() -> None:
    async def scenario() -> None:
        engine = open_engine()
        async with asking(engine, missing=["lost"]) as client:
            told = await client.ask("GET", "/ready")
            assert (told.status, told.json) == (
                200,
                {
                    "ready": True,
                    "stopping": False,
                    "models": {"fake": "ready"},
                    "missing": ["lost"],
                },
            )
            engine.fails = [MemoryError()]
            engine.proofs = [RuntimeError()] * 300
            answer = await client.post("/v1/translate", ASKED)
            assert answer.status == 503
            assert answer.headers["retry-after"] == "1"
            told = await client.ask("GET", "/ready")
            assert (told.status, told.json["models"]) == (503, {"fake": "not ready"})
            assert (await client.ask("GET", "/health")).status == 200
            assert (await client.post("/v1/translate", ASKED)).status == 503
            engine.proofs.clear()

            async def serves() -> bool:
                return (await client.post("/v1/translate", ASKED)).status == 200

            while not await serves():
                await until(lambda: True)
            assert (await client.ask("GET", "/ready")).status == 200

    run(scenario)


def test_a_server_without_a_model_is_not_ready() -> None:
    from heedful.serve.app import create_app
    from heedful.serve.models import Models
    from tests.serve.serving import Client

    async def scenario() -> None:
        client = Client(create_app(Models([], ["lost"])))
        told = await client.ask("GET", "/ready")
        assert (told.status, told.json["missing"]) == (503, ["lost"])

    run(scenario)


def test_what_is_counted_is_bounded_and_tells_no_text(caplog: pytest.LogCaptureFixture) -> None:
    secret = "Zxqv"

    async def scenario() -> None:
        async with asking() as client:
            for number in range(50):
                await client.ask("GET", f"/{secret}{number}")
                await client.ask("BREW", f"/{secret}{number}")
                await client.post("/translate", {"q": secret, "source": "en", "target": "de"})
                await client.post("/translate", {"q": secret, "source": secret, "target": "de"})
                await client.post("/v1/translate", {"texts": [secret], "to": f"{secret}{number}"})
            text = (await client.ask("GET", "/metrics")).body.decode()
            assert secret not in text
            assert 'heed_answers_total{route="/translate",status="200"} 50.0' in text
            assert 'heed_answers_total{route="other",status="404"} 50.0' in text
            assert 'heed_batch_texts_count{model="fake"} 50.0' in text
            assert 'heed_ready{model="fake"} 1.0' in text
            assert len(text.splitlines()) < 250

    with caplog.at_level(logging.DEBUG):
        run(scenario)
    assert secret not in caplog.text
