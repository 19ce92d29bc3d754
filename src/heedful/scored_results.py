"""What is known of translations once they are scored: scores, checks, comparison, expectations.

A test set and its systems come in, `Results` goes out; `heed evaluate` prints them.
"""

__all__ = ["Asked", "Results", "results_of"]

from dataclasses import asdict, dataclass
from functools import cached_property
from typing import Any

from heedful.confidence import Fit
from heedful.data.glossary import Glossary
from heedful.evaluate import Changed, Comparison, Scores, compare, score, sentence_chrf
from heedful.exactness import Exactness, compare_exact, score_exact
from heedful.output_checks import Checks, check
from heedful.resampling import Paired
from heedful.scored_systems import Pairs, System


@dataclass(frozen=True)
class Asked:
    """What is to be found out, and how."""

    language: str
    """The target's, where no model tells."""
    tokenize: str | None
    seed: int
    comparing: bool
    """Whether two systems are to be compared."""
    show: int
    """Sentences to name of those that changed most."""
    glossary: Glossary | None
    exact: bool
    """Whether exact answers and edits are counted."""


@dataclass
class Results:
    """What is known of the systems, over the rows that are scored."""

    rows: list[int]
    sources: list[str]
    references: list[str]
    lines: list[list[str]]
    """Of each system."""
    scores: list[Scores]
    exactness: list[Exactness | None]
    """Of each system, where it was asked for."""
    checks: list[Checks]
    """Of each system, then those of the references."""
    comparison: Comparison | None
    paired: tuple[Paired, ...]
    """Exact match and both rates of errors compared, where that was asked for."""
    expected: list[list[float] | None]
    """The chrF that each system expects of its sentences, if it knows."""

    @cached_property
    def chrf(self) -> list[list[float]]:
        """Of each sentence of each system."""
        return [sentence_chrf(chosen, self.references).tolist() for chosen in self.lines]

    @cached_property
    def fits(self) -> list[Fit | None]:
        """How near each came, as far as it expected anything."""
        return [
            None if expected is None else Fit.of(expected, self.chrf[number])
            for number, expected in enumerate(self.expected)
        ]

    def changed(self) -> list[tuple[int, Changed, list[str]]]:
        """Return the sentences that changed most: row from 1, scores, source, reference, A, B."""
        texts = (self.sources, self.references, *self.lines)
        return [
            (self.rows[one.row] + 1, one, [side[one.row] for side in texts])
            for one in (self.comparison.changed if self.comparison else ())
        ]

    def paired_json(self) -> dict[str, Any]:
        """Return what `paired` holds as plain values."""
        names = ("exact", "token_errors", "character_errors")
        return {
            name: asdict(one) | {"difference": one.difference}
            for name, one in zip(names, self.paired, strict=False)
        }


def results_of(test: Pairs, systems: list[System], asked: Asked) -> Results:
    """Score, check and compare the translations of the rows that have both texts."""
    rows = test.scored()
    sources, references = ([side[row] for row in rows] for side in test.sides(systems[0].swapped))
    lines = [[system.lines[row] for row in rows] for system in systems]
    language = next((s.language for s in systems if s.language), asked.language)
    how: dict[str, Any] = {"language": language, "tokenize": asked.tokenize, "seed": asked.seed}
    scores = [
        score(chosen, references, seconds=system.seconds, **how)
        for system, chosen in zip(systems, lines, strict=True)
    ]
    exactness = [
        score_exact(sources, chosen, references, seed=asked.seed) if asked.exact else None
        for chosen in lines
    ]
    checks = [
        check(sources, chosen, language=language, glossary=asked.glossary)
        for chosen in (*lines, references)
    ]
    comparison: Comparison | None = None
    paired: tuple[Paired, ...] = ()
    if asked.comparing:
        comparison = compare(references, *lines, show=asked.show, **how)
        if asked.exact:
            paired = compare_exact(sources, references, *lines, seed=asked.seed)
    expected: list[list[float] | None] = [
        None if system.known is None else system.known(system.log_probs).tolist()
        for system in systems
    ]
    return Results(
        rows, sources, references, lines, scores, exactness, checks, comparison, paired, expected
    )
