"""Documents in the native API: `/v1/documents`.

A document is the body, its format the content type; its translation comes back in the same format.
`app` mounts it.
"""

__all__ = ["DOCUMENTS", "document_routes"]

from typing import Annotated, Any

from fastapi import APIRouter, Query, Request
from fastapi.responses import JSONResponse, Response

from heedful.document_job import remarks
from heedful.serve.documents import KINDS, DocumentTranslator, noted, read_document
from heedful.serve.guard import NOTES, type_of
from heedful.serve.limits import ServerLimits
from heedful.serve.models import Models
from heedful.serve.native import REFUSALS, needing_a_key
from heedful.serve.schemas import DocumentAsked, DocumentTranslated, Failure
from heedful.serve.security import Access

DOCUMENTS = "/v1/documents"

_TEXTS = {name: {"schema": {"type": "string"}} for name in KINDS}
_ANSWERS: dict[int | str, dict[str, Any]] = {
    **REFUSALS,
    200: {
        "model": DocumentTranslated,
        "description": "The document translated; with `Accept: application/json`, in JSON",
        "content": _TEXTS,
        "headers": {
            NOTES: {
                "description": "What was done and what could not be; absent if there is nothing",
                "schema": {"type": "string"},
            }
        },
    },
    400: REFUSALS[400] | {"description": "Not UTF-8, no subtitles, or no such languages"},
    414: {"model": Failure, "description": "Too long an address"},
    415: REFUSALS[415] | {"description": "Of no format that is known, or not UTF-8"},
}


def document_routes(
    models: Models, limits: ServerLimits, access: Access, translator: DocumentTranslator
) -> APIRouter:
    """Return the route of documents."""

    router = APIRouter(tags=["native"], dependencies=needing_a_key(access), responses=_ANSWERS)
    body = {"requestBody": {"required": True, "content": _TEXTS}}

    @router.post(DOCUMENTS, response_class=Response, openapi_extra=body)
    async def translate(request: Request, asked: Annotated[DocumentAsked, Query()]) -> Response:
        """Translate a document: plain text, Markdown, HTML or SubRip subtitles, in UTF-8.

        Structure, tags, links, code and times stay, prose is translated, as `heed translate` does.
        """
        name = type_of(request.headers["content-type"])
        text = read_document(await request.body(), limits)
        way = models.find(asked.to, asked.from_, asked.model)
        how = asked.how(way, limits)
        made, report = await translator.translated(text, KINDS[name], way, how)
        if _wants_json(request, name):
            answer = DocumentTranslated(
                model=way.model.name,
                to=way.to,
                text=made,
                notes=remarks(report),
                kept=report.kept,
            )
            return JSONResponse(answer.model_dump())
        kind = f"{name}; charset=utf-8"
        return Response(made.encode(), media_type=kind, headers=noted(report))

    return router


def _wants_json(request: Request, name: str) -> bool:
    """Tell whether a client asks for JSON, and not for the format of its document as well."""
    ranges = set(map(type_of, request.headers.get("accept", "").split(",")))
    return "application/json" in ranges and name not in ranges
