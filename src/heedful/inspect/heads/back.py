"""How the heads of a model without an encoder look back, and whether any of them is for copying.

A writer and texts come in, a `BackReport` goes out; `heed heads` prints it. On texts: how much goes
to the piece before, to the first piece, how far back and how widely. On pieces drawn at random that
come twice: how much goes to the same piece before, and to the one behind it, which is what an
induction head copies (Olsson et al. 2022, arXiv 2209.11895). Layers and heads are counted from 0.
"""

__all__ = ["Back", "BackReport", "Role", "drawn_twice", "look_back", "on_texts", "on_twice"]

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Literal, get_args

import numpy as np
import torch

from heedful.errors import DataError, ModelError
from heedful.inspect.capture import record
from heedful.inspect.heads.measure import LONGEST
from heedful.inspect.names import Head, every_head, n_layers
from heedful.shapes import Array, Float
from heedful.writer import Writer

Role = Literal["previous", "first", "same", "induction"]
"""What a head gives more than half of its weight to, in the mean: the piece before; the first
piece, where heads rest; the same piece, earlier; the piece behind that one."""

_ROLES: tuple[Role, ...] = get_args(Role)

HALF = 0.5

TWICE = 8
"""Sequences that are drawn."""
PIECES = 40
"""Pieces of each, before they come again; fewer where the model reads less."""
FEWEST = 4

Shares = Float[Array, "heads 2"]


@dataclass(frozen=True)
class Back:
    """What one head does; all are means, shares of its weight if nothing else is said."""

    head: Head
    previous: float
    first: float
    same: float
    """On what comes twice: to where the same piece stood."""
    induction: float
    """On what comes twice: to the piece behind it."""
    spread: float
    """Entropy, as a share of the largest that is possible: 0 is one piece, 1 is all alike."""
    distance: float
    """Pieces from the one that looks to those that are looked at."""

    @property
    def roles(self) -> tuple[Role, ...]:
        """Return what it gives more than half to."""
        return tuple(role for role in _ROLES if getattr(self, role) > HALF)


@dataclass(frozen=True)
class BackReport:
    """All that was measured."""

    model: str
    measured_on: str
    texts: int
    left_out: int
    """Texts of fewer than 4 pieces, or of more than are read."""
    twice: int
    """Sequences of random pieces."""
    pieces: int
    """Pieces of each, before they come again."""
    heads: tuple[Back, ...]


def look_back(writer: Writer, texts: Sequence[str], measured_on: str, name: str) -> BackReport:
    """Measure every head.

    Raises DataError where no text can be read, ModelError for a model that reads fewer than 9
    pieces.
    """
    longest = min(LONGEST, writer.context)
    ids = [writer.vocabulary.encode(text) for text in texts]
    read = [row for row in ids if FEWEST <= len(row) <= longest]
    if not read:
        raise DataError(
            f"no text has {FEWEST} to {longest} pieces", where=measured_on, fix="give a line each"
        )
    twice = drawn_twice(writer)
    pieces = (len(twice[0]) - (writer.begin_id is not None)) // 2
    habits = np.mean([on_texts(weights) for weights in _maps(writer, read)], axis=0)
    copies = np.mean([on_twice(weights, pieces) for weights in _maps(writer, twice)], axis=0)
    rows = zip(every_head(writer.model), habits.tolist(), copies.tolist(), strict=True)
    heads = tuple(
        Back(head, previous, first, same, induction, spread, distance)
        for head, (previous, first, spread, distance), (same, induction) in rows
    )
    left_out = len(texts) - len(read)
    return BackReport(name, measured_on, len(read), left_out, len(twice), pieces, heads)


def on_texts(weights: Float[Array, "heads T T"]) -> Float[Array, "heads 4"]:
    """Return previous, first, spread and distance of a text's maps.

    The first two rows have no choice, or one in which both are the same, and are left out.
    """
    places = np.arange(weights.shape[1])
    rows = places[2:]
    with np.errstate(divide="ignore", invalid="ignore"):
        nats = -np.where(weights > 0, weights * np.log(weights), 0).sum(-1)
    far = (weights * np.maximum(places[:, None] - places, 0)).sum(-1)
    found: Float[Array, "heads 4"] = np.stack(
        [
            weights[:, rows, rows - 1].mean(1),
            weights[:, rows, 0].mean(1),
            (nats[:, rows] / np.log(rows + 1)).mean(1),
            far[:, rows].mean(1),
        ],
        axis=1,
    )
    return found


def on_twice(weights: Float[Array, "heads T T"], pieces: int) -> Shares:
    """Return what goes to the same piece, and to the one behind it, of pieces that come twice.

    The last `pieces` rows are the second time.
    """
    rows = np.arange(weights.shape[1] - pieces, weights.shape[1])
    columns = (rows - pieces, rows - pieces + 1)
    shares: Shares = np.stack([weights[:, rows, one].mean(1) for one in columns], axis=1)
    return shares


def drawn_twice(writer: Writer) -> list[list[int]]:
    """Return pieces drawn at random, each once, and the same again; always the same ones."""
    known = sorted(
        set(writer.vocabulary.known(writer.model.vocabulary_size)) - writer.vocabulary.controls
    )
    begin = [] if writer.begin_id is None else [writer.begin_id]
    pieces = min(PIECES, (writer.context - len(begin)) // 2, len(known))
    if pieces < FEWEST:
        raise ModelError(f"nothing of {FEWEST} pieces can come twice in what this model reads")
    chance = np.random.default_rng(1)
    drawn = (chance.choice(known, pieces, replace=False).tolist() for _ in range(TWICE))
    return [[*begin, *some, *some] for some in drawn]


@torch.inference_mode()
def _maps(writer: Writer, texts: Sequence[Sequence[int]]) -> Iterator[Float[Array, "heads T T"]]:
    """Yield what all heads look at in each text, in the order of `every_head`."""
    model = writer.model
    device = next(model.parameters()).device
    for ids in texts:
        with record(model) as looks:
            model.hidden(torch.tensor([ids], device=device))
        layers = range(n_layers(model, "decoder"))
        yield torch.cat([looks["decoder", one].weights()[0] for one in layers]).cpu().numpy()
