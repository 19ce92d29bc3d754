"""What stands before the application: limits, origins, kinds of bodies, clients that go away.

An ASGI request comes in; if nothing is wrong with it the application gets it with its whole body,
and is cancelled when the client goes away. Every answer gets the security headers and is counted.
"""

__all__ = ["FAULT", "FORMS", "JSON", "NOTES", "Guard", "type_of"]

import asyncio
import logging
import time
from collections.abc import Mapping, Sequence

from starlette.datastructures import Headers, MutableHeaders
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from heedful.serve.limits import ServerLimits
from heedful.serve.metrics import Metrics
from heedful.serve.refusal import RefusalError
from heedful.serve.security import HEADERS, Access

JSON = "application/json"
FORMS = ("application/x-www-form-urlencoded", "multipart/form-data")
READING = ("GET", "HEAD", "OPTIONS")
"""Methods that change nothing, and have no body."""

FAULT = "this is a fault of the server, not of the request"
"""What a client is told of it."""

NOTES = "heed-notes"
"""The header that says what was done to a document, and what could not be."""

_UNICODE = ("utf-8", "utf8", "us-ascii")

_ALLOWED = {
    "access-control-allow-methods": "GET, POST",
    "access-control-allow-headers": "authorization, content-type, x-api-key",
    "access-control-max-age": "600",
}

log = logging.getLogger("heedful.serve")


