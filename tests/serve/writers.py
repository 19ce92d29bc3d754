"""A server with a model that writes, and OpenAI's own client to ask it in the same event loop."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from functools import cache
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import httpx2
import openai

from heedful.interop.huggingface import load
from heedful.serve.limits import ServerLimits
from heedful.serve.models import Models
from heedful.serve.writing import Scribe
from heedful.text.chat import ChatTemplate
from heedful.writer import Writer
from tests.interop.folders import GPT2, LLAMA, make_folder
from tests.serve.serving import asking

TEMPLATE = (
    "{% for message in messages %}{{ message.role[:1] }}:{{ message.content }}\n{% endfor %}a:"
)
KEY = "sk-" + "0" * 16


@cache
def writer_of(kind: str = "gpt2") -> Writer:
    """Return a small model that has learnt nothing; one called `untaught` cannot converse."""
    with TemporaryDirectory() as folder:
        config = {"gpt2": GPT2, "untaught": GPT2, "llama": LLAMA}[kind]
        writer = load(make_folder(Path(folder) / kind, config))
    if kind != "untaught":
        writer.template = ChatTemplate(TEMPLATE, {})
    return writer


WRITERS = ("gpt2", "llama", "untaught")


@asynccontextmanager
async def conversing(
    limits: ServerLimits | None = None, **given: Any
) -> AsyncIterator[tuple[openai.AsyncOpenAI, Models]]:
    """Run an application with the models; yield OpenAI's client, and the models."""
    writers = {kind: writer_of(kind) for kind in WRITERS}
    async with asking(limits=limits, writers=writers, **given) as client:
        transport = httpx2.ASGITransport(app=client._service)
        async with openai.AsyncOpenAI(
            api_key=KEY,
            base_url="http://localhost/v1",
            max_retries=0,
            http_client=httpx2.AsyncClient(transport=transport),
        ) as asked:
            yield asked, client._service._models


def scribe_of(models: Models, name: str = "gpt2") -> Scribe:
    """Return what lets the requests for a model share its time."""
    return next(model.scribe for model in models.writers if model.name == name)
