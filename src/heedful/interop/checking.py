"""Whether another engine, given our weights, translates as we do: log-probabilities and tokens.

A loaded model and a `Foreign` engine come in, the largest differences go out. Every export is
checked so before it gets its name.
"""

__all__ = ["Difference", "Foreign", "compare", "log_probs", "probes"]

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

import torch
from torch import Tensor

from heedful.decode.engine import decode
from heedful.model_folder import LoadedModel
from heedful.models.seq2seq import forward
from heedful.search import Greedy, Limits
from heedful.text.framing import direction
from heedful.text.pieces import CONTROL, END, START

TOLERANCE = 1e-3
"""Nats: what float32 sums in another order may change; pieces as near as that change places."""

MOST = 24
"""Pieces of a source and of an answer, at most."""

LENGTHS = (1, 2, 3, 5, 8, 13, 19, 21)
"""Pieces of the sources that are tried."""


class Foreign(Protocol):
    """Another engine with our weights."""

    def greedy(self, source: Sequence[int], most: int) -> list[int]:
        """Return the likeliest pieces, with `</s>` if it came among `most`."""
        ...

    def log_probs(self, source: Sequence[int], target: Sequence[int]) -> list[float]:
        """Return the log-probability of each piece of `target`, which ends in `</s>`."""
        ...


@dataclass(frozen=True)
class Difference:
    """What was found."""

    sentences: int
    equal: int
    """Sentences with the same pieces."""
    farthest: float
    """Largest difference of a log-probability, in nats."""
    gap: float
    """Where pieces differ: the most by which ours was likelier, by our own log-probabilities."""

    @property
    def explained(self) -> bool:
        """Whether sums in another order explain it."""
        return self.farthest <= TOLERANCE and self.gap <= TOLERANCE

    @property
    def worst(self) -> str:
        """The numbers, for a sentence."""
        return (
            f"{self.equal} of {self.sentences} test sentences equal, log-probabilities off by up "
            f"to {self.farthest:.2g}"
        )


def probes(loaded: LoadedModel) -> list[list[int]]:
    """Return a handful of sources of random pieces, always the same."""
    tokenizer = loaded.tokenizer
    known = tokenizer.languages
    first = len(CONTROL) + len(known)
    random = torch.Generator().manual_seed(0)
    found = []
    for number, length in enumerate(LENGTHS):
        to = known[number % len(known)] if known else None
        if to is not None and tokenizer.framing.directed:
            to = direction(known[(number + 1) % len(known)], to)
        head, tail = tokenizer.marks(to)
        size = (min(length, _most(loaded) - len(head) - len(tail) - 1),)
        pieces = torch.randint(first, tokenizer.source_size, size, generator=random).tolist()
        found.append([*head, *pieces, END, *tail])
    return found


def _most(loaded: LoadedModel) -> int:
    """Return the longest answer that fits the model with `</s>` after it."""
    return min(MOST, loaded.model.config.max_length - 1)


@torch.no_grad()
def compare(loaded: LoadedModel, engine: Foreign, sources: Sequence[Sequence[int]]) -> Difference:
    """Compare greedy search and the log-probabilities of what it finds, sentence by sentence.

    Nothing is forbidden to either. Raises whatever the engine does.
    """
    equal, farthest, gap = 0, 0.0, 0.0
    limits = Limits(START, END, (), _most(loaded))
    answers = decode(loaded.model, sources, Greedy(), limits=limits)
    for source, (answer,) in zip(sources, answers, strict=True):
        target = [*answer.tokens, END]
        expected = log_probs(loaded, source, target)
        ours = [*answer.tokens, *[END] * answer.finished]
        theirs = engine.greedy(source, _most(loaded))
        if ours == theirs:
            equal += 1
        else:
            gap = max(gap, _gap(ours, theirs, expected))
        reported = torch.tensor(engine.log_probs(source, target), dtype=torch.float64)
        own = expected.gather(1, torch.tensor(target)[:, None])[:, 0].double()
        distance = float((own - reported).abs().max()) if len(own) == len(reported) else math.nan
        farthest = max(farthest, math.inf if math.isnan(distance) else distance)
    return Difference(len(sources), equal, farthest, gap)


@torch.no_grad()
def log_probs(loaded: LoadedModel, source: Sequence[int], target: Sequence[int]) -> Tensor:
    """Return the log-probabilities of every piece at each place of `target`."""
    rows = torch.tensor([source])
    target_in = torch.tensor([[START, *target[:-1]]])
    logits = forward(loaded.model, rows, torch.ones_like(rows, dtype=torch.bool), target_in)
    return torch.log_softmax(logits[0].float(), dim=-1)


def _gap(ours: Sequence[int], theirs: Sequence[int], known: Tensor) -> float:
    """Return by how much, where the answers part, our piece is likelier than theirs."""
    for at, (mine, other) in enumerate(zip(ours, theirs, strict=False)):
        if mine != other:
            return float(known[at, mine] - known[at, other])
    return math.inf  # one of them ends without a reason
