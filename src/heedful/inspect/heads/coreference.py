"""Does a head look from "it" at what "it" stands for? How often, beside what needs no looking.

A model and the pronoun templates come in, a measurement of every encoder head goes out (Clark et
al. 2019, section 5). The head is chosen on one half of the frames, all figures are of the other.
"""

__all__ = [
    "ENOUGH",
    "Coreference",
    "HeadMeasure",
    "coreference",
    "measured",
    "pronoun_rows",
    "untrained",
]

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch

from heedful.inspect.heads.intervals import Estimate, estimate, estimates
from heedful.inspect.heads.pronouns import Example
from heedful.inspect.heads.reading import maps, shares_of, source_ids, to_words
from heedful.inspect.names import Head, every_head
from heedful.models.transformer import Transformer
from heedful.shapes import Array, Bool, Float, Int
from heedful.text.tokenizer import Tokenizer

ENOUGH = 0.10
"""How much better than the best baseline a coreference head is: 10 points."""

_SHUFFLES = 200
_SEED = 7
_HALVES = ("dev", "test")


@dataclass(frozen=True)
class HeadMeasure:
    """What one head does at the pronouns of the test half; words, without marks and specials."""

    head: Head
    content: Estimate
    """How often the antecedent gets most of all content words: the accuracy."""
    candidates: Estimate
    """How often it gets more than the other noun."""
    with_self: Estimate
    """How often it gets most of all content words and the pronoun itself."""
    mass: Estimate
    """What share of the attention it gets."""
    rank: Estimate
    """Its place among the content words, from 1."""
    margin: Estimate
    """By how much its share exceeds that of the best other content word."""


@dataclass(frozen=True)
class Coreference:
    """All heads, the one that was chosen, and what it must be compared with."""

    language: str
    dev: int
    test: int
    """Sentences in each half."""
    chosen: Head
    """The head with the best accuracy on the dev half."""
    chosen_dev: float
    heads: tuple[HeadMeasure, ...]
    """Of every encoder head, on the test half."""
    baselines: dict[str, Estimate]
    """Accuracy among content words of what needs no understanding."""
    shuffled: Estimate
    """The best of all heads where which noun is right is drawn: the mean of 200 draws, and where
    95 % of them lie."""

    def of(self, head: Head) -> HeadMeasure:
        """Return the measurement of a head."""
        return next(found for found in self.heads if found.head == head)

    @property
    def to_beat(self) -> tuple[str, float]:
        """Return the best of what position alone would give."""
        by_place = {
            name: found.value
            for name, found in self.baselines.items()
            if name.startswith(("nearest", "first", "who", "offset"))
        }
        name = max(by_place, key=by_place.__getitem__)
        return name, by_place[name]

    def is_coreference(self, head: Head) -> bool:
        """Return whether a head is 10 points better than any place, beyond the interval's doubt."""
        found, best = self.of(head).content, self.to_beat[1]
        return found.value >= best + ENOUGH and found.low > best


def coreference(
    model: Transformer, tokenizer: Tokenizer, examples: Sequence[Example], to: str | None
) -> Coreference:
    """Measure every encoder head at the pronouns, and those of a model that has learnt nothing."""
    heads = every_head(model, "encoder")
    rows, random = (
        pronoun_rows(some, tokenizer, examples, to) for some in (model, untrained(model, tokenizer))
    )
    return measured(heads, rows, examples, measured(heads, random, examples))


def untrained(model: Transformer, tokenizer: Tokenizer) -> Transformer:
    """Return a model of the same shape with random weights, always the same ones."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(_SEED)
        blank = model.config.build(tokenizer.source_size, tokenizer.target_size)
    return blank.to(next(model.parameters()).device).eval()


def pronoun_rows(
    model: Transformer, tokenizer: Tokenizer, examples: Sequence[Example], to: str | None
) -> Float[Array, "examples heads words"]:
    """Return what every encoder head looks at from the pronoun; 0 beyond a sentence's words."""
    ids = source_ids(tokenizer, examples, to)
    heads = len(every_head(model, "encoder"))
    longest = max(len(one.words) for one in examples)
    rows = np.zeros((len(examples), heads, longest))
    for seen in maps(model, [(one, ()) for one in ids]):
        one = examples[seen.number]
        shares = shares_of(tokenizer, one, ids[seen.number])
        by_words = to_words(seen.weights["encoder"], shares)
        rows[seen.number, :, : len(one.words)] = by_words[:, one.pronoun]
    return rows


