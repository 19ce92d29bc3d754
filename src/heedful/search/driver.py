"""What every search is made of: a model seen as one step, hypotheses, and the choice of pieces.

A `Stepper` gives logits for the next position; a search reads them and says which rows go on.
`heedful.decode.engine` makes the stepper and runs the search; no architecture is known here.
"""

__all__ = [
    "Hypothesis",
    "Limits",
    "More",
    "Search",
    "Stepper",
    "best_pieces",
    "joined",
    "nothing_more",
]

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Protocol, runtime_checkable

import torch
from torch.nn import functional

from heedful.errors import ModelError
from heedful.kernels import as_array
from heedful.kernels.warm import are_ready
from heedful.shapes import Float, Int, Shaped, Tensor


@runtime_checkable
class Stepper(Protocol):
    """A model in the middle of decoding B sentences of W rows each; sentence b owns rows b*W on."""

    @property
    def device(self) -> torch.device:
        """Where the tokens are expected and the logits lie."""
        ...

    @property
    def entries(self) -> Int[Tensor, "A N"] | None:
        """The pieces that the latest logits are of, ascending in a row; None: of piece 0, 1, ..."""
        ...

    def step(
        self, tokens: Int[Tensor, " R"], rows: Int[Tensor, " A"] | None = None
    ) -> Float[Tensor, "A N"]:
        """Take the newest piece of every row; return logits for the position after it.

        `rows`: logits of these alone are wanted, in their order; the others are never asked again,
        nor copied. -inf stands where a row has fewer entries than another.
        """
        ...

    def select(self, rows: Int[Tensor, " Q"], sentences: Int[Tensor, " C"] | None = None) -> None:
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


def joined(
    first: Shaped[Tensor, "B *first"], second: Shaped[Tensor, "C *second"]
) -> Shaped[Tensor, "D *joint"]:
    """Return the rows of both, one below the other; where one is wider, the other gets zeros."""
    missing = first.shape[-1] - second.shape[-1] if first.dim() > 1 else 0
    if missing:
        first = functional.pad(first, (0, max(-missing, 0)))
        second = functional.pad(second, (0, max(missing, 0)))
    return torch.cat([first, second])


def best_pieces(
    logits: Float[Tensor, "R N"],
    count: int,
    forbidden: Int[Tensor, " F"],
    entries: Int[Tensor, "R N"] | None = None,
) -> tuple[Float[Tensor, "R K"], Int[Tensor, "R K"]]:
    """Return log-probabilities and ids of the `count` likeliest pieces of each row, best first.

    `entries` are the ids that the logits are of (see `Stepper`), none of them forbidden.

    Equal ones come in the order of their ids, also where the cut goes through a tie: `topk` alone
    promises no order, and the answer must not depend on the batch. `forbidden` pieces have
    log-probability -inf (their share is not given to the others). K = min(count, N).
    Raises ModelError for logits that are NaN or infinite.
    """
    if entries is not None:
        values, columns = best_pieces(logits, count, forbidden[:0])
        return values, entries.gather(1, columns)
    width = logits.shape[1]
    if logits.device.type == "cpu" and logits.dtype == torch.float32 and are_ready():
        return _best_by_kernel(logits.contiguous(), min(count, width), forbidden)
    log_probs = torch.log_softmax(logits.float(), dim=-1)
    log_probs = log_probs.index_fill_(1, forbidden, -torch.inf)
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
    return values, ids.gather(1, order)


def _best_by_kernel(
    logits: Float[Tensor, "R N"], count: int, forbidden: Int[Tensor, " F"]
) -> tuple[Float[Tensor, "R K"], Int[Tensor, "R K"]]:
    """Return the same in two passes over each row: no sorting, no log-probabilities kept."""
    from heedful.kernels.rows import best_of_rows

    values = torch.empty(len(logits), count)
    ids = torch.empty(len(logits), count, dtype=torch.int64)
    arrays = map(as_array, (logits, forbidden, values, ids))
    if not best_of_rows(*arrays):
        raise _no_number()
    return values, ids


def _no_number() -> ModelError:
    return ModelError("the model's output is not a number (NaN)", fix="use another checkpoint")
