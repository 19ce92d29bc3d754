"""The gradient of an update, computed on all cores at once.

A batch is divided into shards of whole sentences. Each goes forward and backward in a thread of
its own, with one core and random numbers of its own, and the gradients are added in the order of
the shards: for one number of shards the same numbers, whatever thread is first and however many
cores work on them. PyTorch's own threads divide each product instead, which leaves small ones to
one core; they are used where there are fewer sentences than shards.
"""

__all__ = ["Gradients", "automatic_shards"]

import gc
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor, wait
from dataclasses import dataclass
from functools import cached_property

import torch
from torch import nn

from heedful.data.batches import AnyBatch
from heedful.device import cores
from heedful.errors import SettingError
from heedful.nn.cross_entropy import added
from heedful.nn.dropout import dropout_seed
from heedful.objectives import AnyObjective
from heedful.shapes import Float, Tensor
from heedful.train.memory import is_out_of_memory
from heedful.train.precision import Precision, autocast

_SMALLEST_SHARD = 500
"""Pieces under which a shard's products are too small to be worth a core."""

Found = tuple[list[Tensor | None], Float[Tensor, "2"]]
"""Gradients of all weights, and the sums of the smoothed loss and of the likelihood."""


def automatic_shards(batch_tokens: int, device: torch.device) -> int:
    """Return how many shards a batch is divided into: one a core, none very small; 1 on a GPU."""
    if device.type != "cpu":
        return 1
    return max(1, min(torch.get_num_threads(), batch_tokens // _SMALLEST_SHARD))


@dataclass
class Gradients:
    """Adds the gradients of batches to the weights' `grad`; `Trainer` calls `add`."""

    model: nn.Module
    objective: AnyObjective
    precision: Precision
    device: torch.device
    shards: int
    say: Callable[[str], None]
    out_of_memory: int = 0
    """Batches since the process began that did not fit in memory and were divided further."""

    def add(self, batch: AnyBatch, tokens: int, last: bool = True) -> Float[Tensor, "2"]:
        """Add the gradient of the smoothed loss over `tokens`; return the two sums of the loss.

        `last` is the last batch of an update, which is nothing to one process alone. A batch that
        does not fit in memory is computed again in smaller shards. Raises SettingError when a
        single sentence does not fit.
        """
        parts = fewest = min(self.shards, batch.rows)
        while (found := self._attempt(batch.split(parts), tokens)) is None:
            if parts == batch.rows:
                raise SettingError(
                    f"a sentence of {batch.longest} pieces does not fit in the memory of "
                    f"{self.device}",
                    where="--training.max-pieces",
                    fix="lower it, or take a smaller model",
                )
            self.out_of_memory += parts == fewest
            parts = min(2 * parts, batch.rows)
            self.say(
                f"out of memory: a batch of {batch.rows} sentences is done in {parts} parts "
                f"({self.out_of_memory} so far); a smaller --training.batch-tokens avoids it"
            )
        gradients, loss = found
        for weight, gradient in zip(self._weights, gradients, strict=True):
            weight.grad = added(weight.grad, gradient)
        return loss

    def fits(self, batch: AnyBatch) -> bool:
        """Return whether the batch goes forward and backward in one piece; nothing is changed."""
        state = torch.get_rng_state()
        found = self._attempt([batch], batch.n_target)
        torch.set_rng_state(state)
        return found is not None

    def _attempt(self, parts: Sequence[AnyBatch], tokens: int) -> Found | None:
        """Return the sum over all parts, as many at a time as there are shards."""
        seeds = torch.randint(2**63 - 1, (len(parts),)).tolist()
        work = list(zip(parts, seeds, strict=True))
        total: Found | None = None
        found: Found | None
        try:
            for start in range(0, len(work), self.shards):
                for found in self._side_by_side(work[start : start + self.shards], tokens):
                    total = found if total is None else _sum(total, found)
        except (RuntimeError, MemoryError) as error:
            if not is_out_of_memory(error):
                raise
            total = None
        if total is None:
            found = None
            gc.collect()  # errors of threads hold what their shards had computed
            if self.device.type == "cuda":
                torch.cuda.empty_cache()
        return total

    def _side_by_side(self, work: list[tuple[AnyBatch, int]], tokens: int) -> Iterator[Found]:
        """Compute each part in a thread of its own; wait for all of them, whatever happens.

        Few parts, as of a batch of one long sentence, have several cores each.
        """
        if len(work) == 1:
            yield self._shard(*work[0], tokens)
            return
        with cores(max(1, torch.get_num_threads() // len(work))):
            futures = [self._pool.submit(self._shard, *one, tokens) for one in work]
            wait(futures)
        yield from (future.result() for future in futures)

    def _shard(self, batch: AnyBatch, seed: int, tokens: int) -> Found:
        with dropout_seed(seed), autocast(self.precision, self.device):
            loss = self.objective.loss(self.model, batch.to(self.device))
        mean = loss.smoothed / tokens
        found = torch.autograd.grad(mean, self._weights, allow_unused=True)
        # a slice of a larger gradient lies as no weight does, and the fused optimizer of a GPU
        # takes only what lies as the weight
        gradients: list[Tensor | None] = [
            None if one is None else one.contiguous() for one in found
        ]
        return gradients, torch.stack([loss.smoothed.detach(), loss.nll])

    @cached_property
    def _weights(self) -> list[nn.Parameter]:
        return [weight for weight in self.model.parameters() if weight.requires_grad]

    @cached_property
    def _pool(self) -> ThreadPoolExecutor:
        return ThreadPoolExecutor(self.shards, "shard")


def _sum(total: Found, found: Found) -> Found:
    """Add the second to the first, in place."""
    gradients = [added(a, b) for a, b in zip(total[0], found[0], strict=True)]
    return gradients, total[1] + found[1]
