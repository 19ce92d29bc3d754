"""The playground over HTTP: its files and no other, streams, who leaves, and what goes wrong."""

import asyncio
import gzip
import hashlib
import json
import re
import threading
from base64 import b64encode
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from heedful.errors import SettingError
from heedful.inspect import trace
from heedful.inspect.wire import to_wire
from heedful.playground.files import CODE, STATIC, found
from heedful.playground.handlers import Playground
from heedful.playground.routes import NEWER
from heedful.playground.tracing import Event
from heedful.serve.limits import ServerLimits
from heedful.serve.refusal import RefusalError
from tests.playground.playing import (
    CAT,
    bundled,
    events_of,
    playground,
    playing,
    random_model,
    whole,
)
from tests.serve.serving import JSON, Client, run, until

TRICKS = (
    "../playground/routes.py",
    "../../errors.py",
    "..",
    ".",
    "",
    "/",
    "//etc/passwd",
    "/etc/passwd",
    "%2e%2e/routes.py",
    "..%2froutes.py",
    "%252e%252e/routes.py",
    "..\\routes.py",
    "live\\play.js",
    "C:\\windows\\win.ini",
    "C:/windows/win.ini",
    "C:play.js",
    "\\\\server\\share\\a.js",
    "//server/share/a.js",
    "live/../wire.js",
    "live/./play.js",
    "live//play.js",
    "wire.js/",
    "wire.js\x00",
    "wire.js%00",
    "wire.js ",
    "wire.js::$DATA",
    ".wire.js",
    "WIRE.JS",
    "~/wire.js",
    "wire.js;a",
    "wire.js%0d%0aa: b",
    "live",
    "nothing.js",
    "ｗire.js",
    "NUL",
    "a" * 3000 + ".js",
)


# Files


@pytest.mark.parametrize("path", TRICKS)
def test_no_other_file(path: str) -> None:
    for root, endings in ((STATIC, (".js", ".css")), (CODE, (".py",))):
        with pytest.raises(RefusalError) as refused:
            found(root, path, endings)
        assert refused.value.status == 404


def test_no_other_file_over_http() -> None:
    async def scenario() -> None:
        async with playing() as client:
            for trick in TRICKS:
                raw = trick.encode("utf-8", "surrogateescape").decode("latin-1")
                for path in ("/static/", "/code/"):
                    answer = await client.ask("GET", path + raw)
                    assert answer.status == 404, trick
                    assert answer.json["error"] == "there is nothing at this address"
            for path in ("/static/index.html", "/code/py.typed", "/code/playground/static/wire.js"):
                assert (await client.ask("GET", path)).status == 404

    run(scenario)


def test_links_lead_nowhere(tmp_path: Path) -> None:
    secret = tmp_path / "secret.js"
    secret.write_text("secret")
    root = tmp_path / "static"
    root.mkdir()
    (root / "own.js").write_text("own")
    (root / "link.js").symlink_to(secret)
    (root / "folder").symlink_to(tmp_path)
    (root / "again.js").symlink_to(root / "own.js")
    assert found(root, "own.js", (".js",)).read_text() == "own"
    for path in ("link.js", "folder/secret.js", "again.js"):
        with pytest.raises(RefusalError):
            found(root, path, (".js",))
    linked = tmp_path / "linked"
    linked.symlink_to(root)  # the folder itself may be one
    assert found(linked, "own.js", (".js",)).read_text() == "own"


