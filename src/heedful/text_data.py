"""The text of a run becomes ids: surveyed, vocabulary learnt, streams built, each only once.

Settings and the run folder come in; `heedful.run_text` trains on what goes out. What a run left
there is taken as it is, if it is of the same text and vocabulary.
"""

__all__ = ["RunText", "prepare_text", "prepared_text"]

import json
from collections import Counter
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from heedful.config import TextRunConfig
from heedful.data.known import changed, refuse_change
from heedful.data.report import write_whole
from heedful.data.running_text import Part, TextReport, portions, survey
from heedful.data.stream import Stream
from heedful.errors import DataError, SettingError
from heedful.progress import Progress
from heedful.text.pieces import UNKNOWN
from heedful.text.vocabulary import Vocabulary

_SHOWN = 5
"""Unknown characters that are named."""


@dataclass(frozen=True)
class RunText:
    """The text as ids, with the vocabulary that made them."""

    vocabulary: Vocabulary
    train: Stream
    dev: Stream


def prepare_text(
    config: TextRunConfig, folder: Path, progress: Progress, *, accept_changes: bool = False
) -> RunText:
    """Survey the text, learn the vocabulary and build the streams, each only once.

    Raises DataError for a text that cannot be used, SettingError when a resumed run's text or
    vocabulary has changed, unless `accept_changes`.
    """
    data = config.data
    if not data.train:
        raise SettingError("there is nothing to learn from", where="--data", fix="give --data FILE")
    report = survey(data.train)
    progress.say(f"{' '.join(data.train)}: {report.summary()}")
    if report.looks_like_pairs():
        progress.warn(
            f"{data.train[0]}: every line has a tab: if these are pairs of sentences, leave out "
            "--recipe for a translator; here the text is learnt as it stands, tabs and all"
        )
    dev_report = survey(data.dev) if data.dev else None
    train, dev = _parts(config, report, dev_report)
    vocabulary = _vocabulary(config, folder, train, progress)
    now = {"fingerprint": _fingerprint(report, dev_report, train), "tokenizer": ""}
    now["tokenizer"] = vocabulary.fingerprint()
    known = folder / "corpus.json"
    refuse_change(changed(known, now), folder, progress, accepted=accept_changes)
    write_whole(known, json.dumps(now) + "\n")
    streams = [
        _stream(folder, name, part, vocabulary, now["fingerprint"], progress)
        for name, part in (("train", train), ("dev", dev))
    ]
    found = RunText(vocabulary, *streams)
    _check_lengths(config, found)
    for which, stream, part in (
        ("text to learn from", found.train, train),
        ("dev text", found.dev, dev),
    ):
        _say_unknown(which, stream, part, vocabulary, progress)
    _save_report(folder, found, report, dev_report)
    return found


def prepared_text(folder: Path) -> RunText:
    """Return what another process has prepared in the run folder."""
    vocabulary = Vocabulary.load(folder / "tokenizer.json")
    return RunText(vocabulary, *(Stream.open(folder / "store" / name) for name in ("train", "dev")))


def _parts(
    config: TextRunConfig, report: TextReport, dev_report: TextReport | None
) -> tuple[Part, Part]:
    """Return what is learnt from and what is only measured: the end of the text, or other files."""
    data, size = config.data, report.characters
    if dev_report is not None:
        return Part(data.train, 0, size), Part(data.dev, 0, dev_report.characters)
    cut = int(size * (1 - data.held_out))
    return Part(data.train, 0, cut), Part(data.train, cut, size)


def _fingerprint(report: TextReport, dev_report: TextReport | None, train: Part) -> str:
    return json.dumps([report.sha256, dev_report.sha256 if dev_report else "", train.size])


def _vocabulary(config: TextRunConfig, folder: Path, train: Part, progress: Progress) -> Vocabulary:
    path = folder / "tokenizer.json"
    if not path.exists():
        Vocabulary.train(portions(train), config.tokenizer).save(path)
        size = Vocabulary.load(path).size
        progress.say(f"vocabulary: {size:,} pieces ({config.tokenizer.kind})")
    return Vocabulary.load(path)


def _stream(
    folder: Path, name: str, part: Part, vocabulary: Vocabulary, text: str, progress: Progress
) -> Stream:
    facts = json.dumps([name, text, vocabulary.fingerprint()])
    coded = (vocabulary.running(portion) for portion in portions(part))
    watched = progress.track(coded, f"coding {name}, portions of a million characters")
    return Stream.build(folder / "store" / name, watched, vocabulary.size, UNKNOWN, facts)


def _check_lengths(config: TextRunConfig, found: RunText) -> None:
    """Raise DataError where a part has not even one window and the piece after it."""
    window = config.model.max_length
    for which, stream in (("to learn from", found.train), ("held out as dev text", found.dev)):
        if len(stream) <= window:
            least = min(len(found.train), len(found.dev)) - 1
            shorter = f"--model.max-length {least} or less" if least >= 8 else "a longer text"
            raise DataError(
                f"the text {which} has {len(stream):,} pieces, and the model's context of "
                f"{window:,} needs one more than that",
                where=" ".join(config.data.dev or config.data.train),
                fix=f"give {shorter}",
            )


def _say_unknown(
    which: str, stream: Stream, part: Part, vocabulary: Vocabulary, progress: Progress
) -> None:
    """Say which characters of a text the vocabulary does not have."""
    if not stream.unknown:
        return
    seen: Counter[str] = Counter()
    for portion in portions(part):
        places = np.flatnonzero(vocabulary.running(portion) == UNKNOWN)
        seen.update(portion[place] for place in places)
    most = ", ".join(repr(one) for one, _ in seen.most_common(_SHOWN))
    progress.say(
        f"the {which} has {stream.unknown:,} characters that the vocabulary does not have "
        f"({most}{', ...' if len(seen) > _SHOWN else ''}): they are read and not predicted"
    )


def _save_report(
    folder: Path, found: RunText, report: TextReport, dev_report: TextReport | None
) -> None:
    told = {
        "text": report.to_json(),
        "dev_text": dev_report.to_json() if dev_report else None,
        "pieces": {"train": len(found.train), "dev": len(found.dev)},
        "unknown": {"train": found.train.unknown, "dev": found.dev.unknown},
        "vocabulary": found.vocabulary.size,
    }
    write_whole(folder / "data-report.json", json.dumps(told, ensure_ascii=False, indent=1) + "\n")
