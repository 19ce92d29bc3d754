"""The tensors of a GGUF file become the weights of a `GPT`.

Names and shapes are compared first, then memory is taken, then numbers are read a part at a time:
beside the model there is never more than one such part, as it lies in the file and multiplied out.
"""

__all__ = ["Place", "compare", "fill", "places", "stretched"]

import math
from collections.abc import Mapping
from pathlib import Path
from typing import BinaryIO, NamedTuple

import numpy as np
import torch

from heedful.errors import ModelError, SettingError
from heedful.interop.gguf.config import OUTPUT
from heedful.interop.gguf.header import Held
from heedful.interop.huggingface.config import Described
from heedful.interop.llama2c import halves
from heedful.models.gpt import GPT, GPTConfig
from heedful.nn.position import Llama3Scaling, Rotary
from heedful.shapes import Array, Float

AT_ONCE = 1 << 22
"""Numbers that are multiplied out together, or a row if that is longer."""

ROTATIONS = "rope_freqs.weight"
"""By how much each rate of a Llama 3 is divided."""
_STRETCHED = [
    Llama3Scaling(factor=factor, low_freq_factor=1.0, high_freq_factor=4.0, original_length=8192)
    for factor in (8.0, 32.0)
]
"""Those of Llama 3.1 and 3.2: a file tells what comes out, not what went in."""


class Place(NamedTuple):
    """Where one weight of ours is."""

    tensor: str | None
    """None: it is 0, since the model has none."""
    shape: tuple[int, ...]
    """The tensor's."""
    first: int = 0
    """Ours are the tensor's rows from this one on, as many as we have."""
    rotated: bool = False
    """Whether rows that are turned together lie side by side."""


_NORMS = {"attention_block.norm": "attn_norm", "feed_forward_block.norm": "ffn_norm"}


def places(described: Described) -> dict[str, Place]:
    """Return the place of every weight of ours, by our name."""
    config, size = described.model, described.vocabulary_size
    gpt2 = described.architecture == "gpt2"
    found = {"tables.source.weight": Place("token_embd.weight", (size, config.d_model))}
    if not config.tied_output:
        found["tables.output.weight"] = Place(OUTPUT, (size, config.d_model))
    if gpt2:
        found["position.table"] = Place("position_embd.weight", (config.max_length, config.d_model))
    norms = {"norm": "output_norm"}
    for layer in range(config.n_layers):
        ours, theirs = f"layers.{layer}", f"blk.{layer}"
        norms |= {f"{ours}.{own}": f"{theirs}.{its}" for own, its in _NORMS.items()}
        parts = _gpt2(config) if gpt2 else _rotating(config, described.architecture)
        for own, place in parts.items():
            tensor = None if place.tensor is None else f"{theirs}.{place.tensor}"
            found[f"{ours}.{own}"] = place._replace(tensor=tensor)
    for own, its in norms.items():
        for part in ("weight", "bias") if gpt2 else ("weight",):
            found[f"{own}.{part}"] = Place(f"{its}.{part}", (config.d_model,))
    return found


def _gpt2(config: GPTConfig) -> dict[str, Place]:
    """Return the places of a layer's products."""
    width, d_ff = config.d_model, config.d_ff
    found = {}
    products = {
        "attention.output_proj": ("attn_output", width, width, 0),
        "feed_forward.inner": ("ffn_up", d_ff, width, 0),
        "feed_forward.outer": ("ffn_down", width, d_ff, 0),
    } | {
        f"attention.{name}_proj": ("attn_qkv", 3 * width, width, part * width)
        for part, name in enumerate(("query", "key", "value"))
    }
    for own, (its, n_out, n_in, first) in products.items():
        found[f"{own}.weight"] = Place(f"{its}.weight", (n_out, n_in), first)
        found[f"{own}.bias"] = Place(f"{its}.bias", (n_out,), first)
    return found


def _rotating(config: GPTConfig, architecture: str) -> dict[str, Place]:
    """Return the places of a layer's products; a Llama's files turn neighbours together."""
    width, d_ff, beside = config.d_model, config.d_ff, architecture == "llama"
    wide, narrow = config.n_heads * config.head_width, config.n_kv_heads * config.head_width
    found = {
        "attention.query_proj.weight": Place("attn_q.weight", (wide, width), rotated=beside),
        "attention.key_proj.weight": Place("attn_k.weight", (narrow, width), rotated=beside),
        "attention.value_proj.weight": Place("attn_v.weight", (narrow, width)),
        "attention.output_proj.weight": Place("attn_output.weight", (width, wide)),
        "feed_forward.gate.weight": Place("ffn_gate.weight", (d_ff, width)),
        "feed_forward.inner.weight": Place("ffn_up.weight", (d_ff, width)),
        "feed_forward.outer.weight": Place("ffn_down.weight", (width, d_ff)),
    }
    if config.attention.bias:
        found |= {
            "attention.query_proj.bias": Place("attn_q.bias", (wide,)),
            "attention.key_proj.bias": Place("attn_k.bias", (narrow,)),
            "attention.value_proj.bias": Place("attn_v.bias", (narrow,)),
            "attention.output_proj.bias": Place(None, (width,)),
        }
    return found


