"""A server without a model: an engine that answers at once, or when it is told to."""

import asyncio
import json
import threading
from collections.abc import AsyncIterator, Callable, Coroutine, Iterator, Mapping, Sequence
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass, field
from typing import Any

from heedful.flowing import Feed
from heedful.request import Request
from heedful.serve.app import Service, create_app
from heedful.serve.batcher import Batcher, How
from heedful.serve.embedding import Embedder, WriterEmbedder
from heedful.serve.limits import ServerLimits
from heedful.serve.metrics import Metrics
from heedful.serve.models import Model, Models, WritingModel
from heedful.serve.security import Access
from heedful.serve.server import _Server, bound
from heedful.serve.writing import Scribe
from heedful.translation import Candidate, Translation
from heedful.writer import Writer

WAYS = (("en", "de"), ("de", "en"), ("en", "zh"), ("zh", "en"))
JSON = {"content-type": "application/json"}
DE, ZH = How(to="de"), How(to="zh")


@dataclass
class FakeEngine:
    """Puts the target language before every text; a text is as long as it has words."""

    open: threading.Event = field(default_factory=threading.Event)
    """While it is not set, nothing is translated."""
    begun: threading.Event = field(default_factory=threading.Event)
    """Set when a batch has begun."""
    fails: list[BaseException] = field(default_factory=list)
    """What the next batches raise."""
    proofs: list[BaseException | None] = field(default_factory=list)
    """What the next attempts to show that it works raise."""
    batches: list[list[str]] = field(default_factory=list)
    lanes: int = 0

    @property
    def workers(self) -> int:
        return max(1, self.lanes)

    def sizes(self, texts: Sequence[str], how: How) -> list[int]:
        return [len(text.split()) for text in texts]

    def translate(self, requests: Sequence[Request], how: How) -> list[Translation]:
        self.batches.append([one.text for one in requests])
        self.begun.set()
        assert self.open.wait(20)
        if self.fails:
            raise self.fails.pop(0)
        count = how.search.returned
        return [_translation(one.text, how.to or "", count) for one in requests]

    def flows(self, how: How) -> bool:
        return self.lanes > 0

    def flow(self, how: How, feed: Feed) -> None:
        raise NotImplementedError

    def prove(self) -> None:
        if self.proofs and (error := self.proofs.pop(0)) is not None:
            raise error


@dataclass
class FlowingEngine(FakeEngine):
    """Lets texts in; in each step, for which it waits, it ends the one that came first."""

    lanes: int = 1
    steps: threading.Semaphore = field(default_factory=lambda: threading.Semaphore(0))
    places: int = 4
    under_way: list[list[str]] = field(default_factory=list)
    """What is under way in each step."""

    def flow(self, how: How, feed: Feed) -> None:
        coming, going = 0, dict[int, Request]()
        while True:
            while fresh := feed.more(self.places - len(going)):
                going |= dict(enumerate(fresh, start=coming))
                coming += len(fresh)
            going = {n: one for n, one in going.items() if not self._left(n, one, feed)}
            if not going:
                return
            self.under_way.append([one.text for one in going.values()])
            self.begun.set()
            assert self.open.is_set() or self.steps.acquire(timeout=20)
            if self.fails:
                raise self.fails.pop(0)
            first = min(going)
            feed.done(first, _translation(going.pop(first).text, how.to or "", 1))

    def _left(self, number: int, one: Request, feed: Feed) -> bool:
        if one.client.gone:
            feed.done(number, _translation(one.text, "", 1))
        return one.client.gone

    def step(self) -> None:
        """Let a step be taken."""
        self.steps.release()


def _translation(text: str, to: str, count: int) -> Translation:
    said = [f"{to}:{text}", *(f"{to}:{text} ({rank})" for rank in range(2, count + 1))]
    found = tuple(Candidate(one, -float(rank), -1.0) for rank, one in enumerate(said))
    return Translation(text, said[0], found)


def open_engine() -> FakeEngine:
    """Return an engine that answers at once."""
    engine = FakeEngine()
    engine.open.set()
    return engine


def service_of(
    engine: FakeEngine,
    limits: ServerLimits | None = None,
    access: Access | None = None,
    missing: Sequence[str] = (),
    ways: tuple[tuple[str, str], ...] = WAYS,
    writers: Mapping[str, Writer] | None = None,
    embedder: Embedder | None = None,
) -> tuple[Service, Models]:
    """Return an application with one model that translates, called fake, and those that write."""
    limits, metrics = limits or ServerLimits(), Metrics()
    batcher = Batcher("fake", engine, limits, told=metrics.batches("fake"), sleep=_no_time)
    writing = [
        WritingModel(
            name,
            Scribe(name, writer, limits, told=metrics.batches(name), sleep=_no_time),
            WriterEmbedder(writer),
        )
        for name, writer in (writers or {}).items()
    ]
    models = Models([Model("fake", ways, batcher, embedder)], missing, writing)
    return create_app(models, limits, access, metrics), models


async def _no_time(_: float) -> None:
    await asyncio.sleep(0)


