"""The playground over HTTP: a thin layer between the server of `heedful.serve` and the handlers.

Requests come in through the guard, are checked, and computed in the thread of their model, between
the batches of those who only translate; streams are computed event by event. Whoever leaves is
given up, and a page that asks anew leaves what it asked before.
"""

__all__ = ["play_routes"]

import asyncio
import gzip
import hashlib
import json
from collections.abc import AsyncIterator, Callable, Iterator
from functools import lru_cache, partial
from typing import Any, TypeVar

from fastapi import APIRouter, Request
from fastapi.responses import HTMLResponse, Response, StreamingResponse

from heedful.errors import HeedfulError, lacks_memory
from heedful.inspect.leaving import LeftError, still_wanted, waited_for
from heedful.playground.files import (
    STATIC,
    code_page,
    content_type,
    found,
    index,
    page_policy,
)
from heedful.playground.handlers import AT_ONCE, Answer, Playground
from heedful.playground.kept import Pages
from heedful.playground.refused import refused, told
from heedful.playground.written import written
from heedful.search import Client
from heedful.serve.batcher import Batcher
from heedful.serve.guard import FAULT
from heedful.serve.models import Models
from heedful.serve.refusal import RefusalError
from heedful.web_page import policy

PAGE = "x-heed-page"
"""The header by which a page tells itself from others."""

LONGEST_PAGE = 64

NEWER = "something newer was asked for"

FILES = (".css", ".js", ".png", ".svg")

Result = TypeVar("Result")


def play_routes(play: Playground, models: Models) -> APIRouter:
    """Return the routes of the page, its files and what it asks."""
    router = APIRouter(include_in_schema=False)
    router.include_router(_pages())
    asking = _Asking(play, models)
    api = APIRouter(prefix="/api")

    @api.get("/models")
    async def listed() -> Response:
        return Response(written(play.listed()), **_JSON)

    @api.get("/atlas")
    async def atlas(model: str | None = None) -> Response:
        return Response(written(play.atlas(model)), **_JSON)

    for name in play.names:
        api.add_api_route(f"/{name}", partial(asking.answer, name), methods=["POST"])
    router.include_router(api)
    return router


def _pages() -> APIRouter:
    router = APIRouter()

    @router.get("/")
    async def page(request: Request) -> Response:
        text = index()
        headers = {"content-security-policy": page_policy(text)}
        return _file(request, text.encode(), "text/html; charset=utf-8", headers)

    @router.get("/static/{path:path}")
    async def static(request: Request, path: str) -> Response:
        file = found(STATIC, path, FILES)
        return _file(request, file.read_bytes(), content_type(file), {})

    @router.get("/code/{path:path}")
    async def code(request: Request, path: str) -> Response:
        first, last = (_number(request.query_params.get(name)) for name in ("from", "to"))
        text = code_page(path, first, last, request.query_params.get("symbol"))
        return HTMLResponse(text, headers={"content-security-policy": policy(text)})

    return router


def _file(request: Request, content: bytes, kind: str, headers: dict[str, str]) -> Response:
    """Return a file, or that the browser's copy is still right; ranges of it are not served."""
    packed = "gzip" in request.headers.get("accept-encoding", "")
    content = _packed(content) if packed else content
    tag = f'"{hashlib.sha256(content).hexdigest()[:32]}"'
    headers = headers | {"etag": tag, "cache-control": "no-cache", "vary": "accept-encoding"}
    if tag in request.headers.get("if-none-match", ""):
        return Response(status_code=304, headers=headers)
    if packed:
        headers["content-encoding"] = "gzip"
    return Response(content, headers=headers | {"content-type": kind})


@lru_cache(512)
def _packed(content: bytes) -> bytes:
    return gzip.compress(content, mtime=0)


def _number(text: str | None) -> int | None:
    """Return a line's number; what is none is left out."""
    return int(text) if text and text.isascii() and text.isdecimal() and len(text) < 9 else None


