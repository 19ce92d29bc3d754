"""Where the weights of a GPT stand in the files of Hugging Face: names, shapes, how they lie."""

__all__ = ["OUTPUT", "Place", "encoder_places", "ignored", "places"]

import re
from typing import NamedTuple

from heedful.interop.huggingface.config import Described
from heedful.models.bert import BERTConfig
from heedful.models.bert_heads import MaskedWords, NoHead, Span

OUTPUT = "lm_head.weight"
"""The output matrix; where it is the embedding, a file may hold it all the same."""


class Place(NamedTuple):
    """Where one weight of ours is."""

    tensor: str
    """Name of the tensor in the file."""
    shape: tuple[int, ...]
    """The tensor's."""
    first: int = 0
    """Ours are the tensor's outputs from this one on, as many as we have."""
    across: bool = False
    """Whether the tensor is [inputs outputs], as GPT-2 keeps its matrices."""


_IGNORED = {
    "gpt2": re.compile(r"(transformer\.)?h\.\d+\.attn\.(bias|masked_bias)"),
    "bert": re.compile(r"(bert\.)?embeddings\.position_ids|cls\.seq_relationship\.(weight|bias)"),
    "llama": re.compile(r"model\.layers\.\d+\.self_attn\.rotary_emb\.inv_freq"),
}
"""Masks, places and rotations, which older files hold and everybody computes; and the head with
which BERT told whether a sentence follows another, which nobody asks any more."""


def ignored(architecture: str, tensor: str) -> bool:
    """Return whether a tensor holds no weights."""
    known = _IGNORED.get(architecture)
    return known is not None and known.fullmatch(tensor) is not None


def places(described: Described, *, bare: bool = False) -> dict[str, Place]:
    """Return the place of every weight of ours, by our name.

    `bare`: GPT-2's names stand without `transformer.`, as in the folder that OpenAI published.
    """
    if described.architecture == "gpt2":
        return _gpt2(described, "" if bare else "transformer.")
    return _llama(described)


def _gpt2(described: Described, prefix: str) -> dict[str, Place]:
    config, size = described.model, described.vocabulary_size
    d_model, d_ff = config.d_model, config.d_ff
    found = {
        "tables.source.weight": Place(f"{prefix}wte.weight", (size, d_model)),
        "position.table": Place(f"{prefix}wpe.weight", (config.max_length, d_model)),
        **_norm("norm", f"{prefix}ln_f", d_model),
    }
    if not config.tied_output:
        found["tables.output.weight"] = Place(OUTPUT, (size, d_model))
    for number in range(config.n_layers):
        ours, theirs = f"layers.{number}", f"{prefix}h.{number}"
        found |= _norm(f"{ours}.attention_block.norm", f"{theirs}.ln_1", d_model)
        found |= _norm(f"{ours}.feed_forward_block.norm", f"{theirs}.ln_2", d_model)
        products = [
            ("attention.output_proj", "attn.c_proj", d_model, d_model, 0),
            ("feed_forward.inner", "mlp.c_fc", d_model, d_ff, 0),
            ("feed_forward.outer", "mlp.c_proj", d_ff, d_model, 0),
        ]
        for part, name in enumerate(("query", "key", "value")):
            joint = (f"attention.{name}_proj", "attn.c_attn", d_model, 3 * d_model, part * d_model)
            products.append(joint)
        for own, its, n_in, n_out, first in products:
            weight = Place(f"{theirs}.{its}.weight", (n_in, n_out), first, across=True)
            found[f"{ours}.{own}.weight"] = weight
            found[f"{ours}.{own}.bias"] = Place(f"{theirs}.{its}.bias", (n_out,), first)
    return found


def _norm(ours: str, theirs: str, width: int) -> dict[str, Place]:
    parts = ("weight", "bias")
    return {f"{ours}.{part}": Place(f"{theirs}.{part}", (width,)) for part in parts}


