"""Whether another engine, given our weights, translates as we do: log-probabilities and tokens.

A loaded model and a `Foreign` engine come in, the largest differences go out. Every export is
checked so before it gets its name.
"""

__all__ = ["Difference", "Foreign", "compare", "probes"]

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

import torch
from torch import Tensor

from heedful.model_folder import LoadedModel
from heedful.models.seq2seq import forward
from heedful.text.pieces import CONTROL, END, START

TOLERANCE = 1e-3
"""Nats: what float32 sums in another order may change; pieces as near as that change places."""

LENGTHS = (1, 2, 3, 5, 8, 13, 21, 34)
"""Pieces of the sources that are tried."""

MOST = 24
"""Pieces of an answer that are compared."""


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
    tokenizer, longest = loaded.tokenizer, loaded.model.config.max_length
    tags = len(tokenizer.languages) if tokenizer.shared else 0
    first = len(CONTROL) + len(tokenizer.languages)
    random = torch.Generator().manual_seed(0)
    found = []
    for number, length in enumerate(LENGTHS):
        size = (max(0, min(length, longest - 2)),)
        pieces = torch.randint(first, tokenizer.source_size, size, generator=random).tolist()
        tag = [len(CONTROL) + number % tags] if tags else []
        found.append([*tag, *pieces, END])
    return found


@torch.no_grad()
def compare(loaded: LoadedModel, engine: Foreign, sources: Sequence[Sequence[int]]) -> Difference:
    """Compare greedy search and the log-probabilities of what it finds, sentence by sentence.

    Nothing is forbidden to either. Raises whatever the engine does.
    """
    equal, farthest, gap = 0, 0.0, 0.0
    most = min(MOST, loaded.model.config.max_length - 1)
    for source in sources:
        ours, known = _greedy(loaded, source, most)
        theirs = engine.greedy(source, most)
        shared = min(len(ours), len(theirs))
        places = [at for at in range(shared) if ours[at] != theirs[at]]
        if places:
            scores = known[places[0]]
            gap = max(gap, float(scores[ours[places[0]]] - scores[theirs[places[0]]]))
        elif shared < len(ours) or shared < len(theirs):
            gap = float("inf")
        else:
            equal += 1
        target = [*(piece for piece in ours if piece != END), END]
        expected = _log_probs(loaded, source, target)
        reported = torch.tensor(engine.log_probs(source, target), dtype=torch.float64)
        own = expected.gather(1, torch.tensor(target)[:, None])[:, 0].double()
        distance = float((own - reported).abs().max()) if len(own) == len(reported) else torch.inf
        farthest = max(farthest, distance if distance == distance else torch.inf)
    return Difference(len(sources), equal, farthest, gap)


def _log_probs(loaded: LoadedModel, source: Sequence[int], target: Sequence[int]) -> Tensor:
    """Return the log-probabilities of every piece at each place of `target`."""
    rows = torch.tensor([source])
    target_in = torch.tensor([[START, *target[:-1]]])
    logits = forward(loaded.model, rows, torch.ones_like(rows, dtype=torch.bool), target_in)
    return torch.log_softmax(logits[0].float(), dim=-1)


def _greedy(loaded: LoadedModel, source: Sequence[int], most: int) -> tuple[list[int], Tensor]:
    """Return our greedy answer, made without a cache, and the log-probabilities it chose from."""
    found: list[int] = []
    while len(found) < most and END not in found:
        known = _log_probs(loaded, source, [*found, END])
        found.append(int(known[-1].argmax()))
    return found, known
