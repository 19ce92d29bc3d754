"""A training that begins with another model: its shape, its tokenizer, its languages, its weights.

The name of a model and the settings of a run come in; `heed train --start` makes its settings of
what goes out, `heedful.run` its first weights, and what the training has changed in the end.
"""

__all__ = [
    "Gain",
    "TestSets",
    "bring",
    "first_weights",
    "gains",
    "general_sets",
    "languages_of",
    "settings_of",
    "unspelled",
]

from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

import torch

from heedful import evaluate
from heedful.config import RunConfig
from heedful.data.corpus import DataConfig
from heedful.data.evenly import evenly
from heedful.data.formats import ReadCounts
from heedful.data.held_out import held_out
from heedful.data.report import write_whole
from heedful.data.store import TokenStore
from heedful.data.survey import Source
from heedful.errors import ModelError, SettingError
from heedful.model_folder import LoadedModel, load_model
from heedful.model_header import Languages, read_header
from heedful.model_path import model_path
from heedful.models.architecture import Model
from heedful.text.pieces import BYTE_LETTERS, UNKNOWN
from heedful.text.tokenizer import Tokenizer
from heedful.train.lora import begin_with
from heedful.translator import Translator

_FREE = {"dropout"}
"""What of a model's shape may change: no weight depends on it."""
TestSets = list[tuple[str, list[tuple[str, str]]]]
"""Names of test sets and their pairs."""
LANGUAGES = "start-languages.json"
"""In the run folder: what the model that the run began with translates between."""
MOST = 1000
"""Sentences of a test set that are translated, evenly spread over it."""
_LOOKED_AT = 2000
"""Rows of the corpus whose spelling is looked at."""


def settings_of(name: str, changes: dict[str, Any]) -> dict[str, Any]:
    """Return the changes of a run, with what the model decides: its shape and its languages.

    Raises SettingError where the changes ask for something else.
    """
    folder = model_path(name)
    header, tokenizer = read_header(folder), Tokenizer.load(folder / "tokenizer.json")
    shape = changes.get("model", {})
    fixed = set(shape) - _FREE if isinstance(shape, dict) else set()
    for wanted in [f"model.{one}" for one in sorted(fixed)] + ["tokenizer"] * (
        "tokenizer" in changes
    ):
        raise SettingError(
            "the model that the training begins with decides it",
            where=f"--{wanted.replace('_', '-')}",
            fix="leave it out, or leave --start out",
        )
    return changes | {
        "start": name,
        "model": header.model.model_dump(mode="json") | shape,
        "tokenizer": {
            "kind": tokenizer.models()[0]["type"].lower(),
            "vocabulary_size": tokenizer.source_size,
            "exact": False,
            "shared": tokenizer.shared,
        },
        "data": _directed(header.languages, changes.get("data", {})),
    }


def _directed(known: Languages, data: dict[str, Any]) -> dict[str, Any]:
    """Return the settings of the corpus with its languages, which must be the model's."""
    asked = (data.get("source_language", ""), data.get("target_language", ""))
    possible = known.ways()
    fitting = [
        pair
        for pair in possible
        if all(not a or not b or a == b for a, b in zip(asked, pair, strict=True))
    ]
    if not fitting or (data.get("both_directions") and not known.both_directions):
        ways = " and ".join(f"from {a or 'its source'} to {b or 'its target'}" for a, b in possible)
        raise SettingError(
            f"the model that the training begins with translates {ways}",
            where="--from and --to",
            fix="give languages that it knows, or leave --start out",
        )
    if len(fitting) > 1:
        directions = ", ".join(f"{a} to {b}" for a, b in fitting)
        raise SettingError(
            f"the model knows several directions: {directions}",
            where="--from and --to",
            fix="say which languages the columns are, such as --from "
            f"{fitting[0][0]} --to {fitting[0][1]}",
        )
    source, target = (a or b for a, b in zip(asked, fitting[0], strict=True))
    return data | {"source_language": source, "target_language": target}


def bring(config: RunConfig, folder: Path) -> Tokenizer:
    """Put what a run keeps of the model that it begins with into its folder; return the tokenizer.

    What the model translates between, it goes on to: the run's corpus may be of one direction.
    """
    start = model_path(config.start)
    languages = read_header(start).languages
    if not languages.source and not languages.target:
        data = config.data
        languages = Languages(source=data.source_language, target=data.target_language)
    write_whole(folder / LANGUAGES, languages.model_dump_json() + "\n")
    tokenizer = Tokenizer.load(start / "tokenizer.json")
    tokenizer.save(folder / "tokenizer.json")
    return tokenizer


