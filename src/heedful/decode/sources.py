"""Sources as lists of ids: what a model can read, and as tensors of one length."""

__all__ = ["check", "padded", "too_large", "within"]

import math
from collections.abc import Sequence
from dataclasses import replace

import torch

from heedful.errors import ModelError
from heedful.models.architecture import Model
from heedful.models.seq2seq import Seq2Seq
from heedful.search import Limits
from heedful.shapes import Bool, Int, Tensor


def within(limits: Limits, models: Sequence[Seq2Seq]) -> Limits:
    """Return the limits, with the positions that a model has where they allow more."""
    known = [one.config.max_length for one in models if isinstance(one, Model)]
    if limits.max_length is not None:
        known.append(limits.max_length)
    return replace(limits, max_length=min(known, default=None))


def _known(models: Sequence[Seq2Seq]) -> float:
    """Return how many source pieces every model has an embedding of."""
    known = [one.tables.source.num_embeddings for one in models if isinstance(one, Model)]
    return min(known, default=math.inf)


def check(sources: Sequence[Sequence[int]], limits: Limits, models: Sequence[Seq2Seq]) -> None:
    """Raise ModelError for a source that one of the models cannot read."""
    longest, known = limits.max_length, _known(models)
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
    sources: Sequence[Sequence[int]], pad_id: int, device: torch.device
) -> tuple[Int[Tensor, "B S"], Bool[Tensor, "B S"]]:
    """Return the ids, padded to the longest, and the mask that is True at real pieces."""
    lengths = torch.tensor([len(source) for source in sources])
    longest = int(lengths.max())
    rows = [[*source, *[pad_id] * (longest - len(source))] for source in sources]
    mask = torch.arange(longest) < lengths[:, None]
    return torch.tensor(rows).to(device), mask.to(device)


def too_large(source: Sequence[int], device: torch.device) -> ModelError:
    """Return what is raised for a source that is too large by itself."""
    return ModelError(
        f"one source of {len(source):,} pieces does not fit into the memory of {device}",
        fix="use a smaller beam or the CPU",
    )
