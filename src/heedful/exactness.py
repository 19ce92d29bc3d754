"""How often is the answer right, and by how many edits are the others wrong?

Sources, outputs and right answers come in, `Exactness` goes out: the measures of tasks that have
one right answer, or a few, such as pronunciations and normal forms. `heed evaluate --exact` prints
them beside BLEU and chrF.
"""

__all__ = ["Exactness", "compare_exact", "edits", "score_exact"]

import dataclasses
from collections.abc import Callable, Hashable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from heedful import __version__
from heedful.resampling import RESAMPLES, SEED, TRIALS, Array, Paired, Score, measured, paired


@dataclass(frozen=True)
class Exactness:
    """What is known of one set of answers; rates are in percent, with their 95 % intervals."""

    exact: Score
    """Questions whose answer is one of the right ones, character by character."""
    token_errors: Score
    """Edits of tokens, which spaces part, to a token of the right answers: the word error rate of
    sentences, the phone error rate of pronunciations. It can pass 100."""
    character_errors: Score
    """The same in characters."""
    questions: int
    """Sources that are not the same; one that stands in several rows has several right answers."""
    answers: int
    """Right answers in all."""

    def to_json(self) -> dict[str, Any]:
        """Return plain values for `json.dumps`."""
        return dataclasses.asdict(self)


def edits(a: Sequence[Hashable], b: Sequence[Hashable]) -> int:
    """Return the fewest insertions, deletions and substitutions that make b of a.

    Levenshtein's distance, a column of the table in one step of long integers (Myers 1999; the
    distance itself as Hyyrö 2003, algorithm 8).

    >>> edits("kitten", "sitting"), edits("K AE T".split(), "K AH T S".split())
    (3, 2)
    """
    if not a:
        return len(b)
    places: dict[Hashable, int] = {}
    for number, token in enumerate(a):
        places[token] = places.get(token, 0) | 1 << number
    every, last = (1 << len(a)) - 1, 1 << (len(a) - 1)
    rises, falls, distance = every, 0, len(a)
    for token in b:
        same = places.get(token, 0)
        level = (((same & rises) + rises) ^ rises) | same | falls
        up, down = (falls | ~(level | rises)) & every, rises & level
        distance += bool(up & last) - bool(down & last)
        up, down = up << 1 | 1, down << 1
        rises, falls = (down | ~(level | up)) & every, up & level & every
    return distance


def score_exact(
    sources: Sequence[str],
    outputs: Sequence[str],
    references: Sequence[str],
    *,
    resamples: int = RESAMPLES,
    seed: int = SEED,
) -> Exactness:
    """Measure answers against the right ones.

    Rows with the same source are one question with several right answers: its first output is held
    to the nearest of them, by tokens, then characters. White space at the ends does not count.
    """
    counts = _counts(sources, outputs, references)
    exact, tokens, characters = (measured(one, counts, resamples, seed) for one in _MEASURES)
    return Exactness(exact, tokens, characters, len(counts), len(references))


def compare_exact(
    sources: Sequence[str],
    references: Sequence[str],
    a: Sequence[str],
    b: Sequence[str],
    *,
    resamples: int = RESAMPLES,
    seed: int = SEED,
) -> tuple[Paired, Paired, Paired]:
    """Test whether the answers `b` differ from `a` by more than luck, in each of the measures."""
    counts_a, counts_b = (_counts(sources, one, references) for one in (a, b))
    how = resamples, TRIALS, seed
    exact, tokens, characters = (paired(one, counts_a, counts_b, how) for one in _MEASURES)
    return exact, tokens, characters


def _counts(sources: Sequence[str], outputs: Sequence[str], references: Sequence[str]) -> Array:
    """Return `[1, right, edits, of tokens, edits, of characters]` of every question."""
    asked: dict[str, tuple[str, list[str]]] = {}
    for source, output, right in zip(sources, outputs, references, strict=True):
        asked.setdefault(source.strip(), (output.strip(), []))[1].append(right.strip())
    rows = [min(_apart(output, right) for right in rights) for output, rights in asked.values()]
    return np.array(
        [(1, chars == 0, tokens, many, chars, length) for tokens, chars, many, length in rows],
        dtype=np.float64,
    )


def _apart(output: str, right: str) -> tuple[int, int, int, int]:
    """Return edits of tokens and of characters, and tokens and characters of the right answer."""
    tokens, wanted = output.split(), right.split()
    return edits(tokens, wanted), edits(output, right), len(wanted), len(right)


@dataclass(frozen=True)
class _Rate:
    """A column of the counts in percent of another."""

    name: str
    key: str
    column: int
    of: int

    @property
    def formula(self) -> Callable[[Array], Array]:
        """From rows of summed counts to the rate of each."""
        return lambda sums: np.asarray(100 * sums[:, self.column] / np.maximum(sums[:, self.of], 1))

    def signature(self, **resampling: int) -> str:
        """Return what was computed, in sacreBLEU's notation."""
        parts = {"metric": self.key, "nrefs": "var", **resampling, "heedful": __version__}
        return "|".join(f"{key}:{value}" for key, value in parts.items())


_MEASURES = (
    _Rate("exact match", "exact", 1, 0),
    _Rate("token errors", "token-edits", 2, 3),
    _Rate("character errors", "character-edits", 4, 5),
)