def test_the_page_and_its_files() -> None:
    async def scenario() -> None:
        async with playing() as client:
            page = await client.ask("GET", "/")
            assert page.status == 200
            assert page.headers["content-type"] == "text/html; charset=utf-8"
            imports = re.search(
                r'<script type="importmap">(.*?)</script>', page.body.decode(), re.S
            )
            assert imports is not None
            assert json.loads(imports[1]) == {"imports": {"heedful/": "/static/"}}
            checksum = b64encode(hashlib.sha256(imports[1].encode()).digest()).decode()
            assert page.headers["content-security-policy"] == (
                f"default-src 'none'; script-src 'self' 'sha256-{checksum}'; style-src 'self'; "
                "img-src 'self' data: blob:; connect-src 'self'; font-src 'self'; base-uri 'none'; "
                "form-action 'none'; frame-ancestors 'none'"
            )
            rest = page.body.decode().replace(imports[0], "")
            assert re.findall(r"<script(?![^>]* src=)", rest) == []
            assert "<style" not in rest
            assert " style=" not in rest
            assert "onclick" not in rest
            assert "http" not in rest
            for name in re.findall(r'(?:src|href)="(/[^"]+)"', rest):
                assert (await client.ask("GET", name)).status in (200, 404)  # 404: not yet written
            for file in STATIC.rglob("*.*"):
                if file.name == "index.html":
                    continue
                answer = await client.ask("GET", f"/static/{file.relative_to(STATIC).as_posix()}")
                assert answer.status == 200
                assert answer.body == file.read_bytes()
                assert answer.headers["cache-control"] == "no-cache"
                assert answer.headers["x-content-type-options"] == "nosniff"
                kinds = {".js": "text/javascript", ".css": "text/css", ".svg": "image/svg+xml"}
                assert answer.headers["content-type"].startswith(kinds[file.suffix])

    run(scenario)


def test_a_browser_keeps_what_has_not_changed() -> None:
    async def scenario() -> None:
        async with playing() as client:
            first = await client.ask("GET", "/static/wire.js")
            again = await client.ask(
                "GET", "/static/wire.js", headers={"if-none-match": first.headers["etag"]}
            )
            assert (again.status, again.body) == (304, b"")
            assert again.headers["etag"] == first.headers["etag"]
            other = await client.ask("GET", "/static/wire.js", headers={"if-none-match": '"x"'})
            assert (other.status, other.body) == (200, first.body)

    run(scenario)


def test_files_go_packed_to_who_can_unpack_them() -> None:
    async def scenario() -> None:
        async with playing() as client:
            plain = await client.ask("GET", "/static/wire.js")
            wanted = {"accept-encoding": "gzip, br"}
            packed = await client.ask("GET", "/static/wire.js", headers=wanted)
            assert packed.headers["content-encoding"] == "gzip"
            assert len(packed.body) < len(plain.body) / 2
            assert gzip.decompress(packed.body) == plain.body
            assert packed.headers["etag"] != plain.headers["etag"]
            known = wanted | {"if-none-match": packed.headers["etag"]}
            assert (await client.ask("GET", "/static/wire.js", headers=known)).status == 304

    run(scenario)


def test_ten_thousand_ranges_are_one_file() -> None:
    """CVE-2025-62727: parts of a file are never put together here."""
    ranges = "bytes=" + ",".join(f"{n}-{n}" for n in range(10_000))

    async def scenario() -> None:
        async with playing() as client:
            whole = await client.ask("GET", "/static/wire.js")
            began = asyncio.get_running_loop().time()
            answer = await client.ask("GET", "/static/wire.js", headers={"range": ranges})
            assert asyncio.get_running_loop().time() - began < 5
            assert (answer.status, answer.body) == (200, whole.body)
            assert "accept-ranges" not in answer.headers

    run(scenario)


def test_lines_of_the_code() -> None:
    async def scenario() -> None:
        async with playing() as client:
            lines = (CODE / "nn" / "attention.py").read_text("utf-8").splitlines()
            answer = await client.ask("GET", "/code/nn/attention.py?from=3&to=5")
            assert answer.headers["content-type"] == "text/html; charset=utf-8"
            assert "script-src" not in answer.headers["content-security-policy"]
            assert "default-src 'none'" in answer.headers["content-security-policy"]
            text = answer.body.decode()
            for number in (3, 4, 5):
                assert f"<i>{number}</i>" in text
            assert "<i>2</i>" not in text
            assert "<i>6</i>" not in text
            assert f"lines 3 to 5 of {len(lines)}" in text
            whole = (await client.ask("GET", "/code/nn/attention.py")).body.decode()
            assert f"<i>{len(lines)}</i>" in whole
            for strange in ("?from=0&to=0", "?from=99999999&to=1", "?from=-1&to=x", "?from=٣"):
                answer = await client.ask(
                    "GET", f"/code/nn/attention.py{strange}".encode().decode("latin-1")
                )
                assert answer.status == 200
            escaped = (await client.ask("GET", "/code/playground/files.py")).body.decode()
            assert "&lt;script type=&quot;importmap&quot;&gt;" in escaped
            assert "<script" not in escaped

    run(scenario)


