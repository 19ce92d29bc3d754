"""Embeddings in OpenAI's shape: texts come in, go to whatever model is named, and are vectors."""

__all__ = ["Vectors"]

import asyncio
import base64
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from functools import partial
from typing import Any

import numpy as np

from heedful.errors import HeedfulError, lacks_memory
from heedful.serve.embedding import Embedder
from heedful.serve.limits import ServerLimits
from heedful.serve.models import Models
from heedful.serve.openai.asked import EmbeddingAsked
from heedful.serve.openai.wishes import check_ids, ids_of
from heedful.serve.refusal import RefusalError, refusal_of
from heedful.shapes import Array, Float


class Vectors:
    """Makes vectors with the models of a server."""

    def __init__(self, models: Models, limits: ServerLimits) -> None:
        self._models, self._limits = models, limits
        self._embedders = models.embedders
        self._waiting: Counter[str] = Counter()

    async def answer(self, asked: EmbeddingAsked) -> dict[str, Any]:
        """Return an `Embedded`; raises RefusalError for what cannot be done, or not now."""
        name, embedder = asked.model, self._embedders.get(asked.model)
        if embedder is None:
            raise self._models.unknown(name, list(self._embedders), "makes vectors")
        ids = await ids_of(asked.input, lambda text: embedder.ids([text])[0], "input", self._limits)
        self._check(asked, embedder, ids)
        with self._entered(name, sum(map(len, ids))):
            vectors = await self._vectors(name, embedder, ids)
        plain = asked.encoding_format == "float"
        listed = [
            {
                "object": "embedding",
                "index": index,
                "embedding": one.tolist() if plain else _in_base64(one),
            }
            for index, one in enumerate(vectors)
        ]
        read = sum(map(len, ids))
        usage = {"prompt_tokens": read, "total_tokens": read}
        return {"object": "list", "model": name, "data": listed, "usage": usage}

    def _check(
        self, asked: EmbeddingAsked, embedder: Embedder, ids: Sequence[Sequence[int]]
    ) -> None:
        for number, one in enumerate(ids, start=1):
            if not one:
                raise RefusalError(400, f"input: text {number} is empty", param="input")
        check_ids(ids, embedder.pieces, embedder.context, "input")
        if asked.dimensions not in (None, embedder.width):
            sentence = (
                f"dimensions: {asked.dimensions:,} were asked for, and the vectors of"
                f" {asked.model} have {embedder.width:,}"
            )
            raise RefusalError(400, sentence, param="dimensions")

    @contextmanager
    def _entered(self, name: str, size: int) -> Iterator[None]:
        """Count a request as one that waits; raises RefusalError if it may not."""
        limits, served = self._limits, self._models.served[name]
        if size > limits.queue_tokens:
            sentence = f"input: {size:,} pieces were given and {limits.queue_tokens:,} are allowed"
            raise RefusalError(413, sentence, param="input")
        if not served.ready:
            raise self._again(f"the model {name} is not ready")
        if served.pending + self._waiting[name] >= limits.queue:
            raise self._again("too many requests are waiting", 429)
        self._waiting[name] += 1
        try:
            yield
        finally:
            self._waiting[name] -= 1

    async def _vectors(
        self, name: str, embedder: Embedder, ids: Sequence[Sequence[int]]
    ) -> list[Float[Array, " D"]]:
        """Return the vectors; between two goes of it the model does what others ask."""
        served, found = self._models.served[name], list[Float[Array, " D"]]()
        try:
            async with asyncio.timeout(self._limits.request_seconds):
                for some in _goes(ids, embedder.at_once):
                    found += list(await served.aside(partial(embedder.embed, some)))
        except TimeoutError:
            raise self._again("the server was too busy to answer in time") from None
        except HeedfulError as error:
            raise refusal_of(error) from error
        except Exception as error:
            if not lacks_memory(error):
                raise
            raise self._again("the model lacked the memory for this request") from error
        return found

    def _again(self, sentence: str, status: int = 503) -> RefusalError:
        retry = self._limits.retry_seconds
        return RefusalError(status, f"{sentence}; try again later", retry=retry)


def _goes(ids: Sequence[Sequence[int]], most: int) -> Iterator[list[Sequence[int]]]:
    """Yield the texts in order, of so many pieces at a time, or one with more."""
    some: list[Sequence[int]] = []
    for one in ids:
        if some and sum(map(len, some)) + len(one) > most:
            yield some
            some = []
        some.append(one)
    yield some


def _in_base64(vector: Float[Array, " D"]) -> str:
    """Return float32, the lowest byte first, as OpenAI's client reads it."""
    return base64.b64encode(np.asarray(vector, "<f4").tobytes()).decode()
