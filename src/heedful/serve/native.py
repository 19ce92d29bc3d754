"""The native API: `/v1/translate`, `/v1/translate/stream`, `/v1/models`, `/v1/detect`.

JSON comes in and goes out; a stream is a line of JSON for every sentence. `app` mounts it.
"""

__all__ = ["REFUSALS", "key_of", "native_routes", "needing_a_key", "translated"]

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import aclosing
from dataclasses import replace
from typing import Any

from fastapi import APIRouter, Depends, Request
from fastapi.responses import Response, StreamingResponse

from heedful.serve.detecting import Detector
from heedful.serve.guard import JSON
from heedful.serve.limits import ServerLimits
from heedful.serve.models import Model, Models
from heedful.serve.refusal import RefusalError
from heedful.serve.schemas import (
    DetectAsked,
    Detected,
    Failure,
    Known,
    KnownModel,
    OneModel,
    StreamAsked,
    TranslateAsked,
    Translations,
    check_texts,
)
from heedful.serve.security import Access
from heedful.text.sentences import gap_after, split_sentences
from heedful.translation import Translation

REFUSALS: dict[int | str, dict[str, Any]] = {
    status: {"model": Failure, "description": what}
    for status, what in {
        400: "Not JSON, no such languages, or words that contradict each other",
        401: "No API key, or an unknown one",
        403: "A page of another origin",
        404: "No such model",
        413: "Too much",
        415: "Not application/json",
        421: "Another host's name",
        422: "Not of the shape that is described here",
        429: "Too many requests are waiting",
        503: "No model is ready, the server is stopping, or it took too long",
    }.items()
}
"""In the OpenAPI document."""


def key_of(request: Request) -> str | None:
    """Return the API key in the headers of a request."""
    bearer = request.headers.get("authorization", "")
    if bearer[:7].lower() == "bearer ":
        return bearer[7:].strip()
    return request.headers.get("x-api-key")


def needing_a_key(access: Access) -> list[Any]:
    """Return what routes depend on that only who has a key may ask; nothing if there are none.

    FastAPI's dependencies cost a tenth of a short request.
    """

    async def allowed(request: Request) -> None:
        access.check_key(key_of(request))

    return [Depends(allowed)] if access.keys else []


def native_routes(
    models: Models, limits: ServerLimits, access: Access, detector: Detector
) -> APIRouter:
    """Return the routes of the native API."""
    told = {model.name: _told(model) for model in models.loaded}
    router = APIRouter(
        prefix="/v1",
        tags=["native"],
        dependencies=needing_a_key(access),
        responses=REFUSALS,
    )

    @router.post("/translate", response_model=Translations)
    async def translate(asked: TranslateAsked) -> Response:
        """Translate texts."""
        return Response(await translated(asked, models, limits), media_type=JSON)

    @router.post("/translate/stream", response_class=StreamingResponse)
    async def stream(asked: StreamAsked) -> StreamingResponse:
        """Translate one text; a line of JSON for every sentence as soon as it is there.

        Each has `source` (with the white space after it), `text` and `flags`; the last has `done`
        and the whole `text`, or, if something went wrong on the way, `error`.
        """
        check_texts([asked.text], limits)
        lines = _lines(models, limits, asked)
        first = await anext(lines)  # what is refused, is refused before the answer begins
        return StreamingResponse(_all(first, lines), media_type="application/x-ndjson")

    @router.get("/models")
    async def known() -> Known:
        """List the models, what they do, and what is allowed; as OpenAI's clients read it, too."""
        listed = []
        for name, served in models.served.items():
            ways, languages = told.get(name, ([], []))
            listed.append(
                KnownModel(
                    name=name,
                    ready=served.ready,
                    ways=ways,
                    languages=languages,
                    writes=name not in told,
                )
            )
        return Known(
            models=listed,
            missing=list(models.missing),
            limits=limits.model_dump(),
            data=[OneModel(id=name) for name in models.served],
        )

    @router.post("/detect")
    async def detect(asked: DetectAsked) -> list[list[Detected]]:
        """Tell in which of the known languages each text may be, the likeliest first."""
        check_texts(asked.texts, limits)
        guesses = await asyncio.to_thread(lambda: [detector(text) for text in asked.texts])
        return [[Detected(**guess._asdict()) for guess in one] for one in guesses]

    return router


def _told(model: Model) -> tuple[list[list[str]], list[str]]:
    """Return its pairs of languages; or the languages alone, where they say as much."""
    languages = model.languages
    return ([], languages) if languages else ([list(way) for way in model.ways], [])


async def translated(asked: TranslateAsked, models: Models, limits: ServerLimits) -> bytes:
    """Return the JSON of `Translations`; it is not checked once more."""
    check_texts(asked.texts, limits)
    way = models.find(asked.to, asked.from_, asked.model)
    requests = [asked.request(text) for text in asked.texts]
    found = await way.model.batcher.translate(requests, asked.how(way, limits))
    answer = {
        "model": way.model.name,
        "to": way.to,
        "translations": [_translated(one) for one in found],
    }
    return json.dumps(answer, ensure_ascii=False, separators=(",", ":")).encode()


def _translated(found: Translation) -> dict[str, Any]:
    """Return a `Translated`."""
    return {
        "text": found.text,
        "alternatives": [{"text": one.text, "score": one.score} for one in found.hypotheses],
        "flags": found.flags,
        "confidence": found.confidence,
    }


async def _all(first: str, lines: AsyncIterator[str]) -> AsyncIterator[str]:
    yield first
    async for line in lines:
        yield line


async def _lines(models: Models, limits: ServerLimits, asked: StreamAsked) -> AsyncIterator[str]:
    """Yield the lines of a stream; raises RefusalError before the first one alone."""
    way = models.find(asked.to, asked.from_, asked.model)
    how = asked.how(way, limits)
    parts = split_sentences(asked.text)
    bodies = [body for body, _ in parts]
    requests = [asked.request(body) for body in bodies]
    for number in range(1, len(requests)):  # they are of the whole, as in one that is not cut
        requests[number] = replace(requests[number], prefix="", must=())
    said: list[str] = []
    try:
        async with aclosing(way.model.batcher.stream(requests, how)) as found:
            number = 0
            async for one in found:
                body, gap = parts[number]
                number += 1
                ending = gap_after(body, gap, one.text) if number < len(parts) else gap
                said.append(one.text + ending)
                yield _line(source=body + gap, text=said[-1], flags=list(one.flags))
    except RefusalError as error:
        if not said:
            raise
        yield _line(error=error.sentence)
        return
    yield _line(done=True, text="".join(said))


_NO_ENDS = {ord(sign): f"\\u{ord(sign):04x}" for sign in "\x85\u2028\u2029"}
"""How signs are written that are no ends of lines in JSON, but are to Python's clients."""


def _line(**fields: object) -> str:
    return json.dumps(fields, ensure_ascii=False).translate(_NO_ENDS) + "\n"
