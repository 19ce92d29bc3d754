"""Texts go on together, each in its own way: whoever comes is let in between two steps.

Prompts come in at any time, a piece for every text goes out of each step. `prompted` is for prompts
that are there at once and are all gone on with alike; there the same pieces are found.
`heedful.serve.writing` calls it.
"""

__all__ = ["SPARE", "Company", "Manner", "Member", "Scored"]

from collections import Counter
from collections.abc import Collection, Sequence
from dataclasses import dataclass, field
from typing import NamedTuple

import numpy as np
import torch

from heedful.decode.sources import padded
from heedful.models.seq2seq import DecoderOnly
from heedful.nn.cache import RaggedCache
from heedful.search import Greedy, Sample
from heedful.search.best import best_pieces, log_probs_of
from heedful.search.sample import draw
from heedful.shapes import Array, Float, Tensor

SPARE = 64
"""Columns that are added to the caches when they are full: to copy them takes time."""


class Scored(NamedTuple):
    """A piece with what the model thought of it, before any penalty, bias or temperature."""

    piece: int
    log_prob: float
    likeliest: tuple[tuple[int, float], ...]
    """The likeliest pieces at its place with their log-probabilities, best first."""


@dataclass(frozen=True)
class Manner:
    """How the pieces of a text are chosen."""

    search: Greedy | Sample = field(default_factory=Greedy)
    """Of `Sample` the temperature and top-p are looked at."""
    frequency: float = 0.0
    """Subtracted from the logit of a piece for each time that it has been written."""
    presence: float = 0.0
    """Subtracted from the logit of a piece that has been written."""
    bias: tuple[tuple[int, float], ...] = ()
    """Added to the logits of these pieces."""
    likeliest: int | None = None
    """So many pieces are told at each place beside the chosen one; None: nothing is told."""

    @property
    def changes_logits(self) -> bool:
        """Whether more than the model decides what is likely."""
        return bool(self.frequency or self.presence or self.bias)


@dataclass(eq=False)
class Member:
    """A text under way."""

    prompt: Sequence[int]
    manner: Manner
    numbers: Float[Array, " T"]
    """Decide what is drawn, one for each piece; greedy search has none."""
    pieces: list[int] = field(default_factory=list)
    """What has been written."""
    scored: list[Scored] = field(default_factory=list)
    """The same pieces, if the manner asks what the model thought of them."""

    @property
    def next_number(self) -> float:
        """Return what decides the next piece."""
        return float(self.numbers[len(self.pieces)])