class Guard:
    """Lets through what is allowed.

    `types` are the content types that a body may have at some paths; elsewhere it must be JSON,
    which no page can send to another origin unasked. Those others a page can send: what refuses it
    is the `Origin` that browsers say.
    """

    def __init__(
        self,
        app: ASGIApp,
        limits: ServerLimits,
        access: Access,
        metrics: Metrics,
        types: Mapping[str, Sequence[str]] | None = None,
    ) -> None:
        self.app, self.limits, self.access, self.metrics = app, limits, access, metrics
        self.types = types or {}

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request."""
        if scope["type"] == "lifespan":
            await self.app(scope, receive, send)
            return
        if scope["type"] != "http":
            return
        answer = _Answer(send, Headers(scope=scope).get("origin"))
        began = time.monotonic()
        try:
            await self._answer(scope, receive, answer)
        except RefusalError as error:
            await answer.refuse(error, scope["path"])
        except Exception as error:
            _tell(error)
            await answer.refuse(RefusalError(500, FAULT), scope["path"])
        finally:
            if answer.status is not None:
                seconds = time.monotonic() - began
                self.metrics.answered(scope["path"], answer.status, seconds)

    async def _answer(self, scope: Scope, receive: Receive, answer: "_Answer") -> None:
        headers = Headers(scope=scope)
        self._check(scope, headers, answer)
        if scope["method"] == "OPTIONS" and "access-control-request-method" in headers:
            await answer.give(204, _ALLOWED)
            return
        body = await self._body(headers, receive)
        if body is not None:
            await self._run(scope, body, receive, answer)

    def _check(self, scope: Scope, headers: Headers, answer: "_Answer") -> None:
        """Raise RefusalError for what can be seen without the body."""
        limits = self.limits
        target = len(scope.get("raw_path") or b"") + len(scope["query_string"])
        if target > limits.url_bytes:
            raise RefusalError(414, f"the address is longer than {limits.url_bytes:,} bytes")
        if len(headers) > limits.headers:
            raise RefusalError(431, f"there are more than {limits.headers} headers")
        host = headers.get("host")
        self.access.check_host(host)
        self.access.check_origin(headers.get("origin"), host, scope["scheme"])
        answer.trusted = True
        if headers.get("content-encoding", "identity") != "identity":
            raise RefusalError(415, "a body must not be compressed")
        if scope["method"] not in READING:
            self._check_kind(scope["path"], headers.get("content-type", ""))

    def _check_kind(self, path: str, kind: str) -> None:
        name, known = type_of(kind), self.types.get(path, (JSON,))
        if name not in known:
            listed = " or ".join(known)
            raise RefusalError(415, f"the content type must be {listed}")
        for parameter in kind.lower().split(";")[1:]:
            key, _, value = parameter.partition("=")
            if name != JSON and key.strip() == "charset" and value.strip(' "') not in _UNICODE:
                raise RefusalError(415, "the body must be in UTF-8")

    async def _body(self, headers: Headers, receive: Receive) -> bytes | None:
        """Return the whole body, None when the client has gone; RefusalError if it is too long."""
        most = self.limits.body_bytes
        too_long = RefusalError(413, f"the body is longer than {most:,} bytes")
        declared = headers.get("content-length", "0")
        if not declared.isdecimal():
            raise RefusalError(400, "the content length is no number")
        if int(declared[:20]) > most:
            raise too_long
        chunks, size = [], 0
        while True:
            message = await receive()
            if message["type"] == "http.disconnect":
                return None
            chunk = message.get("body", b"")
            size += len(chunk)
            if size > most:
                raise too_long
            chunks.append(chunk)
            if not message.get("more_body", False):
                return b"".join(chunks)

    async def _run(self, scope: Scope, body: bytes, receive: Receive, answer: "_Answer") -> None:
        """Run the application until it has answered or the client has gone."""
        given = False
        gone = asyncio.Event()

        async def again() -> Message:
            nonlocal given
            if not given:
                given = True
                return {"type": "http.request", "body": body, "more_body": False}
            await gone.wait()
            return {"type": "http.disconnect"}

        working = asyncio.ensure_future(self.app(scope, again, answer.send))
        leaving = asyncio.ensure_future(_left(receive))
        try:
            await asyncio.wait((working, leaving), return_when=asyncio.FIRST_COMPLETED)
            if not working.done():
                gone.set()
                working.cancel()
                await asyncio.wait((working,))
            if not working.cancelled():
                working.result()
        finally:
            leaving.cancel()
            working.cancel()


def type_of(kind: str) -> str:
    """Return a media type without its parameters.

    >>> type_of("Text/HTML; charset=utf-8")
    'text/html'
    """
    return kind.partition(";")[0].strip().lower()


class _Answer:
    """What goes out, with the headers that every answer has."""

    def __init__(self, send: Send, origin: str | None) -> None:
        self._send, self._origin = send, origin
        self.trusted = False
        """Whether the page that asks may read the answer."""
        self.status: int | None = None

    async def send(self, message: Message) -> None:
        if message["type"] == "http.response.start":
            self.status = message["status"]
            headers = MutableHeaders(scope=message)
            for name, value in HEADERS.items():
                headers.setdefault(name, value)
            if self.trusted and self._origin is not None:
                headers["access-control-allow-origin"] = self._origin
                headers["access-control-expose-headers"] = f"{NOTES}, retry-after"
                headers["vary"] = "origin"
        await self._send(message)

    async def give(self, status: int, headers: dict[str, str], body: bytes = b"") -> None:
        raw = [(name.encode(), value.encode()) for name, value in headers.items()]
        raw.append((b"content-length", str(len(body)).encode()))
        await self.send({"type": "http.response.start", "status": status, "headers": raw})
        await self.send({"type": "http.response.body", "body": body})

    async def refuse(self, error: RefusalError, path: str) -> None:
        """Say why not; nothing, if an answer has begun."""
        if self.status is None:
            headers = {"content-type": "application/json"} | error.headers()
            await self.give(error.status, headers, error.body(path))


async def _left(receive: Receive) -> None:
    """Return when the client has gone."""
    while (await receive())["type"] != "http.disconnect":
        pass


def _tell(error: Exception) -> None:
    """Write down where something went wrong, without what it said: that may be a user's text."""
    place = error.__traceback__
    while place is not None and place.tb_next is not None:
        place = place.tb_next
    where = "" if place is None else f"{place.tb_frame.f_code.co_filename}:{place.tb_lineno}"
    log.error("a request failed: %s at %s", type(error).__name__, where)
