"""The obvious training loop, as a competent user writes it around somebody else's model.

A peer's model and a task come in; it is a `Runner`. The batches are padded before the clock
starts, which is the best a peer's own data loader could do.
"""

__all__ = ["Peer", "PlainLoop"]

import os
import time
from contextlib import AbstractContextManager, nullcontext
from itertools import islice
from typing import Any, Protocol

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn.parallel import DistributedDataParallel
from train.data import batches_from, plan
from train.spec import SIZES, Task

from heedful.data.batches import Batch

WARMUP_STEPS = 4000


class Peer(Protocol):
    """A model whose forward pass returns the mean label-smoothed loss of a batch."""

    def __call__(self, source: Tensor, target_in: Tensor, target_out: Tensor) -> Tensor: ...


class PlainLoop:
    """Adam with the paper's constants and learning rate, autocast for bf16; DDP where asked for."""

    def __init__(self, model: nn.Module, task: Task) -> None:
        self.task = task
        self.device = torch.device(task.device)
        self.rank = int(os.environ.get("RANK", "0"))
        self.plan = plan(task, SIZES[task.size].vocabulary)
        self.weights = sum(w.numel() for w in model.parameters() if w.requires_grad)
        self.model: Any = model.to(self.device).train()
        if task.settings.processes > 1:
            self.model = DistributedDataParallel(self.model)
        fused = {"fused": True} if task.settings.fused else {}
        trained = [weight for weight in model.parameters() if weight.requires_grad]
        self.optimizer = torch.optim.Adam(trained, lr=0.0, betas=(0.9, 0.98), eps=1e-9, **fused)
        self.step = 0
        self.target_tokens = 0

    def advance(self, steps: int) -> float:
        """Train on the next batches of the plan."""
        rows = list(islice(batches_from(self.plan, self.step), steps))
        self.target_tokens += sum(int(self.plan.store.lengths()[1][some].sum()) for some in rows)
        batches = [self._batch(some) for some in rows]
        self._wait()
        started = time.perf_counter()
        for batch in batches:
            self._update(batch)
        self._wait()
        return time.perf_counter() - started

    def _update(self, batch: tuple[Tensor, Tensor, Tensor]) -> None:
        self.step += 1
        with self._autocast():
            loss = self.model(*(side.to(self.device, non_blocking=True) for side in batch))
        loss.backward()
        d_model = SIZES[self.task.size].d_model
        rate = d_model**-0.5 * min(self.step**-0.5, self.step * WARMUP_STEPS**-1.5)
        for group in self.optimizer.param_groups:
            group["lr"] = rate
        self.optimizer.step()
        self.optimizer.zero_grad(set_to_none=True)

    def _autocast(self) -> AbstractContextManager[object]:
        if self.task.precision == "float32":
            return nullcontext()
        return torch.autocast(self.device.type, dtype=torch.bfloat16)

    def _batch(self, rows: np.ndarray) -> tuple[Tensor, Tensor, Tensor]:
        """Return the tensors of this process's share of the rows."""
        share = rows[self.rank :: self.task.settings.processes]
        whole: Batch = self.plan.batch(share)
        sides = (whole.source, whole.target_in, whole.target_out)
        source, target_in, target_out = (self._padded(side) for side in sides)
        return source, target_in, target_out

    def _padded(self, side: Tensor) -> Tensor:
        missing = -side.shape[1] % self.task.settings.multiple
        padded = nn.functional.pad(side, (0, missing))
        return padded.pin_memory() if self.device.type == "cuda" else padded

    def _wait(self) -> None:
        if self.task.settings.processes > 1:
            torch.distributed.barrier()
        if self.device.type == "cuda":
            torch.cuda.synchronize()
