"""`heed serve`: a translation service of one model or several, for LibreTranslate's clients too.

Loads the models, opens the port and hands both to `heedful.serve`.
"""

__all__ = ["ACCEPTS_SETTINGS", "EXAMPLES", "Options", "run"]

import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import tyro

from heedful.errors import HeedfulError, ModelError, SettingError

if TYPE_CHECKING:
    from heedful.serve.limits import ServerLimits
    from heedful.serve.metrics import Metrics
    from heedful.serve.models import Model, Models

EXAMPLES = """\
heed serve
heed serve --model runs/mine --model everyday --port 8080
heed serve --host 0.0.0.0 --api-keys keys.txt --allow-host translate.example.org
heed serve --allow-origin https://example.org --limits.texts 32 --limits.queue 64
"""

ACCEPTS_SETTINGS = True

LOOPBACK = ("127.0.0.1", "localhost", "::1")


@dataclass(frozen=True, kw_only=True)
class Options:
    """Answer translation requests over HTTP, those of LibreTranslate's clients among them.

    Only this machine is answered unless --host says otherwise. Every limit has a path of its own,
    such as --limits.texts 32; docs/serving.md lists them.
    """

    model: Annotated[
        tuple[str, ...], tyro.conf.arg(metavar="MODEL"), tyro.conf.UseAppendAction
    ] = ()
    """A model folder, a run folder or a bundled name; the bundled model if none is given."""
    host: str = "127.0.0.1"
    """Address to listen on; 0.0.0.0 is all of this machine's."""
    port: int = 5000
    """Port to listen on, LibreTranslate's if not given; 0 takes any that is free."""
    api_keys: Annotated[Path | None, tyro.conf.arg(metavar="FILE")] = None
    """Answer only who shows one of these keys, one a line."""
    allow_host: Annotated[
        tuple[str, ...], tyro.conf.arg(metavar="NAME"), tyro.conf.UseAppendAction
    ] = ()
    """A name by which this server is called, beside localhost."""
    allow_origin: Annotated[
        tuple[str, ...], tyro.conf.arg(metavar="ORIGIN"), tyro.conf.UseAppendAction
    ] = ()
    """A web page that may ask, such as https://example.org."""
    device: str = "auto"
    """auto, cpu or cuda."""
    precision: str = "auto"
    """float32, on CPU int8, on a GPU bf16; auto is int8 on CPU (fastest) and float32 on a GPU."""
    fast: bool = False
    """Choose among the likely pieces of each sentence alone, which the model's shortlist knows."""
    quiet: bool = False
    """Say nothing but warnings."""


def run(options: Options, settings: dict[str, Any]) -> int:
    """Serve until SIGTERM or Ctrl-C; raises a HeedfulError for what cannot be served."""
    try:
        from heedful.serve.app import create_app
    except ModuleNotFoundError as error:
        problem = f"{error.name} is needed to serve, and is not installed"
        raise SettingError(problem, fix='pip install "heedful[serve]"') from error
    from heedful.serve.limits import limits_of
    from heedful.serve.metrics import Metrics
    from heedful.serve.security import Access, checked_origins, load_keys
    from heedful.serve.server import bound
    from heedful.serve.server import run as run_server

    limits = limits_of(settings)
    keys = () if options.api_keys is None else load_keys(options.api_keys)
    hosts = (*options.allow_host, *(() if options.host in LOOPBACK else (options.host,)))
    access = Access(hosts, checked_origins(options.allow_origin), keys)
    with bound(options.host, options.port) as listener:
        if options.host not in LOOPBACK and not keys:
            said = "anybody who reaches this machine can use it; --api-keys FILE asks for a key"
            print(f"--host {options.host}: {said}", file=sys.stderr)
        metrics = Metrics()
        models = _models(options, limits, metrics)
        service = create_app(models, limits, access, metrics)

        def started() -> None:
            if not options.quiet:
                _tell(models, options.host, listener.getsockname()[1])

        return run_server(service, listener, limits, started=started)


def _models(options: Options, limits: "ServerLimits", metrics: "Metrics") -> "Models":
    """Load the models; raises the HeedfulError of the first one if none can be loaded."""
    from heedful.model_path import BUNDLED
    from heedful.serve.models import Models

    given = options.model or (BUNDLED,)
    named = dict(zip(_names(given), given, strict=True))
    loaded: list[Model] = []
    failed: dict[str, HeedfulError] = {}
    for name, path in named.items():
        try:
            loaded.append(_model(name, path, options, limits, metrics))
        except ModelError as error:
            failed[name] = error
    if not loaded:
        raise next(iter(failed.values()))
    for name, reason in failed.items():
        print(f"the model {name} is not served: {reason}", file=sys.stderr)
    return Models(loaded, list(failed))


def _model(
    name: str, path: str, options: Options, limits: "ServerLimits", metrics: "Metrics"
) -> "Model":
    from heedful.serve.batcher import Batcher
    from heedful.serve.models import Model
    from heedful.serve.translating import TranslatorEngine
    from heedful.translator import load

    translator = load(path, options.device, options.precision, options.fast)
    engine = TranslatorEngine(translator)
    batcher = Batcher(name, engine, limits, told=metrics.batches(name))
    return Model(name, tuple(translator.ways()), batcher)


def _names(given: Sequence[str]) -> list[str]:
    """Return how the models are called: by their folders; raises SettingError for two alike.

    >>> _names(["runs/mine/model", "everyday"])
    ['mine', 'everyday']
    """
    names = []
    for path in given:
        parts = [part for part in Path(path).parts if part not in ("model", "/", ".")]
        name = parts[-1] if parts else "model"
        if name in names:
            raise SettingError(
                f"two models are called {name}",
                where=f"--model {path}",
                fix="leave one out, or copy its folder under another name",
            )
        names.append(name)
    return names


def _tell(models: "Models", host: str, port: int) -> None:
    """Say where the server is, and what it translates."""
    pairs = ", ".join(f"{a} to {b}" for a, b in models.ways()) or "languages without names"
    shown = f"[{host}]" if ":" in host else host
    print(f"http://{shown}:{port} translates {pairs}; Ctrl-C ends it", file=sys.stderr, flush=True)