# Asking


def test_a_stream_is_the_trace() -> None:
    async def scenario() -> None:
        async with playing() as client:
            answer = await client.post("/api/trace", {"text": CAT, "to": "de"}, x_heed_page="one")
            assert answer.status == 200
            found = whole(events_of(answer))
            expected = json.loads(json.dumps(to_wire(trace(bundled(), CAT, to="de"), "everyday")))
            assert {name: found[name] for name in expected} == expected
            row = {"id": found["id"], "kind": "cross", "layer": 1, "head": 2, "query": 3}
            told = await client.post("/api/row", row)
            seen = trace(bundled(), CAT, to="de")
            assert told.json["weights"] == seen.attention("cross", 1, 2)[3].tolist()
            page = await client.post("/api/export", {"id": found["id"]})
            assert page.headers["content-type"] == "text/html; charset=utf-8"
            assert page.headers["content-disposition"] == 'attachment; filename="trace.html"'
            assert page.body.startswith(b"<!doctype html>")
            exact = await client.post("/api/importance/exact", {"id": found["id"]})
            assert events_of(exact)[-1]["done"] == 40

    run(scenario)


def test_all_that_serve_answers() -> None:
    async def scenario() -> None:
        async with playing() as client:
            told = await client.post("/v1/translate", {"texts": [CAT], "to": "de"})
            assert told.json["translations"][0]["text"] == bundled().translate([CAT], to="de")[0]
            for path in ("/health", "/ready", "/v1/models", "/docs", "/openapi.json", "/languages"):
                assert (await client.ask("GET", path)).status == 200
            described = (await client.ask("GET", "/openapi.json")).json
            assert not any(path.startswith("/api") for path in described["paths"])
            assert (await client.ask("GET", "/api/models")).json["models"][0]["name"] == "everyday"
            atlas = (await client.ask("GET", "/api/atlas?model=everyday")).json
            assert len(atlas["heads"]) == 40
            assert atlas["verdict"].startswith("It is not shown that the model resolves")
            missing = await client.ask("GET", "/api/atlas?model=none")
            assert missing.status == 404

    run(scenario)


@pytest.mark.parametrize(
    ("body", "status", "said"),
    [
        (b"{", 400, "the body is not JSON"),
        (b"\xff", 400, "the body is not JSON"),
        (b"[" * 100_000, 400, "the body is not JSON"),
        (b"[]", 422, "the body: input should be a valid dictionary"),
        (b'{"text": "a", "to": "xx"}', 400, 'the model knows no language "xx"'),
        (b'{"text": "a", "to": "de", "model": "<b>"}', 404, 'there is no model "<b>" here'),
        (b'{"text": " ", "to": "de"}', 400, "there is nothing to look at"),
        (json.dumps({"text": "a" * 10_000, "to": "de"}).encode(), 413, "characters of the text"),
        (json.dumps({"text": "a " * 600, "to": "de"}).encode(), 413, "602 pieces are more than"),
        (b'{"text": "a", "to": "de", "beam": 99}', 422, "beam: 99 were given and 16 are allowed"),
        (b'{"text": "a", "to": "de", "beam": 1e999}', 422, "beam: "),
    ],
)
def test_what_is_refused_before_the_stream_begins(body: bytes, status: int, said: str) -> None:
    async def scenario() -> None:
        async with playing() as client:
            answer = await client.ask("POST", "/api/trace", body, JSON)
            assert answer.status == status
            assert answer.headers["content-type"] == "application/json"
            assert answer.json["error"].startswith(said)

    run(scenario)


