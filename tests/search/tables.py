"""A model for tests of searches: a table of logits, and a stepper that reads it."""

import math
import random
from collections.abc import Sequence
from dataclasses import replace

import numpy as np
import torch
from torch import Tensor

from heedful.search import (
    Alternatives,
    Asked,
    Automaton,
    Beam,
    DiverseBeam,
    Greedy,
    Hypothesis,
    Limits,
    Opening,
    Sample,
    SearchConfig,
    Spelling,
    Wish,
)
from heedful.shapes import Array

PAD, START, END = 0, 1, 2

Prefix = tuple[int, ...]


class Table:
    """Logits that depend on the sentence and on everything before, as a real model's do."""

    def __init__(self, seed: int, entries: int, *, levels: int | None = None) -> None:
        self.seed = seed
        self.entries = entries
        self.levels = levels
        """With few levels many logits are equal: ties."""

    def logits(self, sentence: int, prefix: Prefix) -> list[float]:
        draw = random.Random(f"{self.seed} {sentence} {prefix}")
        if self.levels is not None:
            return [float(draw.randrange(self.levels)) for _ in range(self.entries)]
        return [draw.gauss(0, 2) for _ in range(self.entries)]

    def log_probs(self, sentence: int, prefix: Prefix) -> list[float]:
        logits = self.logits(sentence, prefix)
        total = math.log(sum(math.exp(x) for x in logits))
        return [x - total for x in logits]


class TableStepper:
    """Decodes `Table`; keeps every row's prefix, so a wrong `select` shows at once."""

    entries: Tensor | None = None
    attention: Array | None = None

    def __init__(self, table: Table, sentences: Sequence[int], rows_per_sentence: int) -> None:
        self.table = table
        self.width = rows_per_sentence
        self.sentences = list(sentences)
        self.prefixes: list[Prefix] = [()] * (len(self.sentences) * rows_per_sentence)
        self.steps = 0

    def step(self, tokens: Array, rows: Array | None = None) -> Tensor:
        self.steps += 1
        assert tokens.shape == (len(self.prefixes),)
        new = zip(self.prefixes, tokens.tolist(), strict=True)
        self.prefixes = [(*prefix, token) for prefix, token in new]
        asked = range(len(self.prefixes)) if rows is None else rows.tolist()
        looks = [
            self.attention_of(self.sentences[row // self.width], self.prefixes[row][1:])
            for row in asked
        ]
        longest = max(map(len, looks))
        self.attention = np.array([x + [0.0] * (longest - len(x)) for x in looks], np.float32)
        return torch.tensor(
            [
                self.table.logits(self.sentences[row // self.width], self.prefixes[row][1:])
                for row in asked
            ]
        )

    def attention_of(self, sentence: int, prefix: Prefix) -> list[float]:
        """Return how much a row looks at each of the 1 + sentence source pieces."""
        draw = random.Random(f"looks {self.table.seed} {sentence} {prefix}")
        weights = [draw.random() ** 4 for _ in range(1 + sentence)]
        return [weight / sum(weights) for weight in weights]

    def admit(self, sentences: Sequence[int]) -> None:
        self.sentences += sentences
        self.prefixes += [()] * (len(sentences) * self.width)

    def select(self, rows: Array, sentences: Array | None = None) -> None:
        old = [row // self.width for row in rows.tolist()]
        kept = range(len(self.sentences)) if sentences is None else sentences.tolist()
        assert old == [sentence for sentence in kept for _ in range(self.width)]
        self.prefixes = [self.prefixes[row] for row in rows.tolist()]
        self.sentences = [self.sentences[sentence] for sentence in kept]


LIMITS = Limits(START, END, forbidden=(PAD, START), vocabulary_size=9)
PIECES = (b"", b"", b"", b"a", b"b", b" ", b"ab", b"c", b" a")
SPELLING = Spelling(PIECES)

BEAMS: list[SearchConfig] = [
    Beam(max_extra=3),
    Beam(n_best=3, max_extra=3),
    Beam(max_extra=3, n_best=2, coverage_penalty=0.5),
    Beam(max_extra=3, no_repeat_ngram=2, repetition_penalty=1.3),
    Beam(max_extra=5, min_length=4, max_length=7),
    DiverseBeam(beam_size=4, groups=2, n_best=3, max_extra=3),
]
SEARCHES: list[SearchConfig] = [
    Greedy(max_extra=3),
    Greedy(max_extra=3, no_repeat_ngram=1, min_length=3),
    *BEAMS,
    Sample(count=3, max_extra=3, seed=7),
    Sample(temperature=0.7, top_k=4, top_p=0.9, min_p=0.05, typical_p=0.9, max_extra=3),
    Alternatives(count=3, max_extra=3),
]


def run(
    config: Beam | Greedy, table: Table, sentences: list[int], length: int, limits: Limits = LIMITS
) -> list[list[Hypothesis]]:
    """Search with room for `length` pieces in every sentence."""
    search = config.build()
    stepper = TableStepper(table, sentences, search.rows_per_sentence)
    limits = replace(limits, max_length=min(length, limits.max_length or length))
    return search.run(stepper, [asked(length, name) for name in sentences], limits)


def asked(length: int, name: int = 0) -> Asked:
    """Return what is asked of a sentence of some pieces."""
    return Asked((name,) * length)


def wished(name: int, *, must: bool) -> Wish:
    """Return a wish that depends on the name, of every kind."""
    opening = Opening((3,), b" a", SPELLING, closed=name % 2 == 0) if name % 3 == 1 else None
    never = (Automaton(["a b"], SPELLING),) if name % 2 else ()
    words = ((Automaton(["ab"], SPELLING), Automaton(["c"], SPELLING)),)
    return Wish(opening, words if must and name % 4 == 3 else (), never)
