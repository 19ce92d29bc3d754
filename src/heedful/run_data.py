"""The corpus of a run becomes ids: examined, tokenizer learnt, token stores built, each only once.

Settings and the run folder come in; `heedful.run` trains on what goes out. Files that a run left
there are taken as they are, if they are of the same corpus and tokenizer.
"""

__all__ = ["RunData", "directions", "prepare", "prepared", "spread"]

import hashlib
import json
import shutil
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from itertools import chain
from pathlib import Path
from typing import Any, TypeVar

from heedful import __version__
from heedful.config import RunConfig
from heedful.data.corpus import Corpus, DataConfig, Split
from heedful.data.formats.reading import open_bytes
from heedful.data.joined import Joined
from heedful.data.report import write_whole
from heedful.data.store import TokenStore
from heedful.data.survey import Source
from heedful.errors import DataError, HeedfulError, ModelError, SettingError
from heedful.progress import Progress
from heedful.start import TestSets, bring, general_sets
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


def prepare(
    config: RunConfig, folder: Path, progress: Progress, *, accept_changes: bool = False
) -> RunData:
    """Examine the corpus, train the tokenizer and build the token stores, each only once.

    Files whose every byte is as it was are not examined again. Raises SettingError when a resumed
    run's corpus or tokenizer has changed, unless `accept_changes`; DataError for a corpus that
    cannot be used.
    """
    data = config.data
    specs = (*data.train, *data.dev, *data.test, *data.mix, *data.general)
    everything = Source(specs, data.columns, data.skip_bad)
    before = everything.state()
    files = _state(config, everything.paths(), progress)
    if found := _unchanged(config, folder, files):
        progress.say(f"the corpus is as it was: {len(found.train):,} rows to learn from")
        return found
    corpus = Corpus.examine(config.data, seed=config.seed, progress=progress, scratch=folder)
    if everything.state() != before:
        where = " ".join(everything.specs)
        raise DataError("changed while it was examined", where=where, fix="start again")
    progress.say(corpus.report.summary())
    general = general_sets(data)  # a bad row is said now, not when the training has ended
    tokenizer = _tokenizer(config, folder, corpus, progress)
    now = {"fingerprint": corpus.fingerprint(), "tokenizer": tokenizer.fingerprint()}
    changed = _changed(folder / "corpus.json", now)
    if changed and not accept_changes:
        raise SettingError(
            f"the {changed} has changed since this run began",
            where=str(folder),
            fix="restore the files, go on with the new one by --accept-changes, "
            "or start a new run with another --out",
        )
    if changed:
        progress.warn(f"the {changed} has changed since this run began: going on with the new one")
    _write_known(folder, now)
    corpus.report.save(folder)
    for split in _HELD:
        _write_held_out(folder / f"{split}.jsonl", corpus, split, anew=bool(changed))
    stores = {
        split: TokenStore.build(
            folder / "store" / split,
            corpus.pairs(split),
            tokenizer,
            directions(config.data, tokenizer),
            config.training.max_pieces,
            progress,
            fingerprint=f"{split} {corpus.fingerprint()}",
            total=corpus.size(split),
        )
        for split in _STORED
        if corpus.size(split)
    }
    mixed = _mixed(config, folder, corpus, tokenizer, general, progress) if data.mix else None
    _remove(folder / "store", "dev" not in stores, mixed is None)
    sizes = {split: corpus.size(split) for split in (*_STORED, "test")}
    mix = mixed.fingerprint if mixed else None
    _write_known(folder, now | {"files": files, "pairs": sizes, "mix": mix})
    train = stores["train"] if mixed is None else Joined(stores["train"], mixed)
    return RunData(tokenizer, train, stores.get("dev"))


def _remove(stores: Path, no_dev: bool, no_mix: bool) -> None:
    """Remove stores of what is no more: other processes look at the folder alone."""
    for name, gone in (("dev", no_dev), ("mix", no_mix)):
        for stale in (name, f"{name}.growing") if gone else ():
            shutil.rmtree(stores / stale, ignore_errors=True)


def _mixed(
    config: RunConfig,
    folder: Path,
    corpus: Corpus,
    tokenizer: Tokenizer,
    general: TestSets,
    progress: Progress,
) -> TokenStore:
    """Build the store of other texts: evenly spread, as many as of the corpus, none of a test."""
    data, where = config.data, " ".join(config.data.mix)
    other = DataConfig(
        train=data.mix, columns=data.columns, skip_bad=data.skip_bad, held_out=0, clean=data.clean
    )
    texts = Corpus.examine(other, seed=config.seed, progress=progress, scratch=folder)
    progress.say(f"{where}: {texts.report.summary()}")
    sides = 2 if data.both_directions else 1
    tests = chain(*(pairs for _, pairs in general), *map(corpus.pairs, _HELD))
    asked = {text for pair in tests for text in pair[:sides]}
    size, most = texts.size("train"), corpus.size("train")
    some = list(spread(texts.pairs("train"), size, most))
    free = [pair for pair in some if asked.isdisjoint(pair[:sides])]
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
        directions(data, tokenizer),
        config.training.max_pieces,
        progress,
        fingerprint=f"mix {told}",
        total=len(free),
    )