def test_the_guard_stands_before_it() -> None:
    async def scenario() -> None:
        async with playing() as client:
            body = json.dumps({"text": CAT, "to": "de"}).encode()
            for headers, status in (
                ({"content-type": "text/plain"}, 415),
                ({}, 415),
                (JSON | {"origin": "https://evil.example"}, 403),
                (JSON | {"origin": "null"}, 403),
                (JSON | {"host": "evil.example"}, 421),
            ):
                for path in ("/api/trace", "/api/tokens", "/api/what_if"):
                    answer = await client.ask("POST", path, body, headers)
                    assert answer.status == status
            other = {"host": "evil.example"}
            for path in ("/", "/static/wire.js", "/code/cli.py", "/api/models"):
                assert (await client.ask("GET", path, headers=other)).status == 421
            assert (await client.ask("GET", "/api/trace")).status == 405
            assert (await client.ask("POST", "/api/none", b"{}", JSON)).status == 404

    run(scenario)


# What is computed for whom


class Slow(Playground):
    """A playground whose traces wait, event by event, to be let on."""

    def __init__(self, limits: ServerLimits | None = None) -> None:
        play = playground(limits)
        super().__init__(list(play.models.values()), play.limits)
        self.begun: list[str] = []
        self.ended: list[str] = []
        self.steps = threading.Semaphore(0)
        self.fails: list[BaseException] = []

    def _trace(self, asked: Any) -> Iterator[Event]:
        return self._slowly(asked.text)

    def _slowly(self, text: str) -> Iterator[Event]:
        self.begun.append(text)
        try:
            for number in range(8):
                assert self.steps.acquire(timeout=20)
                if self.fails:
                    raise self.fails.pop(0)
                yield {"event": "step", "number": number}
        finally:
            self.ended.append(text)

    def let(self, count: int) -> None:
        for _ in range(count):
            self.steps.release()


def asks(
    client: Client, text: str, page: str, gone: asyncio.Event | None = None
) -> "asyncio.Task[Any]":
    headers = JSON | {"x-heed-page": page}
    body = json.dumps({"text": text, "to": "de"}).encode()
    return asyncio.create_task(client.ask("POST", "/api/trace", body, headers, gone))


def test_the_newest_question_of_a_page_wins() -> None:
    async def scenario() -> None:
        slow = Slow()
        async with playing(slow) as client:
            first = asks(client, "first", "mine")
            await until(lambda: slow.begun == ["first"])
            waiting = [asks(client, f"typed {n}", "mine") for n in range(5)]
            other = asks(client, "other", "another page")
            await asyncio.sleep(0.05)
            slow.let(100)
            told = await first
            lines = events_of(told)
            assert len(lines) <= 2
            assert lines[-1] == {"event": "error", "error": NEWER}
            for one in waiting[:-1]:
                answer = await one
                assert (answer.status, answer.json["error"]) == (409, NEWER)
            assert len(events_of(await waiting[-1])) == 8
            assert len(events_of(await other)) == 8
            assert slow.begun == ["first", "typed 4", "other"]

    run(scenario)


def test_who_goes_away_is_given_up() -> None:
    async def scenario() -> None:
        slow = Slow()
        async with playing(slow) as client:
            gone = asyncio.Event()
            first = asks(client, "first", "mine", gone)
            await until(lambda: slow.begun == ["first"])
            queued = asyncio.Event()
            second = asks(client, "second", "other", queued)
            await asyncio.sleep(0.02)
            queued.set()
            gone.set()
            await asyncio.wait((first, second), timeout=5)
            slow.let(100)
            batcher = client.models.loaded[0].batcher  # type: ignore[attr-defined]
            await until(lambda: batcher.idle)
            assert slow.begun == ["first"]
            assert slow.steps._value >= 98
            third = await asks(client, "third", "mine")
            assert len(events_of(third)) == 8

    run(scenario)


def test_deadlines() -> None:
    async def scenario() -> None:
        slow = Slow(ServerLimits(request_seconds=0.3))
        async with playing(slow) as client:
            slow.let(2)
            answer = await asks(client, "late", "mine")
            lines = events_of(answer)
            assert [one.get("number") for one in lines[:-1]] == [0, 1]
            assert lines[-1]["error"].startswith("the server was too busy to answer in time")
            refused = await asks(client, "later", "mine")
            assert refused.status == 503
            assert refused.headers["retry-after"] == "1"
            slow.let(100)

    run(scenario)


