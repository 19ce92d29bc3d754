"""Sampling: the next piece is drawn, from the model's distribution or the likely part of it.

A stepper comes in, as many hypotheses as are asked for go out. What is drawn depends on the seed
and the sentence alone, so that neither the batch nor the order of sentences changes it.
"""

__all__ = ["Sample", "draw", "kept", "random_numbers"]

from collections.abc import Sequence
from hashlib import blake2b
from typing import Literal

import numpy as np
import torch
from pydantic import Field

from heedful.search.best import best_pieces
from heedful.search.driver import Course
from heedful.search.growing import Growing
from heedful.search.shaping import Shaping
from heedful.search.single import Choice, SingleSearch
from heedful.search.wish import Asked
from heedful.shapes import Array, Bool, Float, Int, Tensor

_FEW = 64
"""So many pieces of a row are put in order at first."""


class Sample(Shaping):
    """Draw every piece; the temperature comes first, then each of the restrictions in turn.

    Hypotheses come in the order in which they were drawn.
    """

    kind: Literal["sample"] = "sample"
    count: int = Field(1, ge=1, le=1024)
    """Translations drawn of each sentence."""
    temperature: float = Field(1.0, ge=0.01, le=100)
    """Divides the logits: below 1 likely pieces become likelier, above 1 less so."""
    top_k: int = Field(0, ge=0)
    """Draw from so many likeliest pieces; 0: from all."""
    top_p: float = Field(1.0, gt=0, le=1)
    """Draw from the fewest pieces with so much probability together (Holtzman et al. 2020)."""
    min_p: float = Field(0.0, ge=0, lt=1)
    """Draw from pieces with this share of the likeliest one's probability (Nguyen et al. 2024)."""
    typical_p: float = Field(1.0, gt=0, le=1)
    """Draw from the pieces nearest to the expected information, of so much probability together
    (Meister et al. 2023)."""
    seed: int = Field(1, ge=0, lt=2**63)
    """Decides what is drawn."""

    @property
    def returned(self) -> int:
        """Hypotheses of a sentence."""
        return self.count

    def build(self) -> SingleSearch:
        """Return the search."""
        return SingleSearch(self, lambda: _Drawn(self))


class _Drawn(Choice):
    """The choice of sampling, with the random numbers of each sentence."""

    ranked = False

    def __init__(self, config: Sample) -> None:
        self._config = config
        self.rows = self.begun = config.count
        self._numbers: dict[int, Float[Array, "W T"]] = {}
        self._seen = 0

    def admit(self, asked: Sequence[Asked], rooms: Int[Array, " B"]) -> None:
        """Draw the random numbers of further sentences."""
        for one, room in zip(asked, rooms.tolist(), strict=True):
            self._numbers[self._seen] = random_numbers(self._config, one.source, room)
            self._seen += 1

    def choose(
        self,
        course: Course,
        growing: Growing,
        logits: Float[Tensor, "A N"],
        asked: Int[Array, " A"] | None,
    ) -> tuple[Float[Array, "B W"], Int[Array, "B W"], None]:
        """Draw the next piece of each row."""
        log_probs = torch.from_numpy(course.log_probs(growing, logits, asked))
        alive = np.arange(growing.last.size) if asked is None else asked
        sentence, slot = alive // self.rows, alive % self.rows
        if len(self._numbers) > 2 * len(growing.sentences):
            self._numbers = {x: self._numbers[x] for x in growing.sentences.tolist()}
        places = zip(
            growing.sentences[sentence].tolist(),
            slot.tolist(),
            growing.length[sentence].tolist(),
            strict=True,
        )
        drawn = np.array([self._numbers[number][row, at] for number, row, at in places])
        pieces = draw(log_probs, self._config, drawn)[:, None]
        values = log_probs.numpy()[np.arange(len(pieces))[:, None], pieces]
        value, piece = course.everywhere(growing, asked, values, pieces)
        return value.reshape(growing.last.shape), piece.reshape(growing.last.shape), None


def random_numbers(config: Sample, source: Sequence[int], room: int) -> Float[Array, "W T"]:
    """Return what decides the pieces of a sentence, a number from 0 to 1 for each of a row."""
    ids = np.asarray(source, np.int64).tobytes()
    key = int.from_bytes(blake2b(ids, digest_size=8).digest())
    bits = np.random.Philox(key=np.array([config.seed, key], np.uint64))
    return np.random.Generator(bits).random((config.count, room))


