"""What every search is made of: a model seen as one step, hypotheses, and the choice of pieces.

A `Stepper` gives logits for the next position; a search reads the best of them and says which rows
go on. It keeps its books in NumPy: they are small, and its operators take a quarter of the time of
PyTorch's. `heedful.decode.engine` makes the stepper and runs the search; no architecture is known
here.
"""

__all__ = [
    "Growing",
    "Hypothesis",
    "Limits",
    "More",
    "Search",
    "Stepper",
    "begun",
    "best_pieces",
    "nothing_more",
]

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Protocol, TypeVar, runtime_checkable

import numpy as np
import torch

from heedful.errors import ModelError
from heedful.kernels.warm import are_ready
from heedful.shapes import Array, Float, Int, Shaped, Tensor


@runtime_checkable
class Stepper(Protocol):
    """A model in the middle of decoding B sentences of W rows each; sentence b owns rows b*W on."""

    @property
    def entries(self) -> Int[Tensor, "A N"] | None:
        """The pieces that the latest logits are of, ascending in a row; None: of piece 0, 1, ..."""
        ...

    def step(
        self, tokens: Int[Array, " R"], rows: Int[Array, " A"] | None = None
    ) -> Float[Tensor, "A N"]:
        """Take the newest piece of every row; return logits for the position after it.

        `rows`: logits of these alone are wanted, in their order; the others are never asked again.
        -inf stands where a row has fewer entries than another.
        """
        ...

    def select(self, rows: Int[Array, " Q"], sentences: Int[Array, " C"] | None = None) -> None:
        """Make row i a copy of the old row `rows[i]`; keep only `sentences`, if given."""
        ...


More = Callable[[int], Sequence[int]]
"""Told how many sentences are under way, it lets the stepper take in further ones behind them and
returns the lengths of their sources. Where none are under way, none returned means the end."""


def nothing_more(_: int) -> Sequence[int]:
    """Let no further sentences in."""
    return ()


@dataclass(frozen=True)
class Hypothesis:
    """One possible translation."""

    tokens: tuple[int, ...]
    """Its pieces, without `<s>` and `</s>`."""
    log_prob: float
    """Natural logarithm of its probability, `</s>` included."""
    score: float
    """What the search ranks by: for a beam, log_prob / length penalty."""
    finished: bool
    """False if the maximum length came before `</s>`."""


@dataclass(frozen=True)
class Limits:
    """What a search must know of the vocabulary and the model."""

    start_id: int
    """Piece every target begins with, `<s>`."""
    end_id: int
    """Piece that ends a target, `</s>`."""
    forbidden: tuple[int, ...] = ()
    """Pieces that are never produced: padding, `<s>`, language tags."""
    max_length: int | None = None
    """Positions the model knows; no hypothesis is longer, `</s>` included."""

    def room(self, source_lengths: Sequence[int], max_extra: int) -> list[int]:
        """Return the longest hypothesis allowed for each source, `</s>` included.

        >>> Limits(1, 2, max_length=64).room([10, 30], max_extra=50)
        [60, 64]
        """
        rooms = [length + max_extra for length in source_lengths]
        return rooms if self.max_length is None else [min(x, self.max_length) for x in rooms]


class Search(Protocol):
    """A way to look for good hypotheses; made by the `build` of its settings."""

    @property
    def rows_per_sentence(self) -> int:
        """W: rows that the stepper must hold for every sentence."""
        ...

    def run(
        self,
        stepper: Stepper,
        source_lengths: Sequence[int],
        limits: Limits,
        more: More = nothing_more,
    ) -> list[list[Hypothesis]]:
        """Return the hypotheses of every sentence, best first, in the order they came in."""
        ...


State = TypeVar("State", bound="Growing")


@dataclass
class Growing:
    """Sentences under way; each field has a row for each of them."""

    sentences: Int[Array, " B"]
    """Which one each row is of, in the order they came in."""
    length: Int[Array, " B"]
    """Pieces so far."""
    room: Int[Array, " B"]
    """Most pieces allowed."""

    def keep(self: State, going: Int[Array, " C"]) -> State:
        """Return the state of these rows alone."""
        return type(self)(*(state[going] for state in vars(self).values()))

    def joined(self: State, other: State) -> State:
        """Return the state of both, the other's rows behind."""
        return type(self)(*map(_joined, vars(self).values(), vars(other).values()))