def prepared(folder: Path) -> RunData:
    """Return what another process has prepared in the run folder."""
    dev, mix = (folder / "store" / name for name in ("dev", "mix"))
    train = TokenStore.open(folder / "store" / "train")
    return RunData(
        Tokenizer.load(folder / "tokenizer.json"),
        Joined(train, TokenStore.open(mix)) if mix.exists() else train,
        TokenStore.open(dev) if dev.exists() else None,
    )


def _write_known(folder: Path, known: dict[str, Any]) -> None:
    write_whole(folder / "corpus.json", json.dumps(known) + "\n")


def _state(config: RunConfig, paths: list[Path], progress: Progress) -> str:
    """Return a hash of every byte of the corpora and of all that decides what becomes of them."""
    facts = [__version__, config.data.model_dump_json(), config.seed]
    for path in progress.track(paths, "looking at the files", len(paths)):
        with open_bytes(path) as file:
            facts.append(hashlib.file_digest(file, "blake2b").hexdigest())
    return hashlib.sha256(json.dumps(facts).encode()).hexdigest()


def _unchanged(config: RunConfig, folder: Path, files: str) -> RunData | None:
    """Return what an earlier start has prepared if all of it is there and nothing has changed."""
    try:
        known = json.loads((folder / "corpus.json").read_text("utf-8"))
        pairs = known["pairs"]
        if files != known["files"]:
            return None
        data = prepared(folder)
        tokenizer = data.tokenizer
        train = data.train
        if isinstance(train, Joined):
            train, mixed = train.both
            if mixed.fingerprint != known["mix"]:
                return None
        elif known["mix"] is not None:
            return None
        for split, store in zip(_STORED, (train, data.dev), strict=True):
            wanted = TokenStore.known(
                f"{split} {known['fingerprint']}",
                tokenizer,
                directions(config.data, tokenizer),
                config.training.max_pieces,
            )
            if (store.fingerprint if store else None) != (wanted if pairs[split] else None):
                return None
    except (OSError, ValueError, KeyError, TypeError, HeedfulError):
        return None  # what is wrong is found, and said, on the long way
    held = all((folder / f"{split}.jsonl").exists() for split in ("dev", "test") if pairs[split])
    return data if held and known["tokenizer"] == tokenizer.fingerprint() else None


def _changed(path: Path, now: dict[str, str]) -> str | None:
    """Return what is not as it was when the run began; None at its beginning too."""
    if not path.exists():
        return None
    try:
        then = json.loads(path.read_text("utf-8"))
        changed = [name for name in now if then.get(name, now[name]) != now[name]]
    except (ValueError, AttributeError) as error:
        fix = "start a new run with another --out"
        raise ModelError("the file is damaged", where=str(path), fix=fix) from error
    if not changed:
        return None
    return "corpus" if "fingerprint" in changed else "tokenizer"


def _tokenizer(config: RunConfig, folder: Path, corpus: Corpus, progress: Progress) -> Tokenizer:
    path = folder / "tokenizer.json"
    if path.exists():
        return Tokenizer.load(path)
    if config.start:
        return bring(config, folder)
    progress.say(f"learning {config.tokenizer.vocabulary_size:,} pieces")
    data = config.data
    languages = (data.source_language, data.target_language) if data.both_directions else ()
    most, size = config.tokenizer.learn_from, corpus.size("train")
    if most < size:
        progress.say(f"from {most:,} of {size:,} pairs (--tokenizer.learn-from)")
    tokenizer = Tokenizer.train(
        lambda: spread(corpus.pairs("train"), size, most), config.tokenizer, languages
    )
    if tokenizer.target_size < config.tokenizer.vocabulary_size:
        progress.say(f"the corpus gives {tokenizer.target_size:,}")
    tokenizer.save(path)
    return tokenizer


def spread(pairs: Iterable[Pair], count: int, most: int) -> Iterator[Pair]:
    """Yield at most so many of `count` pairs, evenly spread over them.

    >>> list(spread("abcdefg", 7, 3))
    ['a', 'd', 'f']
    """
    share = min(most, count)
    for number, pair in enumerate(pairs):
        if number * share % count < share:
            yield pair


def directions(data: DataConfig, tokenizer: Tokenizer) -> list[tuple[int, str | None]]:
    """Return which side is the source, with the tag of the target language if there are tags."""
    if not data.both_directions:
        return [(0, data.target_language if tokenizer.languages else None)]
    return [(0, data.target_language), (1, data.source_language)]


def _write_held_out(path: Path, corpus: Corpus, split: Split, *, anew: bool) -> None:
    """Keep the dev or test pairs beside the model, for `heed evaluate`."""
    if corpus.size(split) == 0 or (path.exists() and not anew):
        return
    fresh = path.with_suffix(".new")
    with fresh.open("w", encoding="utf-8") as file:
        for source, target in corpus.pairs(split):
            pair = {"source": source, "target": target}
            file.write(json.dumps(pair, ensure_ascii=False) + "\n")
    fresh.replace(path)