def measured(
    heads: Sequence[Head],
    rows: Float[Array, "examples heads words"],
    examples: Sequence[Example],
    by_chance: Coreference | None = None,
) -> Coreference:
    """Return the measurement of what heads look at from pronouns; `by_chance` is a random model's.

    The head is chosen among content words on the dev half; the first of equals is taken.
    """
    halves = {half: [n for n, one in enumerate(examples) if one.half == half] for half in _HALVES}
    dev, test = (
        _Looked(rows[halves[half]], [examples[n] for n in halves[half]]) for half in _HALVES
    )
    on_dev = dev.hits(dev.content).mean(0)
    chosen = int(on_dev.argmax())
    baselines = test.baselines()
    if by_chance is not None:
        baselines["a random model's chosen head"] = by_chance.of(by_chance.chosen).content
    return Coreference(
        examples[0].language,
        len(halves["dev"]),
        len(halves["test"]),
        heads[chosen],
        float(on_dev[chosen]),
        test.measures(heads),
        baselines,
        test.shuffled(),
    )


class _Looked:
    """What heads looked at from the pronouns of some sentences."""

    def __init__(
        self, rows: Float[Array, "examples heads words"], examples: Sequence[Example]
    ) -> None:
        self.rows = rows
        self.examples = examples
        self.groups = [one.unit for one in examples]
        self.antecedent = np.array([one.antecedent for one in examples])
        self.distractor = np.array([one.distractor for one in examples])
        self.agent = np.array([one.agent for one in examples])
        self.pronoun = np.array([one.pronoun for one in examples])
        self.content = np.zeros((len(examples), rows.shape[2]), dtype=bool)
        for place, one in enumerate(examples):
            self.content[place, : len(one.words)] = one.content
        self.candidates = self.marked(self.antecedent) | self.marked(self.distractor)

    def marked(self, words: Int[Array, " examples"]) -> Bool[Array, "examples words"]:
        found: Bool[Array, "examples words"] = np.arange(self.rows.shape[2]) == words[:, None]
        return found

    def hits(
        self,
        among: Bool[Array, "examples words"],
        right: Int[Array, " examples"] | None = None,
    ) -> Bool[Array, "examples heads"]:
        """Return where the right word, the antecedent, gets more than any other of `among`."""
        own, best = self.own_and_best(among, self.antecedent if right is None else right)
        found: Bool[Array, "examples heads"] = own > best
        return found

    def own_and_best(
        self, among: Bool[Array, "examples words"], right: Int[Array, " examples"]
    ) -> tuple[Float[Array, "examples heads"], Float[Array, "examples heads"]]:
        """Return what the right word gets, and the most that another of `among` gets."""
        own = np.take_along_axis(self.rows, right[:, None, None], axis=2)[..., 0]
        others = among & ~self.marked(right)
        return own, np.where(others[:, None], self.rows, -1.0).max(2)

    def measures(self, heads: Sequence[Head]) -> tuple[HeadMeasure, ...]:
        own, best = self.own_and_best(self.content, self.antecedent)
        others = (self.content & ~self.marked(self.antecedent))[:, None]
        rank = 1 + (others & (self.rows >= own[..., None])).sum(2)
        with_self = self.content | self.marked(self.pronoun)
        values = (
            own > best,
            self.hits(self.candidates),
            self.hits(with_self),
            own,
            rank,
            own - best,
        )
        columns = [estimates(value, self.groups) for value in values]
        return tuple(
            HeadMeasure(head, *of_head)
            for head, of_head in zip(heads, zip(*columns, strict=True), strict=True)
        )

    def baselines(self) -> dict[str, Estimate]:
        """Return the accuracy of places, and of the mean of all heads."""
        both = np.stack([self.antecedent, self.distractor])
        nearest = np.abs(both - self.pronoun).argmin(0) == 0
        found = {
            "nearest noun": nearest,
            "first noun": both.argmin(0) == 0,
            "who acts": self.antecedent == self.agent,
        }
        away = self.antecedent - self.pronoun
        known, counts = np.unique(away, return_counts=True)
        best = known[counts.argmax()]
        found[f"offset {best:+d} words"] = away == best
        together = _Looked(self.rows.mean(1, keepdims=True), self.examples)
        found["mean of all heads"] = together.hits(self.content)[:, 0]
        return {name: estimate(hits, self.groups) for name, hits in found.items()}

    def shuffled(self) -> Estimate:
        """Return how well the best of all heads does where the right noun is drawn."""
        right, wrong = (
            self.hits(self.content, noun).astype(float)
            for noun in (self.antecedent, self.distractor)
        )
        turned = np.random.default_rng(_SEED).random((_SHUFFLES, len(right))) < 0.5
        best = ((~turned) @ right + turned @ wrong).max(1) / len(right)
        low, high = np.percentile(best, (2.5, 97.5))
        return Estimate(float(best.mean()), float(low), float(high))
