"""What a translation is, and how those of a text's parts are joined.

Texts of parts and their hypotheses come in, a `Translation` goes out; `heedful.pipeline` makes it.
"""

__all__ = ["UNFINISHED", "Candidate", "Chain", "Translation", "begun", "blank", "grown", "joined"]

from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import NamedTuple

from heedful.decode.alignment import Link
from heedful.search import Hypothesis

UNFINISHED = "unfinished"
"""Flag: the maximum length came before the end of the translation."""


class Candidate(NamedTuple):
    """One possible translation of a text; of a split text, the sums over its parts."""

    text: str
    score: float
    """What the search ranks by; of a beam, log_prob / length penalty plus that of coverage."""
    log_prob: float
    pieces: int = 0
    """Of how many pieces, ends included; 0 where nothing was searched for."""


@dataclass(frozen=True)
class Translation:
    """A text's translation and what there is to say about it."""

    source: str
    text: str
    """The best translation."""
    hypotheses: tuple[Candidate, ...]
    """The n best, best first."""
    flags: tuple[str, ...] = ()
    """What was done or is wrong: `FLAGS` of `heedful.pipeline` says what each means."""
    links: tuple[Link, ...] = ()
    """Which word of the source each word of the best translation looks at, if it was asked for."""
    confidence: float | None = None
    """The chrF to expect of it, from 0 to 100, if it was asked for; None of a text that is blank or
    was kept as it is."""


@lru_cache(64)
def blank(text: str) -> Translation:
    """Return a text without words as it is; files of millions of empty lines share one."""
    return Translation(text, text, (Candidate(text, 0.0, 0.0),))


@dataclass(frozen=True)
class Chain:
    """Translations of a text's first parts; the earlier ones hang on `before`."""

    last: str
    unfinished: int
    score: float
    log_prob: float
    pieces: int
    before: "Chain | None"

    def then(self, text: str, found: Hypothesis) -> "Chain":
        """Return the chain with the next part's translation at its end."""
        return Chain(
            text,
            self.unfinished + (not found.finished),
            self.score + found.score,
            self.log_prob + found.log_prob,
            self.pieces + found.pieces,
            self,
        )

    def text(self) -> str:
        """Return the translation of all parts so far."""
        words = []
        chain: Chain | None = self
        while chain is not None:
            words.append(chain.last)
            chain = chain.before
        return "".join(reversed(words))

    def candidate(self, text: str) -> Candidate:
        """Return what it says, in the words that are shown."""
        return Candidate(text, self.score, self.log_prob, self.pieces)


def begun() -> list[Chain]:
    """Return the chain of no part."""
    return [Chain("", 0, 0.0, 0.0, 0, None)]


def joined(
    chains: Sequence[Chain], words: Sequence[str], found: Sequence[Hypothesis]
) -> list[Chain]:
    """Return the first with the first, the second with the second; where some end, their last."""
    count = max(len(chains), len(words))
    pairs = [(min(n, len(chains) - 1), min(n, len(words) - 1)) for n in range(count)]
    return [chains[one].then(words[other], found[other]) for one, other in pairs]


def grown(
    chains: Sequence[Chain], words: Sequence[str], found: Sequence[Hypothesis], n_best: int
) -> list[Chain]:
    """Return the n best chains with a translation of the next part each."""
    both = [
        chain.then(word, hypothesis)
        for chain in chains
        for word, hypothesis in zip(words, found, strict=True)
    ]
    return sorted(both, key=lambda chain: (chain.unfinished, -chain.score))[:n_best]
