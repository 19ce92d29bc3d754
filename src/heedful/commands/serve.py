"""`heed serve`: a service of one model or several, for LibreTranslate's and OpenAI's clients too.

Loads the models, opens the port and hands both to `heedful.serve`.
"""

__all__ = ["ACCEPTS_SETTINGS", "EXAMPLES", "Options", "run"]

import sys
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import tyro

from heedful.serve import lacking

if TYPE_CHECKING:
    from heedful.serve.models import Models

EXAMPLES = """\
heed serve
heed serve --model runs/mine --model everyday --port 8080
heed serve --host 0.0.0.0 --api-keys keys.txt --allow-host translate.example.org
heed serve --allow-origin https://example.org --limits.texts 32 --limits.queue 64
"""

ACCEPTS_SETTINGS = True


@dataclass(frozen=True, kw_only=True)
class Options:
    """Answer requests over HTTP, those of LibreTranslate's and OpenAI's clients among them.

    Only this machine is answered unless --host says otherwise. Every limit has a path of its own,
    such as --limits.texts 32; docs/serving.md lists them.
    """

    model: Annotated[
        tuple[str, ...], tyro.conf.arg(metavar="MODEL"), tyro.conf.UseAppendAction
    ] = ()
    """A model folder, a run folder or a bundled name, or a model that writes: a folder of Hugging
    Face, a GGUF file; the bundled model if none is given."""
    host: str = "127.0.0.1"
    """Address to listen on; 0.0.0.0 is all of this machine's."""
    port: int = 5000
    """Port to listen on, LibreTranslate's if not given; 0 takes any that is free."""
    api_keys: Annotated[Path | None, tyro.conf.arg(metavar="FILE")] = None
    """Answer only who shows one of these keys, one a line."""
    allow_host: Annotated[
        tuple[str, ...], tyro.conf.arg(metavar="NAME"), tyro.conf.UseAppendAction
    ] = ()
    """A name by which this server, or a proxy with TLS before it, is called, beside localhost."""
    allow_origin: Annotated[
        tuple[str, ...], tyro.conf.arg(metavar="ORIGIN"), tyro.conf.UseAppendAction
    ] = ()
    """A web page that may ask, such as https://example.org."""
    device: str = "auto"
    """auto, cpu or cuda."""
    precision: str = "auto"
    """float32, on CPU int8, on a GPU bf16; auto is int8 or bf16 where there is one."""
    fast: bool = False
    """Choose among the likely pieces of each sentence alone, which the model's shortlist knows."""
    quiet: bool = False
    """Say nothing but warnings."""


def run(options: Options, settings: dict[str, Any]) -> int:
    """Serve until SIGTERM or Ctrl-C; raises a HeedfulError for what cannot be served."""
    try:
        from heedful.serve.starting import Asked, serve
    except ModuleNotFoundError as error:
        raise lacking(error) from error

    def started(address: str, models: "Models") -> None:
        if not options.quiet:
            print(f"{address} {_does(models)}; Ctrl-C ends it", file=sys.stderr, flush=True)

    given = {name: value for name, value in vars(options).items() if name not in ("model", "quiet")}
    return serve(
        Asked(models=options.model, settings=settings, writers=True, **given),
        started,
        "anybody who reaches this machine can use it; --api-keys FILE asks for a key",
    )


def _does(models: "Models") -> str:
    """Say what the models do."""
    said = []
    if models.loaded:
        said.append(f"translates {models.pairs() or 'languages without names'}")
    if models.writers:
        said.append("writes with " + ", ".join(model.name for model in models.writers))
    return " and ".join(said)
