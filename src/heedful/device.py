"""Which device to compute on: a name from the command line comes in, a torch device goes out."""

__all__ = ["cores", "has_bf16", "pick_device"]

import re
from collections.abc import Iterator
from contextlib import contextmanager

import torch

from heedful.errors import SettingError, did_you_mean

NAMES = ("auto", "cpu", "cuda")


def pick_device(name: str = "auto") -> torch.device:
    """Return the device of that name; `auto` takes a GPU if there is one, `cuda:1` the second.

    On a GPU it also switches cuDNN's attention off in this process: that kernel is prepared anew
    for every shape, 6 to 7 ms a call on an H200, and every batch of sentences has another. It was
    69 % of the host's time in a step of base, 356 ms for 51 ms of kernels. Raises SettingError
    for an unknown name and for a GPU that is not there.
    """
    device = _named(name)
    if device.type == "cuda":
        torch.backends.cuda.enable_cudnn_sdp(False)
    return device


def has_bf16(device: torch.device) -> bool:
    """Return whether the device multiplies bf16 matrices in hardware."""
    if device.type == "cuda":
        return bool(torch.cuda.is_bf16_supported(including_emulation=False))
    return bool(torch.cpu._is_avx512_bf16_supported() or torch.cpu._is_amx_tile_supported())


@contextmanager
def cores(count: int) -> Iterator[None]:
    """Let this thread, and those that begin here, compute with so many cores in each product."""
    before = torch.get_num_threads()
    torch.set_num_threads(count)
    try:
        yield
    finally:
        torch.set_num_threads(before)


def _named(name: str) -> torch.device:
    if name == "auto":
        return torch.device("cuda" if torch.cuda.is_available() else "cpu")
    if name == "cpu":
        return torch.device("cpu")
    wanted = re.fullmatch(r"cuda(?::(\d{1,3}))?", name)
    if wanted is None:
        raise SettingError(
            f'there is no device "{name}"', where="device", fix=did_you_mean(name, NAMES)
        )
    if not torch.cuda.is_available():
        raise SettingError(
            f'"{name}" was asked for, but torch {torch.__version__} sees no GPU here',
            where="device",
            fix="use cpu, or install a CUDA build of torch",
        )
    if int(wanted[1] or 0) >= torch.cuda.device_count():
        raise SettingError(
            f'there is no "{name}", the machine has {torch.cuda.device_count()} GPU(s)',
            where="device",
            fix="count from cuda:0",
        )
    return torch.device(name)
