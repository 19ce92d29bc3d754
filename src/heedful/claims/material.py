"""What the claims about translating learn: Multi30k, or a little language whose order matters.

A folder comes in, settings with their corpus and a test go out. Everything that is compared learns
from the same batches, in the same steps; Multi30k's full form at each one's best learning rate, all
else at the same.
"""

__all__ = [
    "LOTS",
    "MULTI30K",
    "ROLES",
    "Material",
    "files_of",
    "grouped",
    "material",
    "missing_data",
    "missing_multi30k",
    "roles",
    "shuffled",
]

import random
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from heedful.claims.claim import Figures, Measured, Place, Size
from heedful.claims.contenders import solved, tuned
from heedful.claims.learning import Learnt, TranslationCorpus, translated, written
from heedful.config import RunConfig, merged
from heedful.errors import DataError
from heedful.evaluate import score
from heedful.model_header import Languages
from heedful.recipes import tiny
from heedful.search import Beam, Greedy

Pairs = list[tuple[str, str]]

ROLES, LOTS, MULTI30K = "roles", "lots", "multi30k"
"""Who does what to whom; the same with a word in front that is drawn by lot; captions of photos."""

_WORDS = """
cat dog bird horse mouse child baker king queen farmer doctor singer fox bear wolf sailor judge goat
sees bites finds calls likes feeds draws hears helps meets
red old small loud calm quick proud sad
ala bele cimi dodo efe fugu gigi huhu
"""
_NOUNS, _VERBS, _ADJECTIVES, _LOTS = (tuple(line.split()) for line in _WORDS.strip().splitlines())

_FILES = ("train", "val", "test_2016_flickr")

_SHAPES: dict[tuple[str, Size], dict[str, Any]] = {
    (ROLES, "quick"): {
        "tokenizer": {"vocabulary_size": 600},
        "objective": {"label_smoothing": 0.0},
        "model": {"d_model": 64, "d_ff": 128, "dropout": 0.0, "max_length": 32},
        "schedule": {"kind": "linear", "warmup_steps": 60, "peak": 3e-3},
        "training": {"max_steps": 160, "batch_tokens": 1000, "max_pieces": 32},
    },
    (MULTI30K, "quick"): {
        "tokenizer": {"vocabulary_size": 2000},
        "model": {"d_model": 64, "d_ff": 256, "dropout": 0.1, "max_length": 128},
        "schedule": {"kind": "linear", "warmup_steps": 40, "peak": 4e-3},
        "training": {"max_steps": 160, "batch_tokens": 1500, "max_pieces": 100},
    },
    (MULTI30K, "full"): {
        "tokenizer": {"vocabulary_size": 6000},
        "model": {
            "d_model": 128,
            "d_ff": 512,
            "dropout": 0.2,
            "encoder_layers": 3,
            "decoder_layers": 3,
            "max_length": 128,
        },
        "schedule": {"kind": "linear", "warmup_steps": 200, "peak": 2e-3},
        "training": {"max_steps": 1600, "batch_tokens": 2500, "max_pieces": 100},
    },
}
_SHAPES[ROLES, "full"] = _SHAPES[ROLES, "quick"] | {
    "schedule": {"kind": "linear", "warmup_steps": 120, "peak": 3e-3},
    "training": {"max_steps": 800, "batch_tokens": 1000, "max_pieces": 32},
}
_SHAPES[LOTS, "quick"], _SHAPES[LOTS, "full"] = _SHAPES[ROLES, "quick"], _SHAPES[ROLES, "full"]

_ROWS = {"quick": (6000, 90, 90), "full": (29_000, 1014, 1000)}
"""Sentences of Multi30k's train, dev and test."""
_SENTENCES = {"quick": (6000, 200, 200), "full": (6000, 200, 1000)}
"""The same of the little language."""

VALIDATIONS = 8


@dataclass(frozen=True)
class Material:
    """A corpus with its settings, and the test that a model is put to."""

    config: RunConfig
    test: Pairs
    languages: Languages
    metric: str
    corpus: TranslationCorpus
    size: Size

    def contender(self, name: str) -> RunConfig:
        """Return the settings with which a translator learns this, as large as the Transformer.

        Multi30k's full form each learns at the rate found best for it, all else at one rate.
        """
        chosen = tuned if (self.metric, self.size) == ("BLEU", "full") else solved
        return chosen(name, self.config, self.corpus.vocabulary)

    def measured(self, found: Learnt, sources: list[str] | None = None) -> float:
        """Return accuracy (whole sentences, percent) or BLEU on the test, from other sources too.

        The search is a beam of 4 in the full form, else greedy.
        """
        given = sources if sources is not None else [source for source, _ in self.test]
        references = [target for _, target in self.test]
        search = Beam() if self.size == "full" else Greedy()
        texts = translated(found, given, search, self.languages)
        if self.metric == "accuracy":
            texts, references = ([self._asked(one) for one in some] for some in (texts, references))
            return 100 * sum(map(str.__eq__, texts, references)) / len(references)
        return score(texts, references, language=self.languages.target, resamples=0).bleu.value

    def _asked(self, text: str) -> str:
        """Return a sentence without the word that is drawn by lot: nobody can know that."""
        first, _, rest = text.partition(" ")
        return rest if first in _LOTS else text


