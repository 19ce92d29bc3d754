"""`heed play`: the playground, a page that shows what a model does with a sentence, live.

Loads the models, opens the port and serves the page beside all that `heed serve` serves.
"""

__all__ = ["ACCEPTS_SETTINGS", "EXAMPLES", "Options", "run"]

import sys
import webbrowser
from dataclasses import dataclass
from pathlib import Path
from threading import Thread
from typing import TYPE_CHECKING, Annotated, Any

import tyro

from heedful.serve import lacking

if TYPE_CHECKING:
    from collections.abc import Sequence

    from fastapi import APIRouter

    from heedful.serve.limits import ServerLimits
    from heedful.serve.models import Models
    from heedful.translator import Translator

EXAMPLES = """\
heed play
heed play --open
heed play runs/mine everyday --port 8080
heed play --model gpt2
heed play runs/mine --beside runs/lstm
"""

ACCEPTS_SETTINGS = True


@dataclass(frozen=True, kw_only=True)
class Options:
    """Show on a web page what a model does with a sentence: type, look, switch heads off.

    The page asks this machine alone, and works without a network. All that `heed serve` answers
    is answered, too. Only this machine is answered unless --host says otherwise. A decoder such as
    GPT-2 or Llama, in a folder of Hugging Face, goes on with what is typed.
    """

    named: tyro.conf.Positional[tuple[str, ...]] = ()
    """Model folders, run folders or bundled names; the bundled model if none is given."""
    model: tyro.conf.UseAppendAction[tuple[str, ...]] = ()
    """A model by name; may be given several times."""
    beside: str | None = None
    """A recurrent model without attention, which the tour shows beside the others; the bundled one
    beside the bundled model if nothing is said."""
    host: str = "127.0.0.1"
    """Address to listen on; 0.0.0.0 is all of this machine's."""
    port: int = 5001
    """Port to listen on; 0 takes any that is free."""
    allow_host: Annotated[
        tuple[str, ...], tyro.conf.arg(metavar="NAME"), tyro.conf.UseAppendAction
    ] = ()
    """A name by which this server, or a proxy with TLS before it, is called, beside localhost."""
    open: bool = False
    """Open the page in the browser once the model is ready."""
    device: str = "auto"
    """auto, cpu or cuda."""
    quiet: bool = False
    """Say nothing but warnings."""


def run(options: Options, settings: dict[str, Any]) -> int:
    """Serve until SIGTERM or Ctrl-C; raises a HeedfulError for what cannot be served."""
    try:
        from heedful.playground.routes import play_routes
        from heedful.serve.starting import Asked, named, serve
    except ModuleNotFoundError as error:
        raise lacking(error) from error
    from heedful.device import pick_device
    from heedful.interop.writers import load_writer, writes
    from heedful.model_path import BUNDLED
    from heedful.playground.beside import load_beside
    from heedful.playground.handlers import Played, Playground
    from heedful.playground.writing import WriterEngine
    from heedful.serve.translating import TranslatorEngine

    given = named((*options.named, *options.model) or (BUNDLED,))
    device = pick_device(options.device)
    written = {name: Path(path) for name, path in given.items() if writes(path)}
    writers = {name: load_writer(path, device) for name, path in written.items()}
    beside = load_beside(options.beside, given, options.device)
    alone = {} if beside is None or beside[0] in given else {beside[0]: beside[1]}

    def started(address: str, models: "Models") -> None:
        if not options.quiet:
            print(f"{address} is the playground; Ctrl-C ends it", file=sys.stderr, flush=True)
        if options.open:
            Thread(target=_open, args=(address, models), daemon=True).start()

    def routes(
        models: "Models", translators: "dict[str, Translator]", limits: "ServerLimits"
    ) -> "Sequence[APIRouter]":
        played = [Played(name, one, one.folder) for name, one in translators.items()]
        played += [Played(name, one, Path(given[name])) for name, one in writers.items()]
        order = list(given)
        played.sort(key=lambda one: order.index(one.name))
        other = None if beside is None else Played(*beside, beside[1].folder)
        return [play_routes(Playground(played, limits, beside=other), models)]

    return serve(
        Asked(
            models=[path for name, path in given.items() if name not in writers],
            others={name: WriterEngine(writer) for name, writer in writers.items()},
            beside={name: TranslatorEngine(one) for name, one in alone.items()},
            host=options.host,
            port=options.port,
            settings=settings,
            allow_host=options.allow_host,
            device=options.device,
        ),
        started,
        "anybody who reaches this machine can use it, and compute on it",
        routes,
    )


def _open(address: str, models: "Models") -> None:
    """Open the page, once what it asks can be answered."""
    import time

    while not models.ready:
        time.sleep(0.05)
    webbrowser.open(address)
