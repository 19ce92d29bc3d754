"""A model that computes as the int8 engine does, in PyTorch's operators.

Rows and weights become whole numbers with a scale each, their products are exact; the rest is the
model as it is. It is what the fused engine is checked against, and what translates in int8 until
the kernels are there, and where they never come.
"""

__all__ = ["PRECISIONS", "Precision", "as_int8", "check_precision", "pick_precision"]

import copy
from importlib.util import find_spec
from typing import Any, Literal, cast, get_args

import torch
from torch import nn

from heedful.decode.packed import has_kernels
from heedful.device import has_bf16
from heedful.errors import SettingError, did_you_mean
from heedful.models.architecture import Model
from heedful.models.int8 import to_int8
from heedful.models.seq2seq import Seq2Seq
from heedful.models.transformer import Transformer
from heedful.nn.embedding import Tables
from heedful.shapes import Float, Int, Tensor

Precision = Literal["float32", "bf16", "int8"]
"""In what the products of a translation are computed."""

PRECISIONS = ("auto", *get_args(Precision))
"""What can be asked for by name."""

EXACT = 1024
"""Inputs whose sums float32 holds exactly, which it does below 2^24: 127 * 127 * 1,040."""


def pick_precision(name: str, model: Seq2Seq, device: torch.device) -> Precision:
    """Return the precision of that name; `auto` is the fastest that keeps the scores.

    That is int8 for a Transformer on CPU whose parts the kernels know, bf16 on a GPU that computes
    in it, else float32; what they cost in BLEU stands in docs/speed.md. Raises SettingError for an
    unknown name; whether a precision is for the device is for the `Engine` to say.
    """
    if name not in PRECISIONS:
        raise SettingError(
            f'there is no precision "{name}"',
            where="--precision",
            fix=did_you_mean(name, PRECISIONS),
        )
    if name != "auto":
        return cast(Precision, name)
    if device.type == "cuda":
        return "bf16" if has_bf16(device) else "float32"
    kernels = find_spec("numba") is not None
    suited = device.type == "cpu" and isinstance(model, Transformer) and has_kernels(model)
    return "int8" if kernels and suited else "float32"


def check_precision(precision: Precision, model: Seq2Seq, device: torch.device) -> None:
    """Raise SettingError for a precision that the model or the device is not good for."""
    wanted = {"bf16": "cuda", "int8": "cpu"}.get(precision, device.type)
    if device.type != wanted:
        instead = "int8 or float32" if device.type == "cpu" else "bf16 or float32"
        raise SettingError(
            f"{precision} is not for the device {device.type}",
            where="--precision",
            fix=f"take {instead}",
        )
    if precision == "int8" and not isinstance(model, Transformer):
        kind = model.config.kind if isinstance(model, Model) else type(model).__name__
        raise SettingError(
            f"int8 is not for a model of the kind {kind}",
            where="--precision",
            fix="take float32",
        )


class Int8Linear(nn.Module):
    """A product of whole numbers, scaled: what `Int8Product` and a kernel behind it compute."""

    def __init__(
        self,
        weight: Float[Tensor, "N K"],
        bias: Float[Tensor, " N"] | None = None,
        *,
        relu: bool = False,
    ) -> None:
        super().__init__()
        self.relu = relu
        whole, self.scales = to_int8(weight.detach().float())
        self.columns = whole.t().float().contiguous()
        self.shift = None if bias is None else bias.detach()

    def forward(self, states: Float[Tensor, "*rows K"]) -> Float[Tensor, "*rows N"]:
        """Return the product."""
        largest = states.abs().amax(dim=-1, keepdim=True)
        factor = torch.where(largest > 0, 127 / largest, 0)
        whole = (states * factor).round()
        sums = whole[..., :EXACT] @ self.columns[:EXACT]
        for start in range(EXACT, states.shape[-1], EXACT):
            stop = start + EXACT
            sums += whole[..., start:stop] @ self.columns[start:stop]
        result = sums * (largest / 127 * self.scales)
        if self.shift is not None:
            result += self.shift
        return result.relu_() if self.relu else result


class Int8Tables(Tables):
    """Embeddings as they are, the projection onto the vocabulary in whole numbers."""

    def __init__(self, tables: Tables) -> None:
        ends = (tables.source, tables.target, tables.output)
        super().__init__(*ends, tables.scale, output_scale=tables.output_scale)
        self.product = Int8Linear(tables.output.weight, tables.bias)

    def project(
        self, hidden: Float[Tensor, "*rows D"], entries: Int[Tensor, " N"] | None
    ) -> Float[Tensor, "*rows N"]:
        """Return logits over all entries or a shortlist of them."""
        logits: Tensor = self.product(hidden)
        return logits if entries is None else logits[..., entries]


def as_int8(model: Transformer) -> Transformer:
    """Return a copy whose products are computed in whole numbers; the tables are shared."""
    kept: dict[int, Any] = {id(weight): weight for weight in model.parameters()}
    kept |= {id(part): part for part in model.tables.modules()}
    changed = copy.deepcopy(model, kept)  # not the weights: they are replaced, or shared
    for module in list(changed.modules()):
        for name, part in list(module.named_children()):
            if isinstance(part, nn.Linear):
                relu = getattr(part, "relu", False)
                setattr(module, name, Int8Linear(part.weight, part.bias, relu=relu))
    changed.tables = Int8Tables(model.tables)
    return changed