class Company:
    """The texts of one model that go on together.

    After an exception it must not be used again; what the members have written holds, and another
    company can let them in.
    """

    def __init__(self, model: DecoderOnly, forbidden: Sequence[int]) -> None:
        model.eval()
        self.model = model
        self.members: list[Member] = []
        self._forbidden = np.array(forbidden, np.int64)
        self._device = next(iter(model.parameters())).device
        self._cache = self._new_cache(0, 0)

    @torch.inference_mode()
    def advance(self, fresh: Sequence[Member] = (), gone: Collection[Member] = ()) -> None:
        """Part from those who are gone, let the fresh in, and let every text grow by a piece.

        A fresh member may have written something before. Raises ModelError for logits that are no
        numbers.
        """
        staying = [row for row, one in enumerate(self.members) if one not in gone]
        self.members = [self.members[row] for row in staying]
        full = self._cache.columns >= self._cache.max_length
        if (full and self.members) or len(staying) < len(self._cache.length):
            self._regroup(self._new_cache(0, 0), staying)
        states = [self._go_on()] if self.members else []
        if fresh:
            cache, read = self._read(fresh)
            self._regroup(cache)
            self.members += fresh
            states.append(read)
        if states:
            self._choose(self.model.project(torch.cat(states)).float())

    def _go_on(self) -> Float[Tensor, "R D"]:
        newest = torch.tensor([one.pieces[-1] for one in self.members], device=self._device)
        return self.model.hidden(newest[:, None], self._cache)[:, 0]

    def _read(self, fresh: Sequence[Member]) -> tuple[RaggedCache, Float[Tensor, "R D"]]:
        """Read what is there of the newcomers; return their cache and their latest states."""
        ids, real = padded([[*one.prompt, *one.pieces] for one in fresh], 0, self._device)
        counts = real.sum(dim=1)
        cache = self._new_cache(len(fresh), ids.shape[1])
        states = self.model.hidden(ids, cache, counts)
        return cache, states[torch.arange(len(counts), device=self._device), counts - 1]

    def _new_cache(self, rows: int, max_length: int) -> RaggedCache:
        cache = self.model.new_cache(rows, max_length)
        assert isinstance(cache, RaggedCache)  # the rows of no other have lengths of their own
        return cache

    def _regroup(self, others: RaggedCache, rows: Sequence[int] | None = None) -> None:
        """Keep these rows, all if none are named, and put others behind them."""
        kept = range(len(self._cache.length)) if rows is None else rows
        chosen = torch.tensor(kept, dtype=torch.int64, device=self._device)
        self._cache = self._cache.regrouped(chosen, others, SPARE)

    def _choose(self, logits: Float[Tensor, "R N"]) -> None:
        """Let every text grow by the piece that its manner chooses."""
        manners = [one.manner for one in self.members]
        telling = [row for row, one in enumerate(manners) if one.likeliest is not None]
        told = logits[telling].clone()
        for row, one in enumerate(self.members):
            if one.manner.changes_logits:
                logits[row] += self._changes(one, logits.shape[1])
        pieces = np.zeros(len(manners), np.int64)
        for search, rows in _alike(manners).items():
            some = logits[rows]
            if search is None:
                pieces[rows] = best_pieces(some, 1, self._forbidden)[1][:, 0]
                continue
            log_probs = log_probs_of(some)
            log_probs[:, self._forbidden] = -np.inf
            drawn = np.array([self.members[row].next_number for row in rows])
            pieces[rows] = draw(torch.from_numpy(log_probs), search, drawn)
        newest = pieces.tolist()
        scored = self._scored(told, [(manners[row], newest[row]) for row in telling])
        for one, piece in zip(self.members, newest, strict=True):
            one.pieces.append(piece)
        for row, score in zip(telling, scored, strict=True):
            self.members[row].scored.append(score)

    def _changes(self, member: Member, size: int) -> Float[Tensor, " N"]:
        """Return what is added to the logits of a text's next piece."""
        manner = member.manner
        added = np.zeros(size, np.float32)
        for piece, amount in manner.bias:
            added[piece] += amount
        for piece, count in Counter(member.pieces).items():
            added[piece] -= manner.presence + count * manner.frequency
        return torch.from_numpy(added).to(self._device)

    def _scored(
        self, logits: Float[Tensor, "A N"], chosen: Sequence[tuple[Manner, int]]
    ) -> list[Scored]:
        """Return what the model thought of the pieces that were chosen, one for each row."""
        if not chosen:
            return []
        log_probs = log_probs_of(logits)
        most = max(manner.likeliest or 1 for manner, _ in chosen)
        values, ids = best_pieces(logits, most, self._forbidden)
        found = []
        for row, (manner, piece) in enumerate(chosen):
            count = manner.likeliest or 0
            likeliest = zip(ids[row, :count].tolist(), values[row, :count].tolist(), strict=True)
            found.append(Scored(piece, float(log_probs[row, piece]), tuple(likeliest)))
        return found


def _alike(manners: Sequence[Manner]) -> dict[Sample | None, list[int]]:
    """Return which rows are drawn alike; None: those that take the likeliest piece."""
    found: dict[tuple[float, float] | None, list[int]] = {}
    searches: dict[tuple[float, float] | None, Sample | None] = {None: None}
    for row, manner in enumerate(manners):
        search = manner.search
        key = (search.temperature, search.top_p) if isinstance(search, Sample) else None
        searches.setdefault(key, search if isinstance(search, Sample) else None)
        found.setdefault(key, []).append(row)
    return {searches[key]: rows for key, rows in found.items()}
