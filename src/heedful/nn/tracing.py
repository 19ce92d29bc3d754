"""Numbers that can be looked at, and what only stands for them.

A kernel, a check of values or a function of ours with its own gradient needs the former. Under
`torch.compile`, a trace or a transform of `torch.func`, while a CUDA graph is recorded, on the meta
device, and for tensors of other classes (fake, nested, distributed), PyTorch's own operators are
taken.
"""

__all__ = ["plain"]

import torch
from torch import nn

from heedful.shapes import Tensor

_KINDS = (Tensor, nn.Parameter)


def plain(*tensors: Tensor) -> bool:
    """Return whether these are numbers: no trace, transform or record, no other tensors."""
    return not (
        torch.compiler.is_compiling()
        or torch._C._get_tracing_state() is not None
        or torch._C._are_functorch_transforms_active()
        or any(type(tensor) not in _KINDS or tensor.is_meta for tensor in tensors)
        or (any(tensor.is_cuda for tensor in tensors) and torch.cuda.is_current_stream_capturing())
    )
