"""`config.json` of a Hugging Face folder becomes our settings, or is refused by the key's name.

Every key that changes what a model computes is looked at: one that asks for something which `GPT`
does not do is refused, never passed over.
"""

__all__ = [
    "ARCHITECTURES",
    "NETWORKS",
    "Described",
    "TwiceError",
    "described",
    "kind_of",
    "once",
    "read_json",
    "settings_named",
]

import json
from collections.abc import Callable, Collection, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, NamedTuple

from pydantic import ValidationError

from heedful.errors import ModelError
from heedful.interop.keys import Keys
from heedful.models.gpt import GPTConfig
from heedful.nn.attention import GroupedQuery, MultiHead
from heedful.nn.feedforward import GELU, FeedForward, GELUTanh, ReLU, SwiGLU
from heedful.nn.norm import LayerNorm, RMSNorm
from heedful.nn.position import Learned, Llama3Scaling, Rotary


class Described(NamedTuple):
    """What config.json says of a model."""

    architecture: str
    """`gpt2` or `llama`."""
    model: GPTConfig
    vocabulary_size: int
    begin_id: int | None
    """What a text begins with, if there is such a piece."""
    end_ids: tuple[int, ...]
    """Pieces that end a text."""


_MOST_BYTES = 64 * 2**20
"""No settings, index of tensors or vocabulary is so large."""


class TwiceError(ValueError):
    """A key stands twice in a JSON object."""


def once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    """Return the object of these keys and values; raises TwiceError for a key that stands twice."""
    found = dict(pairs)
    if len(found) != len(pairs):
        seen = [key for key, _ in pairs]
        raise TwiceError(next(key for at, key in enumerate(seen) if key in seen[:at]))
    return found


def read_json(path: Path) -> dict[str, Any]:
    """Return the JSON object in a file; raises ModelError where there is none."""
    try:
        if path.stat().st_size > _MOST_BYTES:
            raise ModelError("it is too large for a file of settings", where=str(path))
        data = json.loads(path.read_text("utf-8"), object_pairs_hook=once)
    except OSError as error:
        reason = (error.strerror or str(error)).lower()
        raise ModelError(f"cannot be read: {reason}", where=str(path)) from error
    except TwiceError as error:
        problem = f'the key "{str(error)[:100]}" stands in it twice'
        raise ModelError(problem, where=str(path), fix="fetch it again") from error
    except (ValueError, RecursionError) as error:
        raise ModelError("not valid JSON", where=str(path), fix="fetch it again") from error
    if not isinstance(data, dict):
        raise ModelError("this is no JSON object", where=str(path), fix="fetch it again")
    return data


def described(path: Path) -> Described:
    """Return what a config.json says.

    Raises ModelError for an architecture, a size or a habit that is not known here.
    """
    keys = Keys(read_json(path), str(path))
    kind = kind_of(keys, ARCHITECTURES)
    with settings_named(path):
        model = ARCHITECTURES[kind](keys)
    size = keys.whole("vocab_size")
    begin, ends = keys.ids("bos_token_id")[:1], keys.ids("eos_token_id")
    for number in (*begin, *ends):
        if number >= size:
            problem = f"piece {number:,} is named and the vocabulary has {size:,}"
            raise ModelError(problem, where=str(path))
    return Described(kind, model, size, next(iter(begin), None), ends)


def kind_of(keys: Keys, known: Collection[str]) -> str:
    """Return the architecture; raises ModelError for one that is not among those asked for."""
    kind = str(keys.data.get("model_type"))[:100]
    if kind in known:
        return kind
    if kind in _USES:
        problem, fix = f'the architecture "{kind}" is {_USES[kind][0]}', _USES[kind][1]
    else:
        problem = f'the architecture "{kind}" is not known here'
        fix = f"known: {', '.join(known)}"
    raise ModelError(problem, where=keys.where, fix=fix)