def test_the_end_of_the_server() -> None:
    async def scenario() -> None:
        slow = Slow()
        async with playing(slow) as client:
            first = asks(client, "first", "mine")
            await until(lambda: slow.begun == ["first"])
            models = client.models  # type: ignore[attr-defined]
            assert not models.idle
            models.drain()
            slow.let(1)
            lines = events_of(await first)
            assert lines[-1]["error"].startswith("the server is stopping")
            await until(lambda: models.idle)
            assert (await asks(client, "second", "mine")).status == 503

    run(scenario)


@pytest.mark.parametrize("place", [0, 3])
@pytest.mark.parametrize(
    ("error", "status", "said"),
    [
        (MemoryError(), 503, "the model lacked the memory for this request; try again later"),
        (ValueError("secret"), 500, "this is a fault of the server, not of the request"),
        (SettingError("that is wrong", fix="give --beam 4"), 400, "that is wrong"),
        (SettingError("that is wrong", fix="give less"), 400, "that is wrong; give less"),
    ],
)
def test_failures(error: Exception, status: int, said: str, place: int) -> None:
    """Whatever fails, what comes next works; of faults of ours nothing is told."""

    async def scenario() -> None:
        slow = Slow()
        async with playing(slow) as client:
            first = asks(client, "first", "mine")
            slow.let(place)
            await until(lambda: slow.steps._value == 0 and bool(slow.begun))
            slow.fails.append(error)
            slow.let(1)
            if place == 0:
                answer = await first
                assert (answer.status, answer.json["error"]) == (status, said)
            else:
                answer = await first
                assert events_of(answer)[-1] == {"event": "error", "error": said}
            slow.let(100)
            assert len(events_of(await asks(client, "second", "mine"))) == 8
            assert slow.ended[0] == "first"

    run(scenario)


def test_lines_come_one_by_one() -> None:
    """What is there is sent before the next is computed."""

    async def scenario() -> None:
        slow = Slow()
        async with playing(slow) as client:
            task = asks(client, "first", "mine")
            sent: list[bytes] = []
            service = client._service

            async def listening(scope: Any, receive: Any, send: Any) -> None:
                async def heard(message: Any) -> None:
                    if message["type"] == "http.response.body" and message["body"]:
                        sent.append(message["body"])
                    await send(message)

                await service(scope, receive, heard)

            await until(lambda: bool(slow.begun))
            slow.let(8)
            await task
            client._service = listening  # type: ignore[assignment]
            task = asks(client, "second", "mine")
            for number in range(8):
                slow.let(1)
                await until(lambda number=number: len(sent) == number + 1)  # type: ignore[misc]
                assert json.loads(sent[-1])["number"] == number
            slow.let(1)
            await task

    run(scenario)


def test_pieces_need_no_model() -> None:
    """A text is cut while the model is busy."""

    async def scenario() -> None:
        slow = Slow()
        async with playing(slow) as client:
            first = asks(client, "first", "mine")
            await until(lambda: slow.begun == ["first"])
            told = await client.post("/api/tokens", {"text": CAT, "to": "de"})
            assert told.json["words"][-1] == "."
            assert (await client.ask("GET", "/api/models")).status == 200
            assert not first.done()
            slow.let(9)
            await first

    run(scenario)


def test_two_models() -> None:
    async def scenario() -> None:
        one, other = playground(), playground(translator=random_model())
        play = Playground([*one.models.values(), *other.models.values()], one.limits)
        async with playing(play) as client:
            listed = (await client.ask("GET", "/api/models")).json
            assert [model["name"] for model in listed["models"]] == ["everyday", "tiny"]
            asked = {"text": "The cat ate.", "to": "de", "target": "Die Katze."}
            by_default = whole(events_of(await client.post("/api/trace", asked)))
            tiny = whole(events_of(await client.post("/api/trace", asked | {"model": "tiny"})))
            assert (by_default["model"]["name"], tiny["model"]["name"]) == ("everyday", "tiny")
            assert tiny["model"]["encoder_layers"] == 2
            found = await client.post("/api/importance", {"id": tiny["id"]})
            assert len(found.json["encoder"]) == 2

    run(scenario)
