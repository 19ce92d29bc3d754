"""`heed shortlist`: learn a vocabulary shortlist for a model that is there."""

__all__ = ["EXAMPLES", "Options", "run"]

import tempfile
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from heedful.errors import SettingError

if TYPE_CHECKING:
    from heedful.data.corpus import Corpus, DataConfig
    from heedful.data.store import TokenStore
    from heedful.model_folder import LoadedModel
    from heedful.progress import Progress

EXAMPLES = """
heed shortlist --model runs/mine --data my.tsv
heed shortlist --model my-model --data train.en,train.de --dev val.en,val.de
"""


@dataclass(frozen=True, kw_only=True)
class Options:
    """Learn a vocabulary shortlist: which pieces a sentence may be translated with.

    It is written into the model folder, in the place of an older one. `heed train` does the same
    when a training ends; this is for models from before, and for texts of another kind.
    """

    model: str
    """A model folder or a run folder that you can write to."""
    data: tuple[str, ...]
    """Corpora to learn from, the model's first language first: a.tsv, a.jsonl, a.csv, a.parquet,
    or a.en,a.de for two files."""
    dev: tuple[str, ...] = ()
    """Corpora to measure on; held out of --data if not given."""
    columns: str | None = None
    """Which two columns hold the model's first and second language, such as 1,2 or en,de."""
    skip_bad: bool = False
    """Drop rows that cannot be read, and count them, instead of stopping."""
    seed: int = 1
    """Chooses the rows that are held out."""
    quiet: bool = False
    """Show no progress."""


def run(options: Options) -> int:
    """Learn, measure, write; say on standard output what was written and what it covers."""
    from heedful.data.corpus import Corpus
    from heedful.decode.shortlist import FILE
    from heedful.kernels import available
    from heedful.model_folder import load_model
    from heedful.model_path import writable_path
    from heedful.progress import Progress
    from heedful.train.shortlist import learn, rows_of, summary

    if not available():
        raise SettingError("the package numba is not installed", fix="pip install numba")
    folder = writable_path(options.model)
    loaded = load_model(folder)
    progress = Progress(quiet=options.quiet)
    config = _config(options, loaded)
    with tempfile.TemporaryDirectory() as scratch:
        place = Path(scratch)
        corpus = Corpus.examine(config, seed=options.seed, progress=progress, scratch=place)
        progress.say(corpus.report.summary())
        held = [pair for split in ("dev", "test") for pair in corpus.pairs(split)]
        train = _train_store(place / "train", corpus, config, loaded, progress)
        known = _store(place / "held", held, config, loaded, progress) if held else None
        shortlist = learn(rows_of(train), loaded.tokenizer)
        covered = summary(shortlist, known, "held-out rows")
        shortlist.save(folder)
    size = (folder / FILE).stat().st_size
    print(f"{folder / FILE}: {size / 1e6:.1f} MB, learnt from {len(train):,} rows; {covered}")
    return 0


def _config(options: Options, loaded: "LoadedModel") -> "DataConfig":
    """Return the corpus's settings: the languages and directions are the model's."""
    from heedful.data.corpus import DataConfig

    if loaded.languages.others:
        raise SettingError(
            "a shortlist of several languages is learnt when they are",
            where=f"--model {options.model}",
            fix="train it again: heed train learns one at its end",
        )
    languages = loaded.tokenizer.languages or (loaded.languages.source, loaded.languages.target)
    settings = DataConfig(
        train=options.data,
        dev=options.dev,
        columns=tuple(options.columns.split(",")) if options.columns else None,
        skip_bad=options.skip_bad,
        source_language=languages[0],
        target_language=languages[1],
        both_directions=bool(loaded.tokenizer.languages),
    )
    return settings.model_copy(update={"held_out": 0}) if options.dev else settings


def _train_store(
    place: Path, corpus: "Corpus", config: "DataConfig", loaded: "LoadedModel", progress: "Progress"
) -> "TokenStore":
    """Return the rows to learn from, of pairs that are evenly spread over the corpus."""
    from heedful.run_data import directions, spread
    from heedful.train.shortlist import MOST_ROWS

    size, most = corpus.size("train"), MOST_ROWS // len(directions(config, loaded.tokenizer))
    if most < size:
        progress.say(f"learning from {most:,} of {size:,} pairs")
    return _store(place, spread(corpus.pairs("train"), size, most), config, loaded, progress)


def _store(
    place: Path,
    pairs: Iterable[tuple[str, str]],
    config: "DataConfig",
    loaded: "LoadedModel",
    progress: "Progress",
) -> "TokenStore":
    from heedful.data.store import TokenStore
    from heedful.run_data import directions

    longest = loaded.model.config.max_length
    return TokenStore.build(
        place, pairs, loaded.tokenizer, directions(config, loaded.tokenizer), longest, progress
    )
