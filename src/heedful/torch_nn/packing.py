"""Sentences without their padding: rows one behind the other, and the way back.

Products, norms and feed-forward layers know no sentences, and need no padding; only attention
does, for which `Packing.spread` sets the rows apart again.
"""

__all__ = ["Packing"]

from typing import NamedTuple

import torch

from heedful.shapes import Bool, Float, Int, Tensor


class Packing(NamedTuple):
    """Where the real positions of a padded batch are; rows are in the order of sentences."""

    taken: Int[Tensor, " P"]
    """Their places among the rows of the batch as it came in."""
    placed: Int[Tensor, " P"]
    """Their places among the rows of sentences, padding included."""
    batch: int
    length: int

    @staticmethod
    def of(padding: Bool[Tensor, "B M"], batch_first: bool) -> "Packing":
        """Return where `padding` is False.

        >>> Packing.of(torch.tensor([[False, True], [False, False]]), batch_first=False).taken
        tensor([0, 1, 3])
        """
        batch, length = padding.shape
        placed = (~padding).flatten().nonzero().squeeze(1)
        taken = placed if batch_first else placed % length * batch + placed // length
        return Packing(taken, placed, batch, length)

    def packed(self, states: Float[Tensor, "X Y D"]) -> Float[Tensor, "P D"]:
        """Return the real rows of a padded batch."""
        rows = states.reshape(-1, states.shape[-1])
        found: Tensor = _Take.apply(rows, self.taken)  # type: ignore[no-untyped-call]
        return found

    def padded(
        self, rows: Float[Tensor, "P D"], like: Float[Tensor, "X Y D"]
    ) -> Float[Tensor, "X Y D"]:
        """Return a padded batch of these rows, zeros elsewhere."""
        n_rows = self.batch * self.length
        found: Tensor = _Put.apply(rows, self.taken, n_rows)  # type: ignore[no-untyped-call]
        return found.view(*like.shape[:2], -1)

    def spread(self, rows: Float[Tensor, "P E"]) -> Float[Tensor, "B M E"]:
        """Return the rows as sentences, zeros where padding is."""
        n_rows = self.batch * self.length
        found: Tensor = _Put.apply(rows, self.placed, n_rows)  # type: ignore[no-untyped-call]
        return found.view(self.batch, self.length, -1)

    def gathered(self, states: Float[Tensor, "B M E"]) -> Float[Tensor, "P E"]:
        """Return the real rows of sentences."""
        rows = states.reshape(-1, states.shape[-1])
        found: Tensor = _Take.apply(rows, self.placed)  # type: ignore[no-untyped-call]
        return found


class _Take(torch.autograd.Function):
    """`rows[places]`, each place once: torch's own way back would add, row by row."""

    @staticmethod
    def forward(ctx: torch.autograd.function.FunctionCtx, rows: Tensor, places: Tensor) -> Tensor:
        ctx.places, ctx.n_rows = places, rows.shape[0]  # type: ignore[attr-defined]
        return rows.index_select(0, places)

    @staticmethod
    def backward(ctx: torch.autograd.function.FunctionCtx, gradient: Tensor) -> tuple[Tensor, None]:
        back: Tensor = _Put.apply(  # type: ignore[no-untyped-call]
            gradient,
            ctx.places,  # type: ignore[attr-defined]
            ctx.n_rows,  # type: ignore[attr-defined]
        )
        return back, None


class _Put(torch.autograd.Function):
    """Zeros but for `rows` at their places."""

    @staticmethod
    def forward(
        ctx: torch.autograd.function.FunctionCtx, rows: Tensor, places: Tensor, n_rows: int
    ) -> Tensor:
        ctx.places = places  # type: ignore[attr-defined]
        return rows.new_zeros(n_rows, rows.shape[1]).index_copy_(0, places, rows)

    @staticmethod
    def backward(
        ctx: torch.autograd.function.FunctionCtx, gradient: Tensor
    ) -> tuple[Tensor, None, None]:
        back: Tensor = _Take.apply(  # type: ignore[no-untyped-call]
            gradient,
            ctx.places,  # type: ignore[attr-defined]
        )
        return back, None, None
