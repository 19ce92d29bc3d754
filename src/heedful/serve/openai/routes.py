"""The routes of OpenAI's dialect: what is asked goes to a model, what it says goes out.

`heedful.serve.app` mounts them.
"""

__all__ = ["openai_routes"]

import json
from collections.abc import AsyncGenerator
from contextlib import aclosing
from typing import Any

from fastapi import APIRouter
from fastapi.responses import Response, StreamingResponse
from starlette.types import Send

from heedful.serve.guard import JSON
from heedful.serve.limits import ServerLimits
from heedful.serve.models import Models
from heedful.serve.native import REFUSALS, needing_a_key
from heedful.serve.openai.answers import (
    ChatWriter,
    ChatWritten,
    CompletionWriter,
    Embedded,
    Refusal,
    Written,
)
from heedful.serve.openai.asked import ChatAsked, CompletionAsked, EmbeddingAsked, WritingAsked
from heedful.serve.openai.vectors import Vectors
from heedful.serve.openai.wishes import Wish, answering, continuing
from heedful.serve.refusal import RefusalError
from heedful.serve.schemas import OneModel
from heedful.serve.security import Access
from heedful.serve.texts import Grown

EVENTS = "text/event-stream"
"""How parts of an answer come, if a stream was asked for."""

_STREAM: dict[int | str, dict[str, Any]] = {
    200: {"content": {EVENTS: {}}, "description": "The answer, or its parts as they are written"}
}


def openai_routes(models: Models, limits: ServerLimits, access: Access) -> APIRouter:
    """Return the routes."""
    refusals = {status: one | {"model": Refusal} for status, one in REFUSALS.items()}
    router = APIRouter(
        prefix="/v1", tags=["openai"], dependencies=needing_a_key(access), responses=refusals
    )

    vectors = Vectors(models, limits)

    @router.post("/chat/completions", response_model=ChatWritten, responses=_STREAM)
    async def chat(asked: ChatAsked) -> Response:
        """Answer in a conversation."""
        wish = await answering(models, asked, limits)
        return await _answered(wish, asked, ChatWriter(asked.model, _read(wish), asked.usage_told))

    @router.post("/completions", response_model=Written, responses=_STREAM)
    async def completions(asked: CompletionAsked) -> Response:
        """Go on with texts."""
        wish = await continuing(models, asked, limits)
        before = _echoed(wish, asked) if asked.echo else []
        writer = CompletionWriter(asked.model, _read(wish), asked.usage_told, before)
        return await _answered(wish, asked, writer)

    @router.post("/embeddings", response_model=Embedded)
    async def embeddings(asked: EmbeddingAsked) -> Response:
        """Make vectors of texts: the mean of a model's last states, of length 1."""
        return _json(await vectors.answer(asked))

    @router.get("/models/{name:path}")
    async def model(name: str) -> OneModel:
        """Tell of a model."""
        if name not in models.served:
            raise models.unknown(name, list(models.served), "is ready")
        return OneModel(id=name)

    return router


def _read(wish: Wish) -> int:
    return sum(map(len, wish.ask.prompts))


def _echoed(wish: Wish, asked: CompletionAsked) -> list[str]:
    """Return the prompt of every choice."""
    vocabulary = wish.model.scribe.writer.vocabulary
    given = asked.prompt
    if isinstance(given, str):
        texts = [given]
    elif isinstance(given[0], str):
        texts = [str(one) for one in given]
    else:
        texts = [vocabulary.continuation([], ids) for ids in wish.ask.prompts]
    return [text for text in texts for _ in range(asked.n)]


async def _answered(wish: Wish, asked: WritingAsked, writer: CompletionWriter) -> Response:
    grown = wish.model.scribe.write(wish.ask)
    telling = asked.likeliest is not None
    if not asked.stream:
        async with aclosing(grown):
            return _json(writer.whole([one async for one in grown], telling))
    first = await anext(grown)  # what is refused, is refused before the answer begins
    return _EventStream(_events(first, grown, writer, telling), media_type=EVENTS)


async def _events(
    first: Grown, grown: AsyncGenerator[Grown], writer: CompletionWriter, telling: bool
) -> AsyncGenerator[str]:
    """Yield the events of a stream; what goes wrong on the way is one of them, and the last."""
    async with aclosing(grown):
        yield _event(writer.part(first, telling))
        try:
            async for one in grown:
                yield _event(writer.part(one, telling))
        except RefusalError as error:
            yield _event({"error": error.told()})
            return
        if (last := writer.last()) is not None:
            yield _event(last)
        yield "data: [DONE]\n\n"


class _EventStream(StreamingResponse):
    """Ends what it is written from as soon as nobody reads it."""

    async def stream_response(self, send: Send) -> None:
        """Send all of it."""
        events = self.body_iterator
        assert isinstance(events, AsyncGenerator)
        async with aclosing(events):
            await super().stream_response(send)


def _event(what: dict[str, Any]) -> str:
    return f"data: {_text(what)}\n\n"


def _json(what: dict[str, Any]) -> Response:
    return Response(_text(what), media_type=JSON)


def _text(what: dict[str, Any]) -> str:
    return json.dumps(what, ensure_ascii=False, separators=(",", ":"))