class _Asking:
    """Takes requests to the threads of their models."""

    def __init__(self, play: Playground, models: Models) -> None:
        self.play, self.pages = play, Pages()
        self.batchers = {model.name: model.batcher for model in models.loaded}

    async def answer(self, name: str, request: Request) -> Response:
        """Answer a request."""
        until = asyncio.get_running_loop().time() + self.play.limits.request_seconds
        asked = self.play.check(name, await _body(request))
        if name in AT_ONCE:
            return Response(_refusing(lambda: written(self.play.answer(name, asked))), **_JSON)
        client = Client()
        if name == "trace" and (page := request.headers.get(PAGE)):
            self.pages.ask(page[:LONGEST_PAGE], client)
        batcher = self.batchers[self.play.model_of(asked).name]
        work = _Work(batcher, client, until)
        answer = await work.run(lambda: _begun(self.play.answer(name, asked)))
        if isinstance(answer, bytes):
            return Response(answer, **_JSON)
        if isinstance(answer, str):
            headers = {"content-disposition": 'attachment; filename="trace.html"'}
            return HTMLResponse(answer, headers=headers)
        first, events = answer  # what is refused, is refused before the answer begins
        return StreamingResponse(_lines(work, first, events), media_type="application/x-ndjson")


_JSON: dict[str, Any] = {"media_type": "application/json"}

Events = Iterator[dict[str, Any]]


def _begun(answer: Answer) -> bytes | str | tuple[bytes, Events]:
    """Return an answer as it goes out; of a stream the first line, and the rest to be computed."""
    if isinstance(answer, str):
        return answer
    return written(answer) if isinstance(answer, dict) else (_next(answer), answer)


def _next(events: Events) -> bytes:
    """Return the next line of a stream, nothing after the last."""
    event = next(events, None)
    return b"" if event is None else _line(event)


def _line(event: dict[str, Any]) -> bytes:
    return written(event) + b"\n"


class _Work:
    """What one request has to be computed, until it is too late or nobody waits."""

    def __init__(self, batcher: Batcher, client: Client, until: float) -> None:
        self.batcher, self.client, self.until = batcher, client, until

    async def run(self, function: Callable[[], Result]) -> Result:
        """Return what a function returns in the model's thread; RefusalError if it cannot."""

        def work() -> Result:
            with waited_for(self.client):
                still_wanted()
                return function()

        try:
            async with asyncio.timeout_at(self.until):
                return await self.batcher.aside(partial(_refusing, work))
        except TimeoutError:
            self.client.leave()
            raise self._again("the server was too busy to answer in time") from None
        except asyncio.CancelledError:
            self.client.leave()
            raise
        except Exception as error:
            if not lacks_memory(error):
                raise
            raise self._again("the model lacked the memory for this request") from error

    def _again(self, sentence: str) -> RefusalError:
        retry = self.batcher.limits.retry_seconds
        return RefusalError(503, f"{sentence}; try again later", retry=retry)


async def _lines(work: _Work, first: bytes, events: Events) -> AsyncIterator[bytes]:
    """Yield the lines of a stream; what goes wrong on the way is the last of them."""
    line = first
    try:
        while line:
            yield line
            line = await work.run(lambda: _next(events))
    except RefusalError as error:
        yield _line({"event": "error"} | told(error))
    except Exception:
        yield _line({"event": "error", "error": FAULT})
        raise
    finally:
        work.client.leave()


def _refusing(function: Callable[[], Result]) -> Result:
    """Return what a function returns; raises RefusalError for a client's mistake."""
    try:
        return function()
    except HeedfulError as error:
        raise refused(error) from error
    except LeftError:
        raise RefusalError(409, NEWER) from None


async def _body(request: Request) -> Any:
    """Return the JSON of a request; raises RefusalError for what is none."""
    try:
        return json.loads(await request.body())
    except (ValueError, RecursionError):
        raise RefusalError(400, "the body is not JSON") from None