def compare(path: Path, held: Mapping[str, Held], wanted: Mapping[str, Place]) -> None:
    """Raise ModelError unless the file holds what its keys describe, and nothing else."""
    needed = {place.tensor: place.shape for place in wanted.values() if place.tensor is not None}
    for name, shape in needed.items():
        if name not in held:
            problem = f'tensor "{name}" of the shape {list(shape)} is missing'
            raise ModelError(problem, where=str(path), fix="fetch the file again")
        if held[name].shape != shape:
            expected = f"{list(shape)} where its keys are followed"
            problem = f'tensor "{name}" has the shape {list(held[name].shape)}, and {expected}'
            raise ModelError(problem, where=str(path), fix="fetch the file again")
    for name in sorted(held.keys() - needed.keys() - {ROTATIONS}):
        problem = f'tensor "{name[:100]}" is none that heedful knows'
        raise ModelError(problem, where=str(path), fix="take a model that is nothing but that")


def stretched(path: Path, held: Mapping[str, Held], config: GPTConfig) -> GPTConfig:
    """Return the settings with the scaling of rotations that the file has, if it has one."""
    if ROTATIONS not in held or not isinstance(config.position, Rotary):
        return config
    one, width = held[ROTATIONS], config.head_width
    if one.kind != "F32" or one.shape != (width // 2,):
        problem = f'tensor "{ROTATIONS}" has the shape {list(one.shape)}'
        raise ModelError(problem, where=str(path), fix="fetch the file again")
    with path.open("rb") as file:
        divided = torch.from_numpy(_rows(file, one, 0, width // 2))
    rate = config.position.theta ** (-torch.arange(0, width, 2) / width)
    if bool((divided == 1).all()):
        return config
    for scaling in _STRETCHED:
        if torch.allclose(rate / divided, scaling.scaled(rate), rtol=1e-4, atol=0):
            position = Rotary(theta=config.position.theta, scaling=scaling)
            return config.model_copy(update={"position": position})
    problem = f'"{ROTATIONS}" stretches positions as neither Llama 3.1 nor 3.2 does'
    raise ModelError(problem, where=str(path), fix="take the model from its Hugging Face folder")


def fill(model: GPT, path: Path, held: Mapping[str, Held], wanted: Mapping[str, Place]) -> None:
    """Copy every weight into its place; raises ModelError for numbers that are none."""
    weights = dict(model.named_parameters())
    assert weights.keys() == wanted.keys()
    with path.open("rb") as file, torch.no_grad():
        for name, weight in weights.items():
            place = wanted[name]
            if place.tensor is None:
                weight.zero_()
                continue
            one = held[place.tensor]
            whole = place.rotated or weight.dim() == 1
            some = len(weight) if whole else max(AT_ONCE // one.shape[-1], 1)
            for start in range(0, len(weight), some):
                part = weight[start : start + some]
                values = _rows(file, one, place.first + start, len(part))
                if not all(math.isfinite(end) for end in (values.min(), values.max())):
                    problem = f'tensor "{place.tensor}" holds NaN or infinity'
                    raise ModelError(problem, where=str(path), fix="fetch the file again")
                found = torch.from_numpy(values)
                part.copy_(halves(found, model.config.head_width) if place.rotated else found)


def _rows(file: BinaryIO, tensor: Held, first: int, count: int) -> Float[Array, "R ..."]:
    """Return some rows of a matrix, or numbers of a vector; NaN is less and more than all."""
    if len(tensor.shape) == 1:
        return _part(file, tensor, 0, 1)[0, first : first + count]
    return _part(file, tensor, first, count)


def _part(file: BinaryIO, tensor: Held, first: int, rows: int) -> Float[Array, "R N"]:
    """Return some rows of a tensor in float32."""
    file.seek(tensor.start + first * tensor.row_bytes)
    raw = np.fromfile(file, np.uint8, rows * tensor.row_bytes).reshape(rows, -1)
    width = tensor.shape[-1]
    if tensor.kind == "BF16":
        shifted = raw.view("<u2").astype(np.uint32) << 16
        return shifted.view(np.float32)
    if tensor.kind in ("F32", "F16"):
        kind = "<f4" if tensor.kind == "F32" else "<f2"
        return raw.view(kind).astype(np.float32)
    try:
        from gguf.constants import GGMLQuantizationType
        from gguf.quants import dequantize
    except ModuleNotFoundError:
        problem = f"numbers of the type {tensor.kind} need the package gguf"
        raise SettingError(problem, fix='pip install "heedful[chat]"') from None
    with np.errstate(all="ignore"):  # a damaged scale is found by who looks for NaN
        values = dequantize(raw, GGMLQuantizationType[tensor.kind])
    assert values.shape == (rows, width)
    return np.ascontiguousarray(values, dtype=np.float32)
