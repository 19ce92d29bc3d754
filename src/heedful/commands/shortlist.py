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
    from heedful.model_header import Languages
    from heedful.progress import Progress

EXAMPLES = """
heed shortlist --model runs/mine --data my.tsv
heed shortlist --model my-model --data train.en,train.de --dev val.en,val.de
heed shortlist --model runs/three --data de.tsv zh=zh.tsv
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
    or a.en,a.de for two files. Of a model of several languages those of each: a.tsv zh=b.tsv."""
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
    configs = _configs(options, loaded)
    with tempfile.TemporaryDirectory() as scratch:
        train, known = _stores(configs, loaded, Path(scratch), options.seed, progress)
        shortlist = learn(rows_of(train), loaded.tokenizer)
        covered = summary(shortlist, known, "held-out rows")
        shortlist.save(folder)
    size = (folder / FILE).stat().st_size
    print(f"{folder / FILE}: {size / 1e6:.1f} MB, learnt from {len(train):,} rows; {covered}")
    return 0


def _configs(options: Options, loaded: "LoadedModel") -> list["DataConfig"]:
    """Return the settings of each corpus: the languages and directions are the model's."""
    from heedful.data.corpus import DataConfig

    known = loaded.languages
    _check_languages(options, known)
    languages = loaded.tokenizer.languages or (known.source, known.target)
    settings = DataConfig(
        train=options.data,
        dev=options.dev,
        columns=tuple(options.columns.split(",")) if options.columns else None,
        skip_bad=options.skip_bad,
        source_language=known.source or languages[0],
        target_language=known.target or languages[1],
        both_directions=bool(loaded.tokenizer.languages),
    )
    if options.dev:
        settings = settings.model_copy(update={"held_out": 0})
    return list(settings.of_languages().values())


def _check_languages(options: Options, known: "Languages") -> None:
    """Raise SettingError unless there are texts of each second language, and of no other."""
    from heedful.data.corpus import named_language

    seconds = (known.target, *known.others)
    for option, specs in (("data", options.data), ("dev", options.dev)):
        given = {named_language(spec) or known.target for spec in specs}
        if strange := sorted(given - set(seconds)):
            raise SettingError(
                f'the model was not taught "{strange[0]}" beside its first language',
                where=f"--{option} {strange[0]}=FILE",
                fix="leave it out, or name the language of --model",
            )
        lacking = [language for language in seconds if language not in given]
        if specs and lacking:
            raise SettingError(
                "a shortlist holds what may be said in every language of the model",
                where=f"--model {options.model}",
                fix=f"give texts of {' and '.join(lacking)}, too: --{option} {lacking[0]}=FILE",
            )


def _stores(
    configs: list["DataConfig"],
    loaded: "LoadedModel",
    scratch: Path,
    seed: int,
    progress: "Progress",
) -> tuple["TokenStore", "TokenStore | None"]:
    """Return the rows to learn from and those held out, of all languages."""
    from heedful.data.corpus import Corpus
    from heedful.data.joined import joined
    from heedful.train.shortlist import MOST_ROWS

    train, known = [], []
    most = MOST_ROWS // len(configs)
    for number, config in enumerate(configs):
        place = scratch / str(number)
        place.mkdir()
        corpus = Corpus.examine(config, seed=seed, progress=progress, scratch=place)
        progress.say(corpus.report.summary())
        train.append(_train_store(place / "train", corpus, config, loaded, most, progress))
        if held := [pair for split in ("dev", "test") for pair in corpus.pairs(split)]:
            known.append(_store(place / "held", held, config, loaded, progress))
    return joined(train), joined(known) if known else None


def _train_store(
    place: Path,
    corpus: "Corpus",
    config: "DataConfig",
    loaded: "LoadedModel",
    rows: int,
    progress: "Progress",
) -> "TokenStore":
    """Return the rows to learn from, of pairs that are evenly spread over the corpus."""
    from heedful.directions import learnt_ways
    from heedful.run_data import spread

    size, most = corpus.size("train"), rows // len(learnt_ways(config, loaded.tokenizer))
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
    from heedful.directions import learnt_ways

    longest = loaded.model.config.max_length
    return TokenStore.build(
        place, pairs, loaded.tokenizer, learnt_ways(config, loaded.tokenizer), longest, progress
    )
