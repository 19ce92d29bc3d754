"""The two ways to have texts translated, answered without FastAPI; everything else is left to it.

Its routing, its checks and the middlewares before it take a third of the time of a short request. A
request that can be read and is as it should be is answered here; FastAPI, the slow twin, describes
both routes, and says what is wrong with a request. `app` puts it behind the guard.
"""

__all__ = ["Direct"]

from collections.abc import Awaitable, Callable

from pydantic import ValidationError
from starlette.requests import Request
from starlette.responses import Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from heedful.serve.guard import JSON, type_of
from heedful.serve.limits import ServerLimits
from heedful.serve.models import Models
from heedful.serve.native import key_of, translated
from heedful.serve.schemas import TranslateAsked
from heedful.serve.security import Access


class Direct:
    """Answers POST `/v1/translate` and, of JSON, `/translate`, the function `libretranslate`.

    It is given whole bodies, and what it raises is answered by the guard.
    """

    def __init__(
        self,
        app: ASGIApp,
        models: Models,
        limits: ServerLimits,
        access: Access,
        libretranslate: Callable[[Request], Awaitable[Response]],
    ) -> None:
        self.app, self._models, self._limits, self._access = app, models, limits, access
        self._libretranslate = libretranslate

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer a request."""
        if scope["type"] == "http" and scope["method"] == "POST":
            if scope["path"] == "/v1/translate":
                await self._native(scope, receive, send)
                return
            if scope["path"] == "/translate":
                request = Request(scope, receive)
                if type_of(request.headers["content-type"]) == JSON:
                    await (await self._libretranslate(request))(scope, receive, send)
                    return
        await self.app(scope, receive, send)

    async def _native(self, scope: Scope, receive: Receive, send: Send) -> None:
        message = await receive()
        try:
            asked = TranslateAsked.model_validate_json(message["body"])
        except ValidationError:
            await self.app(scope, _again(message, receive), send)
            return
        if self._access.keys:
            self._access.check_key(key_of(Request(scope)))
        body = await translated(asked, self._models, self._limits)
        length = str(len(body)).encode()
        headers = [(b"content-length", length), (b"content-type", JSON.encode())]
        await send({"type": "http.response.start", "status": 200, "headers": headers})
        await send({"type": "http.response.body", "body": body})


def _again(message: Message, receive: Receive) -> Receive:
    """Return who gives a message once more before what follows it."""
    given = False

    async def again() -> Message:
        nonlocal given
        if given:
            return await receive()
        given = True
        return message

    return again