def begun(
    source_lengths: Sequence[int], limits: Limits, max_extra: int, found: list[list[Hypothesis]]
) -> Growing:
    """Return the state of sentences before the first piece, with places for them in `found`."""
    rooms = np.array(limits.room(source_lengths, max_extra), np.int64)
    numbers = np.arange(len(found), len(found) + len(rooms))
    found += [[] for _ in rooms]
    return Growing(sentences=numbers, length=np.zeros_like(rooms), room=rooms)


def _joined(
    first: Shaped[Array, "B *first"], second: Shaped[Array, "C *second"]
) -> Shaped[Array, "D *joint"]:
    """Return the rows of both; where one is wider, the other gets zeros."""
    missing = first.shape[-1] - second.shape[-1] if first.ndim > 1 else 0
    if missing:
        first, second = (
            np.pad(array, [(0, 0)] * (array.ndim - 1) + [(0, max(more, 0))])
            for array, more in ((first, -missing), (second, missing))
        )
    return np.concatenate([first, second])


def best_pieces(
    logits: Float[Tensor, "R N"],
    count: int,
    forbidden: Int[Array, " F"],
    entries: Int[Tensor, "R N"] | None = None,
) -> tuple[Float[Array, "R K"], Int[Array, "R K"]]:
    """Return log-probabilities and ids of the `count` likeliest pieces of each row, best first.

    `entries` are the ids that the logits are of (see `Stepper`), none of them forbidden.

    Equal ones come in the order of their ids, also where the cut goes through a tie: `topk` alone
    promises no order, and the answer must not depend on the batch. `forbidden` pieces have
    log-probability -inf (their share is not given to the others). K = min(count, N).
    Raises ModelError for logits that are NaN or infinite.
    """
    if entries is not None:
        values, columns = best_pieces(logits, count, forbidden[:0])
        return values, np.take_along_axis(entries.cpu().numpy(), columns, axis=1)
    count = min(count, logits.shape[1])
    if logits.device.type == "cpu" and logits.dtype == torch.float32 and are_ready():
        return _best_by_kernel(logits.contiguous(), count, forbidden)
    return _best_by_torch(logits, count, forbidden)


def _best_by_torch(
    logits: Float[Tensor, "R N"], count: int, forbidden: Int[Array, " F"]
) -> tuple[Float[Array, "R K"], Int[Array, "R K"]]:
    log_probs = torch.log_softmax(logits.float(), dim=-1)
    log_probs = log_probs.index_fill_(1, torch.from_numpy(forbidden).to(logits.device), -torch.inf)
    width = logits.shape[1]
    values, ids = log_probs.topk(min(count + 1, width))
    if values[:, 0].isnan().any():
        raise _no_number()
    if count < width:
        tied = (values[:, count - 1] == values[:, count]).nonzero().squeeze(1)
        if tied.numel():
            ordered = log_probs[tied].sort(dim=-1, descending=True, stable=True)
            values[tied] = ordered.values[:, : count + 1]
            ids[tied] = ordered.indices[:, : count + 1]
    ids, by_id = ids[:, :count].sort(dim=-1)
    values, order = values.gather(1, by_id).sort(dim=-1, descending=True, stable=True)
    return values.cpu().numpy(), ids.gather(1, order).cpu().numpy()


def _best_by_kernel(
    logits: Float[Tensor, "R N"], count: int, forbidden: Int[Array, " F"]
) -> tuple[Float[Array, "R K"], Int[Array, "R K"]]:
    """Return the same in two passes over each row: no sorting, no log-probabilities kept."""
    from heedful.kernels.rows import best_of_rows

    values = np.empty((len(logits), count), np.float32)
    ids = np.empty((len(logits), count), np.int64)
    if not best_of_rows(logits.detach().numpy(), forbidden, values, ids):
        raise _no_number()
    return values, ids


def _no_number() -> ModelError:
    return ModelError("the model's output is not a number (NaN)", fix="use another checkpoint")
