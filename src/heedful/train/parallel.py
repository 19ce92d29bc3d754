"""The gradient of an update, computed by several processes, a part of every batch each.

A batch is divided by sentences, as `heedful.train.gradient` divides it among threads, and each
process draws its masks from the seed of its part: the same gradient as that of one process with
as many shards. PyTorch's own engine adds up: DistributedDataParallel, where each process holds all
weights, or FSDP2, where weights, gradients and moments are divided as well.
"""

__all__ = ["DDP", "FSDP", "Parallel", "ParallelGradients"]

from typing import Annotated, ClassVar, Literal

import torch
import torch.distributed as dist
from pydantic import Field
from torch import nn

from heedful.data.batches import AnyBatch
from heedful.errors import SettingError
from heedful.models.convolutional import Convolutional
from heedful.models.recurrent import Recurrent
from heedful.models.trainable import Trainable
from heedful.nn.dropout import dropout_seed
from heedful.objectives import AnyObjective
from heedful.settings import Settings
from heedful.shapes import Float, Tensor
from heedful.train.memory import is_out_of_memory
from heedful.train.precision import Precision, autocast, takes_bf16
from heedful.train.processes import Processes


class DDP(Settings):
    """Each process holds the whole model (Li et al. 2020, arXiv 2006.15704)."""

    divides_weights: ClassVar[bool] = False
    kind: Literal["ddp"] = "ddp"
    timeout: float = Field(600, gt=0)
    """Seconds to wait for the other processes; more than a validation takes."""

    def wrap(
        self, step: nn.Module, model: Trainable, device: torch.device, bf16: bool
    ) -> nn.Module:
        """Return the module whose gradients are those of all processes."""
        return nn.parallel.DistributedDataParallel(step)

    def add_up(self, step: nn.Module, wanted: bool) -> None:
        """Let the next way back end with the gradients of all processes, or only with its own."""
        step.require_backward_grad_sync = wanted  # type: ignore[assignment]


class FSDP(Settings):
    """Weights, gradients and moments divided among the processes (PyTorch's `fully_shard`).

    A layer's weights are gathered when it computes (Zhao et al. 2023, arXiv 2304.11277).
    """

    divides_weights: ClassVar[bool] = True
    kind: Literal["fsdp"] = "fsdp"
    timeout: float = Field(600, gt=0)
    """Seconds to wait for the other processes; more than a validation takes."""

    def wrap(
        self, step: nn.Module, model: Trainable, device: torch.device, bf16: bool
    ) -> nn.Module:
        """Divide the weights; the model's parameters are DTensors from here on.

        With `bf16` a layer's weights travel in it, as autocast would make them afterwards, and so
        do those of its norms, whose sums stay float32 inside; gradients are added up in float32.
        The embeddings travel in float32: gradients of many pieces go into each row, and in bf16
        the small ones would be lost before they are added up.
        """
        from torch.distributed.device_mesh import init_device_mesh
        from torch.distributed.fsdp import MixedPrecisionPolicy, fully_shard

        mesh = init_device_mesh(device.type, (dist.get_world_size(),))
        policy = MixedPrecisionPolicy(
            param_dtype=torch.bfloat16 if bf16 else None, reduce_dtype=torch.float32
        )
        assert not isinstance(model, Recurrent | Convolutional)  # the settings refuse them
        for layer in model.every_layer():
            fully_shard(layer, mesh=mesh, mp_policy=policy)
        fully_shard(step, mesh=mesh)
        return step

    def add_up(self, step: nn.Module, wanted: bool) -> None:
        """Let the next way back end with the gradients of all processes, or only with its own."""
        step.set_requires_gradient_sync(wanted)  # type: ignore[operator]


Parallel = Annotated[DDP | FSDP, Field(discriminator="kind")]


class _Step(nn.Module):
    """The model with its objective, as one call that DDP and FSDP can watch."""

    def __init__(self, model: Trainable, objective: AnyObjective) -> None:
        super().__init__()
        self.model = model
        self.objective = objective

    def forward(self, batch: AnyBatch) -> Float[Tensor, "2"]:
        """Return the sums of the smoothed loss and of the likelihood."""
        loss = self.objective.loss(self.model, batch)
        return torch.stack([loss.smoothed, loss.nll])


class ParallelGradients:
    """Adds the gradients of batches to the weights' `grad`, in step with all other processes.

    Made before the optimizer: FSDP replaces the model's parameters.
    """

    out_of_memory = 0

    def __init__(
        self,
        model: Trainable,
        objective: AnyObjective,
        precision: Precision,
        device: torch.device,
        processes: Processes,
        parallel: Parallel,
    ) -> None:
        self.model = model
        self.objective = objective
        self.precision: Precision = precision
        self.device = device
        self.processes = processes
        self.parallel = parallel
        self.shards = processes.size
        bf16 = takes_bf16(precision, device)
        self._step = parallel.wrap(_Step(model, objective), model, device, bf16)

    def add(self, batch: AnyBatch, tokens: int, last: bool = True) -> Float[Tensor, "2"]:
        """Add the gradient of the smoothed loss over `tokens`; return the two sums of the loss.

        Only after the `last` batch of an update are gradients those of all processes. Raises
        SettingError when this process's part does not fit in memory: to do it again in smaller
        shards, as one process does, is too late when the others exchange its gradients already.
        """
        size, rank = self.processes.size, self.processes.rank
        parts = batch.split(min(size, batch.rows))
        seeds = torch.randint(2**63 - 1, (len(parts),)).tolist()
        mine = rank < len(parts)  # one without a sentence takes part all the same, at no weight
        place = rank if mine else 0
        self.parallel.add_up(self._step, last)
        try:
            with dropout_seed(seeds[place]), autocast(self.precision, self.device):
                sums: Tensor = self._step(parts[place].to(self.device))
            torch.autograd.backward(sums[0] * (mine * size / tokens))
        except (RuntimeError, MemoryError) as error:
            if not is_out_of_memory(error):
                raise
            raise SettingError(
                f"a batch of {batch.rows} sentences does not fit in the memory of process {rank}",
                where="--training.batch-tokens",
                fix="lower it; --training.accumulate keeps the update's size",
            ) from error
        found = sums.detach() * float(mine)
        dist.all_reduce(found)
        return found
