"""Sources as lists of ids: what a model can read, and as tensors of one length."""

__all__ = ["check", "padded"]

from collections.abc import Sequence

import torch

from heedful.errors import ModelError
from heedful.search import Limits
from heedful.shapes import Bool, Int, Tensor


def check(sources: Sequence[Sequence[int]], limits: Limits, known: float) -> None:
    """Raise ModelError for a source that the model cannot read; it knows so many pieces."""
    longest = limits.max_length
    for number, source in enumerate(sources, start=1):
        if not source:
            raise ModelError(f"source {number} has no pieces", fix="leave out empty sources")
        if longest is not None and len(source) > longest:
            raise ModelError(
                f"source {number} has {len(source):,} pieces and the model knows {longest:,}",
                fix="split it",
            )
        if min(source) < 0 or max(source) >= known:
            raise ModelError(
                f"source {number} has a piece beyond the {known:,} that the model knows",
                fix="encode it with the model's own tokenizer",
            )


def padded(
    sources: list[Sequence[int]], pad_id: int, device: torch.device
) -> tuple[Int[Tensor, "B S"], Bool[Tensor, "B S"]]:
    """Return the ids, padded to the longest, and the mask that is True at real pieces."""
    lengths = torch.tensor([len(source) for source in sources])
    longest = int(lengths.max())
    rows = [[*source, *[pad_id] * (longest - len(source))] for source in sources]
    mask = torch.arange(longest) < lengths[:, None]
    return torch.tensor(rows).to(device), mask.to(device)
