"""The corpus of a run becomes ids: examined, tokenizer learnt, token stores built, each only once.

Settings and the run folder come in; `heedful.run` trains on what goes out. Files that a run left
there are taken as they are, if they are of the same corpus and tokenizer.
"""

__all__ = ["RunData", "prepare", "prepared", "spread"]

import hashlib
import json
import shutil
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from functools import partial
from itertools import chain
from pathlib import Path
from typing import TypeVar

from heedful import __version__
from heedful.config import RunConfig
from heedful.data.corpus import Corpus, DataConfig, Split
from heedful.data.formats.reading import open_bytes
from heedful.data.held_out import write_held_out
from heedful.data.joined import joined
from heedful.data.known import changed, refuse_change
from heedful.data.report import write_whole
from heedful.data.store import TokenStore
from heedful.data.survey import Source
from heedful.directions import learnt_ways
from heedful.errors import DataError, HeedfulError
from heedful.progress import Progress
from heedful.start import TestSets, bring, general_sets
from heedful.taught import taught
from heedful.text.tokenizer import Tokenizer

Pair = TypeVar("Pair")
_STORED: tuple[Split, Split] = ("train", "dev")
_HELD: tuple[Split, Split] = ("dev", "test")


@dataclass(frozen=True)
class RunData:
    """The corpus as ids, with the tokenizer that made them."""

    tokenizer: Tokenizer
    train: TokenStore
    dev: TokenStore | None


@dataclass(frozen=True)
class _Part:
    """The corpora of one second language, and the folder where what is made of them is kept."""

    data: DataConfig
    folder: Path

    def known(self) -> Path:
        """Return the file that tells which corpora and tokenizer the folder's files are of."""
        return self.folder / "corpus.json"


@dataclass(frozen=True)
class _Stores:
    """What a part is learnt from and measured on, as ids."""

    train: TokenStore
    dev: TokenStore | None
    mix: TokenStore | None = None


def _parts(config: DataConfig, folder: Path) -> list[_Part]:
    """Return the part of --from and --to, kept in the run folder, then those of other languages."""
    first, *others = config.of_languages().items()
    return [_Part(first[1], folder), *(_Part(one, folder / language) for language, one in others)]


def prepare(
    config: RunConfig, folder: Path, progress: Progress, *, accept_changes: bool = False
) -> RunData:
    """Examine the corpora, train the tokenizer and build the token stores, each only once.

    Files whose every byte is as it was are not examined again. Raises SettingError when a resumed
    run's corpus or tokenizer has changed, unless `accept_changes`; DataError for a corpus that
    cannot be used.
    """
    data = taught(config, folder, progress, partial(_look, config, folder))
    parts = _parts(data, folder)
    sources = [_source(part.data) for part in parts]
    before = [source.state() for source in sources]
    files = [
        _state(config, part.data, source.paths(), progress)
        for part, source in zip(parts, sources, strict=True)
    ]
    if found := _unchanged(config, parts, files):
        progress.say(f"the corpus is as it was: {len(found.train):,} rows to learn from")
        return found
    corpora = [_examined(config, part, parts, progress) for part in parts]
    for source, then in zip(sources, before, strict=True):
        if source.state() != then:
            where = " ".join(source.specs)
            raise DataError("changed while it was examined", where=where, fix="start again")
    general = general_sets(config.data, progress.say)  # now, not when the training has ended
    tokenizer = _tokenizer(config, folder, corpora, progress)
    facts = [
        {"fingerprint": corpus.fingerprint(), "tokenizer": tokenizer.fingerprint()}
        for corpus in corpora
    ]
    known = [changed(part.known(), now) for part, now in zip(parts, facts, strict=True)]
    new = next(filter(None, known), None)
    refuse_change(new, folder, progress, accepted=accept_changes)
    stores = []
    for part, corpus, now, read in zip(parts, corpora, facts, files, strict=True):
        write_whole(part.known(), json.dumps(now) + "\n")
        corpus.report.save(part.folder)
        for split in _HELD:
            path = part.folder / f"{split}.jsonl"
            if not corpus.size(split):
                path.unlink(missing_ok=True)
            elif new or not path.exists():
                write_held_out(path, corpus.pairs(split))
        tests = _tests(part.data, corpora, general)
        stores.append(_stored(config, part, corpus, tokenizer, tests, progress))
        sizes = {split: corpus.size(split) for split in (*_STORED, "test")}
        mix = stores[-1].mix
        made = {"files": read, "pairs": sizes, "mix": mix.fingerprint if mix else None}
        write_whole(part.known(), json.dumps(now | made) + "\n")
    return _together(config, tokenizer, stores)