async def until(true: Callable[[], bool]) -> None:
    """Wait until something is true, 5 seconds at most."""
    async with asyncio.timeout(5):
        while not true():
            await asyncio.sleep(0.001)


@asynccontextmanager
async def batching(
    engine: FakeEngine, limits: ServerLimits | None = None, **given: Any
) -> AsyncIterator[Batcher]:
    """Run a batcher without a server."""
    batcher = Batcher("fake", engine, limits or ServerLimits(), sleep=_no_time, **given)
    batcher.start()
    try:
        await until(lambda: batcher.ready)
        yield batcher
    finally:
        engine.open.set()
        await batcher.stop()


async def asked(batcher: Batcher, *texts: str, how: How = DE) -> list[str]:
    """Return the translations of some texts."""
    found = await batcher.translate([Request(text) for text in texts], how)
    return [one.text for one in found]


async def busy(batcher: Batcher, engine: FakeEngine) -> "asyncio.Task[list[str]]":
    """Keep the model busy with one text, until the engine is opened."""
    task = asyncio.create_task(asked(batcher, "busy"))
    await until(engine.begun.is_set)
    return task


@dataclass
class Answer:
    """What came back."""

    status: int
    headers: dict[str, str]
    body: bytes

    @property
    def json(self) -> Any:
        return json.loads(self.body)


class Client:
    """Asks an application in the same event loop, without a socket."""

    def __init__(self, service: Service) -> None:
        self._service = service
        self.host = "localhost"

    async def ask(
        self,
        method: str,
        path: str,
        body: bytes | Sequence[bytes] = b"",
        headers: Mapping[str, str] | None = None,
        gone: asyncio.Event | None = None,
    ) -> Answer:
        """Send a request, the body in one or several pieces; `gone` is set when it leaves."""
        pieces = [body] if isinstance(body, bytes) else list(body)
        path, _, query = path.partition("?")
        named = {"host": self.host} | dict(headers or {})
        scope = {
            "type": "http",
            "asgi": {"version": "3.0", "spec_version": "2.3"},
            "http_version": "1.1",
            "method": method,
            "scheme": "http",
            "path": path,
            "raw_path": path.encode(),
            "query_string": query.encode(),
            "root_path": "",
            "headers": [(k.lower().encode(), v.encode("latin-1")) for k, v in named.items()],
            "client": ("127.0.0.1", 1),
            "server": ("127.0.0.1", 5000),
            "state": {},
        }
        leaves = gone or asyncio.Event()
        sent: list[dict[str, Any]] = []

        async def receive() -> dict[str, Any]:
            if pieces:
                piece = pieces.pop(0)
                return {"type": "http.request", "body": piece, "more_body": bool(pieces)}
            await leaves.wait()
            return {"type": "http.disconnect"}

        async def send(message: Any) -> None:
            sent.append(message)

        await self._service(scope, receive, send)
        if not sent:
            return Answer(0, {}, b"")
        got = {k.decode(): v.decode("latin-1") for k, v in sent[0]["headers"]}
        whole = b"".join(message.get("body", b"") for message in sent[1:])
        return Answer(sent[0]["status"], got, whole)

    async def post(self, path: str, what: Any, **headers: str) -> Answer:
        """Send JSON."""
        named = {name.replace("_", "-"): value for name, value in headers.items()}
        return await self.ask("POST", path, json.dumps(what).encode(), JSON | named)


@asynccontextmanager
async def asking(
    engine: FakeEngine | None = None, limits: ServerLimits | None = None, **given: Any
) -> AsyncIterator[Client]:
    """Run an application; yield who asks it."""
    engine = engine or open_engine()
    service, models = service_of(engine, limits, **given)
    for served in models.served.values():
        served.start()
    try:
        await until(lambda: models.ready)
        yield Client(service)
    finally:
        engine.open.set()
        for served in models.served.values():
            await served.stop()


def run(scenario: Callable[[], Coroutine[Any, Any, None]], seconds: float = 60) -> None:
    """Run one test's coroutine, so long at most."""

    async def limited() -> None:
        async with asyncio.timeout(seconds):
            await scenario()

    asyncio.run(limited())


@dataclass
class Live:
    """A server that listens."""

    port: int
    service: Service
    models: Models


@contextmanager
def listening(
    engine: FakeEngine | None = None, limits: ServerLimits | None = None, **given: Any
) -> Iterator[Live]:
    """Run a server in a thread, on a port that is free."""
    engine, limits = engine or open_engine(), limits or ServerLimits()
    service, models = service_of(engine, limits, **given)
    ready = threading.Event()
    with bound("127.0.0.1", 0) as listener:
        server = _Server(service, limits, ready.set)
        thread = threading.Thread(target=server.run, kwargs={"sockets": [listener]})
        thread.start()
        try:
            assert ready.wait(10)
            asyncio.run(until(lambda: models.ready))
            yield Live(listener.getsockname()[1], service, models)
        finally:
            engine.open.set()
            service.drain()
            thread.join(10)
            assert not thread.is_alive()
