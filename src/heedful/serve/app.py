"""The application: all dialects and the health of the server, behind the guard.

Models with limits come in, an ASGI application goes out; `server` runs it, and so do the tests.
"""

__all__ = ["Service", "create_app"]

from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager

from fastapi import APIRouter, FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import Response
from starlette.exceptions import HTTPException
from starlette.types import Receive, Scope, Send

from heedful import __version__
from heedful.serve.detecting import Detector
from heedful.serve.direct import Direct
from heedful.serve.docs_page import docs_routes
from heedful.serve.document_routes import DOCUMENTS, document_routes
from heedful.serve.documents import KINDS, DocumentTranslator
from heedful.serve.files import WaitingFiles
from heedful.serve.guard import FAULT, FORMS, JSON, Guard
from heedful.serve.health import health_routes
from heedful.serve.libretranslate import FORM_PATHS, Dialect, libretranslate_routes
from heedful.serve.limits import ServerLimits
from heedful.serve.metrics import Metrics
from heedful.serve.models import Models
from heedful.serve.native import native_routes
from heedful.serve.openai.asked import ChatAsked, CompletionAsked, EmbeddingAsked
from heedful.serve.openai.routes import openai_routes
from heedful.serve.refusal import OPENAI, RefusalError, misshapen
from heedful.serve.schemas import DocumentAsked, TranslateAsked
from heedful.serve.security import Access

_ASKED = (TranslateAsked, DocumentAsked, ChatAsked, CompletionAsked, EmbeddingAsked)
_FIELDS = [(name, field) for asked in _ASKED for name, field in asked.model_fields.items()]
_NAMES = {field.alias or name for name, field in _FIELDS} | {"text", "role", "content", "type"}
"""Names of fields, the only words of a request that an answer repeats."""

_TYPES = dict.fromkeys(FORM_PATHS, (JSON, *FORMS)) | {DOCUMENTS: tuple(KINDS)}
"""What a body may be, where it need not be JSON."""


class Service:
    """The ASGI application, and what its runner must know of it."""

    def __init__(self, guard: Guard, models: Models) -> None:
        self._guard, self._models = guard, models
        self.draining = False

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer a request."""
        await self._guard(scope, receive, send)

    def drain(self) -> None:
        """Refuse what comes from now on; what has been asked is answered. Any thread may call."""
        self.draining = True
        self._models.drain()

    @property
    def ready(self) -> bool:
        """Whether every model that could be loaded takes requests."""
        return self._models.ready

    @property
    def idle(self) -> bool:
        """Whether everything that was asked has been translated."""
        return self._models.idle

    @property
    def computing(self) -> bool:
        """Whether a model is in the middle of something, whoever waits for it."""
        return self._models.computing


def create_app(
    models: Models,
    limits: ServerLimits | None = None,
    access: Access | None = None,
    metrics: Metrics | None = None,
    more: Sequence[APIRouter] = (),
) -> Service:
    """Return the application; its models begin to work when it is started.

    `more` are further routes, such as those of `heedful.playground`.
    """
    limits, access = limits or ServerLimits(), access or Access()
    metrics = metrics or Metrics()

    @asynccontextmanager
    async def lifespan(_: FastAPI) -> AsyncIterator[None]:
        for served in models.served.values():
            served.start()
        yield
        for served in models.served.values():
            await served.stop()
        documents.close()
        files.clear()

    app = FastAPI(
        title="heedful",
        summary="Translates, with models of one's own",
        version=__version__,
        lifespan=lifespan,
        docs_url=None,  # its page would ask another server for scripts
        redoc_url=None,
    )
    detector = Detector(list(dict.fromkeys(source for source, _ in models.ways)))
    documents, files = DocumentTranslator(limits), WaitingFiles(limits)
    dialect = Dialect(models, limits, access, detector, documents, files)
    direct = Direct(app, models, limits, access, dialect.translate)
    service = Service(Guard(direct, limits, access, metrics, _TYPES), models)
    routers = (
        native_routes(models, limits, access, detector),
        document_routes(models, limits, access, documents),
        libretranslate_routes(dialect),
        openai_routes(models, limits, access),
        health_routes(models, metrics, access, lambda: service.draining),
        docs_routes(app.openapi),
        *more,
    )
    for router in routers:
        app.include_router(router)
    metrics.look_at(models)
    metrics.know(str(getattr(one, "path", "")) for router in routers for one in router.routes)
    app.add_exception_handler(RefusalError, _refused)
    app.add_exception_handler(RequestValidationError, _misshapen)
    app.add_exception_handler(HTTPException, _impossible)
    app.add_exception_handler(Exception, _faulty)
    return service


async def _refused(request: Request, error: Exception) -> Response:
    assert isinstance(error, RefusalError)
    headers = {"content-type": "application/json"} | error.headers()
    return Response(error.body(request.url.path), error.status, headers)


async def _misshapen(request: Request, error: Exception) -> Response:
    """Say what is wrong with a body, and where, but never repeat it."""
    assert isinstance(error, RequestValidationError)
    first = error.errors()[0]
    if first["type"] == "json_invalid":
        return await _refused(request, RefusalError(400, "the body is not JSON"))
    where, *place = first["loc"]
    whole = "the address" if where == "query" else "the body"
    refusal = misshapen(place, str(first["msg"]), _NAMES, whole)
    if request.url.path.startswith(OPENAI):
        param = next((str(name) for name in place if name in _NAMES), None)
        refusal = RefusalError(400, refusal.sentence, param=param, code="invalid_value")
    return await _refused(request, refusal)


async def _faulty(request: Request, _: Exception) -> Response:
    """Answer where we are at fault; the guard, which is raised it too, writes it down."""
    return await _refused(request, RefusalError(500, FAULT))


async def _impossible(request: Request, error: Exception) -> Response:
    """Answer an unknown path, a wrong method, a form that cannot be read."""
    assert isinstance(error, HTTPException)
    sentence = _SENTENCES.get(error.status_code, "the request cannot be answered")
    answer = await _refused(request, RefusalError(error.status_code, sentence))
    for name, value in (error.headers or {}).items():
        answer.headers[name] = value
    return answer


_SENTENCES = {
    400: "the body cannot be read",
    404: "there is nothing at this address",
    405: "there is no such method at this address",
}