def draw(
    log_probs: Float[Tensor, "A V"], config: Sample, drawn: Float[Array, " A"]
) -> Int[Array, " A"]:
    """Return a piece for each row by its random number, 0 to 1; any where nothing is possible.

    To put all pieces in order costs much. Without restrictions none is, with most of them a few
    are, and only the rows for which these are not enough are sorted as a whole.
    """
    most = log_probs.amax(dim=1, keepdim=True)
    scaled = (log_probs - most).div_(config.temperature).nan_to_num_(0, neginf=-np.inf)
    if not config.top_k and not config.min_p and config.top_p == config.typical_p == 1:
        return _at(scaled.exp_().numpy(), drawn)
    found = np.zeros(len(drawn), np.int64)
    few, left = config.top_k or _FEW, np.arange(len(drawn))
    if few < min(_FEW + 1, scaled.shape[1]) and (config.top_k or config.top_p < 1 or config.min_p):
        values, ids = best_pieces(scaled, few, np.zeros(0, np.int64))
        shares, cut = kept(values, config)
        found = ids[left, _at(shares, drawn)]
        left = np.flatnonzero(cut)
    if left.size:
        ordered = scaled[left].log_softmax(dim=1).sort(dim=1, descending=True, stable=True)
        shares, _ = kept(ordered.values.numpy(), config)
        found[left] = ordered.indices.numpy()[np.arange(left.size), _at(shares, drawn[left])]
    return found


def _at(shares: Float[Array, "A K"], drawn: Float[Array, " A"]) -> Int[Array, " A"]:
    """Return the column of each row on which its random number falls."""
    ends = np.cumsum(shares, axis=1, dtype=np.float64)
    total = ends[:, -1]
    below = np.minimum(drawn * total, np.nextafter(total, 0))
    places = [np.searchsorted(*row, side="right") for row in zip(ends, below, strict=True)]
    columns: Int[Array, " A"] = np.minimum(np.array(places, np.int64), shares.shape[1] - 1)
    return columns


def kept(
    log_probs: Float[Array, "A K"], config: Sample
) -> tuple[Float[Array, "A K"], Bool[Array, " A"]]:
    """Return the probabilities to draw from, and of which rows they may not be all.

    `log_probs` are those of the likeliest pieces, best first, at the temperature. Each restriction
    looks at what the one before has left: top-k, top-p, min-p, typical. The likeliest piece (of
    typical: the most typical) always stays.
    """
    shares = np.exp(log_probs.astype(np.float64))
    if config.top_k:
        shares[:, config.top_k :] = 0
        shares = _normal(shares)
    if config.top_p < 1:
        shares = _normal(np.where(_before(shares) < config.top_p, shares, 0))
    if config.min_p:
        shares = _normal(np.where(shares >= config.min_p * shares[:, :1], shares, 0))
    cut: Bool[Array, " A"] = (shares[:, -1] > 0) & (log_probs.shape[1] != config.top_k)
    if config.typical_p < 1:
        shares = _normal(_typical(shares, config.typical_p))
    return shares, cut


def _normal(shares: Float[Array, "A V"]) -> Float[Array, "A V"]:
    total = shares.sum(axis=1, keepdims=True)
    normal: Float[Array, "A V"] = shares / np.where(total > 0, total, 1)
    return normal


def _before(shares: Float[Array, "A V"]) -> Float[Array, "A V"]:
    """Return how much probability stands before each piece."""
    before: Float[Array, "A V"] = np.cumsum(shares, axis=1) - shares
    return before


def _typical(shares: Float[Array, "A V"], mass: float) -> Float[Array, "A V"]:
    """Keep the fewest pieces of so much probability whose information is nearest to the mean."""
    surprise = -np.log(np.where(shares > 0, shares, 1))
    entropy = (shares * surprise).sum(axis=1, keepdims=True)
    distance = np.where(shares > 0, np.abs(surprise - entropy), np.inf)
    order = np.argsort(distance, axis=1, kind="stable")
    ordered = np.take_along_axis(shares, order, axis=1)
    chosen = np.where(_before(ordered) < mass, ordered, 0)
    found = np.zeros_like(shares)
    np.put_along_axis(found, order, chosen, axis=1)
    return found
