"""Which number format a training step computes in."""

__all__ = ["Precision", "autocast", "takes_bf16"]

from contextlib import AbstractContextManager, nullcontext
from typing import Literal

import torch

from heedful.device import has_bf16

Precision = Literal["auto", "float32", "bf16"]


def takes_bf16(precision: Precision, device: torch.device) -> bool:
    """Return whether products are bf16; `auto` takes it where the machine has it."""
    return precision == "bf16" or (precision == "auto" and has_bf16(device))


def autocast(precision: Precision, device: torch.device) -> AbstractContextManager[object]:
    """Return the context of a forward pass: bf16 products with float32 weights, or all float32."""
    if not takes_bf16(precision, device):
        return nullcontext()
    return torch.autocast(device.type, dtype=torch.bfloat16)
