"""The process that plays the clients: `python -m serve.client TASK`.

It reads a task and the bodies of its requests, opens a connection for each client, and lets each
ask again as soon as it is answered: HTTP/1.1 by hand, so that it takes little of the machine. What
comes before the clock starts is not counted, what is under way when it stops is waited for. Prints
a line of JSON: requests, seconds, latencies, errors, what the processors did, and an answer to each
text.
"""

__all__ = ["Task", "ask", "percentile"]

import asyncio
import json
import os
import random
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from functools import partial
from pathlib import Path
from typing import Any

BENCHMARKS = Path(__file__).resolve().parent.parent
PATIENCE = 120.0
"""Seconds that are waited for answers once the clock has stopped."""
MOST_ERRORS = 1000
"""Errors after which a client is not worth going on with."""
TICKS = os.sysconf("SC_CLK_TCK") if hasattr(os, "sysconf") else 100


@dataclass(frozen=True)
class Task:
    """What the clients are to do."""

    port: int
    server: int
    """The server's process, whose time on the processors is read."""
    path: str
    bodies: str
    """A file of JSON: the bodies to choose from; none: GET."""
    clients: int
    seconds: float
    warm: float
    """Seconds before the clock starts."""
    seed: int


def ask(task: Task) -> dict[str, Any]:
    """Return what clients, in a process of their own, have measured."""
    path = [str(BENCHMARKS), os.environ.get("PYTHONPATH", "")]
    environment = os.environ | {"PYTHONPATH": os.pathsep.join(filter(None, path))}
    command = [sys.executable, "-m", "serve.client", json.dumps(asdict(task))]
    done = subprocess.run(
        command,
        env=environment,
        stdout=subprocess.PIPE,
        text=True,
        check=True,
        timeout=task.warm + task.seconds + 3 * PATIENCE,
    )
    found: dict[str, Any] = json.loads(done.stdout)
    return found


def percentile(ordered: Sequence[float], share: float) -> float:
    """Return the value below which that share of them lies, of values in order.

    >>> percentile([1.0, 2.0, 3.0], 0.5)
    2.0
    """
    return ordered[int(share * (len(ordered) - 1))]


class Load:
    """What the clients of one measurement have in common."""

    def __init__(self, task: Task) -> None:
        self.task = task
        bodies = json.loads(Path(task.bodies).read_text("utf-8"))
        self.requests = [_request(task, body) for body in bodies] or [_request(task, None)]
        self.counts, self.over = False, False
        self.latencies: list[float] = []
        self.errors: Counter[str] = Counter()
        self.answers: dict[int, bytes] = {}
        self.open = 0
        self.empty = asyncio.Event()
        self.begun = _Clock(task.server)
        self.ended: _Clock | None = None

    def begin(self) -> None:
        """Start the clock."""
        self.counts, self.begun = True, _Clock(self.task.server)

    def end(self) -> None:
        """Stop the clock, but not before there is an answer to count."""
        late = time.perf_counter() - self.begun.wall > self.task.seconds + PATIENCE
        if self.latencies or self.errors or late:
            self.stop()
        else:
            asyncio.get_running_loop().call_later(0.05, self.end)

    def stop(self) -> None:
        """Stop the clock now, if it has not been."""
        self.counts, self.over = False, True
        self.ended = self.ended or _Clock(self.task.server)

    def left(self) -> None:
        """Hear that a client has gone."""
        self.open -= 1
        if not self.open:
            self.empty.set()

    def result(self) -> dict[str, Any]:
        """Return what was measured, in milliseconds and cores."""
        assert self.ended is not None
        seconds = max(self.ended.wall - self.begun.wall, 1e-9)
        ordered = sorted(1000 * one for one in self.latencies)
        shares = {"p50": 0.5, "p95": 0.95, "p99": 0.99}
        return {
            "requests": len(ordered),
            "seconds": seconds,
            "ms": {name: percentile(ordered, share) for name, share in shares.items()}
            if ordered
            else {},
            "errors": dict(self.errors),
            "server_cores": (self.ended.server - self.begun.server) / seconds,
            "client_cores": (self.ended.own - self.begun.own) / seconds,
            "others_cores": (self.ended.others - self.begun.others) / seconds,
            "answers": {number: _texts(body) for number, body in self.answers.items()},
        }


