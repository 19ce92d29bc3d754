"""A playground with tiny models that have learnt nothing, and one with the bundled model."""

from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from functools import cache
from pathlib import Path
from typing import Any

import torch

from heedful.model_folder import save_model
from heedful.model_header import Languages
from heedful.models.recurrent import RecurrentConfig
from heedful.models.wiring import NoAttention
from heedful.playground.handlers import Played, Playground
from heedful.playground.routes import play_routes
from heedful.serve.app import create_app
from heedful.serve.batcher import Batcher
from heedful.serve.limits import ServerLimits
from heedful.serve.metrics import Metrics
from heedful.serve.models import Model, Models
from heedful.serve.security import Access
from heedful.serve.translating import TranslatorEngine
from heedful.translator import Translator, load
from tests.inspect.planted import tiny, tokenizer
from tests.serve.serving import Answer, Client, until

CAT = "The cat ate the fish because it was hungry."


@cache
def bundled() -> Translator:
    """Return the bundled model; nobody changes it."""
    return load(precision="float32")


def random_model() -> Translator:
    """Return a model that has learnt nothing, whose float32 modules the engine asks, too."""
    return Translator(tiny(tokenizer()), "cpu", "float32")


def save_lstm(folder: Path) -> Path:
    """Save a small LSTM that has learnt nothing, English and German; return its folder."""
    torch.manual_seed(5)
    known = tokenizer()
    config = RecurrentConfig(
        d_model=24, attention=NoAttention(), direction="backward", max_length=256
    )
    model = config.build(known.source_size, known.target_size).eval()
    save_model(folder, model, known, Languages(source="en", target="de", both_directions=True))
    return folder


def playground(
    limits: ServerLimits | None = None, translator: Translator | None = None, **given: Any
) -> Playground:
    """Return a playground with the bundled model, or another that is called tiny."""
    own = bundled() if translator is None else translator
    name = "everyday" if translator is None else "tiny"
    folder: Path | None = own.folder
    return Playground([Played(name, own, folder)], limits or ServerLimits(), **given)


@asynccontextmanager
async def playing(
    play: Playground | None = None,
    *,
    engines: Sequence[Any] = (),
    ready: bool = True,
) -> AsyncIterator[Client]:
    """Run the application of `heed play`; yield who asks it."""
    play = play or playground()
    limits, metrics = play.limits, Metrics()
    loaded = []
    for number, one in enumerate(play.models.values()):
        engine = engines[number] if engines else TranslatorEngine(one.by)
        batcher = Batcher(one.name, engine, limits, told=metrics.batches(one.name))
        loaded.append(Model(one.name, tuple(one.ways), batcher))
    models = Models(loaded)
    service = create_app(models, limits, Access(), metrics, [play_routes(play, models)])
    for model in loaded:
        model.batcher.start()
    try:
        if ready:
            await until(lambda: models.ready)
        client = Client(service)
        client.models = models  # type: ignore[attr-defined]
        yield client
    finally:
        for model in loaded:
            await model.batcher.stop()


def events_of(answer: Answer) -> list[dict[str, Any]]:
    """Return the lines of a stream."""
    import json

    assert answer.headers["content-type"].startswith("application/x-ndjson")
    return [json.loads(line) for line in answer.body.decode().splitlines()]


def whole(events: Sequence[dict[str, Any]]) -> dict[str, Any]:
    """Return the object that the events of a trace make together."""
    found: dict[str, Any] = {"attention": []}
    for one in events:
        rest = {name: value for name, value in one.items() if name != "event"}
        if one["event"] == "attention":
            found["attention"].append(rest)
        else:
            found |= rest
    return found
