"""Documents: their texts share the batches of all requests, what is around them stays.

Bytes of a known type come in, the document in another language goes out, with a report of what was
done. `document_routes` and `libretranslate` ask; reading and rebuilding is `heedful.documents`.
"""

__all__ = ["KINDS", "DocumentTranslator", "noted", "read_document"]

import asyncio
from collections.abc import AsyncIterator, Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import asynccontextmanager
from dataclasses import replace
from typing import TypeVar

from heedful.document_job import remarks, text_of
from heedful.documents import TYPES, Document, Kind, Report, read
from heedful.errors import DataError
from heedful.request import Request
from heedful.serve.batcher import How
from heedful.serve.guard import NOTES
from heedful.serve.limits import ServerLimits
from heedful.serve.models import Way
from heedful.serve.refusal import RefusalError
from heedful.serve.schemas import check_document

KINDS: dict[str, Kind] = {name: kind for kind, name in TYPES.items()}
"""The formats by their content types."""

_NAME = "the document"

Result = TypeVar("Result")


def read_document(content: bytes, limits: ServerLimits) -> str:
    """Return the text of a document; raises RefusalError if it is not UTF-8, or too long."""
    try:
        text = text_of(content, _NAME)
    except DataError as error:
        raise RefusalError(400, str(error)) from None
    check_document(text, limits)
    return text


def noted(report: Report) -> dict[str, str]:
    """Return the header that says what was done to a document, if there is anything to say."""
    said = remarks(report)
    return {NOTES: "; ".join(said)} if said else {}


class DocumentTranslator:
    """Translates documents; one thread reads and rebuilds them all, one after another.

    It holds Python's lock meanwhile: a thread for each would leave the event loop little of it.
    """

    def __init__(self, limits: ServerLimits) -> None:
        self._limits = limits
        self._thread = ThreadPoolExecutor(1, "documents")

    async def translated(self, text: str, kind: Kind, way: Way, how: How) -> tuple[str, Report]:
        """Return a document in another language, and what was done; equal texts are asked for once.

        Raises RefusalError for subtitles that are none, for whatever the model refuses, and if it
        takes longer than `request_seconds`, waiting and all.
        """
        async with self._in_time():
            document, texts = await self._alone(lambda: _read(text, kind, way.to or ""))
            requests = [Request(one) for one in texts]
            how = replace(how, to=way.to, from_=way.from_)
            found = await way.model.batcher.translate(requests, how) if texts else []
            pairs = dict(zip(texts, found, strict=True))
            return await self._alone(lambda: document.rebuilt(pairs))

    async def texts(self, text: str, kind: Kind) -> list[str]:
        """Return what of a document would be translated; raises RefusalError as `translated`."""
        async with self._in_time():
            return (await self._alone(lambda: _read(text, kind, "")))[1]

    def close(self) -> None:
        """End the thread after what it has begun."""
        self._thread.shutdown(wait=False, cancel_futures=True)

    @asynccontextmanager
    async def _in_time(self) -> AsyncIterator[None]:
        try:
            async with asyncio.timeout(self._limits.request_seconds):
                yield
        except DataError as error:
            raise RefusalError(400, str(error)) from None
        except TimeoutError:
            sentence = "the server was too busy to answer in time; try again later"
            raise RefusalError(503, sentence, retry=self._limits.retry_seconds) from None

    async def _alone(self, function: Callable[[], Result]) -> Result:
        return await asyncio.get_running_loop().run_in_executor(self._thread, function)


def _read(text: str, kind: Kind, language: str) -> tuple[Document, list[str]]:
    document = read(text, kind, name=_NAME, language=language)
    return document, document.texts()