def _look(config: RunConfig, folder: Path) -> None:
    """Examine what the user has given: a bad row is said before a teacher translates for hours."""
    parts = _parts(config.data, folder)
    for part in parts:
        _examined(config, part, parts, Progress(quiet=True))


def _source(data: DataConfig) -> Source:
    """Return all that is read of a part, and the texts that go with it."""
    specs = (*data.train, *data.dev, *data.test, *data.mix, *data.general)
    return Source(specs, data.columns, data.skip_bad)


def _examined(config: RunConfig, part: _Part, parts: list[_Part], progress: Progress) -> Corpus:
    """Examine a part; it may not teach what the files of others' dev and test hold."""
    part.folder.mkdir(exist_ok=True)
    guarded = [(*one.data.dev, *one.data.test) for one in parts if one is not part]
    corpus = Corpus.examine(
        part.data,
        seed=config.seed,
        progress=progress,
        scratch=part.folder,
        guarded=tuple(chain.from_iterable(guarded)),
    )
    pair = f"{part.data.source_language}-{part.data.target_language}: " if guarded else ""
    progress.say(f"{pair}{corpus.report.summary()}")
    return corpus


def _stored(
    config: RunConfig,
    part: _Part,
    corpus: Corpus,
    tokenizer: Tokenizer,
    tests: set[str],
    progress: Progress,
) -> _Stores:
    """Build the stores of a part, and remove those of what is no more."""
    stores = {
        split: TokenStore.build(
            part.folder / "store" / split,
            corpus.pairs(split),
            tokenizer,
            learnt_ways(part.data, tokenizer),
            config.training.max_pieces,
            progress,
            fingerprint=f"{split} {corpus.fingerprint()}",
            total=corpus.size(split),
        )
        for split in _STORED
        if corpus.size(split)
    }
    mix = _mixed(config, part, corpus, tokenizer, tests, progress) if part.data.mix else None
    _remove(part.folder / "store", "dev" not in stores, mix is None)
    return _Stores(stores["train"], stores.get("dev"), mix)


def _together(config: RunConfig, tokenizer: Tokenizer, parts: list[_Stores]) -> RunData:
    """Return the stores of all parts as one of each kind."""
    train = []
    for part, times in zip(parts, _times(config.data, parts), strict=True):
        train += [store for store in (part.train, part.mix) if store is not None] * times
    dev = [part.dev for part in parts if part.dev is not None]
    return RunData(tokenizer, joined(train), joined(dev) if dev else None)


def _times(data: DataConfig, parts: list[_Stores]) -> list[int]:
    """Return how often the rows of each part are learnt in an epoch.

    At a temperature T, parts of n rows have shares as n^(1/T) has (Arivazhagan et al. 2019, arXiv
    1907.05019), as near as whole numbers come.
    """
    sizes = [len(part.train) for part in parts]
    return [round((max(sizes) / size) ** (1 - 1 / data.temperature)) for size in sizes]


def _remove(stores: Path, no_dev: bool, no_mix: bool) -> None:
    """Remove stores of what is no more: other processes look at the folder alone."""
    for name, gone in (("dev", no_dev), ("mix", no_mix)):
        for stale in (name, f"{name}.growing") if gone else ():
            shutil.rmtree(stores / stale, ignore_errors=True)


def _tests(data: DataConfig, corpora: list[Corpus], general: TestSets) -> set[str]:
    """Return the sentences that something is measured on, which must not be mixed in.

    Those of other languages' corpora too, and both sides where both are translated from.
    """
    if not data.mix:
        return set()
    held = (corpus.pairs(split) for corpus in corpora for split in _HELD)
    sides = 2 if data.both_directions else 1
    every = chain(*held, *(each for _, each in general))
    return {text.strip() for pair in every for text in pair[:sides]}


def _mixed(
    config: RunConfig,
    part: _Part,
    corpus: Corpus,
    tokenizer: Tokenizer,
    tests: set[str],
    progress: Progress,
) -> TokenStore:
    """Build the store of other texts: evenly spread, as many as of the corpus, none of `tests`."""
    data, folder, where = part.data, part.folder, " ".join(part.data.mix)
    other = DataConfig(
        train=data.mix, columns=data.columns, skip_bad=data.skip_bad, held_out=0, clean=data.clean
    )
    texts = Corpus.examine(other, seed=config.seed, progress=progress, scratch=folder)
    progress.say(f"{where}: {texts.report.summary()}")
    sides = 2 if data.both_directions else 1
    size, most = texts.size("train"), corpus.size("train")
    some = list(spread(texts.pairs("train"), size, most))
    free = [pair for pair in some if tests.isdisjoint(text.strip() for text in pair[:sides])]
    progress.say(
        f"{where}: {len(free):,} of {size:,} rows are learnt too, "
        f"{len(some) - len(free):,} left out because a test has them"
    )
    if not free:
        raise DataError("no row is left to learn", where=f"--mix {where}", fix="give other texts")
    told = hashlib.sha256(json.dumps(free).encode()).hexdigest()
    return TokenStore.build(
        folder / "store" / "mix",
        free,
        tokenizer,
        learnt_ways(data, tokenizer),
        config.training.max_pieces,
        progress,
        fingerprint=f"mix {told}",
        total=len(free),
    )


