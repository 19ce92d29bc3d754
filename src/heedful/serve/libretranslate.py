"""The dialect of LibreTranslate, so that its clients work unchanged.

`/translate`, `/detect`, `/languages`, `/translate_file` and `/frontend/settings` take and give the
same JSON; a body may be a form as well. Suggestions are refused as by a server that has them
switched off. `app` mounts it.
"""

__all__ = ["FORM_PATHS", "Dialect", "libretranslate_routes"]

import asyncio
import re
from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import PurePath
from typing import Any
from urllib.parse import quote

from fastapi import APIRouter, Request
from fastapi.responses import JSONResponse, Response

from heedful.careful import Care
from heedful.documents import ENDINGS, TYPES, Report
from heedful.request import Request as Wanted
from heedful.search import Beam
from heedful.serve.batcher import How
from heedful.serve.detecting import Detector
from heedful.serve.documents import KINDS, DocumentTranslator, noted, read_document
from heedful.serve.fields import SentFile, fields_of, text_in
from heedful.serve.files import File, WaitingFiles
from heedful.serve.guard import FORMS, JSON
from heedful.serve.limits import ServerLimits
from heedful.serve.models import Models, Way, language_name
from heedful.serve.parted import Html, Lines, Parted, Said
from heedful.serve.refusal import RefusalError, shown
from heedful.serve.schemas import Failure
from heedful.serve.security import Access
from heedful.translation import Translation, blank

FORM_PATHS = ("/translate", "/detect", "/suggest", "/translate_file")
"""Where a body may be a form."""

_NUMBER = re.compile("-?[0-9]{1,8}")

_TEXT = {"oneOf": [{"type": "string"}, {"type": "array", "items": {"type": "string"}}]}
_KINDS: dict[str, dict[str, Any]] = {
    "q": _TEXT,
    "source": {"type": "string"},
    "target": {"type": "string"},
    "format": {"type": "string", "enum": ["text", "html"]},
    "alternatives": {"type": "integer", "minimum": 0},
    "file": {"type": "string", "format": "binary"},
    "api_key": {"type": "string"},
}
_MEANINGS = {
    "q": "A text, or several",
    "source": "A language code, or `auto`",
    "target": "A language code",
    "format": "What the text is; `text` if not given",
    "alternatives": "How many other translations to give",
    "file": "A file whose name ends in one of `supportedFilesFormat`",
    "api_key": "A key, where one is asked for",
}
_FIELDS = {name: kind | {"description": _MEANINGS[name]} for name, kind in _KINDS.items()}


def _described(
    *names: str, required: Sequence[str], kinds: Sequence[str] = (JSON, FORMS[0])
) -> dict[str, Any]:
    """Return how a body is described in the OpenAPI document."""
    fields = {name: _FIELDS[name] for name in names}
    schema = {"type": "object", "properties": fields, "required": list(required)}
    return {"requestBody": {"required": True, "content": {k: {"schema": schema} for k in kinds}}}


_REFUSALS = {status: {"model": Failure} for status in (400, 403, 413, 415, 421, 429, 503)}


def libretranslate_routes(dialect: "Dialect") -> APIRouter:
    """Return the routes of the dialect."""
    router = APIRouter(tags=["libretranslate"], responses=_REFUSALS)  # type: ignore[arg-type]
    every = ("q", "source", "target", "format", "alternatives", "api_key")
    router.add_api_route(
        "/translate",
        dialect.translate,
        methods=["POST"],
        openapi_extra=_described(*every, required=("q", "source", "target")),
    )
    router.add_api_route(
        "/detect",
        dialect.detect,
        methods=["POST"],
        openapi_extra=_described("q", "api_key", required=("q",)),
    )
    router.add_api_route("/languages", dialect.languages, methods=["GET"])
    router.add_api_route("/frontend/settings", dialect.settings, methods=["GET"])
    router.add_api_route("/suggest", dialect.suggest, methods=["POST"])
    asked = ("file", "source", "target")
    router.add_api_route(
        "/translate_file",
        dialect.translate_file,
        methods=["POST"],
        openapi_extra=_described(*asked, "api_key", required=asked, kinds=FORMS[1:]),
    )
    router.add_api_route(
        "/download_file/{name}",
        dialect.download_file,
        methods=["GET"],
        response_class=Response,
        responses={
            200: {"content": {kind: {} for kind in KINDS}, "description": "The file"},
            404: {"model": Failure, "description": "No such file, or not any more"},
            414: {"model": Failure, "description": "Too long an address"},
        },
    )
    return router