_WRITES = ("a decoder, which writes and reads one way", "go on with texts by heed generate")
_READS = ("an encoder, which writes nothing", "ask it by heed embed, heed fill or heed classify")
_USES = {"gpt2": _WRITES, "llama": _WRITES, "bert": _READS}
"""What the architectures are, and what they are for."""


@contextmanager
def settings_named(path: Path) -> Iterator[None]:
    """Turn what settings refuse into one sentence about the file."""
    try:
        yield
    except ValidationError as error:
        first = error.errors()[0]
        message = first["msg"].removeprefix("Value error, ")
        named = ".".join(map(str, first["loc"]))
        raise ModelError(f"{named}: {message}" if named else message, where=str(path)) from error


NETWORKS: dict[str, FeedForward] = {
    "gelu_new": GELUTanh(),
    "gelu_pytorch_tanh": GELUTanh(),
    "gelu": GELU(),
    "relu": ReLU(),
}


def _gpt2(keys: Keys) -> GPTConfig:
    """Return the settings of a GPT-2."""
    keys.must(
        scale_attn_weights=True,
        scale_attn_by_inverse_layer_idx=False,
        add_cross_attention=False,
    )
    d_model = keys.whole("n_embd")
    return GPTConfig(
        d_model=d_model,
        d_ff=keys.whole("n_inner", 4 * d_model),
        n_heads=keys.whole("n_head"),
        n_layers=keys.whole("n_layer"),
        dropout=keys.real("resid_pdrop", 0.1),
        max_length=keys.whole("n_positions"),
        position=Learned(),
        feed_forward=NETWORKS[keys.word("activation_function", "gelu_new", [*NETWORKS])],
        norm=LayerNorm(eps=keys.real("layer_norm_epsilon", 1e-5)),
        tied_output=keys.flag("tie_word_embeddings", True),
    )


def _llama(keys: Keys) -> GPTConfig:
    """Return the settings of a Llama, or of a model that calls itself one."""
    keys.must(hidden_act="silu", mlp_bias=False, sliding_window=None)
    d_model, n_heads = keys.whole("hidden_size"), keys.whole("num_attention_heads")
    bias, groups = keys.flag("attention_bias", False), keys.whole("num_key_value_heads", n_heads)
    d_k = keys.whole("head_dim", 0) or None
    alone = groups == n_heads
    return GPTConfig(
        d_model=d_model,
        d_ff=keys.whole("intermediate_size"),
        n_heads=n_heads,
        d_k=None if d_k is not None and d_k * n_heads == d_model else d_k,
        n_layers=keys.whole("num_hidden_layers"),
        dropout=0.0,
        max_length=keys.whole("max_position_embeddings"),
        attention=MultiHead(bias=bias) if alone else GroupedQuery(n_kv_heads=groups, bias=bias),
        position=_rotary(keys),
        feed_forward=SwiGLU(),
        norm=RMSNorm(eps=keys.real("rms_norm_eps", 1e-6)),
        tied_output=keys.flag("tie_word_embeddings", False),
    )


def _rotary(keys: Keys) -> Rotary:
    """Return the positions, which older files describe by other keys than newer ones."""
    theta = keys.real("rope_theta", 10_000.0)
    scaling = keys.group("rope_parameters") or keys.group("rope_scaling")
    if scaling is None:
        return Rotary(theta=theta)
    scaling.must(partial_rotary_factor=1.0)
    theta = scaling.real("rope_theta", theta)
    named = "rope_type" if "rope_type" in scaling.data else "type"
    if scaling.word(named, "default", ["default", "llama3"]) == "default":
        return Rotary(theta=theta)
    stretched = Llama3Scaling(
        factor=scaling.real("factor", 8.0),
        low_freq_factor=scaling.real("low_freq_factor", 1.0),
        high_freq_factor=scaling.real("high_freq_factor", 4.0),
        original_length=scaling.whole("original_max_position_embeddings", 8192),
    )
    return Rotary(theta=theta, scaling=stretched)


ARCHITECTURES: dict[str, Callable[[Keys], GPTConfig]] = {"gpt2": _gpt2, "llama": _llama}
"""What `model_type` may be."""
