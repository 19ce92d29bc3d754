"""The processes that train one model together: which of them this is, and what they agree on.

torchrun (or `heed train --nproc`) starts them and tells each its place by environment variables.
What the loop decides by a clock, a signal or a disk is decided for all of them here, over gloo and
on the CPU, so that no GPU waits. One process alone agrees with itself.
"""

__all__ = [
    "MEETING_PLACE",
    "LeadFailedError",
    "LostProcessError",
    "Processes",
    "joined",
    "own_device",
]

import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import timedelta

import torch
import torch.distributed as dist

from heedful.errors import HeedfulError, SettingError

MEETING_PLACE = "HEEDFUL_RENDEZVOUS"
"""The environment's name for a file in which processes of one machine meet."""
_FOREVER = timedelta(days=365)


class LostProcessError(Exception):
    """Another process has ended or does not answer: this one cannot go on alone."""


class LeadFailedError(HeedfulError):
    """The lead has failed and says why."""


@dataclass(frozen=True)
class Processes:
    """This process's place among all; the lead is the one that speaks, writes and validates."""

    rank: int = 0
    size: int = 1
    host: "dist.ProcessGroup | None" = None
    """The group for numbers that the host reads."""
    patient: "dist.ProcessGroup | None" = None
    """The same, for what may take as long as it takes."""

    @property
    def lead(self) -> bool:
        """Whether this is the first process."""
        return self.rank == 0

    def largest(self, *values: float) -> list[float]:
        """Return the largest of each value over all processes."""
        if self.size == 1:
            return list(values)
        shared = torch.tensor(values, dtype=torch.float64)
        dist.all_reduce(shared, dist.ReduceOp.MAX, group=self.host)
        return shared.tolist()

    def of_lead(self, *values: float) -> list[float]:
        """Return the lead's values."""
        if self.size == 1:
            return list(values)
        shared = torch.tensor(values, dtype=torch.float64)
        dist.broadcast(shared, 0, group=self.host)
        return shared.tolist()

    def any(self, bad: bool) -> bool:
        """Return whether it is so in any process."""
        return bool(self.largest(float(bad))[0])

    def failed(self, here: bool) -> bool:
        """Return whether any process failed, when the slowest has come here, however late."""
        if self.size == 1:
            return here
        shared = torch.tensor([float(here)])
        dist.all_reduce(shared, dist.ReduceOp.MAX, group=self.patient)
        return bool(shared[0])


@contextmanager
def joined(device: torch.device, timeout: float) -> Iterator[Processes]:
    """Join the processes that the environment names; one that is alone joins nobody.

    `timeout` is how many seconds to wait for the others before giving up. Raises SettingError
    when the meeting place cannot be reached.
    """
    size = _number("WORLD_SIZE", 1)
    if size == 1:
        yield Processes()
        return
    rank = _number("RANK", 0)
    patience = timedelta(seconds=timeout)
    place = os.environ.get(MEETING_PLACE)
    try:
        dist.init_process_group(
            "nccl" if device.type == "cuda" else "gloo",
            init_method=None if place is None else f"file://{place}",
            rank=rank,
            world_size=size,
            timeout=patience,
        )
        host = dist.new_group(backend="gloo", timeout=patience)
        patient = dist.new_group(backend="gloo", timeout=_FOREVER)
    except (RuntimeError, ValueError, OSError) as error:
        where = place or f"{os.environ.get('MASTER_ADDR')}:{os.environ.get('MASTER_PORT')}"
        raise SettingError(
            f"process {rank} of {size} cannot meet the others "
            f"({str(error).splitlines()[0] if str(error) else type(error).__name__})",
            where=where,
            fix="check that address and port are the first node's and can be reached",
        ) from error
    try:
        yield Processes(rank, size, host, patient)
    except RuntimeError as error:
        if isinstance(error, dist.DistError) or "gloo" in str(error):
            late = "timed out" in str(error).lower()
            what = f"waited {timeout:g} s (--parallel.timeout) for" if late else "has lost"
            raise LostProcessError(f"process {rank} of {size} {what} another one") from error
        raise
    finally:
        dist.destroy_process_group()


def own_device(device: torch.device) -> torch.device:
    """Return the GPU of this process among those of its machine; a CPU is everybody's."""
    if device.type != "cuda" or _number("WORLD_SIZE", 1) == 1:
        return device
    number, there = _number("LOCAL_RANK", 0), torch.cuda.device_count()
    if number >= there:
        raise SettingError(
            f"process {number} of this machine has no GPU of its own, there are {there}",
            where="--nproc",
            fix=f"use at most {there}, or --device cpu",
        )
    own = torch.device("cuda", number)
    torch.cuda.set_device(own)
    return own


def _number(name: str, default: int) -> int:
    text = os.environ.get(name, str(default))
    if not text.isdecimal():
        raise SettingError(f'"{text}" is no whole number', where=name, fix="start by torchrun")
    return int(text)
