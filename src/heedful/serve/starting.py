"""From what a user names to a server that answers: `heed serve` and `heed play` begin here.

Names of models, limits and an address come in; loaded models, the listening socket and what is said
of them go out.
"""

__all__ = ["LOOPBACK", "Asked", "addressed", "load_models", "named", "serve"]

import sys
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from fastapi import APIRouter

from heedful.device import pick_device
from heedful.errors import HeedfulError, ModelError, SettingError
from heedful.interop.writers import load_writer, writes
from heedful.model_path import BUNDLED
from heedful.serve import server
from heedful.serve.app import create_app
from heedful.serve.batcher import Batcher, Engine
from heedful.serve.embedding import TranslatorEmbedder, WriterEmbedder
from heedful.serve.jobs import Batch
from heedful.serve.limits import ServerLimits, limits_of
from heedful.serve.metrics import Metrics
from heedful.serve.models import Model, Models, WritingModel
from heedful.serve.security import Access, checked_hosts, checked_origins, load_keys
from heedful.serve.translating import TranslatorEngine
from heedful.serve.writing import Scribe
from heedful.translator import Translator, load

LOOPBACK = ("127.0.0.1", "localhost", "::1")
"""Addresses that only this machine can reach."""


@dataclass(frozen=True, kw_only=True)
class Asked:
    """What is to be served, where, and to whom."""

    models: Sequence[str]
    """The bundled one if none is given, and no others."""
    host: str
    port: int
    settings: dict[str, Any]
    """Those by path: the limits."""
    api_keys: Path | None = None
    allow_host: Sequence[str] = ()
    allow_origin: Sequence[str] = ()
    device: str = "auto"
    precision: str = "auto"
    fast: bool = False
    writers: bool = False
    """Whether models that write are served, too."""
    others: Mapping[str, Engine] = field(default_factory=dict)
    """Models that are loaded already, and translate nothing."""
    beside: Mapping[str, Engine] = field(default_factory=dict)
    """More of them, which are of use beside another model alone."""


def serve(
    asked: Asked,
    started: Callable[[str, Models], None],
    open_to_all: str,
    more: Callable[[Models, dict[str, Translator], ServerLimits], Sequence[APIRouter]] = (
        lambda *_: ()
    ),
) -> int:
    """Serve until SIGTERM or Ctrl-C; raises a HeedfulError for what cannot be served.

    `started` is told of the address once it is open. `open_to_all` is said where anybody who
    reaches the machine is answered; `more` gives further routes.
    """
    limits = limits_of(asked.settings)
    keys = () if asked.api_keys is None else load_keys(asked.api_keys)
    own = () if asked.host in LOOPBACK else (asked.host.lower(),)
    hosts = (*checked_hosts(asked.allow_host), *own)
    access = Access(hosts, checked_origins(asked.allow_origin), keys)
    with server.bound(asked.host, asked.port) as listener:
        if own and not keys:
            print(f"--host {asked.host}: {open_to_all}", file=sys.stderr)
        metrics = Metrics()
        models, translators = load_models(asked, limits, metrics)
        routes = more(models, translators, limits)
        service = create_app(models, limits, access, metrics, routes)
        address = addressed(asked.host, listener.getsockname()[1])
        return server.run(service, listener, limits, started=lambda: started(address, models))


def load_models(
    asked: Asked, limits: ServerLimits, metrics: Metrics
) -> tuple[Models, dict[str, Translator]]:
    """Load the models; return those that translate by name, too.

    What cannot be loaded is named on standard error; raises the HeedfulError of the first one if
    none can be, SettingError for two of one name.
    """
    translators: dict[str, Translator] = {}
    loaded: list[Model] = []
    writers: list[WritingModel] = []
    failed: dict[str, HeedfulError] = {}
    for name, path in named(asked.models or (() if asked.others else (BUNDLED,))).items():
        told = metrics.batches(name)
        try:
            if asked.writers and writes(path):
                writers.append(_writing(name, path, asked, limits, told))
                continue
            translator = load(path, asked.device, asked.precision, asked.fast)
        except ModelError as error:
            failed[name] = error
            continue
        translators[name] = translator
        batcher = Batcher(name, TranslatorEngine(translator), limits, told=told)
        embedder = TranslatorEmbedder(translator)
        loaded.append(Model(name, tuple(translator.ways()), batcher, embedder))
    if not translators and not writers and not asked.others:
        raise next(iter(failed.values()))
    for name, reason in failed.items():
        print(f"the model {name} is not served: {reason}", file=sys.stderr)
    for name, other in {**asked.others, **asked.beside}.items():
        loaded.append(Model(name, (), Batcher(name, other, limits, told=metrics.batches(name))))
    return Models(loaded, list(failed), writers), translators


def _writing(
    name: str, path: str, asked: Asked, limits: ServerLimits, told: Callable[[Batch], None]
) -> WritingModel:
    """Load a model that writes."""
    if asked.precision not in ("auto", "float32"):
        problem = "a model that writes computes in float32"
        raise SettingError(problem, where=f"--precision {asked.precision}", fix="leave it out")
    if asked.fast:
        raise SettingError(
            "a model that writes has no shortlist", where="--fast", fix="leave it out"
        )
    writer = load_writer(Path(path), pick_device(asked.device))
    scribe = Scribe(name, writer, limits, told=told)
    return WritingModel(name, scribe, WriterEmbedder(writer))


def named(given: Sequence[str]) -> dict[str, str]:
    """Return the models by how they are called: by folder or file; SettingError for two alike.

    >>> list(named(["runs/mine/model", "everyday"]))
    ['mine', 'everyday']
    """
    found: dict[str, str] = {}
    for path in given:
        parts = [part for part in Path(path).parts if part not in ("model", "/", ".")]
        name = parts[-1].removesuffix(".gguf") if parts else "model"
        if name in found:
            raise SettingError(
                f"two models are called {name}",
                where=f"--model {path}",
                fix="leave one out, or copy its folder under another name",
            )
        found[name] = path
    return found


def addressed(host: str, port: int) -> str:
    """Return the address of a server.

    >>> addressed("::1", 5000)
    'http://[::1]:5000'
    """
    return f"http://[{host}]:{port}" if ":" in host else f"http://{host}:{port}"
