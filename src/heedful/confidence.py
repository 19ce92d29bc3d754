"""How far a translation can be trusted: the quality to expect of one that a model finds so likely.

Log-probabilities and the chrF of translations of known references come in, a table goes out that
stands in the model folder; the translator reads it. `heed train` and `heed evaluate --calibrate`
make it.
"""

__all__ = ["FEWEST", "FILE", "Calibration", "Confidence", "Fit", "learn"]

import json
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from heedful.errors import ModelError
from heedful.model_header import add_file, added_file

FILE = "confidence.json"
FORMAT = "heedful-confidence-1"
FEWEST = 100
"""Sentences under which nothing is learnt."""
_KNOTS = 20
"""Groups of equally many sentences whose means the curve goes through, at most."""

Array = NDArray[np.float64]


@dataclass(frozen=True)
class Calibration:
    """The chrF to expect of each mean log-probability, for one target language."""

    log_probs: tuple[float, ...]
    """Mean natural logarithms of a piece's probability, rising."""
    chrf: tuple[float, ...]
    """From 0 to 100, never falling."""
    sentences: int
    """What it was learnt from."""

    @classmethod
    def fit(cls, log_probs: Sequence[float], chrf: Sequence[float]) -> "Calibration":
        """Learn the curve: means of groups, made monotone by least squares.

        >>> Calibration.fit([-3.0, -2.0, -1.0], [10.0, 40.0, 20.0]).chrf
        (10.0, 30.0, 30.0)
        """
        order = np.argsort(np.asarray(log_probs, np.float64), kind="stable")
        groups = np.array_split(order, min(_KNOTS, len(order)))
        sizes = np.array([len(group) for group in groups], np.float64)
        places, values = (
            np.array([np.mean(np.asarray(side, np.float64)[group]) for group in groups])
            for side in (log_probs, chrf)
        )
        rising = _monotone(values, sizes)
        return cls(tuple(places.tolist()), tuple(rising.tolist()), len(order))

    def __call__(self, log_probs: Sequence[float]) -> Array:
        """Return the chrF to expect of each, between the means in a straight line."""
        return np.interp(np.asarray(log_probs, np.float64), self.log_probs, self.chrf)


def _monotone(values: Array, weights: Array) -> Array:
    """Return the rising sequence with the least weighted squares (pool adjacent violators)."""
    blocks: list[tuple[float, float, int]] = []
    for value, weight in zip(values.tolist(), weights.tolist(), strict=True):
        block = (value, weight, 1)
        while blocks and blocks[-1][0] >= block[0]:
            mean, heavy, count = blocks.pop()
            total = heavy + block[1]
            block = ((mean * heavy + block[0] * block[1]) / total, total, count + block[2])
        blocks.append(block)
    return np.concatenate([np.full(count, mean) for mean, _, count in blocks])


@dataclass(frozen=True)
class Fit:
    """How near the expected chrF came to the one there was."""

    correlation: float
    """Pearson's, of single sentences."""
    error: float
    """Mean absolute difference, in points of chrF."""
    sentences: int

    @classmethod
    def of(cls, expected: Sequence[float], found: Sequence[float]) -> "Fit":
        """Compare; the correlation of what does not vary is 0."""
        one, other = np.asarray(expected, np.float64), np.asarray(found, np.float64)
        varies = len(one) > 1 and one.std() > 0 and other.std() > 0
        correlation = float(np.corrcoef(one, other)[0, 1]) if varies else 0.0
        return cls(correlation, float(np.abs(one - other).mean()), len(one))

    def __str__(self) -> str:
        return (
            f"correlation {self.correlation:.2f} with chrF, mean error {self.error:.1f} points "
            f"({self.sentences:,} sentences)"
        )


@dataclass(frozen=True)
class Confidence:
    """The calibrations of a model, by target language."""

    targets: Mapping[str, Calibration]

    def with_target(self, target: str, calibration: Calibration) -> "Confidence":
        """Return these with that of a target learnt, or learnt anew."""
        return Confidence({**self.targets, target: calibration})

    def to_bytes(self) -> bytes:
        """Return the file as it stands in a model folder."""
        every = {
            target: {
                "mean_log_prob": one.log_probs,
                "chrf": one.chrf,
                "sentences": one.sentences,
            }
            for target, one in self.targets.items()
        }
        return (json.dumps({"format": FORMAT, "targets": every}, indent=1) + "\n").encode()

    def save(self, folder: Path) -> None:
        """Add it to a model folder, in the place of an older one; see `add_file`."""
        add_file(folder, FILE, self.to_bytes())

    @classmethod
    def load(cls, folder: Path) -> "Confidence":
        """Return that of a model folder, empty if it has none; ModelError if it is damaged."""
        path = added_file(folder, FILE)
        if path is None:
            return cls({})
        try:
            found = json.loads(path.read_text("utf-8"))
            if found["format"] != FORMAT:
                raise ValueError(f"its format is {found['format']!r}")
            return cls({name: _calibration(one) for name, one in found["targets"].items()})
        except (OSError, ValueError, KeyError, TypeError, AttributeError, RecursionError) as error:
            raise ModelError(
                f"this file cannot be used ({error})",
                where=str(path),
                fix="learn it again: heed evaluate --calibrate",
            ) from error


def learn(folder: Path, tag: str, log_probs: Sequence[float], chrf: Sequence[float]) -> Fit:
    """Let the model in a folder know how good its translations to a target are."""
    learnt, known = Calibration.fit(log_probs, chrf), Confidence({})
    with suppress(ModelError):  # what cannot be used is made anew
        known = Confidence.load(folder)
    known.with_target(tag, learnt).save(folder)
    return Fit.of(learnt(log_probs).tolist(), chrf)


def _calibration(found: dict[str, Any]) -> Calibration:
    """Return one as it was saved; raises ValueError for what is no rising curve of numbers."""
    sides = [tuple(map(float, found[name])) for name in ("mean_log_prob", "chrf")]
    rising = all(list(side) == sorted(side) for side in sides)
    if not rising or not sides[0] or len(sides[0]) != len(sides[1]):
        raise ValueError("a curve that does not rise")
    return Calibration(sides[0], sides[1], int(found["sentences"]))