def languages_of(config: RunConfig, folder: Path) -> Languages:
    """Return what a run's model translates between: what it began with did, or what it learns.

    Raises ModelError where what the run keeps of the model that it began with is lost.
    """
    data = config.data
    if not config.start:
        return Languages(
            source=data.source_language,
            target=data.target_language,
            both_directions=data.both_directions,
            others=data.other_languages(),
        )
    path = folder / LANGUAGES
    try:
        return Languages.model_validate_json(path.read_text("utf-8"))
    except (OSError, ValueError) as error:
        fix = "start a new run with another --out"
        raise ModelError("the file is missing or damaged", where=str(path), fix=fix) from error


def first_weights(config: RunConfig, model: Model) -> None:
    """Give a model the weights of the one that its run begins with; additions to them stay."""
    begin_with(model, load_model(model_path(config.start)).model)


def unspelled(store: TokenStore, tokenizer: Tokenizer) -> float:
    """Return the share of pieces that are a lone byte of a letter: 0 to 1, of both sides.

    A vocabulary that has not learnt a script spells it so, and the model cannot know it. One of
    SentencePiece has `<unk>` for it.
    """
    lone = [
        {UNKNOWN}
        if tokenizer.cutters()
        else {
            number
            for number, piece in enumerate(side)
            if len(piece) == 1 and BYTE_LETTERS.get(piece, 0) >= 0x80
        }
        for side in tokenizer.vocabularies()
    ]
    count = found = 0
    for row in range(min(len(store), _LOOKED_AT)):
        for ids, bytes_ in zip((store.source(row), store.target(row)), lone, strict=True):
            count += len(ids)
            found += sum(number in bytes_ for number in ids.tolist())
    return found / max(1, count)


class Gain(NamedTuple):
    """BLEU and chrF on a test set before and after a training."""

    name: str
    sentences: int
    before: tuple[float, float]
    after: tuple[float, float]

    def __str__(self) -> str:
        changes = [
            f"{metric} {a:.1f}, was {b:.1f} ({a - b:+.1f})"
            for metric, a, b in zip(("BLEU", "chrF"), self.after, self.before, strict=True)
        ]
        return f"{self.name} ({self.sentences:,} sentences): {', '.join(changes)}"


def gains(config: RunConfig, folder: Path, after: LoadedModel, device: torch.device) -> list[Gain]:
    """Return what the training has gained on the run's own test set, and on the general ones.

    Without a test set it is the dev set, by which the weights were chosen.
    """
    before = load_model(model_path(config.start), device)
    translators = [Translator(loaded, device) for loaded in (before, after)]
    found = []
    for name, pairs in _test_sets(config, folder):
        some = [pairs[at] for at in evenly(len(pairs), MOST)]
        with torch.compiler.set_stance("force_eager"):  # a search has too many shapes to compile
            scores = [_scored(translator, some, config) for translator in translators]
        found.append(Gain(name, len(some), *scores))
    return found


def _test_sets(config: RunConfig, folder: Path) -> TestSets:
    """Return the names and pairs of what is measured at the end."""
    found: TestSets = []
    for split in ("test", "dev"):
        if (pairs := held_out(folder / f"{split}.jsonl")) and not found:
            found.append((f"{split} set", pairs))
    found += general_sets(config.data)
    return [(name, pairs) for name, pairs in found if pairs]


def general_sets(data: DataConfig, say: Callable[[str], None] | None = None) -> TestSets:
    """Return the general test sets; raises DataError for a bad row.

    `say` is told what is left out of them.
    """
    found = []
    for spec in data.general:
        counts = ReadCounts()
        read = Source((spec,), data.columns, data.skip_bad).rows((counts,))
        pairs = [(row.source.strip(), row.target.strip()) for _, row in read]
        found.append((spec, [pair for pair in pairs if all(pair)]))
        if say is not None:
            _say_left_out(spec, counts, len(pairs) - len(found[-1][1]), say)
    return found


def _say_left_out(spec: str, counts: ReadCounts, n_empty: int, say: Callable[[str], None]) -> None:
    if bad := counts.skipped(spec):
        say(bad)
    if n_empty:
        say(f"{spec}: {n_empty:,} row{'s' * (n_empty != 1)} with an empty side left out")


def _scored(
    translator: Translator, pairs: list[tuple[str, str]], config: RunConfig
) -> tuple[float, float]:
    """Return BLEU and chrF."""
    data = config.data
    to = data.target_language if translator.tokenizer.languages else None
    texts = translator.translate([source for source, _ in pairs], to, search=config.search)
    references = [target for _, target in pairs]
    scores = evaluate.score(texts, references, language=data.target_language, resamples=0)
    return scores.bleu.value, scores.chrf.value