class Dialect:
    """Answers in the dialect."""

    def __init__(
        self,
        models: Models,
        limits: ServerLimits,
        access: Access,
        detector: Detector,
        documents: DocumentTranslator,
        files: WaitingFiles,
    ) -> None:
        self._models, self._limits = models, limits
        self._access, self._detector = access, detector
        self._documents, self._files = documents, files

    async def translate(self, request: Request) -> JSONResponse:
        """Translate a text or a list of texts."""
        fields = await fields_of(request, self._access)
        _check_given(fields, "q", "source", "target")
        several, texts = self._texts(fields["q"])
        source, target = text_in(fields, "source"), self._code(text_in(fields, "target"))
        kind = text_in(fields, "format") or "text"
        if kind not in ("text", "html"):
            raise RefusalError(400, f"{shown(kind, 16)} format is not supported")
        count = self._count(fields.get("alternatives"))
        guesses = await self._guesses(texts) if source == "auto" else []
        sources = [one["language"] for one in guesses] or [self._code(source)] * len(texts)
        ways = self._ways(sources, target)
        parted: Sequence[Parted]
        if kind == "html":
            parted = await asyncio.to_thread(lambda: list(map(Html, texts)))
        else:
            parted = [Lines(text, count) for text in texts]
        found = await self._said(parted, ways, self._how(kind, count))
        answer: dict[str, Any] = {"translatedText": [one.text for one in found]}
        if guesses:
            answer["detectedLanguage"] = guesses
        if count:
            answer["alternatives"] = [one.alternatives for one in found]
        if not several:
            answer = {name: value[0] for name, value in answer.items()}
        return JSONResponse(answer)

    async def detect(self, request: Request) -> JSONResponse:
        """Tell in which languages a text may be, the likeliest first."""
        fields = await fields_of(request, self._access)
        _check_given(fields, "q")
        _, texts = self._texts(fields["q"])
        found = await asyncio.to_thread(self._detector, " ".join(texts))
        told = [
            {"confidence": _percent(one.probability), "language": one.language} for one in found
        ]
        return JSONResponse([one for one in told if one["confidence"]] or told[:1])

    async def languages(self) -> JSONResponse:
        """List the languages that are translated, and to which."""
        targets: dict[str, list[str]] = {}
        for source, target in self._models.ways:
            targets.setdefault(source, []).append(target)
        listed = [
            {"code": code, "name": language_name(code), "targets": [code, *reached]}
            for code, reached in targets.items()
        ]
        return JSONResponse(listed)

    async def settings(self) -> JSONResponse:
        """Tell what a page for translating must know."""
        ways = self._models.ways or [("", "")]
        [first, *_] = ways
        source, target = ({"code": code, "name": language_name(code)} for code in first)
        return JSONResponse(
            {
                "apiKeys": bool(self._access.keys),
                "charLimit": self._limits.characters,
                "filesTranslation": True,
                "frontendTimeout": 500,
                "keyRequired": bool(self._access.keys),
                "language": {"source": source, "target": target},
                "suggestions": False,
                "supportedFilesFormat": list(ENDINGS),
            }
        )

    async def suggest(self) -> JSONResponse:
        """Refuse suggestions: nothing that users write is kept."""
        raise RefusalError(403, "Suggestions are disabled on this server.")

    async def translate_file(self, request: Request) -> JSONResponse:
        """Translate a file; tell the address at which it waits to be fetched, once."""
        fields = await fields_of(request, self._access, files=1)
        _check_given(fields, "file", "source", "target")
        file, target = fields["file"], self._code(text_in(fields, "target"))
        if not isinstance(file, SentFile):
            raise RefusalError(400, "Invalid request: file is not a file")
        path = PurePath(file.name.replace("\\", "/"))
        ending = path.suffix.lower()
        if ending not in ENDINGS:
            known = ", ".join(ENDINGS)
            raise RefusalError(400, f"Invalid request: file format not supported; known: {known}")
        kind, text = ENDINGS[ending], read_document(file.content, self._limits)
        source = text_in(fields, "source")
        if source == "auto":
            guesses = await self._guesses([" ".join(await self._documents.texts(text, kind))])
            source = guesses[0]["language"]
        [way] = self._ways([self._code(source)], target)
        report = Report()
        if way is not None:
            text, report = await self._documents.translated(text, kind, way, self._how(kind))
        told = File(f"{path.stem[:100]}.{target}{ending}", text.encode(), TYPES[kind])
        url = request.url_for("download_file", name=self._files.keep(told, ending))
        if request.headers.get("x-forwarded-proto") == "https":
            url = url.replace(scheme="https")
        return JSONResponse({"translatedFileUrl": str(url)}, headers=noted(report))

    async def download_file(self, name: str) -> Response:
        """Hand out a translated file, once; whoever knows its name needs no key."""
        file = self._files.fetch(name)
        saved = f"attachment; filename*=utf-8''{quote(file.name, safe='', errors='replace')}"
        kind = f"{file.media_type}; charset=utf-8"
        return Response(file.content, media_type=kind, headers={"content-disposition": saved})

    def _texts(self, q: object) -> tuple[bool, list[str]]:
        """Return whether `q` is a list, and the texts in it."""
        given_texts = q if isinstance(q, list) else [q]
        texts = [text for text in given_texts if isinstance(text, str)]
        if len(texts) < len(given_texts):
            raise RefusalError(400, "Invalid request: q is neither a text nor a list of texts")
        longest = max(map(len, texts))
        for given, most in (
            (len(texts), self._limits.texts),
            (longest, self._limits.characters),
        ):
            if given > most:
                sentence = f"Invalid request: request ({given}) exceeds text limit ({most})"
                raise RefusalError(400, sentence)
        if any(_broken(text) for text in texts):
            raise RefusalError(400, "Invalid request: q holds half a surrogate pair")
        return isinstance(q, list), texts

    def _count(self, given: object) -> int:
        """Return how many alternatives are asked for."""
        if given in (None, ""):
            return 0
        digits = str(given).strip() if isinstance(given, int | str) else ""
        if not _NUMBER.fullmatch(digits):
            raise RefusalError(400, "Invalid request: alternatives parameter is not a number")
        most = min(self._limits.alternatives, self._limits.beam) - 1
        if int(digits) > most:
            raise RefusalError(400, f"Invalid request: alternatives parameter must be <= {most}")
        return max(0, int(digits))

    def _how(self, kind: str, count: int = 0) -> How:
        """Return how texts of a kind, or files, are translated; HTML has no alternatives."""
        usual = self._limits.usual_beam
        if kind != "text":
            return How(search=Beam(beam_size=usual), care=Care(protect=True), align=True)
        return How(search=Beam(beam_size=max(usual, count + 1), n_best=count + 1))

    async def _guesses(self, texts: Sequence[str]) -> list[dict[str, Any]]:
        """Return the likeliest language of every text; of a short one, that of all together."""
        if not self._detector.languages:
            raise RefusalError(400, "auto is not supported: no language here can be detected")

        def guess() -> list[dict[str, Any]]:
            whole = self._detector(" ".join(texts))[0]
            best = [self._detector(one)[0] if len(one) > 40 else whole for one in texts]
            return [
                {"confidence": _percent(one.probability), "language": one.language} for one in best
            ]

        return await asyncio.to_thread(guess)

    def _code(self, language: str) -> str:
        """Return a code as models name it: as it is if one does, else without region and script."""
        models = self._models
        known = language in models.sources or language in models.targets
        return language if known else language.partition("-")[0].lower()

    def _ways(self, sources: Sequence[str], target: str) -> list[Way | None]:
        """Return who translates each text; None: nobody needs to."""
        models = self._models
        for code, known in (*((one, models.sources) for one in sources), (target, models.targets)):
            if code not in known:
                raise RefusalError(400, f"{shown(code, 16)[1:-1]} is not supported")
        return [None if source == target else models.find(target, source) for source in sources]

    async def _said(
        self, parted: Sequence[Parted], ways: Sequence[Way | None], how: How
    ) -> list[Said]:
        """Return every text translated; those that go the same way are asked for together."""
        found: dict[Way | None, Iterator[Translation]] = {}
        for way in dict.fromkeys(ways):
            texts = [
                text
                for one, its in zip(parted, ways, strict=True)
                if its == way
                for text in one.texts
            ]
            if way is None:  # it is in the language that is asked for
                found[way] = map(blank, texts)
                continue
            asked = replace(how, to=way.to, from_=way.from_)
            requests = [Wanted(text) for text in texts]
            found[way] = iter(await way.model.batcher.translate(requests, asked) if texts else [])
        return [
            one.said([next(found[way]) for _ in one.texts])
            for one, way in zip(parted, ways, strict=True)
        ]


def _check_given(fields: dict[str, Any], *names: str) -> None:
    """Raise RefusalError for the first of the fields that is missing or empty."""
    for name in names:
        if not fields.get(name):
            raise RefusalError(400, f"Invalid request: missing {name} parameter")


def _percent(probability: float) -> float:
    return float(round(100 * probability))


def _broken(text: str) -> bool:
    return any("\ud800" <= sign <= "\udfff" for sign in text) if not text.isascii() else False