def _llama(described: Described) -> dict[str, Place]:
    config, size = described.model, described.vocabulary_size
    d_model, d_ff, d_k = config.d_model, config.d_ff, config.head_width
    found = {
        "tables.source.weight": Place("model.embed_tokens.weight", (size, d_model)),
        "norm.weight": Place("model.norm.weight", (d_model,)),
    }
    if not config.tied_output:
        found["tables.output.weight"] = Place(OUTPUT, (size, d_model))
    wide, narrow = config.n_heads * d_k, config.n_kv_heads * d_k
    products = {
        "attention.query_proj": ("self_attn.q_proj", wide, d_model, config.attention.bias),
        "attention.key_proj": ("self_attn.k_proj", narrow, d_model, config.attention.bias),
        "attention.value_proj": ("self_attn.v_proj", narrow, d_model, config.attention.bias),
        "attention.output_proj": ("self_attn.o_proj", d_model, wide, config.attention.bias),
        "feed_forward.gate": ("mlp.gate_proj", d_ff, d_model, False),
        "feed_forward.inner": ("mlp.up_proj", d_ff, d_model, False),
        "feed_forward.outer": ("mlp.down_proj", d_model, d_ff, False),
    }
    norms = {
        "attention_block.norm": "input_layernorm",
        "feed_forward_block.norm": "post_attention_layernorm",
    }
    for number in range(config.n_layers):
        ours, theirs = f"layers.{number}", f"model.layers.{number}"
        for own, name in norms.items():
            found[f"{ours}.{own}.weight"] = Place(f"{theirs}.{name}.weight", (d_model,))
        for own, (name, n_out, n_in, bias) in products.items():
            found[f"{ours}.{own}.weight"] = Place(f"{theirs}.{name}.weight", (n_out, n_in))
            if bias:
                found[f"{ours}.{own}.bias"] = Place(f"{theirs}.{name}.bias", (n_out,))
    return found


def encoder_places(
    config: BERTConfig, size: int, *, prefix: str, gain: str, shift: str
) -> dict[str, Place]:
    """Return the place of every weight of a BERT, by our name.

    `prefix` stands before all names but the head's; `gain` and `shift` are what norms call theirs:
    `weight` and `bias`, in older files `gamma` and `beta`.
    """
    width, inner = config.d_model, config.d_ff
    inputs = f"{prefix}embeddings"

    def norm(ours: str, theirs: str) -> dict[str, Place]:
        named = {"weight": gain, "bias": shift}
        return {f"{ours}.{own}": Place(f"{theirs}.{its}", (width,)) for own, its in named.items()}

    def product(ours: str, theirs: str, n_in: int, n_out: int) -> dict[str, Place]:
        shapes = {"weight": (n_out, n_in), "bias": (n_out,)}
        return {f"{ours}.{x}": Place(f"{theirs}.{x}", shape) for x, shape in shapes.items()}

    found = {
        "words.weight": Place(f"{inputs}.word_embeddings.weight", (size, width)),
        "segments.weight": Place(
            f"{inputs}.token_type_embeddings.weight", (config.n_segments, width)
        ),
        "position.table": Place(f"{inputs}.position_embeddings.weight", (config.max_length, width)),
        **norm("input_norm", f"{inputs}.LayerNorm"),
    }
    for number in range(config.n_layers):
        ours, theirs = f"layers.{number}", f"{prefix}encoder.layer.{number}"
        for part in ("query", "key", "value"):
            name = f"{theirs}.attention.self.{part}"
            found |= product(f"{ours}.attention.{part}_proj", name, width, width)
        output = f"{theirs}.attention.output"
        found |= product(f"{ours}.attention.output_proj", f"{output}.dense", width, width)
        found |= norm(f"{ours}.attention_block.norm", f"{output}.LayerNorm")
        inside = f"{theirs}.intermediate.dense"
        found |= product(f"{ours}.feed_forward.inner", inside, width, inner)
        found |= product(f"{ours}.feed_forward.outer", f"{theirs}.output.dense", inner, width)
        found |= norm(f"{ours}.feed_forward_block.norm", f"{theirs}.output.LayerNorm")
    if config.pooler:
        found |= product("pooler", f"{prefix}pooler.dense", width, width)
    head = config.head
    if isinstance(head, MaskedWords):
        found |= product("head.dense", "cls.predictions.transform.dense", width, width)
        found |= norm("head.norm", "cls.predictions.transform.LayerNorm")
        found["head.bias"] = Place("cls.predictions.bias", (size,))
    elif not isinstance(head, NoHead):
        name = "qa_outputs" if isinstance(head, Span) else "classifier"
        found |= product("head.dense", name, width, head.n_answers)
    return found