def material(name: str, size: Size, place: Place) -> Material:
    """Return what is learnt, written into the case's folder and prepared there.

    Raises DataError where Multi30k is not in the data folder.
    """
    if name != MULTI30K:
        lots = name == LOTS
        train, dev, test = _SENTENCES[size]
        parts = roles(train, lots=lots), roles(dev, 2, lots=lots), roles(test, 3, lots=lots)
        languages, metric = Languages(), "accuracy"
    else:
        parts = _multi30k(place.data, size)
        languages, metric = Languages(source="en", target="de"), "BLEU"
    files = _written(parts, place)
    config = _settings(name, size, files, languages, place.device.type)
    corpus = TranslationCorpus.of(config, place.folder / "corpus")
    return Material(config, parts[2], languages, metric, corpus, size)


def files_of(place: Place, size: Size) -> dict[str, str]:
    """Return the files of Multi30k's train, dev and test, written into the case's folder."""
    return _written(_multi30k(place.data, size), place)


def _written(parts: tuple[Pairs, Pairs, Pairs], place: Place) -> dict[str, str]:
    return {
        part: written(place.folder, part, pairs)
        for part, pairs in zip(("train", "dev", "test"), parts, strict=True)
    }


def _settings(
    name: str, size: Size, files: dict[str, str], languages: Languages, device: str
) -> RunConfig:
    given = _SHAPES[name, size]
    every = max(1, given["training"]["max_steps"] // VALIDATIONS)
    training = given["training"] | {
        "validate_every": every,
        "save_every": every,
        "log_every": every,
        "average_last": 1,
        "bleu_sentences": 0,
        "compile": False,
    }
    data = files | {"source_language": languages.source, "target_language": languages.target}
    changes = given | {"training": training, "data": data, "device": device}
    changes["model"] = given["model"] | {"residual": {"kind": "pre_norm"}}
    return merged(tiny(), changes)


def missing_data(data: Path | None, size: Size) -> str | None:
    """Return what the full form lacks of Multi30k; the quick one learns the little language."""
    return None if size == "quick" else missing_multi30k(data, size)


def missing_multi30k(data: Path | None, size: Size) -> str | None:
    """Return what the data folder lacks of Multi30k in English and German; None if nothing."""
    names = [f"multi30k/{part}.{side}" for part in _FILES for side in ("en", "de")]
    if data is None:
        return "it needs Multi30k: give --data a folder with multi30k/train.en, train.de and so on"
    lost = [name for name in names if not (data / name).is_file()]
    return f"it needs Multi30k, and {data / lost[0]} is not there" if lost else None


def _multi30k(data: Path | None, size: Size) -> tuple[Pairs, Pairs, Pairs]:
    if (missing := missing_multi30k(data, size)) is not None or data is None:
        raise DataError(str(missing), where="--data")
    found = []
    for part, rows in zip(_FILES, _ROWS[size], strict=True):
        sides = [
            (data / "multi30k" / f"{part}.{side}").read_text("utf-8").splitlines()[:rows]
            for side in ("en", "de")
        ]
        found.append(
            [
                (" ".join(one.split()), " ".join(two.split()))
                for one, two in zip(*sides, strict=True)
            ]
        )
    return found[0], found[1], found[2]


def roles(count: int, seed: int = 1, *, lots: bool = False) -> Pairs:
    """Return sentences of who does what to whom, and their translations.

    A translation names the object first, nouns before adjectives, each word written backwards. Of
    the words of a sentence alone, in no order, four sentences can be made: two nouns, and two
    adjectives, can be either one's. So no more than a quarter of them can be right without order.
    With `lots` each translation begins with one of eight words that nothing foretells.

    >>> roles(1)
    [('calm mouse hears red bird', 'drib der sraeh esuom mlac')]
    """
    draw, found = random.Random(seed), []
    for _ in range(count):
        one, two = draw.sample(_NOUNS, 2)
        first, second = draw.sample(_ADJECTIVES, 2)
        verb = draw.choice(_VERBS)
        target = [word[::-1] for word in (two, second, verb, one, first)]
        chance = [draw.choice(_LOTS)] if lots else []
        found.append((f"{first} {one} {verb} {second} {two}", " ".join([*chance, *target])))
    return found


def shuffled(texts: list[str], seed: int = 0) -> list[str]:
    """Return the texts with the words of each in another order.

    >>> shuffled(["a b c d e"]) != ["a b c d e"]
    True
    """
    draw, found = random.Random(seed), []
    for text in texts:
        words = text.split()
        mixed = words[:]
        while len(set(words)) > 1 and mixed == words:
            draw.shuffle(mixed)
        found.append(" ".join(mixed))
    return found


def grouped(results: Sequence[Measured], key: str) -> dict[str, list[Figures]]:
    """Return the figures of the cases that have the same `key`, as of several seeds."""
    found: dict[str, list[Figures]] = {}
    for case, figures in results:
        found.setdefault(case[key], []).append(figures)
    return found