class _Clock:
    """What the clocks show, in seconds: the wall's, and the processors' of clients and server.

    `others` is what all other processes of the machine took, to tell whether it was quiet.
    """

    def __init__(self, server: int | None = None) -> None:
        self.wall, self.own = time.perf_counter(), time.process_time()
        self.server = 0.0
        stat = Path(f"/proc/{server}/stat")
        if server is not None and stat.exists():
            fields = stat.read_text("utf-8").rpartition(")")[2].split()
            self.server = (int(fields[11]) + int(fields[12])) / TICKS  # utime and stime
        self.others = _busy() - self.server - self.own


def _busy() -> float:
    """Return the seconds that all processors have worked; 0 where that cannot be read."""
    stat = Path("/proc/stat")
    if not stat.exists():
        return 0.0
    user, nice, system, _, _, *interrupts = map(int, stat.read_text("utf-8").split()[1:8])
    return (user + nice + system + sum(interrupts)) / TICKS


class Client(asyncio.Protocol):
    """One client on its connection."""

    def __init__(self, load: Load, number: int) -> None:
        self.load, self.number = load, number
        self.draw = random.Random(f"{load.task.seed} {number}")
        self.transport: asyncio.Transport | None = None
        self.buffer, self.asked, self.began = b"", 0, 0.0
        load.open += 1

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Ask the first time."""
        assert isinstance(transport, asyncio.Transport)
        self.transport = transport
        self.ask()

    def ask(self) -> None:
        """Send a request, or go when the time is over."""
        assert self.transport is not None
        if self.load.over:
            self.transport.close()
            return
        self.asked = self.draw.randrange(len(self.load.requests))
        self.began = time.perf_counter()
        self.transport.write(self.load.requests[self.asked])

    def data_received(self, data: bytes) -> None:
        """Take a part of an answer, which is often the whole."""
        self.buffer += data
        head, gap, rest = self.buffer.partition(b"\r\n\r\n")
        if not gap:
            return
        length = _length(head)
        if len(rest) < length:
            return
        body, self.buffer = rest[:length], rest[length:]
        took = time.perf_counter() - self.began
        status = head[9:12].decode("ascii", "replace")
        self.answered(status, body, took)

    def answered(self, status: str, body: bytes, took: float) -> None:
        """Count an answer, and ask again."""
        load = self.load
        if status != "200":
            load.errors[status] += 1
            load.over |= load.errors.total() > MOST_ERRORS
        elif load.counts:
            load.latencies.append(took)
        if status == "200" and load.requests[self.asked].startswith(b"POST"):
            load.answers.setdefault(self.asked, body)
        self.ask()

    def connection_lost(self, exc: Exception | None) -> None:
        """Go; a connection that ends before the time is over is an error."""
        if not self.load.over:
            self.load.errors["connection lost"] += 1
        self.load.left()


def _length(head: bytes) -> int:
    """Return how long the body is, by the head of an answer."""
    for line in head.split(b"\r\n"):
        name, _, value = line.partition(b":")
        if name.lower() == b"content-length":
            return int(value)
    return 0


def _request(task: Task, body: Any) -> bytes:
    """Return a whole request in bytes; without a body it is a GET."""
    method, content, fields = "GET", b"", ""
    if body is not None:
        method, content = "POST", json.dumps(body, ensure_ascii=False).encode()
        fields = f"Content-Type: application/json\r\nContent-Length: {len(content)}\r\n"
    head = f"{method} {task.path} HTTP/1.1\r\nHost: 127.0.0.1:{task.port}\r\n{fields}\r\n"
    return head.encode() + content


def _texts(body: bytes) -> list[str]:
    """Return the translations of an answer."""
    return [one["text"] for one in json.loads(body)["translations"]]


async def play(task: Task) -> dict[str, Any]:
    """Let the clients ask; return what was measured."""
    load, loop = Load(task), asyncio.get_running_loop()
    for number in range(task.clients):
        await loop.create_connection(partial(Client, load, number), "127.0.0.1", task.port)
    loop.call_later(task.warm, load.begin)
    loop.call_later(task.warm + task.seconds, load.end)
    try:
        await asyncio.wait_for(load.empty.wait(), task.warm + task.seconds + 2 * PATIENCE)
    except TimeoutError:
        load.errors["no answer"] += load.open
    load.stop()
    return load.result()


if __name__ == "__main__":
    print(json.dumps(asyncio.run(play(Task(**json.loads(sys.argv[1]))))))
