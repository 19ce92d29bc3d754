"""A batch for an encoder: padded rows of texts or pairs, and what is asked of them.

`heedful.data.rows` makes it, `heedful.objectives` takes it; it divides as `heedful.data.batches`
does, so that one loop trains both.
"""

__all__ = ["LabelledBatch"]

from collections.abc import Callable
from dataclasses import dataclass

import torch

from heedful.shapes import Bool, Int, Shaped, Tensor


@dataclass(frozen=True)
class LabelledBatch:
    """Padded rows and their targets."""

    ids: Int[Tensor, "B S"]
    mask: Bool[Tensor, "B S"]
    """True at real pieces."""
    segments: Int[Tensor, "B S"]
    """0 for the first text, 1 for the second."""
    targets: Shaped[Tensor, "B *pieces"]
    """What a head's loss takes: of a row a label or a number, of a piece a label or, where nothing
    is asked, -1."""
    n_target: int
    """What a loss is averaged over: rows, or the pieces of which something is asked."""

    @property
    def rows(self) -> int:
        """Texts or pairs."""
        return self.ids.shape[0]

    @property
    def longest(self) -> int:
        """Pieces of the longest row."""
        return self.ids.shape[1]

    def split(self, parts: int) -> list["LabelledBatch"]:
        """Divide the rows into `parts` batches of as many rows, each only as wide as it must be.

        The rows stay in their order; `parts` is at most their number.
        """
        if parts == 1:
            return [self]
        sides = (self.ids, self.mask, self.segments, self.targets)
        pieces = zip(*(side.tensor_split(parts) for side in sides), strict=True)
        return [self._trimmed(*rows) for rows in pieces]

    def _trimmed(
        self, ids: Tensor, mask: Tensor, segments: Tensor, targets: Tensor
    ) -> "LabelledBatch":
        width = int(mask.any(0).sum())
        per_piece = self.targets.shape == self.ids.shape
        if per_piece:
            targets = targets[:, :width]
        asked = int((targets >= 0).sum()) if per_piece else len(ids)
        return LabelledBatch(ids[:, :width], mask[:, :width], segments[:, :width], targets, asked)

    def pinned(self) -> "LabelledBatch":
        """Return the batch in memory that a GPU can fetch by itself."""
        return self._each(Tensor.pin_memory)

    def to(self, device: torch.device | str) -> "LabelledBatch":
        """Return the batch on another device."""
        return self._each(lambda tensor: tensor.to(device, non_blocking=True))

    def _each(self, change: Callable[[Tensor], Tensor]) -> "LabelledBatch":
        ids, mask, segments = change(self.ids), change(self.mask), change(self.segments)
        return LabelledBatch(ids, mask, segments, change(self.targets), self.n_target)
