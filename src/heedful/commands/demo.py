"""`heed demo`: what this is, in a minute and a half.

Translates with the bundled model, shows what its words looked at, and trains a tiny model while
the user looks on. The parts are in `heedful.demo`.
"""

__all__ = ["EXAMPLES", "Options", "run"]

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import tyro

from heedful.errors import SettingError

if TYPE_CHECKING:
    from heedful.demo.screen import Screen
    from heedful.progress import Progress

EXAMPLES = """\
heed demo
heed demo "The house is small, but the garden is big."
heed demo --model runs/mine --seconds 20 "Wo wohnst du?"
"""


@dataclass(frozen=True, kw_only=True)
class Options:
    """Translate a few sentences and yours, see what each word looked at, watch a model learn."""

    text: tyro.conf.Positional[tuple[str, ...]] = ()
    """What to translate, too."""
    model: str | None = None
    """A model folder, a run folder or a bundled name; the bundled model if not given."""
    seconds: float = 40.0
    """How long the tiny model may train."""
    seed: int = 1
    """Decides the dates, and everything about the training."""
    quiet: bool = False
    """Do not show the training's progress."""


def run(options: Options) -> int:
    """Print the demo; returns 130 when the training was interrupted."""
    from heedful.demo.screen import Screen
    from heedful.progress import Progress

    if not 1 <= options.seconds <= 3600:
        problem = f"{options.seconds:g} is not between 1 and 3,600"
        raise SettingError(problem, where="--seconds")
    if not 0 <= options.seed < 2**31:
        raise SettingError(f"{options.seed} is no seed", where="--seed", fix="give 0 or more")
    screen = Screen()
    with _one_thread():
        bundled = _translate(options, screen)
        folder = _learn(options, screen, Progress(quiet=options.quiet))
    if folder is None:
        screen.say("interrupted; nothing was kept")
        return 130
    _what_next(screen, folder, bundled=bundled)
    return 0


@contextmanager
def _one_thread() -> Iterator[None]:
    """Compute on one core: models this small gain little from a second one.

    Two threads wait for each other at every product, and where another program holds a core, they
    wait long: 13 updates of the tiny model in 40 seconds were measured so, 424 with one thread.
    """
    from heedful.device import cores

    with cores(1):
        yield


def _translate(options: Options, screen: "Screen") -> bool:
    """Show the translator; returns whether there is a bundled one."""
    from heedful import pretrained
    from heedful.demo.translating import show_translations
    from heedful.translator import BUNDLED, Translator

    bundled = (Path(pretrained.__file__).parent / BUNDLED / "config.json").is_file()
    name = BUNDLED if options.model is None else options.model
    screen.heading(f"1. Translating with {name}")
    if options.model is None and not bundled:
        screen.say("No translation model is bundled with this build, so this part is left out.")
        if options.text:
            screen.say("Your text can be translated once you have one: see --model.")
        return False
    show_translations(Translator.load(name, "cpu"), " ".join(options.text), screen)
    return bundled


def _learn(options: Options, screen: "Screen", progress: "Progress") -> Path | None:
    """Train the tiny model and show how well it does; returns where it is kept."""
    import shutil
    import tempfile

    from heedful.demo.dates import generate
    from heedful.demo.training import N_TEST, N_TRAIN, ask, learn
    from heedful.demo.verdict import show_task, show_verdict

    task = generate(options.seed, N_TRAIN, N_TEST)
    screen.heading("2. A tiny model learns to read dates, before your eyes")
    show_task(task, screen)
    folder = Path(tempfile.mkdtemp(prefix="heedful-demo-"))
    try:
        model = learn(
            task,
            folder,
            seconds=options.seconds,
            seed=options.seed,
            progress=progress,
        )
    except BaseException:
        shutil.rmtree(folder, ignore_errors=True)
        raise
    if model is None:
        shutil.rmtree(folder, ignore_errors=True)
        return None
    screen.heading("3. What it learned")
    answers = ask(model, task.unseen_dates), ask(model, task.unseen_forms)
    show_verdict(*answers, screen)
    return folder


def _what_next(screen: "Screen", folder: Path, *, bundled: bool) -> None:
    size = sum(path.stat().st_size for path in folder.rglob("*") if path.is_file())
    screen.heading("What to type next")
    lines = [f'heed translate --model {folder}/run "24 décembre 2031"']
    if bundled:
        lines.append('heed translate --to de "Where is the station?"')
    lines += [
        f"heed evaluate --model {folder}/run --data {folder}/unseen-forms.tsv",
        "heed report my.tsv                         what is in your own sentence pairs",
        "heed train --data my.tsv --out runs/mine   your own translator",
        "heed --help",
    ]
    for line in lines:
        screen.say(f"  {line}", style="bold")
    screen.say(
        f"The tiny model, its log and its data report are kept in {folder} ({size / 1e6:.1f} MB); "
        "remove them when you like.",
        style="dim",
    )
