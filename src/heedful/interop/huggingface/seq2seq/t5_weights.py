"""The weights of a T5: where they stand in its files, how they come in, and how they go out."""

__all__ = ["load", "tensors_of"]

from collections.abc import Iterator, Mapping
from pathlib import Path

import torch

from heedful.interop.huggingface.folder import Held, check_tied, compare, config_of, held_in, read
from heedful.interop.huggingface.layouts import Place
from heedful.interop.huggingface.seq2seq.t5 import DescribedT5, described
from heedful.interop.huggingface.seq2seq.t5_pieces import numbered
from heedful.model_folder import LoadedModel, Unfilled
from heedful.models.transformer import Transformer, TransformerConfig
from heedful.nn.embedding import OneInput, ThreeWay
from heedful.nn.feedforward import GEGLU, SwiGLU
from heedful.nn.position import Bucketed
from heedful.shapes import Tensor

SHARED, OUTPUT = "shared.weight", "lm_head.weight"
_COPIES = ("encoder.embed_tokens.weight", "decoder.embed_tokens.weight")
"""The one embedding again, in older files."""
_UNUSED = "decoder.block.0.layer.1.EncDecAttention.relative_attention_bias.weight"
"""A table that the first files have and nothing ever read."""
_PROJECTIONS = {"query_proj": "q", "key_proj": "k", "value_proj": "v", "output_proj": "o"}


def places(config: TransformerConfig) -> dict[str, Place]:
    """Return the place of every weight of ours but the tables, by our name."""
    found: dict[str, Place] = {}
    assert isinstance(config.position, Bucketed)
    table = (config.position.n_buckets, config.n_heads)
    for side, count in (("encoder", config.encoder_layers), ("decoder", config.decoder_layers)):
        for number in range(count):
            for ours, theirs, shape in _layer(config, across=side == "decoder"):
                place = Place(f"{side}.block.{number}.layer.{theirs}.weight", shape)
                found[f"{side}.{number}.{ours}.weight"] = place
        theirs = f"{side}.block.0.layer.0.SelfAttention.relative_attention_bias.weight"
        found[f"{side}.0.attention.position.table"] = Place(theirs, table)
        norm = Place(f"{side}.final_layer_norm.weight", (config.d_model,))
        found[f"{side}_norm.weight"] = norm
    return found


def _layer(
    config: TransformerConfig, *, across: bool
) -> Iterator[tuple[str, str, tuple[int, ...]]]:
    """Yield our name of each weight of a layer, theirs, and its shape."""
    d_model, d_ff, width = config.d_model, config.d_ff, config.n_heads * config.head_width
    looks = [("attention", "SelfAttention")]
    looks += [("cross_attention", "EncDecAttention")] if across else []
    for number, (own, name) in enumerate(looks):
        for ours, theirs in _PROJECTIONS.items():
            shape = (d_model, width) if theirs == "o" else (width, d_model)
            yield f"{own}.{ours}", f"{number}.{name}.{theirs}", shape
        yield f"{own}_block.norm", f"{number}.layer_norm", (d_model,)
    last = len(looks)
    gated = isinstance(config.feed_forward, GEGLU | SwiGLU)
    inner = {"gate": "wi_0", "inner": "wi_1"} if gated else {"inner": "wi"}
    for ours, theirs in inner.items():
        yield f"feed_forward.{ours}", f"{last}.DenseReluDense.{theirs}", (d_ff, d_model)
    yield "feed_forward.outer", f"{last}.DenseReluDense.wo", (d_model, d_ff)
    yield "feed_forward_block.norm", f"{last}.layer_norm", (d_model,)


def load(folder: Path) -> LoadedModel:
    """Return model, tokenizer and languages of a folder.

    Raises ModelError for whatever is missing, damaged, or not known here.
    """
    said = described(config_of(folder))
    held = held_in(folder)
    wanted = places(said.model)
    compare(folder, held, _needed(held, said, wanted), "translator of this kind")
    for name in _COPIES:
        if name in held:
            check_tied(held, SHARED, name)
    config, apart = said.model, _apart(held, said)
    if apart:
        config = config.model_copy(update={"embedding": OneInput(scaled=False)})
    pieces = numbered(folder, said)
    with Unfilled():
        model = config.build(len(pieces.source_rows), len(pieces.target_rows))
    weights = dict(model.named_parameters())
    with torch.no_grad():
        for name, place in wanted.items():
            weights[name].copy_(read(held[place.tensor], place.tensor))
        model.tables.source.weight.copy_(read(held[SHARED], SHARED)[pieces.target_rows])
        if apart:
            model.tables.output.weight.copy_(read(held[OUTPUT], OUTPUT)[pieces.target_rows])
    return LoadedModel(model.eval(), pieces.tokenizer, pieces.languages)


def _needed(
    held: Mapping[str, Held], said: DescribedT5, wanted: Mapping[str, Place]
) -> dict[str, tuple[int, ...]]:
    """Return the shapes of all tensors that must be there, and of those that may and are."""
    table = (said.size, said.model.d_model)
    needed = {place.tensor: place.shape for place in wanted.values()} | {SHARED: table}
    if said.apart:
        needed[OUTPUT] = table
    first = needed["decoder.block.0.layer.0.SelfAttention.relative_attention_bias.weight"]
    known = dict.fromkeys((OUTPUT, *_COPIES), table) | {_UNUSED: first}
    return needed | {name: shape for name, shape in known.items() if name in held}


def _apart(held: Mapping[str, Held], said: DescribedT5) -> bool:
    """Return whether the output has a matrix of its own.

    Of v1.0 it has none. The others may: transformers 5 writes that all are tied, and takes what is
    stored twice as it is.
    """
    if OUTPUT not in held:
        return False
    if said.model.embedding.scaled_output:
        check_tied(held, SHARED, OUTPUT)
        return False
    return not torch.equal(read(held[SHARED], SHARED), read(held[OUTPUT], OUTPUT))


def tensors_of(model: Transformer) -> dict[str, Tensor]:
    """Return the tensors of model.safetensors, by their names there.

    Without a scale of the last states the output matrix is always written, since older versions of
    transformers take the two for one choice.
    """
    weights = {name: weight.detach() for name, weight in model.named_parameters()}
    found = {place.tensor: weights[name] for name, place in places(model.config).items()}
    found[SHARED] = model.tables.source.weight.detach()
    if not model.config.embedding.scaled_output:
        found[OUTPUT] = model.tables.output.weight.detach()
    assert isinstance(model.config.embedding, ThreeWay | OneInput)
    return {name: weight.cpu().float().contiguous().clone() for name, weight in found.items()}
