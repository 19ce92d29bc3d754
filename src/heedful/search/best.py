"""The likeliest pieces of each row, in an order that never depends on the batch."""

__all__ = ["best_allowed", "best_pieces", "log_probs_of", "no_number"]

import numpy as np
import torch

from heedful.errors import ModelError
from heedful.kernels import called
from heedful.kernels.warm import are_ready
from heedful.shapes import Array, Float, Int, Tensor


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
    if _by_kernel(logits):
        return _best_by_kernel(logits.contiguous(), count, forbidden)
    return _best_by_torch(logits, count, forbidden)


def log_probs_of(logits: Float[Tensor, "R N"]) -> Float[Array, "R N"]:
    """Return all log-probabilities, to the last digit those that `best_pieces` gives.

    Raises ModelError for logits that are NaN or infinite.
    """
    if not _by_kernel(logits):
        log_probs = torch.log_softmax(logits.float(), dim=-1)
        if log_probs.isnan().any():
            raise no_number()
        found: Float[Array, "R N"] = log_probs.detach().cpu().numpy()
        return found
    found = np.empty(logits.shape, np.float32)
    if not called.log_softmax(logits.detach().contiguous().numpy(), found):
        raise no_number()
    return found


def _by_kernel(logits: Float[Tensor, "R N"]) -> bool:
    return logits.device.type == "cpu" and logits.dtype == torch.float32 and are_ready()


def _best_by_torch(
    logits: Float[Tensor, "R N"], count: int, forbidden: Int[Array, " F"]
) -> tuple[Float[Array, "R K"], Int[Array, "R K"]]:
    log_probs = torch.log_softmax(logits.float(), dim=-1)
    log_probs = log_probs.index_fill_(1, torch.from_numpy(forbidden).to(logits.device), -torch.inf)
    return _ranked(log_probs, count)


def best_allowed(
    log_probs: Float[Array, "R V"], count: int
) -> tuple[Float[Array, "R K"], Int[Array, "R K"]]:
    """Return the same of log-probabilities that are there already."""
    return _ranked(torch.from_numpy(log_probs), min(count, log_probs.shape[1]))


def _ranked(
    log_probs: Float[Tensor, "R N"], count: int
) -> tuple[Float[Array, "R K"], Int[Array, "R K"]]:
    width = log_probs.shape[1]
    values, ids = log_probs.topk(min(count + 1, width))
    if values[:, 0].isnan().any():
        raise no_number()
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
    values = np.empty((len(logits), count), np.float32)
    ids = np.empty((len(logits), count), np.int64)
    if not called.best_of_rows(logits.detach().numpy(), forbidden, values, ids):
        raise no_number()
    return values, ids


def no_number() -> ModelError:
    """Return what to raise where a model's output is NaN."""
    return ModelError("the model's output is not a number (NaN)", fix="use another checkpoint")