def prepared(config: RunConfig, folder: Path) -> RunData:
    """Return what another process has prepared in the run folder."""
    tokenizer = Tokenizer.load(folder / "tokenizer.json")
    parts = _parts(config.data, folder)
    return _together(config, tokenizer, [_opened(part.folder / "store") for part in parts])


def _opened(folder: Path) -> _Stores:
    dev, mix = (
        TokenStore.open(folder / name) if (folder / name).exists() else None
        for name in ("dev", "mix")
    )
    return _Stores(TokenStore.open(folder / "train"), dev, mix)


def _state(config: RunConfig, data: DataConfig, paths: list[Path], progress: Progress) -> str:
    """Return a hash of every byte of the corpora and of all that decides what becomes of them."""
    facts = [__version__, data.model_dump_json(), config.seed]
    for path in progress.track(paths, "looking at the files", len(paths)):
        with open_bytes(path) as file:
            facts.append(hashlib.file_digest(file, "blake2b").hexdigest())
    return hashlib.sha256(json.dumps(facts).encode()).hexdigest()


def _unchanged(config: RunConfig, parts: list[_Part], files: list[str]) -> RunData | None:
    """Return what an earlier start has prepared if all of it is there and nothing has changed."""
    try:
        tokenizer = Tokenizer.load(parts[0].folder / "tokenizer.json")
        stores = []
        for part, state in zip(parts, files, strict=True):
            kept = _opened(part.folder / "store")
            if not _is_of(config, part, kept, tokenizer, state):
                return None
            stores.append(kept)
    except (OSError, ValueError, KeyError, TypeError, HeedfulError):
        return None  # what is wrong is found, and said, on the long way
    return _together(config, tokenizer, stores)


def _is_of(config: RunConfig, part: _Part, kept: _Stores, tokenizer: Tokenizer, files: str) -> bool:
    """Return whether what is kept of a part was made of these files with this tokenizer."""
    known = json.loads(part.known().read_text("utf-8"))
    pairs = known["pairs"]
    if files != known["files"] or known["tokenizer"] != tokenizer.fingerprint():
        return False
    if (kept.mix.fingerprint if kept.mix else None) != known["mix"]:
        return False
    for split, store in zip(_STORED, (kept.train, kept.dev), strict=True):
        wanted = TokenStore.known(
            f"{split} {known['fingerprint']}",
            tokenizer,
            learnt_ways(part.data, tokenizer),
            config.training.max_pieces,
        )
        if (store.fingerprint if store else None) != (wanted if pairs[split] else None):
            return False
    return all((part.folder / f"{split}.jsonl").exists() for split in _HELD if pairs[split])


def _tokenizer(
    config: RunConfig, folder: Path, corpora: list[Corpus], progress: Progress
) -> Tokenizer:
    path = folder / "tokenizer.json"
    if path.exists():
        return Tokenizer.load(path)
    if config.start:
        return bring(config, folder)
    progress.say(f"learning {config.tokenizer.vocabulary_size:,} pieces")
    data = config.data
    languages = (data.source_language, *data.of_languages()) if data.both_directions else ()
    most, size = config.tokenizer.learn_from, sum(corpus.size("train") for corpus in corpora)
    if most < size:
        progress.say(f"from {most:,} of {size:,} pairs (--tokenizer.learn-from)")
    tokenizer = Tokenizer.train(
        lambda: spread(_every_pair(corpora), size, most), config.tokenizer, languages
    )
    if tokenizer.target_size < config.tokenizer.vocabulary_size:
        progress.say(f"the corpus gives {tokenizer.target_size:,}")
    tokenizer.save(path)
    return tokenizer


def _every_pair(corpora: list[Corpus]) -> Iterator[tuple[str, str]]:
    """Yield what is learnt from, one corpus after the other."""
    return chain.from_iterable(corpus.pairs("train") for corpus in corpora)


def spread(pairs: Iterable[Pair], count: int, most: int) -> Iterator[Pair]:
    """Yield at most so many of `count` pairs, evenly spread over them.

    >>> list(spread("abcdefg", 7, 3))
    ['a', 'd', 'f']
    """
    share = min(most, count)
    for number, pair in enumerate(pairs):
        if number * share % count < share:
            yield pair
